"""metering.charging by hand: prices, states, discounts, steps, commitments, services."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from inventory.domain.errors import Conflict
from metering.books import Books, BookVersion, Commitment, Discount, EntryRate, Mode, Rate, Step
from metering.charging import Charging
from metering.entries import Entry
from metering.ledger import LedgerInterval
from metering.lines import Kind, Line, in_fen
from metering.statements import Summing

HOUR = 3600
DAY = 24 * HOUR


def held(
    start_s: int, end_s: int | None, *, amount: int = 1, meter: str = "vcpu", state: str = "running", resource: str = "inst_a",
    department: str = "dept_a", project: str = "proj_a",
) -> LedgerInterval:  # fmt: skip
    return LedgerInterval(
        resource_id=resource, meter=meter, start_s=start_s, end_s=end_s, amount=amount, state=state, opened_by=1,
        closed_by=None if end_s is None else 2, resource_kind="instance", resource_name="web", department_id=department,
        project_id=project, system_id="sys_a", host_id=None,
    )  # fmt: skip


def flat(meter: str, micro: int, states: Sequence[str] = ("running", "stopped")) -> tuple[Rate, ...]:
    step = (Step(up_to=None, micro_yuan=micro),)
    return tuple(Rate(meter=meter, state=s, mode=Mode.FLAT, steps=step, code="") for s in states)


def stepped(meter: str, mode: Mode, *steps: tuple[int | None, int]) -> tuple[Rate, ...]:
    found = tuple(Step(up_to=up_to, micro_yuan=micro) for up_to, micro in steps)
    return (Rate(meter=meter, state="running", mode=mode, steps=found, code=""),)


def version(from_s: int = 0, to_s: int | None = None, name: str = "b", **parts: Any) -> BookVersion:
    return BookVersion(id=name, from_s=from_s, to_s=to_s, **parts)


def lines(
    books: Sequence[BookVersion], *usage: LedgerInterval, entries: Sequence[Entry] = (), end_s: int = 30 * DAY, until_s: int = 0
) -> list[Line]:
    charging = Charging(Books(books), "2026-01", 0, end_s, until_s or end_s)
    return list(charging.lines(usage, entries))


def test_a_line_says_everything_it_was_computed_from() -> None:
    [line] = lines([version(rates=flat("vcpu", 76_400))], held(HOUR, 2 * HOUR + 1, amount=2))
    assert line == Line(
        Kind.USAGE, "dept_a", "proj_a", "sys_a", "inst_a", "vcpu", "running", 2, HOUR, 2 * HOUR + 1, 1, 2, "b", 76_400, 0,
        152_842, 152_842,
    )  # fmt: skip


def test_what_goes_on_is_counted_to_the_end_of_the_period_and_closed_by_nothing() -> None:
    [line] = lines([version(rates=flat("vcpu", 3600))], held(29 * DAY, None))
    assert (line.start_s, line.end_s, line.closed_by, line.micro_yuan) == (29 * DAY, 30 * DAY, 0, DAY)
    [late] = lines([version(rates=flat("vcpu", 3600))], held(29 * DAY, 30 * DAY))
    assert late == line, "what ends it at the very end or later is no business of this period"


def test_states_have_prices_of_their_own_and_one_without_is_not_charged() -> None:
    rates = (*flat("vcpu", 100, ["running"]), *flat("vcpu", 40, ["stopped"]))
    usage = [held(0, HOUR, state="allocated"), held(HOUR, 2 * HOUR), held(2 * HOUR, 3 * HOUR, state="stopped")]
    assert [(x.state, x.micro_yuan) for x in lines([version(rates=rates)], *usage)] == [("running", 100), ("stopped", 40)]


def test_a_new_price_in_the_middle_cuts_the_line() -> None:
    books = [version(0, 90 * 60, rates=flat("vcpu", 100)), version(90 * 60, None, "c", rates=flat("vcpu", 300))]
    found = lines(books, held(HOUR, 2 * HOUR))
    assert [(x.book_id, x.end_s - x.start_s, x.micro_yuan) for x in found] == [("b", 1800, 50), ("c", 1800, 150)]


@pytest.mark.parametrize(("first", "last"), [(0, HOUR), (4 * HOUR, 6 * HOUR), (9 * HOUR, 11 * HOUR)])
def test_time_without_an_approved_price_is_an_error(first: int, last: int) -> None:
    books = [version(HOUR, 5 * HOUR, rates=flat("vcpu", 1)), version(6 * HOUR, 10 * HOUR, "c", rates=flat("vcpu", 1))]
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        lines(books, held(first, last), end_s=12 * HOUR)


def test_a_version_that_forgot_a_meter_is_an_error_too() -> None:
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        lines([version(rates=flat("address", 1))], held(0, HOUR))


def test_a_discount_is_applied_in_the_line_from_its_first_second_on() -> None:
    less = Discount(department_id="dept_a", meter="vcpu", basis_points=2500, from_s=HOUR, to_s=2 * HOUR)
    found = lines([version(rates=flat("vcpu", 100), discounts=(less,))], held(0, 3 * HOUR))
    assert [(x.basis_points, x.list_micro_yuan, x.micro_yuan) for x in found] == [(0, 100, 100), (2500, 100, 75), (0, 100, 100)]
    [other] = lines([version(rates=flat("vcpu", 100), discounts=(less,))], held(0, 3 * HOUR, department="dept_b"))
    assert other.micro_yuan == 300


def test_graduated_steps_count_a_projects_quantity_in_order_of_time() -> None:
    book = [version(rates=stepped("vcpu", Mode.GRADUATED, (2, 0), (4, 100), (None, 10)))]
    usage = [held(0, 3 * HOUR), held(HOUR, 3 * HOUR, resource="inst_b"), held(2 * HOUR, 3 * HOUR, resource="inst_c")]
    found = {x.resource_id: x.micro_yuan for x in lines(book, *usage)}
    # Hours 1-2 are free, 3-4 cost 100, 5-6 cost 10.
    assert found == {"inst_a": 100, "inst_b": 110, "inst_c": 10}
    assert sum(x.micro_yuan for x in lines(book, *reversed(usage))) == 220


def test_the_quantities_of_two_projects_are_counted_apart() -> None:
    book = [version(rates=stepped("vcpu", Mode.GRADUATED, (1, 0), (None, 100)))]
    found = lines(book, held(0, 2 * HOUR), held(0, 2 * HOUR, resource="inst_b", project="proj_b"))
    assert [x.micro_yuan for x in found] == [100, 100]


@pytest.mark.parametrize(("hours", "total"), [(2, 200), (3, 270), (5, 450), (6, 300)])
def test_volume_steps_price_everything_at_the_step_that_is_reached(hours: int, total: int) -> None:
    book = [version(rates=stepped("vcpu", Mode.VOLUME, (2, 100), (5, 90), (None, 50)))]
    assert sum(x.micro_yuan for x in lines(book, held(0, HOUR), held(HOUR, hours * HOUR, resource="inst_b"))) == total


def committed(amount: int, micro: int = 50, to_s: int = 30 * DAY) -> tuple[Commitment, ...]:
    return (
        Commitment(
            name="base", department_id="dept_a", meter="vcpu", amount=amount, micro_yuan_per_unit_hour=micro, from_s=0, to_s=to_s
        ),
    )


def test_a_commitment_covers_what_was_held_first_and_the_rest_has_the_list_price() -> None:
    book = [version(rates=flat("vcpu", 100), commitments=committed(3, to_s=2 * HOUR))]
    found = lines(book, held(0, 2 * HOUR, amount=2), held(HOUR, 2 * HOUR, amount=2, resource="inst_b"), end_s=2 * HOUR)
    by_kind = sorted((x.kind, x.resource_id, x.amount, x.micro_yuan) for x in found)
    assert by_kind == [
        ("commitment_unused", "base", HOUR, 50),
        ("commitment_used", "inst_a", 2, 200),
        ("commitment_used", "inst_b", 1, 50),
        ("usage", "inst_b", 1, 100),
    ]


def test_what_is_not_used_of_a_commitment_stands_with_its_project() -> None:
    (owed,) = committed(3, to_s=2 * HOUR)
    [line] = lines([version(rates=flat("vcpu", 100), commitments=(replace(owed, project_id="proj_z"),))])
    assert (line.kind, line.project_id, line.department_id) == ("commitment_unused", "proj_z", "dept_a")


def test_a_line_of_a_price_with_steps_names_the_price_where_one_step_holds_for_all_of_it() -> None:
    graduated = [version(rates=stepped("vcpu", Mode.GRADUATED, (2, 100), (None, 70)))]
    found = lines(graduated, *(held(n * HOUR, (n + 1) * HOUR, amount=1 + n % 2) for n in range(4)))
    assert [(x.micro_yuan_per_unit, x.micro_yuan) for x in found] == [(100, 100), (0, 170), (70, 70), (70, 140)]
    volume = [version(rates=stepped("vcpu", Mode.VOLUME, (2, 100), (None, 70)))]
    assert {x.micro_yuan_per_unit for x in lines(volume, held(0, 5 * HOUR))} == {70}


def test_used_and_unused_add_up_to_the_fee_exactly() -> None:
    book = [version(rates=flat("vcpu", 100), commitments=committed(7, micro=333_333, to_s=9 * DAY + 7))]
    usage = [held(n * 977, n * 977 + 100_003 + n, amount=1 + n % 3, resource=f"inst_{n}") for n in range(9)]
    fee = (2 * 7 * 333_333 * (9 * DAY + 7) + HOUR) // (2 * HOUR)
    assert sum(x.micro_yuan for x in lines(book, *usage) if x.kind.startswith("commitment")) == fee
    assert sum(x.micro_yuan for x in lines(book)) == fee


def test_used_and_unused_quantities_of_a_statement_add_up_to_what_was_committed() -> None:
    book = [version(rates=flat("vcpu", 100), commitments=committed(7, to_s=9 * DAY + 7))]
    summing = Summing("2026-01")
    for line in lines(book, held(0, DAY, amount=3), held(5, 90_001, amount=2, resource="inst_b")):
        summing.count(line)
    quantities = {key[3]: figures[0] for key, figures in summing.sums.items() if key[3] != Kind.USAGE}
    assert quantities == {
        Kind.COMMITMENT_USED: 3 * DAY + 2 * 89_996,
        Kind.COMMITMENT_UNUSED: 7 * (9 * DAY + 7) - 3 * DAY - 2 * 89_996,
    }


def test_time_that_is_not_charged_uses_nothing_of_a_commitment() -> None:
    book = [version(rates=flat("vcpu", 100), commitments=committed(1, to_s=HOUR))]
    assert [x.kind for x in lines(book, held(0, HOUR, state="allocated"))] == [Kind.COMMITMENT_UNUSED]


def test_what_is_lost_has_a_line_that_costs_nothing_and_uses_nothing_of_a_commitment() -> None:
    dear = (*flat("vcpu", 100, ["allocated", "running", "stopped"]), *stepped("address", Mode.GRADUATED, (1, 5), (None, 7)))
    usage = [held(0, HOUR), held(HOUR, 3 * HOUR, state="lost"), held(0, HOUR, meter="address", state="lost")]
    found = lines([version(rates=dear)], *usage)
    assert sorted((x.meter, x.state, x.end_s - x.start_s, x.list_micro_yuan, x.micro_yuan) for x in found) == [
        ("address", "lost", HOUR, 0, 0), ("vcpu", "lost", 2 * HOUR, 0, 0), ("vcpu", "running", HOUR, 100, 100),
    ]  # fmt: skip
    owed = [version(rates=dear, commitments=committed(1, to_s=2 * HOUR))]
    assert sorted(x.kind for x in lines(owed, held(0, 2 * HOUR, state="lost"))) == [Kind.COMMITMENT_UNUSED, Kind.USAGE]


def test_what_is_lost_while_nothing_is_priced_is_an_error_as_all_else() -> None:
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        lines([version(HOUR, rates=flat("vcpu", 1))], held(0, 2 * HOUR, state="lost"))


def entry(meter: str, amount: int, start_s: int, end_s: int | None = None) -> Entry:
    return Entry(
        id="entry_1", state="approved", department_id="dept_a", project_id="proj_a", meter=meter, amount=amount, start_s=start_s,
        end_s=end_s, reason="because", entered_by="wang", entered_at_s=0,
    )  # fmt: skip


PRICES = (
    EntryRate(meter="service:move", per="once", micro_yuan=5_000_000, code=""),
    EntryRate(meter="service:care", per="month", micro_yuan=3_000_000, code=""),
    EntryRate(meter="labour:expert", per="once", micro_yuan=180_000_000, code=""),
)


def test_what_was_done_once_is_charged_in_the_period_of_its_second() -> None:
    book = [version(entry_rates=PRICES)]
    assert [x.micro_yuan for x in lines(book, entries=[entry("service:move", 2, DAY)])] == [10_000_000]
    assert [x.micro_yuan for x in lines(book, entries=[entry("labour:expert", 20, DAY)])] == [60_000_000]
    assert lines(book, entries=[entry("service:move", 2, 30 * DAY)]) == []


def test_a_service_by_the_month_is_prorated_by_true_seconds() -> None:
    book = [version(entry_rates=PRICES)]
    whole, half = entry("service:care", 1, 0, 30 * DAY), entry("service:care", 1, 0, 15 * DAY)
    assert [x.micro_yuan for x in lines(book, entries=[whole])] == [3_000_000]
    assert [x.micro_yuan for x in lines(book, entries=[half])] == [1_500_000]
    # Of an open period: so much of the whole month as has passed.
    assert [x.micro_yuan for x in lines(book, entries=[whole], until_s=10 * DAY)] == [1_000_000]


def test_a_discount_takes_off_a_monthly_service_only_from_its_first_second_to_its_last() -> None:
    half = Discount(department_id="dept_a", meter="", basis_points=5000, from_s=10 * DAY, to_s=20 * DAY)
    book = [version(entry_rates=PRICES, discounts=(half,))]
    found = lines(book, entries=[entry("service:care", 1, 0, 30 * DAY)])
    assert [(x.start_s // DAY, x.end_s // DAY, x.basis_points, x.list_micro_yuan, x.micro_yuan) for x in found] == [
        (0, 10, 0, 1_000_000, 1_000_000), (10, 20, 5000, 1_000_000, 500_000), (20, 30, 0, 1_000_000, 1_000_000),
    ]  # fmt: skip
    assert [x.micro_yuan for x in lines(book, entries=[entry("service:care", 1, 0, 5 * DAY)])] == [500_000]


def test_a_service_without_a_price_is_an_error() -> None:
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        lines([version(entry_rates=PRICES)], entries=[entry("service:other", 1, 0)])


def test_rows_in_fen_add_up_to_the_footer_by_largest_remainder() -> None:
    shares = in_fen([14_999, 14_999, 10_001, -5_000])
    assert shares.total_fen == 3
    assert shares.parts_fen == (1, 1, 1, 0)
    assert in_fen([]).total_fen == 0
