"""N+1 in the database, on both engines: what is held is given to nobody, and whoever is lost is replaced."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.reconcile.auditor import audit_invariants
from controller.scheduling.columns import NO_STANDBY_BITS
from controller.workflows import hosts as host_work
from controller.workflows import site, tickets
from controller.workflows.moves.picture import Rules, load_cluster
from inventory.domain.errors import Unplaceable
from inventory.domain.host import AdminState, ForeignDomain, Reachability, Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.resource import ResourceKind
from inventory.domain.resources import VCPU
from inventory.domain.system import SpreadLevel
from inventory.store import directory, foreign, hosts, resources, standby
from inventory.store.engine import Database
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.reserves import set_reserve, standby_hosts, stranded
from tests.support.samples import ticket_text

ONE_HOST = Reserve(level=ReserveLevel.HOST)


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    furnished = furnish(database, tmp_path, host_count=3, cpu_count=4)
    set_reserve(database, ONE_HOST)
    return furnished


def _standby(here: Furnished) -> HostId:
    with here.platform.db.read() as connection:
        (found,) = standby_hosts(connection)
    return found


def _move(here: Furnished, host_id: HostId, *states: AdminState) -> None:
    for to in states:
        host_work.set_state(here.platform, host_id, to, here.caller(), reason="test")


def _assert_whole(here: Furnished) -> None:
    with here.platform.db.read(is_steady=True) as connection:
        assert [s.uncovered for s in standby.states(connection)] == [()]
        assert stranded(connection) == []
        assert [v for v in audit_invariants(connection, {}) if v.rule == "reserve"] == []


def test_placement_never_takes_what_is_held(here: Furnished) -> None:
    for number in range(2):
        tickets.submit(here.platform, ticket_text(f"portal-{number}", count=4), here.caller())
    with pytest.raises(Unplaceable) as refused:
        tickets.submit(here.platform, ticket_text("one-more"), here.caller())
    misses = refused.value.details["explanations"][0]["misses"]
    (held,) = (m for m in misses if m[2]["held"])
    assert held[2] == {"dimension": "memory_mib", "asked": 128, "free": 0, "capacity": 65536, "taken": 0, "held": 65536}
    _assert_whole(here)
    set_reserve(here.platform.db, Reserve())
    tickets.submit(here.platform, ticket_text("one-more-now"), here.caller())


def test_the_guard_refuses_what_a_stale_decision_wants_of_a_stand_by(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        wanted = {(str(_standby(here)), VCPU): 1}
        assert hosts.try_use(connection, wanted) == list(wanted)


def test_a_stand_by_host_that_leaves_service_is_replaced_by_an_empty_one(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    first = _standby(here)
    _move(here, first, AdminState.MAINTENANCE)
    assert _standby(here) != first
    _assert_whole(here)
    _move(here, first, AdminState.ACTIVE)
    assert _standby(here) != first, "it moved back for no reason"
    _assert_whole(here)


def test_a_foreign_guest_on_the_stand_by_host_moves_the_reserve(here: Furnished) -> None:
    first = _standby(here)
    with here.platform.db.write() as connection:
        guest = ForeignDomain(host_id=first, uuid="u", name="theirs", vcpu_count=1, memory_mib=512, is_running=True)
        foreign.save_foreign(connection, first, [guest], 1.0)
        assert foreign.recount_foreign(connection, first)
        standby.renew(connection)
        foreign.save_foreign(connection, first, [guest], 2.0)
        assert not foreign.recount_foreign(connection, first), "nothing new"
    assert _standby(here) != first
    _assert_whole(here)


def test_a_reserve_that_cannot_be_met_is_said_and_not_made_worse(here: Furnished) -> None:
    set_reserve(here.platform.db, Reserve())
    for number in range(3):
        tickets.submit(here.platform, ticket_text(f"portal-{number}", count=3), here.caller())
    set_reserve(here.platform.db, ONE_HOST)
    with here.platform.db.read() as connection:
        (state,) = standby.states(connection)
        assert len(state.standby) == 1
        assert len(state.uncovered) == 3
        assert state.is_kept
        assert sum(r.free for r in hosts.inventories(connection) if r.dimension == VCPU and not r.held_reserve) == 2


def test_the_auditor_sees_a_change_that_nobody_covered(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, _standby(here), Reachability.UNREACHABLE, here.clock())
        assert [v.rule for v in audit_invariants(connection, {})] == ["reserve"]
        standby.renew(connection)
        assert audit_invariants(connection, {}) == []


def test_an_import_sets_a_pools_reserve(here: Furnished) -> None:
    text = """\
apiVersion: allotment/v1
kind: Site
pools:
  - {code: sim, name: 模拟, zone: gov-public, driver: simulated, mlps-max: 3, reserve: {survive: rack, count: 2}}
"""
    done = site.apply_import(here.platform, text.encode(), here.caller())
    (change,) = (c for c in done.changes if c.kind == "pool")
    assert change.after == {"reserve": {"survive": "rack", "count": 2}}
    with here.platform.db.read() as connection:
        (pool,) = directory.pools(connection)
        assert pool.reserve == Reserve(level=ReserveLevel.RACK, count=2)
        assert len(standby_hosts(connection)) == 2, "three hosts in three racks"


@pytest.fixture
def busy(postgres_url: str, tmp_path: Path) -> Iterator[Furnished]:
    with open_for_test(postgres_url, pool_size=12) as database:
        furnished = furnish(database, tmp_path, host_count=4, cpu_count=64)
        set_reserve(database, ONE_HOST)
        yield furnished


@pytest.mark.postgres
def test_while_hosts_are_taken_and_leave_service_an_empty_one_stands_by(busy: Furnished) -> None:
    """Two tickets each want a host of their own while the stand-by host leaves: of four hosts one is always left empty."""
    database = busy.platform.db
    targets: list[HostId] = []
    leaving: list[HostId] = []

    def reset(_round: int) -> None:
        for host_id in leaving:
            _move(busy, host_id, AdminState.ACTIVE)
        with database.write() as connection:
            hosts.give_back(connection, {(r.provider_id, r.dimension): r.used for r in hosts.inventories(connection) if r.used})
            standby.renew(connection)
            (now,) = standby_hosts(connection)
        leaving[:] = [now]
        targets[:] = [h.id for h in busy.hosts if h.id != now][:2]

    def attempt(_round: int, number: int) -> bool:
        if number == 2:
            _move(busy, leaving[0], AdminState.MAINTENANCE)
            return True
        return not database.run(lambda connection: hosts.try_use(connection, {(str(targets[number]), VCPU): 1}))

    def check_then_reset(round_: int) -> None:
        if round_:
            with database.read() as connection:
                assert [s.uncovered for s in standby.states(connection)] == [()], f"round {round_}"
        reset(round_)

    result = race(attempt, contenders=3, rounds=100, between=check_then_reset, threads=3)
    assert min(result.wins) >= 2
    assert max(result.wins) == 3
    with database.read() as connection:
        assert [s.uncovered for s in standby.states(connection)] == [()]


def test_plans_of_moves_know_the_rack_that_stands_by(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        for number, host in enumerate(hosts.hosts(connection)):
            hosts.save_host(connection, replace(host, rack=f"r{number}"))
        cluster = load_cluster(connection, Rules(now_s=here.platform.clock()))
    closed = [
        h for h, bits in zip(cluster.host_ids, cluster.reserve_bits, strict=True) if not bits & NO_STANDBY_BITS[SpreadLevel.RACK]
    ]
    assert closed == [_standby(here)]


def test_the_host_that_stands_by_is_not_beside_a_mate_and_what_that_leaves_uncovered_is_said(
    database: Database, tmp_path: Path
) -> None:
    here = furnish(database, tmp_path, host_count=4, cpu_count=4, scope="fabric")
    with database.write() as connection:
        for number, host in enumerate(sorted(hosts.hosts(connection), key=lambda h: h.name)):
            hosts.save_host(connection, replace(host, rack=f"r{number}"))
    tickets.submit(here.platform, ticket_text("portal", count=2, more=", spread: rack"), here.caller())
    with database.write() as connection:
        taken = {r.host_id for r in resources.machines(connection) if r.kind is ResourceKind.INSTANCE}
        every = sorted(hosts.hosts(connection), key=lambda h: h.name)
        beside, apart = (h for h in every if h.id not in taken)
        mate, other = (h for h in every if h.id in taken)
        hosts.save_host(connection, replace(beside, rack=mate.rack))
    set_reserve(database, ONE_HOST)
    assert _standby(here) == apart.id
    _assert_whole(here)
    _move(here, apart.id, AdminState.MAINTENANCE)
    with database.read() as connection:
        (state,) = standby.states(connection)
        assert (state.standby, state.is_kept) == ((beside.name,), True)
        # The host being looked after is empty; the mate's own rack has room for it, and not for the other one.
        assert state.uncovered == (other.name,)
    _move(here, apart.id, AdminState.ACTIVE)
    with database.write() as connection:
        standby.renew(connection)
    assert _standby(here) == apart.id
    _assert_whole(here)
