"""Thousands of days of three controllers, each a seed: after every one the auditor finds nothing (DESIGN §5)."""

import os

import pytest

from tests.support.simulation import simulate

#: ``make test-soak`` sets 10,000.
SEEDS = int(os.environ.get("ALLOT_SEEDS", "1000"))
CHUNKS = 25
#: Every fourth seed keeps its faults to the end: safety only.
UNBOUNDED_EVERY = 4


@pytest.mark.seeds
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_seed_breaks_an_invariant_and_every_ticket_ends(chunk: int) -> None:
    ended = 0
    for seed in range(chunk, SEEDS, CHUNKS):
        outcome = simulate(seed, is_bounded=seed % UNBOUNDED_EVERY != 0)
        assert outcome.violations == [], f"seed {seed}: replay with tests.support.simulation.simulate({seed}, log=True)"
        ended += sum(state in ("done", "failed") for state in outcome.tickets.values())
    # A simulation in which nothing happens finds nothing.
    assert ended > 0


def test_a_seed_repeats_itself() -> None:
    first, second = simulate(11, log=True), simulate(11, log=True)
    assert first.log == second.log
    assert first.tickets == second.tickets
    assert (first.virtual_s, first.crashes, first.lost_holds) == (second.virtual_s, second.crashes, second.lost_holds)


def test_the_simulation_meets_crashes_lost_holds_and_failures() -> None:
    outcomes = [simulate(seed) for seed in range(12)]
    assert sum(o.crashes for o in outcomes) > 10
    assert sum(o.lost_holds for o in outcomes) > 10
    assert any("done" in o.tickets.values() for o in outcomes)
