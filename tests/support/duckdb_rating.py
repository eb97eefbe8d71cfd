"""Flat prices rated by SQL in DuckDB: a third witness, which shares no line of arithmetic with the kernel and the fast engine.

It reads the books as rows of prices and discounts, cuts time where they change, and computes in 128-bit integers. What needs
other lines of its project or department (steps, commitments) is not for it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import numpy as np

from metering.books import Books
from metering.meters import meter_of

#: What a rated row is: resource, meter, state, department, project, system, amount, start, end, opened and closed by, book,
#: price, basis points, list price, price paid.
Rated = tuple[str, str, str, str, str, str, int, int, int, int, int, str, int, int, int, int]
#: Later than any moment.
_NEVER = 1 << 61

_TABLES = """
CREATE TABLE versions (book VARCHAR, from_s BIGINT, to_s BIGINT);
CREATE TABLE prices (book VARCHAR, meter VARCHAR, state VARCHAR, micro BIGINT, over BIGINT);
CREATE TABLE discounts (nth BIGINT, book VARCHAR, department VARCHAR, meter VARCHAR, points BIGINT, from_s BIGINT, to_s BIGINT);
"""
#: Stretches of time in which neither version nor discount of a department and meter changes.
_STRETCHES = """
CREATE TABLE stretches AS
WITH asked AS (SELECT DISTINCT u.department, u.meter, v.* FROM usage u, versions v),
moments AS (
    SELECT department, meter, book, from_s AS moment, to_s AS ends FROM asked
    UNION
    SELECT a.department, a.meter, a.book, unnest([d.from_s, d.to_s]) AS moment, a.to_s FROM asked a
    JOIN discounts d ON d.book = a.book AND d.department = a.department AND d.meter IN ('', a.meter)
),
held AS (
    SELECT m.department, m.meter, m.book, m.moment AS from_s,
           lead(m.moment, 1, m.ends) OVER (PARTITION BY m.department, m.meter, m.book ORDER BY m.moment) AS to_s
    FROM moments m JOIN versions v ON v.book = m.book
    WHERE m.moment >= v.from_s AND m.moment < v.to_s
)
SELECT h.*, coalesce((
    SELECT arg_min(d.points, (d.meter = '', d.nth)) FROM discounts d
    WHERE d.book = h.book AND d.department = h.department AND d.meter IN ('', h.meter)
    AND d.from_s <= h.from_s AND h.from_s < d.to_s
), 0) AS points
FROM held h
"""
#: Rounded half up, as a difference of two running totals since row, price and discount all held.
_RATED = """
CREATE TABLE rated AS
WITH parts AS (
    SELECT u.*, s.book, s.points, p.micro, p.over,
           greatest(u.begins, s.from_s) AS anchor,
           greatest(u.begins, s.from_s, $start_s) AS first,
           least(u.ends, s.to_s, $until_s) AS last
    FROM usage u
    JOIN stretches s ON s.department = u.department AND s.meter = u.meter AND s.from_s < u.ends AND s.to_s > u.begins
    JOIN prices p ON p.book = s.book AND p.meter = u.meter AND p.state = u.state
),
told AS (
    SELECT *, last - anchor AS after, first - anchor AS before,
           amount::HUGEINT * micro AS worth, amount::HUGEINT * micro * (10000 - points) AS net,
           over::HUGEINT * 10000 AS net_over
    FROM parts WHERE first < last
)
SELECT resource, meter, state, department, project, system, amount, first, last, opened_by,
       CASE WHEN ends = last AND last < $until_s THEN coalesce(closed_by, 0) ELSE 0 END AS closed_by,
       book, micro, points,
       (2 * worth * after + over) // (2 * over) - (2 * worth * before + over) // (2 * over) AS listed,
       (2 * net * after + net_over) // (2 * net_over) - (2 * net * before + net_over) // (2 * net_over) AS billed
FROM told
"""


def loaded(rows: Sequence[Sequence[Any]], books: Books) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with rows of the ledger and the books; one thread."""
    database = duckdb.connect(config={"threads": 1})
    for statement in filter(str.strip, _TABLES.split(";")):
        database.execute(statement)
    _fill(database, "versions", ((v.id, v.from_s, _NEVER if v.to_s is None else v.to_s) for v in books.versions))
    prices = (
        (v.id, rate.meter, rate.state, rate.steps[0].micro_yuan, 3600 * meter_of(rate.meter).base_per_unit)
        for v in books.versions
        for rate in v.rates
    )
    _fill(database, "prices", prices)
    discounts = (
        (nth, v.id, d.department_id, d.meter, d.basis_points, d.from_s, _NEVER if d.to_s is None else d.to_s)
        for v in books.versions
        for nth, d in enumerate(v.discounts)
    )
    _fill(database, "discounts", discounts)
    columns = list(zip(*rows, strict=True))
    texts = {"resource": 0, "meter": 1, "state": 5, "department": 10, "project": 11, "system": 12}
    given: dict[str, Any] = {name: np.array(columns[n], dtype=object) for name, n in texts.items()}
    given |= {name: np.array(columns[n], dtype=np.int64) for name, n in (("begins", 2), ("amount", 4), ("opened_by", 6))}
    given["ends"] = np.array([_NEVER if end is None else end for end in columns[3]], dtype=np.int64)
    given["closed_by"] = np.array([0 if by is None else by for by in columns[7]], dtype=np.int64)
    database.register("given", given)
    database.execute("CREATE TABLE usage AS FROM given")
    return database


def rate(database: duckdb.DuckDBPyConnection, start_s: int, until_s: int) -> None:
    """Rate what was loaded, into a table of its own."""
    database.execute(_STRETCHES)
    database.execute(_RATED, {"start_s": start_s, "until_s": until_s})


def rated(rows: Sequence[Sequence[Any]], books: Books, start_s: int, until_s: int) -> list[Rated]:
    """Return what SQL makes of rows of the ledger, in order."""
    with loaded(rows, books) as database:
        rate(database, start_s, until_s)
        return sorted(database.execute("FROM rated").fetchall())


def _fill(database: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    held = list(rows)
    if held:
        places = ", ".join([f"({', '.join('?' * len(held[0]))})"] * len(held))
        database.execute(f"INSERT INTO {table} VALUES {places}", [value for row in held for value in row])
