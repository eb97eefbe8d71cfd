"""The simulation with plans that move machines: made, run and cancelled at any point, under the same faults and some more."""

from contextlib import suppress
from dataclasses import dataclass, replace

from controller.identity.caller import Role
from controller.moves import store
from controller.moves.model import PlanState, StepState
from controller.reconcile.auditor import Violation
from controller.scheduling.moves.plan import Limits, PlanKind
from controller.tickets.model import Action
from controller.workflows.moves import plans
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.moves.plans import PlanRequest
from drivers.simulated.faults import FaultRates
from inventory.domain.errors import AllotError
from inventory.domain.ids import SystemId
from inventory.domain.system import System, SystemSpec
from inventory.store import directory
from tests.support.simulation import Outcome, Refused, Simulation
from tests.support.simulation_stage import RATES

#: The faults of the simulation, and migrations that stop halfway.
MOVING_RATES = replace(RATES, halfway=0.05, halfway_crash=0.03)
#: Answers get lost more often: for mistakes about who is where.
LOSSY_MOVES = replace(MOVING_RATES, lost_reply=0.12, late_effect=0.08, halfway=0.08)


@dataclass(slots=True)
class Journeys:
    """What became of the steps."""

    done: int = 0
    failed: int = 0
    cancelled: int = 0


class MovingSimulation(Simulation):
    """See the module."""

    def __init__(self, seed: int, *, is_bounded: bool = True, rates: FaultRates = MOVING_RATES, log: bool = False) -> None:
        super().__init__(seed, is_bounded=is_bounded, rates=rates, actions=170, log=log)
        bounds = MoveBounds(per_hour=1000, cool_down_s=0.0, dwell_s=0.0)
        self.platform = replace(self.platform, moves=bounds)
        #: For the operator: no faults.
        self.calm_platform = replace(self.platform, db=self.state)
        self.controllers = [self._controller() for _ in self.controllers]

    def _commit(self, spec: SystemSpec, system_id: SystemId, current: System | None, action: Action) -> None:
        # Machines that share a network stay together: most systems have none, so that there is something to move.
        if current is None and self.chooser.random() < 0.7:
            spec = replace(spec, servers=tuple(replace(s, networks=()) for s in spec.servers))
        super()._commit(spec, system_id, current, action)

    def _storm(self) -> None:
        """Have something that runs and may be moved before the trouble begins."""
        for _ in range(3):
            with suppress(AllotError, Refused):
                self._create()
        for _ in range(3):
            self._lull()
        super()._storm()

    def _one_action(self) -> None:
        point = self.chooser.random()
        if point < 0.10:
            self._plan()
        elif point < 0.112:
            self._cancel()
        else:
            super()._one_action()

    def _plan(self) -> None:
        """An operator plans and runs, whatever is under way."""
        kind = self.chooser.choice([PlanKind.DRAIN, PlanKind.DRAIN, PlanKind.REBALANCE, PlanKind.REPAIR])
        host = self.chooser.choice(list(self.hosts.values())).name if kind is PlanKind.DRAIN else ""
        caller = self.stage.furnished.caller(Role.OPERATOR)
        with self.state.read() as connection:
            pools = {p.id for p in directory.pools(connection)}
        request = PlanRequest(kind=kind, host=host, limits=Limits(moves_most=4, gain_least_micro=1), migrating=pools)
        with suppress(AllotError):
            _, steps = plans.compute(self.calm_platform, request, caller, is_dry_run=True)
            if not steps:
                return
            plan, steps = plans.compute(self.calm_platform, request, caller, is_dry_run=False)
            self.note(f"{kind} {host}: {[(s.machine, s.target_id[-4:]) for s in steps]}")
            plans.run(self.calm_platform, plan.id, caller)

    def _cancel(self) -> None:
        with self.state.read() as connection:
            running = store.running(connection)
        for plan in running:
            self.note(f"cancel {plan.id}")
            plans.cancel(self.calm_platform, plan.id, self.stage.furnished.caller(Role.OPERATOR))

    def _is_busy(self) -> bool:
        if super()._is_busy():
            return True
        with self.state.read() as connection:
            return store.is_any_running(connection)

    def _audit(self, *, is_quiet: bool) -> None:
        super()._audit(is_quiet=is_quiet)
        if is_quiet:
            with self.state.read() as connection:
                left = store.running(connection)
            self.violations += [Violation("liveness", f"plan {p.id} is still under way") for p in left]

    def journeys(self) -> Journeys:
        """Count how the steps ended."""
        found = Journeys()
        with self.state.read() as connection:
            for plan in store.page(connection, limit=1000):
                for step in store.steps(connection, plan.id):
                    found.done += step.state is StepState.DONE
                    found.failed += step.state is StepState.FAILED
                    found.cancelled += plan.state is PlanState.CANCELLED
        return found


def simulate_moves(
    seed: int, *, is_bounded: bool = True, rates: FaultRates = MOVING_RATES, log: bool = False
) -> tuple[Outcome, Journeys]:
    """Play one seed."""
    simulation = MovingSimulation(seed, is_bounded=is_bounded, rates=rates, log=log)
    outcome = simulation.run()
    return outcome, simulation.journeys()
