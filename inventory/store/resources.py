"""Resources and the holds on them. Every write of a worker carries the fence of its hold; a stale one changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, func, select, tuple_, update

from inventory.domain.errors import NotFound, Problem
from inventory.domain.ids import PREFIXES, HostId, ResourceId, SystemId, TicketId
from inventory.domain.resource import SPEC_TYPES, Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.scope import Scope
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.scoping import in_scope

_R = t.resources.c
_NAMES = tuple(_R.keys())
_VALUES = attrgetter(*_NAMES)
#: A look at something settled is no news to people: it stays settled while a worker has it.
_WORKING = case(
    ((_R.phase == Phase.SETTLED.value) & (_R.settled_generation == _R.generation), Phase.SETTLED.value),
    else_=Phase.WORKING.value,
)

#: Statements of the reconciler's inner loop are built once: building one costs more than running it.
_DUE = (_R.next_try_s <= bindparam("now_s")) & (_R.hold_until_s <= bindparam("now_s")) & (_R.phase != Phase.GONE.value)
_UNSETTLED = (Phase.PENDING.value, Phase.WORKING.value, Phase.FAILED.value)
_NOT_ON_HOSTS = _R.host_id.is_(None) | _R.host_id.not_in(bindparam("not_hosts", expanding=True))
_ANY_DUE = select(_R.id).where(_DUE).limit(1)
_ANY_DUE_ELSEWHERE = _ANY_DUE.where(_NOT_ON_HOSTS)
_STILL_HELD = (_R.owner == bindparam("holder")) & tuple_(_R.id, _R.fence).in_(bindparam("holds", expanding=True))
_J = t.journal.c
_HELD = (
    select(
        _R.id,
        _R.fence,
        _R.generation,
        _R.revision,
        _R.next_try_s,
        _R.hold_until_s,
        _R.problem,
        _J.state,
        _J.amounts,
        _J.host_id,
        _J.occurred_at_s,
        _R.phase,
        _R.seen_at_s,
        _R.agreed_at_s,
        t.hosts.c.observed_at_s.label("host_observed_at_s"),
    )
    .select_from(
        t.resources.outerjoin(t.journal, (_J.resource_id == _R.id) & (_J.revision == _R.revision)).outerjoin(
            t.hosts, t.hosts.c.id == _R.host_id
        )
    )
    .where(_STILL_HELD)
)
_HELD_LOCKED = _HELD.with_for_update(of=t.resources)
_BY_IDS = select(t.resources).where(_R.id.in_(bindparam("ids", expanding=True)))
_OF_HOST = select(t.resources).where(_R.host_id == bindparam("host"), _R.phase != Phase.GONE.value).order_by(_R.id)
#: The last look at its host, unless an earlier moment is kept already.
_AGREED = func.coalesce(_R.agreed_at_s, select(t.hosts.c.observed_at_s).where(t.hosts.c.id == _R.host_id).scalar_subquery())
_LOOK_NOW = (
    update(t.resources)
    .where(_R.id.in_(bindparam("ids", expanding=True)), _R.phase.not_in([Phase.GONE.value, Phase.FAILED.value]))
    .where((_R.next_try_s.is_(None)) | (_R.next_try_s > bindparam("now_s")))
    .values(next_try_s=bindparam("now_s"))
)
_NUDGE = _LOOK_NOW.where(_R.hold_until_s <= bindparam("now_s"))


def from_row(row: Row[Any] | Mapping[str, Any]) -> Resource:
    """Return the domain value of a row of ``resources``."""
    values = dict(row._mapping) if isinstance(row, Row) else dict(row)
    kind = ResourceKind(values["kind"])
    values |= {
        "kind": kind,
        "desired": Desired(values["desired"]),
        "observed": Observed(values["observed"]),
        "phase": Phase(values["phase"]),
        "spec": SPEC_TYPES[kind].from_json(values["spec"]),
        "problem": Problem.from_json(values["problem"]) if values["problem"] else None,
    }
    return Resource(**values)


def to_row(resource: Resource) -> dict[str, Any]:
    """Return the row of a resource."""
    values = {name: getattr(resource, name) for name in _NAMES}
    values |= {
        "kind": resource.kind.value,
        "desired": resource.desired.value,
        "observed": resource.observed.value,
        "phase": resource.phase.value,
        "spec": resource.spec.to_json(),
        "problem": resource.problem.to_json() if resource.problem else None,
        "detail": dict(resource.detail),
    }
    return values


def insert(connection: Connection, resources: Sequence[Resource]) -> None:
    """Add new resources."""
    if not resources:
        return
    columns: dict[str, Sequence[Any]] = dict(zip(_NAMES, zip(*map(_VALUES, resources), strict=True), strict=True))
    columns |= {name: [word.value for word in columns[name]] for name in ("kind", "desired", "observed", "phase")}
    columns["spec"] = [spec.to_json() for spec in columns["spec"]]
    columns["problem"] = [problem.to_json() if problem else None for problem in columns["problem"]]
    bulk.insert_columns(connection, t.resources, columns)


def get(connection: Connection, resource_id: str, scope: Scope) -> Resource:
    """Return one resource inside the scope.

    Raises:
        NotFound: ``resource.not_found``, for what is outside the scope too.
    """
    statement = select(t.resources).where(_R.id == resource_id, in_scope(scope, _R.department_id))
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound("resource.not_found", resource=resource_id)
    return from_row(row)


def page(
    connection: Connection,
    scope: Scope,
    *,
    kind: ResourceKind,
    limit: int,
    after: str = "",
    system_id: SystemId | None = None,
    host_id: HostId | None = None,
    with_gone: bool = False,
) -> list[Resource]:
    """Return up to ``limit`` resources of a kind with an id greater than ``after``."""
    # An id begins with its kind and goes on in hexadecimal: the page is a part of the primary key, in any collation.
    first, beyond = f"{PREFIXES[kind]}_", f"{PREFIXES[kind]}_g"
    own = (_R.kind == kind.value, _R.id > (after or first), _R.id < beyond, in_scope(scope, _R.department_id))
    statement = select(t.resources).where(*own).order_by(_R.id).limit(limit)
    if system_id is not None:
        statement = statement.where(_R.system_id == system_id)
    if host_id is not None:
        statement = statement.where(_R.host_id == host_id)
    if not with_gone:
        statement = statement.where(_R.phase != Phase.GONE.value)
    return [from_row(r) for r in connection.execute(statement)]


def of_system(connection: Connection, system_id: SystemId) -> list[Resource]:
    """Return every resource of a system that is not gone, by kind and name."""
    statement = select(t.resources).where(_R.system_id == system_id, _R.phase != Phase.GONE.value).order_by(_R.kind, _R.name)
    return [from_row(r) for r in connection.execute(statement)]


def of_host(connection: Connection, host_id: HostId) -> list[Resource]:
    """Return every resource on a host that is not gone."""
    return [from_row(r) for r in connection.execute(_OF_HOST, {"host": host_id})]


def by_ids(connection: Connection, ids: Iterable[ResourceId]) -> dict[ResourceId, Resource]:
    """Return the resources of these ids; missing ones are left out."""
    if not (wanted := list(ids)):
        return {}
    return {ResourceId(r.id): from_row(r) for r in connection.execute(_BY_IDS, {"ids": wanted})}


def claim_due(
    connection: Connection, *, owner: str, now_s: float, hold_s: float, limit: int, host_ids: Sequence[HostId] = ()
) -> list[Resource]:
    """Take up to ``limit`` due resources under a hold, oldest first, in one statement.

    Nothing read before this may be used after it: the returned rows are the truth the work starts from.
    ``host_ids`` leaves out hosts whose worker cannot take more now.
    """
    statement = _claim_statement(bulk.is_postgresql(connection), bool(host_ids))
    values = {"now_s": now_s, "until_s": now_s + hold_s, "new_owner": owner, "most": limit}
    if host_ids:
        values["not_hosts"] = list(host_ids)
    taken = [from_row(r) for r in connection.execute(statement, values)]
    return sorted(taken, key=lambda r: r.id)


@cache
def _claim_statement(is_postgresql: bool, leaves_out_hosts: bool) -> Any:
    due = select(_R.id).where(_DUE)
    if leaves_out_hosts:
        due = due.where(_NOT_ON_HOSTS)
    due = due.order_by(_R.next_try_s, _R.id).limit(bindparam("most"))
    chosen = _R.id.in_(due.with_for_update(skip_locked=True) if is_postgresql else due.scalar_subquery())
    until_s: Any = bindparam("until_s")
    return (
        update(t.resources)
        .where(chosen)
        # Due again when the hold ends; anything earlier found there later means "woken during the hold".
        .values(owner=bindparam("new_owner"), hold_until_s=until_s, next_try_s=until_s, fence=_R.fence + 1, phase=_WORKING)
        .returning(t.resources)
    )


def claim_for_reap(
    connection: Connection, ids: Sequence[ResourceId], *, owner: str, now_s: float, hold_s: float, host_id: HostId
) -> list[Resource]:
    """Take resources that do not live on ``host_id`` (gone, or placed elsewhere) to remove what is left of them there."""
    statement = (
        update(t.resources)
        .where(_R.id.in_(list(ids)), _R.hold_until_s <= now_s)
        .where((_R.phase == Phase.GONE.value) | _R.host_id.is_(None) | (_R.host_id != host_id) & _R.lost_host_id.is_(None))
        # What is on its way there is no leftover, nor what is still to be brought back from where it was lost.
        .where(_R.target_host_id.is_(None) | (_R.target_host_id != host_id))
        .values(owner=owner, hold_until_s=now_s + hold_s, fence=_R.fence + 1)
        .returning(t.resources)
    )
    return sorted((from_row(r) for r in connection.execute(statement)), key=lambda r: r.id)


def is_any_due(connection: Connection, *, now_s: float, host_ids: Sequence[HostId] = ()) -> bool:
    """Tell whether ``claim_due`` would find something; a cheap read for an idle loop."""
    if host_ids:
        found = connection.execute(_ANY_DUE_ELSEWHERE, {"now_s": now_s, "not_hosts": list(host_ids)})
    else:
        found = connection.execute(_ANY_DUE, {"now_s": now_s})
    return found.first() is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """What a resource under a hold of ours is at this moment, and the last line of its journal."""

    id: ResourceId
    generation: int
    revision: int
    #: Somebody asked for a look while we had it, or may have: a hold that ran out hides it.
    is_woken: bool
    #: What was recorded of this go so far.
    problem: Problem | None
    #: Empty where there is no journal (segments).
    last_state: str
    last_amounts: Mapping[str, int]
    last_host_id: HostId | None
    last_occurred_at_s: int
    #: When it was known last to be as its row says.
    agreed_at_s: float = 0.0


def lock_held(
    connection: Connection, owner: str, holds: Sequence[tuple[ResourceId, int]], *, now_s: float
) -> dict[tuple[ResourceId, int], HeldRow]:
    """Return those of the (resource, fence) pairs that ``owner`` still holds, locked; the others are lost."""
    if not holds:
        return {}
    statement = _HELD_LOCKED if bulk.is_postgresql(connection) else _HELD
    return {
        (ResourceId(r.id), r.fence): HeldRow(
            id=ResourceId(r.id),
            generation=r.generation,
            revision=r.revision,
            is_woken=r.next_try_s is not None and (r.next_try_s != r.hold_until_s or r.hold_until_s <= now_s),
            problem=Problem.from_json(r.problem) if r.problem else None,
            last_state=r.state or "",
            last_amounts=r.amounts or {},
            last_host_id=r.host_id,
            last_occurred_at_s=r.occurred_at_s or 0,
            agreed_at_s=last_agreed_s(r.phase, r.seen_at_s, r.agreed_at_s, r.host_observed_at_s),
        )
        for r in connection.execute(statement, {"holder": owner, "holds": list(holds)})
    }


def last_agreed_s(phase: str, seen_at_s: float, agreed_at_s: float | None, host_observed_at_s: float | None) -> float:
    """Return when a resource was known last to be as its row says: of one at rest, whenever its host was looked at."""
    if agreed_at_s is None and phase == Phase.SETTLED.value:
        agreed_at_s = host_observed_at_s
    return max(seen_at_s, agreed_at_s or 0.0)


def write_held_many(
    connection: Connection, owner: str, holds: Sequence[tuple[ResourceId, int]], changes: Mapping[str, Any]
) -> int:
    """Write the same ``changes`` to every resource of ``holds`` that ``owner`` still holds; returns how many."""
    if not holds:
        return 0
    values = {f"new_{name}": value for name, value in changes.items()}
    statement = _write_statement(tuple(sorted(changes)))
    return connection.execute(statement, {**values, "holder": owner, "holds": list(holds)}).rowcount


@cache
def _write_statement(names: tuple[str, ...]) -> Any:
    values = {name: bindparam(f"new_{name}", type_=t.resources.c[name].type) for name in names}
    return update(t.resources).where(_STILL_HELD).values(**values)


def extend_holds(
    connection: Connection, owner: str, holds: Sequence[tuple[ResourceId, int]], *, now_s: float, until_s: float
) -> set[ResourceId]:
    """Keep holds for longer; returns the resources still held. A hold that has run out is not brought back."""
    if not holds:
        return set()
    # Anything else than the end of the hold means woken, and nothing at all not due (a leftover): both stay as they are.
    until = case((_R.next_try_s == _R.hold_until_s, until_s), else_=_R.next_try_s)
    statement = (
        update(t.resources)
        .where(_STILL_HELD, _R.hold_until_s > now_s)
        .values(hold_until_s=until_s, next_try_s=until)
        .returning(_R.id)
    )
    return {ResourceId(i) for i in connection.execute(statement, {"holder": owner, "holds": list(holds)}).scalars()}


def write_held(connection: Connection, resource: Resource, changes: Mapping[str, Any]) -> bool:
    """Write ``changes`` under the hold ``resource`` was claimed with. False: the hold is lost, drop the work."""
    statement = (
        update(t.resources).where(_R.id == resource.id, _R.fence == resource.fence, _R.owner == resource.owner).values(**changes)
    )
    return connection.execute(statement).rowcount == 1


def release_holds(connection: Connection, owner: str, now_s: float) -> int:
    """Let go of everything ``owner`` holds (clean stop), to be taken up at once by the next; returns how many."""
    return _let_go(connection, _R.owner == owner, now_s)


def release_all_holds(connection: Connection, now_s: float) -> int:
    """Let go of every hold, for a controller that knows it is the only one: whoever held them is dead. Fences stay raised."""
    return _let_go(connection, _R.owner != "", now_s)


def _let_go(connection: Connection, whose: ColumnElement[bool], now_s: float) -> int:
    # A claim put the next try to the end of the hold; a row without one has nothing to be tried.
    soon = case((_R.next_try_s.is_(None), None), else_=now_s)
    statement = update(t.resources).where(whose).values(owner="", hold_until_s=0.0, next_try_s=soon)
    return connection.execute(statement).rowcount


def wish(connection: Connection, ids: Sequence[ResourceId], *, desired: Desired, ticket_id: str, now_s: float) -> None:
    """Change what is wanted; the reconciler looks at once. A running hold keeps its fence and will see the new wish."""
    if not ids:
        return
    statement = (
        update(t.resources)
        .where(_R.id == bindparam("key"), _R.phase != Phase.GONE.value)
        .values(
            desired=desired.value,
            ticket_id=ticket_id,
            generation=_R.generation + 1,
            phase=Phase.PENDING.value,
            next_try_s=now_s,
            attempts=0,
            problem=None,
            agreed_at_s=case((_R.phase == Phase.SETTLED.value, _AGREED), else_=_R.agreed_at_s),
        )
    )
    connection.execute(statement, [{"key": i} for i in ids])


def order_reboot(connection: Connection, resource_id: ResourceId, now_s: float) -> bool:
    """Have a machine restarted once; False where a restart is ordered already and not carried out yet."""
    statement = (
        update(t.resources)
        .where(_R.id == resource_id, _R.reboots_wanted == _R.reboots_done, _R.phase != Phase.GONE.value)
        .values(reboots_wanted=_R.reboots_wanted + 1, next_try_s=now_s)
    )
    return connection.execute(statement).rowcount == 1


def rewrite(connection: Connection, resource: Resource) -> bool:
    """Give an existing resource a new wish; the rest stays the worker's. False: it is not what it was when it was read."""
    fields = ("desired", "spec", "generation", "phase", "next_try_s", "attempts", "problem", "ticket_id")
    row = to_row(resource)
    # A move that ended since changed the spec too, and of the numbers only the revision.
    statement = (
        update(t.resources)
        .where(_R.id == resource.id, _R.generation == resource.generation - 1, _R.phase != Phase.GONE.value)
        .where(_R.target_host_id.is_(None), _R.revision == resource.revision)
        .values(**{f: row[f] for f in fields})
    )
    return connection.execute(statement).rowcount == 1


def retry_failed(connection: Connection, ticket_id: TicketId, now_s: float) -> int:
    """Have the failed resources of a ticket tried again; returns how many."""
    statement = (
        update(t.resources)
        .where(_R.ticket_id == ticket_id, _R.phase == Phase.FAILED.value)
        .values(phase=Phase.PENDING.value, next_try_s=now_s, attempts=0, problem=None)
    )
    return connection.execute(statement).rowcount


def any_unsettled_of_ticket(connection: Connection, ticket_id: TicketId) -> bool:
    """Tell whether a ticket still has something to be done."""
    statement = select(_R.id).where(_R.ticket_id == ticket_id, _R.phase.in_(_UNSETTLED)).limit(1)
    return connection.execute(statement).first() is not None


def lock_parts(connection: Connection, ids: Sequence[ResourceId]) -> list[Resource]:
    """Return resources as they are now, locked until the end of the transaction."""
    if not ids:
        return []
    statement = select(t.resources).where(_R.id.in_(list(ids))).order_by(_R.id)
    if bulk.is_postgresql(connection):
        statement = statement.with_for_update()
    return [from_row(r) for r in connection.execute(statement)]


def _anew(now_s: float) -> dict[str, Any]:
    """Return what has a resource begun anew: nobody holds it, and nothing was tried."""
    return {"step": "", "attempts": 0, "problem": None, "next_try_s": now_s, "owner": "", "hold_until_s": 0.0}


def move(connection: Connection, resource: Resource, *, revision: int, now_s: float) -> None:
    """Write a resource's new host and spec and have it made or brought back there. A raised fence voids late work elsewhere."""
    values = {
        "host_id": resource.host_id,
        "lost_host_id": resource.lost_host_id,
        "spec": resource.spec.to_json(),
        "observed": Observed.UNKNOWN.value,
        "phase": Phase.PENDING.value,
        "settled_generation": _R.settled_generation if resource.lost_host_id else 0,  # what once worked is not half made
        **_anew(now_s),
        "fence": _R.fence + 1,
        "placements": _R.placements + 1,
        "revision": revision,
    }
    connection.execute(update(t.resources).where(_R.id == resource.id).values(**values))


def set_out(connection: Connection, ids: Sequence[ResourceId], target_host_id: HostId, *, fence: int, now_s: float) -> None:
    """Have a machine and its disks go to another host. One fence for all, above all before: older work of any is void."""
    values = {"target_host_id": target_host_id, "fence": fence, **_anew(now_s)}
    connection.execute(update(t.resources).where(_R.id.in_(list(ids))).values(**values))


def take_away(connection: Connection, ids: Sequence[ResourceId], now_s: float) -> None:
    """Void every hold on these and have them looked at now: what their workers were told is not true any more."""
    values = {"fence": _R.fence + 1, "owner": "", "hold_until_s": 0.0, "next_try_s": now_s}
    connection.execute(update(t.resources).where(_R.id.in_(list(ids))).values(**values))


def end_move(connection: Connection, resource: Resource, *, fence: int, revision: int, now_s: float) -> None:
    """Write where a resource is after a move, arrived or not, and have it looked at there."""
    is_settled = resource.generation == resource.settled_generation
    values = {
        "host_id": resource.host_id,
        "target_host_id": None,
        "spec": resource.spec.to_json(),
        "observed": resource.observed.value,
        # Both hosts were looked at last: what was asked before proves nothing of where it is.
        "observed_at_s": now_s,
        "phase": Phase.SETTLED.value if is_settled else Phase.PENDING.value,
        **_anew(now_s),
        "fence": fence,
        "revision": revision,
    }
    connection.execute(update(t.resources).where(_R.id == resource.id).values(**values))


def is_any_moving(connection: Connection, system_id: SystemId) -> bool:
    """Tell whether something of a system is on its way to another host."""
    statement = select(_R.id).where(_R.system_id == system_id, _R.target_host_id.is_not(None)).limit(1)
    return connection.execute(statement).first() is not None


def machines(
    connection: Connection, *, ids: Sequence[ResourceId] | None = None, system_id: SystemId | None = None
) -> list[Resource]:
    """Return living machines and data disks that have a host: all, those of these ids, or those of a system."""
    kinds = [ResourceKind.INSTANCE.value, ResourceKind.VOLUME.value]
    statement = select(t.resources).where(_R.kind.in_(kinds), _R.phase != Phase.GONE.value, _R.host_id.is_not(None))
    if ids is not None:
        statement = statement.where(_R.id.in_(list(ids)))
    if system_id is not None:
        statement = statement.where(_R.system_id == system_id)
    return [from_row(r) for r in connection.execute(statement.order_by(_R.id))]


def count_of_ticket(connection: Connection, ticket_id: TicketId) -> int:
    """Return how many resources a ticket speaks of."""
    return connection.execute(select(func.count()).select_from(t.resources).where(_R.ticket_id == ticket_id)).scalar_one()


def settled_of_ticket(connection: Connection, ticket_id: TicketId) -> tuple[int, int]:
    """Return how many resources of a ticket are as it wants them, and how many it speaks of."""
    settled = func.count().filter(_R.phase.not_in(_UNSETTLED))
    done, total = connection.execute(select(settled, func.count()).where(_R.ticket_id == ticket_id)).one()
    return done, total


def wake_unsettled(
    connection: Connection, ids: Sequence[ResourceId], now_s: float, *, of_segments: Sequence[ResourceId] = ()
) -> None:
    """Have the reconciler go on with machines that wait for a part: those of ``ids`` and all on these segments."""
    if not ids and not of_segments:
        return
    a = t.addresses.c
    chosen: Any = _R.id.in_(list(ids))
    if of_segments:
        users = select(a.resource_id).where(a.segment_id.in_(list(of_segments)), a.resource_id.is_not(None))
        chosen = chosen | _R.id.in_(users)
    statement = (
        update(t.resources)
        .where(chosen, _R.settled_generation != _R.generation, _R.next_try_s > now_s, _R.phase != Phase.FAILED.value)
        .values(next_try_s=now_s)
    )
    connection.execute(statement)


def look_if_moved(connection: Connection, observed: Mapping[ResourceId, str], now_s: float) -> None:
    """Have the reconciler look at settled resources that a back end reported in another state than the stored one."""
    by_state: dict[str, list[ResourceId]] = {}
    for resource_id, state in observed.items():
        by_state.setdefault(state, []).append(resource_id)
    for state, ids in sorted(by_state.items()):
        statement = (
            update(t.resources)
            .where(_R.id.in_(ids), _R.phase == Phase.SETTLED.value, _R.observed != state, _R.next_try_s.is_(None))
            .values(next_try_s=now_s)
        )
        connection.execute(statement)


def differ(connection: Connection, ids: Sequence[ResourceId], now_s: float) -> None:
    """As ``look_now``, of what a look at its host found otherwise than its row says; when it last agreed is kept."""
    if ids:
        connection.execute(update(t.resources).where(_R.id.in_(list(ids))).values(agreed_at_s=_AGREED))
        look_now(connection, ids, now_s)


def look_now(connection: Connection, ids: Sequence[ResourceId], now_s: float) -> None:
    """Have the reconciler look at these soon (an event or drift); the wish stays."""
    if ids:
        connection.execute(_LOOK_NOW, {"ids": list(ids), "now_s": now_s})


def nudge(connection: Connection, ids: Sequence[ResourceId], now_s: float) -> None:
    """As ``look_now``, but only what nobody has in hand: whoever has it will tell those who wait."""
    if ids:
        connection.execute(_NUDGE, {"ids": list(ids), "now_s": now_s})


def count_on_hosts(connection: Connection, scope: Scope, host_ids: Sequence[HostId]) -> int:
    """Return how much of the departments of a scope lives on these hosts."""
    there = (_R.host_id.in_(list(host_ids)), _R.phase != Phase.GONE.value, in_scope(scope, _R.department_id))
    return int(connection.execute(select(func.count()).select_from(t.resources).where(*there)).scalar_one())


def count_by_state(connection: Connection) -> list[tuple[str, str, str, int]]:
    """Return (kind, phase, observed, count)."""
    statement = select(_R.kind, _R.phase, _R.observed, func.count()).group_by(_R.kind, _R.phase, _R.observed)
    return [(a, b, c, d) for a, b, c, d in connection.execute(statement)]
