"""Quota rows: guarded writes in the commit's own transaction, the read model, and the recount from claims.

A hold takes ``used`` up in the project and in every department above it, in one guarded statement. Rows are locked in one
order (scope, dimension) before they are written, so that two holds never wait for each other in a circle; the directory
rows of the chain are locked for sharing first, so that nobody moves a department under a hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.errors import Conflict, Invalid, NotFound, Problem, QuotaExceeded
from inventory.domain.ids import ProjectId, ResourceId
from inventory.domain.organisation import Department, Project
from inventory.domain.resources import QUOTA_DIMENSIONS
from inventory.store import directory
from inventory.store import tables as t
from quotas.limits import Level, Mode, Overrun, ScopeKind, growing, overruns
from quotas.tables import quotas

#: Times a release looks again at a chain of departments that was moved under it.
_CHAIN_TRIES = 3
#: Far above any use, far below the 64 bits of a row, whatever is added up.
LIMIT_MAX = 10**12

#: (kind, id) of a project and the departments above it.
Scopes = Sequence[tuple[ScopeKind, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A counter that is not what the claims add up to."""

    scope_id: str
    scope_kind: ScopeKind
    dimension: str
    used: int
    counted: int


def hold(connection: Connection, departments: Sequence[Department], project: Project, amounts: Mapping[str, int]) -> None:
    """Promise ``amounts`` to a project: all growing dimensions in all its scopes, or nothing.

    Raises:
        QuotaExceeded: ``quota.exceeded``; ``details["overruns"]`` lists every one. The caller must roll back.
        Conflict: ``quota.departments_moved``: ``departments`` is old; read again.
    """
    asked = growing(amounts)
    if not asked:
        return
    chain = directory.ancestors(departments, project.department_id)
    scopes = _scopes(project.id, chain)
    if not _lock_chain(connection, project.id, chain, asked):
        raise Conflict("quota.departments_moved", project=project.code)
    found = _locked_levels(connection, scopes, asked)
    over = overruns(found, asked)
    if over:
        raise _exceeded(connection, over)
    held = _add(connection, scopes, asked)
    assert held, "a locked quota row changed between check and write"


def release(connection: Connection, project_id: ProjectId, amounts: Mapping[str, int]) -> None:
    """Give ``amounts`` back in the project and every department above it; the database refuses to go below zero.

    Raises:
        Conflict: ``quota.departments_moved``: the tree was changed again and again meanwhile.
        NotFound: ``project.not_found``.
    """
    freed = growing(amounts)
    if not freed:
        return
    for _ in range(_CHAIN_TRIES):
        chain = _stored_chain(connection, project_id)
        if _lock_chain(connection, project_id, chain, freed):
            break
    else:
        raise Conflict("quota.departments_moved", project=project_id)
    scopes = _scopes(project_id, chain)
    _locked_levels(connection, scopes, freed)
    connection.execute(update(quotas).where(*_chosen(scopes, freed)).values(used=quotas.c.used - _by_dimension(freed)))


def levels(connection: Connection, project: Project | None = None) -> list[Level]:
    """Return limits and use, by scope and dimension: all of them, or what counts for one project on the way up."""
    statement = select(quotas).order_by(quotas.c.scope_id, quotas.c.dimension)
    if project is not None:
        chain = _stored_chain(connection, project.id)
        statement = statement.where(quotas.c.scope_id.in_([s for _, s in _scopes(project.id, chain)]))
    rows = connection.execute(statement).all()
    named = _names(connection, {r.scope_id for r in rows})
    return [_level(r, *named[r.scope_id]) for r in rows]


def ensure_rows(connection: Connection, scopes: Iterable[tuple[ScopeKind, str]]) -> None:
    """Have a row for every dimension of every scope; new ones say ``inherit`` and count nothing."""
    insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    rows = [
        {"scope_id": scope_id, "scope_kind": kind.value, "dimension": dimension, "mode": Mode.INHERIT.value, "used": 0}
        for kind, scope_id in sorted(scopes, key=lambda s: s[1])
        for dimension in sorted(QUOTA_DIMENSIONS)
    ]
    if rows:
        connection.execute(insert(quotas).on_conflict_do_nothing(), rows)


def set_limit(
    connection: Connection, scope_kind: ScopeKind, scope_id: str, dimension: str, mode: Mode, limit: int | None = None
) -> Level:
    """Set what a scope says of one dimension. A limit below what is used is allowed: it only stops growth.

    Raises:
        Invalid: ``quota.dimension_unknown``, ``quota.limit_invalid``.
    """
    if dimension not in QUOTA_DIMENSIONS:
        raise Invalid("quota.dimension_unknown", dimension=dimension, known=", ".join(QUOTA_DIMENSIONS))
    if (mode is Mode.LIMIT) != (limit is not None) or (limit is not None and not 0 <= limit <= LIMIT_MAX):
        raise Invalid("quota.limit_invalid", dimension=dimension, mode=mode.value, limit=limit, highest=LIMIT_MAX)
    ensure_rows(connection, [(scope_kind, scope_id)])
    statement = (
        update(quotas)
        .where(quotas.c.scope_id == scope_id, quotas.c.dimension == dimension)
        .values(mode=mode.value, limit_amount=limit)
        .returning(quotas)
    )
    row = connection.execute(statement).one()
    return _level(row, *_names(connection, [scope_id])[scope_id])


def recount(connection: Connection) -> list[Drift]:
    """Return every counter that differs from the sum of claims below its scope, by scope and dimension."""
    parents = {d.id: d.parent_id for d in directory.departments(connection)}
    homes = {p.id: p.department_id for p in directory.projects(connection)}
    counted: dict[tuple[str, str], int] = {}
    rows: dict[tuple[str, str], tuple[ScopeKind, int]] = {}
    # One statement, one picture: a commit between two reads would look like drift.
    for key, group in groupby(connection.execute(_claims_and_counters()), key=lambda r: (r.is_counter, r.scope_id)):
        is_counter, scope_id = key
        if is_counter:
            rows |= {(scope_id, r.dimension): (ScopeKind(r.kind), r.amount) for r in group}
            continue
        amounts = quota_amounts(_as_claim(r) for r in group)
        for scope in (scope_id, *_upwards(parents, homes[ProjectId(scope_id)])):
            for dimension, amount in amounts.items():
                counted[scope, dimension] = counted.get((scope, dimension), 0) + amount
    drift = []
    for scope, dimension in sorted(rows.keys() | {k for k, amount in counted.items() if amount}):
        kind, used = rows.get((scope, dimension), (ScopeKind.PROJECT if scope in homes else ScopeKind.DEPARTMENT, 0))
        truth = counted.get((scope, dimension), 0)
        if used != truth:
            drift.append(Drift(scope_id=scope, scope_kind=kind, dimension=dimension, used=used, counted=truth))
    return drift


def repair(connection: Connection) -> list[Drift]:
    """Set every counter to what the claims add up to; returns what was wrong, for the audit event."""
    if connection.dialect.name == "postgresql":
        # Waits for every hold under way and keeps new ones out: nothing moves between the sum and the write.
        connection.exec_driver_sql("LOCK TABLE quotas IN EXCLUSIVE MODE")
    found = recount(connection)
    ensure_rows(connection, {(d.scope_kind, d.scope_id) for d in found})
    for drift in found:
        connection.execute(
            update(quotas)
            .where(quotas.c.scope_id == drift.scope_id, quotas.c.dimension == drift.dimension)
            .values(used=drift.counted)
        )
    return found


def _scopes(project_id: str, chain: Sequence[Department]) -> Scopes:
    return [(ScopeKind.PROJECT, project_id), *((ScopeKind.DEPARTMENT, d.id) for d in chain)]


def _stored_chain(connection: Connection, project_id: ProjectId) -> list[Department]:
    home = connection.execute(select(t.projects.c.department_id).where(t.projects.c.id == project_id)).scalar_one_or_none()
    if home is None:
        raise NotFound("project.not_found", project=project_id)
    start = select(t.departments).where(t.departments.c.id == home).cte("above", recursive=True)
    above = start.union_all(select(t.departments).join(start, t.departments.c.id == start.c.parent_id))
    return [Department(**r._mapping) for r in connection.execute(select(above))]


def _lock_chain(connection: Connection, project_id: str, chain: Sequence[Department], dimensions: Mapping[str, int]) -> bool:
    """Keep the project and its departments where they are until the end of the transaction; False: they have moved.

    Rows of limits that are missing are made here, before any is locked: made later, two holds could wait in a circle.
    """
    departments, projects = t.departments.c, t.projects.c
    scopes = _scopes(project_id, chain)
    existing = select(func.count()).where(*_chosen(scopes, dimensions)).scalar_subquery()
    statement = (
        select(departments.id, departments.parent_id, projects.department_id, existing.label("existing"))
        .select_from(t.departments.join(t.projects, projects.id == project_id))
        .where(departments.id.in_([d.id for d in chain]))
        .order_by(departments.id)
        .with_for_update(read=True)
    )
    rows = connection.execute(statement).all()
    if {r.id: (r.parent_id, r.department_id) for r in rows} != {d.id: (d.parent_id, chain[0].id) for d in chain}:
        return False
    if rows[0].existing < len(scopes) * len(dimensions):
        unknown = dimensions.keys() - set(QUOTA_DIMENSIONS)
        assert not unknown, f"no quota dimension: {unknown}"
        ensure_rows(connection, scopes)
    return True


def _chosen(scopes: Scopes, dimensions: Mapping[str, int]) -> tuple[ColumnElement[bool], ...]:
    return quotas.c.scope_id.in_([s for _, s in scopes]), quotas.c.dimension.in_(sorted(dimensions))


def _locked_levels(connection: Connection, scopes: Scopes, dimensions: Mapping[str, int]) -> list[Level]:
    """Return the rows to be written, locked in their one order."""
    statement = select(quotas).where(*_chosen(scopes, dimensions)).order_by(quotas.c.scope_id, quotas.c.dimension)
    return [_level(r) for r in connection.execute(statement.with_for_update())]


def _by_dimension(amounts: Mapping[str, int]) -> Any:
    return case(amounts, value=quotas.c.dimension)


def _add(connection: Connection, scopes: Scopes, amounts: Mapping[str, int]) -> bool:
    """Check and write in one statement; False when any row refused, and then the caller rolls back."""
    grown = quotas.c.used + _by_dimension(amounts)
    fits = or_(quotas.c.mode != Mode.LIMIT.value, grown <= quotas.c.limit_amount)
    done = connection.execute(update(quotas).where(*_chosen(scopes, amounts), fits).values(used=grown))
    return done.rowcount == len(scopes) * len(amounts)


def _level(row: Row[Any], scope: str = "", scope_name: str = "") -> Level:
    return Level(
        scope_id=row.scope_id,
        scope_kind=ScopeKind(row.scope_kind),
        dimension=row.dimension,
        mode=Mode(row.mode),
        limit_amount=row.limit_amount,
        used=row.used,
        scope=scope,
        scope_name=scope_name,
    )


def _names(connection: Connection, scope_ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return code and name of departments and projects by id."""
    ids = sorted(scope_ids)
    parts = [select(x.c.id, x.c.code, x.c.name).where(x.c.id.in_(ids)) for x in (t.departments, t.projects)]
    return {r.id: (r.code, r.name) for r in connection.execute(union_all(*parts))}


def _exceeded(connection: Connection, over: Sequence[Overrun]) -> QuotaExceeded:
    """Return the refusal, with the scopes by the code and name that people know."""
    named = _names(connection, {o.scope_id for o in over})
    listed = []
    for overrun in over:
        code, name = named[overrun.scope_id]
        words = {"scope_kind": overrun.scope_kind.value, "scope": code, "scope_name": name}
        listed.append({**asdict(overrun), **words, "after": overrun.used + overrun.asked})
    listed.sort(key=lambda o: (o["scope"], o["dimension"]))
    problems = [Problem("quota.exceeded", entry) for entry in listed]
    return QuotaExceeded("quota.exceeded", problems=problems, details={"overruns": listed}, **listed[0])


def _claims_and_counters() -> "Select[Any]":
    c = t.claims.c
    claims = select(
        literal(0).label("is_counter"),
        c.project_id.label("scope_id"),
        c.resource_kind.label("kind"),
        c.resource_id.label("resource_id"),
        c.provider_id.label("provider_id"),
        c.dimension.label("dimension"),
        c.amount.label("amount"),
    )
    nothing = cast(null(), SqlText)
    q = quotas.c
    counters = select(literal(1), q.scope_id, q.scope_kind, nothing, nothing, q.dimension, cast(q.used, BigInteger))
    both = union_all(claims, counters).subquery()
    return select(both).order_by(both.c.is_counter, both.c.scope_id)


def _as_claim(row: Row[Any]) -> Claim:
    return Claim(
        resource_id=ResourceId(row.resource_id),
        resource_kind=row.kind,
        project_id=ProjectId(row.scope_id),
        provider_id=row.provider_id,
        dimension=row.dimension,
        amount=row.amount,
    )


def _upwards(parents: Mapping[Any, Any], department_id: str) -> Iterator[str]:
    here: str | None = department_id
    while here is not None:
        yield here
        here = parents[here]
