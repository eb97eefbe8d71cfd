"""Rating alone: the plain kernel, the fast engine and SQL in DuckDB over the same intervals, to the same micro-yuan."""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from metering import vectors
from metering.books import Books
from metering.charging import Charging
from metering.ledger import of_row
from metering.lines import Kind
from metering.statements import Summing
from tests.bench.closing import END_S, MONTH, START_S, books_of_month, rows_of_month
from tests.bench.progress import say
from tests.bench.report import Figure, Line
from tests.support import duckdb_rating

_INTERVALS, _PORTION = 250_000, 50_000
_KERNEL = "plain integer kernel: rows of the ledger to lines"
_WITH_IDS = "fast engine (64-bit columns): rows of the ledger to lines with their ids"
_SUMS = "fast engine: rows of the ledger to sums, for a statement of an open month"
_SQL = "SQL in DuckDB: rows handed in, rated, columns taken out; without ids"
_SQL_ALONE = "the rating of it alone, between tables that are there"
#: The order of what the fast engine makes of a row.
_COLUMNS = (
    "resource, meter, state, department, project, system, amount, first, last, opened_by, closed_by, book, micro, points, "
    "listed::BIGINT, billed::BIGINT"
)


def measure(folder: Path, seed: int) -> Figure:
    """Measure the three, each from rows in Python to what a close needs of them: lines as columns, or sums."""
    del folder
    books, rows = books_of_month(seed), list(islice(rows_of_month(seed, _INTERVALS * 4), _INTERVALS))
    say("the kernel")
    kernel_s, oracle = _timed(lambda: _kernel(books, rows))
    say("the fast engine")
    lines_s, made = _timed(lambda: _vectors(books, rows, makes_lines=True))
    sums_s, summed = _timed(lambda: _vectors(books, rows, makes_lines=False))
    say("DuckDB")
    load_s, database = _timed(lambda: duckdb_rating.loaded(rows, books))
    rate_s, _ = _timed(lambda: duckdb_rating.rate(database, books, START_S, END_S))
    fetch_s, _ = _timed(lambda: database.execute(f"SELECT {_COLUMNS} FROM rated").fetchnumpy())
    ((in_sql, line_count),) = database.execute("SELECT sum(billed), count(*) FROM rated").fetchall()
    database.close()
    assert oracle == made == summed == in_sql, "the engines differ"
    return Figure(
        name="rating",
        title="Rating alone",
        size=f"{_INTERVALS:,} intervals in memory, 3 versions of the price book, a discount for each department; "
        f"{line_count:,} lines; one thread each, processor time",
        seed=seed,
        lines=(
            Line(what=_WITH_IDS, unit="s", values=(lines_s,), baseline=_KERNEL),
            Line(what=_SUMS, unit="s", values=(sums_s,), baseline=_KERNEL),
            Line(what=_SQL, unit="s", values=(load_s + rate_s + fetch_s,), baseline=_KERNEL),
            Line(what=_SQL_ALONE, unit="s", values=(rate_s,), baseline=_KERNEL),
            Line(what=_KERNEL, unit="s", values=(kernel_s,)),
        ),
        notes=("All come to the same micro-yuan. SQLite and PostgreSQL hold the ledger; DuckDB would have to be given it.",),
    )


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def _charging(books: Books) -> Charging:
    return Charging(books, MONTH, START_S, END_S, END_S)


def _kernel(books: Books, rows: Sequence[Sequence[Any]]) -> int:
    return sum(line.micro_yuan for line in _charging(books).lines((of_row(r) for r in rows), ()))


def _vectors(books: Books, rows: Sequence[Sequence[Any]], *, makes_lines: bool) -> int:
    summing = Summing(MONTH)
    engine = vectors.Engine(_charging(books), summing, makes_lines=makes_lines)
    for at in range(0, len(rows), _PORTION):
        engine.take(rows[at : at + _PORTION])
    engine.rest(())
    engine.finished()
    return sum(sums[-1] for key, sums in summing.sums.items() if key[3] == Kind.USAGE)
