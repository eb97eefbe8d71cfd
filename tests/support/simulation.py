"""Deterministic simulation: several real reconcilers on one in-memory state, simulated hosts, a virtual clock, one seed.

Everything random comes from the seed, so a failing seed is replayed by its number. Two modes: *bounded* (faults end, then
everything must come to rest: safety and liveness) and *unbounded* (faults to the end: safety only).
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from controller.reconcile.auditor import Violation, audit_invariants, running_where_promised
from controller.reconcile.jobs import ResourceJob
from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.reconcile.workers import Inline, Job
from controller.tickets import store as tickets
from controller.tickets.model import Action, Ticket, TicketState
from controller.workflows import commit as commit_module
from controller.workflows.deltas import deltas
from controller.workflows.picture import Picture
from controller.workflows.swap import swapper
from drivers.protocol import Capability, HostObservation
from drivers.simulated.faults import FaultRates, SeededFaults, SimulatedCrash
from drivers.simulated.records import HostSpec, ImpossibleState, PoolSpec
from drivers.simulated.world import World, image_is_trusted
from inventory.domain.errors import AllotError, Unavailable
from inventory.domain.host import Host
from inventory.domain.ids import HostId, ResourceId, SystemId, TicketId, seeded_ids
from inventory.domain.placement import MemberPlacement
from inventory.domain.resource import Desired, Phase, Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.domain.system import DiskSpec, System, SystemSpec, SystemState
from inventory.store import directory, hosts, resources, systems
from inventory.store.engine import Database
from tests.support.meddling import edit, not_put_right
from tests.support.platform import NO_CELLS, CellSpec
from tests.support.samples import NOW_S
from tests.support.simulation_stage import (
    CPUS,
    DISK_GIB,
    MEMORY_MIB,
    RATES,
    SETTINGS,
    FaultyDatabase,
    StateFaults,
    Time,
    WatchedDriver,
    spec_of,
    stage,
)

#: Names of drivers' faults that end the life of a controller.
CRASHES = (SimulatedCrash,)


@dataclass(slots=True)
class Outcome:
    """What one seed led to."""

    seed: int
    violations: list[Violation]
    tickets: Mapping[TicketId, str]
    steps: int
    virtual_s: float
    crashes: int
    lost_holds: int
    log: list[str]


class Watched(Inline):
    """Tells the simulation under which fence the next piece acts."""

    def __init__(self, simulation: "Simulation", chooser: random.Random) -> None:
        super().__init__(chooser)
        self._simulation = simulation

    def choose(self) -> Job:
        job = super().choose()
        self._simulation.acting_fence = job.resource.fence if isinstance(job, ResourceJob) else 0
        return job


class Simulation:
    """One seed."""

    #: NUMA cells of its hosts.
    CELLS: ClassVar[CellSpec] = NO_CELLS
    #: The network fabric its hosts share; empty: each has its own.
    SCOPE: ClassVar[str] = ""

    def __init__(
        self,
        seed: int,
        *,
        is_bounded: bool = True,
        rates: FaultRates = RATES,
        controllers: int = 3,
        actions: int = 130,
        settings: ReconcileSettings = SETTINGS,
        without: Capability = Capability.NONE,
        log: bool = False,
    ) -> None:
        self.seed = seed
        self.is_bounded = is_bounded
        self.actions = actions
        self.settings = settings
        self.without = without
        self.chooser = random.Random(seed)
        self.time = Time()
        self.stage = stage(self.CELLS, self.SCOPE)
        self.stage.reset()
        self.new_id = seeded_ids(seed, lambda: int(self.time.now_s))
        self.faults = SeededFaults(seed * 7 + 1, rates)
        self.state_faults = StateFaults(random.Random(seed * 7 + 2))
        self.world = World(
            f"sim-{seed}", clock=self.time.clock, sleep=self.time.pass_, faults=self.faults, verify_image=image_is_trusted
        )
        self.hosts: dict[HostId, Host] = {h.id: h for h in self.stage.furnished.hosts}
        for host in self.hosts.values():
            spec = HostSpec(
                cpu_count=CPUS,
                memory_mib=MEMORY_MIB,
                pools=(PoolSpec(name="default", capacity_gib=DISK_GIB),),
                cells=self.CELLS.count,
                threads=self.CELLS.threads,
                huge_pages=self.CELLS.huge_pages,
                scope=self.SCOPE,
            )
            self.world.add_host(host.name, spec)
        self.platform = replace(
            self.stage.furnished.platform,
            db=FaultyDatabase(self.stage.engine, is_sqlite=True, faults=self.state_faults),
            clock=self.time.clock,
            new_id=self.new_id,
            quarantine_s=30,
            picture=Picture(),
        )
        #: For the people and the auditor: no faults.
        self.state = Database(self.stage.engine, is_sqlite=True)
        self.violations: list[Violation] = []
        self.acting_fence = 0
        #: Highest fence that had an effect, by host, resource and part of it.
        self.effects: dict[tuple[str, str, str], int] = {}
        self.born = 0
        self.crashes = 0
        self.lost_holds = 0
        self.frozen: dict[int, float] = {}
        self.is_logging = log
        self.log: list[str] = []
        #: Machines whose restart was ordered, and how often they had been booted by then.
        self.restarts: dict[ResourceId, tuple[object, int]] = {}
        self.controllers = [self._controller() for _ in range(controllers)]

    # -- controllers --------------------------------------------------------------------------------------------------

    def _controller(self) -> Reconciler:
        self.born += 1
        chooser = random.Random(self.seed * 1009 + self.born)
        return Reconciler(
            self.platform,
            owner=f"controller-{self.born}",
            executor=lambda _: Watched(self, chooser),
            open_driver=lambda host, _: WatchedDriver(self, self.world.hosts[host.name]),
            settings=self.settings,
            swap=swapper(self.platform),
            chooser=chooser,
            monotonic=self.time.monotonic,
        )

    def _crash(self, index: int) -> None:
        """A controller dies with all it knows; another one is started in its place."""
        self.crashes += 1
        dead = self.controllers[index]
        self.lost_holds += dead.counters.holds_lost
        for handle in dead._book.all():
            handle.close()
        self.note(f"crash of {dead.owner}")
        self.controllers[index] = self._controller()

    def _act(self, index: int, what: str) -> bool:
        """Let a controller do one thing; whatever it meets stays its own."""
        controller = self.controllers[index]
        try:
            if what == "tick":
                return controller.tick()
            assert isinstance(controller.executor, Watched)
            return controller.executor.run_one()
        except Unavailable:
            return True
        except CRASHES:
            self._crash(index)
            return True

    def had_effect(self, host: str, verb: str, resource_id: str, fence: int) -> None:
        """Hear of an effect on a host."""
        if verb.endswith("_absent"):
            # Nothing remembers the fence of what is gone.
            for part in ("disk", "itself"):
                self.effects.pop((host, resource_id, part), None)
            return
        # A root disk bears its machine's id and a fence of its own.
        key = (host, resource_id, "disk" if verb == "ensure_volume" else "itself")
        if fence < self.effects.get(key, 0):
            self.violations.append(Violation("stale_effect", f"{verb} of {resource_id} under {fence}, after {self.effects[key]}"))
        else:
            self.effects[key] = fence

    def note(self, text: str) -> None:
        """Keep a line for whoever replays the seed."""
        if self.is_logging:
            self.log.append(f"{self.time.now_s - NOW_S:9.2f} {text}")

    # -- the run ------------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Play the seed and audit it."""
        try:
            self._storm()
            if self.is_bounded:
                self._calm()
            self._audit(is_quiet=self.is_bounded)
        except ImpossibleState as error:
            self.violations.append(Violation("impossible", str(error)))
        except (AssertionError, IntegrityError) as error:
            self.violations.append(Violation("broken", repr(error)[:300]))
        for controller in self.controllers:
            self.lost_holds += controller.counters.holds_lost
        with self.state.read() as connection:
            states = {t.id: t.state.value for t in tickets.page(connection, PLATFORM, limit=50)}
        return Outcome(
            self.seed,
            self.violations,
            states,
            self.actions,
            self.time.now_s - NOW_S,
            self.crashes,
            self.lost_holds,
            self.log,
        )

    def _storm(self) -> None:
        """Faults, people and controllers in an order only the seed knows."""
        early = [self.chooser.randrange(int(self.actions * 0.1)) for _ in range(2)]
        later = [
            self.chooser.randrange(int(self.actions * 0.2), int(self.actions * 0.8)) for _ in range(self.chooser.randint(2, 4))
        ]
        plan = sorted(early + later)
        # Mostly the first systems run before trouble comes to them, sometimes it meets them half made.
        lull = int(self.actions * 0.2) if self.chooser.random() < 0.75 else -1
        for number in range(self.actions):
            if number == lull:
                self._lull()
            while plan and plan[0] <= number:
                plan.pop(0)
                self._people()
            self._one_action()
            if number % 40 == 39:
                self._audit(is_quiet=False)
            elif number % 8 == 7:
                self._glance()

    def _lull(self) -> None:
        """Nothing goes wrong for a while."""
        self.faults.is_active = self.state_faults.is_active = False
        for _ in range(8):
            for index in range(len(self.controllers)):
                self._act(index, "tick")
                while self._act(index, "job"):
                    pass
                self._act(index, "tick")
            self.time.pass_(1.0)
        self.faults.is_active = self.state_faults.is_active = True

    def _one_action(self) -> None:
        point = self.chooser.random()
        index = self.chooser.randrange(len(self.controllers))
        if point < 0.86 and self.frozen.get(index, 0) > self.time.mono_s:
            return
        if point < 0.36:
            self._act(index, "tick")
        elif point < 0.86:
            for _ in range(self.chooser.randint(1, 6)):
                self._act(index, "job")
        elif point < 0.945:
            self.time.pass_(self.chooser.choice((0.1, 0.3, 0.6, 1.5)))
        elif point < 0.957:
            self.time.pass_(self.chooser.uniform(10.0, 20.0))
        elif point < 0.963:
            self.time.jump(self.chooser.uniform(5.0, 60.0))
        elif point < 0.978:
            self.frozen[index] = self.time.mono_s + self.chooser.uniform(5.0, 40.0)
        elif point < 0.986:
            self._crash(index)
        else:
            self._meddle()

    def _calm(self) -> None:
        """No more faults: everything must come to rest in a bounded time."""
        self.faults.is_active = self.state_faults.is_active = False
        self.frozen.clear()
        for host in self.hosts.values():
            self.world.heal(host.name)
        quiet = 0
        for _ in range(260):
            did = False
            for index in range(len(self.controllers)):
                did |= self._act(index, "tick")
                while self._act(index, "job"):
                    did = True
                did |= self._act(index, "tick")
            # Long enough without news for late requests, two observations and an expired hold.
            quiet = 0 if self._is_busy() else quiet + 1
            if quiet * 4.0 > 56.0:
                return
            self.time.pass_(4.0 if not did or quiet else 0.5)

    def _is_busy(self) -> bool:
        with self.state.read() as connection:
            statement = "SELECT 1 FROM resources WHERE next_try_s IS NOT NULL LIMIT 1"
            return connection.exec_driver_sql(statement).first() is not None

    def _observations(self) -> dict[HostId, HostObservation]:
        return {h.id: self.world.hosts[h.name].observe() for h in self.hosts.values()}

    def _glance(self) -> None:
        """Ask often what must not be true even for a moment."""
        with self.state.read() as connection:
            found = list(running_where_promised(connection, self._observations()))
        self.violations += [v for v in found if v not in self.violations]

    def _audit(self, *, is_quiet: bool) -> None:
        seen = self._observations()
        with self.state.read(is_steady=True) as connection:
            found = audit_invariants(connection, seen, is_quiet=is_quiet)
            if is_quiet:
                states = {t.id: t.state for t in tickets.page(connection, PLATFORM, limit=50)}
                open_ = [i for i, s in states.items() if s in (TicketState.ACCEPTED, TicketState.RUNNING)]
                found += [Violation("liveness", f"{i} is {states[i]}") for i in open_]
                found += [*self._systems_tell_the_truth(connection), *self._restarted(connection)]
                machines = [r for host_id in self.hosts for r in resources.of_host(connection, host_id)]
                found += not_put_right(machines, seen)
        self.violations += [v for v in found if v not in self.violations]

    def _systems_tell_the_truth(self, connection: Connection) -> Iterator[Violation]:
        for system in systems.page(connection, PLATFORM, limit=50, with_released=True):
            living = resources.of_system(connection, system.id)
            if system.state in (SystemState.BUILDING, SystemState.RELEASING):
                yield Violation("liveness", f"{system.name} is {system.state}")
            if system.state is SystemState.RELEASED and living:
                yield Violation("system", f"{system.name} is released and {len(living)} live")
            if system.state is SystemState.ACTIVE and any(r.phase is not Phase.SETTLED for r in living):
                yield Violation("system", f"{system.name} is active and not all are settled")

    # -- people -------------------------------------------------------------------------------------------------------

    def _people(self) -> None:
        """Somebody hands in a ticket, or switches a machine."""
        with self.state.read() as connection:
            living = [s for s in systems.page(connection, PLATFORM, limit=50) if s.state is not SystemState.RELEASING]
        point = self.chooser.random()
        with suppress(AllotError, Refused):
            if not living or point < 0.25:
                self._create()
            elif point < 0.65:
                self._release(self.chooser.choice(living))
            elif point < 0.85:
                self._change(self.chooser.choice(living))
            else:
                self._switch(self.chooser.choice(living))

    def _create(self) -> None:
        name = f"system-{self.new_id('system')[-6:]}"
        count = self.chooser.randint(1, 3)
        spec = spec_of(name, count, vcpu=self.chooser.randint(1, 2), disks=self.chooser.randint(0, 1))
        system_id = SystemId(self.new_id("system"))
        self._commit(spec, system_id, None, Action.CREATE)

    def _change(self, system: System) -> None:
        server = system.spec.servers[0]
        wanted = replace(
            server,
            count=max(1, server.count + self.chooser.choice((-1, 0, 1))),
            vcpu_count=self.chooser.randint(1, 3),
            disks=tuple(DiskSpec(name=f"d{i}", size_gib=1) for i in range(self.chooser.randint(0, 2))),
        )
        self._commit(replace(system.spec, servers=(wanted,)), system.id, system, Action.CHANGE)

    def _commit(self, spec: SystemSpec, system_id: SystemId, current: System | None, action: Action) -> None:
        furnished = self.stage.furnished
        now_s = self.time.now_s
        ticket = self._ticket(action, spec.name, system_id)
        server = spec.servers[0]
        self.note(f"{action} {spec.name}: {server.count} × {server.vcpu_count} vCPU, {len(server.disks)} disks")

        def once(connection: Connection) -> None:
            existing = resources.of_system(connection, system_id) if current else []
            found = deltas(existing, spec)
            zone = directory.zones(connection)[0]
            system = System(
                id=system_id,
                name=spec.name,
                department_id=furnished.city.departments["civil-it"].id,
                project_id=furnished.city.projects["P-portal"].id,
                state=SystemState.BUILDING,
                revision=(current.revision if current else 0) + 1,
                spec=spec,
                lease_end_s=int(now_s) + 10**7,
            )
            tickets.insert(connection, [(ticket, b"")])
            order = commit_module.Order(
                ticket_id=ticket.id,
                system=system,
                base_revision=current.revision if current else 0,
                department=furnished.city.departments["civil-it"],
                project=furnished.city.projects["P-portal"],
                zone=zone,
                deltas=found,
                placements=self._place(connection, found),
                images={i.name: i for i in directory.images(connection)},
                now_s=now_s,
            )
            if commit_module.commit(connection, order, self.new_id) is not None:
                raise Refused
            if found.is_empty:
                tickets.move(connection, ticket, TicketState.DONE, now_s=now_s)
            systems.refresh_state(connection, system_id)

        self.state.run(once)

    def _place(self, connection: Connection, found: Any) -> dict[str, MemberPlacement]:
        """Choose any host: the commit refuses what does not fit."""
        pools = {p.host_id: p for p in hosts.storage_pools(connection)}
        placements = {}
        for member in (*found.new, *found.changed):
            is_new = member in found.new
            host = self.chooser.choice(list(self.hosts.values()))
            host_id = host.id if is_new else member.current.host_id
            disks = len(member.server.disks) + 1 if is_new else len(member.new_disks)
            name = member.name if is_new else member.current.name
            placements[name] = MemberPlacement(
                name=name, host_id=host_id, pool_id=host.pool_id, storage_pool_ids=(pools[host_id].id,) * disks
            )
        return placements

    def _ticket(self, action: Action, name: str, system_id: SystemId) -> Ticket:
        city = self.stage.furnished.city
        return Ticket(
            id=TicketId(self.new_id("ticket")),
            action=action,
            state=TicketState.ACCEPTED,
            system_name=name,
            system_id=system_id,
            department_id=city.departments["civil-it"].id,
            project_id=city.projects["P-portal"].id,
            sha256="",
            spec_digest="",
            plan={},
            problem=None,
            created_by="张三",
            created_at_s=self.time.now_s,
            accepted_at_s=self.time.now_s,
        )

    def _release(self, system: System) -> None:
        ticket = self._ticket(Action.RELEASE, system.name, system.id)
        self.note(f"release {system.name}")

        def once(connection: Connection) -> None:
            tickets.insert(connection, [(ticket, b"")])
            released = replace(system, state=SystemState.RELEASING, revision=system.revision + 1)
            systems.replace(connection, released, base_revision=system.revision)
            living = [r.id for r in resources.of_system(connection, system.id)]
            resources.wish(connection, living, desired=Desired.ABSENT, ticket_id=ticket.id, now_s=self.time.now_s)
            systems.refresh_state(connection, system.id)
            if not living:
                tickets.move(connection, ticket, TicketState.DONE, now_s=self.time.now_s)

        self.state.run(once)

    def _switch(self, system: System) -> None:
        def once(connection: Connection) -> None:
            machines = [r for r in resources.of_system(connection, system.id) if _may_switch(r)]
            for machine in machines[:1]:
                if machine.desired is Desired.RUNNING and self.chooser.random() < 0.5:
                    resources.order_reboot(connection, machine.id, self.time.now_s)
                    # Ordered again while it is still to come (or made, and not recorded yet) adds none; and a start that is
                    # not recorded yet is what was asked for.
                    if machine.reboots_wanted == machine.reboots_done and machine.phase is Phase.SETTLED:
                        self.restarts[machine.id] = self._boots(machine)
                    self.note(f"{machine.id} shall be restarted")
                    continue
                wanted = Desired.STOPPED if machine.desired is Desired.RUNNING else Desired.RUNNING
                assert machine.ticket_id is not None
                self.note(f"{machine.id} shall be {wanted}")
                resources.wish(connection, [machine.id], desired=wanted, ticket_id=machine.ticket_id, now_s=self.time.now_s)

        self.state.run(once)

    def _boots(self, machine: Resource) -> tuple[object, int]:
        """Return which definition of the machine there is (itself: its address may be another's by then), and its boots."""
        host = self.world.hosts[self.hosts[machine.host_id].name] if machine.host_id else None
        found = host.machines.get(machine.id) if host else None
        return (found, found.boot_count) if found else (None, 0)

    def _restarted(self, connection: Connection) -> Iterator[Violation]:
        """Find machines that run and were never booted since their restart was ordered."""
        for machine in resources.by_ids(connection, sorted(self.restarts)).values():
            runs = machine.phase is Phase.SETTLED and machine.desired is Desired.RUNNING
            # One that was made anew meanwhile was booted for it.
            (found, boots), (ordered, before) = self._boots(machine), self.restarts[machine.id]
            if runs and found is ordered and boots == before:
                yield Violation("reboot", f"{machine.id} was not restarted")

    def _meddle(self) -> None:
        """Somebody does something on a host behind our back."""
        host = self.chooser.choice(list(self.world.hosts.values()))
        machines = sorted(host.machines)
        point = self.chooser.random()
        if not machines or point < 0.15:
            self.world.drift_foreign(host.name, vcpu_count=1, memory_mib=128)
            return
        machine = self.chooser.choice(machines)
        self.note(f"meddling with {machine} on {host.name}")
        if point < 0.45:
            self.world.drift_stop(host.name, machine)
        elif point < 0.60:
            self.world.drift_vanish(host.name, machine, with_root_disk=point < 0.5)
        elif point < 0.75:
            # Who starts by hand the unfinished copy of what runs elsewhere has broken the rule before anyone could be quicker.
            if not any(machine in h.machines and h.machines[machine].is_running for h in self.world.hosts.values()):
                self.world.drift_start(host.name, machine)
        elif point < 0.85:
            edit(self.world, host.name, machine, (point - 0.75) / 0.1)
        else:
            self.world.crash_host(host.name, for_s=self.chooser.uniform(0.0, 20.0))


class Refused(Exception):
    """The commit found the decision stale."""


def _may_switch(resource: Resource) -> bool:
    is_machine = resource.kind is ResourceKind.INSTANCE
    return is_machine and resource.desired is not Desired.ABSENT and resource.phase not in (Phase.GONE, Phase.FAILED)


def simulate(seed: int, *, is_bounded: bool = True, rates: FaultRates = RATES, log: bool = False) -> Outcome:
    """Play one seed."""
    return Simulation(seed, is_bounded=is_bounded, rates=rates, log=log).run()
