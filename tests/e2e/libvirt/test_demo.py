"""The demo as a newcomer runs it, in a view of the machine of its own: aborted, twice, cleaned, and nothing else touched."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible_programs import have_ansible
from tests.support.guest_image import guest_image

pytestmark = [pytest.mark.libvirt, pytest.mark.demo, pytest.mark.timeout(1200)]

_ROOT = Path(__file__).parents[3]
_SUPPORT = _ROOT / "tests" / "support"
_NOTHING: dict[str, list[str]] = {
    "machines": [],
    "networks": [],
    "filters": [],
    "pools": [],
    "links": [],
    "processes": [],
    "directories": [],
}
_SERVERS = ("db-1", "web-1", "web-2")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What ``tests.support.private_demo`` told, by step."""
    have_ansible()
    images = guest_image().qcow2.parent
    base = tmp_path_factory.mktemp("demo")
    spaces = ["unshare", "-m", "-p", "-n", "-u", "-i", "--fork", "--kill-child", "--propagation", "private"]
    program = [sys.executable, "-m", "tests.support.private_demo", str(images)]
    done = subprocess.run(
        [*spaces, str(_SUPPORT / "private_preparation.sh"), str(base), *program],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=1100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {answer.pop("step"): answer for answer in map(json.loads, done.stdout.splitlines())}


def test_a_network_of_another_installation_in_the_address_ranges_stops_the_demo_before_it_begins(
    told: dict[str, dict[str, Any]],
) -> None:
    refused = told["subnet taken"]
    assert refused["code"] == 1
    assert "this machine uses already 10.96.3.0/26 (allotabcdef0123), " in refused["err"]
    assert " of the ranges 10.96.0.0/16, 10.97.0.0/16.\nChange address-range " in refused["err"]
    assert refused["left"] == _NOTHING


def test_after_an_aborted_demo_nothing_is_left_and_libvirt_is_stopped_again(told: dict[str, dict[str, Any]]) -> None:
    aborted = told["aborted"]
    assert aborted["code"] == -9, aborted
    assert aborted["machines"]
    assert {"libvirtd", "virtlogd", "allot"} <= set(aborted["left"]["processes"])
    cleaned = told["cleaned after abort"]
    assert cleaned["code"] == 0, cleaned
    assert cleaned["left"] == _NOTHING
    assert cleaned["out"] == "clean: no machine, disk, network or process of the demo is left\n"


@pytest.mark.parametrize("step", ["first", "second"])
def test_every_machine_of_the_ticket_answers_and_the_second_time_too(told: dict[str, dict[str, Any]], step: str) -> None:
    demo = told[step]
    assert demo["code"] == 0, demo
    for name in _SERVERS:
        assert f" answers: hostname={name} instance-id=inst_" in demo["out"]
    assert "Done." in demo["out"]


def test_the_demo_is_found_by_its_pool_when_its_state_is_gone_and_what_is_not_the_demos_is_left_alone(
    told: dict[str, dict[str, Any]],
) -> None:
    cleaned = told["cleaned without state"]
    assert cleaned["code"] == 0, cleaned
    strange = "seg_00000000000070008000000000000002"
    # Nothing tells any more that the daemons were not there before.
    daemons = ["libvirtd", "virtlogd"]
    assert cleaned["left"] == _NOTHING | {"machines": ["stranger"], "networks": [strange], "processes": daemons}
    assert "left alone: machine stranger, of another installation of the platform" in cleaned["out"]
    assert f"left alone: network {strange}, of another installation of the platform" in cleaned["out"]


def test_cleaning_twice_does_no_harm(told: dict[str, dict[str, Any]]) -> None:
    again = told["cleaned again"]
    assert again["code"] == 0
    assert again["out"] == "nothing to clean: the demo has left nothing on this machine\n"
