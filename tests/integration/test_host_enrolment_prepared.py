"""``allot host enrol --prepare``: the command line makes this machine a host with every pool it is told of, and enrols it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible_programs import have_ansible, have_host_packages

pytestmark = [pytest.mark.libvirt, pytest.mark.timeout(600)]

_ROOT = Path(__file__).parents[2]
_SUPPORT = _ROOT / "tests" / "support"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What ``tests.support.private_enrolment`` told, by step."""
    have_ansible()
    have_host_packages()
    base = tmp_path_factory.mktemp("enrolment")
    spaces = ["unshare", "-m", "-p", "-n", "-u", "-i", "--fork", "--kill-child", "--propagation", "private"]
    program = [sys.executable, "-m", "tests.support.private_enrolment", str(base / "service")]
    done = subprocess.run(
        [*spaces, str(_SUPPORT / "private_preparation.sh"), str(base), *program],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {answer.pop("step"): answer for answer in map(json.loads, done.stdout.splitlines())}


def test_two_pools_of_one_name_are_refused_before_anything_is_done(told: dict[str, dict[str, Any]]) -> None:
    refused = told["twice"]
    assert refused["code"] == 1
    assert "The name or directory one of a storage pool is given twice." in refused["err"]
    assert refused["pools"].startswith("failed: ")


def test_check_says_what_would_be_done_and_enrols_nothing(told: dict[str, dict[str, Any]]) -> None:
    check = told["check"]
    assert check["code"] == 0, check
    assert "Say which daemons would be started: would start libvirtd" in check["err"]
    assert "steps would change something on here; nothing was changed." in check["err"]
    assert check["pools"].startswith("failed: ")
    assert check["directories"] == {"one": False, "zwei": False}
    assert check["hosts"] == []


def test_every_pool_is_made_and_the_host_is_enrolled_with_all_of_them(told: dict[str, dict[str, Any]]) -> None:
    enrolled = told["enrol"]
    assert enrolled["code"] == 0, enrolled
    assert "~ Start the daemons" in enrolled["err"]
    assert enrolled["pools"].split() == ["one", "two"]
    assert enrolled["directories"] == {"one": True, "zwei": True}
    assert enrolled["hosts"] == ["here"]
    assert enrolled["storage"] == ["disk_gib:fast", "disk_gib:standard"]
