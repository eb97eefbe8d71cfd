"""Disks of others in the platform's storage pools take room from it, on both engines; through the real loop."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from drivers.simulated.world import World, world_named
from inventory.domain.errors import Unplaceable
from inventory.domain.host import Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.resources import DISK_PREFIX, VCPU
from inventory.store import changes, foreign, hosts, past
from inventory.store.engine import Database
from inventory.store.hosts import InventoryRow
from tests.support.metrics import Watched, watch
from tests.support.reserves import set_reserve, standby_hosts

GIB = 1 << 30
#: The loop looks at every host once in this time.
LOOK_S = 31
#: Of each of the three hosts.
CAPACITY_GIB = 1000
#: A machine of ``ticket_text`` has a root disk and a data disk.
MACHINE_GIB = 2


@pytest.fixture
def watched(database: Database, tmp_path: Path) -> Watched:
    # The clock is the test's: every look is written when it is made.
    settings = ReconcileSettings(looks_s=0.0)
    found = watch(database, tmp_path, world=f"{tmp_path.name}-{database.engine.dialect.name}", settings=settings)
    found.work()
    return found


def others_have(watched: Watched, *sizes_gib: int) -> None:
    """Have somebody's disk in the storage pool of each host, from the first one on, and the loop look at them."""
    for host, size_gib in zip(watched.furnished.hosts, sizes_gib, strict=False):
        world_of(watched).drift_foreign_disk(host.name, "theirs", size_gib)
    watched.furnished.clock.now_s += LOOK_S
    watched.work()


def world_of(watched: Watched) -> World:
    """Return the simulated world the hosts are of."""
    with watched.furnished.platform.db.read() as connection:
        return world_named(urlsplit(hosts.hosts(connection)[0].connection).netloc)


def disk(watched: Watched, number: int) -> InventoryRow:
    """Return the row of the storage pool of a host."""
    host_id = watched.furnished.hosts[number].id
    with watched.furnished.platform.db.read() as connection:
        [row] = [r for r in hosts.inventories_of(connection, [host_id])[host_id] if r.dimension.startswith(DISK_PREFIX)]
    return row


def violations(watched: Watched) -> list[object]:
    with watched.furnished.platform.db.read(is_steady=True) as connection:
        return list(audit_invariants(connection, {}))


def test_a_disk_of_others_is_counted_by_itself_and_forgotten_when_it_goes(watched: Watched) -> None:
    uuid = world_of(watched).drift_foreign(watched.furnished.hosts[1].name, vcpu_count=3, disk_gib=700)
    others_have(watched)
    assert [disk(watched, n).foreign_used for n in range(3)] == [0, 700, 0]
    text = watched.text()
    assert f'allot_disk_foreign_bytes{{pool="sim",zone="gov-public",class="standard"}} {700 * GIB}' in text
    assert f'allot_disk_free_bytes{{pool="sim",zone="gov-public",class="standard"}} {(3 * CAPACITY_GIB - 700) * GIB}' in text
    world_of(watched).remove_foreign(watched.furnished.hosts[1].name, uuid)
    others_have(watched)
    assert [disk(watched, n).foreign_used for n in range(3)] == [0, 0, 0]


def test_nothing_is_placed_where_others_leave_no_room_and_again_when_they_do(watched: Watched) -> None:
    others_have(watched, CAPACITY_GIB - MACHINE_GIB + 1, CAPACITY_GIB, CAPACITY_GIB - MACHINE_GIB)
    watched.apply("portal", count=1)
    watched.work()
    assert [disk(watched, n).used for n in range(3)] == [0, 0, MACHINE_GIB]
    with pytest.raises(Unplaceable):
        watched.apply("forum", count=1)
    others_have(watched, CAPACITY_GIB - MACHINE_GIB)
    watched.apply("forum", count=1)
    assert [disk(watched, n).used for n in range(3)] == [MACHINE_GIB, 0, MACHINE_GIB]


def test_others_that_grow_over_what_is_free_take_nothing_from_claims_and_stop_placement(watched: Watched) -> None:
    others_have(watched, CAPACITY_GIB, CAPACITY_GIB, 0)
    watched.apply("portal", count=2)
    watched.work()
    others_have(watched, CAPACITY_GIB, CAPACITY_GIB, CAPACITY_GIB + 500)
    row = disk(watched, 2)
    assert (row.used, row.foreign_used, row.free) == (2 * MACHINE_GIB, CAPACITY_GIB + 500, -500 - 2 * MACHINE_GIB)
    assert (
        f'allot_disk_over_bytes{{pool="sim",zone="gov-public",class="standard"}} {(500 + 2 * MACHINE_GIB) * GIB}'
        in watched.text()
    )
    assert 'allot_disk_free_bytes{pool="sim",zone="gov-public",class="standard"} 0' in watched.text()
    assert violations(watched) == []
    with pytest.raises(Unplaceable):
        watched.apply("forum", count=1)


def test_the_state_of_before_is_known_and_a_pool_that_is_not_named_stays_as_it_was(watched: Watched) -> None:
    host = watched.furnished.hosts[0]
    with watched.furnished.platform.db.write() as connection:
        mark = changes.mark_now(connection)
        for told, is_news in (({"default": 900, "elsewhere": 5}, True), ({"default": 900}, False), ({}, False)):
            foreign.save_storage(connection, host.id, told)
            assert foreign.recount_foreign(connection, host.id) is is_news
    assert disk(watched, 0).foreign_used == 900
    with watched.furnished.platform.db.read() as connection:
        assert changes.since(connection, mark).host_ids == {host.id}
        before = past.as_of(connection, mark)
    assert before is not None
    assert {r.foreign_used for r in before.rows} == {0}


def test_a_host_stands_by_no_more_where_others_take_its_disk(watched: Watched) -> None:
    set_reserve(watched.furnished.platform.db, Reserve(level=ReserveLevel.HOST))
    first = standing_by(watched)
    number = [h.id for h in watched.furnished.hosts].index(first)
    others_have(watched, *[CAPACITY_GIB if n == number else 0 for n in range(3)])
    assert standing_by(watched) != first
    assert violations(watched) == []


def standing_by(watched: Watched) -> HostId:
    with watched.furnished.platform.db.read() as connection:
        [found] = standby_hosts(connection)
    return found


def test_processors_of_others_are_counted_beside_their_disks(watched: Watched) -> None:
    world_of(watched).drift_foreign(watched.furnished.hosts[0].name, vcpu_count=3, disk_gib=10)
    others_have(watched)
    host_id = watched.furnished.hosts[0].id
    with watched.furnished.platform.db.read() as connection:
        rows = {r.dimension: r.foreign_used for r in hosts.inventories_of(connection, [host_id])[host_id]}
    assert (rows[VCPU], rows[f"{DISK_PREFIX}standard"]) == (3, 10)
