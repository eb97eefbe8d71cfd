"""metering.rating: integers in, micro-yuan out."""

from zoneinfo import ZoneInfo

import pytest

from inventory.domain.catalogue import Price
from inventory.domain.errors import Conflict, Invalid
from metering.intervals import Interval, intervals
from metering.meters import METERS, meter_of
from metering.rating import Month, PriceBook, charge, charges, month_at, month_price, window_price, yuan
from tests.support.journal import row

SHANGHAI = ZoneInfo("Asia/Shanghai")
YUAN = 1_000_000


def price(meter: str, micro: int, valid_from_s: int = 0) -> Price:
    return Price(meter=meter, micro_yuan_per_unit_hour=micro, valid_from_s=valid_from_s)


def one(meter: str = "vcpu", amount: int = 1, start_s: int = 0, end_s: int = 3600, state: str = "running") -> Interval:
    rows = [row(1, state=state, occurred_at_s=start_s, amounts={meter: amount}), row(2, state="released", occurred_at_s=end_s)]
    [only] = intervals(rows, start_s, end_s)
    return only


def cost(interval: Interval, *prices: Price) -> int:
    return sum(c.micro_yuan for c in charges(interval, PriceBook(prices)))


def test_one_unit_for_one_hour_costs_the_price() -> None:
    assert cost(one(), price("vcpu", 123_456)) == 123_456


def test_memory_is_priced_by_the_gib() -> None:
    assert cost(one("memory_mib", 1024), price("memory_mib", 60_000)) == 60_000
    assert cost(one("memory_mib", 512), price("memory_mib", 60_000)) == 30_000


def test_disk_and_addresses_are_priced_by_class_and_piece() -> None:
    assert cost(one("disk_gib:fast", 20), price("disk_gib:fast", 10), price("disk_gib:standard", 99)) == 200
    assert cost(one("address", 2), price("address", 7)) == 14


def test_half_a_micro_yuan_rounds_up() -> None:
    assert charge(amount=1, base_per_unit=1, micro_yuan_per_unit_hour=1, seconds=1800) == 1
    assert charge(amount=1, base_per_unit=1, micro_yuan_per_unit_hour=1, seconds=1799) == 0


def test_large_numbers_stay_exact() -> None:
    assert charge(amount=10**9, base_per_unit=1, micro_yuan_per_unit_hour=10**12, seconds=3600) == 10**21


def test_a_price_change_within_an_interval_is_split_at_the_second() -> None:
    found = charges(one(end_s=7200), PriceBook([price("vcpu", 1000), price("vcpu", 3000, 5400)]))
    assert [(c.start_s, c.end_s, c.micro_yuan) for c in found] == [(0, 5400, 1500), (5400, 7200, 1500)]


def test_a_price_from_the_very_start_of_an_interval_is_not_a_gap() -> None:
    assert cost(one(start_s=100, end_s=3700), price("vcpu", 5, 100)) == 5


def test_time_without_a_price_is_an_error_and_never_free() -> None:
    with pytest.raises(Conflict) as caught:
        cost(one(start_s=0, end_s=3600), price("vcpu", 1000, 1800))
    assert caught.value.code == "usage.price_gap"
    assert caught.value.params == {"meter": "vcpu", "start_s": 0, "end_s": 1800}


def test_a_meter_without_any_price_is_an_error() -> None:
    with pytest.raises(Conflict, match=r"usage\.price_gap"):
        cost(one("address"), price("vcpu", 1))


def test_a_price_of_zero_is_a_price() -> None:
    assert cost(one(), price("vcpu", 0)) == 0


@pytest.mark.parametrize("state", ["allocated", "lost"])
@pytest.mark.parametrize("meter", ["vcpu", "memory_mib", "disk_gib:standard", "address", "accelerator:card"])
def test_what_is_not_there_yet_or_no_more_is_charged_for_nothing(meter: str, state: str) -> None:
    assert charges(one(meter, state=state), PriceBook([])) == []
    assert cost(one(meter), price(meter, 1024)) > 0


def test_a_stopped_machine_still_holds_its_capacity_and_is_charged() -> None:
    assert cost(one(state="stopped"), price("vcpu", 8)) == 8


@pytest.mark.parametrize("name", ["cpu", "disk_gib:", "disk_gib", "vcpu:fast", ""])
def test_unknown_meters_are_refused(name: str) -> None:
    with pytest.raises(Invalid, match=r"price\.meter_unknown"):
        meter_of(name)


def test_every_dimension_has_a_meter() -> None:
    for name in ("vcpu", "memory_mib", "disk_gib:standard", "address", "accelerator:gpu", "backup_gib:tape", "image_gib"):
        assert meter_of(name) in METERS.values()


def test_a_month_is_its_true_seconds_in_the_zone() -> None:
    start_s, end_s = Month.of("2026-12").window(SHANGHAI)
    assert end_s - start_s == 31 * 86_400
    assert start_s == 1_796_054_400  # 2026-11-30T16:00:00Z


def test_a_month_with_a_clock_change_has_an_hour_less_or_more() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    lengths = [end - start for start, end in (Month(2026, m).window(berlin) for m in (3, 10))]
    assert lengths == [31 * 86_400 - 3600, 31 * 86_400 + 3600]


def test_december_is_followed_by_january() -> None:
    assert Month(2026, 12).next() == Month(2027, 1)
    assert str(Month(2026, 1).next()) == "2026-02"


def test_the_month_of_a_moment_is_the_zones() -> None:
    assert month_at(1_796_054_399, SHANGHAI) == Month(2026, 11)
    assert month_at(1_796_054_400, SHANGHAI) == Month(2026, 12)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "26-1", "2026-1", "", "2026-12-01", "２０２６-12"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"usage\.month_invalid"):
        Month.of(text)


def test_month_price_adds_every_meter() -> None:
    prices = [price("vcpu", 100), price("memory_mib", 10), price("disk_gib:standard", 1)]
    amounts = {"vcpu": 2, "memory_mib": 4096, "disk_gib:standard": 40, "address": 0}
    assert month_price(amounts, prices, "2026-11", SHANGHAI) == 30 * 24 * (200 + 40 + 40)


def test_month_price_knows_of_a_price_that_changes_within_the_month() -> None:
    start_s, end_s = Month.of("2026-11").window(SHANGHAI)
    prices = [price("vcpu", 100), price("vcpu", 300, start_s + 86_400)]
    assert window_price({"vcpu": 1}, prices, start_s, end_s) == 24 * 100 + 29 * 24 * 300


def test_yuan_is_written_with_six_decimals() -> None:
    assert [yuan(v) for v in (0, 1, 12_340_000, -1, -2_500_000)] == [
        "0.000000",
        "0.000001",
        "12.340000",
        "-0.000001",
        "-2.500000",
    ]
