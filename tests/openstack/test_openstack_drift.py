"""What happens in a region behind the platform's back: found by looking, put right or reported, by the rules of any host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.openstack.marks import Mark
from inventory.domain.ids import ResourceId
from inventory.domain.resource import ResourceKind
from tests.openstack.cloud import TICKET_S, City, city, ticket_text
from tests.openstack.harness import STORAGE_POOL, Behind, new_id
from tests.openstack.region.region import Region
from tests.support.libvirtd import until

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(1500)]

HYPERVISOR = "hv-006"
TICKET = ticket_text("drift", "name: web, count: 4, size: tiny, image: demo-linux, spread: none")


@pytest.fixture
def town(region: Region, behind: Behind, tmp_path: Path) -> Iterator[City]:
    """A furnished city with four machines."""
    with city(tmp_path / "town", region, behind) as found:
        found.furnish(HYPERVISOR, cloud="region")
        found.apply(found.controller.write("drift.yaml", TICKET))
        yield found


def test_what_happens_behind_the_platforms_back_is_put_right_or_reported(town: City) -> None:
    compute, block = town.behind.cloud.compute, town.behind.cloud.block_storage
    ids = [machine["id"] for _, machine in sorted(town.machines().items())]
    before = town.servers()
    stopped, deleted, lost, loosened = ids
    stranger = _stranger(town)
    compute.stop_server(before[stopped].id)
    town.behind.remove_server(before[deleted].id)
    town.behind.remove_server(before[lost].id)
    block.delete_volume(_root_of(before[lost]))
    town.behind.meddle_card(ResourceId(loosened), "")
    (segment,) = (r.id for r in town.rows() if r.kind is ResourceKind.SEGMENT)
    town.behind.meddle_rules(segment)
    expected = {
        ("stopped", stopped, "repaired"),
        ("missing", deleted, "repaired"),
        ("missing", lost, "open"),
        ("edited", loosened, "repaired"),
        ("edited", segment, "closed"),
        ("orphan", stranger, "open"),
    }
    until(lambda: expected <= _findings(town), TICKET_S, "everything is found")
    wanted = dict.fromkeys((stopped, deleted, loosened), "ACTIVE")
    until(lambda: {i: s.status for i, s in town.servers().items()} == wanted, TICKET_S, "mended")
    until(lambda: _is_held(town, before[loosened]), TICKET_S, "its card is held to its address again")
    assert "0.0.0.0/0" not in town.behind.let_through(segment), "nobody from outside is let in any more"
    after = town.servers()
    assert after[stopped].id == before[stopped].id
    assert _root_of(after[deleted]) == _root_of(before[deleted]), "made again from the disk it had"
    assert {m["id"]: m["phase"] for m in town.machines().values()}[lost] == "failed", (
        "a lost disk is never replaced by an empty one"
    )
    assert len(town.behind.volumes(stranger)) == 1, "what no row knows is not touched"
    _released(town, stranger)


def _stranger(town: City) -> str:
    """Have a disk that bears the mark of the city's host and an id no row knows: left by a state that was lost."""
    (host_id,) = town.host_ids
    volume_id = new_id("volume")
    mark = Mark(resource_id=volume_id, fence=1, host_id=host_id)
    town.behind.cloud.block_storage.create_volume(name=volume_id, size=1, volume_type=STORAGE_POOL, metadata=mark.values())
    return volume_id


def _is_held(town: City, server: Any) -> bool:
    (port,) = town.behind.cloud.network.ports(device_id=server.id)
    return bool(port.is_port_security_enabled) and len(port.security_group_ids) == 1


def _root_of(server: Any) -> str:
    (disk,) = server.attached_volumes
    return str(disk["id"])


def _findings(town: City) -> set[tuple[str, str, str]]:
    with town.controller.client() as client:
        found = client.get("/v1/findings")["items"]
    return {(f["kind"], f["resource_id"] or f["detail"]["resource"], f["state"]) for f in found}


def _released(town: City, stranger: str) -> None:
    """The system goes, with the machine that failed; the stranger is still there, and a person removes it."""
    town.controller.ok("release", "drift", "--confirm", "drift", "--wait", "--timeout", str(TICKET_S))
    until(lambda: [kind for kind, _ in town.made()] == ["volume"], TICKET_S, "nothing of the system is left in the region")
    town.check()
    (volume,) = town.behind.volumes(stranger)
    town.behind.cloud.block_storage.delete_volume(volume.id)
    until(lambda: town.made() == [], TICKET_S, "it is gone")
