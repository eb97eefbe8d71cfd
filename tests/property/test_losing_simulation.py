"""Hosts that fall silent in a pool that gives them up: no machine runs twice, no more are given up than may be, tickets end."""

import os

import pytest

from tests.support.losing import simulate_losses
from tests.support.losing_mutants import LOSING_MUTANTS, Mutant

SEEDS = int(os.environ.get("ALLOT_SEEDS", "1000")) // 25
UNBOUNDED_EVERY = 4


@pytest.mark.seeds
@pytest.mark.timeout(3600)
def test_no_machine_runs_twice_and_every_ticket_ends_when_hosts_are_given_up() -> None:
    given_up = failed = outdated = held_back = 0
    for seed in range(SEEDS):
        outcome, losses = simulate_losses(seed, is_bounded=seed % UNBOUNDED_EVERY != 0)
        assert outcome.violations == [], f"seed {seed}: replay with tests.support.losing.simulate_losses({seed}, log=True)"
        given_up, failed = given_up + losses.given_up, failed + losses.failed
        outdated, held_back = outdated + losses.outdated, held_back + losses.held_back
    # A simulation in which nothing is lost finds nothing.
    assert min(given_up, failed, outdated, held_back) > 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", LOSING_MUTANTS, ids=lambda m: m.__name__)
def test_a_mistake_in_giving_up_is_found_by_the_simulation(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = LOSING_MUTANTS[mutant]
    mutant(monkeypatch)
    found_after = next((n for n in range(seeds) if simulate_losses(n)[0].violations), None)
    assert found_after is not None, f"{mutant.__name__} lived through {seeds} seeds"
