"""Many rows in one statement: copied in, or handed in to be joined with a table; and what else the two engines say differently.

For the stores only. A commit of hundreds of machines writes thousands of rows; a statement for each row, or one that is
compiled for each number of rows, costs more than the rows themselves. PostgreSQL takes them by ``COPY``, SQLite by an insert that
is prepared once; both through the driver of the connection, inside its transaction. A few rows PostgreSQL takes as arrays: those
of many tables are sent one after the other and waited for once (``together``), where each ``COPY`` is waited for twice.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from operator import attrgetter
from typing import Any

from sqlalchemy import BigInteger, Connection, Dialect, FromClause, Text, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import Table
from sqlalchemy.types import TypeEngine

#: Columns of given rows: name -> type.
Columns = tuple[tuple[str, type[TypeEngine[Any]]], ...]
KEY_AND_AMOUNT: Columns = (("provider_id", Text), ("dimension", Text), ("amount", BigInteger))

_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))


def is_postgresql(connection: Connection) -> bool:
    """Tell which of the two engines is spoken to."""
    return connection.dialect.name == "postgresql"


def lock(connection: Connection, number: int) -> None:
    """Let one transaction at a time go on from here, until it ends; SQLite has one writer anyway."""
    if is_postgresql(connection):
        connection.execute(_ONE_AT_A_TIME, {"number": number})


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert of the engine's own, which says what becomes of rows that are there already."""
    return postgresql.insert(table) if is_postgresql(connection) else sqlite.insert(table)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Collection[str] = ("id",),
    fresh: Collection[str] = (),
) -> None:
    """Insert rows that all have the same columns; of one that is there already, by its key, overwrite ``fresh`` or the rest."""
    if rows:
        statement = insert(connection, table)
        changes = {name: statement.excluded[name] for name in fresh or rows[0] if name not in key}
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changes), list(rows))


def insert_many(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns; what is left out gets its default of the database."""
    if rows:
        insert_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


def insert_records(connection: Connection, table: Table, names: tuple[str, ...], records: Sequence[object]) -> None:
    """Insert the values that records have by these names, two at least."""
    if records:
        columns = zip(*map(attrgetter(*names), records), strict=True)
        insert_columns(connection, table, dict(zip(names, columns, strict=True)))


@dataclass(frozen=True, slots=True)
class Same:
    """A value that stands in every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class Fit:
    """Values that are as the database keeps them."""

    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table, as tuples of the database's own values."""

    table: Table
    names: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def insert_columns(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any] | Same | Fit]) -> None:
    """Insert rows given column by column; one column at least has a value for each row."""
    insert_batches(connection, [batch(connection, table, columns)])


def batch(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any] | Same | Fit]) -> Batch:
    """Return rows to insert, given column by column; one column at least has a value for each row."""
    names = tuple(columns)
    processors = _processors(table, names, connection.dialect)
    lengths = {len(c.values if isinstance(c, Fit) else c) for c in columns.values() if not isinstance(c, Same)}
    assert len(lengths) == 1, "columns of one length"
    fit = [_fit(column, p) for column, p in zip(columns.values(), processors, strict=True)]
    return Batch(table, names, list(zip(*fit, strict=False)))


def _fit(column: Sequence[Any] | Same | Fit, process: Callable[[Any], Any] | None) -> Iterable[Any]:
    """Return values fit for the driver; one that stands in many rows is made fit once."""
    if isinstance(column, Fit):
        return column.values
    if isinstance(column, Same):
        return repeat(column.value if process is None else process(column.value))
    if process is None:
        return column
    made: dict[int, Any] = {}
    for value in column:
        if id(value) not in made:
            made[id(value)] = process(value)
    return [made[id(value)] for value in column]


def insert_batches(connection: Connection, batches: Iterable[Batch]) -> None:
    """Insert rows of several tables in this order; each batch is made while PostgreSQL still works on the one before it.

    Raises:
        IntegrityError: somebody else was faster; the caller must roll back.
    """
    coming = iter(batches)
    now = next(coming, None)
    if not is_postgresql(connection):
        while now is not None:
            now = _insert(connection, now, coming) if now.rows else next(coming, None)
        return
    with together(connection) as waiting:
        while now is not None:
            if len(now.rows) <= _FEW_ROWS:
                waiting.extend([now] if now.rows else [])
                now = next(coming, None)
            else:
                send_waiting(connection)
                now = _copy(connection, now, coming)


#: So many rows are taken as arrays; of more of them making the arrays costs more than waiting for a ``COPY``.
_FEW_ROWS = 64
_WAITING = "rows that wait"


@contextmanager
def together(connection: Connection) -> Iterator[list[Batch]]:
    """Have few rows that the block inserts wait for each other; they are there for every other statement, and after the block.

    On SQLite nothing waits. A block inside another one sends nothing by itself.

    Raises:
        IntegrityError: as ``insert_batches``, where they are sent.
    """
    outer: list[Batch] | None = connection.info.get(_WAITING)
    if outer is not None or not is_postgresql(connection):
        yield [] if outer is None else outer
        return
    waiting = connection.info[_WAITING] = list[Batch]()
    try:
        yield waiting
        send_waiting(connection)
    finally:
        del connection.info[_WAITING]


def send_waiting(connection: Connection) -> None:
    """Insert the rows that wait: before anything else is asked of the database, and when their block ends."""
    batches: list[Batch] = connection.info.get(_WAITING) or []
    if not batches:
        return
    sent, batches[:] = list(batches), []
    raw: Any = _begun(connection).driver_connection
    with _as_of_the_library(connection, sent), raw.pipeline(), raw.cursor() as cursor:
        for batch_ in sent:
            columns = [_array_of(column) for column in zip(*batch_.rows, strict=True)]
            cursor.execute(_insert_arrays(batch_.table, batch_.names, connection.dialect), columns)


@cache
def _insert_arrays(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect)}[]" for name in names)
    return f"INSERT INTO {table.name} ({', '.join(names)}) SELECT * FROM unnest({arrays})"  # noqa: S608  names of our own tables


def _array_of(values: Sequence[Any]) -> str:
    """Return values of a column, of any type it may have, as PostgreSQL writes an array."""
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return _array([value], Text)[1:-1]
    if isinstance(value, int | float):
        return str(value)
    # Bytes, in the wrapping of the driver.
    return f'"\\\\x{bytes(value.obj).hex()}"'


def _begun(connection: Connection) -> Any:
    """Return the driver's connection, inside the transaction."""
    if not connection.in_transaction():
        connection.begin()
    return connection.connection


@contextmanager
def _as_of_the_library(connection: Connection, batches: Sequence[Batch]) -> Iterator[None]:
    """Have errors of the driver raised as SQLAlchemy does."""
    driver_error = connection.dialect.loaded_dbapi.Error
    try:
        yield
    except driver_error as error:
        statement = "; ".join(f"INSERT INTO {b.table.name}" for b in batches)
        raise DBAPIError.instance(statement, None, error, driver_error) from error


def _insert(connection: Connection, now: Batch, coming: Iterator[Batch]) -> Batch | None:
    marks = ", ".join("?" * len(now.names))
    statement = f"INSERT INTO {now.table.name} ({', '.join(now.names)}) VALUES ({marks})"  # noqa: S608  names of our own tables
    connection.exec_driver_sql(statement, list(now.rows))
    return next(coming, None)


def _copy(connection: Connection, now: Batch, coming: Iterator[Batch]) -> Batch | None:
    """Send rows to PostgreSQL and make those that come next before its answer is waited for."""
    raw: Any = _begun(connection).driver_connection
    statement = f"COPY {now.table.name} ({', '.join(now.names)}) FROM STDIN"
    with _as_of_the_library(connection, [now]), raw.cursor() as cursor, cursor.copy(statement) as copy:
        for row in now.rows:
            copy.write_row(row)
        return next(coming, None)


@cache
def _processors(table: Table, names: tuple[str, ...], dialect: Dialect) -> tuple[Callable[[Any], Any] | None, ...]:
    """Return what makes a value of each column fit for the driver."""
    return tuple(table.c[name].type.bind_processor(dialect) for name in names)


def given(connection: Connection, columns: Columns = KEY_AND_AMOUNT) -> FromClause:
    """Return rows that are handed in as parameters (``given_values``), to be joined with."""
    return _given(columns, is_postgresql=is_postgresql(connection))


@cache
def _given(columns: Columns, *, is_postgresql: bool) -> FromClause:
    if is_postgresql:
        arrays = [cast(bindparam(f"given_{name}", type_=Text), ARRAY(type_)) for name, type_ in columns]
        return func.unnest(*arrays).table_valued(*(name for name, _ in columns), name="given").render_derived()
    if len(columns) == _OF_TWO_KEYS:
        return _given_by_two_keys(*(name for name, _ in columns))
    each = func.json_each(bindparam("given_rows", type_=Text)).table_valued("value", name="each_given")
    fields = [cast(func.json_extract(each.c.value, f"$[{n}]"), type_).label(name) for n, (name, type_) in enumerate(columns)]
    return select(*fields).subquery("given")


#: Two texts that are a key together, and what is given for it.
_OF_TWO_KEYS = 3


def _given_by_two_keys(first: str, second: str, value: str) -> FromClause:
    """Return the rows of an object of objects: no row is a text of its own, to be read once for each of its columns."""
    outer = func.json_each(bindparam("given_rows", type_=Text)).table_valued("key", "value", name="outer_given")
    inner = func.json_each(outer.c.value).table_valued("key", "atom", name="inner_given", joins_implicitly=True)
    return select(inner.c.key.label(first), outer.c.key.label(second), inner.c.atom.label(value)).subquery("given")


def given_values(connection: Connection, rows: Sequence[tuple[Any, ...]], columns: Columns = KEY_AND_AMOUNT) -> dict[str, Any]:
    """Return the parameters of a statement that joins with ``given``; where two columns are a key, each key is given once."""
    if not is_postgresql(connection):
        return {"given_rows": json.dumps(_by_two_keys(rows) if len(columns) == _OF_TWO_KEYS else rows)}
    return {f"given_{name}": _array([row[n] for row in rows], type_) for n, (name, type_) in enumerate(columns)}


def _by_two_keys(rows: Sequence[tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    """Return values by their keys: the second, of which there are few, outside."""
    found: dict[str, dict[str, Any]] = {}
    for first, second, value in rows:
        found.setdefault(second, {})[first] = value
    assert sum(map(len, found.values())) == len(rows), "of two amounts given for one key one would be lost"
    return found


def _array(values: Sequence[str | int | None], type_: type[TypeEngine[Any]]) -> str:
    """Return values as PostgreSQL writes an array: the driver looks at each of them for as long as the database takes."""
    if type_ is not Text:
        return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"
    # Escaped all at once.
    joined = "\0".join(map(str, values))
    assert joined.count("\0") == max(len(values) - 1, 0), "no text has a null character"
    texts = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{texts}"}}' if values else "{}"
