"""The auditor and the simulation are worth something only if they find mistakes: every mutant must be caught."""

import pytest

from drivers.simulated.faults import FaultRates
from tests.support.mutants import MUTANTS, Mutant
from tests.support.simulation import simulate


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.__name__)
def test_a_mistake_of_ours_is_found_by_the_simulation(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, rates = MUTANTS[mutant]
    mutant(monkeypatch)
    found_after = next((n for n in range(seeds) if simulate(n, rates=rates).violations), None)
    assert found_after is not None, f"{mutant.__name__} lived through {seeds} seeds"


@pytest.mark.parametrize("rates", {rates for _, rates in MUTANTS.values()}, ids=lambda r: f"lost_reply={r.lost_reply}")
def test_our_own_code_withstands_the_faults_of_the_mutants(rates: FaultRates) -> None:
    for seed in range(30):
        assert simulate(seed, rates=rates).violations == [], f"seed {seed}"
