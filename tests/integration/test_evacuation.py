"""A lost host whose machines' disks outlive it: they are brought back on others, never made anew, and paid for once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.tickets import store
from controller.workflows import hosts as host_work
from controller.workflows import loss
from controller.workflows.capacity.failure import what_if_hosts_fail
from drivers.faults import DriverFault, Permanent
from drivers.simulated.faults import LostReply, Script, Site
from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import hosts, journal, resources, systems
from inventory.store.engine import Database
from metering.intervals import intervals
from quotas import store as quota_store
from tests.support.platform import Furnished
from tests.support.reconciling import Running, running_controller
from tests.support.samples import release_text, ticket_text

SCOPE = "north"
SETTINGS = ReconcileSettings(observe_s=0.2, probe_s=0.1, looks_s=0.05)
NETWORK = ", networks: [data]"
T = TypeVar("T")


@dataclass(frozen=True)
class Refused:
    """A call does nothing and answers with a fault."""

    fault: DriverFault

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Refuse."""
        raise self.fault


NOT_NOW = Refused(Permanent("driver.storage_full", storage_pool="default", available_mib=0))


@dataclass
class Town:
    """Three hosts with one storage, and a system whose machines run on one of them."""

    running: Running
    here: Furnished
    lost: Host

    def machines(self) -> list[Resource]:
        """Return the machines of the system."""
        return self._parts(ResourceKind.INSTANCE)

    def _parts(self, kind: ResourceKind) -> list[Resource]:
        with self.here.platform.db.read() as connection:
            found = resources.of_system(connection, systems.get(connection, "portal", PLATFORM).id)
        return [r for r in found if r.kind is kind]

    def is_settled(self) -> bool:
        """Tell whether all of it is as it is wanted."""
        parts = [*self.machines(), *self._parts(ResourceKind.VOLUME)]
        return all(r.phase is Phase.SETTLED and r.lost_host_id is None for r in parts)

    def all_run(self) -> bool:
        """Tell whether the machines run."""
        return self.is_settled() and {m.observed for m in self.machines()} == {Observed.RUNNING}

    def fail(self) -> None:
        """Let the host with the machines fail, and see it fail."""
        self.running.world.cut(self.lost.name)
        assert self.running.wait_for(self._is_cut)
        first = self.here.caller(Role.OPERATOR, name="李四")
        host_work.set_state(self.here.platform, self.lost.id, AdminState.CORDONED, first, reason="断电")

    def _is_cut(self) -> bool:
        with self.here.platform.db.read() as connection:
            return hosts.host(connection, self.lost.id).reachability is Reachability.UNREACHABLE

    def lose(self) -> list[str]:
        """Have the second person give it up; returns where its machines go."""
        second = self.here.caller(Role.OPERATOR, name="王五")
        fates = loss.declare_lost(self.here.platform, self.lost.name, second, confirm=self.lost.name, reason="烧毁")
        self.running.reconciler.wake()
        return [fate.to_host for fate in fates]

    def where(self) -> dict[str, list[str]]:
        """Return which hosts of the world have each machine and disk."""
        ids = [r.id for r in (*self.machines(), *self._parts(ResourceKind.VOLUME))]
        return {i: self.running.world.hosts_with(i) for i in ids}

    def check(self) -> None:
        """Check every counter."""
        with self.here.platform.db.read(is_steady=True) as connection:
            assert hosts.recount_used(connection) == []
            assert quota_store.recount(connection) == []
            assert audit_invariants(connection, {}) == []


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Iterator[Town]:
    with running_controller(database, tmp_path, settings=SETTINGS, host_count=3, scope=SCOPE, disks=SCOPE) as running:
        here = replace(running.furnished, platform=running.platform)
        running.submit(ticket_text("portal", count=2, more=NETWORK))
        first = Town(running, here, here.hosts[0])
        assert running.wait_for(first.all_run)
        (lost_id,) = {m.host_id for m in first.machines()}
        found = replace(first, lost=next(h for h in here.hosts if h.id == lost_id))
        yield found
        found.check()


def test_machines_are_brought_back_with_disks_and_addresses_and_nothing_is_left_when_the_host_returns(town: Town) -> None:
    before = {m.id: m for m in town.machines()}
    volumes = {i for i in town.where() if i not in before}
    town.fail()
    [to_host, *_] = town.lose()
    assert to_host
    assert town.running.wait_for(lambda: town.all_run() and town.lost.id not in {m.host_id for m in town.machines()})
    after = {m.id: m for m in town.machines()}
    assert {i: m.instance.nics for i, m in after.items()} == {i: m.instance.nics for i, m in before.items()}
    assert len(volumes) == 2
    town.running.world.heal(town.lost.name)
    names = {h.id: h.name for h in town.here.hosts}
    assert town.running.wait_for(lambda: _reachable(town))
    assert {i: found for i, found in town.where().items() if i in after} == {
        i: [names[HostId(str(m.host_id))]] for i, m in after.items()
    }
    assert all(found and town.lost.name not in found for found in town.where().values())
    _is_billed_once(town)
    with town.here.platform.db.read() as connection:
        told = [e.code for e in store.events(connection, str(after[next(iter(after))].ticket_id))]
    assert told.count("step.host_lost_kept") == 2
    assert "step.host_lost" not in told
    assert told.count("step.evacuate") == 2


def test_whose_root_disk_is_the_hosts_own_is_brought_back_and_told_that_it_is_made_anew(town: Town) -> None:
    with town.here.platform.db.write() as connection:
        for pool in hosts.storage_pools(connection, town.lost.id):
            hosts.save_storage_pool(connection, replace(pool, roots_only=True))
    town.fail()
    assert town.lose()[0]
    assert town.running.wait_for(lambda: town.all_run() and town.lost.id not in {m.host_id for m in town.machines()})
    with town.here.platform.db.read() as connection:
        told = [e.code for e in store.events(connection, str(town.machines()[0].ticket_id))]
    assert told.count("step.host_lost_root") == 2
    assert not {"step.host_lost", "step.host_lost_kept"} & set(told)


def _reachable(town: Town) -> bool:
    with town.here.platform.db.read() as connection:
        return hosts.host(connection, town.lost.id).reachability is Reachability.REACHABLE


def _is_billed_once(town: Town) -> None:
    """What is lost is not paid for, what runs again is, and no two intervals of a machine lie over each other."""
    for machine in town.machines():
        with town.here.platform.db.read() as connection:
            rows = journal.of_resource(connection, machine.id)
        assert [state for state, _ in groupby(r.state for r in rows)] == ["allocated", "running", "lost", "running"]
        assert rows[-1].host_id == machine.host_id
        found = sorted({(i.start_s, i.end_s) for i in intervals(rows, 0, int(town.here.platform.clock()))})
        assert all(a[1] <= b[0] for a, b in pairwise(found)), found


def test_a_host_that_returns_before_its_machines_were_brought_back_keeps_nothing_and_loses_nothing(town: Town) -> None:
    town.running.world.faults = Script().on("ensure_evacuated", fault=NOT_NOW, times=6)
    town.fail()
    town.lose()
    town.running.world.heal(town.lost.name)
    assert town.running.wait_for(lambda: _reachable(town))
    assert town.running.wait_for(lambda: any(m.problem is not None for m in town.machines()))
    # Seen on a host that it does not live on any more, and not taken for something left over.
    assert all(town.where().values())
    town.running.world.faults = None
    assert town.running.wait_for(lambda: town.all_run() and town.lost.id not in {m.host_id for m in town.machines()}, 90)
    assert all(town.lost.name not in found for found in town.where().values())


def test_a_lost_answer_brings_a_machine_back_once(town: Town) -> None:
    town.running.world.faults = Script().on("ensure_evacuated", fault=LostReply(), times=2)
    town.fail()
    town.lose()
    assert town.running.wait_for(lambda: town.all_run() and town.lost.id not in {m.host_id for m in town.machines()}, 60)
    assert {len(found) for found in town.where().values()} == {1}
    _is_billed_once(town)


def test_a_host_that_takes_nothing_is_passed_over_with_its_reason(town: Town) -> None:
    town.fail()
    refused = Permanent("driver.evacuation_failed", machine="portal", target="x", reason="No valid host was found.")
    town.running.world.faults = Script().on("ensure_evacuated", fault=Refused(refused), times=2)
    first = set(town.lose())
    assert town.running.wait_for(lambda: town.all_run() and town.lost.id not in {m.host_id for m in town.machines()}, 60)
    names = {h.id: h.name for h in town.here.hosts}
    assert {names[m.host_id] for m in town.machines() if m.host_id} - first, "nobody was placed elsewhere"
    with town.here.platform.db.read() as connection:
        events = store.events(connection, str(town.machines()[0].ticket_id))
    troubles = [e.params["problem"] for e in events if e.code == "step.trouble"]
    assert {t["params"]["reason"] for t in troubles if t["code"] == "driver.evacuation_failed"} == {"No valid host was found."}
    _is_billed_once(town)


def test_a_system_released_meanwhile_leaves_nothing_anywhere(town: Town) -> None:
    town.running.world.faults = Script().on("ensure_evacuated", fault=NOT_NOW, times=50)
    ids = [ResourceId(i) for i in town.where()]
    town.fail()
    town.lose()
    town.running.submit(release_text("portal"))
    assert town.running.wait_for(lambda: not any(town.running.world.hosts_with(i) for i in ids), 60)
    town.running.world.heal(town.lost.name)


def test_machines_go_only_where_their_disks_are(town: Town) -> None:
    for host in town.here.hosts:
        if host.id != town.lost.id:
            assert host.facts is not None
            with town.here.platform.db.write() as connection:
                other = replace(host, facts=replace(host.facts, disk_scope="south"), revision=host.revision)
                hosts.save_host(connection, other)
    with town.here.platform.db.read() as connection:
        foretold = what_if_hosts_fail(connection, town.here.platform, [town.lost.name])
    assert [fate.to_host for fate in foretold.machines] == ["", ""]
    town.fail()
    assert town.lose() == ["", ""]
    assert {m.host_id for m in town.machines()} == {town.lost.id}
    assert {m.desired for m in town.machines()} == {Desired.RUNNING}
