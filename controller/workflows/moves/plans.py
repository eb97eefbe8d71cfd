"""Plans of moves as an operator handles them: computed and stored, run, cancelled. What runs them is ``begin`` and ``end``."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.moves import store
from controller.moves.model import MovePlan, MoveStep, PlanState, StepState
from controller.scheduling.moves.cluster import Cluster, WantedEntry
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.drain import drain
from controller.scheduling.moves.make_room import make_room
from controller.scheduling.moves.plan import BOUNDS_OF, Limits, Plan, PlanKind
from controller.scheduling.moves.rebalance import rebalance
from controller.scheduling.moves.repair import repair
from controller.workflows.capacity.fit import FitQuestion, shape_of
from controller.workflows.moves.picture import Rules, load_cluster
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, Invalid, NotFound
from inventory.domain.ids import HostId, MovePlanId, PoolId
from inventory.domain.resources import Resources
from inventory.store import directory, hosts, resources

#: Kinds that move what need not move: machines rest a while before and after.
_CHOSEN = frozenset({PlanKind.REBALANCE, PlanKind.CONSOLIDATE, PlanKind.MAKE_ROOM})


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWish:
    """Machines of one size that room is to be made for."""

    size: str
    count: int = 1
    #: Code; empty for all.
    zone: str = ""
    mlps_level: int = 1
    disk_class: str = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What plan is asked for."""

    kind: PlanKind
    #: Name or id of the host to empty.
    host: str = ""
    #: Only where room is to be made.
    room: RoomWish | None = None
    limits: Limits = field(default_factory=Limits)
    #: Names of the bounds that were asked for.
    bounds: Collection[str] = ()
    #: Pools whose driver moves machines.
    migrating: Collection[PoolId] = ()


def compute(platform: Platform, request: PlanRequest, caller: Caller, *, is_dry_run: bool) -> tuple[MovePlan, list[MoveStep]]:
    """Return a new plan, stored unless it is a dry run.

    Raises:
        Invalid: ``moves.host_missing``: a drain without a host; ``moves.size_missing``: making room without a size;
            ``moves.size_lies``: for a size that asks how its machines lie on their hosts; ``moves.bound_not_of_kind``: bounds
            that such a plan does not know.
        NotFound: ``host.not_found``, ``size.not_found``, ``zone.not_found``.
    """
    if (request.kind is PlanKind.DRAIN) != bool(request.host):
        raise Invalid("moves.host_missing", kind=request.kind.value)
    if (request.kind is PlanKind.MAKE_ROOM) != (request.room is not None):
        raise Invalid("moves.size_missing", kind=request.kind.value)
    foreign = sorted(set(request.bounds) - BOUNDS_OF[request.kind])
    if foreign:
        known = ", ".join(sorted(BOUNDS_OF[request.kind]))
        raise Invalid("moves.bound_not_of_kind", kind=request.kind.value, bounds=", ".join(foreign), known=known)
    now_s = platform.clock()
    bounds = platform.moves if request.kind in _CHOSEN else None
    with platform.db.read() as connection:
        host_id = hosts.host(connection, request.host).id if request.host else None
        wanted = _wanted(connection, request.room) if request.room else ()
        cluster = load_cluster(connection, Rules(now_s=now_s, migrating=request.migrating, bounds=bounds, wanted=wanted))
    plan = _planned(cluster, request, host_id)
    stored = MovePlan(
        id=MovePlanId(platform.new_id("move_plan")),
        kind=plan.kind.value,
        state=PlanState.PLANNED,
        host_id=host_id,
        summary=summary_of(plan, cluster),
        stays=[asdict(stay) for stay in plan.stays],
        problem=None,
        created_by=caller.user_name,
        created_at_s=now_s,
    )
    steps = [MoveStep(plan_id=stored.id, position=n, **asdict(move)) for n, move in enumerate(plan.moves)]
    if not is_dry_run:
        platform.db.run(lambda connection: _store(connection, platform, caller, stored, steps))
    return stored, steps


def _wanted(connection: Connection, wish: RoomWish) -> tuple[WantedEntry, ...]:
    shape = shape_of(connection, FitQuestion(size=wish.size, disk_class=wish.disk_class))
    if shape.seat is not None:
        raise Invalid("moves.size_lies", size=wish.size)
    zones = {z.code: z.id for z in directory.zones(connection)}
    if wish.zone and wish.zone not in zones:
        raise NotFound("zone.not_found", zone=wish.zone, known=", ".join(zones))
    entry = WantedEntry(
        compute=Resources.of(dict(shape.ask)),
        disk=(shape.disk_class, shape.disk_gib) if shape.disk_gib else None,
        zone_id=zones[wish.zone] if wish.zone else "",
        mlps_level=wish.mlps_level,
        arch=shape.arch,
        traits=shape.traits,
    )
    return (entry,) * wish.count


def _planned(cluster: Cluster, request: PlanRequest, host_id: HostId | None) -> Plan:
    if request.kind is PlanKind.DRAIN:
        assert host_id is not None
        return drain(cluster, [host_id], request.limits)
    planners = {
        PlanKind.REBALANCE: rebalance,
        PlanKind.REPAIR: repair,
        PlanKind.CONSOLIDATE: consolidate,
        PlanKind.MAKE_ROOM: make_room,
    }
    return planners[request.kind](cluster, request.limits)


def summary_of(plan: Plan, cluster: Cluster) -> dict[str, object]:
    """Return what a plan costs and gains."""
    return {
        "moves": len(plan.moves),
        "memory_mib": plan.memory_mib,
        "score_before_micro": plan.score_before_micro,
        "score_after_micro": plan.score_after_micro,
        "freed": [cluster.host_names[cluster.host_index[h]] for h in plan.freed],
        "saving_wh": plan.saving_wh,
        "wanted": len(cluster.wanted),
        "room_on": [cluster.host_names[cluster.host_index[h]] for h in plan.room_on if h is not None],
        "broken_before": plan.broken_before,
        "broken_after": plan.broken_after,
    }


def _store(connection: Connection, platform: Platform, caller: Caller, plan: MovePlan, steps: list[MoveStep]) -> None:
    store.insert(connection, plan, steps)
    _note(connection, platform, caller, "moves.plan", plan, moves=len(steps))


def run(platform: Platform, plan_id: str, caller: Caller) -> MovePlan:
    """Let a plan begin; the reconciler makes its steps one by one.

    Raises:
        NotFound: ``moves.plan_not_found``.
        Conflict: ``moves.plan_not_planned``, ``moves.another_runs``.
    """

    def unit(connection: Connection) -> MovePlan:
        plan = store.get(connection, plan_id, lock=True)
        if plan.state is not PlanState.PLANNED:
            raise Conflict("moves.plan_not_planned", plan=plan.id, state=plan.state.value)
        others = store.running(connection, lock=True)
        if others:
            raise Conflict("moves.another_runs", plan=others[0].id)
        store.move_plan(connection, plan.id, PlanState.PLANNED, PlanState.RUNNING)
        _note(connection, platform, caller, "moves.run", plan)
        return store.get(connection, plan.id)

    return platform.db.run(unit)


def cancel(platform: Platform, plan_id: str, caller: Caller) -> MovePlan:
    """End a plan at any point. A machine on its way stays where it is, unless it has arrived by then.

    Raises:
        NotFound: ``moves.plan_not_found``.
        Conflict: ``moves.plan_over``.
    """

    def unit(connection: Connection) -> MovePlan:
        plan = store.get(connection, plan_id, lock=True)
        if plan.state not in (PlanState.PLANNED, PlanState.RUNNING):
            raise Conflict("moves.plan_over", plan=plan.id, state=plan.state.value)
        now_s = platform.clock()
        store.move_plan(connection, plan.id, plan.state, PlanState.CANCELLED, ended_at_s=now_s)
        store.cancel_planned(connection, plan.id, now_s)
        under_way = [s.machine_id for s in store.steps(connection, plan.id) if s.state is StepState.RUNNING]
        # A worker at it was told to go on: the next one is told to turn back, under a newer fence.
        resources.take_away(connection, under_way, now_s)
        _note(connection, platform, caller, "moves.cancel", plan)
        return store.get(connection, plan.id)

    return platform.db.run(unit)


def _note(connection: Connection, platform: Platform, caller: Caller, action: str, plan: MovePlan, **detail: object) -> None:
    detail = {"kind": plan.kind, "host_id": plan.host_id, **detail}
    seal(connection, platform, caller, action, plan.id, detail)
