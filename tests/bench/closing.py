"""Closing a month: rated, written and sealed into one statement for each department; and rated from hourly samples instead."""

import random
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from controller.identity.caller import Caller, Role
from controller.local.memory import spare_what_stays
from controller.scheduling.policy import DEFAULT_POLICY
from controller.workflows import periods
from controller.workflows.platform import Platform
from inventory.domain.ids import DepartmentId, ProjectId, TokenId, random_ids
from inventory.domain.organisation import Department, Project
from inventory.domain.scope import PLATFORM
from inventory.store import bulk, directory
from inventory.store.engine import Database
from metering import book_store
from metering.books import Books, BookVersion, Discount, Mode, Rate, Step
from metering.ledger_tables import RATED, intervals
from metering.rating import Month, yuan
from tests.bench.machine import peak_mib
from tests.bench.progress import say
from tests.bench.report import Figure, Line, Target
from tests.support.database import open_for_test

_INTERVALS, _DEPARTMENTS, _PROJECTS, _METERS = 1_000_000, 100, 2_000, 20
_STATEMENT_ROUNDS = 5
_BASELINE_INTERVALS = 100_000
MONTH = "2026-10"
_ZONE = ZoneInfo("Asia/Shanghai")
_CHUNK = 50_000
START_S, END_S = Month.of(MONTH).window(_ZONE)
_NAMES = tuple(c.name for c in RATED)
_DECIMAL = "a loop over the same intervals in decimals, processor time"
_SAMPLES = "hourly samples of the same intervals, one by one, processor time"
_DUCKDB = "hourly samples of the same intervals as rows in DuckDB, rated and summed up, processor time"
_STATES = ("running", "running", "running", "stopped")


def rows_of_month(seed: int, count: int) -> Iterator[tuple[Any, ...]]:
    """Return intervals of a month: 30 % shorter than two hours, the rest four days on average; five to a resource."""
    source = random.Random(seed)
    for number in range(count):
        resource_number, place = divmod(number, 5)
        department = resource_number % _DEPARTMENTS
        project = resource_number % _PROJECTS
        meter = f"disk_gib:class-{resource_number % _METERS:02d}"
        # Five stretches of the month, one in each fifth of it, so that none of a resource overlap.
        fifth = (END_S - START_S) // 5
        start_s = START_S + place * fifth + source.randrange(fifth // 3)
        length = source.randrange(1, 7200) if source.random() < 0.3 else source.randrange(7200, fifth * 2 // 3)
        yield (
            f"vol_{resource_number:032x}", meter, start_s, start_s + length, source.randrange(1, 2000), _STATES[place % 4],
            2 * place + 1, 2 * place + 2, "volume", f"data-{resource_number}", f"dept_{department:032x}", f"proj_{project:032x}",
            f"sys_{project:032x}", None,
        )  # fmt: skip


def books_of_month(seed: int) -> Books:
    """Return three versions within the month, with a discount for every department."""
    source = random.Random(seed)
    third = (END_S - START_S) // 3
    versions = []
    for n in range(3):
        rates = tuple(
            Rate(meter=f"disk_gib:class-{m:02d}", state=state, mode=Mode.FLAT, code="",
                 steps=(Step(up_to=None, micro_yuan=source.randrange(500, 90_000)),))
            for m in range(_METERS) for state in ("allocated", "running", "stopped")
        )  # fmt: skip
        first = START_S - 86_400 if n == 0 else START_S + n * third
        last = START_S + (n + 1) * third if n < 2 else None
        less = tuple(
            Discount(department_id=f"dept_{d:032x}", meter="", basis_points=source.randrange(0, 3000), from_s=first, to_s=last)
            for d in range(_DEPARTMENTS)
        )
        versions.append(BookVersion(id=f"book_{n}", from_s=first, to_s=last, rates=rates, discounts=less))
    return Books(versions)


def _prepare(database: Database, seed: int) -> None:
    """Write the city, its price books (approved) and the month's ledger."""
    books = books_of_month(seed)
    with database.write() as connection:
        for number in range(_DEPARTMENTS):
            directory.save_department(connection, _department(number))
        for number in range(_PROJECTS):
            directory.save_project(connection, _project(number))
        for version in books.versions:
            book_store.add(connection, _book_row(version))
            book_store.decide(connection, version.id, "approved", 0.0)
        chunk: list[tuple[Any, ...]] = []
        for row in rows_of_month(seed, _INTERVALS):
            chunk.append(row)
            if len(chunk) == _CHUNK:
                bulk.insert_batches(connection, [bulk.Batch(intervals, _NAMES, chunk)])
                chunk = []
        bulk.insert_batches(connection, [bulk.Batch(intervals, _NAMES, chunk)])


def _department(number: int) -> Department:
    return Department(id=DepartmentId(f"dept_{number:032x}"), code=f"d{number:03d}", name=f"部门 {number}", parent_id=None)


def _project(number: int) -> Project:
    home = DepartmentId(f"dept_{number % _DEPARTMENTS:032x}")
    id_ = ProjectId(f"proj_{number:032x}")
    return Project(id=id_, code=f"P{number:04d}", name=f"项目 {number}", department_id=home, budget_code=f"B{number:04d}")


def _book_row(version: BookVersion) -> dict[str, Any]:
    return {
        "id": version.id, "name": "bench", "from_s": version.from_s, "to_s": version.to_s, "replaces": "", "document": b"",
        "sha256": version.id, "body": version.to_json(), "created_by": "wang", "created_at_s": 0.0, "approved_at_s": None,
    }  # fmt: skip


def _platform(database: Database) -> Platform:
    return Platform(
        db=database,
        clock=lambda: float(END_S + 100 * 3600),
        new_id=random_ids(),
        zone=_ZONE,
        policy=DEFAULT_POLICY,
        images_dir=Path("/nowhere"),
    )


def _officer(name: str) -> Caller:
    return Caller(token_id=TokenId(name), user_name=name, role=Role.FINANCE, department_id=None, scope=PLATFORM, source="bench")


def _close(url: str, results: Connection) -> None:
    """Close the month in a process of its own, and tell what it took: wall, CPU (s), memory at its peak (MiB)."""
    with open_for_test(url) as database:
        platform = _platform(database)
        periods.begin_closing(platform, MONTH, _officer("wang"))
        wall, cpu = time.perf_counter(), time.process_time()
        periods.review(platform, MONTH, _officer("wang"))
        closed = periods.close(platform, MONTH, _officer("li"))
        took = (time.perf_counter() - wall, time.process_time() - cpu)
        found = periods.statements(platform, MONTH, PLATFORM)
    assert len(found) == _DEPARTMENTS
    assert sum(s["fen"] for s in found) == closed["fen"]
    results.send((*took, peak_mib(), closed["line_count"], closed["micro_yuan"]))


def _state(url: str, results: Connection) -> None:
    """Ask for the statement of every department while the month is open, some times over: of a hundred, the 99th is one.

    As the service does: what is there at its start is not searched for garbage. In a process that has measured other figures
    before, one search was four times a statement, and told nothing of statements. Nothing is asked before it counts.
    """
    wall_ms, cpu_ms = [], []
    with open_for_test(url) as database:
        platform = _platform(database)
        spare_what_stays()
        for number in list(range(_DEPARTMENTS)) * _STATEMENT_ROUNDS:
            wall, cpu = time.perf_counter(), time.thread_time()
            periods.statement(platform, MONTH, f"dept_{number:032x}")
            wall_ms.append((time.perf_counter() - wall) * 1000)
            cpu_ms.append((time.thread_time() - cpu) * 1000)
    results.send((tuple(wall_ms), tuple(cpu_ms)))


def _apart(work: Callable[[str, Connection], None], url: str) -> Any:
    """Do some work in a process of its own and return what it tells."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=work, args=(url, theirs))
    child.start()
    theirs.close()
    told = ours.recv()
    child.join()
    return told


def _decimal_loop_s(seed: int) -> float:
    """Rate the same intervals one by one in decimals, as bills are often computed; nothing is written."""
    books, total = books_of_month(seed), Decimal(0)
    started = time.process_time()
    for row in rows_of_month(seed, _BASELINE_INTERVALS):
        for since_s, until_s, version in books.pieces(row[1], row[2], row[3]):
            rate = version.rate(row[1], row[5])
            assert rate is not None
            price = Decimal(rate.steps[0].micro_yuan) / 1_000_000
            less = Decimal(10_000 - version.discount(row[10], row[1], since_s)) / 10_000
            total += (Decimal(row[4]) * Decimal(until_s - since_s) / 3600 * price * less).quantize(Decimal("0.000001"))
    assert total > 0
    return (time.process_time() - started) * _INTERVALS / _BASELINE_INTERVALS


def _duckdb_samples_s(seed: int, folder: Path) -> tuple[float, int]:
    """Rate the same samples as rows of a table in DuckDB, as CloudKitty's periods are rated; returns CPU s and how many rows."""
    books = books_of_month(seed)
    with (folder / "intervals.csv").open("w", encoding="ascii") as file:
        rows = islice(rows_of_month(seed, _INTERVALS), _BASELINE_INTERVALS)
        file.writelines(f"{r[1]},{r[2]},{r[3]},{r[4]},{r[5]},{r[10]}\n" for r in rows)
    with (folder / "prices.csv").open("w", encoding="ascii") as file:
        for version in books.versions:
            until_s = END_S if version.to_s is None else version.to_s
            file.writelines(f"{r.meter},{r.state},{version.from_s},{until_s},{r.steps[0].micro_yuan}\n" for r in version.rates)
    database = duckdb.connect()
    database.execute("SET threads TO 2")
    names = "['meter', 'start_s', 'end_s', 'amount', 'state', 'department']"
    database.execute(f"CREATE TABLE intervals AS FROM read_csv('{folder}/intervals.csv', header=false, names={names})")
    names = "['meter', 'state', 'from_s', 'to_s', 'micro_yuan']"
    database.execute(f"CREATE TABLE prices AS FROM read_csv('{folder}/prices.csv', header=false, names={names})")
    started = time.process_time()
    database.execute(
        "CREATE TABLE samples AS SELECT department, meter, state, amount, "
        "unnest(range((start_s + 3599) // 3600 * 3600, end_s, 3600)) AS at_s FROM intervals"
    )
    database.execute(
        "CREATE TABLE rated AS SELECT s.*, amount * micro_yuan AS cost FROM samples s JOIN prices p "
        "ON s.meter = p.meter AND s.state = p.state AND s.at_s >= p.from_s AND s.at_s < p.to_s"
    )
    sums = database.execute("SELECT department, sum(cost) FROM rated GROUP BY department").fetchall()
    took = time.process_time() - started
    ((count,),) = database.execute("SELECT count(*) FROM rated").fetchall()
    database.close()
    assert len(sums) == _DEPARTMENTS
    return took * _INTERVALS / _BASELINE_INTERVALS, count * _INTERVALS // _BASELINE_INTERVALS


def _samples_s(seed: int) -> tuple[float, float]:
    """Rate a row for every hour an interval was seen in at the full hour; returns CPU s and the part never seen (percent)."""
    books, total, unseen = books_of_month(seed), Decimal(0), 0
    started = time.process_time()
    count = _BASELINE_INTERVALS // 20
    for row in rows_of_month(seed, count):
        first = -(-row[2] // 3600) * 3600
        unseen += first >= row[3]
        for at_s in range(first, row[3], 3600):
            [(_, _, version)] = books.pieces(row[1], at_s, at_s + 1)
            rate = version.rate(row[1], row[5])
            assert rate is not None
            total += Decimal(row[4]) * Decimal(rate.steps[0].micro_yuan) / 1_000_000
    return (time.process_time() - started) * _INTERVALS / count, 100 * unseen / count


def measure(folder: Path, seed: int) -> Figure:
    """Measure the close, the statement of an open month, and the two baselines."""
    url = f"sqlite:///{folder / 'state.db'}"
    say("writing the month's ledger")
    with open_for_test(url, create=True) as database:
        _prepare(database, seed)
    say("statements of the open month")
    statements_ms, statements_cpu_ms = _apart(_state, url)
    say("reviewing and closing the month")
    wall_s, cpu_s, memory_mib, line_count, micro_yuan = _apart(_close, url)
    say("the baselines")
    decimal_s = _decimal_loop_s(seed)
    samples_s, unseen = _samples_s(seed)
    duckdb_s, sample_count = _duckdb_samples_s(seed, folder)
    return Figure(
        name="closing",
        title="Closing a month",
        size=f"{_INTERVALS:,} intervals, 3 versions of the price book, {_DEPARTMENTS} departments with a discount each, "
        f"{_PROJECTS:,} projects, SQLite on disk with every commit synchronised; {line_count:,} lines",
        seed=seed,
        lines=(
            Line(what="review and close: rated, written, sealed", unit="s", values=(wall_s,), target=Target(limit=10)),
            Line(what="the same, processor time", unit="s", values=(cpu_s,), target=Target(limit=10), baseline=_DECIMAL),
            Line(what="memory of the process at its peak", unit="MiB", values=(memory_mib,), target=Target(limit=1024)),
            Line(
                what="statement of one department of the open month",
                unit="ms",
                values=statements_ms,
                target=Target(limit=100, statistic="p99"),
            ),
            Line(what="the same statement, processor time", unit="ms", values=statements_cpu_ms),
            Line(what=_DECIMAL, unit="s", values=(decimal_s,)),
            Line(what=_SAMPLES, unit="s", values=(samples_s,), baseline=_DECIMAL),
            Line(what=_DUCKDB, unit="s", values=(duckdb_s,), baseline=_DECIMAL),
        ),
        notes=(
            (
                f"The month comes to {yuan(micro_yuan)} yuan. The baselines only rate, and write nothing: they are measured on a "
                "part of the same intervals and shown for all of them."
            ),
            f"Hourly samples are {sample_count:,} rows and never see {unseen:.1f} % of these intervals.",
        ),
    )
