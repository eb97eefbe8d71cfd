"""Machines that ran in a region before the platform came: taken into the books as they are, followed, and not changed by it."""

from pathlib import Path
from typing import Any

import pytest

from tests.openstack.cloud import TICKET_S, City, city
from tests.openstack.harness import Behind
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


def _record(compute: Any, server_id: str) -> dict[str, Any]:
    """Return all that Nova shows of a machine."""
    found: dict[str, Any] = compute.get_server(server_id).to_dict()
    return found


def _candidates(town: City) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = town.controller.ok("adopt", "candidates", "region", "-o", "json").json
    return found


def _states(town: City) -> dict[str, str]:
    return {a["uuid"]: a["observed"] for a in town.controller.ok("adopt", "list", "-o", "json").json}
