"""Plans that move machines: computed, stored, run, cancelled."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body
from sqlalchemy import Connection
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import Call, TheCall
from controller.api.paging import After, Limit, json_answer, page_answer
from controller.moves import store
from controller.moves.model import MovePlan, MoveStep
from controller.scheduling.moves.plan import Limits
from controller.texts.catalogue import say
from controller.workflows.moves import plans
from controller.workflows.moves.plans import PlanRequest, RoomWish
from drivers.faults import DriverFault
from drivers.protocol import Capability, DriverContext
from inventory.domain.host import Host, Pool
from inventory.domain.ids import PoolId
from inventory.store import directory, hosts

router = APIRouter(route_class=GuardedRoute, tags=["move plans"])


@router.get("/v1/move-plans", response_model=schemas.MovePlanPage)
def list_move_plans(call: TheCall, limit: Limit = 100, after: After = "") -> Response:
    """List plans, oldest first."""
    with call.platform.db.read() as connection:
        found = store.page(connection, limit=limit + 1, after=after)
        counts = store.counts(connection, [p.id for p in found])
    return page_answer(found, limit, lambda p: _plan(call, p, counts[p.id]), lambda p: p.id)


@router.post(
    "/v1/move-plans",
    response_model=schemas.MovePlanWhole,
    status_code=201,
    responses={200: {"model": schemas.MovePlanWhole, "description": "A dry run: computed, and stored nowhere."}},
)
def make_move_plan(call: TheCall, body: Annotated[schemas.MovePlanIn, Body()]) -> Response:
    """Compute a plan and store it, to be looked at and run later; nothing moves yet."""
    bounds = body.model_dump(exclude={"kind", "host", "room", "dry_run"}, exclude_unset=True, exclude_none=True)
    room = RoomWish(**body.room.model_dump(exclude_none=True)) if body.room else None
    request = PlanRequest(
        kind=body.kind,
        host=body.host or "",
        room=room,
        limits=Limits(**bounds),
        bounds=frozenset(bounds),
        migrating=_migrating(call),
    )
    plan, steps = plans.compute(call.platform, request, call.caller, is_dry_run=body.dry_run)
    with call.platform.db.read() as connection:
        value = _whole(call, connection, plan, steps)
    headers = {} if body.dry_run else {"Location": f"/v1/move-plans/{plan.id}"}
    return json_answer(value, status=200 if body.dry_run else 201, headers=headers)


@router.get("/v1/move-plans/{plan_id}", response_model=schemas.MovePlanWhole)
def get_move_plan(call: TheCall, plan_id: str) -> Response:
    """Show a plan with its steps."""
    return _stored(call, plan_id)


@router.post("/v1/move-plans/{plan_id}/run", response_model=schemas.MovePlanWhole)
def run_move_plan(call: TheCall, plan_id: str) -> Response:
    """Let a plan begin; its steps are made one by one, each judged again before it begins."""
    plans.run(call.platform, plan_id, call.caller)
    return _stored(call, plan_id)


@router.post("/v1/move-plans/{plan_id}/cancel", response_model=schemas.MovePlanWhole)
def cancel_move_plan(call: TheCall, plan_id: str) -> Response:
    """End a plan at any point; a machine on its way stays where it is, unless it has arrived."""
    plans.cancel(call.platform, plan_id, call.caller)
    return _stored(call, plan_id)


def _stored(call: Call, plan_id: str) -> Response:
    with call.platform.db.read() as connection:
        plan = store.get(connection, plan_id)
        return json_answer(_whole(call, connection, plan, store.steps(connection, plan.id)))


def _plan(call: Call, plan: MovePlan, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": plan.id,
        "kind": plan.kind,
        "state": plan.state,
        "host_id": plan.host_id,
        "summary": dict(plan.summary),
        "steps_by_state": dict(counts),
        "problem": views.problem(plan.problem, call.language),
        "created_by": plan.created_by,
        "created_at_s": plan.created_at_s,
        "ended_at_s": plan.ended_at_s,
    }


def _whole(call: Call, connection: Connection, plan: MovePlan, steps: Sequence[MoveStep]) -> dict[str, Any]:
    names = {h.id: h.name for h in hosts.hosts(connection)}
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.state.value] = counts.get(step.state.value, 0) + 1
    stays = [
        {**stay, "host": names[stay["host_id"]], "text": say(stay["reason"], {"machine": stay["machine"]}, call.language)}
        for stay in plan.stays
    ]
    return {**_plan(call, plan, counts), "steps": [_step(call, s, names) for s in steps], "stays": stays}


def _step(call: Call, step: MoveStep, names: Mapping[Any, str]) -> dict[str, Any]:
    same = ("position", "machine_id", "machine", "source_id", "target_id", "memory_mib", "disk_gib", "state")
    return {
        **{name: getattr(step, name) for name in same},
        "source": names[step.source_id],
        "target": names[step.target_id],
        "problem": views.problem(step.problem, call.language),
        "started_at_s": step.started_at_s,
        "ended_at_s": step.ended_at_s,
    }


def _migrating(call: Call) -> set[PoolId]:
    """Return the pools whose driver moves machines; one host speaks for its pool."""
    with call.platform.db.read() as connection:
        pools = {p.id: p for p in directory.pools(connection)}
        first = {h.pool_id: h for h in reversed(hosts.hosts(connection))}
    return {pool_id for pool_id, host in first.items() if _moves_machines(call, pools[pool_id], host)}


def _moves_machines(call: Call, pool: Pool, host: Host) -> bool:
    context = DriverContext(host_id=host.id, host_name=host.name, connection=host.connection, clock=call.platform.clock)
    try:
        driver = call.context.drivers(pool.driver, context)
        try:
            return Capability.LIVE_MIGRATION in driver.capabilities()
        finally:
            driver.close()
    except DriverFault:
        return False
