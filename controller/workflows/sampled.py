"""What machines use of what they hold: samples are written, worked into days of the platform's zone, and kept for a while."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from controller.workflows.platform import Platform
from metering import sample_store
from metering.rating import month_at
from metering.sample_store import DayOf, Taken, WorkedIn

#: Hosts whose samples are worked in with one transaction.
PORTION = 25
#: Samples wait this long, so that a machine's day is written once an hour and not with each of them.
_WAIT_S = 3600
#: Between two samples further apart than so many intervals nobody knows how use was spread.
_GAP_INTERVALS = 3


def keep(platform: Platform, taken: Sequence[Taken]) -> None:
    """Write samples down."""
    if taken:
        platform.db.run(lambda connection: sample_store.keep(connection, taken))


def work_in(platform: Platform, interval_s: int, *, wait_s: int = _WAIT_S, counts_bytes: bool = False) -> WorkedIn:
    """Work one portion of samples into days; ``counts_bytes``: bytes are meters too."""
    before_ms = int((platform.clock() - wait_s) * 1000)
    with platform.db.read() as connection:
        oldest_ms = sample_store.oldest_ms(connection)
    if oldest_ms is None or oldest_ms > before_ms:
        return WorkedIn()
    most_ms = _GAP_INTERVALS * interval_s * 1000
    return platform.db.run(
        lambda connection: sample_store.work_in(
            connection,
            before_ms=before_ms,
            most_hosts=PORTION,
            most_ms=most_ms,
            day_of=day_of(platform.zone),
            counts_bytes=counts_bytes,
        )
    )


@lru_cache(maxsize=4)
def day_of(zone: ZoneInfo) -> DayOf:
    """Return what tells the day of a moment: days of a zone have their own lengths."""

    @lru_cache(maxsize=64)
    def of_quarter(quarter: int) -> tuple[int, int]:
        midnight = datetime.fromtimestamp(quarter * 900, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        following = midnight + timedelta(days=1)
        return int(midnight.timestamp()), int(following.timestamp())

    # Zones differ from UTC by quarters of an hour.
    return lambda at_s: of_quarter(at_s // 900)


@lru_cache(maxsize=4)
def month_of(zone: ZoneInfo) -> DayOf:
    """Return what tells the calendar month of a moment."""
    return lambda at_s: month_at(at_s, zone).window(zone)
