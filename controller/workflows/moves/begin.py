"""Begins the next step of a plan: judged again on the state of this moment, and room promised on the target, in one transaction.

Called by the reconciler inside its unit of work, by any number of controllers at once: the plan's row is locked, the step is
taken by a guarded update, and the database refuses room that is not there. A step that cannot be made as planned is never
forced: the plan stops and says why.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from controller.moves import store
from controller.moves.model import MovePlan, MoveStep, PlanState, StepState
from controller.scheduling.moves.board import Board
from controller.scheduling.moves.check import why_not
from controller.scheduling.moves.plan import Move
from controller.workflows.moves.picture import Rules, load_around
from controller.workflows.platform import Platform
from controller.workflows.segments import AddressesTaken, FreeBlocks, SegmentBook, taking
from controller.workflows.swap import claims_of
from inventory.domain.claim import MOVE, Claim
from inventory.domain.errors import Problem, Unplaceable
from inventory.domain.ids import DepartmentId, HostId, StoragePoolId, SystemId, TicketId
from inventory.domain.layout import Seat
from inventory.domain.resource import Nic, Phase, Resource
from inventory.domain.scope import PLATFORM
from inventory.store import claims as claim_store
from inventory.store import directory, homes, resources, systems

HOUR_S = 3600.0


def begin_next(connection: Connection, platform: Platform) -> set[HostId]:
    """Begin the next step of every plan under way that has none in hand, within the budget of moves per hour.

    Returns the hosts on which room was promised.
    """
    begun: set[HostId] = set()
    if not store.is_any_running(connection):
        return begun
    now_s = platform.clock()
    for plan in store.running(connection, lock=True):
        steps = store.steps(connection, plan.id)
        if any(s.state is StepState.RUNNING for s in steps):
            continue
        step = next((s for s in steps if s.state is StepState.PLANNED), None)
        if step is None:
            store.move_plan(connection, plan.id, PlanState.RUNNING, PlanState.DONE, ended_at_s=now_s)
        elif store.started_since(connection, now_s - HOUR_S) < platform.moves.per_hour:
            is_begun = _begin(connection, platform, plan, step, now_s)
            begun |= {step.target_id} if is_begun else set()
    return begun


def _begin(connection: Connection, platform: Platform, plan: MovePlan, step: MoveStep, now_s: float) -> bool:
    """Begin a step, pass it over or stop its plan; tell whether room is promised now."""
    known = resources.by_ids(connection, [step.machine_id]).get(step.machine_id)
    if known is None or known.system_id is None:
        _skip(connection, step, "moves.machine_gone", now_s)
        return False
    # Before anything is read that a ticket for this system could change.
    systems.lock(connection, SystemId(known.system_id))
    volume_ids = [d.volume_id for d in known.instance.disks]
    rows = resources.lock_parts(connection, [known.id, *volume_ids])
    machine = next(r for r in rows if r.id == known.id)
    if machine.phase is Phase.GONE or machine.host_id != step.source_id:
        _skip(connection, step, "moves.machine_gone" if machine.phase is Phase.GONE else "moves.not_there", now_s)
        return False
    if any(r.phase in (Phase.PENDING, Phase.WORKING) or r.hold_until_s > now_s for r in rows):
        # Somebody is at it just now: a look, or a change that will end.
        return False
    judged = _judged(connection, machine, step, now_s)
    reason = judged.reason
    if reason:
        _stop(connection, plan, step, Problem(reason, {"machine": step.machine}), now_s)
        return False
    step = replace(step, storage_pool_ids=judged.storage_pool_ids)
    machine = replace(machine, spec=replace(machine.instance, seat=judged.seat))
    try:
        return _set_out(connection, platform, step, machine, [r for r in rows if r.id != machine.id], now_s)
    except _NoRoom as full:
        _stop(connection, plan, step, full.problem, now_s)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """Why a step cannot be made now, empty where it can; where disks and machine will lie on the target."""

    reason: str = ""
    storage_pool_ids: tuple[StoragePoolId, ...] = ()
    seat: Seat | None = None


def _judged(connection: Connection, machine: Resource, step: MoveStep, now_s: float) -> _Judged:
    cluster = load_around(connection, Rules(now_s=now_s), machine, {step.source_id, step.target_id})
    move = Move(
        machine_id=step.machine_id,
        machine=step.machine,
        source_id=step.source_id,
        target_id=step.target_id,
        storage_pool_ids=step.storage_pool_ids,
        memory_mib=step.memory_mib,
        disk_gib=step.disk_gib,
    )
    board = Board(cluster)
    reason = why_not(board, move)
    if reason:
        return _Judged(reason=reason)
    # The machine may have other disks than when the plan was made.
    number, target = cluster.machine_index[machine.id], cluster.host_index[step.target_id]
    pools = board.storage_for(number, target)
    assert pools is not None, "a step fits and its disks do not"
    seat = board.seat_for(number, target) if machine.instance.seat else None
    return _Judged(storage_pool_ids=tuple(cluster.storage_ids[p] for p in pools), seat=seat)


class _NoRoom(Exception):
    """What is held would not fit, or there is no address."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def _set_out(
    connection: Connection, platform: Platform, step: MoveStep, machine: Resource, volumes: list[Resource], now_s: float
) -> bool:
    """Promise room on the target and have the machine go; with nothing written where that fails.

    False: another controller takes a block or an address at this moment, and the step is still to begin.

    Raises:
        _NoRoom: of what there is none.
    """
    try:
        with taking(connection):
            _promise(connection, platform, step, machine, volumes, now_s)
    except Unplaceable as no_address:
        raise _NoRoom(Problem(no_address.code, no_address.params)) from no_address
    except AddressesTaken:
        return False
    return True


def _promise(
    connection: Connection, platform: Platform, step: MoveStep, machine: Resource, volumes: list[Resource], now_s: float
) -> None:
    there = _there(connection, platform, step, machine, now_s)
    moved = [there, *_volumes_there(step, machine, volumes)]
    held = [replace(claim, resource_kind=MOVE) for resource in moved for claim in claims_of(resource)]
    if claim_store.hold(connection, claim_store.totals(held)):
        raise _NoRoom(Problem("moves.no_room", {"machine": step.machine}))
    _write(connection, step, there, volumes, held, now_s)


def _write(
    connection: Connection, step: MoveStep, there: Resource, volumes: list[Resource], held: list[Claim], now_s: float
) -> None:
    claim_store.insert(connection, held)
    fence = max(r.fence for r in (there, *volumes)) + 1
    resources.set_out(connection, [there.id, *(v.id for v in volumes)], step.target_id, fence=fence, now_s=now_s)
    taken = store.move_step(
        connection,
        step,
        StepState.RUNNING,
        started_at_s=now_s,
        target_spec=there.instance.to_json(),
        storage_pool_ids=list(step.storage_pool_ids),
        problem=None,
    )
    assert taken, "a step was taken although the plan was locked"


def _there(connection: Connection, platform: Platform, step: MoveStep, machine: Resource, now_s: float) -> Resource:
    """Return the machine as it shall be on the target, with addresses given there, or its own where the home is the same."""
    assert machine.system_id is not None
    system = systems.get(connection, machine.system_id, PLATFORM)
    zone = next(z for z in directory.zones(connection) if z.code == system.spec.zone)
    department = DepartmentId(machine.department_id)
    book = SegmentBook(connection, department, zone, FreeBlocks(connection), platform.new_id, now_s)
    ticket_id = TicketId(machine.ticket_id or "")
    home_id = homes.home_of(connection, step.target_id)
    nics: tuple[Nic, ...] = book.moved_nics(ticket_id, home_id, machine)
    book.write_segments({machine.id})
    taken = book.write_addresses({machine.id})
    assert taken, "an address was taken inside our own transaction"
    spec = replace(machine.instance, storage_pool_id=step.storage_pool_ids[0], nics=nics)
    return replace(machine, host_id=step.target_id, spec=spec)


def _volumes_there(step: MoveStep, machine: Resource, volumes: list[Resource]) -> list[Resource]:
    by_id = {v.id: v for v in volumes}
    disks = sorted(machine.instance.disks, key=lambda d: d.name)
    return [
        replace(by_id[d.volume_id], host_id=step.target_id, spec=replace(by_id[d.volume_id].volume, storage_pool_id=pool))
        for d, pool in zip(disks, step.storage_pool_ids[1:], strict=True)
    ]


def _skip(connection: Connection, step: MoveStep, reason: str, now_s: float) -> None:
    problem = Problem(reason, {"machine": step.machine})
    store.move_step(connection, step, StepState.SKIPPED, problem=problem.to_json(), ended_at_s=now_s)


def _stop(connection: Connection, plan: MovePlan, step: MoveStep, why: Problem, now_s: float) -> None:
    """Stop the plan: what was planned does not fit the world any more."""
    problem = why.to_json()
    store.move_step(connection, step, StepState.FAILED, problem=problem, ended_at_s=now_s)
    store.move_plan(connection, plan.id, PlanState.RUNNING, PlanState.STOPPED, problem=problem, ended_at_s=now_s)
    store.cancel_planned(connection, plan.id, now_s)
