"""What a measurement says and how it is printed: median, spread, target and the ratio to a baseline of the same run. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

#: Below this many values a percentile is only the smallest or greatest of them: those are shown instead.
PERCENTILES_FROM = 10


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that ``percent`` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


#: What of the values is held against the target.
STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "median": median,
    "p99": lambda values: percentile(values, 99),
    "max": max,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is promised: one statistic of the values, at most or at least so much."""

    limit: float
    statistic: str = "median"
    is_ceiling: bool = True

    def is_met(self, values: Sequence[float]) -> bool:
        """Tell whether the values keep the promise."""
        value = STATISTICS[self.statistic](values)
        return value <= self.limit if self.is_ceiling else value >= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measured quantity, ours or a baseline."""

    what: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None
    #: ``what`` of the line of the same figure it is compared with.
    baseline: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of the list, with everything measured for it in one run."""

    name: str
    title: str
    #: How much of what: hosts, instances, rounds.
    size: str
    seed: int | None
    lines: tuple[Line, ...]
    #: Sentences on what was measured, and what to think of it.
    notes: tuple[str, ...] = ()
    #: Load average of the machine when it began and ended; above its cores, others were at work too.
    load: tuple[float, float] = (0.0, 0.0)
    took_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where it was measured."""

    facts: Mapping[str, str] = field(default_factory=dict)


def number(value: float) -> str:
    """Return a number with three significant digits, thousands apart, no exponent."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 3)}f}"


def spread(values: Sequence[float]) -> str:
    """Return p10 to p90 where there are enough values, else smallest to greatest; nothing for a single one."""
    if len(values) < 2:
        return "–"
    if len(values) < PERCENTILES_FROM:
        return f"{number(min(values))} to {number(max(values))} (min, max)"
    return f"{number(percentile(values, 10))} to {number(percentile(values, 90))}"


def ratio(line: Line, figure: Figure) -> str:
    """Return the line's median over its baseline's, empty without one."""
    if not line.baseline:
        return ""
    base = next(other for other in figure.lines if other.what == line.baseline)
    return f"{number(median(line.values) / median(base.values))} ×"


def verdict(line: Line) -> str:
    """Return the promise, what became of it, and the statistic it is about where that is not the median."""
    target = line.target
    if target is None:
        return ""
    sign = "≤" if target.is_ceiling else "≥"
    met = "met" if target.is_met(line.values) else "**missed**"
    shown = "" if target.statistic == "median" else f" {target.statistic} {number(STATISTICS[target.statistic](line.values))}:"
    return f"{sign} {number(target.limit)} {line.unit}:{shown} {met}"


_HEAD = ("measured", "median", "p10 to p90", "n", "promise", "against baseline")


def rows(figure: Figure) -> list[tuple[str, ...]]:
    """Return the cells of a figure's table, its head first."""
    body = [
        (
            line.what,
            f"{number(median(line.values))} {line.unit}",
            spread(line.values),
            str(len(line.values)),
            verdict(line),
            ratio(line, figure),
        )
        for line in figure.lines
    ]
    return [_HEAD, *body]


def figure_text(figure: Figure) -> str:
    """Return a figure for a terminal, columns aligned."""
    table = [tuple(cell.replace("**", "") for cell in row) for row in rows(figure)]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([f"{figure.title} [{figure.name}]", _about(figure), *lines, *figure.notes]) + "\n"


def _about(figure: Figure) -> str:
    seed = "" if figure.seed is None else f"Seed: {figure.seed}. "
    load = f"{figure.load[0]:.2f} → {figure.load[1]:.2f}"
    return f"Size: {figure.size}. {seed}Load average: {load}. Took {figure.took_s:.0f} s."


def page(figures: Iterable[Figure], machine: Machine, introduction: str = "") -> str:
    """Return ``docs/benchmarks.md``, or a page of its kind."""
    parts = [
        introduction or _INTRODUCTION,
        "## Machine\n\n" + "\n".join(f"- {name}: {value}" for name, value in machine.facts.items()) + "\n",
    ]
    parts += [_section(figure) for figure in figures]
    return "\n".join(parts)


def _section(figure: Figure) -> str:
    table = ["| " + " | ".join(row) + " |" for row in rows(figure)]
    table.insert(1, "|---|" + "---:|" * 3 + "---|---:|")
    notes = "".join(f"\n- {note}" for note in figure.notes)
    return f"## {figure.title}\n\n{_about(figure)}\n\n" + "\n".join(table) + "\n" + (notes + "\n" if notes else "")


_INTRODUCTION = """\
# Benchmarks

Written by `make bench`; measure again instead of editing. One figure alone: `make bench ARGS="--only NAME"` (prints, and
leaves this page as it is). Every figure stands beside a baseline measured in the same run on the same machine: ratios and
counts carry over to other machines, single absolute times do not. No test asserts a time.
"""
