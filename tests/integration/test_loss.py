"""A lost host: its machines are made anew on what stood by for it, nothing is promised or running twice. On both engines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.scheduling.snapshot import Snapshot
from controller.tickets import store
from controller.workflows import hosts as host_work
from controller.workflows import loss, tickets
from controller.workflows.long_form import retold
from controller.workflows.picture import Picture
from controller.workflows.place import load_snapshot
from controller.workflows.platform import Platform
from controller.workflows.swap import relocate
from controller.workflows.turns import Turns
from inventory.domain.errors import Conflict, Forbidden, Invalid
from inventory.domain.host import AdminState, Host, Reachability, Reserve, ReserveLevel
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.resources import VCPU
from inventory.domain.scope import PLATFORM
from inventory.store import claims, hosts, journal, resources, standby, systems
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.platform import Furnished, furnish
from tests.support.reconciling import running_controller
from tests.support.reserves import set_reserve
from tests.support.samples import ticket_text

CPUS = 4


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    furnished = furnish(database, tmp_path, host_count=3, cpu_count=CPUS, segment_prefix=24)
    set_reserve(database, Reserve(level=ReserveLevel.HOST))
    return furnished


def _machines(here: Furnished, name: str) -> list[Resource]:
    with here.platform.db.read() as connection:
        found = resources.of_system(connection, systems.get(connection, name, PLATFORM).id)
    return [r for r in found if r.kind is ResourceKind.INSTANCE]


def _full(here: Furnished) -> Host:
    """Fill the two hosts that do not stand by; return the one that is to be lost."""
    for name in ("portal", "mail"):
        tickets.submit(here.platform, ticket_text(name, count=CPUS), here.caller())
    (lost,) = {m.host_id for m in _machines(here, "portal")}
    return next(h for h in here.hosts if h.id == lost)


def _cut(here: Furnished, host: Host) -> None:
    """What is seen of a host that is off, and what the first person does about it."""
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, host.id, Reachability.UNREACHABLE, here.clock())
        standby.renew(connection, [host.pool_id])
    first = here.caller(Role.OPERATOR, name="李四")
    host_work.set_state(here.platform, host.id, AdminState.CORDONED, first, reason="断电")


def _lose(here: Furnished, host: Host) -> list[str]:
    second = here.caller(Role.OPERATOR, name="王五")
    found = loss.declare_lost(here.platform, host.name, second, confirm=host.name, reason="烧毁")
    return [fate.to_host for fate in found]


def _all_is_counted(here: Furnished) -> None:
    with here.platform.db.read(is_steady=True) as connection:
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        assert audit_invariants(connection, {}) == []


def _held(here: Furnished) -> set[HostId]:
    with here.platform.db.read() as connection:
        return {r.host_id for r in hosts.inventories(connection) if r.held_reserve}


def test_a_full_pool_loses_a_host_and_its_machines_go_to_the_one_that_stood_by(here: Furnished) -> None:
    lost = _full(here)
    (standing,) = _held(here)
    before = _machines(here, "portal")
    with here.platform.db.read() as connection:
        quota = quota_store.levels(connection)
        claimed = claims.of_resources(connection, [m.id for m in before])
    _cut(here, lost)
    assert _lose(here, lost) == [next(h.name for h in here.hosts if h.id == standing)] * CPUS
    after = _machines(here, "portal")
    assert {(m.host_id, m.phase, m.observed, m.settled_generation) for m in after} == {
        (standing, Phase.PENDING, Observed.UNKNOWN, 0)
    }
    assert all(new.fence > old.fence for new, old in zip(after, before, strict=True))
    with here.platform.db.read() as connection:
        assert quota_store.levels(connection) == quota
        now = claims.of_resources(connection, [m.id for m in after])
        assert sorted((c.dimension, c.amount) for c in now) == sorted((c.dimension, c.amount) for c in claimed)
        last = journal.last_of(connection, after[0].id)
        assert (last.state, last.host_id) == ("allocated", standing)
        story = store.events(connection, str(after[0].ticket_id))
        assert [e.code for e in story].count("step.host_lost") == CPUS
        [event] = [e for e in audit.page(connection, PLATFORM, limit=100) if e["action"] == "host.lose"]
        assert (event["actor"], event["target"], event["result"]) == ("王五", lost.id, "ok")
        assert event["detail"] == {"reason": "烧毁", "machines": CPUS, "placed": CPUS}
        # Used up: nobody can stand by now, and that is said.
        assert [bool(s.uncovered) for s in standby.states(connection)] == [True]
    _all_is_counted(here)


def test_nobody_else_is_given_what_stands_by_in_the_same_moment(here: Furnished) -> None:
    lost = _full(here)
    _cut(here, lost)
    _lose(here, lost)
    with pytest.raises(Exception, match="no_host_fits"):
        tickets.submit(here.platform, ticket_text("late"), here.caller())
    _all_is_counted(here)


def test_with_room_elsewhere_another_host_stands_by_afterwards(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal", count=2), here.caller())
    (lost_id,) = {m.host_id for m in _machines(here, "portal")}
    lost = next(h for h in here.hosts if h.id == lost_id)
    _cut(here, lost)
    _lose(here, lost)
    assert len(_held(here)) == 1
    assert not _held(here) & {m.host_id for m in _machines(here, "portal")}
    _all_is_counted(here)


def test_who_finds_no_place_stays_and_is_placed_when_there_is_room(here: Furnished) -> None:
    set_reserve(here.platform.db, Reserve())
    for name in ("portal", "mail", "maps"):
        tickets.submit(here.platform, ticket_text(name, count=CPUS), here.caller())
    (lost_id,) = {m.host_id for m in _machines(here, "portal")}
    lost = next(h for h in here.hosts if h.id == lost_id)
    _cut(here, lost)
    assert _lose(here, lost) == [""] * CPUS
    assert {m.host_id for m in _machines(here, "portal")} == {lost.id}
    _all_is_counted(here)
    with here.platform.db.write() as connection:
        for machine in _machines(here, "mail"):
            claims.release(connection, machine.id, *(d.volume_id for d in machine.instance.disks))
    found = loss.declare_lost(here.platform, lost.id, here.caller(Role.OPERATOR, name="王五"), confirm=lost.name, reason="")
    assert {fate.to_host for fate in found} == {next(h.name for h in here.hosts if h.id == _machines(here, "mail")[0].host_id)}


def test_its_explanation_is_told_in_its_long_form_too(here: Furnished) -> None:
    lost = _full(here)
    _cut(here, lost)
    _lose(here, lost)
    machine = _machines(here, "portal")[0]
    with here.platform.db.read() as connection:
        explanation = store.explanation_of(connection, PLATFORM, machine)
    assert explanation["body"]["winner"]["host"] == next(h.name for h in here.hosts if h.id == machine.host_id)
    assert retold(here.platform, explanation["id"], here.caller(Role.OPERATOR)).mismatches == ()


def _reads(patch: pytest.MonkeyPatch) -> list[object]:
    """Count how often everything that is free is read."""
    seen: list[object] = []

    def read(*args: Any, **more: Any) -> Snapshot:
        seen.append(more)
        return load_snapshot(*args, **more)

    patch.setattr(loss, "load_snapshot", read)
    return seen


def test_what_is_free_is_read_once_for_all_systems_and_each_explanation_is_of_what_the_ones_before_left(
    here: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("portal", "mail", "maps")
    for name in names:
        tickets.submit(here.platform, ticket_text(name), here.caller())
    (lost_id,) = {m.host_id for name in names for m in _machines(here, name)}
    lost = next(h for h in here.hosts if h.id == lost_id)
    _cut(here, lost)
    reads = _reads(monkeypatch)
    assert all(_lose(here, lost))
    assert len(reads) == 1
    free = []
    for name in names:
        [machine] = _machines(here, name)
        with here.platform.db.read() as connection:
            explanation = store.explanation_of(connection, PLATFORM, machine)
        told = retold(here.platform, explanation["id"], here.caller(Role.OPERATOR))
        assert told.mismatches == ()
        free.append(told.stored["body"]["winner"]["score"])
    assert len(set(free)) == len(names), "each of them found another state"
    _all_is_counted(here)


def test_machines_whose_host_was_filled_meanwhile_are_given_another(here: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
    set_reserve(here.platform.db, Reserve())
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    [machine] = _machines(here, "portal")
    lost = next(h for h in here.hosts if h.id == machine.host_id)
    _cut(here, lost)
    reads, filled = _reads(monkeypatch), list[HostId]()

    def filled_first(connection: Connection, platform: Platform, wholes: Any, places: Any) -> Any:
        if not filled:
            filled.append(places[0].host_id)
            assert hosts.try_use(connection, {(places[0].host_id, VCPU): CPUS}) == []
        return relocate(connection, platform, wholes, places)

    monkeypatch.setattr(loss, "relocate", filled_first)
    [to_host] = _lose(here, lost)
    assert {h.id for h in here.hosts if h.name == to_host} == {h.id for h in here.hosts} - {lost.id, *filled}
    assert len(reads) == 2


def test_it_takes_two_people_a_typed_name_and_a_host_that_is_silent(here: Furnished) -> None:
    lost = _full(here)
    first, second = (here.caller(Role.OPERATOR, name=name) for name in ("李四", "王五"))
    with pytest.raises(Conflict, match=r"host\.in_service"):
        loss.declare_lost(here.platform, lost.id, second, confirm=lost.name, reason="")
    host_work.set_state(here.platform, lost.id, AdminState.CORDONED, first, reason="")
    with pytest.raises(Conflict, match=r"host\.still_answers"):
        loss.declare_lost(here.platform, lost.id, second, confirm=lost.name, reason="")
    with here.platform.db.write() as connection:
        hosts.set_reachability(connection, lost.id, Reachability.UNREACHABLE, here.clock())
    with pytest.raises(Forbidden, match=r"host\.own_loss"):
        loss.declare_lost(here.platform, lost.id, first, confirm=lost.name, reason="")
    with pytest.raises(Invalid, match=r"host\.loss_confirmation_missing"):
        loss.declare_lost(here.platform, lost.id, second, confirm="other", reason="")
    assert {m.host_id for m in _machines(here, "portal")} == {lost.id}


def _assert_lost_in_the_books(here: Furnished, ids: list[ResourceId], host_id: HostId) -> None:
    """From then on nothing of it is charged, and the moment says how much earlier it may have been."""
    with here.platform.db.read() as connection:
        for id_ in ids:
            before, lost = [r for r in journal.of_resource(connection, id_) if r.state in ("running", "lost")][:2]
            assert (before.state, lost.state, lost.host_id, lost.amounts) == ("running", "lost", host_id, before.amounts)
            assert lost.uncertain_s <= lost.occurred_at_s - before.occurred_at_s


def test_machines_run_elsewhere_and_what_a_host_that_comes_back_still_has_is_removed(database: Database, tmp_path: Path) -> None:
    settings = ReconcileSettings(observe_s=0.2, probe_s=0.1, looks_s=0.05)
    with running_controller(database, tmp_path, settings=settings, host_count=2) as running:
        here = replace(running.furnished, platform=running.platform)
        running.submit(ticket_text("portal", count=2))

        def run(count: int) -> bool:
            found = _machines(here, "portal")
            return [m.observed for m in found].count(Observed.RUNNING) == count and all(m.phase is Phase.SETTLED for m in found)

        assert running.wait_for(lambda: run(2))
        ids = [m.id for m in _machines(here, "portal")]
        (lost_id,) = {m.host_id for m in _machines(here, "portal")}
        lost = next(h for h in here.hosts if h.id == lost_id)
        other = next(h for h in here.hosts if h.id != lost_id)
        running.world.cut(lost.name)
        disks = [d.volume_id for m in _machines(here, "portal") for d in m.instance.disks]

        def is_cut() -> bool:
            with here.platform.db.read() as connection:
                return hosts.host(connection, lost.id).reachability is Reachability.UNREACHABLE

        assert running.wait_for(is_cut)
        host_work.set_state(here.platform, lost.id, AdminState.CORDONED, here.caller(Role.OPERATOR, name="李四"), reason="断电")
        assert _lose(here, lost) == [other.name] * 2
        _assert_lost_in_the_books(here, [*ids, *disks], other.id)
        running.reconciler.wake()
        assert running.wait_for(lambda: run(2) and {m.host_id for m in _machines(here, "portal")} == {other.id})
        assert all(m.desired is Desired.RUNNING for m in _machines(here, "portal"))
        running.world.heal(lost.name)
        assert running.wait_for(lambda: all(running.world.hosts_with(i) == [other.name] for i in ids))
        assert run(2)
    _all_is_counted(here)


@pytest.mark.postgres
def test_a_ticket_that_takes_the_block_first_has_the_loss_decided_again(postgres_database: Database, tmp_path: Path) -> None:
    here = furnish(postgres_database, tmp_path, host_count=3, cpu_count=CPUS, segment_prefix=24)
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    [machine] = _machines(here, "portal")
    host = next(h for h in here.hosts if h.id == machine.host_id)
    _cut(here, host)
    other = replace(here.platform, turns=Turns(), picture=Picture())
    taken: list[str] = []

    def faster(kind: str) -> str:
        """Have another controller make a network while this one is about to."""
        if kind == "segment" and not taken:
            taken.append(kind)
            tickets.submit(other, ticket_text("mail", more=", networks: [data]"), here.caller())
        return here.platform.new_id(kind)

    second = here.caller(Role.OPERATOR, name="王五")
    meddled = replace(here.platform, new_id=faster)
    [fate] = loss.declare_lost(meddled, host.name, second, confirm=host.name, reason="烧毁")
    assert taken
    assert fate.to_host
    _all_is_counted(here)
