"""What hosts had over time and what the platform costs, in the database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, literal_column, select, update

from inventory.domain.claim import MOVE
from inventory.domain.host import AdminState
from inventory.domain.resources import counted_as
from inventory.store import bulk
from inventory.store import tables as t
from metering.cost_tables import cost_documents, host_rooms
from metering.costs import CostPool, Policy
from metering.places import Room

_R = host_rooms.c
#: Advisory lock of the recorder on PostgreSQL; the number only has to be ours alone.
_LOCK = 0x726F6F6D73  # "rooms"
_Rooms = dict[tuple[str, str], Room]
_OUT = (AdminState.ENROLLED.value, AdminState.RETIRED.value)
#: Of a room: what is compared to see whether it changed.
_FIGURES = ("host", "capacity", "foreign", "reserve", "reserved", "transfer")


def is_changed(connection: Connection, now_s: int, host_ids: Collection[str] | None = None) -> bool:
    """Tell whether one of these hosts (``None``: any) has something else than what was written last."""
    now, last = _now_and_last(connection, now_s, host_ids)
    return bool(_changed(now, last))


_OWN = (_R.host_id == bindparam("own_host")) & (_R.meter == bindparam("own_meter"))
_UNDO = delete(host_rooms).where(_OWN, _R.start_s == bindparam("own_start_s"))
_END = update(host_rooms).where(_OWN, _R.end_s.is_(None)).values(end_s=bindparam("ended_at_s"))


def record(connection: Connection, now_s: int, host_ids: Collection[str] | None = None) -> int:
    """Write down what these hosts (``None``: all) have now, where it is not what was written last; returns how many rows."""
    # One controller at a time: two would write the same row.
    bulk.lock(connection, _LOCK)
    now, last = _now_and_last(connection, now_s, host_ids)
    changed = _changed(now, last)
    undone: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    begun: list[dict[str, Any]] = []
    for key in changed:
        before, after = last.get(key), now.get(key)
        own = {"own_host": key[0], "own_meter": key[1]}
        if before is not None and before.start_s >= now_s:
            # Twice in one second (or with a clock set back): the later word holds from the earlier one's moment.
            undone.append({**own, "own_start_s": before.start_s})
        elif before is not None:
            ended.append({**own, "ended_at_s": now_s})
        if after is not None:
            start_s = max(now_s, before.start_s) if before is not None else now_s
            values = {"host_id": after.host_id, "meter": after.meter, "start_s": start_s, "end_s": None, "host": after.host}
            amounts = {"capacity": after.capacity, "foreign_used": after.foreign, "reserve": after.reserve}
            begun.append({**values, **amounts, "reserved": after.reserved, "transfer": after.transfer})
    for statement, rows in ((_UNDO, undone), (_END, ended), (insert(host_rooms), begun)):
        if rows:
            connection.execute(statement, rows)
    return len(changed)


def rooms(connection: Connection, start_s: int, end_s: int) -> list[Room]:
    """Return what hosts had in a time."""
    statement = select(host_rooms).where(_R.start_s < end_s, _R.end_s.is_(None) | (_R.end_s > start_s))
    return list(_rooms(connection.execute(statement.order_by(_R.host_id, _R.meter, _R.start_s))))


def set_pools(connection: Connection, values: Mapping[str, Any], pools: Sequence[CostPool]) -> None:
    """Keep a document of cost pools; it holds from now on."""
    body = [{**asdict(p), "policy": p.policy.value, "hosts": list(p.hosts)} for p in pools]
    connection.execute(cost_documents.insert().values(**values, body=body))


def pools(connection: Connection) -> list[CostPool]:
    """Return the cost pools that hold."""
    statement = select(cost_documents.c.body).order_by(cost_documents.c.id.desc()).limit(1)
    body = connection.execute(statement).scalar_one_or_none() or []
    return [CostPool(**{**p, "policy": Policy(p["policy"]), "hosts": tuple(p["hosts"])}) for p in body]


def _now_and_last(connection: Connection, now_s: int, host_ids: Collection[str] | None) -> tuple[_Rooms, _Rooms]:
    now = {(r.host_id, r.meter): r for r in _current(connection, now_s, host_ids)}
    written = select(host_rooms).where(_R.end_s.is_(None))
    if host_ids is not None:
        written = written.where(_R.host_id.in_(host_ids))
    last = {(r.host_id, r.meter): r for r in _rooms(connection.execute(written))}
    return now, last


def _changed(now: _Rooms, last: _Rooms) -> list[tuple[str, str]]:
    return [k for k in sorted(now.keys() | last.keys()) if _figures(now.get(k)) != _figures(last.get(k))]


def _figures(room: Room | None) -> tuple[Any, ...] | None:
    return None if room is None else tuple(getattr(room, name) for name in _FIGURES)


def _rooms(rows: Iterable[Any]) -> Iterable[Room]:
    for r in rows:
        yield Room(
            host_id=r.host_id, host=r.host, meter=r.meter, start_s=r.start_s, end_s=r.end_s, capacity=r.capacity,
            foreign=r.foreign_used, reserve=r.reserve, reserved=r.reserved, transfer=r.transfer,
        )  # fmt: skip


def _current(connection: Connection, now_s: int, host_ids: Collection[str] | None) -> list[Room]:
    i, h = t.inventories.c, t.hosts.c
    statement = (
        select(
            i.host_id,
            h.name,
            h.admin_state,
            i.provider_id,
            i.dimension,
            i.capacity,
            i.used,
            i.foreign_used,
            i.held_reserve,
            i.held_reservations,
        )
        .join(t.hosts, h.id == i.host_id)
        .order_by(i.host_id, i.dimension, i.provider_id)
    )
    if host_ids is not None:
        statement = statement.where(i.host_id.in_(host_ids))
    found: dict[tuple[str, str], Room] = {}
    moving = _moving(connection)
    for r in connection.execute(statement):
        meter = counted_as(r.dimension)
        if r.admin_state in _OUT or not meter:
            continue
        reserved = max(0, min(r.held_reservations, r.capacity - r.used - r.foreign_used))
        left = max(0, r.capacity - r.used - r.foreign_used - reserved)
        # Of a host that is drained or mended nobody can have what is left; of one that stands by, all of it is held.
        reserve = min(r.held_reserve, left) if r.admin_state == AdminState.ACTIVE.value else left
        before = found.get((r.host_id, meter))
        found[r.host_id, meter] = Room(
            host_id=r.host_id, host=r.name, meter=meter, start_s=now_s, end_s=None,
            capacity=r.capacity + (before.capacity if before else 0),
            foreign=r.foreign_used + (before.foreign if before else 0),
            reserve=reserve + (before.reserve if before else 0),
            reserved=reserved + (before.reserved if before else 0),
            transfer=moving.get((r.provider_id, r.dimension), 0) + (before.transfer if before else 0),
        )  # fmt: skip
    return list(found.values())


def _moving(connection: Connection) -> dict[tuple[str, str], int]:
    """Return what is held for machines on their way, by provider and dimension: few rows, as moves are few at a time."""
    found: dict[tuple[str, str], int] = {}
    c = t.claims.c
    # Written out, not bound: only so does SQLite know that the index of moves holds them all.
    is_move = c.resource_kind == literal_column(f"'{MOVE}'")
    for amounts in connection.execute(select(c.amounts).where(is_move)).scalars():
        for provider_id, dimension, amount in amounts:
            found[provider_id, dimension] = found.get((provider_id, dimension), 0) + amount
    return found
