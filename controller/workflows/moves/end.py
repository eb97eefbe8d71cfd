"""Ends a move by what was seen: the new host's from now on, or the room held there given back. One transaction each.

Called by the reconciler's recorder with the machine under its hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from controller.moves import store
from controller.moves.model import MoveStep, PlanState, StepState
from inventory.domain.errors import Problem
from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow, row_of
from inventory.domain.resource import Observed, Resource
from inventory.store import claims as claim_store
from inventory.store import journal, networks, resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """A machine whose move ended, with the last line of its journal."""

    machine: Resource
    revision: int
    state: str
    amounts: Mapping[str, int]
    last_at_s: int
    observed: Observed
    problem: Problem | None
    #: When it was known last to be where it was.
    agreed_at_s: float


@dataclass(slots=True)
class Ended:
    """What else is to be written."""

    journal: list[JournalRow] = field(default_factory=list)
    #: Resources to look at: the machine, its disks, and the segments it left.
    look: set[ResourceId] = field(default_factory=set)


def arrived(connection: Connection, travel: Travel, *, now_s: float, rest_until_s: float) -> Ended:
    """Make machine and disks the target's: claims, addresses, specs, journal."""
    step, machine, volumes = _read(connection, travel)
    assert step.target_spec is not None
    old = {n.segment_id for n in machine.instance.nics} - {n.segment_id for n in step.target_spec.nics}
    kinds = {machine.id: machine.kind.value} | {v.id: v.kind.value for v in volumes}
    claim_store.take_over_move(connection, kinds, step.target_id)
    ended = Ended(look=set(networks.rest_in(connection, machine.id, old, rest_until_s)))
    fence = max(r.fence for r in (machine, *volumes))
    there = replace(machine, host_id=step.target_id, spec=step.target_spec, observed=travel.observed)
    at_s, since_s = max(int(now_s), travel.last_at_s), max(travel.agreed_at_s, travel.last_at_s)
    ended.journal.append(
        row_of(
            there, travel.revision + 1, travel.state, travel.amounts, at_s=at_s, now_s=at_s, source="reconcile", since_s=since_s
        )
    )
    resources.end_move(connection, there, fence=fence, revision=travel.revision + 1, now_s=now_s)
    disks = sorted(machine.instance.disks, key=lambda d: d.name)
    pools = {d.volume_id: pool for d, pool in zip(disks, step.storage_pool_ids[1:], strict=True)}
    for volume in volumes:
        last = journal.last_of(connection, volume.id)
        moved = replace(volume, host_id=step.target_id, spec=replace(volume.volume, storage_pool_id=pools[volume.id]))
        at_s = max(int(now_s), last.occurred_at_s)
        ended.journal.append(
            row_of(
                moved, volume.revision + 1, last.state, last.amounts, at_s=at_s, now_s=at_s, source="reconcile", since_s=since_s
            )
        )
        resources.end_move(connection, moved, fence=fence, revision=volume.revision + 1, now_s=now_s)
    store.move_step(connection, step, StepState.DONE, ended_at_s=now_s, problem=None)
    return ended


def stayed(connection: Connection, travel: Travel, *, now_s: float, rest_until_s: float) -> Ended:
    """Give back what was held on the target; the plan stops, unless it was cancelled."""
    step, machine, volumes = _read(connection, travel)
    assert step.target_spec is not None
    claim_store.give_up_move(connection, [machine.id, *(v.id for v in volumes)])
    new = {n.segment_id for n in step.target_spec.nics} - {n.segment_id for n in machine.instance.nics}
    ended = Ended(look=set(networks.rest_in(connection, machine.id, new, rest_until_s)))
    fence = max(r.fence for r in (machine, *volumes))
    resources.end_move(connection, replace(machine, observed=travel.observed), fence=fence, revision=travel.revision, now_s=now_s)
    for volume in volumes:
        resources.end_move(connection, volume, fence=fence, revision=volume.revision, now_s=now_s)
    problem = (travel.problem or Problem("moves.stayed", {"machine": step.machine})).to_json()
    if store.move_plan(connection, step.plan_id, PlanState.RUNNING, PlanState.STOPPED, problem=problem, ended_at_s=now_s):
        store.cancel_planned(connection, step.plan_id, now_s)
    store.move_step(connection, step, StepState.FAILED, ended_at_s=now_s, problem=problem)
    return ended


def _read(connection: Connection, travel: Travel) -> tuple[MoveStep, Resource, list[Resource]]:
    """Return the step under way, and machine and disks as they are now, locked."""
    machine = travel.machine
    step = store.running_steps(connection, [machine.id])[machine.id]
    rows = resources.lock_parts(connection, [machine.id, *(d.volume_id for d in machine.instance.disks)])
    now = next(r for r in rows if r.id == machine.id)
    return step, now, [r for r in rows if r.id != machine.id]
