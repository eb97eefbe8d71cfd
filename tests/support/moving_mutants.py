"""Mistakes in our own code around moves, made on purpose: the simulation with moves must find every one in a few seeds."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from controller.moves.model import MoveStep
from controller.reconcile import jobs, recorder
from controller.workflows.engine import Done, Ending, Flow, Step, StepContext
from controller.workflows.moves import begin, end
from controller.workflows.steps import STEPS
from drivers.simulated.faults import FaultRates
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Resource
from inventory.store import claims
from tests.support.moving import MOVING_RATES

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def source_freed_before_the_machine_was_seen(patch: Patch) -> None:
    """Asking for the migration is taken for the migration."""

    def move_image(_: StepContext) -> Flow:
        return Done(ending=Ending.MOVED)

    _steps(patch)["move_image"] = move_image


def room_on_the_target_not_given_back(patch: Patch) -> None:
    """A machine that stayed keeps its room where it did not go."""

    class Keeps:
        take_over_move = staticmethod(claims.take_over_move)

        @staticmethod
        def give_up_move(_: Connection, __: list[ResourceId]) -> list[object]:
            return []

    patch.setattr(end, "claim_store", Keeps)


def arrived_without_ending_the_old_claims(patch: Patch) -> None:
    """A machine that moved keeps its room where it was."""

    class Keeps:
        give_up_move = staticmethod(claims.give_up_move)

        @staticmethod
        def take_over_move(_: Connection, __: dict[ResourceId, str], ___: HostId) -> list[object]:
            return []

    patch.setattr(end, "claim_store", Keeps)


def journal_keeps_the_old_host(patch: Patch) -> None:
    """The hand-over to metering is forgotten: the row counts a change that no line tells."""

    def arrived(*arguments: Any, **means: Any) -> end.Ended:
        ended = end.arrived(*arguments, **means)
        ended.journal = []
        return ended

    patch.setattr(recorder, "arrived", arrived)


def set_out_without_looking_again(patch: Patch) -> None:
    """The plan is believed: a step is begun as it was computed, whatever has changed."""

    def judged(_: Connection, machine: Resource, step: MoveStep, __: float) -> begin._Judged:
        return begin._Judged(storage_pool_ids=step.storage_pool_ids, seat=machine.instance.seat)

    patch.setattr(begin, "_judged", judged)
    patch.setattr(claims, "hold", lambda *_: [])


def _steps(patch: Patch) -> dict[str, Step]:
    table = dict(STEPS)
    patch.setattr(jobs, "STEPS", table)
    return table


#: Mutant -> (seeds within which it must be found, faults it is looked for with).
MOVING_MUTANTS: dict[Mutant, tuple[int, FaultRates]] = {
    source_freed_before_the_machine_was_seen: (30, MOVING_RATES),
    room_on_the_target_not_given_back: (30, MOVING_RATES),
    arrived_without_ending_the_old_claims: (30, MOVING_RATES),
    journal_keeps_the_old_host: (30, MOVING_RATES),
    set_out_without_looking_again: (40, MOVING_RATES),
}
