"""The clock as an argument: real, or virtual in simulations and tests; when something is due again, and where days begin."""

from collections.abc import Callable
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

#: UTC epoch seconds. Everything that reads time takes one of these.
Clock = Callable[[], float]


def is_due(now_s: float, last_s: float, interval_s: float) -> bool:
    """Tell whether something is to be done again; after a clock that was ahead is put right it is, and does not wait for it."""
    return not last_s <= now_s < last_s + interval_s


def first_second(day: date, zone: ZoneInfo) -> int:
    """Return the first second of a day in a zone."""
    return int(datetime.combine(day, time(), tzinfo=zone).timestamp())
