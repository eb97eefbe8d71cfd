"""Pinned machines under crashes, lost answers, resizes and moves: no processor twice, and the auditor finds nothing."""

import pytest

from tests.support.seated import simulate_seated

SEEDS, MANY = 8, 400


def play(first: int, count: int) -> None:
    seats = moves = 0
    for seed in range(first, first + count):
        outcome, seated, moved = simulate_seated(seed, is_bounded=seed % 4 != 0)
        assert outcome.violations == [], f"seed {seed}: replay with tests.support.seated.simulate_seated({seed}, log=True)"
        seats, moves = seats + seated, moves + moved
    # A simulation in which nothing is pinned or moved finds nothing.
    assert seats > count
    assert moves > 0


def test_no_seed_breaks_an_invariant_of_seats() -> None:
    play(0, SEEDS)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_seed_of_many_breaks_an_invariant_of_seats() -> None:
    play(SEEDS, MANY)
