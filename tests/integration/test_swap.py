"""A machine that could not be made where it was put is placed again: claims, address and disks move, or nothing does."""

from pathlib import Path

import pytest

from controller.workflows import tickets
from controller.workflows.swap import swapper
from inventory.domain.host import AdminState
from inventory.domain.resource import Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import claims, hosts, networks, resources, systems
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=2)


def _machine(here: Furnished, count: int = 1) -> tuple[Resource, list[Resource]]:
    tickets.submit(here.platform, ticket_text("portal", count=count), here.caller())
    with here.platform.db.read() as connection:
        found = resources.of_system(connection, systems.get(connection, "portal", PLATFORM).id)
    machine = next(r for r in found if r.kind is ResourceKind.INSTANCE)
    return machine, [r for r in found if r.kind is ResourceKind.VOLUME and r.volume.instance_id == machine.id]


def test_claims_address_and_disks_move_together(here: Furnished) -> None:
    machine, volumes = _machine(here)
    with here.platform.db.write() as connection:
        before = claims.of_resources(connection, [machine.id, volumes[0].id])
        moved = swapper(here.platform)(connection, machine, volumes)
        assert moved is not None
        new, disk = moved
        resources.move(connection, new, revision=2, now_s=here.clock())
        resources.move(connection, disk, revision=2, now_s=here.clock())
    assert new.host_id != machine.host_id
    assert disk.host_id == new.host_id
    assert new.instance.nics[0].segment_id != machine.instance.nics[0].segment_id
    assert new.instance.nics[0].mac == machine.instance.nics[0].mac
    with here.platform.db.read() as connection:
        after = claims.of_resources(connection, [machine.id, volumes[0].id])
        assert sorted((c.dimension, c.amount) for c in after) == sorted((c.dimension, c.amount) for c in before)
        assert not {c.provider_id for c in after} & {c.provider_id for c in before}
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        old = machine.instance.nics[0].segment_id
        assert networks.in_use(connection, [old])[old] == 0


def test_without_another_host_nothing_moves(here: Furnished) -> None:
    machine, volumes = _machine(here)
    other = next(h for h in here.hosts if h.id != machine.host_id)
    with here.platform.db.write() as connection:
        hosts.set_admin_state(connection, other.id, AdminState.CORDONED, reason="检修", by="op", until_s=None)
        before = claims.of_resources(connection, [machine.id, volumes[0].id])
        assert swapper(here.platform)(connection, machine, volumes) is None
        assert claims.of_resources(connection, [machine.id, volumes[0].id]) == before


def test_a_machine_stays_with_the_siblings_on_its_network(here: Furnished) -> None:
    machine, volumes = _machine(here, count=2)
    with here.platform.db.write() as connection:
        assert swapper(here.platform)(connection, machine, volumes) is None
