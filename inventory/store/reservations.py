"""Reservations and their slots, and what hosts hold for them: guarded like every promise.

Whoever adds or takes away slots calls ``hold_slots`` for their hosts in the same transaction. It locks the rows of those hosts
first, so what it adds up is all there is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from inventory.domain.errors import Conflict, NotFound
from inventory.domain.host import AdminState, Reachability
from inventory.domain.ids import DepartmentId, HostId, ProjectId, ReservationId
from inventory.domain.layout import Layout, Seat
from inventory.domain.reservation import Key, Reservation, ReservationState, Slot, peaks, too_many
from inventory.domain.scope import Scope
from inventory.domain.system import SpreadLevel
from inventory.store import bulk, changes
from inventory.store import tables as t
from inventory.store.scoping import in_scope

_R = t.reservations.c
_S = t.reservation_slots.c
_I = t.inventories.c
_HELD = _R.state == ReservationState.HELD.value


def get(connection: Connection, id_or_name: str, scope: Scope, *, lock: bool = False) -> Reservation:
    """Return one reservation inside the scope, by id, or a living one by name; ``lock`` keeps others from changing it.

    Raises:
        NotFound: ``reservation.not_found``, for what is outside the scope too.
        Conflict: ``reservation.name_ambiguous``: several projects in the scope have one of that name.
    """
    is_it = (_R.id == id_or_name) | ((_R.name == id_or_name) & _HELD)
    statement = select(t.reservations).where(is_it, in_scope(scope, _R.department_id))
    rows = connection.execute(statement.with_for_update() if lock else statement).all()
    if not rows:
        raise NotFound("reservation.not_found", reservation=id_or_name)
    if len(rows) > 1:
        raise Conflict("reservation.name_ambiguous", reservation=id_or_name)
    return _reservation(rows[0])


def of_project(connection: Connection, project_id: ProjectId, name: str) -> Reservation | None:
    """Return the living reservation of this id or name of a project."""
    named = (_R.id == name) | (_R.name == name)
    row = connection.execute(select(t.reservations).where(_R.project_id == project_id, named, _HELD)).first()
    return _reservation(row) if row else None


def living_of(connection: Connection, project_id: ProjectId) -> list[Reservation]:
    """Return the living reservations of a project, those that end first in front."""
    statement = select(t.reservations).where(_R.project_id == project_id, _HELD).order_by(_R.ends_s, _R.id)
    return [_reservation(r) for r in connection.execute(statement)]


def departments_of(connection: Connection, ids: Collection[ReservationId]) -> list[DepartmentId]:
    """Return the departments these reservations belong to."""
    return list(connection.execute(select(_R.department_id).where(_R.id.in_(sorted(ids))).distinct()).scalars())


def page(
    connection: Connection, scope: Scope, *, limit: int, after: str = "", with_ended: bool = False
) -> list[tuple[Reservation, int]]:
    """Return up to ``limit`` reservations with an id greater than ``after``, and how many machines each is still for."""
    left = select(func.count()).where(_S.reservation_id == _R.id).scalar_subquery().label("left_count")
    statement = select(t.reservations, left).where(_R.id > after, in_scope(scope, _R.department_id)).order_by(_R.id).limit(limit)
    if not with_ended:
        statement = statement.where(_HELD)
    return [(_reservation(r), r.left_count) for r in connection.execute(statement)]


def due(connection: Connection, now_s: float, limit: int) -> list[Reservation]:
    """Return living reservations whose end has come, the oldest first."""
    statement = select(t.reservations).where(_HELD, _R.ends_s <= now_s).order_by(_R.ends_s, _R.id).limit(limit)
    return [_reservation(r) for r in connection.execute(statement)]


def insert(connection: Connection, reservation: Reservation, slots: Sequence[Slot]) -> None:
    """Add a reservation with its slots; ``hold_slots`` is still to be called."""
    values = asdict(reservation) | {"state": reservation.state.value, "spread": reservation.spread.value}
    values |= {"layout": reservation.layout.to_json(), "traits": list(reservation.traits)}
    connection.execute(t.reservations.insert().values(values))
    fields = ("reservation_id", "slot", "host_id", "storage_pool_id")
    rows = [{**{f: getattr(s, f) for f in fields}, "seat": _seat_json(s)} for s in slots]
    bulk.insert_many(connection, t.reservation_slots, rows)


def end(connection: Connection, reservation_id: ReservationId, state: ReservationState) -> bool:
    """Give a living reservation its end; False: somebody else did."""
    statement = update(t.reservations).where(_R.id == reservation_id, _HELD).values(state=state.value)
    return connection.execute(statement).rowcount == 1


def slots_of(connection: Connection, reservation_id: ReservationId) -> list[Slot]:
    """Return the slots that are left of a reservation."""
    return _read(connection, _slots().where(_S.reservation_id == reservation_id))


def all_slots(connection: Connection, *, but: ReservationId | None = None) -> list[Slot]:
    """Return every slot there is, without those of one reservation."""
    return _read(connection, _slots() if but is None else _slots().where(_S.reservation_id != but))


def remove_slots(connection: Connection, reservation_id: ReservationId, numbers: Iterable[int]) -> int:
    """Take slots away; returns how many were there."""
    chosen = _S.slot.in_(sorted(numbers))
    return connection.execute(delete(t.reservation_slots).where(_S.reservation_id == reservation_id, chosen)).rowcount


def hold_slots(connection: Connection, host_ids: Collection[HostId]) -> list[Key]:
    """Have these hosts hold what their slots need: each slot counts until it is taken away, whatever the clock says.

    Returns what was refused: it does not fit, or the host takes nothing new. Then the caller rolls back.
    """
    own = _I.host_id.in_(sorted(host_ids))
    rows = connection.execute(
        select(_I.provider_id, _I.dimension, _I.held_reservations)
        .where(own)
        .order_by(_I.provider_id, _I.dimension)
        .with_for_update()
    ).all()
    before = {(r.provider_id, r.dimension): r.held_reservations for r in rows}
    needed = peaks(_read(connection, _slots().where(_S.host_id.in_(sorted(host_ids)))))
    more = {key: needed.get(key, 0) - held for key, held in before.items() if needed.get(key, 0) != held}
    changes.note(connection, None, {"held_reservations": [(*key, amount) for key, amount in more.items()]})
    refused = sorted(needed.keys() - before.keys())
    for key, amount in more.items():
        if not _set_held(connection, key, needed.get(key, 0), is_more=amount > 0):
            refused.append(key)
    return refused


def astray(connection: Connection) -> list[Slot]:
    """Return slots that cannot stay: their host was taken out of service, or has not enough for all that is promised on it.

    Nobody can draw on them there. A host that has to stand by though it is not empty is one of those that have not enough.
    A host that is only silent keeps what it has: silence alone is no loss.
    """
    held = _slots().with_only_columns(_S.host_id).order_by(None)
    in_service = select(t.hosts.c.id).where(t.hosts.c.admin_state == AdminState.ACTIVE.value)
    out = set(connection.execute(held.where(_S.host_id.not_in(in_service)).distinct()).scalars())
    promised = _I.used + _I.foreign_used + _I.held_reserve + _I.held_reservations
    full = set(
        connection.execute(select(_I.host_id).where(_I.held_reservations > 0, promised > _I.capacity).distinct()).scalars()
    )
    if not out | full:
        return []
    slots = _read(connection, _slots().where(_S.host_id.in_(sorted(out | full))))
    found = [slot for slot in slots if slot.host_id in out]
    for host_id in sorted(full - out):
        own = [slot for slot in slots if slot.host_id == host_id]
        found += too_many(own, _room(connection, host_id))
    return found


def _room(connection: Connection, host_id: HostId) -> dict[Key, int]:
    left = _I.capacity - _I.used - _I.foreign_used - _I.held_reserve
    rows = connection.execute(select(_I.provider_id, _I.dimension, left).where(_I.host_id == host_id))
    return {(provider, dimension): amount for provider, dimension, amount in rows}


def move_slots(connection: Connection, before: Sequence[Slot], after: Sequence[Slot]) -> bool:
    """Give slots other places; ``hold_slots`` is still to be called, for both hosts. False: one of them is not where it was."""
    for old, new in zip(before, after, strict=True):
        is_it = (_S.reservation_id == old.reservation_id) & (_S.slot == old.slot) & (_S.host_id == old.host_id)
        place = {"host_id": new.host_id, "storage_pool_id": new.storage_pool_id, "seat": _seat_json(new)}
        if connection.execute(update(t.reservation_slots).where(is_it).values(place)).rowcount != 1:
            return False
    return True


def _seat_json(slot: Slot) -> dict[str, Any] | None:
    return slot.seat.to_json() if slot.seat else None


def recount_held(connection: Connection) -> list[tuple[str, str, int, int]]:
    """Return (provider, dimension, held, needed) wherever what is held for reservations is not what they need."""
    needed = peaks(all_slots(connection))
    rows = connection.execute(select(_I.provider_id, _I.dimension, _I.held_reservations).where(_I.held_reservations > 0))
    held = {(r.provider_id, r.dimension): r.held_reservations for r in rows}
    keys = sorted(needed.keys() | held.keys())
    return [(*key, held.get(key, 0), needed.get(key, 0)) for key in keys if held.get(key, 0) != needed.get(key, 0)]


def _set_held(connection: Connection, key: Key, amount: int, *, is_more: bool) -> bool:
    statement = update(t.inventories).where(_I.provider_id == key[0], _I.dimension == key[1]).values(held_reservations=amount)
    if is_more:
        h = t.hosts.c
        in_service = (h.admin_state == AdminState.ACTIVE.value) & (h.reachability == Reachability.REACHABLE.value)
        accepting = select(h.id).where(h.id == _I.host_id, in_service).exists()
        statement = statement.where(_I.used + _I.foreign_used + _I.held_reserve + amount <= _I.capacity, accepting)
    return connection.execute(statement).rowcount == 1


def _reservation(row: Row[Any]) -> Reservation:
    values: Mapping[str, Any] = {c.name: getattr(row, c.name) for c in t.reservations.c if c.name != "count"}
    state, spread = ReservationState(row.state), SpreadLevel(row.spread)
    asked = {"layout": Layout(**row.layout), "traits": tuple(row.traits)}
    return Reservation(**{**values, **asked, "count": row._mapping["count"], "state": state, "spread": spread})


_SHAPE = ("vcpu_count", "memory_mib", "disk_gib", "disk_class", "starts_s", "ends_s", "layout")


def _slots() -> Select[Any]:
    joined = t.reservation_slots.join(t.reservations, _R.id == _S.reservation_id)
    shape = [t.reservations.c[name] for name in _SHAPE]
    return select(*t.reservation_slots.c, *shape).select_from(joined).order_by(_S.reservation_id, _S.slot)


def _read(connection: Connection, statement: Select[Any]) -> list[Slot]:
    return [_slot(r) for r in connection.execute(statement)]


def _slot(row: Row[Any]) -> Slot:
    seat = Seat.from_json(row.seat) if row.seat else None
    return Slot(**{**row._mapping, "layout": Layout(**row.layout), "seat": seat})
