"""What hosts were and what was promised on them at an earlier mark: what is now, with every change since taken back.

Exact as long as the changes are kept (``changes.forget_old``). For explanations, which say again what they were made of.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select
from sqlalchemy.schema import Table

from inventory.domain.host import Host, Pool, StoragePool, Zone
from inventory.store import directory, hosts
from inventory.store import tables as t
from inventory.store.changes import Difference, Mark
from inventory.store.hosts import InventoryRow

_C = t.capacity_changes.c
#: Changes that are taken back at most: a minute of work.
CHANGES_MOST = 1_000_000
#: Columns of ``inventories`` that changes speak of.
AMOUNTS = ("capacity", "used", "foreign_used", "held_reserve", "held_reservations")
_TABLES: tuple[Table, ...] = (t.hosts, t.storage_pools, t.pools, t.zones)

Values = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """All that placements are decided on."""

    hosts: Sequence[Host]
    storage_pools: Sequence[StoragePool]
    pools: Sequence[Pool]
    zones: Sequence[Zone]
    rows: Sequence[InventoryRow]


def as_of(connection: Connection, mark: Mark, *, order: str = "") -> Estate | None:
    """Return what was there at ``mark``; ``None`` where changes since then are kept no more, or are too many.

    Of orders that were promised together with ``order``, those before it are there.
    """
    if not _is_kept(connection, mark):
        return None
    amounts, rows = _now(connection)
    count = 0
    for count, difference in enumerate(_unread(connection, mark), start=1):
        if count > CHANGES_MOST:
            return None
        _take_back(difference, amounts, rows, order)
    return Estate(
        hosts=[hosts.host_of(row) for _, row in sorted(rows["hosts"].items())],
        storage_pools=[StoragePool(**row) for _, row in sorted(rows["storage_pools"].items())],
        pools=[directory.pool_of(row) for row in rows["pools"].values()],
        zones=[Zone(**row) for row in rows["zones"].values()],
        rows=[InventoryRow(**row) for _, row in sorted(amounts.items())],
    )


def _is_kept(connection: Connection, mark: Mark) -> bool:
    """Tell whether nothing since the mark was forgotten: the oldest goes first, and the mark's own change is older still."""
    oldest = connection.execute(select(_C.id).order_by(_C.id).limit(1)).scalar()
    return oldest is None or oldest <= max(1, mark.last_id)


def _now(connection: Connection) -> tuple[dict[tuple[str, str], Values], dict[str, dict[str, Values]]]:
    found = {(r.provider_id, r.dimension): dict(r._mapping) for r in connection.execute(select(t.inventories))}
    rows = {table.name: {r.id: dict(r._mapping) for r in connection.execute(select(table))} for table in _TABLES}
    return found, rows


def _unread(connection: Connection, mark: Mark) -> Iterator[Difference]:
    """Yield what changed since the mark, the latest first."""
    found = connection.execute(_since(), {"last_id": mark.last_id, "horizon": mark.horizon or 2**62}).yield_per(1000)
    return (r.difference for r in found if not mark.has_read(r.id, r.transaction_id))


@cache
def _since() -> Select[Any]:
    is_later = or_(_C.id > bindparam("last_id"), _C.transaction_id >= bindparam("horizon"))
    return select(_C.id, _C.transaction_id, _C.difference).where(is_later).order_by(_C.id.desc())


def _take_back(
    difference: Difference, amounts: dict[tuple[str, str], Values], rows: dict[str, dict[str, Values]], order: str
) -> None:
    kept = _count_before(difference.get("orders", ()), order)
    for column in AMOUNTS:
        for provider_id, dimension, more in difference.get(column, ())[kept if column == "used" else 0 :]:
            row = amounts.get((provider_id, dimension))
            if row is not None:
                row[column] -= more
    for table, changed in difference.get("rows", {}).items():
        _put_back(changed, rows[table])


def _count_before(orders: Iterable[tuple[str, int]], order: str) -> int:
    """Return how many amounts of a change were promised before an order that is in it; none where it is not."""
    before = 0
    for name, count in orders:
        if name == order:
            return before
        before += count
    return 0


def _put_back(changed: Mapping[str, Mapping[str, Any] | None], rows: dict[str, Values]) -> None:
    for row_id, before in changed.items():
        if before is None:
            rows.pop(row_id, None)
        elif row_id in rows:
            rows[row_id] |= before
