"""Resources and the holds on them. Every write of a worker carries the fence of its hold; a stale one changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from inventory.domain.errors import Conflict, NotFound, Problem
from inventory.domain.ids import HostId, ResourceId, SystemId
from inventory.domain.resource import SPEC_TYPES, Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.scope import Scope
from inventory.store import tables as t

_R = t.resources.c


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
    values = {name: getattr(resource, name) for name in t.resources.c.keys()}  # noqa: SIM118  a column collection iterates columns
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
    if resources:
        connection.execute(t.resources.insert(), [to_row(r) for r in resources])


def get(connection: Connection, resource_id: str, scope: Scope) -> Resource:
    """Return one resource inside the scope.

    Raises:
        NotFound: ``resource.not_found``, for what is outside the scope too.
    """
    statement = _scoped(select(t.resources).where(_R.id == resource_id), scope)
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
    statement = select(t.resources).where(_R.kind == kind.value, _R.id > after).order_by(_R.id).limit(limit)
    if system_id is not None:
        statement = statement.where(_R.system_id == system_id)
    if host_id is not None:
        statement = statement.where(_R.host_id == host_id)
    if not with_gone:
        statement = statement.where(_R.phase != Phase.GONE.value)
    return [from_row(r) for r in connection.execute(_scoped(statement, scope))]


def of_system(connection: Connection, system_id: SystemId) -> list[Resource]:
    """Return every resource of a system that is not gone, by kind and name."""
    statement = select(t.resources).where(_R.system_id == system_id, _R.phase != Phase.GONE.value).order_by(_R.kind, _R.name)
    return [from_row(r) for r in connection.execute(statement)]


def of_host(connection: Connection, host_id: HostId) -> list[Resource]:
    """Return every resource on a host that is not gone."""
    statement = select(t.resources).where(_R.host_id == host_id, _R.phase != Phase.GONE.value).order_by(_R.id)
    return [from_row(r) for r in connection.execute(statement)]


def by_ids(connection: Connection, ids: Iterable[ResourceId]) -> dict[ResourceId, Resource]:
    """Return the resources of these ids; missing ones are left out."""
    wanted = list(ids)
    if not wanted:
        return {}
    return {ResourceId(r.id): from_row(r) for r in connection.execute(select(t.resources).where(_R.id.in_(wanted)))}


def claim_due(
    connection: Connection, *, owner: str, now_s: float, hold_s: float, limit: int, host_ids: Sequence[HostId] = ()
) -> list[Resource]:
    """Take up to ``limit`` due resources under a hold, oldest first, in one statement.

    Nothing read before this may be used after it: the returned rows are the truth the work starts from.
    ``host_ids`` leaves out hosts whose worker cannot take more now.
    """
    due = select(_R.id).where(_R.next_try_s <= now_s, _R.hold_until_s <= now_s)
    if host_ids:
        due = due.where(_R.host_id.not_in(list(host_ids)))
    due = due.order_by(_R.next_try_s, _R.id).limit(limit)
    if connection.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    statement = (
        update(t.resources)
        .where(_R.id.in_(due.scalar_subquery() if connection.dialect.name == "sqlite" else due))
        .values(owner=owner, hold_until_s=now_s + hold_s, fence=_R.fence + 1, phase=Phase.WORKING.value)
        .returning(t.resources)
    )
    taken = [from_row(r) for r in connection.execute(statement)]
    return sorted(taken, key=lambda r: r.id)


def write_held(connection: Connection, resource: Resource, changes: Mapping[str, Any]) -> bool:
    """Write ``changes`` under the hold ``resource`` was claimed with. False: the hold is lost, drop the work."""
    statement = (
        update(t.resources).where(_R.id == resource.id, _R.fence == resource.fence, _R.owner == resource.owner).values(**changes)
    )
    return connection.execute(statement).rowcount == 1


def release_holds(connection: Connection, owner: str) -> int:
    """Let go of everything ``owner`` holds (clean stop); returns how many. Their fences stay raised."""
    statement = update(t.resources).where(_R.owner == owner).values(owner="", hold_until_s=0.0)
    return connection.execute(statement).rowcount


def wish(connection: Connection, ids: Sequence[ResourceId], *, desired: Desired, ticket_id: str, now_s: float) -> None:
    """Change what is wanted; the reconciler looks at once. A running hold keeps its fence and will see the new wish."""
    statement = (
        update(t.resources)
        .where(_R.id == bindparam("key"))
        .values(
            desired=desired.value,
            ticket_id=ticket_id,
            generation=_R.generation + 1,
            phase=Phase.PENDING.value,
            next_try_s=now_s,
            attempts=0,
            problem=None,
        )
    )
    if ids:
        connection.execute(statement, [{"key": i} for i in ids])


def rewrite(connection: Connection, resource: Resource) -> None:
    """Give an existing resource a new wish (spec, generation); hold, fence and observation stay the worker's."""
    fields = ("desired", "spec", "generation", "phase", "next_try_s", "attempts", "problem", "ticket_id")
    row = to_row(resource)
    statement = (
        update(t.resources)
        .where(_R.id == resource.id, _R.generation == resource.generation - 1, _R.phase != Phase.GONE.value)
        .values(**{f: row[f] for f in fields})
    )
    if connection.execute(statement).rowcount != 1:
        raise Conflict("system.changed_meanwhile", system=resource.name)


def look_now(connection: Connection, ids: Sequence[ResourceId], now_s: float) -> None:
    """Have the reconciler look at these soon (an event or drift); the wish stays."""
    if ids:
        statement = (
            update(t.resources)
            .where(_R.id.in_(list(ids)), _R.phase != Phase.GONE.value, _R.phase != Phase.FAILED.value)
            .where((_R.next_try_s.is_(None)) | (_R.next_try_s > now_s))
            .values(next_try_s=now_s)
        )
        connection.execute(statement)


def count_by_state(connection: Connection) -> list[tuple[str, str, str, int]]:
    """Return (kind, phase, observed, count)."""
    statement = select(_R.kind, _R.phase, _R.observed, func.count()).group_by(_R.kind, _R.phase, _R.observed)
    return [(a, b, c, d) for a, b, c, d in connection.execute(statement)]


def _scoped(statement: Any, scope: Scope) -> Any:
    if scope.department_ids is None:
        return statement
    return statement.where(_R.department_id.in_(sorted(scope.department_ids)))
