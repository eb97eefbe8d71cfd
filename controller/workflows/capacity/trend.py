"""When each pool is full at the present trend, from the journal's history of what was claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from controller.scheduling.trend import Trend, days_until_full
from controller.workflows.hosts import pool_by_code
from controller.workflows.platform import Platform
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.store import directory, history, summary

#: Days of history looked at.
HISTORY_DAYS = 180
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTrend:
    """When one pool is full."""

    pool: str
    zone: str
    #: What may still be promised now, by dimension.
    free: Mapping[str, int]
    trend: Trend
    #: Days as ISO dates, in the platform's zone; None as in ``Trend``.
    p10: str | None
    p50: str | None
    p90: str | None


def when_full(connection: Connection, platform: Platform, pool: str = "") -> list[PoolTrend]:
    """Return the trend of every pool, or of one.

    Raises:
        NotFound: ``pool.not_found``.
    """
    pools = directory.pools(connection)
    asked = {pool_by_code(pools, pool).code} if pool else {p.code for p in pools}
    now_s = platform.clock()
    rooms = summary.rooms(connection)
    growth = history.daily_growth(connection, since_s=int(now_s) - HISTORY_DAYS * DAY_S, now_s=int(now_s), day_s=DAY_S)
    found = []
    for code in sorted(asked):
        own = [r for r in rooms if r.pool == code and _is_counted(r.dimension) and r.capacity]
        free = {r.dimension: r.free for r in own}
        trend = days_until_full(growth.get(code, {}), free)
        zone = next((r.zone for r in own), "")
        dates = (_date(platform, now_s, days) for days in (trend.p10_days, trend.p50_days, trend.p90_days))
        p10, p50, p90 = dates
        found.append(PoolTrend(pool=code, zone=zone, free=free, trend=trend, p10=p10, p50=p50, p90=p90))
    return found


def _is_counted(dimension: str) -> bool:
    return dimension in (VCPU, MEMORY_MIB) or dimension.startswith(DISK_PREFIX)


def _date(platform: Platform, now_s: float, days: int | None) -> str | None:
    return None if days is None else datetime.fromtimestamp(now_s + days * DAY_S, platform.zone).date().isoformat()
