"""What changed of hosts and their capacity, for controllers that keep a picture of them in memory, and for the past.

Whoever writes what a placement is decided on notes the hosts here in the same transaction; a reader asks what was noted
since it read last. Being late is never wrong: the guarded updates of a commit judge every promise again.

A note also says by how much: who takes all notes since a mark back from what is now has what was then (``past``).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Text, bindparam, cast, delete, func, insert, literal, select
from sqlalchemy.schema import Table
from sqlalchemy.sql.dml import ReturningInsert

from inventory.domain.ids import HostId, TicketId
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.columns import Encoded, encoded

#: Notes that are kept at least; a reader that was away for longer reads everything again.
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

    @property
    def text(self) -> str:
        """Return a short form that is stored; of very many transactions at once it says the last one only."""
        if not self.horizon or len(self.read) > _READ_TOLD:
            return str(self.last_id)
        return ".".join(map(str, [self.last_id, self.horizon, *sorted(self.read)]))

    @classmethod
    def of_text(cls, text: str) -> "Mark":
        """Read the short form back."""
        last_id, *rest = map(int, text.split("."))
        return cls(last_id, rest[0] if rest else 0, frozenset(rest[1:]))

    def has_read(self, note_id: int, transaction_id: int) -> bool:
        """Tell whether a note was known at this mark."""
        return note_id in self.read or (note_id <= self.last_id and (not self.horizon or transaction_id < self.horizon))


_OWN = "notes of this transaction"
#: Notes of transactions that were still running, named one by one in a stored mark.
_READ_TOLD = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was noted since a mark."""

    mark: Mark
    host_ids: frozenset[HostId] = field(default_factory=frozenset)
    #: Hosts came or what they are changed, or the reader was away for too long.
    is_everything: bool = False


#: By how much something changed. Of amounts, by column of ``inventories``: ``{"used": [[provider, dimension, more], …]}``;
#: with several orders in one, ``"orders": [[ticket, how many of those], …]``. Of rows, what was there before, ``None`` where
#: nothing was: ``{"rows": {"hosts": {id: {"admin_state": "active"}}}}``.
Difference = Mapping[str, Any]


def note(connection: Connection, host_ids: Iterable[HostId] | None, difference: Difference | Encoded) -> None:
    """Note that amounts changed on these hosts, and by how much; ``None``: hosts came, or what they are changed."""
    listed = None if host_ids is None else sorted(set(host_ids))
    if listed != []:
        values = {"hosts": listed, "difference": difference}
        id_ = connection.execute(_note(is_postgresql=bulk.is_postgresql(connection)), values).scalar_one()
        _own(connection)[id_] = None if listed is None else frozenset(listed)


@cache
def _note(*, is_postgresql: bool) -> ReturningInsert[int]:
    # SQLite has one writer at a time: what is committed is in order.
    number = _NUMBER if is_postgresql else literal(0)
    hosts, difference = (bindparam(n, type_=_C.host_ids.type) for n in ("hosts", "difference"))
    return insert(t.capacity_changes).values(transaction_id=number, host_ids=hosts, difference=difference).returning(_C.id)


def used(amounts: Mapping[tuple[str, str], int], *, sign: int = 1) -> Difference:
    """Return the difference of promises that were made, or given back."""
    return {"used": [(*key, sign * amount) for key, amount in amounts.items()]}


def used_by(orders: Mapping[TicketId, Mapping[tuple[str, str], int]]) -> Encoded:
    """Return the difference of promises that were made to several orders, one after the other, by name."""
    words = {dimension: encoded(dimension) for amounts in orders.values() for _, dimension in amounts}
    # As it is stored: of hundreds of machines a general encoder takes longer than anything else of it. No id needs to be escaped.
    each = [f'["{id_}",{words[dimension]},{n}]' for amounts in orders.values() for (id_, dimension), n in amounts.items()]
    counts = encoded([(name, len(amounts)) for name, amounts in orders.items()])
    return Encoded(f'{{"orders":{counts},"used":[{",".join(each)}]}}')


def amounts_of(connection: Connection, host_ids: Collection[HostId], column: str) -> dict[tuple[str, str], int]:
    """Return one column of the amounts of these hosts and their storage pools, by provider and dimension.

    Whoever writes it reads it before, under the lock that keeps other writers of this column off, and tells by ``since_then``.
    """
    i = t.inventories.c
    rows = connection.execute(select(i.provider_id, i.dimension, i[column]).where(i.host_id.in_(sorted(host_ids))))
    return {(r[0], r[1]): int(r[2]) for r in rows}


def since_then(
    connection: Connection, host_ids: Collection[HostId], column: str, before: Mapping[tuple[str, str], int]
) -> Difference:
    """Return by how much a column of the amounts of these hosts differs from what it was."""
    now = amounts_of(connection, host_ids, column)
    return {column: [(*key, amount - before.get(key, 0)) for key, amount in sorted(now.items()) if amount != before.get(key, 0)]}


#: What placements are decided on, by table.
DECIDED_ON: Mapping[str, Sequence[str]] = {
    "hosts": ("name", "pool_id", "admin_state", "reachability", "facts", "operator_facts", "home_id"),
    "storage_pools": ("host_id", "name", "disk_class"),
    "pools": ("code", "zone_id", "mlps_max", "placement", "reserve_level", "reserve_count"),
    "zones": ("code", "mlps_max"),
}


def row_before(connection: Connection, table: Table, values: Mapping[str, Any]) -> Difference:
    """Return what a row is that is about to be written, where that matters to placements and is not what it becomes."""
    names = DECIDED_ON[table.name]
    row = connection.execute(select(*(table.c[name] for name in names)).where(table.c.id == values["id"])).first()
    if row is None:
        return {"rows": {table.name: {values["id"]: None}}}
    changed = {name: row._mapping[name] for name in names if name in values and not _is_same(row._mapping[name], values[name])}
    return {"rows": {table.name: {values["id"]: changed}}} if changed else {}


def _is_same(stored: Any, given: Any) -> bool:
    """Tell whether a value that was read is one that is to be written: JSON knows no tuples."""
    return bool(stored == given) or json.dumps(stored, sort_keys=True) == json.dumps(given, sort_keys=True)


def mark_now(connection: Connection) -> Mark:
    """Return the mark of a reader that reads everything in this same transaction, after this call."""
    if not bulk.is_postgresql(connection):
        return Mark(last_id=_last_id(connection))
    horizon = connection.execute(_HORIZON).scalar_one()
    read = connection.execute(select(_C.id).where(_C.transaction_id >= horizon)).scalars()
    return Mark(last_id=_last_id(connection), horizon=horizon, read=frozenset(read))


def _last_id(connection: Connection) -> int:
    return int(connection.execute(select(func.coalesce(func.max(_C.id), 0))).scalar_one())


#: The oldest transaction that is still running: none before it will commit anything any more.
_HORIZON = select(cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger).label("horizon"))


def since(connection: Connection, mark: Mark) -> Changes:
    """Return what was noted since ``mark``, each note once."""
    is_postgresql = bulk.is_postgresql(connection)
    values = {"last_id": mark.last_id, "horizon": mark.horizon}
    rows = connection.execute(_since(is_postgresql=is_postgresql), values).all()
    horizon = rows[0].now_horizon if is_postgresql else 0
    # Without a note there is one row all the same, for the horizon.
    rows = [r for r in rows if r.id is not None]
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
    columns = _C.id, _C.transaction_id, _C.host_ids
    if not is_postgresql:
        return select(*columns).where(_C.id > bindparam("last_id")).order_by(_C.id)
    # Of one snapshot with the notes: what was still running there is read once more, never missed.
    now = _HORIZON.subquery("now")
    notes = now.outerjoin(t.capacity_changes, _C.transaction_id >= bindparam("horizon"))
    return select(*columns, now.c.horizon.label("now_horizon")).select_from(notes).order_by(_C.id)


def own(connection: Connection) -> Mapping[int, frozenset[HostId] | None]:
    """Return the hosts of each note that this transaction has made; ``None``: of everything."""
    return dict(_own(connection))


def _own(connection: Connection) -> dict[int, frozenset[HostId] | None]:
    """Return what is kept with the connection of the notes of its transaction; of one before, nothing."""
    transaction = connection.get_transaction()
    noted: dict[int, frozenset[HostId] | None]
    of, noted = connection.info.get(_OWN, (None, {}))
    if of is not transaction:
        noted = {}
        connection.info[_OWN] = transaction, noted
    return noted


def knowing(mark: Mark, ids: Collection[int]) -> Mark:
    """Return the mark of a reader that knows these notes without reading them: it made them, and they are committed."""
    if not ids:
        return mark
    return Mark(last_id=max(mark.last_id, *ids), horizon=mark.horizon, read=mark.read | frozenset(ids))


def forget_old(connection: Connection, *, needed: Mark | None = None, limit: int = KEPT) -> int:
    """Forget up to ``limit`` notes that every reader has read, or reads everything again for; returns how many.

    ``needed`` and what came after it is kept: somebody may still ask what was then. The oldest go first.
    """
    last_id = _last_id(connection) - KEPT
    if needed is not None:
        last_id = min(last_id, needed.last_id - 1)
    oldest = select(_C.id).where(_C.id <= last_id).order_by(_C.id).limit(limit)
    return connection.execute(delete(t.capacity_changes).where(_C.id.in_(oldest))).rowcount
