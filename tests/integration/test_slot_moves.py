"""Reserved room whose host is lost, taken out of service or overfull is held on another host, or told. On both engines."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.identity import audit
from controller.identity.caller import Role
from controller.metrics.state import reserved
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.housekeeping import Housekeeping
from controller.tickets.model import TicketState
from controller.workflows import hosts as host_work
from controller.workflows import loss, reservations, tickets
from controller.workflows.reservation_wish import ReservationWish
from controller.workflows.slot_moves import SlotMender
from inventory.domain.errors import Conflict, Unplaceable
from inventory.domain.host import AdminState, Host, Reachability, Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.reservation import Slot
from inventory.domain.scope import PLATFORM
from inventory.domain.system import SpreadLevel
from inventory.store import capacities, directory, hosts, standby
from inventory.store import reservations as reservation_store
from inventory.store.engine import Database
from tests.support.platform import CellSpec, Furnished, furnish
from tests.support.reserves import set_reserve, standby_hosts
from tests.support.samples import NOW_S, ticket_text

NOW = int(NOW_S)
DAY_S = 86_400
CPUS = 4


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Furnished]:
    furnished = furnish(database, tmp_path, host_count=3, cpu_count=CPUS, segment_prefix=24)
    yield furnished
    _assert_counted(furnished)


def _assert_counted(here: Furnished) -> None:
    with here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
        assert reservation_store.recount_held(connection) == []
        assert hosts.recount_used(connection) == []


def _reserve(here: Furnished, name: str = "spring", **changes: Any) -> None:
    wish = ReservationWish(
        name=name, project="P-portal", zone="gov-public", vcpu_count=1, memory_mib=128, disk_gib=2, ends_s=NOW + 10 * DAY_S
    )
    reservations.create(here.platform, replace(wish, **changes), here.caller())


def _slots(here: Furnished) -> list[Slot]:
    with here.platform.db.read() as connection:
        return reservation_store.all_slots(connection)


def _on(here: Furnished) -> Counter[HostId]:
    return Counter(slot.host_id for slot in _slots(here))


def _set(here: Furnished, host_id: HostId, to: AdminState, name: str = "李四") -> None:
    host_work.set_state(here.platform, host_id, to, here.caller(Role.OPERATOR, name=name), reason="检修")


def _cut(here: Furnished, host_id: HostId) -> Host:
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, host_id, Reachability.UNREACHABLE, here.clock())
        host = hosts.host(connection, host_id)
        standby.renew(connection, [host.pool_id])
    _set(here, host_id, AdminState.CORDONED)
    return host


def _astray(here: Furnished, name: str = "spring") -> int:
    return reservations.show(here.platform, name, PLATFORM).astray_count


def _draw(here: Furnished, name: str, count: int) -> None:
    text = ticket_text(name, count=count).replace(b"{code: P-portal}", b"{code: P-portal, reservation: spring}")
    assert tickets.submit(here.platform, text, here.caller()).state is TicketState.ACCEPTED


def _told(here: Furnished) -> list[dict[str, Any]]:
    with here.platform.db.read() as connection:
        return [e["detail"] for e in audit.page(connection, PLATFORM, limit=100) if e["action"] == "reservation.move"]


def test_a_lost_host_takes_no_promise_with_it_and_the_project_draws_all_of_it(here: Furnished) -> None:
    _reserve(here, count=4)
    (lost_id,) = _on(here)
    lost = _cut(here, lost_id)
    loss.declare_lost(here.platform, lost_id, here.caller(Role.OPERATOR, name="王五"), confirm=lost.name, reason="烧毁")
    assert lost_id not in _on(here)
    assert sum(_on(here).values()) == 4
    assert _told(here) == [{"name": "spring", "count": 4, "left": 0, "from": {lost_id: 4}}]
    # Everything else is full: what was promised is there all the same.
    for name in ("maps", "archive", "mail", "water"):
        tickets.submit(here.platform, ticket_text(name), here.caller())
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, ticket_text("one-more"), here.caller())
    _draw(here, "portal", 4)
    assert _on(here) == {}


def test_in_a_full_pool_it_moves_into_what_stood_by_and_into_nothing_before_the_loss(here: Furnished) -> None:
    set_reserve(here.platform.db, Reserve(level=ReserveLevel.HOST))
    _reserve(here, count=2 * CPUS)
    with here.platform.db.read() as connection:
        (standing,) = standby_hosts(connection)
    lost_id = next(iter(_on(here)))
    lost = _cut(here, lost_id)
    mender = SlotMender(here.platform)
    assert [(m.moved, m.left_count) for m in mender.mend()] == [((), CPUS)]
    assert (_astray(here), standing in _on(here)) == (CPUS, False)
    loss.declare_lost(here.platform, lost_id, here.caller(Role.OPERATOR, name="王五"), confirm=lost.name, reason="烧毁")
    assert lost_id not in _on(here)
    assert _on(here)[standing] == CPUS
    assert _told(here)[0]["left"] == 0
    # Nobody is empty now. Who has to stand by in spite of that lets nobody draw, which is told, until a host is empty.
    with here.platform.db.read() as connection:
        (short,) = standby_hosts(connection)
    assert _astray(here) == _on(here)[short] == CPUS
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, lost_id, Reachability.REACHABLE, here.clock())
    _set(here, lost_id, AdminState.ACTIVE)
    assert (mender.mend(), _astray(here)) == ([], 0)


@pytest.mark.parametrize("to", [AdminState.CORDONED, AdminState.DRAINING, AdminState.MAINTENANCE])
def test_a_host_out_of_service_keeps_no_reserved_room(here: Furnished, to: AdminState) -> None:
    _reserve(here, count=2)
    (from_id,) = _on(here)
    _set(here, from_id, to)
    Housekeeping(here.platform, period_s=30.0, monotonic=lambda: 0.0).run()
    assert from_id not in _on(here)
    # Now it is empty, and may go for good.
    if to is not AdminState.MAINTENANCE:
        _set(here, from_id, AdminState.MAINTENANCE)
    _set(here, from_id, AdminState.RETIRED)


def test_a_host_that_is_only_silent_keeps_what_it_has(here: Furnished) -> None:
    _reserve(here, count=2)
    (host_id,) = before = _on(here)
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, host_id, Reachability.UNREACHABLE, here.clock())
    assert SlotMender(here.platform).mend() == []
    assert _on(here) == before


def test_without_room_it_is_told_and_it_moves_as_soon_as_there_is_some(here: Furnished) -> None:
    _reserve(here, count=CPUS)
    (from_id,) = _on(here)
    for name in ("mail", "maps"):
        tickets.submit(here.platform, ticket_text(name, count=CPUS), here.caller())
    _set(here, from_id, AdminState.CORDONED)
    mender = SlotMender(here.platform)
    (moves,) = mender.mend()
    assert (moves.moved, moves.left_count) == ((), CPUS)
    assert (_astray(here), _told(here)) == (CPUS, [])
    with here.platform.db.read() as connection:
        lines = "".join(reserved(connection, NOW))
    assert f'allot_reservation_astray_machines{{zone="gov-public"}} {CPUS}' in lines
    assert mender.mend() == [], "nothing changed since"
    # Two places come free: two move, the rest goes on waiting.
    with here.platform.db.write() as connection:
        _grow(connection, next(h for h in here.hosts if h.id != from_id), CPUS + 2)
    (moves,) = mender.mend()
    assert (len(moves.moved), moves.left_count, _astray(here)) == (2, 2, 2)
    # Back in service it is a place as good as any.
    _set(here, from_id, AdminState.ACTIVE)
    assert (mender.mend(), _astray(here)) == ([], 0)
    assert _on(here)[from_id] == 2


def _grow(connection: Any, host: Host, cpus: int) -> None:
    assert host.facts is not None
    (pool,) = directory.pools(connection)
    storage = [s for s in hosts.storage_pools(connection) if s.host_id == host.id]
    grown = replace(host, facts=replace(host.facts, cpu_count=cpus))
    hosts.save_host(connection, grown)
    capacities.save_capacity(connection, grown, pool, storage)


def test_of_an_overfull_host_those_that_begin_last_move_and_no_more_than_needed(here: Furnished) -> None:
    _reserve(here, "spring", count=2)
    (full_id,) = _on(here)
    _reserve(here, "summer", count=2, starts_s=NOW + DAY_S)
    here.clock.now_s += 1
    assert set(_on(here)) == {full_id}, "the pool packs"
    with here.platform.db.write() as connection:
        _grow(connection, next(h for h in here.hosts if h.id == full_id), 3)
    assert (_astray(here, "spring"), _astray(here, "summer")) == (0, 1)
    (moves,) = SlotMender(here.platform).mend()
    assert (moves.reservation.name, len(moves.moved), moves.left_count) == ("summer", 1, 0)
    assert _on(here)[full_id] == 3


def test_a_hard_spread_holds_when_one_of_them_moves(here: Furnished) -> None:
    _reserve(here, count=2, spread=SpreadLevel.HOST)
    from_id = min(_on(here))
    _set(here, from_id, AdminState.DRAINING)
    SlotMender(here.platform).mend()
    assert (from_id in _on(here), sorted(_on(here).values())) == (False, [1, 1])
    # With one host left there is no second place apart: the other one stays where it is, and that is told.
    gone = min(_on(here))
    _set(here, gone, AdminState.DRAINING)
    assert [m.left_count for m in SlotMender(here.platform).mend()] == [1]
    assert sorted(_on(here).values()) == [1, 1]


def test_whole_processors_are_held_elsewhere_and_machines_take_the_new_seats(database: Database, tmp_path: Path) -> None:
    here = furnish(database, tmp_path, host_count=2, cells=CellSpec(dedicated_cpus="2-3,6-7,10-11,14-15"))
    _reserve(here, size="pinned-2", vcpu_count=0, memory_mib=0, disk_gib=None, count=3)
    from_id = min(_on(here))
    _set(here, from_id, AdminState.CORDONED)
    SlotMender(here.platform).mend()
    (to_id,) = _on(here)
    assert to_id != from_id
    cpus = [cpu for slot in _slots(here) if slot.seat for node in slot.seat.nodes for cpu in node.cpus]
    assert len(cpus) == len(set(cpus)) == 6
    text = ticket_text("portal", size="pinned-2", count=3)
    tickets.submit(here.platform, text.replace(b"{code: P-portal}", b"{code: P-portal, reservation: spring}"), here.caller())
    assert _on(here) == {}
    _assert_counted(here)


def test_what_is_over_meanwhile_is_not_moved(here: Furnished) -> None:
    _reserve(here, count=2)
    (from_id,) = _on(here)
    _set(here, from_id, AdminState.CORDONED)
    reservations.release(here.platform, "spring", here.caller())
    assert SlotMender(here.platform).mend() == []
    with pytest.raises(Conflict):
        reservations.release(here.platform, _id_of(here), here.caller())


def _id_of(here: Furnished) -> str:
    (shown,) = reservations.page(here.platform, PLATFORM, limit=1, after="", with_ended=True)
    return shown.reservation.id
