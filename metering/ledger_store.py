"""The ledger in the database: taken from the journal, read back, compared with the journal, made again from it.

Whoever changes the ledger holds its lock to the end of the transaction: one controller takes rows at a time, and nobody
closes a period meanwhile. Taking is resumable: rows, positions and what is due change in one transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, or_, select, tuple_

from inventory.domain.errors import Problem
from inventory.domain.journal import JournalRow
from inventory.domain.progress import UNSEEN, Progress, WorkPhase, counted
from inventory.domain.scope import Scope
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.scoping import in_scope
from metering.ledger import Advance, LedgerInterval, Position, advance
from metering.ledger_tables import intervals as table
from metering.ledger_tables import positions

#: Advisory lock of the ledger on PostgreSQL; the number only has to be ours alone.
_LOCK = 0x6C6564676572  # "ledger"
_FIELDS = tuple(f.name for f in fields(LedgerInterval))
_POSITION = tuple(f.name for f in fields(Position))
_JOURNAL = tuple(f.name for f in fields(JournalRow))
#: A broken ledger is told by its first faults.
DIFFERENCES_MAX = 100
_CHUNK = 5_000
#: Rows come in portions; an option of the statement, never of the connection, which others go on with.
_STREAMED = {"yield_per": _CHUNK}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one transaction took from the journal."""

    resource_count: int
    row_count: int
    #: Each row taken: resource, revision, and the moment from which it counts.
    rows: tuple[tuple[str, int, int], ...]
    #: Resources looked at that wait for a row that is not there yet.
    waiting: tuple[str, ...]
    #: Where the next call goes on; empty: everything due was looked at.
    next_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One resource whose stored intervals are not what its journal says."""

    resource_id: str
    #: ``missing`` | ``extra`` | ``changed`` | ``not_taken``.
    kind: str
    why: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison of the whole ledger with the journal found."""

    resource_count: int
    interval_count: int
    differences: tuple[Difference, ...]


def lock(connection: Connection) -> None:
    """Have the ledger for this transaction alone."""
    bulk.lock(connection, _LOCK)


def due_count(connection: Connection) -> int:
    """Return how many journal rows were not taken yet."""
    return connection.execute(select(func.count()).select_from(t.journal_due)).scalar_one()


def oldest_due_at_s(connection: Connection) -> int | None:
    """Return when the oldest row that was not taken yet was written; ``None``: nothing is due."""
    due, j = t.journal_due.c, t.journal.c
    joined = t.journal_due.join(t.journal, and_(j.resource_id == due.resource_id, j.revision == due.revision))
    found: int | None = connection.execute(select(func.min(j.recorded_at_s)).select_from(joined)).scalar_one()
    return found


def state_mark(connection: Connection) -> tuple[int, int]:
    """Return what is another whenever the ledger took something: resources it knows and the sum of their revisions."""
    count, revisions = connection.execute(select(func.count(), func.sum(positions.c.revision)).select_from(positions)).one()
    return count, int(revisions or 0)


def take(connection: Connection, *, most_count: int = 500, after: str = "") -> Taken:
    """Take the due rows of up to ``most_count`` resources, in order of their ids after ``after``."""
    lock(connection)
    due = t.journal_due.c
    statement = select(due.resource_id).where(due.resource_id > after).distinct().order_by(due.resource_id)
    ids = list(connection.execute(statement.limit(most_count)).scalars())
    known = _positions(connection, ids)
    advances = []
    for resource_id, rows in groupby(_fresh_rows(connection, ids), key=lambda r: r.resource_id):
        found = advance(known.get(resource_id), list(rows))
        if found is not None:
            advances.append(found)
    _write(connection, advances, known)
    moved = {a.position.resource_id for a in advances}
    rows_taken = tuple((str(a.position.resource_id), revision, at_s) for a in advances for revision, at_s in a.taken)
    _settle(connection, ids)
    left = set(connection.execute(select(due.resource_id).where(due.resource_id.in_(ids))).scalars()) if ids else set()
    return Taken(
        resource_count=len(moved),
        row_count=len(rows_taken),
        rows=rows_taken,
        waiting=tuple(sorted(left)),
        next_after=ids[-1] if len(ids) == most_count else "",
    )


def departments_of(connection: Connection, resource_ids: Iterable[str], *, before_s: int | None = None) -> set[str]:
    """Return whose usage some resources are, or were in intervals that began before ``before_s``."""
    statement = select(table.c.department_id).where(table.c.resource_id.in_(sorted(resource_ids))).distinct()
    if before_s is not None:
        statement = statement.where(table.c.start_s < before_s)
    return set(connection.execute(statement).scalars())


def compare(connection: Connection, progress: Progress = UNSEEN) -> Comparison:
    """Compare every stored interval with what the journal says now; rows that are still due are left out."""
    differences: list[Difference] = []
    resource_count = interval_count = 0
    stored = _Groups(_stored(connection))
    progress.phase(WorkPhase.COMPARING, lambda: _resource_count(connection))
    for history in counted(_histories(connection), progress):
        resource_id = history.resource_id
        while stored.head is not None and stored.head < resource_id:
            differences.append(Difference(resource_id=stored.head, kind="extra", why=Problem("fault.no_such_resource")))
            stored.pop()
        found = stored.pop() if stored.head == resource_id else []
        resource_count += 1
        interval_count += len(found)
        differences += _differences(history, found)
        if len(differences) >= DIFFERENCES_MAX:
            break
    while stored.head is not None and len(differences) < DIFFERENCES_MAX:
        differences.append(Difference(resource_id=stored.head, kind="extra", why=Problem("fault.no_such_resource")))
        stored.pop()
    return Comparison(
        resource_count=resource_count, interval_count=interval_count, differences=tuple(differences[:DIFFERENCES_MAX])
    )


def _resource_count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(positions)).scalar_one()


def rebuild(connection: Connection, progress: Progress = UNSEEN) -> int:
    """Make the whole ledger again from the journal, and return how many intervals it has."""
    lock(connection)
    connection.execute(delete(table))
    connection.execute(delete(positions))
    connection.execute(delete(t.journal_due))
    everything = select(t.journal.c.resource_id, t.journal.c.revision)
    connection.execute(t.journal_due.insert().from_select(["resource_id", "revision"], everything))
    progress.phase(WorkPhase.JOURNAL, lambda: due_count(connection))
    done, after = 0, ""
    while True:
        taken = take(connection, most_count=_CHUNK, after=after)
        done, after = done + taken.row_count, taken.next_after
        progress.reached(done)
        if not after:
            break
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def page(
    connection: Connection, scope: Scope, *, limit: int, after: tuple[str, str, int] | None = None, resource_id: str = ""
) -> list[LedgerInterval]:
    """Return intervals of the departments in ``scope`` by resource, meter and time."""
    key = (table.c.resource_id, table.c.meter, table.c.start_s)
    statement = select(table).where(in_scope(scope, table.c.department_id)).order_by(*key).limit(limit)
    if resource_id:
        statement = statement.where(table.c.resource_id == resource_id)
    if after is not None:
        statement = statement.where(tuple_(*key) > after)
    return [LedgerInterval(**row._mapping) for row in connection.execute(statement)]


def within(
    connection: Connection, meters: Sequence[str], host_ids: Sequence[str], start_s: int, end_s: int
) -> list[LedgerInterval]:
    """Return the intervals of some meters on some hosts that touch a window, by resource, time and meter."""
    is_open = or_(table.c.end_s.is_(None), table.c.end_s > start_s)
    statement = select(table).where(table.c.meter.in_(meters), table.c.host_id.in_(host_ids), table.c.start_s < end_s, is_open)
    rows = connection.execute(statement.order_by(table.c.resource_id, table.c.start_s, table.c.meter))
    return [LedgerInterval(**row._mapping) for row in rows]


# -- taking ------------------------------------------------------------------------------------------------------------


def _positions(connection: Connection, ids: Sequence[str]) -> dict[str, Position]:
    rows = connection.execute(select(positions).where(positions.c.resource_id.in_(ids)))
    return {r.resource_id: Position(**r._mapping) for r in rows}


def _fresh_rows(connection: Connection, ids: Sequence[str]) -> Iterator[JournalRow]:
    """Return the due rows of some resources, by resource and revision."""
    due, j = t.journal_due, t.journal
    statement = (
        select(*(j.c[name] for name in _JOURNAL))
        .join(due, (due.c.resource_id == j.c.resource_id) & (due.c.revision == j.c.revision))
        .where(j.c.resource_id.in_(ids))
        .order_by(j.c.resource_id, j.c.revision)
    )
    for row in connection.execute(statement):
        yield JournalRow(**row._mapping)


def _write(connection: Connection, advances: Sequence[Advance], known: dict[str, Position]) -> None:
    ends = [{"of": a.position.resource_id, "at": a.closed_s, "by": a.closed_by, "unsure": a.closed_uncertain_s} for a in advances]
    continued = [e for e in ends if e["of"] in known]
    if continued:
        is_open = (table.c.resource_id == bindparam("of")) & table.c.end_s.is_(None)
        # What began at the very moment it ends never was.
        connection.execute(delete(table).where(is_open, table.c.start_s >= bindparam("at")), continued)
        values: dict[str, Any] = {"end_s": bindparam("at"), "closed_by": bindparam("by"), "end_uncertain_s": bindparam("unsure")}
        connection.execute(table.update().where(is_open).values(values), continued)
    bulk.insert_records(connection, table, _FIELDS, [interval for a in advances for interval in a.opened])
    moved = [a.position for a in advances]
    old = [{"of": p.resource_id, "to": p.revision, "at": p.since_s} for p in moved if p.resource_id in known]
    if old:
        change = positions.update().where(positions.c.resource_id == bindparam("of"))
        connection.execute(change.values(revision=bindparam("to"), since_s=bindparam("at")), old)
    bulk.insert_records(connection, positions, _POSITION, [p for p in moved if p.resource_id not in known])


def _settle(connection: Connection, ids: Sequence[str]) -> None:
    """Strike out what was taken, now or (a row told twice) before."""
    due = t.journal_due
    taken = (
        select(positions.c.resource_id)
        .where(positions.c.resource_id == due.c.resource_id, positions.c.revision >= due.c.revision)
        .exists()
    )
    connection.execute(delete(due).where(due.c.resource_id.in_(ids), taken))


# -- comparing ---------------------------------------------------------------------------------------------------------


def _stored(connection: Connection) -> Iterator[LedgerInterval]:
    statement = select(table).order_by(table.c.resource_id, table.c.meter, table.c.start_s)
    with connection.execute(statement, execution_options=_STREAMED) as rows:
        for row in rows:
            yield LedgerInterval(**row._mapping)


class _Groups:
    """Groups of intervals with the id of the next group in sight."""

    def __init__(self, rows: Iterable[LedgerInterval]) -> None:
        self._groups = groupby(rows, key=lambda r: r.resource_id)
        self.head: str | None = None
        self._rows: list[LedgerInterval] = []
        self._step()

    def _step(self) -> None:
        found = next(self._groups, None)
        self.head, self._rows = (found[0], list(found[1])) if found else (None, [])

    def pop(self) -> list[LedgerInterval]:
        """Return the group in sight and go on to the next."""
        rows = self._rows
        self._step()
        return rows


@dataclass(slots=True)
class _History:
    """The rows of one resource up to where they were taken, and what is strange about the others."""

    resource_id: str
    #: ``None``: nothing was taken yet.
    position: int | None = None
    rows: list[JournalRow] = field(default_factory=list)
    #: Revisions that were not taken and that nobody will take.
    lost: list[int] = field(default_factory=list)


def _histories(connection: Connection) -> Iterator[_History]:
    """Return every resource of the journal."""
    j, due = t.journal, t.journal_due
    statement = (
        select(*(j.c[name] for name in _JOURNAL), positions.c.revision.label("taken"), due.c.revision.label("due"))
        .outerjoin(positions, positions.c.resource_id == j.c.resource_id)
        .outerjoin(due, (due.c.resource_id == j.c.resource_id) & (due.c.revision == j.c.revision))
        .order_by(j.c.resource_id, j.c.revision)
    )
    with connection.execute(statement, execution_options=_STREAMED) as rows:
        for resource_id, group in groupby(rows, key=lambda r: r.resource_id):
            history = _History(resource_id)
            for row in group:
                values: dict[str, Any] = dict(row._mapping)
                history.position, is_due = values.pop("taken"), values.pop("due") is not None
                if history.position is not None and row.revision <= history.position:
                    history.rows.append(JournalRow(**values))
                elif not is_due:
                    history.lost.append(row.revision)
            yield history


def _differences(history: _History, found: Sequence[LedgerInterval]) -> Iterator[Difference]:
    resource_id, rows, position = history.resource_id, history.rows, history.position
    for revision in history.lost:
        yield Difference(resource_id=resource_id, kind="not_taken", why=Problem("fault.not_due", {"revision": revision}))
    if position is None:
        if found:
            yield Difference(resource_id=resource_id, kind="extra", why=Problem("fault.never_taken"))
        return
    wanted_advance = advance(None, rows)
    wanted = {(i.meter, i.start_s): i for i in wanted_advance.opened} if wanted_advance else {}
    stored = {(i.meter, i.start_s): i for i in found}
    if not rows or rows[-1].revision != position:
        yield Difference(resource_id=resource_id, kind="not_taken", why=Problem("fault.taken_beyond", {"revision": position}))
    for key in sorted(wanted.keys() | stored.keys()):
        place = Problem("fault.interval", {"meter": key[0], "start_s": key[1]})
        if key not in stored:
            yield Difference(resource_id=resource_id, kind="missing", why=place)
        elif key not in wanted:
            yield Difference(resource_id=resource_id, kind="extra", why=place)
        elif wanted[key] != stored[key]:
            yield Difference(resource_id=resource_id, kind="changed", why=place)
