"""The fast engine, the plain integer kernel and SQL give the same lines, bit by bit; the first two with the same ids."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inventory.domain.journal import LOST
from metering import vectors
from metering.books import Books, BookVersion, Commitment, Discount, Mode, Rate, Step
from metering.charging import Charging
from metering.counts import Counted
from metering.entries import Entry
from metering.ledger import of_row
from metering.lines import CHARGED, SHOWN, Kind, Line
from metering.statements import Summing
from tests.support import duckdb_rating
from tests.support.duckdb_rating import Rated
from tests.support.fuzzed_usage import END_S, START_S, billing_of, books_of, entries_of, rows_of

PERIOD = "2026-01"
#: The most of an amount and of a price; the last three come near the end of 64 bits on the way.
SIZES = ((1_000, 10**5), (10**9, 10**6), (10**6, 10**9), (1, 10**15), (10**14, 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What is rated: by both ways the same."""

    books: Books
    rows: Sequence[vectors.LedgerRow]
    until_s: int = END_S
    department_id: str = ""
    entries: Sequence[Entry | Counted] = ()
    billing: Mapping[str, str] = field(default_factory=dict)

    def charging(self) -> Charging:
        return Charging(self.books, PERIOD, START_S, END_S, self.until_s, self.department_id, self.billing)


def fuzzed(source: random.Random, count: int, sizes: tuple[int, int], *, has_all: bool) -> Usage:
    books = books_of(source, sizes[1], has_all=has_all)
    until_s = source.choice((END_S, END_S, source.randrange(START_S + 1, END_S)))
    entries = [e for e in entries_of(source, count // 10) if not isinstance(e, Counted) or e.days[-1][1] <= until_s]
    return Usage(books=books, rows=rows_of(source, count, sizes[0]), until_s=until_s, entries=entries, billing=billing_of(source))


def by_kernel(usage: Usage) -> dict[bytes, Line]:
    lines = usage.charging().lines((of_row(r) for r in usage.rows), usage.entries)
    return {line.id_in(PERIOD): line for line in lines}


def by_vectors(usage: Usage) -> dict[bytes, Line]:
    summing = Summing(PERIOD)
    engine = vectors.Engine(usage.charging(), summing)
    half = len(usage.rows) // 2
    engine.take(usage.rows[half:])
    engine.take(usage.rows[:half])
    engine.rest(usage.entries)
    found = engine.finished()
    lines = dict(found.rows())
    assert len(lines) == len(found)
    assert summing.sums == sums_of(lines.values()) == sums_alone(usage)
    return lines


def by_sql(usage: Usage) -> list[Rated]:
    return duckdb_rating.rated(usage.rows, usage.books, (START_S, END_S, usage.until_s), usage.entries)


def as_sql_has_them(lines: Iterable[Line]) -> list[Rated]:
    """Return lines as the rows SQL makes."""
    return sorted(
        (x.kind, x.resource_id, x.meter, x.state, x.department_id, x.project_id, x.system_id, x.amount, x.start_s, x.end_s,
         x.opened_by, x.closed_by, x.book_id, x.micro_yuan_per_unit, x.basis_points, x.list_micro_yuan, x.micro_yuan)
        for x in lines
    )  # fmt: skip


def sums_alone(usage: Usage) -> dict[tuple[str, str, str, str, str], list[int]]:
    """What statements of an open month are made from: no lines, only what they come to."""
    summing = Summing(PERIOD)
    engine = vectors.Engine(usage.charging(), summing, makes_lines=False)
    engine.take(usage.rows)
    engine.rest(usage.entries)
    engine.finished()
    return dict(summing.sums)


def sums_of(lines: Iterable[Line]) -> dict[tuple[str, str, str, str, str], list[int]]:
    summing = Summing(PERIOD)
    for line in lines:
        summing.count(line)
    return dict(summing.sums)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1 << 40), st.sampled_from(SIZES), st.booleans())
@example(7, SIZES[-1], True)
def test_the_fast_engine_writes_the_lines_of_the_kernel(seed: int, sizes: tuple[int, int], has_all: bool) -> None:
    usage = fuzzed(random.Random(seed), 60, sizes, has_all=has_all)
    assert by_vectors(usage) == by_kernel(usage)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 40), st.sampled_from(SIZES), st.booleans())
@example(7, SIZES[-1], True)
# Bytes on both sides of the end of a discount that another of the same height follows.
@example(414, SIZES[1], False)
def test_sql_in_duckdb_rates_every_kind_of_line_as_the_kernel_and_the_fast_engine_do(
    seed: int, sizes: tuple[int, int], has_all: bool
) -> None:
    usage = fuzzed(random.Random(seed), 200, sizes, has_all=has_all)
    assert by_sql(usage) == as_sql_has_them(by_kernel(usage).values()) == as_sql_has_them(by_vectors(usage).values())


def test_figures_beyond_64_bits_in_between_are_left_to_the_kernel() -> None:
    rate = Rate(meter="vcpu", state="running", mode=Mode.FLAT, code="", steps=(Step(up_to=None, micro_yuan=10**13),))
    books = Books([BookVersion(id="b", from_s=0, to_s=None, rates=(rate,))])
    rows = [("inst_1", "vcpu", START_S, None, 10**6, "running", 1, None, "instance", "web", "dept_0", "proj_0", "sys", None)]
    usage = Usage(books=books, rows=rows, until_s=START_S + 1000)
    [line] = by_vectors(usage).values()
    assert line.micro_yuan == -(-(2 * 10**19 * 1000 - 3600) // 7200) == 2_777_777_777_777_777_778
    assert by_vectors(usage) == by_kernel(usage)
    assert by_sql(usage) == as_sql_has_them([line])


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
    usage = Usage(books=books, rows=rows)
    found = by_vectors(usage)
    assert found == by_kernel(usage)
    assert {line.kind for line in found.values()} == {"usage", "commitment_used", "commitment_unused"}
    assert by_sql(usage) == as_sql_has_them(found.values())


def test_what_is_drawn_is_of_every_kind() -> None:
    usage = [fuzzed(random.Random(seed), 600, SIZES[0], has_all=True) for seed in range(8)]
    lines = [line for one in usage for line in by_kernel(one).values()]
    kinds = {Kind.USAGE, Kind.COMMITMENT_USED, Kind.COMMITMENT_UNUSED, Kind.ENTRY, Kind.COUNTED}
    assert {line.kind for line in lines} == kinds
    assert {rate.mode for one in usage for version in one.books.versions for rate in version.rates} == set(Mode)
    assert max(len(one.books.versions) for one in usage) > 2
    assert {line.billing for line in lines} == {CHARGED, SHOWN}
    assert any(line.basis_points for line in lines)
    assert any(line.closed_by > 2 for line in lines)
    by_hand = {line.meter for line in lines if line.kind == Kind.ENTRY}
    assert by_hand == {"service:migration", "labour:operator", "service:guard", "backup_gib:tape", "load_balancer_unit"}
    assert {line.state for line in lines} > {LOST, "running", "stopped", "allocated"}


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_million_fuzzed_intervals_differ_by_nothing() -> None:
    count = difference = 0
    for seed in range(200):
        usage = fuzzed(random.Random(seed), 50_000, SIZES[seed % 5], has_all=seed % 2 == 1)
        ours, oracle = by_vectors(usage), by_kernel(usage)
        difference += abs(sum(x.micro_yuan for x in ours.values()) - sum(x.micro_yuan for x in oracle.values()))
        assert ours.keys() == oracle.keys()
        assert by_sql(usage) == as_sql_has_them(oracle.values())
        count += len(usage.rows)
    assert (count, difference) == (10_000_000, 0)
