"""Bytes as meters in the database: what days are rated from, and whether they are what their readings say."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_, update

from metering.counts import Counted, CountedDay, Run, by_meter, bytes_of, faults
from metering.ledger_store import DIFFERENCES_MAX, Difference
from metering.sample_tables import network_counts

_C = network_counts.c
_OWNER = ("resource_id", "department_id", "project_id", "system_id", "network_class")
_KEY = tuple(_C[name] for name in (*_OWNER, "start_s"))
#: Rows read at once: each portion is a statement of its own, and none is left open.
_PORTION = 5_000
_DAY = tuple(f.name for f in fields(CountedDay) if f.name != "runs")


def runs(connection: Connection, key: Sequence[Any]) -> list[Run]:
    """Return the runs a day has already, by its primary key."""
    found = connection.execute(select(_C.runs).where(tuple_(*network_counts.primary_key) == tuple(key))).scalar_one_or_none()
    return [Run(*r) for r in found or ()]


def row(day: CountedDay) -> dict[str, Any]:
    """Return a day as it is stored."""
    return {**{name: getattr(day, name) for name in _DAY}, **bytes_of(day.runs), "runs": [list(r) for r in day.runs]}


def counted(connection: Connection, start_s: int, end_s: int, department_id: str = "") -> Iterator[Counted]:
    """Return what machines passed in the days that begin in a window, by machine and owner."""
    names = (*_OWNER, "start_s", "end_s", "received_bytes", "sent_bytes")
    statement = select(*(_C[name] for name in names)).where(_C.start_s >= start_s, _C.start_s < end_s)
    if department_id:
        statement = statement.where(_C.department_id == department_id)
    for _, group in groupby(_portions(connection, statement), key=itemgetter(*_OWNER)):
        yield from by_meter(list(group))


def compare(connection: Connection) -> list[Difference]:
    """Return the machines whose days are not what their readings say."""
    found: list[Difference] = []
    for resource_id, group in groupby(_portions(connection, select(network_counts)), key=itemgetter("resource_id")):
        found += [Difference(resource_id=resource_id, kind="counted", why=why) for why in faults(list(group))]
        if len(found) >= DIFFERENCES_MAX:
            break
    return found[:DIFFERENCES_MAX]


def rebuild(connection: Connection, frozen_until_s: int) -> int:
    """Make every day of a month that is not reviewed again from its readings; returns how many were otherwise."""
    changed = 0
    for found in list(_portions(connection, select(network_counts).where(_C.start_s >= frozen_until_s))):
        fresh = bytes_of([Run(*r) for r in found["runs"]])
        if fresh != {name: found[name] for name in fresh}:
            is_it = tuple_(*network_counts.primary_key) == tuple(found[c.name] for c in network_counts.primary_key)
            connection.execute(update(network_counts).where(is_it).values(**fresh))
            changed += 1
    return changed


def of_resource(connection: Connection, resource_id: str, meter: str, start_s: int, end_s: int) -> list[dict[str, Any]]:
    """Return the days a rated line of a machine is made of, with their readings."""
    kind = meter.partition(":")[2]
    statement = select(network_counts).where(
        _C.resource_id == resource_id, _C.network_class == kind, _C.start_s >= start_s, _C.start_s < end_s
    )
    return [dict(r._mapping) for r in connection.execute(statement.order_by(_C.start_s))]


def _portions(connection: Connection, statement: Select[Any]) -> Iterator[dict[str, Any]]:
    """Return all rows by machine, owner and time."""
    after: tuple[Any, ...] | None = None
    while True:
        portion = statement.order_by(*_KEY).limit(_PORTION)
        if after is not None:
            portion = portion.where(tuple_(*_KEY) > after)
        rows = [dict(r._mapping) for r in connection.execute(portion)]
        yield from rows
        if len(rows) < _PORTION:
            return
        after = tuple(rows[-1][c.name] for c in _KEY)
