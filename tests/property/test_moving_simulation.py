"""Plans of moves under faults: whenever made, run and cancelled, no seed breaks an invariant; mistakes of ours are found."""

import os

import pytest

from tests.support.moving import MOVING_RATES, simulate_moves
from tests.support.moving_mutants import MOVING_MUTANTS, Mutant

SEEDS = int(os.environ.get("ALLOT_SEEDS", "1000")) // 25
UNBOUNDED_EVERY = 4


@pytest.mark.seeds
@pytest.mark.timeout(3600)
def test_no_seed_breaks_an_invariant_and_every_plan_ends() -> None:
    done = failed = cancelled = 0
    for seed in range(SEEDS):
        outcome, journeys = simulate_moves(seed, is_bounded=seed % UNBOUNDED_EVERY != 0, rates=MOVING_RATES)
        assert outcome.violations == [], f"seed {seed}: replay with tests.support.moving.simulate_moves({seed}, log=True)"
        done, failed, cancelled = done + journeys.done, failed + journeys.failed, cancelled + journeys.cancelled
    # A simulation in which nothing moves finds nothing.
    assert min(done, failed, cancelled) > 3


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MOVING_MUTANTS, ids=lambda m: m.__name__)
def test_a_mistake_in_moving_is_found_by_the_simulation(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, rates = MOVING_MUTANTS[mutant]
    mutant(monkeypatch)
    found_after = next((n for n in range(seeds) if simulate_moves(n, rates=rates)[0].violations), None)
    assert found_after is not None, f"{mutant.__name__} lived through {seeds} seeds"
