"""What was claimed in the past, derived from the journal."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from inventory.domain.resources import ADDRESS
from inventory.store import tables as t


def daily_growth(connection: Connection, *, since_s: int, now_s: int, day_s: int) -> dict[str, dict[str, list[int]]]:
    """Return net growth per whole day and dimension by pool, oldest day first; days end ``now_s``, ``now_s - day_s`` …

    History begins with the first journal row of all, if that is later than ``since_s``: before it nothing can be said.
    """
    j = t.journal.c
    first_s = connection.execute(select(func.min(j.occurred_at_s))).scalar_one()
    if first_s is None:
        return {}
    days = max(0, (now_s - max(since_s, first_s)) // day_s)
    start_s = now_s - days * day_s
    pools = {r.id: r.code for r in connection.execute(select(t.hosts.c.id, t.pools.c.code).select_from(t.hosts.join(t.pools)))}
    growth: dict[str, dict[str, list[int]]] = {}
    for row in connection.execute(_changes(start_s, now_s)):
        day = (row.occurred_at_s - start_s) // day_s
        _add(growth, pools.get(row.host_id), row.amounts, day, days, 1)
        _add(growth, pools.get(row.host_before), row.amounts_before or {}, day, days, -1)
    return growth


def _changes(start_s: int, now_s: int) -> Any:
    """Select the rows of the window, each with what held before it."""
    now, before = t.journal, t.journal.alias("before")
    is_before = (before.c.resource_id == now.c.resource_id) & (before.c.revision == now.c.revision - 1)
    return (
        select(
            now.c.occurred_at_s,
            now.c.host_id,
            now.c.amounts,
            before.c.host_id.label("host_before"),
            before.c.amounts.label("amounts_before"),
        )
        .select_from(now.outerjoin(before, is_before))
        .where(now.c.occurred_at_s >= start_s, now.c.occurred_at_s < now_s)
    )


def _add(
    growth: dict[str, dict[str, list[int]]], pool: str | None, amounts: Mapping[str, int], day: int, days: int, sign: int
) -> None:
    if pool is None:
        return
    for dimension, amount in amounts.items():
        if dimension != ADDRESS:
            growth.setdefault(pool, {}).setdefault(dimension, [0] * days)[day] += sign * amount
