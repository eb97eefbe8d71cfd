"""The simulation with hosts that fall silent, in a pool that gives them up once its means has seen them off.

The means cuts the power and says so, fails, cuts it and says that it failed, or is heard so late that somebody has powered the
host on again by then. Whoever powers a host on keeps to what operators are told: only where it was given up, or where the word
that it is off is believed no more. What runs on a host that is only silent runs on.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from controller.identity.caller import Role
from controller.reconcile.auditor import Violation
from controller.reconcile.loop import Reconciler
from controller.reconcile.lost_hosts import BELIEVED_FOR_S, LostHosts
from controller.workflows import hosts as host_work
from drivers.faults import Transient
from drivers.simulated.faults import FaultRates
from drivers.simulated.world import FOREVER_S
from inventory.domain.errors import AllotError
from inventory.domain.host import AdminState, Host, LossPolicy, Reachability
from inventory.domain.ids import HostId
from inventory.domain.loss import is_given_up
from inventory.store import directory, hosts
from tests.support.simulation import Outcome, Simulation
from tests.support.simulation_stage import RATES

#: A silent host is given up after so long.
AFTER_S = 12
#: Silence is what the simulation brings by itself here.
LOSING_RATES = replace(RATES, unreachable=0.0)
_COUNTED = (AdminState.ACTIVE, AdminState.CORDONED, AdminState.DRAINING)


@dataclass(slots=True)
class Losses:
    """What happened to hosts."""

    given_up: int = 0
    failed: int = 0
    #: Word that a host is off that came when somebody had powered it on.
    outdated: int = 0
    held_back: int = 0


class LosingSimulation(Simulation):
    """See the module."""

    def __init__(self, seed: int, *, is_bounded: bool = True, rates: FaultRates = LOSING_RATES, log: bool = False) -> None:
        #: What a controller has begun beside its loop, not yet done.
        self.attempts: list[Callable[[], None]] = []
        self.losses = Losses()
        super().__init__(seed, is_bounded=is_bounded, rates=rates, actions=200, log=log)
        self.most = self.chooser.choice((1, 1, 2))
        #: Powered off, and when somebody may power it on though it was not given up; monotonic.
        self.off: dict[HostId, float] = {}
        self.platform = replace(self.platform, fencing=self)
        #: For the operators: no faults.
        self.calm_platform = replace(self.platform, db=self.state)
        self._set_policy(LossPolicy(after_s=AFTER_S, most=self.most))
        self.controllers = [self._controller() for _ in self.controllers]

    def _set_policy(self, policy: LossPolicy) -> None:
        with self.state.write() as connection:
            for pool in directory.pools(connection):
                directory.save_pool(connection, replace(pool, loss=policy))

    def _controller(self) -> Reconciler:
        made = super()._controller()
        made._lost_hosts = LostHosts(
            self.platform,
            made.counters,
            period_s=1.0,
            monotonic=self.time.monotonic,
            # What was begun goes on when its controller dies: the power is cut, and nobody hears the answer.
            aside=self.attempts.append,
        )
        return made

    # -- the means of the pool ------------------------------------------------------------------------------------------

    def has_means(self, _pool: str) -> bool:
        """Tell whether the pool has a program."""
        return True

    def power_off(self, _pool: str, host: Host) -> None:
        """Cut the power of a host, or not, and tell the truth, or not quite."""
        point = self.chooser.random()
        self.note(f"fencing of {host.name}: {point:.2f}")
        if point < 0.4:
            self.losses.failed += 1
            raise Transient("fencing.failed", host=host.name, reason="no answer")
        self._cut_power(host.id)
        if point < 0.5:
            raise Transient("fencing.failed", host=host.name, reason="it is off, and this was not seen")
        if point < 0.65:
            for index in range(len(self.controllers)):
                self.frozen[index] = self.time.mono_s + BELIEVED_FOR_S + self.chooser.uniform(1.0, 20.0)

    def _cut_power(self, host_id: HostId) -> None:
        name = self.hosts[host_id].name
        self.world.crash_host(name, FOREVER_S)
        # What was under way to it is gone with it.
        self.world.hosts[name].late.clear()
        self.off[host_id] = self.time.mono_s + BELIEVED_FOR_S

    # -- what happens to hosts --------------------------------------------------------------------------------------------

    def _storm(self) -> None:
        super()._storm()
        self._count()

    def _one_action(self) -> None:
        point = self.chooser.random()
        if point < 0.03:
            self._fall_silent()
        elif point < 0.15:
            if self.attempts:
                self.attempts.pop(self.chooser.randrange(len(self.attempts)))()
        elif point < 0.17:
            self._power_on()
        elif point < 0.21:
            self.time.pass_(self.chooser.uniform(5.0, 30.0))
        else:
            super()._one_action()

    def _fall_silent(self) -> None:
        """A switch fails, mostly in front of one host."""
        count = self.chooser.choice((1, 1, 1, 1, 1, 1, 2, 3))
        for host_id in self.chooser.sample(sorted(self.hosts), count):
            if host_id not in self.off:
                self.note(f"{self.hosts[host_id].name} falls silent")
                self.world.cut(self.hosts[host_id].name, self.chooser.uniform(40.0, 150.0))

    def _power_on(self) -> None:
        """Somebody repairs what is off, and what was given up is put back into service."""
        rows = self._rows()
        for host_id, believed_until in list(self.off.items()):
            if is_given_up(rows[host_id]) or self.time.mono_s > believed_until:
                self.note(f"{self.hosts[host_id].name} is powered on")
                del self.off[host_id]
                # Its network may still be broken.
                is_silent = not is_given_up(rows[host_id]) and self.chooser.random() < 0.5
                self.world.cut(self.hosts[host_id].name, self.chooser.uniform(30.0, 100.0) if is_silent else 0.0)
        self._into_service()

    def _into_service(self) -> None:
        caller = self.stage.furnished.caller(Role.OPERATOR)
        for host_id, row in self._rows().items():
            if row.admin_state is not AdminState.ACTIVE and row.reachability is Reachability.REACHABLE:
                with suppress(AllotError):
                    host_work.set_state(self.calm_platform, host_id, AdminState.ACTIVE, caller, reason="repaired")

    def _meddle(self) -> None:
        """Leave hosts alone that have no power, and machines of which a host that went keeps a copy."""
        if not self.off and not any(map(is_given_up, self._rows().values())):
            super()._meddle()

    def _calm(self) -> None:
        self._count()
        self.attempts.clear()
        self._set_policy(LossPolicy())
        for host_id in self.hosts:
            self.off.pop(host_id, None)
            self.world.heal(self.hosts[host_id].name)
        self.faults.is_active = self.state_faults.is_active = False
        self.frozen.clear()
        # Long enough for every host to be seen again.
        for _ in range(20):
            for index in range(len(self.controllers)):
                self._act(index, "tick")
                while self._act(index, "job"):
                    pass
                self._act(index, "tick")
            self._into_service()
            self.time.pass_(2.0)
        super()._calm()

    # -- what must hold ---------------------------------------------------------------------------------------------------

    def _act(self, index: int, what: str) -> bool:
        if what != "tick":
            return super()._act(index, what)
        before = self._rows()
        did = super()._act(index, what)
        after = self._rows()
        given_up = [i for i in self.hosts if is_given_up(after[i]) and not is_given_up(before[i])]
        silent = [i for i in self.hosts if _is_silent(before[i]) and (_is_silent(after[i]) or i in given_up)]
        for host_id in given_up:
            self.losses.given_up += 1
            self.note(f"{self.hosts[host_id].name} is given up")
            if host_id not in self.off:
                self.violations.append(Violation("lost_on", f"{host_id} is given up and has power"))
            if len(silent) > self.most:
                self.violations.append(Violation("too_many_lost", f"{host_id} is given up while {len(silent)} are silent"))
        if given_up:
            self._glance()
        return did

    def _rows(self) -> dict[HostId, Host]:
        with self.state.read() as connection:
            return {host.id: host for host in hosts.hosts(connection)}

    def _crash(self, index: int) -> None:
        self._count_of(self.controllers[index])
        super()._crash(index)

    def _count(self) -> None:
        for controller in self.controllers:
            self._count_of(controller)

    def _count_of(self, controller: Reconciler) -> None:
        counters = controller.counters
        self.losses.outdated += counters.fencings.pop("outdated", 0)
        self.losses.held_back += counters.loss_held_back


def _is_silent(host: Host) -> bool:
    return host.reachability is Reachability.UNREACHABLE and host.admin_state in _COUNTED


def simulate_losses(
    seed: int, *, is_bounded: bool = True, rates: FaultRates = LOSING_RATES, log: bool = False
) -> tuple[Outcome, Losses]:
    """Play one seed."""
    simulation = LosingSimulation(seed, is_bounded=is_bounded, rates=rates, log=log)
    outcome = simulation.run()
    return outcome, simulation.losses
