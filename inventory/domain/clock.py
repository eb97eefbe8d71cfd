"""The clock as an argument: real, or virtual in simulations and tests; and where days begin."""

from collections.abc import Callable
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

#: UTC epoch seconds. Everything that reads time takes one of these.
Clock = Callable[[], float]


def first_second(day: date, zone: ZoneInfo) -> int:
    """Return the first second of a day in a zone."""
    return int(datetime.combine(day, time(), tzinfo=zone).timestamp())
