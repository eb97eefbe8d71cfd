"""Quota rows: guarded writes in the commit's own transaction, the read model, and the recount from claims.

A hold takes ``used`` up in the project and in every department above it, in one guarded statement. Rows are locked in one
order (scope, dimension) before they are written, so that two holds never wait for each other in a circle; the directory
rows of the chain are locked for sharing first, so that nobody moves a department under a hold.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    FromClause,
    Row,
    Select,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy import Text as SqlText

from inventory.domain.claim import Claim, quota_amounts
from inventory.domain.errors import Conflict, Invalid, NotFound, Problem, QuotaExceeded
from inventory.domain.ids import ProjectId, ResourceId
from inventory.domain.organisation import Department, Project
from inventory.domain.resources import MEMORY_MIB, QUOTA_DIMENSIONS, VCPU, disk_dimension
from inventory.domain.scope import Scope
from inventory.store import bulk, directory
from inventory.store import tables as t
from inventory.store.claim_amounts import claim_amounts
from inventory.store.scoping import in_scope
from quotas.limits import Level, Mode, Overrun, ScopeKind, growing, overruns
from quotas.tables import quotas

#: Times a release looks again at a chain of departments that was moved under it.
_CHAIN_TRIES = 3
#: Far above any use, far below the 64 bits of a row, whatever is added up.
LIMIT_MAX = 10**12

_SCOPE_AND_AMOUNT: bulk.Columns = (("scope_id", SqlText), ("dimension", SqlText), ("amount", BigInteger))
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
    ledger = Ledger(connection, departments, [(project, amounts)])
    ledger.take(project, amounts)
    ledger.write()


class Ledger:
    """The limits that several promises of one transaction need: locked together, judged one by one, written at once."""

    def __init__(
        self, connection: Connection, departments: Sequence[Department], asked: Sequence[tuple[Project, Mapping[str, int]]]
    ) -> None:
        """Lock every row the promises will need, in the one order of all.

        Raises:
            Conflict: ``quota.departments_moved``: ``departments`` is old; read again.
        """
        self._connection = connection
        self._scopes: dict[ProjectId, Scopes] = {}
        self._taken: dict[tuple[str, str], int] = {}
        dimensions: dict[ProjectId, dict[str, int]] = {}
        projects = {project.id: project for project, amounts in asked if growing(amounts)}
        for project, amounts in asked:
            dimensions.setdefault(project.id, {}).update(growing(amounts))
        for project_id, project in sorted(projects.items()):
            chain = directory.ancestors(departments, project.department_id)
            if not _lock_chain(connection, project_id, chain, dimensions[project_id]):
                raise Conflict("quota.departments_moved", project=project.code)
            self._scopes[project_id] = _scopes(project_id, chain)
        scopes = list(dict.fromkeys(s for own in self._scopes.values() for s in own))
        named = {d: 0 for own in dimensions.values() for d in own}
        found = _locked_levels(connection, scopes, named) if scopes else []
        self._levels = {(level.scope_id, level.dimension): level for level in found}

    def take_all(self, asked: Sequence[tuple[Project, Mapping[str, int]]]) -> bool:
        """Take all these promises where they fit together: then each would. False: nothing is taken."""
        sums: dict[ProjectId, tuple[Project, dict[str, int]]] = {}
        for project, amounts in asked:
            _, own = sums.setdefault(project.id, (project, {}))
            for dimension, amount in growing(amounts).items():
                own[dimension] = own.get(dimension, 0) + amount
        before = dict(self._taken)
        try:
            for project, own in sums.values():
                self.take(project, own)
        except QuotaExceeded:
            self._taken = before
            return False
        return True

    def forget(self) -> None:
        """Take nothing of what was taken: it is judged anew."""
        self._taken.clear()

    def take(self, project: Project, amounts: Mapping[str, int]) -> None:
        """Judge one promise after those taken before it, and take it.

        Raises:
            QuotaExceeded: ``quota.exceeded``, with every overrun; nothing is taken.
        """
        self.check(project, amounts)
        asked = growing(amounts)
        for scope, dimension in self._keys(project, asked):
            self._taken[scope, dimension] = self._taken.get((scope, dimension), 0) + asked[dimension]

    def check(self, project: Project, amounts: Mapping[str, int]) -> None:
        """Judge one promise after those taken before it.

        Raises:
            QuotaExceeded: ``quota.exceeded``, with every overrun.
        """
        asked = growing(amounts)
        keys = self._keys(project, asked)
        if not all(self._levels[key].has_room(asked[key[1]] + self._taken.get(key, 0)) for key in keys):
            levels_ = [replace(self._levels[key], used=self._levels[key].used + self._taken.get(key, 0)) for key in keys]
            raise _exceeded(self._connection, overruns(levels_, asked))

    def _keys(self, project: Project, asked: Mapping[str, int]) -> list[tuple[str, str]]:
        return [(scope, dimension) for _, scope in self._scopes.get(project.id, ()) for dimension in asked]

    def write(self) -> None:
        """Write what was taken; every row is guarded once more."""
        if not self._taken:
            return
        rows = [(scope, dimension, amount) for (scope, dimension), amount in sorted(self._taken.items())]
        statement = _add(bulk.given(self._connection, _SCOPE_AND_AMOUNT))
        done = self._connection.execute(statement, bulk.given_values(self._connection, rows, _SCOPE_AND_AMOUNT))
        assert done.rowcount == len(rows), "a locked quota row changed between check and write"


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
    statement = update(quotas).where(_IS_CHOSEN).values(used=quotas.c.used - _by_dimension(freed))
    connection.execute(statement, _chosen(scopes, freed))


def levels(connection: Connection) -> list[Level]:
    """Return all limits and use, by scope and dimension."""
    rows = connection.execute(select(quotas).order_by(quotas.c.scope_id, quotas.c.dimension)).all()
    named = _names(connection, {r.scope_id for r in rows})
    return [_level(r, *named[r.scope_id]) for r in rows]


def page(connection: Connection, scope: Scope, *, limit: int | None = None, after: str = "") -> list[Level]:
    """Return limits and use of the departments of a scope and of their projects, by scope and dimension.

    Up to ``limit`` of them, behind ``after``: a scope's id and a dimension, with a space between.
    """
    own = select(t.projects.c.id).where(in_scope(scope, t.projects.c.department_id))
    key = tuple_(quotas.c.scope_id, quotas.c.dimension)
    statement = select(quotas).where(in_scope(scope, quotas.c.scope_id) | quotas.c.scope_id.in_(own))
    if after:
        scope_id, _, dimension = after.partition(" ")
        statement = statement.where(key > tuple_(scope_id, dimension))
    rows = connection.execute(statement.order_by(quotas.c.scope_id, quotas.c.dimension).limit(limit)).all()
    named = _names(connection, {r.scope_id for r in rows})
    return [_level(r, *named[r.scope_id]) for r in rows]


def levels_of(connection: Connection, departments: Sequence[Department], project: Project) -> list[Level]:
    """Return the limits and use that count for one project on the way up, by scope and dimension."""
    chain = directory.ancestors(departments, project.department_id)
    named = {project.id: (project.code, project.name)} | {str(d.id): (d.code, d.name) for d in chain}
    rows = connection.execute(_LEVELS_OF, {"scopes": sorted(named)})
    return [_level(r, *named[r.scope_id]) for r in rows]


#: Statements of every commit are built once.
_LEVELS_OF = (
    select(quotas)
    .where(quotas.c.scope_id.in_(bindparam("scopes", expanding=True)))
    .order_by(quotas.c.scope_id, quotas.c.dimension)
)


def ensure_rows(connection: Connection, scopes: Iterable[tuple[ScopeKind, str]]) -> None:
    """Have a row for every dimension of every scope; new ones say ``inherit`` and count nothing."""
    rows = [
        {"scope_id": scope_id, "scope_kind": kind.value, "dimension": dimension, "mode": Mode.INHERIT.value, "used": 0}
        for kind, scope_id in sorted(scopes, key=lambda s: s[1])
        for dimension in sorted(QUOTA_DIMENSIONS)
    ]
    if rows:
        connection.execute(bulk.insert(connection, quotas).on_conflict_do_nothing(), rows)


def level(connection: Connection, scope_kind: ScopeKind, scope_id: str, dimension: str, *, lock: bool = False) -> Level:
    """Return what a scope says of one dimension; with ``lock``, nobody changes it before the transaction ends.

    Raises:
        Invalid: ``quota.dimension_unknown``.
    """
    _check_dimension(dimension)
    statement = select(quotas).where(quotas.c.scope_id == scope_id, quotas.c.dimension == dimension)
    if lock:
        ensure_rows(connection, [(scope_kind, scope_id)])
        statement = statement.with_for_update()
    code, name = _names(connection, [scope_id])[scope_id]
    row = connection.execute(statement).one_or_none()
    if row is not None:
        return _level(row, code, name)
    # What was never set nor used has no row.
    return Level(
        scope_id=scope_id, scope_kind=scope_kind, scope=code, scope_name=name, dimension=dimension, mode=Mode.INHERIT,
        limit_amount=None, used=0,
    )  # fmt: skip


def _check_dimension(dimension: str) -> None:
    if dimension not in QUOTA_DIMENSIONS:
        raise Invalid("quota.dimension_unknown", dimension=dimension, known=", ".join(QUOTA_DIMENSIONS))


def set_limit(
    connection: Connection, scope_kind: ScopeKind, scope_id: str, dimension: str, mode: Mode, limit: int | None = None
) -> Level:
    """Set what a scope says of one dimension. A limit below what is used is allowed: it only stops growth.

    Raises:
        Invalid: ``quota.dimension_unknown``, ``quota.limit_invalid``.
    """
    _check_dimension(dimension)
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
    for key, group in groupby(connection.execute(_claims_and_counters(connection)), key=lambda r: (r.is_counter, r.scope_id)):
        is_counter, scope_id = key
        if is_counter:
            rows |= {(scope_id, r.dimension): (ScopeKind(r.kind), r.amount) for r in group}
            continue
        amounts = quota_amounts(_as_claim(r) for r in group)
        for scope in (scope_id, *_upwards(parents, homes.get(ProjectId(scope_id)))):
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
    if bulk.is_postgresql(connection):
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
    return [directory.department_of(r) for r in connection.execute(select(above))]


def _lock_chain(connection: Connection, project_id: str, chain: Sequence[Department], dimensions: Mapping[str, int]) -> bool:
    """Keep the project and its departments where they are until the end of the transaction; False: they have moved.

    Rows of limits that are missing are made here, before any is locked: made later, two holds could wait in a circle.
    """
    scopes = _scopes(project_id, chain)
    values = {**_chosen(scopes, dimensions), "project": project_id, "chain": [d.id for d in chain]}
    rows = connection.execute(_LOCK_CHAIN, values).all()
    if {r.id: (r.parent_id, r.department_id) for r in rows} != {d.id: (d.parent_id, chain[0].id) for d in chain}:
        return False
    if rows[0].existing < len(scopes) * len(dimensions):
        unknown = dimensions.keys() - set(QUOTA_DIMENSIONS)
        assert not unknown, f"no quota dimension: {unknown}"
        ensure_rows(connection, scopes)
    return True


def _chosen(scopes: Scopes, dimensions: Mapping[str, int]) -> dict[str, Any]:
    """Return the parameters of ``_IS_CHOSEN``."""
    return {"scopes": [s for _, s in scopes], "dimensions": sorted(dimensions)}


_IS_CHOSEN = quotas.c.scope_id.in_(bindparam("scopes", expanding=True)) & quotas.c.dimension.in_(
    bindparam("dimensions", expanding=True)
)
_LOCK_CHAIN = (
    select(
        t.departments.c.id,
        t.departments.c.parent_id,
        t.projects.c.department_id,
        select(func.count()).where(_IS_CHOSEN).scalar_subquery().label("existing"),
    )
    .select_from(t.departments.join(t.projects, t.projects.c.id == bindparam("project")))
    .where(t.departments.c.id.in_(bindparam("chain", expanding=True)))
    .order_by(t.departments.c.id)
    .with_for_update(read=True)
)
_LOCKED_LEVELS = select(quotas).where(_IS_CHOSEN).order_by(quotas.c.scope_id, quotas.c.dimension).with_for_update()


def _locked_levels(connection: Connection, scopes: Scopes, dimensions: Mapping[str, int]) -> list[Level]:
    """Return the rows to be written, locked in their one order."""
    return [_level(r) for r in connection.execute(_LOCKED_LEVELS, _chosen(scopes, dimensions))]


def _by_dimension(amounts: Mapping[str, int]) -> Any:
    return case(amounts, value=quotas.c.dimension)


@cache
def _add(given: FromClause) -> Any:
    grown = quotas.c.used + given.c.amount
    is_given = (quotas.c.scope_id == given.c.scope_id) & (quotas.c.dimension == given.c.dimension)
    fits = or_(quotas.c.mode != Mode.LIMIT.value, grown <= quotas.c.limit_amount)
    return update(quotas).where(is_given, fits).values(used=grown)


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


def _claims_and_counters(connection: Connection) -> "Select[Any]":
    c = claim_amounts(connection).c
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
    both = union_all(claims, *_reserved(), counters).subquery()
    return select(both).order_by(both.c.is_counter, both.c.scope_id)


def _reserved() -> "list[Select[Any]]":
    """Return what reservations count, as if each slot were a machine."""
    r, s = t.reservations.c, t.reservation_slots.c
    joined = t.reservation_slots.join(t.reservations, r.id == s.reservation_id)
    slot = (s.reservation_id + "/" + cast(s.slot, SqlText)).label("resource_id")
    shape = [(VCPU, r.vcpu_count), (MEMORY_MIB, r.memory_mib), (disk_dimension("any"), r.disk_gib)]
    return [
        select(
            literal(0), r.project_id, literal("instance"), slot, s.host_id, literal(dimension), cast(amount, BigInteger)
        ).select_from(joined)
        for dimension, amount in shape
    ]


def _as_claim(row: Row[Any]) -> Claim:
    return Claim(
        resource_id=ResourceId(row.resource_id),
        resource_kind=row.kind,
        project_id=ProjectId(row.scope_id),
        provider_id=row.provider_id,
        dimension=row.dimension,
        amount=row.amount,
    )


def _upwards(parents: Mapping[Any, Any], department_id: str | None) -> Iterator[str]:
    here = department_id
    while here is not None:
        yield here
        here = parents[here]
