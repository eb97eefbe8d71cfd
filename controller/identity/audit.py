"""The audit chain: who did what, when, for whom, from where, and how it ended; each event seals all before it.

Workflows call ``append`` as the LAST statement of the transaction whose change it tells of, so that change and event are
one, and so that the lock on the head of the chain is held for the shortest time. ``verify`` reads the whole chain back.
An edit, a gap or a swap is found from the chain alone; a chain cut off at its end is found by a head kept elsewhere
(every answer of ``verify`` carries the head to keep).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, LargeBinary, Text, cast, func, select, type_coerce

from controller.identity.caller import Caller
from controller.identity.tables import audit as table
from inventory.domain.errors import Problem
from inventory.domain.ids import DepartmentId
from inventory.domain.progress import UNSEEN, Progress, WorkPhase, counted
from inventory.domain.scope import Scope
from inventory.store import bulk
from inventory.store.scoping import in_scope

#: What the first event points back to.
GENESIS = "0" * 64
#: Advisory lock of the head on PostgreSQL; the number only has to be ours alone.
_HEAD_LOCK = 0x616C6C6F74  # "allot"
_CHUNK = 2_000
#: A broken chain is told by its first faults; listing a million more helps nobody.
_MAX_BREAKS = 100
_COLUMNS = tuple(table.c.keys())
_SEALED = tuple(name for name in _COLUMNS if name != "hash")
_LAST = select(table.c.seq, table.c.hash).order_by(table.c.seq.desc()).limit(1)


class Result(StrEnum):
    """How it ended."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing somebody did or was refused."""

    #: Epoch s.
    at_s: float
    actor: str
    role: str
    source: str
    #: ``<noun>.<verb>``, for example ``ticket.submit``.
    action: str
    #: Id (or name) of what it was done to.
    target: str
    #: Code or id of the department it was done for, empty for the platform's own affairs.
    on_behalf_of: str = ""
    #: Whose event it is: that department (and those above it) may read it.
    department_id: DepartmentId | None = None
    result: Result = Result.OK
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain at some moment. Kept elsewhere, it proves that nothing before it was cut off."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """What ``verify`` found."""

    checked_count: int
    head: Head
    #: Whether a head kept elsewhere was compared.
    was_head_given: bool
    #: The first faults, in order of the chain; each carries the ``seq`` it is at.
    breaks: tuple[Problem, ...]

    @property
    def is_intact(self) -> bool:
        """Tell whether the chain holds."""
        return not self.breaks


def event_by(
    caller: Caller,
    *,
    at_s: float,
    action: str,
    target: str,
    department_id: DepartmentId | None = None,
    result: Result = Result.OK,
    detail: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """Return the event of something ``caller`` did; the department defaults to the caller's own."""
    department = department_id or caller.department_id
    return AuditEvent(
        at_s=at_s,
        actor=caller.user_name,
        role=caller.role.value,
        source=caller.source,
        action=action,
        target=target,
        on_behalf_of=department or "",
        department_id=department,
        result=result,
        detail=detail or {},
    )


def append(connection: Connection, event: AuditEvent) -> Head:
    """Add an event to the chain inside the caller's write transaction; returns the new head."""
    return append_many(connection, [event])


def append_many(connection: Connection, events: Sequence[AuditEvent]) -> Head:
    """Add events to the chain in their order, as ``append``."""
    # Held to the end of the transaction: the next writer reads the head only after this one is committed or gone.
    bulk.lock(connection, _HEAD_LOCK)
    last = head(connection)
    rows = []
    for event in events:
        row = _sealed(event, last)
        last = Head(seq=row["seq"], hash=row["hash"])
        rows.append(row)
    bulk.insert_many(connection, table, rows)
    return last


def _sealed(event: AuditEvent, last: Head) -> dict[str, Any]:
    """Return the row of an event that comes after ``last``."""
    row: dict[str, Any] = {
        "seq": last.seq + 1,
        "at_s": int(event.at_s),
        "actor": event.actor,
        "role": event.role,
        "on_behalf_of": event.on_behalf_of,
        "source": event.source,
        "action": event.action,
        "target": event.target,
        "department_id": event.department_id,
        "result": Result(event.result).value,
        "detail": _canonical(dict(event.detail)),
        "previous_hash": last.hash,
    }
    return {**row, "detail": json.loads(row["detail"]), "hash": _seal(row)}


def head(connection: Connection) -> Head:
    """Return the end of the chain; sequence 0 is the empty chain."""
    row = connection.execute(_LAST).one_or_none()
    return Head(seq=0, hash=GENESIS) if row is None else Head(seq=row.seq, hash=row.hash)


def verify(connection: Connection, known: Head | None = None, progress: Progress = UNSEEN) -> VerifyResult:
    """Read the whole chain and recompute it; ``known`` is a head that was kept elsewhere."""
    breaks: list[Problem] = []
    last = Head(seq=0, hash=GENESIS)
    known_is_missing = known is not None and known.seq > 0
    count = 0
    progress.phase(WorkPhase.CHAIN, lambda: connection.execute(select(func.count()).select_from(table)).scalar_one())
    for row in counted(_sealed_rows(connection), progress):
        count += 1
        breaks += _faults(row, last)
        last = Head(seq=row["seq"], hash=str(row["hash"]))
        if known is not None and last.seq == known.seq:
            known_is_missing = False
            if last.hash != known.hash:
                breaks.append(Problem("audit.head_differs", {"seq": known.seq}))
        if len(breaks) >= _MAX_BREAKS:
            break
    if known is not None and known_is_missing and len(breaks) < _MAX_BREAKS:
        breaks.append(Problem("audit.truncated", {"seq": known.seq, "last": last.seq}))
    return VerifyResult(checked_count=count, head=last, was_head_given=known is not None, breaks=tuple(breaks[:_MAX_BREAKS]))


def page(
    connection: Connection,
    scope: Scope,
    *,
    limit: int,
    after_seq: int = 0,
    action: str = "",
    actor: str = "",
    target: str = "",
    result: Result | None = None,
) -> list[Mapping[str, Any]]:
    """Return up to ``limit`` events after a sequence number, oldest first, as plain values."""
    statement = select(table).where(table.c.seq > after_seq, in_scope(scope, table.c.department_id))
    statement = statement.order_by(table.c.seq).limit(limit)
    if action:
        statement = statement.where(table.c.action == action)
    if actor:
        statement = statement.where(table.c.actor == actor)
    if target:
        statement = statement.where(table.c.target == target)
    if result is not None:
        statement = statement.where(table.c.result == result.value)
    return [dict(r._mapping) for r in connection.execute(statement)]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _seal(row: Mapping[str, Any]) -> str:
    """Return the hash of an event: SHA-256 over its fields, its place and the hash before it, as canonical JSON."""
    text = _canonical({name: row[name] for name in _SEALED})
    # A value that is not text at all (tampered bytes) still has a hash, and never the right one.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _faults(row: Mapping[str, Any], last: Head) -> Iterator[Problem]:
    seq = row["seq"]
    if seq != last.seq + 1:
        yield Problem("audit.gap", {"seq": seq, "expected": last.seq + 1})
    if row["previous_hash"] != last.hash:
        yield Problem("audit.link_broken", {"seq": seq})
    if row["hash"] != _seal(row):
        yield Problem("audit.event_altered", {"seq": seq})


def _sealed_rows(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield the stored bytes of every event in order, in bounded portions."""
    is_sqlite = connection.dialect.name == "sqlite"
    columns = [_raw(name, is_sqlite=is_sqlite) for name in _COLUMNS]
    # Not from 1: an event slipped in before the first one must be seen as well.
    after: int | None = None
    while True:
        statement = select(*columns).order_by(table.c.seq).limit(_CHUNK)
        if after is not None:
            statement = statement.where(table.c.seq > after)
        rows = connection.execute(statement).all()
        for row in rows:
            yield {name: _text(value) for name, value in zip(_COLUMNS, row, strict=True)}
        if len(rows) < _CHUNK:
            return
        after = rows[-1][_COLUMNS.index("seq")]


def _raw(name: str, *, is_sqlite: bool) -> Any:
    column = table.c[name]
    if name in ("seq", "at_s"):
        return column
    text = type_coerce(column, Text)
    # SQLite keeps whatever bytes were written into a text: read them as bytes, or a tampered one stops the reading.
    return cast(text, LargeBinary) if is_sqlite else text


def _text(value: Any) -> Any:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value
