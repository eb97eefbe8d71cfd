"""What usage costs. Pure, and in integers only: micro-yuan (millionths), never a float, never a decimal in between.

A charge is a difference of two rounded running totals, counted from the moment its price began to hold for the interval.
So a day-by-day, an hour-by-hour and a whole-month view of the same usage add up to the same micro-yuan.
Source: telescoping rounding; cutting intervals and rounding the parts changed 40 % of totals in the project's trials.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from inventory.domain import money
from inventory.domain.catalogue import Price
from inventory.domain.clock import first_second
from inventory.domain.errors import Conflict, Invalid
from metering.intervals import Interval
from metering.meters import meter_of

MICRO_PER_YUAN, yuan = money.MICRO_PER_YUAN, money.yuan
_HOUR_S = 3600
_MONTH = re.compile(r"(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one interval costs under one price."""

    #: Clipped to the time this price holds.
    start_s: int
    end_s: int
    micro_yuan_per_unit_hour: int
    micro_yuan: int


class PriceBook:
    """Every price, to be asked by meter and time."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._by_meter: dict[str, list[Price]] = {}
        for price in sorted(prices, key=lambda p: (p.meter, p.valid_from_s)):
            self._by_meter.setdefault(price.meter, []).append(price)

    def pieces(self, meter: str, start_s: int, end_s: int) -> Iterator[tuple[int, int, Price]]:
        """Return ``[start, end)`` cut where prices change, each part with its price.

        Raises:
            Conflict: ``usage.price_gap``: a part has no price. It is never charged as nothing.
        """
        prices = self._by_meter.get(meter, [])
        first = bisect_right(prices, start_s, key=lambda p: p.valid_from_s) - 1
        if first < 0:
            until_s = min(prices[0].valid_from_s, end_s) if prices else end_s
            raise Conflict("usage.price_gap", meter=meter, start_s=start_s, end_s=until_s)
        cuts = [start_s, *(p.valid_from_s for p in prices[first + 1 :] if p.valid_from_s < end_s), end_s]
        for (since_s, until_s), price in zip(pairwise(cuts), prices[first:], strict=False):
            yield since_s, until_s, price


def charge(*, amount: int, base_per_unit: int, micro_yuan_per_unit_hour: int, seconds: int) -> int:
    """Return amount × seconds × price in micro-yuan, rounded half up. All arguments are zero or more."""
    divisor = _HOUR_S * base_per_unit
    return (2 * amount * seconds * micro_yuan_per_unit_hour + divisor) // (2 * divisor)


def charges(interval: Interval, book: PriceBook) -> list[Charge]:
    """Return what an interval costs, cut where prices change; nothing in a state its meter does not charge.

    Raises:
        Conflict: ``usage.price_gap``.
        Invalid: ``price.meter_unknown``.
    """
    meter = meter_of(interval.meter)
    if interval.state not in meter.charged_states:
        return []
    found = []
    for start_s, end_s, price in book.pieces(interval.meter, interval.start_s, interval.end_s):
        # Where this price began to hold for the whole interval: the same point whatever window is looked at.
        anchor_s = max(interval.opened_s, price.valid_from_s)
        upto_end, upto_start = (
            charge(
                amount=interval.amount,
                base_per_unit=meter.base_per_unit,
                micro_yuan_per_unit_hour=price.micro_yuan_per_unit_hour,
                seconds=moment_s - anchor_s,
            )
            for moment_s in (end_s, start_s)
        )
        rate = price.micro_yuan_per_unit_hour
        found.append(Charge(start_s=start_s, end_s=end_s, micro_yuan_per_unit_hour=rate, micro_yuan=upto_end - upto_start))
    return found


def window_price(amounts: Mapping[str, int], prices: Iterable[Price], start_s: int, end_s: int) -> int:
    """Return what holding ``amounts`` during ``[start_s, end_s)`` costs, in micro-yuan.

    Raises:
        Conflict: ``usage.price_gap``.
        Invalid: ``price.meter_unknown``.
    """
    book = PriceBook(prices)
    return sum(
        charge(
            amount=amount,
            base_per_unit=meter_of(name).base_per_unit,
            micro_yuan_per_unit_hour=price.micro_yuan_per_unit_hour,
            seconds=until_s - since_s,
        )
        for name, amount in sorted(amounts.items())
        if amount
        for since_s, until_s, price in book.pieces(name, start_s, end_s)
    )


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    #: 1 to 12.
    month: int

    @classmethod
    def of(cls, text: str) -> "Month":
        """Read ``2026-12``.

        Raises:
            Invalid: ``usage.month_invalid``.
        """
        if not _MONTH.fullmatch(text):
            raise Invalid("usage.month_invalid", month=text[:20])
        year, _, month = text.partition("-")
        return cls(int(year), int(month))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    def next(self) -> "Month":
        """Return the month after."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def window(self, zone: ZoneInfo) -> tuple[int, int]:
        """Return its first second and the first second of the next month, in UTC epoch s: true seconds, DST or not."""
        first_s, next_s = (first_second(date(m.year, m.month, 1), zone) for m in (self, self.next()))
        return first_s, next_s


def month_at(now_s: float, zone: ZoneInfo) -> Month:
    """Return the calendar month of a moment in a zone."""
    local = datetime.fromtimestamp(now_s, zone)
    return Month(local.year, local.month)


def month_price(amounts: Mapping[str, int], prices: Iterable[Price], month: str, zone: ZoneInfo) -> int:
    """Return what holding ``amounts`` for a whole calendar month (``2026-12``) costs, in micro-yuan: "per month" of a plan.

    Raises:
        Conflict: ``usage.price_gap``.
        Invalid: ``price.meter_unknown``.
    """
    return window_price(amounts, prices, *Month.of(month).window(zone))
