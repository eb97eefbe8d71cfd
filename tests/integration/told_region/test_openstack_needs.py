"""Every microversion the documentation lists is the one that is asked in, of the newest region and of the oldest that will do."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

import pytest
from openstack import exceptions as sdk_errors

from drivers.faults import DriverFault
from drivers.openstack import actions, cells, evacuation, migrations, server_groups, servers
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.mapping import ServerReading
from drivers.openstack.versions import LEAST, NEEDS, Need
from drivers.protocol import MachineRequest, VolumeRequest
from tests.support.region_answers import Answers, answering
from tests.support.told_things import FENCE, HOST_ID, give_one_hypervisor, new_id, server, told_driver, volume

PAGE = Path(__file__).parents[3] / "docs" / "openstack.md"
#: What the driver asks in, whatever more a service knows.
FIXED = {(2, 68), (2, 64), (2, 48), (2, 34), (1, 36)}
NAMES = {"compute": "compute", "placement": "placement", "block storage": "volume"}
#: The newest the region tells of: as in the tests of all else, and as little as will do.
NEWEST = {"compute": "2.96", "placement": "1.39", "volume": "3.71"}
OLDEST = {"compute": "2.90", "placement": "1.36", "volume": "3.42"}


@pytest.fixture(params=[NEWEST, OLDEST], ids=["newest", "oldest"])
def told(request: pytest.FixtureRequest) -> dict[str, str]:
    """The newest microversion of each service."""
    found: dict[str, str] = request.param
    return found


@pytest.fixture
def region(told: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with answering(tmp_path, monkeypatch, build_limit_s=0) as answers:
        give_one_hypervisor(answers)
        for service, newest in told.items():
            _tell(answers, service, newest)
        answers.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
        yield answers


def _tell(answers: Answers, service: str, newest: str) -> None:
    for request, [(_, body)] in answers.given.items():
        if request.startswith(f"GET /{service}") and isinstance(body, dict) and body.keys() & {"version", "versions"}:
            for version in body.get("versions") or [body["version"]]:
                version |= {"version": newest, "max_version": newest}


@pytest.fixture
def driver(region: Answers) -> Iterator[OpenStackDriver]:
    del region
    with closing(told_driver("openstack://told/hv-1")) as found:
        yield found


ONE, OTHER = new_id("instance"), new_id("instance")
DISK = new_id("volume")


def _machine() -> MachineRequest:
    root = VolumeRequest(volume_id=OTHER, role="root", storage_pool="standard", size_gib=1)
    return MachineRequest(instance_id=OTHER, title="told", hostname="told", vcpu_count=1, memory_mib=128, root=root)


def _there(driver: OpenStackDriver) -> ServerReading:
    return servers.require_server(driver._region, ONE)


def _counters(driver: OpenStackDriver) -> object:
    return driver._region.diagnostics._answered(_there(driver))


def _grow(driver: OpenStackDriver) -> None:
    driver.ensure_volume(VolumeRequest(volume_id=DISK, role="data", storage_pool="standard", size_gib=2), FENCE)


def _free(driver: OpenStackDriver) -> str:
    return servers.disk_id(driver._region, OTHER)


#: How each is asked for, by the microversion, and what the request is.
ASKED: dict[tuple[int, int], tuple[Callable[[OpenStackDriver], object], str]] = {
    (2, 90): (lambda d: d.ensure_launched(_machine(), FENCE), "POST /compute/v2.1/servers"),
    (2, 84): (lambda d: actions.failure_of(d._region, _there(d), "x"), "GET /compute/v2.1/servers/[^/]+/os-instance-actions"),
    (2, 69): (lambda d: cells.require_all_cells(d._region.sdk, d._region.calls, {}), "GET /compute/v2.1/servers"),
    (2, 68): (lambda d: evacuation._ask(d._region, _there(d), "hv-2"), "POST /compute/v2.1/servers/[^/]+/action"),
    (2, 64): (lambda d: server_groups.ensure_no_empty_group(d._region, HOST_ID), "GET /compute/v2.1/os-server-groups"),
    (2, 48): (_counters, "GET /compute/v2.1/servers/[^/]+/diagnostics"),
    (2, 34): (lambda d: migrations._ask(d._region, _there(d), "hv-2"), "POST /compute/v2.1/servers/[^/]+/action"),
    (1, 36): (lambda d: d._region.inventory.providers(), "GET /placement/resource_providers/[^/]+/inventories"),
    (3, 42): (_grow, "POST /volume/v3/volumes/[^/]+/action"),
    (3, 27): (_free, "GET /volume/v3/attachments/detail"),
}


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: ".".join(map(str, need.least)))
def test_what_the_page_lists_is_what_is_asked_in(
    need: Need, told: dict[str, str], region: Answers, driver: OpenStackDriver
) -> None:
    act, request = ASKED[need.least]
    hanging = {**volume(OTHER, "reserved" if act is _free else "available"), "updated_at": "2026-01-01T00:00:00.000000"}
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(DISK, "in-use"), {**hanging, "id": "hanging"}]})
    region.give("GET /compute/v2.1/servers/detail", {"servers": [server(ONE, "ACTIVE")]})
    region.give("GET /compute/v2.1/flavors/detail", {"flavors": [{"id": "f", "name": "f", "vcpus": 1, "ram": 128, "disk": 0}]})
    region.versions.clear()
    # What was not said to be answered is answered with 404: how it is asked for is all that matters here.
    with suppress(DriverFault, sdk_errors.SDKException):
        act(driver)
    service, _, number = next(version for made, version in region.versions if re.fullmatch(request, made)).partition(" ")
    assert service == NAMES[need.service]
    asked_in, newest = (tuple(int(part) for part in text.split(".")) for text in (number, told[service]))
    assert need.least <= asked_in <= newest
    if need.least in FIXED:
        assert asked_in == need.least


def test_the_page_has_the_whole_table_and_what_a_region_must_have_is_in_it() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index("| what | asked in | below it |") + 2
    assert lines[start : start + len(NEEDS) + 1] == [*(need.row for need in NEEDS), ""]
    for service, least in LEAST.items():
        assert max(need.least for need in NEEDS if need.service == service) == least
