"""Reports of a closed month of a million lines as files: FOCUS as CSV and Parquet, beside a bare CSV writer."""

import csv
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from controller.workflows import periods
from inventory.domain.scope import PLATFORM
from metering.reports import export, files, source
from metering.reports.columns import Format
from metering.reports.export import Asked
from tests.bench import closing
from tests.bench.machine import peak_mib
from tests.bench.progress import say
from tests.bench.report import Figure, Line, Target
from tests.support.database import open_for_test

_ROUNDS = 3
_BASELINE = "csv.writer over the same lines, 20 columns as they are kept, nothing computed"
_BASELINE_LINES = 100_000


def _write(url: str, dataset: str, format_: Format, place: str, results: Connection) -> None:
    """Write one report in a process of its own; tell wall, CPU (s), memory at its peak (MiB), lines, bytes."""
    with open_for_test(url) as database, database.read() as connection:
        period = periods.show(closing._platform(database), closing.MONTH)
        asked = Asked(
            dataset=dataset, format=format_, period=period, as_of_s=period["end_s"], scope=PLATFORM, provider="Allotment"
        )
        names = periods.names(closing._platform(database), connection)
        wall, cpu = time.perf_counter(), time.process_time()
        with files.whole(Path(place)) as sink:
            totals = export.write(connection, asked, names, sink)
        took = (time.perf_counter() - wall, time.process_time() - cpu)
    results.send((*took, peak_mib(), totals.rows, sink.byte_count))


def _rounds(url: str, dataset: str, format_: Format, place: Path) -> list[tuple[float, ...]]:
    context = get_context("spawn")
    found = []
    for nth in range(_ROUNDS):
        say(f"{dataset} as {format_}, {nth + 1} of {_ROUNDS}")
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_write, args=(url, dataset, format_, str(place), theirs))
        child.start()
        found.append(ours.recv())
        child.join()
        place.unlink()
    return found


def _baseline_s(url: str, place: Path, line_count: int) -> float:
    with open_for_test(url) as database, database.read() as connection, place.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        started, count = time.perf_counter(), 0
        for portion in source.stored(connection, closing.MONTH, PLATFORM):
            writer.writerows((line_id.hex(), *line) for line_id, line in portion.rows())
            count += len(portion)
            if count >= _BASELINE_LINES:
                break
        return (time.perf_counter() - started) * line_count / count


def measure(folder: Path, seed: int) -> Figure:
    """Close the month, then write it."""
    url = f"sqlite:///{folder / 'state.db'}"
    say("writing the month's ledger")
    with open_for_test(url, create=True) as database:
        closing._prepare(database, seed)
        say("closing the month")
        platform = closing._platform(database)
        periods.begin_closing(platform, closing.MONTH, closing._officer("wang"))
        periods.review(platform, closing.MONTH, closing._officer("wang"))
        closed = periods.close(platform, closing.MONTH, closing._officer("li"))
    as_csv = _rounds(url, "focus-cost-and-usage", Format.CSV, folder / "focus.csv")
    as_parquet = _rounds(url, "focus-cost-and-usage", Format.PARQUET, folder / "focus.parquet")
    baseline_s = _baseline_s(url, folder / "baseline.csv", closed["line_count"])

    def values(rounds: list[tuple[float, ...]], place: int) -> tuple[float, ...]:
        return tuple(r[place] for r in rounds)

    return Figure(
        name="reports",
        title="Reports as files",
        size=f"{closed['line_count']:,} lines of a closed month, SQLite on disk; FOCUS 1.4 Cost and Usage, 53 columns, "
        f"{as_csv[0][4] / 2**20:,.0f} MiB of CSV, {as_parquet[0][4] / 2**20:,.0f} MiB of Parquet",
        seed=seed,
        lines=(
            Line(what="CSV: read, computed, written, hashed", unit="s", values=values(as_csv, 0), target=Target(limit=6),
                 baseline=_BASELINE),
            Line(what="the same, processor time", unit="s", values=values(as_csv, 1), target=Target(limit=12)),
            Line(what="Parquet", unit="s", values=values(as_parquet, 0), target=Target(limit=8), baseline=_BASELINE),
            Line(what="Parquet, processor time", unit="s", values=values(as_parquet, 1), target=Target(limit=16)),
            Line(what="memory of the process at its peak, CSV", unit="MiB", values=values(as_csv, 2),
                 target=Target(limit=1024)),
            Line(what="memory of the process at its peak, Parquet", unit="MiB", values=values(as_parquet, 2),
                 target=Target(limit=1024)),
            Line(what=_BASELINE, unit="s", values=(baseline_s,)),
        ),
        notes=("The baseline is measured on a part of the lines and shown for all of them.", "Processor time is of both cores."),
    )  # fmt: skip
