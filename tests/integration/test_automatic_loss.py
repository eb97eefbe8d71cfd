"""Hosts given up without a person's word: only where the pool says so, only once they are known to be off."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from controller.identity import audit
from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.counters import ReconcileCounters
from controller.reconcile.lost_hosts import BELIEVED_FOR_S, REST_S, TRIES_MAX, LostHosts
from controller.reconcile.settings import ReconcileSettings
from controller.workflows import hosts as host_work
from controller.workflows import loss, tickets
from drivers.faults import Transient
from inventory.domain.host import AdminState, Host, LossPolicy, Reachability
from inventory.domain.ids import HostId
from inventory.domain.resource import Observed, Phase, Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import directory, findings, hosts, resources, systems
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish
from tests.support.reconciling import running_controller
from tests.support.samples import ticket_text

AFTER_S = 600


@dataclass
class Means:
    """Fencing that is told what to answer, and what is done at that moment."""

    is_broken: bool = False
    fenced: list[str] = field(default_factory=list)
    then: Callable[[Host], None] = lambda _: None

    def has_means(self, _pool: str) -> bool:
        return True

    def power_off(self, _pool: str, host: Host) -> None:
        self.fenced.append(host.name)
        if self.is_broken:
            raise Transient("fencing.failed", host=host.name, reason="no answer")
        self.then(host)


@dataclass
class Keeper:
    """A platform whose pool gives up one silent host at a time, and the part of a controller that does it."""

    here: Furnished
    means: Means
    counters: ReconcileCounters = field(default_factory=ReconcileCounters)
    #: What runs beside the loop, not yet done.
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.here = replace(self.here, platform=replace(self.here.platform, fencing=self.means))
        self.lost_hosts = self.controller()
        self.set_policy(LossPolicy(after_s=AFTER_S))

    def controller(self) -> LostHosts:
        """Return the part of a controller that knows nothing yet."""
        return LostHosts(
            self.here.platform, self.counters, period_s=1.0, monotonic=lambda: self.here.clock.now_s, aside=self.waiting.append
        )

    def set_policy(self, policy: LossPolicy) -> None:
        with self.here.platform.db.write() as connection:
            (pool,) = directory.pools(connection)
            directory.save_pool(connection, replace(pool, loss=policy))

    def pass_(self, seconds: float, *, answers: bool = True) -> None:
        """Let time pass, then what is due be done; ``answers``: means answer at once."""
        self.here.clock.now_s += seconds
        self.lost_hosts.run()
        while answers and self.waiting:
            self.waiting.pop(0)()
            self.lost_hosts.run()

    def see(self, host: Host, seen: Reachability) -> None:
        with self.here.platform.db.write() as connection:
            hosts.set_reachability(connection, host.id, seen, self.here.clock())

    def host(self, host_id: HostId) -> Host:
        with self.here.platform.db.read() as connection:
            return hosts.host(connection, host_id)

    def machines(self, name: str) -> list[Resource]:
        with self.here.platform.db.read() as connection:
            found = resources.of_system(connection, systems.get(connection, name, PLATFORM).id)
        return [r for r in found if r.kind is ResourceKind.INSTANCE]

    def used(self, name: str = "portal") -> Host:
        """Allot a system and return its host."""
        tickets.submit(self.here.platform, ticket_text(name, count=2), self.here.caller())
        (host_id,) = {m.host_id for m in self.machines(name)}
        assert host_id is not None
        return self.host(host_id)

    def events(self) -> list[Mapping[str, Any]]:
        with self.here.platform.db.read() as connection:
            return [e for e in audit.page(connection, PLATFORM, limit=100) if e["actor"] == "allot"]

    def told(self) -> list[tuple[str, str]]:
        with self.here.platform.db.read() as connection:
            found = findings.page_by_id(connection, limit=100, kind=findings.HOST_LOST)
        return [(f["detail"]["what"], f["state"]) for f in found]


@pytest.fixture
def keeper(database: Database, tmp_path: Path) -> Keeper:
    return Keeper(furnish(database, tmp_path, host_count=3, segment_prefix=24), Means())


def test_a_host_that_is_silent_for_long_is_fenced_and_then_its_machines_are_placed_elsewhere(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S - 1)
    assert (keeper.means.fenced, keeper.host(lost.id).admin_state) == ([], AdminState.ACTIVE)
    keeper.means.then = lambda host: _assert_stays(keeper, host)
    keeper.pass_(1)
    assert keeper.means.fenced == [lost.name]
    assert lost.id not in {m.host_id for m in keeper.machines("portal")}
    after = keeper.host(lost.id)
    assert (after.admin_state, after.state_by) == (AdminState.MAINTENANCE, "allot")
    assert [e["action"] for e in keeper.events()] == ["host.begin_loss", "host.lose"]
    assert keeper.told() == [("host_lost", "open")]
    assert (keeper.counters.hosts_lost, keeper.counters.fencings) == (1, {"confirmed": 1})
    with keeper.here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
        assert hosts.recount_used(connection) == []
    # Done once; a person who takes the host into his hands ends the story.
    keeper.pass_(10 * AFTER_S)
    assert keeper.means.fenced == [lost.name]
    host_work.set_state(keeper.here.platform, lost.id, AdminState.CORDONED, keeper.here.caller(Role.OPERATOR), reason="修复")
    keeper.pass_(10)
    assert keeper.told() == [("host_lost", "closed")]


def _assert_stays(keeper: Keeper, host: Host) -> None:
    assert {m.host_id for m in keeper.machines("portal")} == {host.id}, "placed elsewhere before it was off"
    assert keeper.told() == [("fencing", "open")]


def test_nothing_is_given_up_where_the_pool_does_not_say_so(keeper: Keeper) -> None:
    keeper.set_policy(LossPolicy())
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(100 * AFTER_S)
    assert (keeper.means.fenced, keeper.host(lost.id).admin_state) == ([], AdminState.ACTIVE)


def test_a_host_that_was_not_seen_to_be_off_keeps_its_machines(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.means.is_broken = True
    keeper.see(lost, Reachability.UNREACHABLE)
    for _ in range(TRIES_MAX + 5):
        keeper.pass_(AFTER_S)
    assert keeper.means.fenced == [lost.name] * TRIES_MAX, "bounded"
    assert {m.host_id for m in keeper.machines("portal")} == {lost.id}
    assert keeper.host(lost.id).admin_state is AdminState.CORDONED
    assert keeper.told() == [("not_fenced", "open")]
    assert {e["detail"]["code"] for e in keeper.events() if e["action"] == "host.fence"} == {"fencing.failed"}
    # Two people may still say that it is off; the controller is nobody of them.
    found = loss.declare_lost(keeper.here.platform, lost.id, keeper.here.caller(Role.OPERATOR), confirm=lost.name, reason="烧毁")
    assert all(fate.to_host for fate in found)


def test_a_host_that_answers_again_before_it_was_fenced_is_left_alone(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    keeper.see(lost, Reachability.REACHABLE)
    keeper.pass_(1)
    assert {m.host_id for m in keeper.machines("portal")} == {lost.id}
    assert keeper.counters.hosts_lost == 0


def test_a_person_who_decides_otherwise_meanwhile_ends_it(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    host_work.set_state(keeper.here.platform, lost.id, AdminState.MAINTENANCE, keeper.here.caller(Role.OPERATOR), reason="在修")
    keeper.pass_(1)
    keeper.pass_(AFTER_S)
    assert {m.host_id for m in keeper.machines("portal")} == {lost.id}
    assert keeper.means.fenced == [lost.name]
    assert keeper.told() == [("fencing", "closed")]


def test_two_that_were_begun_one_after_the_other_are_not_given_up_while_both_are_silent(keeper: Keeper) -> None:
    first = keeper.used()
    second = next(h for h in keeper.here.hosts if h.id != first.id)
    keeper.see(first, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    keeper.see(first, Reachability.REACHABLE)
    keeper.see(second, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    assert len(keeper.waiting) == 2
    keeper.see(first, Reachability.UNREACHABLE)
    keeper.pass_(1)
    assert {keeper.host(h.id).admin_state for h in (first, second)} == {AdminState.CORDONED}
    assert {m.host_id for m in keeper.machines("portal")} == {first.id}
    # The network is mended for one of them: the other one is what is left.
    keeper.see(second, Reachability.REACHABLE)
    keeper.pass_(REST_S)
    assert keeper.host(first.id).admin_state is AdminState.MAINTENANCE
    assert first.id not in {m.host_id for m in keeper.machines("portal")}


def test_a_pool_that_says_so_no_longer_ends_it_at_any_moment(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    keeper.set_policy(LossPolicy())
    keeper.pass_(1)
    assert {m.host_id for m in keeper.machines("portal")} == {lost.id}
    assert keeper.counters.hosts_lost == 0


def test_where_many_are_silent_at_once_none_is_given_up(keeper: Keeper) -> None:
    lost = keeper.used()
    for host in keeper.here.hosts[:2]:
        keeper.see(host, Reachability.UNREACHABLE)
    keeper.pass_(10 * AFTER_S)
    assert (keeper.means.fenced, keeper.counters.loss_held_back) == ([], 1)
    assert {keeper.host(h.id).admin_state for h in keeper.here.hosts} == {AdminState.ACTIVE}
    for host in keeper.here.hosts:
        keeper.see(host, Reachability.UNREACHABLE if host.id == lost.id else Reachability.REACHABLE)
    keeper.pass_(AFTER_S)
    assert (keeper.means.fenced, keeper.counters.loss_held_back) == ([lost.name], 0)


def test_another_controller_goes_on_where_one_was_killed(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    # Killed before and after the means answered: nothing of it is remembered but the host's row.
    keeper.waiting.pop()()
    keeper.lost_hosts = keeper.controller()
    keeper.pass_(1)
    assert keeper.means.fenced == [lost.name] * 2
    assert lost.id not in {m.host_id for m in keeper.machines("portal")}
    assert keeper.counters.hosts_lost == 1


def test_what_was_said_long_ago_is_not_believed(keeper: Keeper) -> None:
    lost = keeper.used()
    keeper.see(lost, Reachability.UNREACHABLE)
    keeper.pass_(AFTER_S, answers=False)
    keeper.waiting.pop()()
    keeper.pass_(BELIEVED_FOR_S + 1, answers=False)
    assert {m.host_id for m in keeper.machines("portal")} == {lost.id}
    assert keeper.counters.fencings == {"outdated": 1}
    keeper.pass_(REST_S)
    assert keeper.means.fenced == [lost.name] * 2
    assert keeper.counters.fencings == {"outdated": 1, "confirmed": 1}


class Days:
    """Hosts fall silent and come back, means fail and are slow, controllers die, people repair: by one seed."""

    def __init__(self, keeper: Keeper, seed: int) -> None:
        self.keeper, self.source = keeper, random.Random(seed)
        self.is_on = {host.id: True for host in keeper.here.hosts}
        self.fenced_at: dict[HostId, float] = {}
        keeper.means.then = self._off

    def _off(self, host: Host) -> None:
        self.is_on[host.id], self.fenced_at[host.id] = False, self.keeper.here.clock.now_s

    def something_happens(self) -> None:
        host = self.keeper.host(self.source.choice(self.keeper.here.hosts).id)
        happens = (self._falls_silent, self._falls_silent, self._answers, self._means, self._slow, self._power_on, self._repair)
        self.source.choice(happens)(host)
        self.keeper.pass_(self.source.choice((1.0, 30.0, AFTER_S)), answers=self.source.random() < 0.5)

    def _falls_silent(self, host: Host) -> None:
        self.keeper.see(host, Reachability.UNREACHABLE)

    def _answers(self, host: Host) -> None:
        if self.is_on[host.id]:
            self.keeper.see(host, Reachability.REACHABLE)

    def _means(self, _host: Host) -> None:
        self.keeper.means.is_broken = self.source.random() < 0.5

    def _slow(self, _host: Host) -> None:
        if self.keeper.waiting:
            self.keeper.waiting.pop(0)()

    def _power_on(self, host: Host) -> None:
        """Have somebody power it on, not heard of yet; the rest after fencing is what operators are told to keep."""
        if not self.is_on[host.id] and self.keeper.here.clock.now_s - self.fenced_at[host.id] > BELIEVED_FOR_S:
            self.is_on[host.id] = True

    def _repair(self, host: Host) -> None:
        self.keeper.lost_hosts = self.keeper.controller()
        if host.admin_state is not AdminState.ACTIVE:
            host_work.set_state(self.keeper.here.platform, host.id, AdminState.ACTIVE, self.keeper.here.caller(), reason="修好")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_machines_leave_only_a_host_that_is_off(keeper: Keeper, seed: int) -> None:
    days = Days(keeper, seed)
    keeper.used()
    for _ in range(60):
        before = {m.id: m.host_id for m in keeper.machines("portal")}
        days.something_happens()
        for machine in keeper.machines("portal"):
            was = before[machine.id]
            assert was is not None
            assert machine.host_id == was or not days.is_on[was], "it may run twice"
    with keeper.here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def test_a_real_loop_fences_a_silent_host_and_runs_its_machines_elsewhere_once(database: Database, tmp_path: Path) -> None:
    settings = ReconcileSettings(observe_s=0.2, probe_s=0.1, looks_s=0.05, sync_hosts_s=0.1)
    means = Means()
    with running_controller(database, tmp_path, settings=settings, host_count=2, fencing=means) as running:
        here = replace(running.furnished, platform=running.platform)
        means.then = lambda host: running.world.crash_host(host.name, for_s=3600.0)
        running.submit(ticket_text("portal", count=2))

        def machines() -> list[Resource]:
            with here.platform.db.read() as connection:
                found = resources.of_system(connection, systems.get(connection, "portal", PLATFORM).id)
            return [r for r in found if r.kind is ResourceKind.INSTANCE]

        def run() -> bool:
            return all((m.observed, m.phase) == (Observed.RUNNING, Phase.SETTLED) for m in machines())

        assert running.wait_for(run)
        (lost_id,) = {m.host_id for m in machines()}
        with here.platform.db.write() as connection:
            (pool,) = directory.pools(connection)
            directory.save_pool(connection, replace(pool, loss=LossPolicy(after_s=1)))
            name = hosts.host(connection, str(lost_id)).name
        running.world.cut(name)
        assert running.wait_for(lambda: run() and lost_id not in {m.host_id for m in machines()})
        assert means.fenced == [name]
        assert not any(m.is_running for m in running.world.hosts[name].machines.values())
