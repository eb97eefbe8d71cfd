"""The tables of the benchmarks: numbers, spreads, promises and ratios as people read them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import FIGURES
from tests.bench.report import Figure, Line, Machine, Target, figure_text, number, page, percentile, rows, spread

OURS = Line(what="ours", unit="ms", values=(30.0, 10.0, 20.0), target=Target(limit=25.0), baseline="bare")
BARE = Line(what="bare", unit="ms", values=(5.0,))


def figure(*lines: Line) -> Figure:
    return Figure(name="thing", title="A thing", size="3 rounds", seed=7, lines=lines, notes=("Mind this.",), load=(1.5, 2.25))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.0004, "0.000"),
        (0.0126, "0.013"),
        (1.234, "1.23"),
        (56.78, "56.8"),
        (432.1, "432"),
        (1234.5, "1,234"),
        (-358.4, "-358"),
    ],
)
def test_a_number_has_three_significant_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(v) for v in range(1, 101)]
    assert [percentile(values, p) for p in (10, 50, 99, 100)] == [10.0, 50.0, 99.0, 100.0]
    assert percentile([4.0], 99) == 4.0


def test_few_values_show_the_smallest_and_greatest_and_many_their_percentiles() -> None:
    assert spread([5.0]) == "–"
    assert spread([3.0, 1.0, 2.0]) == "1.00 to 3.00 (min, max)"
    assert spread([float(v) for v in range(1, 21)]) == "2.00 to 18.0"


def test_a_row_shows_median_promise_and_ratio_to_its_baseline() -> None:
    head, ours, bare = rows(figure(OURS, BARE))
    assert len(head) == len(ours) == len(bare)
    assert ours == ("ours", "20.0 ms", "10.0 to 30.0 (min, max)", "3", "≤ 25.0 ms: met", "4.00 ×")
    assert bare == ("bare", "5.00 ms", "–", "1", "", "")


def test_a_missed_promise_stands_out() -> None:
    slow = Line(what="slow", unit="/s", values=(90.0, 100.0), target=Target(limit=200.0, is_ceiling=False))
    assert rows(figure(slow))[1][4] == "≥ 200 /s: **missed**"


def test_a_promise_about_the_tail_names_it_and_its_value() -> None:
    tail = Line(what="tail", unit="ms", values=(1.0, 2.0, 70.0), target=Target(limit=50.0, statistic="p99"))
    assert rows(figure(tail))[1][4] == "≤ 50.0 ms: p99 70.0: **missed**"


def test_a_baseline_that_was_not_measured_is_a_mistake() -> None:
    with pytest.raises(StopIteration):
        rows(figure(OURS))


def test_the_text_for_a_terminal_is_aligned_and_has_no_markup() -> None:
    text = figure_text(figure(OURS, BARE))
    lines = text.splitlines()
    assert lines[0] == "A thing [thing]"
    assert "Seed: 7" in lines[1]
    assert "1.50 → 2.25" in lines[1]
    assert lines[4].index("20.0 ms") == lines[5].index("5.00 ms")
    assert lines[-1] == "Mind this."
    assert "*" not in text


def test_the_page_holds_machine_tables_and_notes() -> None:
    text = page([figure(OURS, BARE)], Machine(facts={"cores": "2", "Python": "3.11"}))
    assert "- cores: 2\n- Python: 3.11\n" in text
    assert "| ours | 20.0 ms | 10.0 to 30.0 (min, max) | 3 | ≤ 25.0 ms: met | 4.00 × |" in text
    assert "## A thing" in text
    assert text.endswith("- Mind this.\n")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {7}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_module_that_still_loads(name: str) -> None:
    assert callable(importlib.import_module(f"tests.bench.{name}").measure)


def test_the_memory_of_a_process_is_its_own_and_not_that_of_who_started_it() -> None:
    told = "from tests.bench.machine import peak_mib; print(peak_mib())"
    of_starter = f"import subprocess, sys; kept = bytes(400 << 20); subprocess.run([sys.executable, '-c', {told!r}], check=True)"
    place = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", of_starter], cwd=place, check=True, capture_output=True, text=True)
    assert 5 < float(found.stdout) < 300
    large = subprocess.run(
        [sys.executable, "-c", f"kept = b'x' * (400 << 20); {told}"], cwd=place, check=True, capture_output=True, text=True
    )
    assert float(large.stdout) > 400
