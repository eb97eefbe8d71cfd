"""The only SQL for plans of moves. Every change of state is guarded by the state it leaves."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from controller.moves import tables as t
from controller.moves.model import MovePlan, MoveStep, PlanState, StepState
from inventory.domain.errors import NotFound, Problem
from inventory.domain.ids import MovePlanId, ResourceId, StoragePoolId
from inventory.domain.resource import InstanceSpec

_P = t.move_plans.c
_S = t.move_steps.c


def _plan(row: Row[Any]) -> MovePlan:
    values = dict(row._mapping)
    problem = Problem.from_json(values["problem"]) if values["problem"] else None
    return MovePlan(**{**values, "state": PlanState(values["state"]), "problem": problem})


def _step(row: Row[Any]) -> MoveStep:
    values = dict(row._mapping)
    values |= {
        "state": StepState(values["state"]),
        "problem": Problem.from_json(values["problem"]) if values["problem"] else None,
        "target_spec": InstanceSpec.from_json(values["target_spec"]) if values["target_spec"] else None,
        "storage_pool_ids": tuple(StoragePoolId(p) for p in values["storage_pool_ids"]),
    }
    return MoveStep(**values)


def insert(connection: Connection, plan: MovePlan, steps: Sequence[MoveStep]) -> None:
    """Add a plan with its steps."""
    values = {c.name: getattr(plan, c.name) for c in t.move_plans.columns}
    values |= {"summary": dict(plan.summary), "stays": [dict(s) for s in plan.stays], "state": plan.state.value, "problem": None}
    connection.execute(t.move_plans.insert().values(**values))
    if steps:
        connection.execute(t.move_steps.insert(), [_values(step) for step in steps])


def _values(step: MoveStep) -> dict[str, Any]:
    plain = {c.name: getattr(step, c.name) for c in t.move_steps.columns}
    return {**plain, "state": step.state.value, "storage_pool_ids": list(step.storage_pool_ids), "problem": None}


def get(connection: Connection, plan_id: str, *, lock: bool = False) -> MovePlan:
    """Return one plan.

    Raises:
        NotFound: ``moves.plan_not_found``.
    """
    statement = select(t.move_plans).where(_P.id == plan_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound("moves.plan_not_found", plan=plan_id)
    return _plan(row)


def page(connection: Connection, *, limit: int, after: str = "") -> list[MovePlan]:
    """Return up to ``limit`` plans with an id greater than ``after``."""
    statement = select(t.move_plans).where(_P.id > after).order_by(_P.id).limit(limit)
    return [_plan(row) for row in connection.execute(statement)]


def steps(connection: Connection, plan_id: MovePlanId) -> list[MoveStep]:
    """Return the steps of a plan in order."""
    return [_step(row) for row in connection.execute(select(t.move_steps).where(_S.plan_id == plan_id).order_by(_S.position))]


def running(connection: Connection, *, lock: bool = False) -> list[MovePlan]:
    """Return the plans under way, oldest first."""
    statement = select(t.move_plans).where(_P.state == PlanState.RUNNING.value).order_by(_P.id)
    return [_plan(row) for row in connection.execute(statement.with_for_update() if lock else statement)]


#: Made once: an idle loop asks every second.
_ANY_RUNNING = select(_P.id).where(_P.state == PlanState.RUNNING.value).limit(1)


def is_any_running(connection: Connection) -> bool:
    """Tell whether a plan is under way."""
    return connection.execute(_ANY_RUNNING).first() is not None


def running_steps(connection: Connection, machine_ids: Collection[ResourceId]) -> dict[ResourceId, MoveStep]:
    """Return the step under way of each of these machines, where there is one."""
    statement = select(t.move_steps).where(_S.machine_id.in_(list(machine_ids)), _S.state == StepState.RUNNING.value)
    return {ResourceId(row.machine_id): _step(row) for row in connection.execute(statement)} if machine_ids else {}


def machines_under_way(connection: Connection) -> set[ResourceId]:
    """Return the machines with a step under way."""
    found = connection.execute(select(_S.machine_id).where(_S.state == StepState.RUNNING.value))
    return {ResourceId(i) for i in found.scalars()}


def called_off(connection: Connection, plan_ids: Collection[MovePlanId]) -> set[MovePlanId]:
    """Return which of these plans are not under way any more."""
    statement = select(_P.id).where(_P.id.in_(list(plan_ids)), _P.state != PlanState.RUNNING.value)
    return {MovePlanId(i) for i in connection.execute(statement).scalars()} if plan_ids else set()


def move_plan(connection: Connection, plan_id: MovePlanId, of: PlanState, to: PlanState, **changes: Any) -> bool:
    """Bring a plan from one state to another; False: it is not in that state any more."""
    statement = update(t.move_plans).where(_P.id == plan_id, _P.state == of.value).values(state=to.value, **changes)
    return connection.execute(statement).rowcount == 1


def move_step(connection: Connection, step: MoveStep, to: StepState, **changes: Any) -> bool:
    """Bring a step from the state it was read in to another; False: somebody was faster."""
    key = (_S.plan_id == step.plan_id) & (_S.position == step.position) & (_S.state == step.state.value)
    return connection.execute(update(t.move_steps).where(key).values(state=to.value, **changes)).rowcount == 1


def cancel_planned(connection: Connection, plan_id: MovePlanId, now_s: float) -> None:
    """Give up the steps that have not begun."""
    statement = update(t.move_steps).where(_S.plan_id == plan_id, _S.state == StepState.PLANNED.value)
    connection.execute(statement.values(state=StepState.CANCELLED.value, ended_at_s=now_s))


def started_since(connection: Connection, since_s: float) -> int:
    """Return how many steps of all plans began after a time."""
    return connection.execute(select(func.count()).select_from(t.move_steps).where(_S.started_at_s > since_s)).scalar_one()


def last_moved_s(connection: Connection, since_s: float) -> Mapping[ResourceId, float]:
    """Return when each machine moved last, for those that moved after a time."""
    statement = (
        select(_S.machine_id, func.max(_S.ended_at_s))
        .where(_S.state == StepState.DONE.value, _S.ended_at_s > since_s)
        .group_by(_S.machine_id)
    )
    return {ResourceId(machine_id): at_s for machine_id, at_s in connection.execute(statement)}


def counts(connection: Connection, plan_ids: Collection[MovePlanId]) -> dict[MovePlanId, dict[str, int]]:
    """Return how many steps of each plan are in each state."""
    found: dict[MovePlanId, dict[str, int]] = {i: {} for i in plan_ids}
    statement = select(_S.plan_id, _S.state, func.count()).where(_S.plan_id.in_(list(plan_ids))).group_by(_S.plan_id, _S.state)
    for plan_id, state, count in connection.execute(statement):
        found[MovePlanId(plan_id)][state] = count
    return found
