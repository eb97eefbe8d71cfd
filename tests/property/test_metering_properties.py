"""Metering keeps time and money whole, whatever happened and however it is looked at."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.domain.catalogue import Price
from inventory.domain.journal import JournalRow
from metering.intervals import Interval, clip, intervals
from metering.rating import PriceBook, charge, charges
from tests.support.journal import row

STATES = ("allocated", "running", "stopped", "lost")
METER_NAMES = ("vcpu", "memory_mib", "disk_gib:standard")
HORIZON_S = 10_000


@st.composite
def histories(draw: st.DrawFn) -> list[JournalRow]:
    """Lives of up to three resources; clocks may go back, changes may be of no length, some are never released."""
    rows: list[JournalRow] = []
    for number in range(draw(st.integers(1, 3))):
        now_s = draw(st.integers(0, HORIZON_S))
        changes = draw(st.integers(1, 6))
        for revision in range(1, changes + 1):
            amounts = draw(st.dictionaries(st.sampled_from(METER_NAMES), st.integers(0, 100_000), min_size=1))
            state = draw(st.sampled_from(STATES))
            rows.append(row(revision, resource=f"inst_{number}", state=state, occurred_at_s=now_s, amounts=amounts))
            now_s = max(0, now_s + draw(st.integers(-50, 3000)))
        if draw(st.booleans()):
            rows.append(row(changes + 1, resource=f"inst_{number}", state="released", occurred_at_s=now_s, amounts={}))
    return rows


def price_books() -> st.SearchStrategy[PriceBook]:
    """Every meter has a price from the beginning, and up to four more."""
    amounts = st.integers(0, 5_000_000)
    changes = st.dictionaries(st.integers(1, HORIZON_S), amounts, max_size=4)

    def book(parts: tuple[tuple[int, dict[int, int]], ...]) -> PriceBook:
        return PriceBook(
            Price(meter=meter, micro_yuan_per_unit_hour=micro, valid_from_s=from_s)
            for meter, (first, later) in zip(METER_NAMES, parts, strict=True)
            for from_s, micro in ({0: first} | later).items()
        )

    return st.tuples(*[st.tuples(amounts, changes)] * len(METER_NAMES)).map(book)


windows = st.tuples(st.integers(0, HORIZON_S), st.integers(0, HORIZON_S)).map(sorted).filter(lambda w: w[0] < w[1])


def effective_times(rows: list[JournalRow]) -> list[int]:
    times: list[int] = []
    for one in rows:
        times.append(max(one.occurred_at_s, times[-1] if times else one.occurred_at_s))
    return times


def total(found: list[Interval], book: PriceBook) -> int:
    return sum(c.micro_yuan for i in found for c in charges(i, book))


@given(histories())
def test_intervals_never_overlap_and_leave_no_gap_while_the_amount_is_held(rows: list[JournalRow]) -> None:
    found = list(intervals(rows, 0, 2 * HORIZON_S))
    for resource in {r.resource_id for r in rows}:
        own = [r for r in rows if r.resource_id == resource]
        times = [*effective_times(own), 2 * HORIZON_S]
        for meter in METER_NAMES:
            covered = [i for i in found if (i.resource_id, i.meter) == (resource, meter)]
            assert all(a.end_s <= b.start_s for a, b in pairwise(covered))
            expected = [
                (since, until, r.amounts[meter])
                for r, (since, until) in zip(own, pairwise(times), strict=True)
                if r.state != "released" and r.amounts.get(meter) and since < min(until, 2 * HORIZON_S)
            ]
            assert [(i.start_s, i.end_s, i.amount) for i in covered] == expected


@given(histories())
def test_seconds_by_state_add_up_to_wall_time(rows: list[JournalRow]) -> None:
    held = [r if r.state == "released" else row_with_cpu(r) for r in rows]
    for resource in {r.resource_id for r in rows}:
        own = [r for r in held if r.resource_id == resource]
        times = effective_times(own)
        end_s = times[-1] if own[-1].state == "released" else 2 * HORIZON_S
        assert sum(i.seconds for i in intervals(own, 0, 2 * HORIZON_S)) == max(0, min(end_s, 2 * HORIZON_S) - times[0])


def row_with_cpu(one: JournalRow) -> JournalRow:
    return row(one.revision, resource=one.resource_id, state=one.state, occurred_at_s=one.occurred_at_s, amounts={"vcpu": 1})


@settings(max_examples=300)
@given(histories(), price_books(), windows, st.integers(0, HORIZON_S))
def test_cutting_a_window_anywhere_changes_neither_seconds_nor_money(
    rows: list[JournalRow], book: PriceBook, window: list[int], cut: int
) -> None:
    start_s, end_s = window
    cut = start_s + cut % (end_s - start_s)
    whole = list(intervals(rows, start_s, end_s))
    parts = [*intervals(rows, start_s, cut), *intervals(rows, cut, end_s)]
    assert sum(i.seconds * i.amount for i in parts) == sum(i.seconds * i.amount for i in whole)
    assert total(parts, book) == total(whole, book)


@given(histories(), price_books(), windows)
def test_clipping_later_is_the_same_as_asking_for_the_window(rows: list[JournalRow], book: PriceBook, window: list[int]) -> None:
    start_s, end_s = window
    asked = list(intervals(rows, start_s, end_s))
    clipped = [c for i in intervals(rows, 0, 2 * HORIZON_S) if (c := clip(i, start_s, end_s))]
    assert [(i.resource_id, i.meter, i.start_s, i.end_s, i.opened_s) for i in asked] == [
        (i.resource_id, i.meter, i.start_s, i.end_s, i.opened_s) for i in clipped
    ]
    assert total(asked, book) == total(clipped, book)


@given(histories(), price_books())
def test_looking_second_by_second_adds_up_to_the_whole(rows: list[JournalRow], book: PriceBook) -> None:
    start_s = rows[0].occurred_at_s
    seconds = [list(intervals(rows, s, s + 1)) for s in range(start_s, start_s + 40)]
    assert sum(total(found, book) for found in seconds) == total(list(intervals(rows, start_s, start_s + 40)), book)


@given(
    st.integers(0, 10**6),
    st.sampled_from([1, 1024]),
    st.integers(0, 10**9),
    st.lists(st.integers(0, 10**7), min_size=2, max_size=8),
)
def test_running_totals_never_fall_and_are_within_half_a_micro_yuan(
    amount: int, base_per_unit: int, micro: int, moments: list[int]
) -> None:
    found = [
        charge(amount=amount, base_per_unit=base_per_unit, micro_yuan_per_unit_hour=micro, seconds=s) for s in sorted(moments)
    ]
    assert found == sorted(found)
    for seconds, rounded in zip(sorted(moments), found, strict=True):
        exact_twice = 2 * amount * seconds * micro
        assert abs(2 * rounded * 3600 * base_per_unit - exact_twice) <= 3600 * base_per_unit
