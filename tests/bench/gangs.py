"""Tickets that only just fit, or only just do not: accepted whenever the solver knows a way, and how long that takes."""

import time
from collections.abc import Callable
from pathlib import Path

from controller.scheduling import exact
from controller.scheduling.decide import choose
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import fits, kinds_of
from controller.scheduling.groups import Groups
from controller.scheduling.policy import DEFAULT_POLICY
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import units_of
from inventory.domain.placement import PlacementRequest
from tests.bench.report import Figure, Line, Target
from tests.support.gangs import gang

_CASES = 300
#: Deterministic seconds of the solver that says what can be placed; production grants ``exact.TIME_CAP``.
_PATIENCE = 3.0

Case = tuple[Snapshot, PlacementRequest]


def measure(folder: Path, seed: int) -> Figure:
    """Measure cases of 8 to 40 hosts."""
    cases = [gang(1000 * (seed - 1) + n) for n in range(_CASES)]
    _solver_finds(cases[0], Fleet(cases[0][0]))  # The first one loads the solver.
    ours, times = _answers(cases, lambda case, fleet: choose(case[1], fleet) is not None)
    greedy, greedy_times = _answers(cases, lambda case, _fleet: fits(case[1], case[0], DEFAULT_POLICY))
    solvable, solver_times = _answers(cases, _solver_finds)
    both = [a and b for a, b in zip(ours, solvable, strict=True)]
    return Figure(
        name="gangs",
        title="Tickets that only just fit",
        size=f"{_CASES} tickets on 8 to 40 hosts half full in pieces, {100 * sum(solvable) // _CASES} % can be placed",
        seed=seed,
        lines=(
            Line(
                what="accepted of those the solver can place",
                unit="%",
                values=(100 * sum(both) / sum(solvable),),
                target=Target(limit=99, is_ceiling=False),
                baseline="the same by best host after best host alone",
            ),
            Line(
                what="the same by best host after best host alone",
                unit="%",
                values=(100 * sum(a and b for a, b in zip(greedy, solvable, strict=True)) / sum(solvable),),
            ),
            Line(
                what="placed or refused",
                unit="ms",
                values=times,
                target=Target(limit=5),
                baseline="the solver alone",
            ),
            Line(what="the longest of them", unit="ms", values=(max(times),), target=Target(limit=250)),
            Line(what="best host after best host alone", unit="ms", values=greedy_times, baseline="the solver alone"),
            Line(what="the solver alone", unit="ms", values=solver_times),
        ),
        notes=(
            (
                "The solver alone is OR-tools' CP-SAT, the same model asked at once and given"
                f" {_PATIENCE / exact.TIME_CAP:.0f} times as long: it says which tickets can be placed, and chooses any hosts."
                " Processor time of the thread."
            ),
        ),
    )


def _answers(cases: list[Case], ask: Callable[[Case, Fleet], bool]) -> tuple[list[bool], tuple[float, ...]]:
    """Return whether each case was placed, and the milliseconds each took."""
    answers, times = [], []
    for case in cases:
        fleet = Fleet(case[0])
        start = time.thread_time()
        answers.append(ask(case, fleet))
        times.append((time.thread_time() - start) * 1000)
        assert fleet.hosts.free.min() >= 0, "a host was promised twice"
    return answers, tuple(times)


def _solver_finds(case: Case, fleet: Fleet) -> bool:
    shot, asked = case
    granted, exact.TIME_CAP = exact.TIME_CAP, _PATIENCE
    try:
        return exact.solve(kinds_of(units_of(asked), shot), fleet, Groups(asked, shot)) is not None
    finally:
        exact.TIME_CAP = granted
