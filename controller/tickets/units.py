"""When a lease ends, as people write it: a day, or a time from today. Amounts are read by ``inventory.importers.amounts``."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from inventory.importers.amounts import calendar_date, fold

_DURATION = re.compile(r"([0-9]{1,4})\s*(个月|年|天|months?|years?|days?)", re.IGNORECASE)
_MONTHS = {"个月": 1, "月": 1, "month": 1, "年": 12, "year": 12}
MAX_LEASE_YEARS = 10


@dataclass(frozen=True, slots=True)
class LeaseEnd:
    """The last day of a lease."""

    day: date
    #: It was written as a time from today, so the same words mean another day tomorrow.
    is_relative: bool


def lease_end(text: str, today: date) -> LeaseEnd | None:
    """Return the last day meant by ``2027-02-28``, ``2027年2月28日``, ``12个月`` or ``1年``; None if it is none of them.

    A lease of twelve months from 1 March ends on the last day of February: today counts.
    """
    day = calendar_date(text)
    if day is not None:
        return LeaseEnd(day, is_relative=False)
    match = _DURATION.fullmatch(fold(text))
    if match is None or int(match[1]) == 0:
        return None
    unit = match[2].lower().rstrip("s")
    try:
        end = _after_days(today, int(match[1])) if unit in ("天", "day") else after_months(today, int(match[1]) * _MONTHS[unit])
    except (OverflowError, ValueError):
        # Beyond the year 9999: let the bound on leases say so.
        end = date.max
    return LeaseEnd(end, is_relative=True)


def _after_days(first: date, count: int) -> date:
    return first + timedelta(days=count - 1)


def after_months(first: date, count: int) -> date:
    """Return the last day of ``count`` months that begin on ``first``; where the day does not exist, the month's last."""
    year, month0 = divmod(first.year * 12 + first.month - 1 + count, 12)
    last = monthrange(year, month0 + 1)[1]
    if first.day > last:
        return date(year, month0 + 1, last)
    return date(year, month0 + 1, first.day) - timedelta(days=1)


def latest_lease_end(today: date) -> date:
    """Return the last day a lease may reach: later ones are slips of the pen."""
    return after_months(today, MAX_LEASE_YEARS * 12)
