"""When something is full at the present trend: percentiles of many futures made of the past's weeks."""

import random

import pytest

from controller.scheduling.trend import HISTORY_DAYS_MIN, HORIZON_DAYS, days_until_full


def test_even_growth_has_one_answer() -> None:
    found = days_until_full({"vcpu": [2] * 60}, {"vcpu": 100})
    assert (found.p10_days, found.p50_days, found.p90_days) == (50, 50, 50)
    assert found.dimension == "vcpu"
    assert found.growth_per_day == {"vcpu": 2.0}


def test_uneven_growth_spreads_the_answer() -> None:
    source = random.Random(1)
    growth = [source.choice([0, 0, 1, 9]) for _ in range(90)]
    found = days_until_full({"vcpu": growth}, {"vcpu": 500})
    assert found.p10_days is not None
    assert found.p50_days is not None
    assert found.p90_days is not None
    assert found.p10_days < found.p50_days < found.p90_days
    expected = 500 / (sum(growth) / len(growth))
    assert found.p10_days < expected < found.p90_days
    assert days_until_full({"vcpu": growth}, {"vcpu": 500}) == found, "the same history says the same"


def test_what_runs_out_first_counts() -> None:
    found = days_until_full({"vcpu": [1] * 40, "memory_mib": [10] * 40}, {"vcpu": 100, "memory_mib": 300})
    assert (found.p50_days, found.dimension) == (30, "memory_mib")


def test_what_does_not_grow_is_never_full() -> None:
    found = days_until_full({"vcpu": [1, -1] * 30}, {"vcpu": 1000, "memory_mib": 5})
    assert found.is_enough
    assert (found.p10_days, found.p50_days, found.p90_days, found.dimension) == (None, None, None, "")
    slow = days_until_full({"vcpu": [1] + [0] * 59}, {"vcpu": HORIZON_DAYS})
    assert slow.p50_days is None


@pytest.mark.parametrize("days", [0, 3, 40])
@pytest.mark.parametrize("free", [0, -5])
def test_what_is_full_already_is_full_now_whatever_its_history(days: int, free: int) -> None:
    found = days_until_full({"vcpu": [-1] * days, "memory_mib": [1] * days}, {"vcpu": free, "memory_mib": 100})
    assert found.is_full
    assert (found.p10_days, found.p50_days, found.p90_days, found.dimension) == (0, 0, 0, "vcpu")
    assert not days_until_full({"vcpu": [1] * 40}, {"vcpu": 1}).is_full


@pytest.mark.parametrize("days", [0, 1, HISTORY_DAYS_MIN - 1])
def test_too_short_a_history_says_nothing(days: int) -> None:
    found = days_until_full({"vcpu": [1] * days} if days else {}, {"vcpu": 100})
    assert not found.is_enough
    assert found.history_days == days
    assert found.p50_days is None
