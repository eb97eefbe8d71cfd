"""Findings: drift and orphans, one row per subject, counted up when seen again."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, select, update

from inventory.domain.ids import HostId
from inventory.store import bulk
from inventory.store import tables as t

_F = t.findings.c


def save(connection: Connection, rows: Sequence[Mapping[str, Any]], now_s: float) -> None:
    """Write findings (id, kind, host_id, resource_id, subject, detail, state); a known subject is only refreshed."""
    seen = [{**row, "first_seen_s": now_s, "last_seen_s": now_s} for row in rows]
    bulk.upsert(connection, t.findings, seen, key=("subject",), fresh=("detail", "state", "last_seen_s", "host_id"))


#: A host that is in an admin state past the time that was said for it.
HOST_STATE = "host_state"
#: A host that is given up, or was, without a person's word.
HOST_LOST = "host_lost"


def close_of_host(connection: Connection, host_id: HostId, *, but_subjects: Sequence[str] = ()) -> None:
    """Close the open findings of a host that a look shows not to be true any more; its admin state is not looked at."""
    is_looked_at = (_F.host_id == host_id) & _F.kind.not_in((HOST_STATE, HOST_LOST))
    statement = update(t.findings).where(is_looked_at, _F.state == "open", _F.subject.not_in(list(but_subjects)))
    connection.execute(statement.values(state="closed"))


def close_of_kind(connection: Connection, kind: str, *, but_subjects: Sequence[str] = ()) -> None:
    """Close the open findings of a kind that are not true any more."""
    statement = update(t.findings).where(_F.kind == kind, _F.state == "open", _F.subject.not_in(list(but_subjects)))
    connection.execute(statement.values(state="closed"))


def open_subjects(connection: Connection, kind: str) -> frozenset[str]:
    """Return what the open findings of a kind are about."""
    return frozenset(connection.execute(select(_F.subject).where(_F.kind == kind, _F.state == "open")).scalars())


def open_details(connection: Connection, subjects: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return what is told of those of some subjects that have an open finding."""
    statement = select(_F.subject, _F.detail).where(_F.state == "open", _F.subject.in_(list(subjects)))
    return {row.subject: row.detail for row in connection.execute(statement)}


def open_among(connection: Connection, subjects: Sequence[str]) -> frozenset[str]:
    """Return those of some subjects that have an open finding."""
    statement = select(_F.subject).where(_F.state == "open", _F.subject.in_(list(subjects)))
    return frozenset(connection.execute(statement).scalars())


def close(connection: Connection, subject: str) -> None:
    """Close a finding that is not true any more."""
    connection.execute(update(t.findings).where(_F.subject == subject, _F.state == "open").values(state="closed"))


def forget(connection: Connection, before_s: float, limit: int) -> int:
    """Delete up to ``limit`` findings that are not open and were last seen before a moment; returns how many."""
    old = select(_F.id).where(_F.state != "open", _F.last_seen_s < before_s).limit(limit)
    return connection.execute(delete(t.findings).where(_F.id.in_(old))).rowcount


def open_counts(connection: Connection) -> dict[str, int]:
    """Return how many findings are open, by kind."""
    counts: dict[str, int] = {}
    for kind in connection.execute(select(_F.kind).where(_F.state == "open")).scalars():
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def counts_between(connection: Connection, start_s: float, end_s: float) -> dict[str, int]:
    """Return how many findings were first seen in a window, by kind."""
    counts: dict[str, int] = {}
    seen = select(_F.kind).where(_F.first_seen_s >= start_s, _F.first_seen_s < end_s).order_by(_F.kind)
    for kind in connection.execute(seen).scalars():
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def page(connection: Connection, *, limit: int, state: str = "") -> list[dict[str, Any]]:
    """Return up to ``limit`` findings, the newest first."""
    statement = select(t.findings).order_by(_F.last_seen_s.desc(), _F.id).limit(limit)
    if state:
        statement = statement.where(_F.state == state)
    return [dict(r._mapping) for r in connection.execute(statement)]


def page_by_id(connection: Connection, *, limit: int, after: str = "", state: str = "", kind: str = "") -> list[dict[str, Any]]:
    """Return up to ``limit`` findings with an id greater than ``after``: in the order they were first seen."""
    statement = select(t.findings).where(_F.id > after).order_by(_F.id).limit(limit)
    if state:
        statement = statement.where(_F.state == state)
    if kind:
        statement = statement.where(_F.kind == kind)
    return [dict(r._mapping) for r in connection.execute(statement)]
