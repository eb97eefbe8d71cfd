"""What a bill must always be, where no other test says it already; the whole list, with its tests, is docs/invariants.md."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.domain.errors import Conflict
from inventory.domain.money import rounded
from metering.books import Books, BookVersion, Mode, Rate, Step
from metering.charging import HOUR_S, Charging, worth_of
from metering.ledger import LedgerInterval
from metering.rating import Month

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
PRICES = st.integers(0, 10**7)
STEPS = st.lists(st.tuples(st.integers(1, 500), st.integers(0, 10**6)), max_size=4)


def flat(from_s: int, to_s: int | None, micro: int) -> BookVersion:
    steps = (Step(up_to=None, micro_yuan=micro),)
    rate = Rate(meter="vcpu", state="running", mode=Mode.FLAT, steps=steps, code="")
    return BookVersion(id=f"b{from_s}", from_s=from_s, to_s=to_s, rates=(rate,))


def held(start_s: int, end_s: int, amount: int) -> LedgerInterval:
    return LedgerInterval(
        resource_id="inst_a", meter="vcpu", start_s=start_s, end_s=end_s, amount=amount, state="running", opened_by=1,
        closed_by=2, resource_kind="instance", resource_name="w", department_id="dept_a", project_id="p", system_id="s",
        host_id=None,
    )  # fmt: skip


def billed(books: list[BookVersion], usage: LedgerInterval, end_s: int) -> int:
    return sum(x.micro_yuan for x in Charging(Books(books), "2026-01", 0, end_s, end_s).lines([usage], []))


@given(
    st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 1000), st.integers(0, 10**7), st.integers(0, 10**7), st.data()
)
def test_a_price_that_changes_comes_to_its_two_parts_by_hand_and_a_gap_to_nothing_at_all(
    before_s: int, after_s: int, amount: int, old: int, new: int, data: st.DataObject
) -> None:
    change_s, end_s = before_s, before_s + after_s
    usage = held(0, end_s, amount)
    by_hand = rounded(amount * before_s * old, HOUR_S) + rounded(amount * after_s * new, HOUR_S)
    assert billed([flat(0, change_s, old), flat(change_s, None, new)], usage, end_s) == by_hand
    gap_s = data.draw(st.integers(1, after_s))
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        billed([flat(0, change_s, old), flat(change_s + gap_s, None, new)], usage, end_s)


@given(STEPS, st.integers(0, 10**6), st.lists(st.integers(0, 10**7), min_size=2, max_size=6))
def test_what_steps_come_to_never_falls_and_never_jumps(raw: list[tuple[int, int]], last: int, quantities: list[int]) -> None:
    ends = sorted({end for end, _ in raw})
    prices = [price for _, price in raw][: len(ends)]
    steps = [*(Step(up_to=e, micro_yuan=p) for e, p in zip(ends, prices, strict=True)), Step(up_to=None, micro_yuan=last)]
    dearest = max(s.micro_yuan for s in steps)
    for less, more in pairwise(sorted(quantities)):
        step_up = worth_of(more, steps, HOUR_S) - worth_of(less, steps, HOUR_S)
        assert 0 <= step_up <= dearest * (more - less)
    for end in ends:
        at = end * HOUR_S
        assert worth_of(at + 1, steps, HOUR_S) - worth_of(at, steps, HOUR_S) <= dearest, "continuous at the bound"


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.integers(1990, 2040), st.integers(1, 12), st.integers(1, 1000), st.integers(0, 10**6))
def test_days_add_up_to_their_month_in_true_seconds_and_months_follow_without_a_gap(
    zone_name: str, year: int, number: int, amount: int, price: int
) -> None:
    zone, month = ZoneInfo(zone_name), Month(year, number)
    start_s, end_s = month.window(zone)
    assert month.next().window(zone)[0] == end_s
    days = []
    day = datetime(year, number, 1, tzinfo=zone)
    while (day.year, day.month) == (year, number):
        days.append(int(day.timestamp()))
        # The next midnight on the wall, however long the day is.
        day = datetime.combine(day.date() + timedelta(days=1), datetime.min.time(), tzinfo=zone)
    assert sum(b - a for a, b in pairwise([*days, end_s])) == end_s - start_s
    usage, books = held(start_s - 5, end_s + 5, amount), Books([flat(start_s - 10, None, price)])

    def cost(from_s: int, to_s: int) -> int:
        return sum(x.micro_yuan for x in Charging(books, "x", from_s, to_s, to_s).lines([usage], []))

    assert sum(cost(a, b) for a, b in pairwise([*days, end_s])) == cost(start_s, end_s)
