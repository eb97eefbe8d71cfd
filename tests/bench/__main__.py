"""``python -m tests.bench``: measure every figure, print it, and write ``docs/benchmarks.md`` when all were measured."""

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench import machine
from tests.bench.report import Figure, figure_text, page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
#: In the order of the page; each is a module here with ``measure(folder, seed) -> Figure``, loaded when it is its turn.
FIGURES = (
    "libvirt_start",
    "throughput",
    "gang",
    "durable",
    "intake",
    "start",
    "idle",
    "listing",
    "command_line",
    "placement",
    "decisions",
    "packing",
    "energy",
    "gangs",
    "rebalance",
    "drain",
    "rating",
    "closing",
    "accrual",
    "reports",
    "metrics",
)
#: Those that replay a trace of requests: generated, or of a file.
OF_A_TRACE = ("packing", "energy")


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for; returns the exit code, which no figure changes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=FIGURES, help="measure this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", type=Path, help=f"trace of requests for {', '.join(OF_A_TRACE)}, as allot simulate reads it")
    parser.add_argument(
        "--shape", action="append", default=[], help="hosts for packing: 64x256, 2*64x256, 128x1024x8 (accelerators)"
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="where the page goes when all figures are measured")
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    figures = []
    for name in chosen.only or FIGURES:
        figures.append(measured(name, chosen.seed, chosen.trace, chosen.shape))
        print(figure_text(figures[-1]), flush=True)
    if chosen.only:
        return 0
    chosen.page.write_text(page(figures, machine.describe(time.monotonic() - started)), encoding="utf-8")
    print(f"wrote {chosen.page.name}")
    return 0


def measured(name: str, seed: int, trace: Path | None = None, shapes: Sequence[str] = ()) -> Figure:
    """Measure one figure in a directory of its own, gone afterwards."""
    before, started = os.getloadavg()[0], time.monotonic()
    # Short: a unix socket below it may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="allot-bench-") as folder:
        measure = importlib.import_module(f"tests.bench.{name}").measure
        more = (trace, shapes) if name == "packing" else (trace,) if name in OF_A_TRACE else ()
        figure: Figure = measure(Path(folder), seed, *more)
    return replace(figure, load=(before, os.getloadavg()[0]), took_s=time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
