"""What tells whether small tables are as they were: for who keeps their rows in memory and must never be late."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Text, cast, func, literal_column, select
from sqlalchemy.schema import Table

from inventory.store import bulk

#: To be compared with another one only.
Revision = tuple[object, ...]


def revision(connection: Connection, tables: Sequence[Table]) -> Revision | None:
    """Return what is another one as soon as any row of these tables is; None where the engine has no such thing: read again.

    PostgreSQL knows of each row which transaction wrote it, whoever that was, and these numbers grow: with the same number of
    rows, whatever was committed since has raised their sum, also where it began earlier; what was rolled back is in none.
    A server that took another's place, or was set back, may give a number again: since when it runs is part of the answer, as is
    the database that was asked.
    Rows that are read after this call, in the same transaction, are as new or newer.
    """
    if not bulk.is_postgresql(connection):
        return None
    return (connection.engine, *connection.execute(_revision(tuple(tables))).one())


@cache
def _revision(tables: tuple[Table, ...]) -> Select[Any]:
    since = cast(func.pg_postmaster_start_time(), Text).label("since")
    return select(since, *(_of(table).scalar_subquery().label(table.name) for table in tables))


def _of(table: Table) -> Select[Any]:
    writers = cast(cast(literal_column(f"{table.name}.xmin"), Text), BigInteger)
    return select(cast(func.count(), Text) + " " + cast(func.coalesce(func.sum(writers), 0), Text)).select_from(table)
