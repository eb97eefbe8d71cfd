"""What always holds of rated lines: cuts, orders and portions change nothing, nothing is lost, nothing is made up."""

import random
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.domain.money import rounded
from metering.books import Books, BookVersion, Commitment, Discount, Mode, Rate, Step
from metering.charging import HOUR_S, Charging
from metering.coverage import Piece, cover
from metering.ledger import LedgerInterval
from metering.lines import Kind, Line, in_fen
from metering.meters import meter_of

END_S = 40_000
METERS = ("vcpu", "memory_mib", "disk_gib:standard")
DEPARTMENTS = ("dept_a", "dept_b")


def interval(number: int, start_s: int, end_s: int, amount: int, meter: str, department: str, state: str) -> LedgerInterval:
    return LedgerInterval(
        resource_id=f"inst_{number}", meter=meter, start_s=start_s, end_s=end_s, amount=amount, state=state, opened_by=1,
        closed_by=2, resource_kind="instance", resource_name="web", department_id=department, project_id=f"proj_{number % 2}",
        system_id="sys", host_id=None,
    )  # fmt: skip


@st.composite
def usages(draw: st.DrawFn) -> list[LedgerInterval]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        start_s = draw(st.integers(-2_000, END_S))
        length = draw(st.integers(1, 20_000))
        amount = draw(st.integers(1, 1 << 20))
        meter, department = draw(st.sampled_from(METERS)), draw(st.sampled_from(DEPARTMENTS))
        found.append(
            interval(number, start_s, start_s + length, amount, meter, department, draw(st.sampled_from(("running", "stopped"))))
        )
    return found


@st.composite
def books(draw: st.DrawFn, *, modes: Sequence[Mode] = (Mode.FLAT,), commits: bool = False) -> Books:
    cuts = sorted(draw(st.sets(st.integers(1, END_S - 1), max_size=2)))
    found = []
    for number, (from_s, to_s) in enumerate(zip([-10_000, *cuts], [*cuts, None], strict=True)):
        rates = []
        for meter in METERS:
            mode = draw(st.sampled_from(modes))
            ends = [] if mode is Mode.FLAT else sorted(draw(st.sets(st.integers(1, 1000), max_size=3)))
            steps = tuple(Step(up_to=e, micro_yuan=draw(st.integers(0, 10**7))) for e in [*ends, None])
            rates += [Rate(meter=meter, state=s, mode=mode, steps=steps, code="") for s in ("running", "stopped")]
        points = draw(st.integers(0, 10_000))
        less = Discount(
            department_id="dept_a", meter=draw(st.sampled_from(("", "vcpu"))), basis_points=points, from_s=from_s, to_s=to_s
        )
        last = END_S if to_s is None else to_s
        owed = Commitment(name="c", department_id="dept_b", meter="vcpu", amount=draw(st.integers(1, 1 << 21)),
                          micro_yuan_per_unit_hour=draw(st.integers(0, 10**6)), from_s=from_s, to_s=last)  # fmt: skip
        found.append(
            BookVersion(
                id=f"b{number}",
                from_s=from_s,
                to_s=to_s,
                rates=tuple(rates),
                discounts=(less,),
                commitments=(owed,) if commits else (),
            )
        )
    return Books(found)


def rate(held: Books, usage: Sequence[LedgerInterval], start_s: int = 0, end_s: int = END_S) -> list[Line]:
    return list(Charging(held, "2026-01", start_s, end_s, end_s).lines(usage, []))


def billed(lines: Sequence[Line]) -> int:
    return sum(line.micro_yuan for line in lines)


@settings(max_examples=200, deadline=None)
@given(books(), usages(), st.integers(1, END_S - 1))
def test_a_period_costs_what_its_two_parts_cost(held: Books, usage: list[LedgerInterval], cut: int) -> None:
    whole, parts = rate(held, usage), [*rate(held, usage, 0, cut), *rate(held, usage, cut, END_S)]
    assert billed(parts) == billed(whole)
    assert sum(x.list_micro_yuan for x in parts) == sum(x.list_micro_yuan for x in whole)


@settings(deadline=None)
@given(books(modes=tuple(Mode), commits=True), usages(), st.randoms(use_true_random=False))
def test_the_order_intervals_come_in_changes_no_byte(held: Books, usage: list[LedgerInterval], source: random.Random) -> None:
    shuffled = list(usage)
    source.shuffle(shuffled)
    first, second = (sorted(x.id_in("2026-01") for x in rate(held, u)) for u in (usage, shuffled))
    assert first == second
    assert len(set(first)) == len(first), "no line twice"


@settings(deadline=None)
@given(books(), usages())
def test_every_line_is_the_exact_price_of_its_parts_within_a_micro_yuan(held: Books, usage: list[LedgerInterval]) -> None:
    for line in rate(held, usage):
        over = HOUR_S * meter_of(line.meter).base_per_unit
        exact = Fraction(
            line.amount * (line.end_s - line.start_s) * line.micro_yuan_per_unit * (10_000 - line.basis_points), over * 10_000
        )
        assert abs(line.micro_yuan - exact) <= 1
        assert 0 <= line.micro_yuan <= line.list_micro_yuan


@settings(deadline=None)
@given(books(), usages())
def test_every_charged_second_of_an_interval_is_in_exactly_one_line(held: Books, usage: list[LedgerInterval]) -> None:
    found = rate(held, usage)
    for one in usage:
        own = sorted((x.start_s, x.end_s) for x in found if x.resource_id == one.resource_id)
        first, last = max(0, one.start_s), min(END_S, one.end_s or END_S)
        if first >= last:
            assert own == []
            continue
        assert (own[0][0], own[-1][1]) == (first, last)
        assert all(a[1] == b[0] for a, b in pairwise(own))


@settings(deadline=None)
@given(books(modes=(Mode.GRADUATED, Mode.VOLUME)), usages())
def test_steps_come_to_what_the_whole_quantity_comes_to(held: Books, usage: list[LedgerInterval]) -> None:
    found = rate(held, usage)
    for version in held.versions:
        for meter in METERS:
            step_rate = version.rate(meter, "running")
            assert step_rate is not None
            for project in ("proj_0", "proj_1"):
                own = [
                    x
                    for x in found
                    if (x.book_id, x.meter, x.project_id, x.department_id) == (version.id, meter, project, "dept_b")
                ]
                quantity = sum(x.amount * (x.end_s - x.start_s) for x in own)
                over = HOUR_S * meter_of(meter).base_per_unit
                assert sum(x.list_micro_yuan for x in own) == rounded(_worth(step_rate, quantity, over), over)


def _worth(step_rate: Rate, quantity: int, over: int) -> int:
    """The worth of a quantity, by another road than the product's: unit by unit of each step."""
    if step_rate.mode is Mode.VOLUME:
        for step in step_rate.steps:
            if step.up_to is None or quantity <= step.up_to * over:
                return quantity * step.micro_yuan
    worth, below = 0, 0
    for step in step_rate.steps:
        top = quantity if step.up_to is None else step.up_to * over
        worth += max(0, min(quantity, top) - below) * step.micro_yuan
        below = max(below, top)
    return worth


@settings(deadline=None)
@given(books(commits=True), usages())
def test_used_and_unused_are_the_fee_and_all_usage_is_covered_or_listed(held: Books, usage: list[LedgerInterval]) -> None:
    found = rate(held, usage)
    for version in held.versions:
        [owed] = version.commitments
        first, last = max(0, owed.from_s), min(END_S, owed.to_s)
        fee = rounded(owed.amount * owed.micro_yuan_per_unit_hour * (last - owed.from_s), HOUR_S) - rounded(
            owed.amount * owed.micro_yuan_per_unit_hour * (first - owed.from_s), HOUR_S
        )
        own = [x for x in found if x.book_id == version.id and x.kind in (Kind.COMMITMENT_USED, Kind.COMMITMENT_UNUSED)]
        assert sum(x.micro_yuan for x in own) == fee
        assert all(x.micro_yuan >= 0 for x in own)
    used = [x for x in found if x.department_id == "dept_b" and x.meter == "vcpu" and x.kind != Kind.COMMITMENT_UNUSED]
    held_seconds = sum(
        i.amount * max(0, min(END_S, i.end_s or END_S) - max(0, i.start_s))
        for i in usage
        if (i.department_id, i.meter) == ("dept_b", "vcpu")
    )
    assert sum(x.amount * (x.end_s - x.start_s) for x in used) == held_seconds


@settings(deadline=None)
@given(usages(), st.integers(1, 1 << 21), st.integers(0, END_S - 1), st.integers(1, END_S))
def test_at_every_second_a_commitment_covers_as_much_as_it_can(
    usage: list[LedgerInterval], amount: int, first: int, length: int
) -> None:
    pieces = [Piece(i, i.start_s, i.end_s or END_S, i.amount) for i in usage]
    covered, rest = cover(pieces, amount, first, first + length)
    for at_s in sorted({p.from_s for p in [*pieces, *covered, *rest]} | {first, first + length - 1}):
        total = sum(p.amount for p in pieces if p.from_s <= at_s < p.to_s)
        in_it = sum(p.amount for p in covered if p.from_s <= at_s < p.to_s)
        assert in_it == (min(total, amount) if first <= at_s < first + length else 0)
        assert in_it + sum(p.amount for p in rest if p.from_s <= at_s < p.to_s) == total


@settings(deadline=None)
@given(st.integers(0, 1 << 40), st.integers(0, 40), st.integers(0, 60))
def test_a_commitment_covers_what_was_held_longest_as_a_walk_through_every_second_does(
    seed: int, count: int, amount: int
) -> None:
    source = random.Random(seed)
    held = [interval(n % 7, source.randrange(40), source.randrange(41, 60), source.randrange(1, 9), "vcpu", "d", "running")
            for n in range(count)]  # fmt: skip
    pieces = [Piece(i, max(i.start_s, source.randrange(40)), source.randrange(41, 60), i.amount) for i in held]
    covered, _ = cover(pieces, amount, 10, 50)
    order = sorted(pieces, key=lambda p: (p.interval.start_s, p.interval.resource_id, p.from_s))
    for at_s in range(10, 50):
        left = amount
        wanted: list[tuple[int, int]] = []
        for piece in order:
            taken = min(left, piece.amount) if piece.from_s <= at_s < piece.to_s else 0
            wanted, left = [*wanted, (id(piece.interval), taken)], left - taken
        found = [(id(p.interval), p.amount) for p in covered if p.from_s <= at_s < p.to_s]
        assert sorted(found) == sorted(pair for pair in wanted if pair[1])


@given(st.lists(st.integers(-(10**12), 10**12), max_size=30))
def test_fen_add_up_and_no_part_is_a_fen_away(parts: list[int]) -> None:
    shares = in_fen(parts)
    assert sum(shares.parts_fen) == shares.total_fen
    assert abs(shares.total_fen * 10_000 - sum(parts)) <= 5_000
    assert all(abs(fen * 10_000 - part) < 10_000 for fen, part in zip(shares.parts_fen, parts, strict=True))
