"""The fast engine and the plain integer kernel give the same lines, bit by bit, with the same ids."""

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metering import vectors
from metering.books import Books, BookVersion, Commitment, Discount, Mode, Rate, Step
from metering.charging import Charging
from metering.ledger import of_row
from metering.lines import Line
from metering.statements import Summing
from tests.support.fuzzed_usage import END_S, START_S, books_of, rows_of

PERIOD = "2026-01"
#: The most of an amount and of a price; the last three come near the end of 64 bits on the way.
SIZES = ((1_000, 10**5), (10**9, 10**6), (10**6, 10**9), (1, 10**15), (10**14, 10))


def by_kernel(books: Books, rows: Sequence[vectors.LedgerRow], until_s: int, department: str) -> dict[bytes, Line]:
    charging = Charging(books, PERIOD, START_S, END_S, until_s, department)
    return {line.id_in(PERIOD): line for line in charging.lines((of_row(r) for r in rows), [])}


def by_vectors(books: Books, rows: Sequence[vectors.LedgerRow], until_s: int, department: str) -> dict[bytes, Line]:
    summing = Summing(PERIOD)
    engine = vectors.Engine(Charging(books, PERIOD, START_S, END_S, until_s, department), summing)
    half = len(rows) // 2
    engine.take(rows[:half])
    engine.take(rows[half:])
    engine.rest([])
    found = engine.finished()
    lines = dict(found.rows())
    assert len(lines) == len(found)
    assert summing.sums == sums_of(lines.values())
    return lines


def sums_of(lines: Iterable[Line]) -> dict[tuple[str, ...], list[int]]:
    sums: dict[tuple[str, ...], list[int]] = {}
    for x in lines:
        found = sums.setdefault((x.department_id, x.project_id, x.meter, x.kind, x.billing), [0, 0, 0])
        for n, more in enumerate((x.amount * (x.end_s - x.start_s), x.list_micro_yuan, x.micro_yuan)):
            found[n] += more
    return sums


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 40), st.sampled_from(SIZES), st.booleans())
@example(7, SIZES[-1], True)
def test_the_fast_engine_writes_the_lines_of_the_kernel(seed: int, sizes: tuple[int, int], has_all: bool) -> None:
    amounts, prices = sizes
    source = random.Random(seed)
    books = books_of(source, prices, has_all=has_all)
    rows = rows_of(source, 60, amounts)
    until_s = source.choice((END_S, source.randrange(START_S + 1, END_S)))
    assert by_vectors(books, rows, until_s, "") == by_kernel(books, rows, until_s, "")


def test_figures_beyond_64_bits_in_between_are_left_to_the_kernel() -> None:
    rate = Rate(meter="vcpu", state="running", mode=Mode.FLAT, code="", steps=(Step(up_to=None, micro_yuan=10**13),))
    books = Books([BookVersion(id="b", from_s=0, to_s=None, rates=(rate,))])
    rows = [("inst_1", "vcpu", START_S, None, 10**6, "running", 1, None, "instance", "web", "dept_0", "proj_0", "sys", None)]
    [line] = by_vectors(books, rows, START_S + 1000, "").values()
    assert line.micro_yuan == -(-(2 * 10**19 * 1000 - 3600) // 7200) == 2_777_777_777_777_777_778
    assert by_vectors(books, rows, START_S + 1000, "") == by_kernel(books, rows, START_S + 1000, "")


def test_what_a_commitment_or_steps_need_waits_for_the_others() -> None:
    owed = Commitment(
        name="c", department_id="dept_0", meter="vcpu", amount=3, micro_yuan_per_unit_hour=50, from_s=START_S, to_s=END_S
    )
    steps = (Step(up_to=10, micro_yuan=90), Step(up_to=None, micro_yuan=70))
    rates = (
        Rate(meter="vcpu", state="running", mode=Mode.FLAT, code="", steps=steps[1:]),
        Rate(meter="address", state="running", mode=Mode.GRADUATED, code="", steps=steps),
    )
    less = Discount(department_id="dept_0", meter="", basis_points=10_000, from_s=0, to_s=None)
    books = Books([BookVersion(id="b", from_s=0, to_s=None, rates=rates, commitments=(owed,), discounts=(less,))])
    rows = [
        (f"inst_{n}", meter, START_S + n, START_S + 7200, 2, "running", 1, 2, "instance", "w", f"dept_{n % 2}", "p", "s", None)
        for n, meter in enumerate(("vcpu", "vcpu", "vcpu", "address", "address"))
    ]
    found = by_vectors(books, rows, END_S, "")
    assert found == by_kernel(books, rows, END_S, "")
    assert {line.kind for line in found.values()} == {"usage", "commitment_used", "commitment_unused"}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_million_fuzzed_intervals_differ_by_nothing() -> None:
    count = difference = 0
    for seed in range(200):
        source = random.Random(seed)
        books = books_of(source, SIZES[seed % 5][1], has_all=seed % 4 == 3)
        rows = rows_of(source, 50_000, SIZES[seed % 5][0])
        ours, oracle = (way(books, rows, END_S, "") for way in (by_vectors, by_kernel))
        difference += abs(sum(x.micro_yuan for x in ours.values()) - sum(x.micro_yuan for x in oracle.values()))
        assert ours.keys() == oracle.keys()
        count += len(rows)
    assert (count, difference) == (10_000_000, 0)
