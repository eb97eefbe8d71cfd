"""Usage rated by SQL in DuckDB: a third witness, which shares no line of arithmetic with the kernel and the fast engine.

It reads the books as rows of prices, steps, discounts and commitments, cuts time where they change, and computes in 128-bit
integers: flat prices, prices with steps, what commitments cover of what is held, what machines passed, and what people entered.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import numpy as np

from inventory.domain.journal import LOST
from metering.books import Books, Mode
from metering.counts import Counted
from metering.entries import Entry
from metering.meters import meter_of

#: What a rated row is: kind, resource, meter, state, department, project, system, amount, start, end, opened and closed by,
#: book, price, basis points, list price, price paid.
Rated = tuple[str, str, str, str, str, str, str, int, int, int, int, int, str, int, int, int, int]
#: Later than any moment.
_NEVER = 1 << 61

_TABLES = """
CREATE TABLE versions (book VARCHAR, from_s BIGINT, to_s BIGINT);
CREATE TABLE prices (book VARCHAR, meter VARCHAR, state VARCHAR, mode VARCHAR, micro BIGINT, over BIGINT);
CREATE TABLE steps (book VARCHAR, meter VARCHAR, nth BIGINT, begun HUGEINT, ends HUGEINT, micro BIGINT);
CREATE TABLE discounts (nth BIGINT, book VARCHAR, department VARCHAR, meter VARCHAR, points BIGINT, from_s BIGINT, to_s BIGINT);
CREATE TABLE owed (nth BIGINT, book VARCHAR, name VARCHAR, department VARCHAR, project VARCHAR, meter VARCHAR, amount HUGEINT,
    micro HUGEINT, over HUGEINT, begun BIGINT, from_s BIGINT, to_s BIGINT);
CREATE TABLE services (resource VARCHAR, meter VARCHAR, department VARCHAR, project VARCHAR, amount HUGEINT, begins BIGINT,
    ends BIGINT);
CREATE TABLE days (resource VARCHAR, meter VARCHAR, department VARCHAR, project VARCHAR, system VARCHAR, begins BIGINT,
    ends BIGINT, amount HUGEINT);
CREATE TABLE charges (book VARCHAR, meter VARCHAR, per VARCHAR, micro BIGINT, over BIGINT);
CREATE TABLE rated (kind VARCHAR, resource VARCHAR, meter VARCHAR, state VARCHAR, department VARCHAR, project VARCHAR,
    system VARCHAR, amount HUGEINT, first BIGINT, last BIGINT, opened_by BIGINT, closed_by BIGINT, book VARCHAR, micro BIGINT,
    points BIGINT, listed HUGEINT, billed HUGEINT);
CREATE MACRO half_up(value, over) AS (2 * value + over) // (2 * over)
"""
#: Stretches of time in which neither version nor discount of a department and meter changes.
_STRETCHES = """
CREATE TABLE stretches AS
WITH told AS (
    SELECT department, meter FROM usage UNION SELECT department, meter FROM services UNION SELECT department, meter FROM days
),
asked AS (SELECT t.*, v.* FROM told t, versions v),
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
#: Usage cut where its price changes; a price counts from where row, price and discount all held.
_PIECES = """
CREATE TABLE pieces AS
WITH parts AS (
    SELECT u.*, s.book, s.points, p.mode, p.micro, p.over, u.amount AS part, greatest(u.begins, s.from_s) AS anchor,
           greatest(u.begins, s.from_s, $start_s) AS first, least(u.ends, s.to_s, $until_s) AS last,
           u.kind = 'usage' AND u.state <> $lost
               AND EXISTS (FROM owed o WHERE o.department = u.department AND o.meter = u.meter) AS waits
    FROM usage u
    JOIN stretches s ON s.department = u.department AND s.meter = u.meter AND s.from_s < u.ends AND s.to_s > u.begins
    JOIN prices p ON p.book = s.book AND p.meter = u.meter AND p.state = u.state
)
SELECT row_number() OVER () AS id, * FROM parts WHERE first < last
"""
#: At every second the longest held are covered first; neighbouring stretches of a piece with as much covered are one.
_COVERED = """
CREATE OR REPLACE TABLE shares AS
WITH clipped AS (
    SELECT p.id, p.begins, p.resource, p.first AS since, p.part, o.amount AS most,
           greatest(p.first, o.from_s) AS first, least(p.last, o.to_s) AS last
    FROM pieces p JOIN owed o ON o.nth = $nth AND o.department = p.department AND o.meter = p.meter
    WHERE p.waits AND greatest(p.first, o.from_s) < least(p.last, o.to_s)
),
moments AS (SELECT DISTINCT unnest([first, last]) AS moment FROM clipped),
slices AS (SELECT moment AS first, lead(moment) OVER (ORDER BY moment) AS last FROM moments),
held AS (
    SELECT c.id, c.part, c.most, s.first, s.last, coalesce(sum(c.part) OVER (
        PARTITION BY s.first ORDER BY c.begins, c.resource, c.since ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS others
    FROM clipped c JOIN slices s ON s.first >= c.first AND s.last <= c.last
),
told AS (SELECT id, part, first, last, greatest(0, least(part, most - others)) AS taken FROM held),
marked AS (SELECT *, taken IS DISTINCT FROM lag(taken) OVER (PARTITION BY id ORDER BY first) AS is_new FROM told),
islands AS (SELECT *, sum(is_new::INT) OVER (PARTITION BY id ORDER BY first) AS island FROM marked)
SELECT id, part, taken, min(first) AS first, max(last) AS last FROM islands GROUP BY id, part, taken, island
"""
#: The fee of a commitment, shared exactly by what is used of it, in order of time; the rest of it is what is not used.
_FEE = """
INSERT INTO rated
WITH fee AS (
    SELECT o.*, half_up(amount * micro * (to_s - begun), over) - half_up(amount * micro * (from_s - begun), over) AS fee,
           amount * (to_s - from_s) AS whole
    FROM owed o WHERE nth = $nth
),
used AS (
    SELECT p.* EXCLUDE (first, last), s.first, s.last, s.taken, sum(s.taken * (s.last - s.first)) OVER (
        ORDER BY s.first, p.resource, p.opened_by, s.last
    ) AS after, s.taken * (s.last - s.first) AS own
    FROM shares s JOIN pieces p ON p.id = s.id WHERE s.taken > 0
)
SELECT 'commitment_used', u.resource, u.meter, u.state, u.department, u.project, u.system, u.taken, u.first, u.last, u.opened_by,
       CASE WHEN u.ends = u.last AND u.last < $until_s THEN u.closed_by ELSE 0 END, f.book, f.micro, 0,
       f.fee * u.after // f.whole - f.fee * (u.after - u.own) // f.whole,
       f.fee * u.after // f.whole - f.fee * (u.after - u.own) // f.whole
FROM used u, fee f
UNION ALL
SELECT 'commitment_unused', f.name, f.meter, '', f.department, f.project, '', f.whole - t.taken, f.from_s, f.to_s, 0, 0, f.book,
       f.micro, 0, 0, f.fee - f.fee * t.taken // f.whole
FROM fee f, (SELECT coalesce(sum(own), 0) AS taken FROM used) t WHERE f.whole > t.taken
"""
#: What a commitment left of the pieces, in their place: it counts from where it is left.
_LEFT = """
CREATE OR REPLACE TABLE pieces AS
WITH clipped AS (SELECT id, min(first) AS first, max(last) AS last FROM shares GROUP BY id),
spans AS (
    SELECT id, part - taken AS part, first, last FROM shares WHERE taken < part
    UNION ALL
    SELECT p.id, p.part, p.first, c.first FROM pieces p JOIN clipped c ON c.id = p.id WHERE p.first < c.first
    UNION ALL
    SELECT p.id, p.part, c.last, p.last FROM pieces p JOIN clipped c ON c.id = p.id WHERE c.last < p.last
),
found AS (
    SELECT p.* EXCLUDE (part, first, last, id), s.part, s.first, s.last FROM spans s JOIN pieces p ON p.id = s.id
    UNION ALL BY NAME
    SELECT p.* EXCLUDE (id) FROM pieces p WHERE p.id NOT IN (SELECT id FROM clipped)
)
SELECT row_number() OVER () AS id, * FROM found
"""
#: What a machine passed while one price and discount held is one piece; its quantity is no matter of time.
_COUNTS = """
INSERT INTO pieces BY NAME
WITH parts AS (
    SELECT d.resource, d.meter, d.department, d.project, d.system, s.book, s.points, s.from_s, sum(d.amount) AS part,
           min(d.begins) AS first, least(max(d.ends), $until_s) AS last
    FROM days d JOIN stretches s
    ON s.department = d.department AND s.meter = d.meter AND s.from_s <= d.begins AND d.begins < s.to_s
    GROUP BY ALL ORDER BY ALL
)
SELECT -row_number() OVER () AS id, 'counted' AS kind, 'running' AS state, c.* EXCLUDE (from_s), p.mode, p.micro, p.over,
       c.part AS amount, c.first AS begins, c.last AS ends, c.first AS anchor, false AS waits, 0 AS opened_by, 0 AS closed_by
FROM parts c JOIN prices p ON p.book = c.book AND p.meter = c.meter AND p.state = 'running'
"""
#: A service is of the second it was done in, or a part of its month in true seconds.
_SERVICES = """
INSERT INTO rated
WITH parts AS (
    SELECT v.*, s.book, s.points, greatest(v.begins, s.from_s, $start_s) AS first, least(v.ends, s.to_s, $until_s) AS last,
           c.per, c.micro, c.over
    FROM services v
    JOIN stretches s ON s.department = v.department AND s.meter = v.meter AND s.from_s < v.ends AND s.to_s > v.begins
    JOIN charges c ON c.book = s.book AND c.meter = v.meter
),
told AS (
    SELECT *, amount * micro * CASE WHEN per = 'month' THEN last - first ELSE 1 END AS worth,
           over::HUGEINT * CASE WHEN per = 'month' THEN $end_s - $start_s ELSE 1 END AS whole
    FROM parts WHERE first < last
)
SELECT 'entry', resource, meter, '', department, project, '', amount, first, last, 0, 0, book, micro, points,
       half_up(worth, whole), half_up(worth * (10000 - points), whole * 10000)
FROM told
"""
#: Rounded half up, as a difference of two running totals.
_FLAT = """
INSERT INTO rated
WITH told AS (
    SELECT * REPLACE (CASE WHEN waits THEN first ELSE anchor END AS anchor),
           CASE WHEN kind = 'counted' THEN first + 1 ELSE last END AS until,
           part::HUGEINT * micro AS worth, part::HUGEINT * micro * (10000 - points) AS net, over::HUGEINT * 10000 AS net_over
    FROM pieces WHERE mode = 'flat'
)
SELECT kind, resource, meter, state, department, project, system, part, first, last, opened_by,
       CASE WHEN ends = last AND last < $until_s THEN closed_by ELSE 0 END, book, micro, points,
       half_up(worth * (until - anchor), over) - half_up(worth * (first - anchor), over),
       half_up(net * (until - anchor), net_over) - half_up(net * (first - anchor), net_over)
FROM told
"""
#: The quantity of a project, in order of time, goes up the steps; of a volume price all of it stands on the last one reached.
_STEPPED = """
INSERT INTO rated
WITH weighed AS (
    SELECT *, part::HUGEINT * CASE WHEN kind = 'counted' THEN 1 ELSE last - first END AS own FROM pieces WHERE mode <> 'flat'
),
counted AS (
    SELECT *, sum(own) OVER (line ORDER BY first, resource, opened_by, last, part) AS after, sum(own) OVER line AS total
    FROM weighed WINDOW line AS (PARTITION BY department, project, meter, book)
),
reached AS (
    SELECT c.id, s.begun, s.ends, s.micro FROM counted c JOIN steps s ON s.book = c.book AND s.meter = c.meter
    WHERE c.mode = 'graduated'
    UNION ALL
    SELECT c.id, 0, $never, arg_min(s.micro, s.nth) FROM counted c JOIN steps s ON s.book = c.book AND s.meter = c.meter
    WHERE c.mode = 'volume' AND c.total <= s.ends GROUP BY c.id
),
worth AS (
    SELECT c.id, sum(greatest(0, least(c.after, r.ends) - r.begun) * r.micro) AS worth,
           sum(greatest(0, least(c.after - c.own, r.ends) - r.begun) * r.micro) AS before,
           coalesce(max(r.micro) FILTER (c.after - c.own >= r.begun AND c.after - c.own < r.ends AND c.after <= r.ends), 0) AS one
    FROM counted c JOIN reached r ON r.id = c.id GROUP BY c.id
),
told AS (
    SELECT c.*, w.worth, w.before, w.one, (w.worth - w.before) * (10000 - c.points) AS net,
           sum((w.worth - w.before) * (10000 - c.points)) OVER (
               PARTITION BY department, project, meter, book ORDER BY first, resource, opened_by, last, part
           ) AS net_after
    FROM counted c JOIN worth w ON w.id = c.id
)
SELECT kind, resource, meter, state, department, project, system, part, first, last, opened_by,
       CASE WHEN ends = last AND last < $until_s THEN closed_by ELSE 0 END, book, one, points,
       half_up(worth, over::HUGEINT) - half_up(before, over::HUGEINT),
       half_up(net_after, over::HUGEINT * 10000) - half_up(net_after - net, over::HUGEINT * 10000)
FROM told
"""


def loaded(rows: Sequence[Sequence[Any]], books: Books, entries: Sequence[Entry | Counted] = ()) -> duckdb.DuckDBPyConnection:
    """Return a database in memory with rows of the ledger, what was entered and passed, and the books; one thread."""
    database = duckdb.connect(config={"threads": 1})
    for statement in filter(str.strip, _TABLES.split(";")):
        database.execute(statement)
    _load_books(database, books)
    columns = list(zip(*rows, strict=True))
    texts = {"resource": 0, "meter": 1, "state": 5, "department": 10, "project": 11, "system": 12}
    given: dict[str, Any] = {name: np.array(columns[n], dtype=object) for name, n in texts.items()}
    given |= {name: np.array(columns[n], dtype=np.int64) for name, n in (("begins", 2), ("amount", 4), ("opened_by", 6))}
    given["ends"] = np.array([_NEVER if end is None else end for end in columns[3]], dtype=np.int64)
    given["closed_by"] = np.array([0 if by is None else by for by in columns[7]], dtype=np.int64)
    database.register("given", given)
    database.execute("CREATE TABLE usage AS SELECT *, 'usage' AS kind FROM given")
    _load_entries(database, entries)
    return database


def _load_entries(database: duckdb.DuckDBPyConnection, entries: Sequence[Entry | Counted]) -> None:
    passed = [e for e in entries if isinstance(e, Counted)]
    by_hand = [e for e in entries if isinstance(e, Entry)]
    _fill(
        database, "days",
        ((c.resource_id, c.meter, c.department_id, c.project_id, c.system_id, *day) for c in passed for day in c.days),
    )  # fmt: skip
    is_service = {e.id: e.meter.startswith(("service:", "labour:")) for e in by_hand}
    _fill(
        database, "services",
        ((e.id, e.meter, e.department_id, e.project_id, e.amount, e.start_s, e.start_s + 1 if e.end_s is None else e.end_s)
         for e in by_hand if is_service[e.id]),
    )  # fmt: skip
    named = "resource, meter, department, project, amount, begins, ends, state, system, opened_by, closed_by, kind"
    held = [
        (e.id, e.meter, e.department_id, e.project_id, e.amount, e.start_s, e.end_s, "running", "", 0, 0, "entry")
        for e in by_hand if not is_service[e.id]
    ]  # fmt: skip
    _fill(database, f"usage ({named})", held)


def _load_books(database: duckdb.DuckDBPyConnection, books: Books) -> None:
    prices, steps, discounts = set(), set(), []
    for version in books.versions:
        for rate in version.rates:
            over = _over(rate.meter)
            price = 0 if rate.mode is not Mode.FLAT else rate.steps[0].micro_yuan
            prices |= {
                (version.id, rate.meter, rate.state, rate.mode.value, price, over),
                # What is lost costs nothing, whatever is priced.
                (version.id, rate.meter, LOST, Mode.FLAT.value, 0, over),
            }
            begun = 0
            for nth, step in enumerate(rate.steps if rate.mode is not Mode.FLAT else ()):
                ends = _NEVER**2 if step.up_to is None else step.up_to * over
                steps.add((version.id, rate.meter, nth, begun, ends, step.micro_yuan))
                begun = ends
        for nth, d in enumerate(version.discounts):
            to_s = _NEVER if d.to_s is None else d.to_s
            discounts.append((nth, version.id, d.department_id, d.meter, d.basis_points, d.from_s, to_s))
    charges = (
        (v.id, e.meter, e.per, e.micro_yuan, meter_of(e.meter).base_per_unit) for v in books.versions for e in v.entry_rates
    )
    _fill(database, "charges", charges)
    _fill(database, "versions", ((v.id, v.from_s, _NEVER if v.to_s is None else v.to_s) for v in books.versions))
    for table, held in (("prices", sorted(prices)), ("steps", sorted(steps)), ("discounts", discounts)):
        _fill(database, table, held)


def _over(meter: str) -> int:
    found = meter_of(meter)
    # Bytes are priced by the GiB, whenever they passed.
    return found.base_per_unit * (1 if found.base_unit == "byte" else 3600)


def rate(database: duckdb.DuckDBPyConnection, books: Books, start_s: int, until_s: int, end_s: int | None = None) -> None:
    """Rate what was loaded, into a table of its own; ``end_s`` is the end of the month, where it is rated before."""
    owed = [
        (v.id, c.name, c.department_id, c.project_id, c.meter, c.amount, c.micro_yuan_per_unit_hour, _over(c.meter), c.from_s,
         max(c.from_s, start_s), min(c.to_s, _NEVER if v.to_s is None else v.to_s, until_s))
        for v in books.versions for c in v.commitments
    ]  # fmt: skip
    _fill(database, "owed", ((nth, *row) for nth, row in enumerate(owed) if row[-2] < row[-1]))
    database.execute(_STRETCHES)
    database.execute(_PIECES, {"start_s": start_s, "until_s": until_s, "lost": LOST})
    for (nth,) in database.execute("SELECT nth FROM owed ORDER BY nth").fetchall():
        database.execute(_COVERED, {"nth": nth})
        database.execute(_FEE, {"nth": nth, "until_s": until_s})
        database.execute(_LEFT)
    database.execute(_COUNTS, {"until_s": until_s})
    database.execute(_SERVICES, {"start_s": start_s, "until_s": until_s, "end_s": until_s if end_s is None else end_s})
    database.execute(_FLAT, {"until_s": until_s})
    database.execute(_STEPPED, {"until_s": until_s, "never": _NEVER**2})


def rated(
    rows: Sequence[Sequence[Any]], books: Books, window: tuple[int, int, int], entries: Sequence[Entry | Counted] = ()
) -> list[Rated]:
    """Return what SQL makes of rows of the ledger and of entries, in order; ``window`` is start, end, and up to where."""
    start_s, end_s, until_s = window
    with loaded(rows, books, entries) as database:
        rate(database, books, start_s, until_s, end_s)
        return sorted(database.execute("FROM rated").fetchall())


def _fill(database: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    held = list(rows)
    if held:
        places = ", ".join([f"({', '.join('?' * len(held[0]))})"] * len(held))
        database.execute(f"INSERT INTO {table} VALUES {places}", [value for row in held for value in row])
