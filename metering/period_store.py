"""Periods, lines and statements in the database. What is closed the database itself refuses to change."""

from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, groupby, islice
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, update

from inventory.domain.errors import NotFound, Unavailable
from inventory.domain.ids import DepartmentId
from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM, Scope
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.scoping import in_scope
from metering import count_store
from metering import period_tables as p
from metering.book_tables import usage_entries
from metering.counts import Counted
from metering.entries import Entry
from metering.ledger import LedgerInterval, of_row
from metering.ledger_tables import RATED, intervals
from metering.line_columns import LineColumns, UnreadableLinesError, from_bytes
from metering.lines import ID_BYTES, Line

_CHUNK = 20_000
#: Rows come in portions; an option of the statement, never of the connection, which others go on with.
_STREAMED = {"yield_per": _CHUNK}
#: Lines of one block at most: those of a department of the usual size lie in one.
BLOCK_LINES = 65_536
Row = Mapping[str, Any]


# -- periods -----------------------------------------------------------------------------------------------------------


def get(connection: Connection, id_: str) -> Row | None:
    """Return a period that is not simply open."""
    row = connection.execute(select(p.periods).where(p.periods.c.id == id_)).one_or_none()
    return None if row is None else dict(row._mapping)


def all_periods(connection: Connection) -> list[Row]:
    """Return every period that is not simply open, oldest first."""
    return [dict(r._mapping) for r in connection.execute(select(p.periods).order_by(p.periods.c.start_s))]


def add(connection: Connection, values: Row) -> None:
    """Add a period that begins to close."""
    connection.execute(p.periods.insert().values(**values))


def change(connection: Connection, id_: str, state: str, values: Row) -> bool:
    """Change a period that is in ``state``; tells whether it was."""
    done = connection.execute(update(p.periods).where(p.periods.c.id == id_, p.periods.c.state == state).values(**values))
    return done.rowcount == 1


def frozen_until_s(connection: Connection) -> int:
    """Return up to when everything was reviewed or closed; 0: nothing was."""
    statement = select(func.max(p.periods.c.end_s)).where(p.periods.c.state.in_(("reviewed", "closed")))
    return connection.execute(statement).scalar_one() or 0


def first_usage_s(connection: Connection) -> int | None:
    """Return the first second of the ledger."""
    found: int | None = connection.execute(select(func.min(intervals.c.start_s))).scalar_one()
    return found


# -- what a period is rated from ---------------------------------------------------------------------------------------


def is_used(connection: Connection, start_s: int, end_s: int, department_id: str) -> bool:
    """Tell whether a department used or was charged anything in a period: a cheap look before it is rated."""
    c = usage_entries.c
    entered = select(c.id).where(c.state == "approved", c.department_id == department_id, c.start_s < end_s)
    return (
        connection.execute(_usage(start_s, end_s, department_id).limit(1)).first() is not None
        or connection.execute(entered.limit(1)).first() is not None
    )


def usage_rows(connection: Connection, start_s: int, end_s: int, department_id: str = "") -> Generator[Sequence[Sequence[Any]]]:
    """Return the rows of the ledger a period is rated from, in portions and in no order."""
    yield from _tuples(connection, _usage(start_s, end_s, department_id))


def usage_count(connection: Connection, start_s: int, end_s: int, department_id: str = "") -> int:
    """Return how many rows of the ledger a period is rated from."""
    statement = select(func.count()).select_from(_usage(start_s, end_s, department_id).subquery())
    return int(connection.execute(statement).scalar_one())


def _tuples(connection: Connection, statement: Select[Any]) -> Generator[Sequence[Sequence[Any]]]:
    """Return rows by the driver's own cursor, as its own tuples: a million of them, and none is looked at by name."""
    text = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
    driver = connection.connection.driver_connection
    assert driver is not None
    cursor = driver.cursor(name="portions") if bulk.is_postgresql(connection) else driver.cursor()
    with closing(cursor):
        cursor.execute(text)
        while rows := cursor.fetchmany(_CHUNK):
            yield rows


def usage(connection: Connection, start_s: int, end_s: int, department_id: str = "") -> Generator[LedgerInterval]:
    """Return the intervals of a period, by resource, meter and time."""
    c = intervals.c
    statement = _usage(start_s, end_s, department_id).order_by(c.resource_id, c.meter, c.start_s)
    with connection.execute(statement, execution_options=_STREAMED) as rows:
        for row in rows:
            yield of_row(row)


def _usage(start_s: int, end_s: int, department_id: str) -> Select[Any]:
    c = intervals.c
    statement = select(*RATED).where(c.start_s < end_s, c.end_s.is_(None) | (c.end_s > start_s))
    return statement.where(c.department_id == department_id) if department_id else statement


def entries(connection: Connection, start_s: int, end_s: int, department_id: str = "") -> Iterator[Entry | Counted]:
    """Return the approved services and labour of a period, then what machines passed in it."""
    c = usage_entries.c
    statement = select(usage_entries).where(
        c.state == "approved", c.start_s < end_s, func.coalesce(c.end_s, c.start_s + 1) > start_s
    )
    if department_id:
        statement = statement.where(c.department_id == department_id)
    yield from [Entry(**r._mapping) for r in connection.execute(statement.order_by(c.start_s, c.id))]
    yield from count_store.counted(connection, start_s, end_s, department_id)


def pending_count(connection: Connection, end_s: int) -> int:
    """Return how many entries before ``end_s`` and corrections by hand still wait for their second person."""
    c = usage_entries.c
    waiting = connection.execute(
        select(func.count()).select_from(usage_entries).where(c.state == "pending", c.start_s < end_s)
    ).scalar_one()
    by_hand = select(func.count()).select_from(p.adjustments).where(p.adjustments.c.state == "pending")
    return int(waiting) + int(connection.execute(by_hand).scalar_one())


def journal_histories(connection: Connection, end_s: int) -> Iterator[tuple[str, list[JournalRow]]]:
    """Return the journal of every resource born before ``end_s``, without rows that came after ``end_s`` was frozen.

    No period is frozen while rows are due, so what the ledger has still to take came after it, and is not noted as late yet.
    """
    j, late, due = t.journal, p.late_rows, t.journal_due
    born = select(j.c.resource_id).where(j.c.revision == 1, j.c.occurred_at_s < end_s)
    is_late = (
        select(late.c.resource_id)
        .where(late.c.resource_id == j.c.resource_id, late.c.revision == j.c.revision, tells_of(late.c, end_s))
        .exists()
    )
    is_due = select(due.c.resource_id).where(due.c.resource_id == j.c.resource_id, due.c.revision == j.c.revision).exists()
    statement = select(j).where(j.c.resource_id.in_(born), ~is_late, ~is_due).order_by(j.c.resource_id, j.c.revision)
    with connection.execute(statement, execution_options=_STREAMED) as rows:
        for resource_id, group in groupby(rows, key=lambda r: r.resource_id):
            yield resource_id, [JournalRow(**r._mapping) for r in group]


# -- lines -------------------------------------------------------------------------------------------------------------


def add_lines(connection: Connection, period_id: str, department_id: str, lines: LineColumns) -> None:
    """Add the rated lines of a department, which come in the order of their ids."""
    for number, begin in enumerate(range(0, len(lines), BLOCK_LINES)):
        block = lines.part(slice(begin, begin + BLOCK_LINES)).compact()
        values = {**_head(block), "ids": block.ids.tobytes(), "body": block.to_bytes()}
        place = {"period_id": period_id, "department_id": department_id, "number": number}
        connection.execute(p.line_blocks.insert().values(**place, **values))


def clear(connection: Connection, period_id: str) -> None:
    """Remove what was rated of a period that is not closed."""
    for table in (p.line_blocks, p.statement_rows, p.statements):
        connection.execute(delete(table).where(table.c.period_id == period_id))


def columns(
    connection: Connection, period_id: str, scope: Scope = PLATFORM, *, after: bytes = b"", kind: str = ""
) -> Iterator[LineColumns]:
    """Return stored lines by department and id, block by block; with ``after`` only blocks with a later id, with ``kind`` only
    those with such lines.

    Raises:
        Unavailable: ``state.corrupt``.
    """
    c = p.line_blocks.c
    statement = select(c.department_id, c.number).where(c.period_id == period_id, in_scope(scope, c.department_id))
    statement = statement.order_by(c.department_id, c.number)
    if after:
        statement = statement.where(c.last_id > after)
    if kind:
        statement = statement.where(c.kinds.contains(kind, autoescape=True))
    for department_id, number in connection.execute(statement).all():
        yield block(connection, period_id, department_id, number)


def block_numbers(connection: Connection, period_id: str, department_id: str) -> list[int]:
    """Return the numbers of a department's blocks, in their order."""
    c = p.line_blocks.c
    statement = select(c.number).where(c.period_id == period_id, c.department_id == department_id).order_by(c.number)
    return list(connection.execute(statement).scalars())


def block(connection: Connection, period_id: str, department_id: str, number: int) -> LineColumns:
    """Return the lines of one block.

    Raises:
        Unavailable: ``state.corrupt``.
    """
    c = p.line_blocks.c
    own = (c.period_id == period_id) & (c.department_id == department_id) & (c.number == number)
    row = connection.execute(select(p.line_blocks).where(own)).one()
    try:
        found = from_bytes(department_id, bytes(row.ids), bytes(row.body))
    except UnreadableLinesError as error:
        raise Unavailable("state.corrupt", internal=str(error)) from error
    kept = {**row._mapping, "first_id": bytes(row.first_id), "last_id": bytes(row.last_id)}
    if any(kept[name] != value for name, value in _head(found).items()):
        raise Unavailable("state.corrupt", internal=f"a block of {department_id} is not what it says it is")
    return found


def _head(lines: LineColumns) -> Row:
    """Return what a block says of itself."""
    return {
        "line_count": len(lines),
        "first_id": lines.ids[0].tobytes(),
        "last_id": lines.ids[-1].tobytes(),
        "kinds": ",".join(sorted({of.kind for of in lines.whats})),
    }


def lines(
    connection: Connection,
    period_id: str,
    *,
    department_id: str = "",
    after: bytes = b"",
    limit: int | None = None,
    kind: str = "",
) -> Iterator[tuple[bytes, Line]]:
    """Return stored lines by department and id; ``after`` an id only within one department.

    Raises:
        Unavailable: ``state.corrupt``.
    """
    assert department_id or not after
    scope = Scope(frozenset({DepartmentId(department_id)})) if department_id else PLATFORM
    blocks = columns(connection, period_id, scope, after=after, kind=kind)
    found = chain.from_iterable(block.part(_asked(block, after, limit)).rows() for block in blocks)
    return islice((row for row in found if kind in ("", row[1].kind)), limit)


def _asked(block: LineColumns, after: bytes, limit: int | None) -> slice:
    begin = bisect_right(range(len(block)), after, key=lambda n: block.ids[n].tobytes()) if after else 0
    return slice(begin, None if limit is None else begin + limit)


def find_line(connection: Connection, line_id: bytes) -> tuple[str, Line]:
    """Return a line and its period.

    Raises:
        NotFound: ``line.not_found``.
    """
    c = p.line_blocks.c
    may_have_it = (c.first_id <= line_id) & (c.last_id >= line_id)
    statement = select(c.period_id, c.department_id, c.number).where(may_have_it).order_by(c.period_id.desc(), c.department_id)
    for period_id, department_id, number in connection.execute(statement).all():
        own = (c.period_id == period_id) & (c.department_id == department_id) & (c.number == number)
        place = _place(bytes(connection.execute(select(c.ids).where(own)).scalar_one()), line_id)
        if place is not None:
            [(_, line)] = block(connection, period_id, department_id, number).part(slice(place, place + 1)).rows()
            return period_id, line
    raise NotFound("line.not_found", line=line_id.hex())


def _place(ids: bytes, line_id: bytes) -> int | None:
    """Return which of the ids it is: found where one begins, not across two."""
    at = ids.find(line_id)
    while at >= 0 and at % ID_BYTES:
        at = ids.find(line_id, at + 1)
    return None if at < 0 else at // ID_BYTES


# -- statements --------------------------------------------------------------------------------------------------------


def add_statements(connection: Connection, statements: Sequence[Row], rows: Sequence[Row]) -> None:
    """Add statements with their rows."""
    bulk.insert_many(connection, p.statements, statements)
    bulk.insert_many(connection, p.statement_rows, rows)


def statements(connection: Connection, period_id: str, scope: Scope) -> list[Row]:
    """Return the statements of a period, by department."""
    c = p.statements.c
    statement = select(p.statements).where(c.period_id == period_id, in_scope(scope, c.department_id))
    return [dict(r._mapping) for r in connection.execute(statement.order_by(c.department_code))]


def statement_rows(connection: Connection, period_id: str, scope: Scope) -> list[Row]:
    """Return the rows of the statements of a period, by department and in their order."""
    c = p.statement_rows.c
    statement = select(p.statement_rows).where(c.period_id == period_id, in_scope(scope, c.department_id))
    ordered = statement.order_by(c.department_id, c.project_code, c.project_id, c.meter, c.kind, c.billing)
    return [dict(r._mapping) for r in connection.execute(ordered)]


def acknowledge(connection: Connection, period_id: str, department_id: str, by: str, at_s: float) -> bool:
    """Write that a department has seen its statement; tells whether this was the first time."""
    c = p.statements.c
    change_ = update(p.statements).where(c.period_id == period_id, c.department_id == department_id, c.acknowledged_by.is_(None))
    return connection.execute(change_.values(acknowledged_by=by, acknowledged_at_s=at_s)).rowcount == 1


# -- corrections -------------------------------------------------------------------------------------------------------


def note_late(connection: Connection, taken: Iterable[tuple[str, int, int]]) -> None:
    """Keep which of the journal rows just taken tell of a time that was reviewed or closed."""
    frozen = frozen_until_s(connection)
    rows = [
        {"resource_id": r, "revision": n, "since_s": s, "frozen_until_s": frozen, "corrected_in": None}
        for r, n, s in taken
        if s < frozen
    ]
    bulk.insert_many(connection, p.late_rows, rows)


def late_within(connection: Connection, end_s: int) -> int:
    """Return how many rows came after the period that ends at ``end_s`` was reviewed, and tell of it."""
    c = p.late_rows.c
    statement = select(func.count()).select_from(p.late_rows).where(c.since_s < end_s, c.frozen_until_s == end_s)
    return int(connection.execute(statement).scalar_one())


def thaw(connection: Connection, start_s: int, end_s: int) -> None:
    """Forget that rows were late for the period ``[start_s, end_s)``, which is reviewed once more."""
    c = p.late_rows.c
    own = c.frozen_until_s == end_s
    connection.execute(delete(p.late_rows).where(own, c.since_s >= start_s))
    connection.execute(update(p.late_rows).where(own).values(frozen_until_s=start_s))


def tells_of(late: Any, end_s: int) -> Any:
    """Tell, of a late row or in SQL of the columns of all, whether it tells of a time frozen with the end of a period."""
    return (late["since_s"] < end_s) & (late["frozen_until_s"] >= end_s)


def uncorrected(connection: Connection, period_id: str) -> list[Row]:
    """Return late rows that no period before ``period_id`` has corrected."""
    c = p.late_rows.c
    statement = select(p.late_rows).where(c.corrected_in.is_(None) | (c.corrected_in == period_id))
    return [dict(r._mapping) for r in connection.execute(statement.order_by(c.resource_id, c.revision))]


def late_word_count(connection: Connection, department_id: str) -> int:
    """Return how many late rows about a department's use no review has booked yet."""
    r, i = p.late_rows.c, intervals.c
    own = select(i.resource_id).where(i.resource_id == r.resource_id, i.department_id == department_id)
    own = own.where(i.start_s < r.frozen_until_s)
    statement = select(func.count()).select_from(p.late_rows).where(r.corrected_in.is_(None), own.exists())
    return int(connection.execute(statement).scalar_one())


def late_words(connection: Connection, period_id: str, end_s: int) -> list[tuple[str, int]]:
    """Return the journal rows (resource, revision) for which ``period_id`` corrected the closed period that ends at ``end_s``."""
    c = p.late_rows.c
    statement = select(c.resource_id, c.revision).where(c.corrected_in == period_id, tells_of(c, end_s))
    return [(r.resource_id, r.revision) for r in connection.execute(statement.order_by(c.resource_id, c.revision))]


def mark_corrected(connection: Connection, period_id: str) -> None:
    """Note that every late row is corrected in this period."""
    connection.execute(update(p.late_rows).where(p.late_rows.c.corrected_in.is_(None)).values(corrected_in=period_id))


def approved_adjustments(connection: Connection, period_id: str) -> list[Row]:
    """Return corrections by hand that were agreed to for a period, with the line each corrects."""
    a = p.adjustments
    statement = select(a).where(a.c.state == "approved", a.c.period_id == period_id).order_by(a.c.id)
    return [dict(r._mapping) for r in connection.execute(statement)]
