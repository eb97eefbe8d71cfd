"""Mistakes in our own code, made on purpose: the auditor must find every one in a few seeds of the simulation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from controller.reconcile import loop, recorder
from controller.reconcile.outcomes import Outcome
from controller.reconcile.recorder import Recorder
from controller.workflows import change, engine, steps, swap
from controller.workflows.engine import Done, Ending, Flow, StepContext
from controller.workflows.shape import Differences
from controller.workflows.steps import STEPS
from drivers.faults import DriverFault, OutcomeUnknown
from drivers.simulated.faults import FaultRates
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Desired, Observed, Resource
from inventory.store import claims, hosts, journal, networks, resources
from inventory.store import tables as t
from inventory.store.resources import HeldRow
from tests.support.simulation_stage import RATES

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def writes_without_a_fence(patch: Patch) -> None:
    """Any worker's write counts, however old its hold."""

    def lock_held(
        connection: Connection, owner: str, holds: Sequence[tuple[ResourceId, int]], *, now_s: float
    ) -> dict[Any, HeldRow]:
        now = {r.id: r for r in connection.execute(select(t.resources).where(t.resources.c.id.in_([i for i, _ in holds])))}
        found: dict[Any, HeldRow] = {}
        for resource_id, fence in holds:
            held = resources_lock_held(connection, now[resource_id].owner, [(resource_id, now[resource_id].fence)], now_s=now_s)
            found[resource_id, fence] = next(iter(held.values()))
        return found

    def write_held_many(
        connection: Connection, owner: str, holds: Sequence[tuple[ResourceId, int]], changes: dict[str, Any]
    ) -> int:
        connection.execute(update(t.resources).where(t.resources.c.id.in_([i for i, _ in holds])).values(**changes))
        return len(holds)

    patch.setattr(resources, "lock_held", lock_held)
    patch.setattr(resources, "write_held_many", write_held_many)


resources_lock_held = resources.lock_held


def verbs_without_a_fence(patch: Patch) -> None:
    """The back end is never told who is newer."""
    patch.setattr(StepContext, "fence", property(lambda _: 0))


def capacity_freed_in_another_transaction(patch: Patch) -> None:
    """First the word that it is gone is committed, then what it had is freed."""
    _after_the_commit(patch, "_free")


def journal_written_in_another_transaction(patch: Patch) -> None:
    """First the change is committed, then the journal is told."""
    late: list[Any] = []
    append = journal.append

    def after(self: loop.Reconciler, unit: Any) -> None:
        rows, late[:] = list(late), []
        if rows:
            self.platform.db.run(lambda connection: append(connection, rows))
        original(self, unit)

    original = loop.Reconciler._after
    patch.setattr(loop.Reconciler, "_after", after)
    patch.setattr(recorder, "journal", _Late(late))


class _Late:
    """Takes journal rows and keeps them for later."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    def append(self, _: Connection, rows: Sequence[Any]) -> None:
        self._rows.extend(rows)


def _after_the_commit(patch: Patch, name: str) -> None:
    original_part = getattr(Recorder, name)
    original_after = loop.Reconciler._after
    late: list[tuple[Recorder, Any]] = []

    def keep(self: Recorder, _: Connection, batch: Any) -> None:
        late.append((self, batch))

    def after(self: loop.Reconciler, unit: Any) -> None:
        todo, late[:] = list(late), []
        for one, batch in todo:
            self.platform.db.run(partial(write, one, batch))
        original_after(self, unit)

    def write(one: Recorder, batch: Any, connection: Connection) -> None:
        original_part(one, connection, batch)

    patch.setattr(Recorder, name, keep)
    patch.setattr(loop.Reconciler, "_after", after)


def work_on_what_was_read_before_the_claim(patch: Patch) -> None:
    """A worker remembers a resource from an earlier look instead of taking the row its claim returned."""
    remembered: dict[str, Resource] = {}
    original = resources.claim_due

    def claim_due(connection: Connection, **means: Any) -> list[Resource]:
        taken = original(connection, **means)
        stale = []
        for now in taken:
            then = remembered.setdefault(now.id, now)
            stale.append(replace(now, desired=then.desired, spec=then.spec, host_id=then.host_id))
        return stale

    patch.setattr(resources, "claim_due", claim_due)


def used_not_given_back(patch: Patch) -> None:
    """Claims go, the guarded counter stays."""
    patch.setattr(hosts, "give_back", lambda *_: None)


def placed_again_without_ending_the_old_claim(patch: Patch) -> None:
    """The swap adds where it should set."""

    class Adds:
        hold, insert, totals = staticmethod(claims.hold), staticmethod(claims.insert), staticmethod(claims.totals)

        @staticmethod
        def release(connection: Connection, *ids: ResourceId) -> list[Any]:
            return claims.of_resources(connection, ids)

    patch.setattr(swap, "claim_store", Adds)


def freed_before_it_is_confirmed(patch: Patch) -> None:
    """Asking for the removal is taken for the removal."""

    def leave(context: StepContext) -> Flow:
        context.saw(Observed.ABSENT)
        return Done(ending=Ending.GONE)

    patch.setitem(_steps(patch), "leave", leave)


def an_error_is_taken_for_absence(patch: Patch) -> None:
    """A look that fails counts as "it is not there"."""

    def forgiving(step: engine.Step) -> engine.Step:
        def run(context: StepContext) -> Flow:
            try:
                return step(context)
            except DriverFault:
                context.saw(Observed.ABSENT)
                return Done(ending=Ending.GONE)

        return run

    table = _steps(patch)
    for name in ("leave", "confirm"):
        patch.setitem(table, name, forgiving(steps.STEPS[name]))


def a_lost_reply_is_taken_for_a_failure(patch: Patch) -> None:
    """After a lost answer to its start the machine is placed elsewhere without a look where it was."""
    original = engine.answer

    def answer(fault: DriverFault, step: str, context: StepContext) -> Flow:
        resource = context.resource
        is_new = resource.kind == "instance" and resource.settled_generation == 0
        is_wanted = resource.desired is not Desired.ABSENT
        if isinstance(fault, OutcomeUnknown) and step == "start" and is_new and is_wanted:
            return Done(ending=Ending.CLEARED)
        return original(fault, step, context)

    patch.setattr(engine, "answer", answer)


def quota_not_released(patch: Patch) -> None:
    """What is gone still counts against the quota."""
    patch.setattr(recorder, "release_quota", lambda *_: None)


def addresses_kept_by_the_dead(patch: Patch) -> None:
    """A machine that is gone keeps its address."""
    patch.setattr(networks, "rest", lambda *_: [])


def a_newer_wish_is_overlooked(patch: Patch) -> None:
    """What a worker reached counts for whatever is wanted by now."""
    original = Recorder._collect

    def collect(self: Recorder, connection: Connection, batch: Any, outcome: Outcome, row: HeldRow) -> None:
        blind = replace(row, generation=outcome.resource.generation, is_woken=False)
        original(self, connection, batch, outcome, blind)

    patch.setattr(Recorder, "_collect", collect)


def a_restart_is_forgotten(patch: Patch) -> None:
    """A machine that runs is taken for one that was restarted."""
    table = _steps(patch)
    table["reboot"] = lambda _: Done(ending=Ending.SETTLED)


def _steps(patch: Patch) -> dict[str, engine.Step]:
    """Replace the table of steps by one that may be changed."""
    from controller.reconcile import jobs

    table = dict(STEPS)
    patch.setattr(jobs, "STEPS", table)
    return table


#: Faults that bring out mistakes about lost answers, and about hosts that do not answer.
LOSSY = replace(RATES, lost_reply=0.3, late_effect=0.05, storage_full=0.03)
DEAF = replace(RATES, lost_request=0.1, lost_request_known=0.1, unreachable=0.0)


def an_edit_is_seen_and_left(patch: Patch) -> None:
    """Whoever looks at an edited machine finds nothing to do."""
    patch.setattr(change, "differences", lambda _resource, _found, *, can_plug: Differences())


#: Mutant -> (seeds within which it must be found, faults it is looked for with).
MUTANTS: dict[Mutant, tuple[int, FaultRates]] = {
    writes_without_a_fence: (60, RATES),
    verbs_without_a_fence: (60, LOSSY),
    capacity_freed_in_another_transaction: (30, RATES),
    journal_written_in_another_transaction: (40, RATES),
    work_on_what_was_read_before_the_claim: (20, RATES),
    used_not_given_back: (20, RATES),
    placed_again_without_ending_the_old_claim: (40, LOSSY),
    freed_before_it_is_confirmed: (80, RATES),
    an_error_is_taken_for_absence: (60, DEAF),
    a_lost_reply_is_taken_for_a_failure: (90, LOSSY),
    quota_not_released: (20, RATES),
    addresses_kept_by_the_dead: (20, RATES),
    a_newer_wish_is_overlooked: (40, RATES),
    a_restart_is_forgotten: (60, RATES),
    an_edit_is_seen_and_left: (60, RATES),
}
