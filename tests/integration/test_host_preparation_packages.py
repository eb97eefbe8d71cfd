"""The playbook really installs what is missing, tells each package, and only says so in check mode."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible_programs import have_ansible, have_host_packages, have_packages

_ROOT = Path(__file__).parents[2]
_SUPPORT = _ROOT / "tests" / "support"
#: Small ones that nothing else of a host depends on, in the order of the role.
_MISSING = ("dnsmasq-base", "nftables")


def mirror(directory: Path) -> Path:
    """Make a Debian mirror that has these packages only."""
    directory.mkdir()
    fetch = ["apt-get", "download", "-qq", *_MISSING]
    if subprocess.run(fetch, cwd=directory, capture_output=True, check=False).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(fetch, cwd=directory, check=True)
    with (directory / "Packages").open("wb") as index:
        subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "."], cwd=directory, stdout=index, stderr=subprocess.DEVNULL, check=True
        )
    return directory


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What ``tests.support.private_packages`` told, by step."""
    have_ansible()
    have_host_packages()
    have_packages("dpkg-dev")
    base = tmp_path_factory.mktemp("packages")
    spaces = ["unshare", "-m", "-p", "-n", "-u", "-i", "--fork", "--kill-child", "--propagation", "private"]
    arguments = [str(base / "work"), str(mirror(base / "mirror")), *_MISSING]
    done = subprocess.run(
        [
            *spaces,
            str(_SUPPORT / "private_packages.sh"),
            str(base),
            sys.executable,
            "-m",
            "tests.support.private_packages",
            *arguments,
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {answer.pop("step"): answer for answer in map(json.loads, done.stdout.splitlines())}


def test_check_mode_names_the_missing_packages_and_installs_none(told: dict[str, dict[str, Any]]) -> None:
    check = told["check"]
    assert check["changed_tasks"] == ["Say which packages would be installed"]
    assert check["said"] == {"Say which packages would be installed": f"would install {', '.join(_MISSING)}"}
    assert check["installed"] == []
    assert check["directory"] is False


def test_a_run_installs_them_one_by_one_and_tells_each(told: dict[str, dict[str, Any]]) -> None:
    first = told["first"]
    assert first["parts"][: len(_MISSING)] == list(_MISSING)
    assert first["said"]["Say which packages are installed now"] == f"installing {', '.join(_MISSING)}"
    assert first["installed"] == list(_MISSING)
    assert first["pools"] == "allot-test"


def test_an_installation_that_was_broken_off_is_finished_first(told: dict[str, dict[str, Any]]) -> None:
    tasks = told["first"]["changed_tasks"]
    assert tasks.index("Finish the installation that was broken off") < tasks.index("Install the missing packages")


def test_a_second_run_installs_nothing(told: dict[str, dict[str, Any]]) -> None:
    assert told["second"]["changed_tasks"] == []
