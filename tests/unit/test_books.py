"""metering.books: which version holds when."""

import pytest

from inventory.domain.catalogue import Price
from inventory.domain.errors import Conflict
from metering.books import Books, BookVersion, Discount, Mode, Rate, Step, overlaps, planned


def version(name: str, from_s: int, to_s: int | None, *discounts: Discount) -> BookVersion:
    return BookVersion(id=name, from_s=from_s, to_s=to_s, discounts=discounts)


def less(points: int, meter: str, from_s: int, to_s: int | None) -> Discount:
    return Discount(department_id="d", meter=meter, basis_points=points, from_s=from_s, to_s=to_s)


def test_a_time_is_cut_where_versions_change() -> None:
    books = Books([version("b", 100, None), version("a", 0, 100)])
    assert [(s, e, v.id) for s, e, v in books.pieces("vcpu", 50, 150)] == [(50, 100, "a"), (100, 150, "b")]


@pytest.mark.parametrize(
    ("start_s", "end_s", "gap"),
    [(0, 20, (0, 10)), (40, 60, (50, 60)), (45, 200, (50, 60)), (150, 300, (200, 300))],
)
def test_a_moment_without_a_version_is_an_error_with_its_place(start_s: int, end_s: int, gap: tuple[int, int]) -> None:
    books = Books([version("a", 10, 50), version("b", 60, 200)])
    with pytest.raises(Conflict) as caught:
        list(books.pieces("vcpu", start_s, end_s))
    assert caught.value.code == "usage.price_gap"
    assert caught.value.params == {"meter": "vcpu", "start_s": gap[0], "end_s": gap[1]}


def test_versions_that_touch_do_not_overlap() -> None:
    assert not overlaps(version("a", 0, 10), version("b", 10, None))
    assert overlaps(version("a", 0, 11), version("b", 10, None))
    assert overlaps(version("a", 0, None), version("b", 10, 20))


def test_the_discount_of_a_meter_goes_before_the_one_of_all() -> None:
    held = version("a", 0, None, less(500, "", 0, None), less(1000, "vcpu", 10, 20))
    assert [held.discount("d", "vcpu", at) for at in (0, 10, 19, 20)] == [500, 1000, 1000, 500]
    assert held.discount("d", "address", 15) == 500
    assert held.discount("other", "vcpu", 15) == 0
    assert held.discount_cuts("d", "vcpu") == [0, 10, 20]


def priced(name: str, from_s: int, to_s: int | None, micro: int) -> BookVersion:
    step = (Step(up_to=None, micro_yuan=micro),)
    rates = tuple(Rate(meter="vcpu", state=state, mode=Mode.FLAT, steps=step, code="") for state in ("running", "stopped"))
    return BookVersion(id=name, from_s=from_s, to_s=to_s, rates=rates)


def site(micro: int, from_s: int, meter: str = "vcpu") -> Price:
    return Price(meter=meter, micro_yuan_per_unit_hour=micro, valid_from_s=from_s)


def test_plans_use_approved_prices_while_they_hold_and_the_sites_otherwise() -> None:
    found = planned(
        [site(1, 0), site(2, 150), site(3, 400), site(9, 0, "address")], [priced("b", 200, 300, 7), priced("a", 100, 200, 5)]
    )
    assert [(p.meter, p.valid_from_s, p.micro_yuan_per_unit_hour) for p in found] == [
        ("address", 0, 9),
        ("vcpu", 0, 1),
        ("vcpu", 100, 5),
        ("vcpu", 200, 7),
        ("vcpu", 300, 2),
        ("vcpu", 400, 3),
    ]


def test_a_price_with_steps_is_planned_at_its_dearest() -> None:
    steps = (Step(up_to=5, micro_yuan=0), Step(up_to=9, micro_yuan=30), Step(up_to=None, micro_yuan=20))
    rate = Rate(meter="address", state="allocated", mode=Mode.GRADUATED, steps=steps, code="")
    [found] = planned([], [BookVersion(id="a", from_s=0, to_s=None, rates=(rate,))])
    assert found.micro_yuan_per_unit_hour == 30
