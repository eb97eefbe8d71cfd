"""Networks of a fabric that hosts share, under crashes, lost answers, silent homes and moves: the auditor finds nothing."""

import os

import pytest

from tests.support.shared_fabric import simulate_shared

SEEDS = int(os.environ.get("ALLOT_SEEDS", "1000")) // 25
UNBOUNDED_EVERY = 4


@pytest.mark.seeds
@pytest.mark.timeout(3600)
def test_no_seed_breaks_an_invariant_of_networks() -> None:
    done = spread = handed_on = 0
    for seed in range(SEEDS):
        outcome, met = simulate_shared(seed, is_bounded=seed % UNBOUNDED_EVERY != 0)
        assert outcome.violations == [], f"seed {seed}: replay with tests.support.shared_fabric.simulate_shared({seed}, log=True)"
        done, spread, handed_on = done + met.journeys.done, spread + met.spread, handed_on + len(met.homes) - 1
    # A simulation in which nothing moves, spreads or is handed on finds nothing.
    assert min(done, spread, handed_on) > 3
