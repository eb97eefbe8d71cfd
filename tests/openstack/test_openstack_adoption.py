"""Machines that ran in a region before the platform came: taken into the books as they are, followed, and not changed by it."""

from pathlib import Path
from typing import Any

import pytest

from tests.openstack.cloud import TICKET_S, City, city
from tests.openstack.harness import SERVER_S, Behind
from tests.openstack.proxy import proxied_clouds
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-006"
PROJECT = "GZ2026-MZJ-017"
TAKE = ("adopt", "take", "region", "--project", PROJECT, "--system", "legacy", "--lease-end", "2099-12-31", "--yes")


def test_what_runs_in_a_region_is_adopted_as_it_is(region: Region, behind: Behind, tmp_path: Path) -> None:
    cloud = behind.cloud
    owner = _owner(behind)
    with city(tmp_path / "town", region, behind) as town:
        town.furnish(HYPERVISOR)
        theirs = [behind.make_foreign(HYPERVISOR, project_id=owner.id) for _ in range(2)]
        try:
            _adopted_and_followed(town, theirs)
        finally:
            for server_id in theirs:
                if cloud.compute.find_server(server_id, all_projects=True):
                    behind.remove_server(server_id)
            cloud.identity.delete_project(owner)


def _owner(behind: Behind) -> Any:
    """Return the project of those machines, with none in it: a test that was cut off has left some."""
    identity = behind.cloud.identity
    owner = identity.find_project("civil-affairs") or identity.create_project(name="civil-affairs", domain_id="default")
    for left in behind.cloud.compute.servers(details=False, all_projects=True, project_id=owner.id):
        behind.remove_server(left.id)
    return owner


def _adopted_and_followed(town: City, theirs: list[str]) -> None:
    controller, compute = town.controller, town.behind.cloud.compute
    until(lambda: set(theirs) <= {c["uuid"] for c in _candidates(town)}, TICKET_S, "the region's machines are seen")
    mine = [c for c in _candidates(town) if c["uuid"] in theirs]
    assert {(c["owner"], c["department"], c["project"]) for c in mine} == {("civil-affairs", "civil-affairs", PROJECT)}
    before = {server_id: _record(compute, server_id) for server_id in theirs}
    first, second = controller.ok(*TAKE, "--owner", "civil-affairs", "-o", "json").json
    assert {first["uuid"], second["uuid"]} == set(theirs)
    assert {first["observed"], second["observed"]} == {"running"}
    compute.stop_server(first["uuid"])
    until(lambda: _states(town)[first["uuid"]] == "stopped", TICKET_S, "its owner's stop is seen")
    # The stop is the owner's; beside it nothing about them has changed.
    assert _record(compute, second["uuid"]) == before[second["uuid"]]
    assert {a.action for a in compute.server_actions(second["uuid"])} == {"create"}
    usage = controller.ok("usage", "--from", "2026-01-01", "-o", "json").json
    assert {r["resource_id"] for r in usage["lines"] if r["meter"] == "vcpu"} == {first["id"], second["id"]}
    controller.ok("adopt", "let-go", first["id"])
    town.behind.remove_server(second["uuid"])
    until(lambda: _states(town) == {}, TICKET_S, "one was let go, the other's end is seen")
    assert compute.get_server(first["uuid"]).status == "SHUTOFF", "nothing happens to what is let go"
    town.check()


def test_disks_of_what_is_adopted_are_on_its_bill_until_they_are_taken_out(
    region: Region, behind: Behind, tmp_path: Path
) -> None:
    cloud, owner = behind.cloud, _owner(behind)
    with (
        proxied_clouds(region.layout, tmp_path, whole_listing_s=0) as _,
        city(tmp_path / "town", region, behind, tmp_path / "clouds.yaml") as town,
    ):
        town.furnish(HYPERVISOR, cloud="proxied")
        server_id = behind.make_foreign(HYPERVISOR, project_id=owner.id)
        disk = behind.plug_in(server_id, owner.id)
        try:
            _disk_metered_and_taken_out(town, server_id, disk)
        finally:
            behind.remove_server(server_id)
            cloud.block_storage.delete_volume(disk, force=True)
            cloud.block_storage.wait_for_delete(disk, interval=0.5, wait=SERVER_S)
            cloud.identity.delete_project(owner)


def _disk_metered_and_taken_out(town: City, server_id: str, disk: Any) -> None:
    controller, cloud = town.controller, town.behind.cloud
    # What its flavor has on the hypervisor is of no class here.
    wanted = {("", 1, ""), (disk.id, disk.size, "standard")}

    def is_seen_whole() -> bool:
        seen = [c for c in _candidates(town) if c["uuid"] == server_id]
        return [{(d["uuid"], d["size_gib"], d["disk_class"]) for d in c["disks"]} for c in seen] == [wanted]

    until(is_seen_whole, TICKET_S, "it is seen with its disks")
    before = cloud.block_storage.get_volume(disk.id).to_dict()
    [adopted] = controller.ok(*TAKE, "--machine", server_id, "-o", "json").json
    assert [(d["uuid"], d["size_gib"]) for d in adopted["disks"]] == [(disk.id, disk.size)]
    until(lambda: _disk_amounts(town, adopted["id"]) == {disk.size}, TICKET_S, "its disk is metered")
    assert cloud.block_storage.get_volume(disk.id).to_dict() == before, "nothing of it has changed"
    cloud.compute.delete_volume_attachment(server_id, disk.id)
    until(lambda: _disks(town) == [], TICKET_S, "it is seen that the disk was taken out")
    controller.ok("adopt", "let-go", adopted["id"])
    town.check()


def _disk_amounts(town: City, resource_id: str) -> set[int]:
    found = town.controller.ok("meter", "ledger", "--resource", resource_id, "-o", "json").json
    return {interval["amount"] for interval in found if interval["meter"] == "disk_gib:standard"}


def _disks(town: City) -> list[dict[str, Any]]:
    [adopted] = town.controller.ok("adopt", "list", "-o", "json").json
    found: list[dict[str, Any]] = adopted["disks"]
    return found


def _record(compute: Any, server_id: str) -> dict[str, Any]:
    """Return all that Nova shows of a machine."""
    found: dict[str, Any] = compute.get_server(server_id).to_dict()
    return found


def _candidates(town: City) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = town.controller.ok("adopt", "candidates", "region", "-o", "json").json
    return found


def _states(town: City) -> dict[str, str]:
    return {a["uuid"]: a["observed"] for a in town.controller.ok("adopt", "list", "-o", "json").json}
