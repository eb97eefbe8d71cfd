"""What changed of hosts and their capacity, for controllers that keep a picture of them in memory.

Whoever writes what a placement is decided on notes the hosts here in the same transaction; a reader asks what was noted
since it read last. Being late is never wrong: the guarded updates of a commit judge every promise again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Insert, Select, Text, bindparam, cast, delete, func, insert, literal, select

from inventory.domain.ids import HostId
from inventory.store import bulk
from inventory.store import tables as t

#: Notes that are kept; a reader that was away for longer reads everything again.
KEPT = 20_000
_C = t.capacity_changes.c
#: PostgreSQL: the number of this transaction.
_NUMBER = cast(cast(func.pg_current_xact_id(), Text), BigInteger)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a reader has read."""

    last_id: int = 0
    #: PostgreSQL: every transaction with a lower number was over by then. Others may still commit notes with lower ids.
    horizon: int = 0
    #: Notes of transactions from the horizon on that were read already.
    read: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was noted since a mark."""

    mark: Mark
    host_ids: frozenset[HostId] = field(default_factory=frozenset)
    #: Hosts came or what they are changed, or the reader was away for too long.
    is_everything: bool = False


def note(connection: Connection, host_ids: Iterable[HostId] | None) -> None:
    """Note that amounts changed on these hosts; ``None``: hosts came, or what they are changed."""
    listed = None if host_ids is None else sorted(set(host_ids))
    if listed != []:
        connection.execute(_note(is_postgresql=bulk.is_postgresql(connection)), {"hosts": listed})


@cache
def _note(*, is_postgresql: bool) -> Insert:
    # SQLite has one writer at a time: what is committed is in order.
    number = _NUMBER if is_postgresql else literal(0)
    return insert(t.capacity_changes).values(transaction_id=number, host_ids=bindparam("hosts", type_=_C.host_ids.type))


def mark_now(connection: Connection) -> Mark:
    """Return the mark of a reader that reads everything in this same transaction, after this call."""
    if bulk.is_postgresql(connection):
        return Mark(last_id=_last_id(connection), horizon=connection.execute(_HORIZON).scalar_one())
    return Mark(last_id=_last_id(connection))


def _last_id(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(_C.id), 0))).scalar_one())


#: The oldest transaction that is still running: none before it will commit anything any more.
_HORIZON = select(cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger))


def since(connection: Connection, mark: Mark) -> Changes:
    """Return what was noted since ``mark``, each note once."""
    is_postgresql = bulk.is_postgresql(connection)
    # Read before the notes: a transaction that ends in between is read now and once more, never missed.
    horizon = connection.execute(_HORIZON).scalar_one() if is_postgresql else 0
    values = {"last_id": mark.last_id, "horizon": mark.horizon}
    rows = connection.execute(_since(is_postgresql=is_postgresql), values).all()
    fresh = [r for r in rows if r.id not in mark.read]
    read = frozenset(r.id for r in rows if r.transaction_id >= horizon) if is_postgresql else frozenset()
    last_id = max([mark.last_id, *(r.id for r in rows)])
    return Changes(
        mark=Mark(last_id=last_id, horizon=horizon, read=read),
        host_ids=frozenset(h for r in fresh for h in r.host_ids or ()),
        is_everything=any(r.host_ids is None for r in fresh) or last_id - mark.last_id > KEPT // 2,
    )


@cache
def _since(*, is_postgresql: bool) -> Select[Any]:
    statement = select(_C.id, _C.transaction_id, _C.host_ids).order_by(_C.id)
    return statement.where(_C.transaction_id >= bindparam("horizon") if is_postgresql else _C.id > bindparam("last_id"))


def own(connection: Connection, mark: Mark) -> dict[int, frozenset[HostId] | None]:
    """Return the hosts of each note that this transaction has made since it read up to ``mark``; ``None``: of everything."""
    rows = connection.execute(_own(is_postgresql=bulk.is_postgresql(connection)), {"last_id": mark.last_id})
    return {r.id: None if r.host_ids is None else frozenset(r.host_ids) for r in rows}


@cache
def _own(*, is_postgresql: bool) -> Select[Any]:
    statement = select(_C.id, _C.host_ids)
    # SQLite's one writer has been this one since then.
    return statement.where(_C.transaction_id == _NUMBER if is_postgresql else _C.id > bindparam("last_id"))


def knowing(mark: Mark, ids: Collection[int]) -> Mark:
    """Return the mark of a reader that knows these notes without reading them: it made them, and they are committed."""
    if not ids:
        return mark
    return Mark(last_id=max(mark.last_id, *ids), horizon=mark.horizon, read=mark.read | frozenset(ids))


def forget_old(connection: Connection) -> int:
    """Forget notes that every reader has read, or reads everything again for; returns how many."""
    return connection.execute(delete(t.capacity_changes).where(_C.id <= _last_id(connection) - KEPT)).rowcount
