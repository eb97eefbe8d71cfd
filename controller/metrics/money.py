"""Spend of the current month, and how far the closing of months is: for alerts and dashboards, never the figures of record.

Rating a month costs more than every other figure together, so it takes one hundredth of a core at most.
"""

import time
from collections.abc import Iterable

from controller.metrics import declared as m
from controller.metrics.exposition import family, single
from controller.workflows import periods
from controller.workflows.platform import Platform
from inventory.domain.clock import is_due
from inventory.domain.errors import Conflict
from metering import book_store, period_store, rated_period
from metering.books import Books
from metering.rating import Month, month_at

DEPARTMENTS_NAMED_MAX = 200
_LEAST_S = 300.0
#: How many times as long as the last rating took goes by before the next.
_REST = 100


class Spend:
    """Keeps what the month came to when it was rated last."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._rated_at_s, self._interval_s = float("-inf"), _LEAST_S
        self._text = ""

    def families(self, now_s: float) -> Iterable[str]:
        """Return the families of money."""
        if is_due(now_s, self._rated_at_s, self._interval_s):
            started = time.thread_time()
            self._text = "".join(self._rated(now_s))
            self._rated_at_s, self._interval_s = now_s, max(_LEAST_S, _REST * (time.thread_time() - started))
        yield self._text
        yield from self._months(now_s)

    def _rated(self, now_s: float) -> Iterable[str]:
        platform = self._platform
        period = periods.window(platform, str(month_at(now_s, platform.zone)))
        with platform.db.read() as connection:
            books = Books(book_store.approved(connection))
            try:
                found = rated_period.accrued(connection, period, books, periods.names(platform, connection), "", int(now_s))
            except Conflict:
                # The only thing that keeps a month from being rated.
                found = None
        sums: dict[str, int] = {}
        for statement in found.statements if found else ():
            sums[statement["department_code"]] = sums.get(statement["department_code"], 0) + statement["micro_yuan"]
        dearest = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:DEPARTMENTS_NAMED_MAX]
        yield family(m.SPEND, {(code,): micro / 1_000_000 for code, micro in dearest})
        yield single(m.SPEND_DATED, int(now_s) if found else 0)
        yield single(m.PRICE_GAP, int(found is None))

    def _months(self, now_s: float) -> Iterable[str]:
        platform = self._platform
        with platform.db.read() as connection:
            known = period_store.all_periods(connection)
            first_s = period_store.first_usage_s(connection)
        closed = [p for p in known if p["state"] == "closed"]
        until_s = max((p["end_s"] for p in closed), default=0)
        since_s = until_s or first_s
        month, last, unclosed = Month(9999, 12), month_at(now_s, platform.zone), 0
        if since_s:
            month = month_at(since_s, platform.zone)
        while month < last:
            unclosed, month = unclosed + 1, month.next()
        yield single(m.MONTHS_UNCLOSED, unclosed)
        yield single(m.CLOSED_UNTIL, until_s)
