"""What reports are made of, read from the database: lines as they are stored or as they stand, names, references.

Whose records come out is decided here, by the scope; nobody filters them afterwards.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, select

from inventory.domain.ids import DepartmentId
from inventory.domain.progress import UNSEEN, Progress, WorkPhase, counted
from inventory.domain.scope import Scope
from inventory.store import tables as t
from inventory.store.scoping import in_scope
from metering import period_store as store
from metering import period_tables as p
from metering.book_tables import price_books
from metering.books import Books
from metering.charging import Charging
from metering.ledger_tables import intervals
from metering.line_columns import Legend, LineColumns, merged, sums_by
from metering.lines import Kind
from metering.rated_period import adjusted
from metering.statements import Names, Summing

Row = Mapping[str, Any]
#: Rows of one portion at least; with a block more they are still few enough to be read by one thread, in their order.
PORTION = 57_344


def stored(connection: Connection, period_id: str, scope: Scope, progress: Progress = UNSEEN) -> Iterator[LineColumns]:
    """Return the rated lines of a reviewed or closed period by department and id, in portions; how many were read is told of
    each department, so that a month of one portion is seen to move too."""
    kept: list[LineColumns] = []
    count = 0
    for block in store.columns(connection, period_id, scope):
        kept.append(block)
        count += len(block)
        progress.reached(count)
        if sum(map(len, kept)) >= PORTION:
            yield merged(kept)
            kept = []
    if kept:
        yield merged(kept)


def accrued(
    connection: Connection,
    period: Row,
    books: Books,
    names: Names,
    scope: Scope,
    until_s: int,
    summing: Summing,
    progress: Progress = UNSEEN,
) -> Iterator[LineColumns]:
    """Return the lines of an open period as they stand at ``until_s``, in portions, counted in ``summing``.

    Raises:
        Conflict: ``usage.price_gap``.
    """
    department_id = (
        next(iter(scope.department_ids)) if scope.department_ids is not None and len(scope.department_ids) == 1 else ""
    )
    charging = Charging(books, period["id"], period["start_s"], period["end_s"], until_s, department_id, names.billing)
    entries = store.entries(connection, period["start_s"], until_s, department_id)
    progress.phase(WorkPhase.REPORTING, lambda: store.usage_count(connection, period["start_s"], until_s, department_id))
    by_hand = adjusted(connection, period, until_s)
    with closing(store.usage(connection, period["start_s"], until_s, department_id)) as usage:
        found = chain(charging.lines(counted(usage, progress), entries), by_hand)
        lines = (line for line in found if scope.allows(DepartmentId(line.department_id)))
        while portion := list(islice(lines, PORTION)):
            for line in portion:
                summing.count(line)
            columns = Legend(period["id"]).columns(portion)
            for line_id, line in zip(columns.ids, portion, strict=True):
                summing.ids.setdefault(line.department_id, []).append(line_id.tobytes())
            yield columns


def resource_names(connection: Connection, start_s: int, end_s: int, scope: Scope) -> dict[str, tuple[str, str]]:
    """Return kind and name of every resource used in a window. A resource keeps its name for life."""
    c = intervals.c
    statement = select(c.resource_id, c.resource_kind, c.resource_name).distinct()
    statement = statement.where(c.start_s < end_s, c.end_s.is_(None) | (c.end_s > start_s), in_scope(scope, c.department_id))
    return {r[0]: (r[1], r[2]) for r in connection.execute(statement)}


def names_of(connection: Connection, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return kind and name of resources that were not used in the window: those corrections are about."""
    wanted, c = sorted(set(ids)), intervals.c
    statement = select(c.resource_id, c.resource_kind, c.resource_name).where(c.resource_id.in_(wanted)).distinct()
    return {r[0]: (r[1], r[2]) for r in connection.execute(statement)} if wanted else {}


def system_names(connection: Connection, scope: Scope) -> dict[str, str]:
    """Return what systems are called. A system keeps its name for life."""
    statement = select(t.systems.c.id, t.systems.c.name).where(in_scope(scope, t.systems.c.department_id))
    return {r[0]: r[1] for r in connection.execute(statement)}


def corrected_periods(
    connection: Connection, period: Row, scope: Scope, *, is_rated: bool, until_s: int
) -> list[tuple[Row, str]]:
    """Return the corrections of a period (department, project, meter, kind) with the period each is about."""
    found: list[Row] = []
    for kind in (Kind.ADJUSTMENT, Kind.CORRECTION) if is_rated else ():
        for block in store.columns(connection, period["id"], scope, kind=kind):
            found += [line._asdict() for _, line in block.rows() if line.kind == kind]
    if not is_rated:
        by_hand = adjusted(connection, period, until_s)
        found += [line._asdict() for line in by_hand if scope.allows(DepartmentId(line.department_id))]
    closed = store.all_periods(connection)
    return [(r, next((q["id"] for q in closed if q["start_s"] <= r["start_s"] < q["end_s"]), "")) for r in found]


def books_agreed(connection: Connection) -> dict[str, tuple[str, int]]:
    """Return name with version of every approved price book, and when it was agreed to."""
    c = price_books.c
    statement = select(c.id, c.name, c.version, c.approved_at_s).where(c.state == "approved")
    return {r.id: (f"{r.name} v{r.version}", int(r.approved_at_s or 0)) for r in connection.execute(statement)}


def month_totals(connection: Connection, end_s: int, scope: Scope, most: int) -> list[tuple[str, int]]:
    """Return fen of the last reviewed or closed months up to one, oldest first: what the trend is drawn from."""
    c, s = p.periods.c, p.statements.c
    months = select(c.id).where(c.state.in_(("reviewed", "closed")), c.end_s <= end_s).order_by(c.start_s.desc()).limit(most)
    found = []
    for month in connection.execute(months).scalars().all():
        statement = select(p.statements.c.fen).where(s.period_id == month, in_scope(scope, s.department_id))
        found.append((month, sum(connection.execute(statement).scalars())))
    return found[::-1]


def dearest(connection: Connection, period_id: str, scope: Scope, most: int) -> list[tuple[str, int]]:
    """Return the resources that cost most, with their micro-yuan."""
    sums = sums_by(store.columns(connection, period_id, scope), "resource_id")
    return sorted(sums.items(), key=lambda found: (-found[1], found[0]))[:most]
