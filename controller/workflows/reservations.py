"""Reservations: capacity promised to a project for a time, drawn on by its tickets, given back at the deadline.

The API and ``allot reservation`` call it; the reconciler ends those whose time is over. A reservation is placed like a ticket for
the same machines, counts against the same quota, and is held by the same guard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Caller
from controller.scheduling.decide import decide
from controller.scheduling.explain import explanation_to_json
from controller.workflows.decided_again import decided_again
from controller.workflows.draw import give_up, quota_of
from controller.workflows.open_project import open_project
from controller.workflows.place import load_snapshot
from controller.workflows.platform import Platform
from controller.workflows.reservation_addresses import count_without_address
from controller.workflows.reservation_wish import ReservationWish, check, request_of, resolve
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, Unplaceable
from inventory.domain.placement import Placement, Refusal
from inventory.domain.reservation import Reservation, ReservationState, Slot, peaks
from inventory.domain.scope import Scope
from inventory.store import directory, reservations
from quotas import store as quota_store

_TRIES = 8
#: Reservations ended in one transaction.
EXPIRE_MOST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A reservation with what people call its parts."""

    reservation: Reservation
    #: Codes.
    department: str
    project: str
    zone: str
    #: Machines it is still for.
    left_count: int
    #: Of these, those for which there is no address now; not looked at for lists.
    no_address_count: int | None = None
    #: Machines whose place is no good any more, and for which no other has been found yet.
    astray_count: int = 0


class _Stale(Exception):
    """The picture was old."""


def create(platform: Platform, wish: ReservationWish, caller: Caller) -> Shown:
    """Hold capacity for a project from a moment until a deadline, all of it or nothing.

    Raises:
        Invalid: ``reservation.*``: what is asked for makes no sense; nothing is looked at then.
        NotFound: ``project.not_found``, ``zone.not_found``, ``size.not_found``; what is outside the scope too.
        QuotaExceeded: it counts against quota from now on, like the machines it is for.
        Unplaceable: ``reservation.no_host_fits``, with the explanation.
        Conflict: ``reservation.name_taken``.
    """
    check(wish, platform.clock())

    def once(connection: Connection) -> Shown:
        project = open_project(connection, wish.project, caller.scope, closed_code="reservation.project_closed")
        reservation = resolve(connection, platform, wish, project, caller)
        if reservations.of_project(connection, project.id, wish.name) is not None:
            raise Conflict("reservation.name_taken", reservation=wish.name, project=project.code)
        slots = _placed(connection, platform, reservation)
        quota_store.hold(connection, directory.departments(connection), project, quota_of(reservation, len(slots)))
        reservations.insert(connection, reservation, slots)
        if reservations.hold_slots(connection, {s.host_id for s in slots}):
            raise _Stale
        shown = _with_addresses(connection, platform, _shown(connection, reservation, len(slots)), slots)
        _note(connection, platform, caller, "reservation.create", reservation, {"count": len(slots)})
        return shown

    # A ticket or another reservation may come first.
    return decided_again(lambda: platform.db.run(once), tries=_TRIES, old=(_Stale,))


def show(platform: Platform, id_or_name: str, scope: Scope) -> Shown:
    """Return one reservation.

    Raises:
        NotFound: ``reservation.not_found``.
    """
    with platform.db.read() as connection:
        found = reservations.get(connection, id_or_name, scope)
        slots = reservations.slots_of(connection, found.id)
        shown = _shown(connection, found, len(slots), reservations.astray(connection))
        return _with_addresses(connection, platform, shown, slots)


def page(platform: Platform, scope: Scope, *, limit: int, after: str, with_ended: bool) -> list[Shown]:
    """Return up to ``limit`` reservations with an id greater than ``after``."""
    with platform.db.read() as connection:
        found = reservations.page(connection, scope, limit=limit, after=after, with_ended=with_ended)
        astray = reservations.astray(connection)
        return [_shown(connection, reservation, left, astray) for reservation, left in found]


def release(platform: Platform, id_or_name: str, caller: Caller) -> Shown:
    """Give a reservation up before its deadline; what tickets drew stays theirs.

    Raises:
        NotFound: ``reservation.not_found``.
        Conflict: ``reservation.is_over``.
    """

    def once(connection: Connection) -> Shown:
        found = reservations.get(connection, id_or_name, caller.scope, lock=True)
        if found.state is not ReservationState.HELD:
            raise Conflict("reservation.is_over", reservation=found.name, state=found.state.value)
        left = _end(connection, found, ReservationState.RELEASED)
        shown = _shown(connection, reservations.get(connection, found.id, caller.scope), 0)
        _note(connection, platform, caller, "reservation.release", found, {"count": left})
        return replace(shown, no_address_count=0)

    return platform.db.run(once)


def expire(platform: Platform) -> int:
    """End the reservations whose deadline has passed; returns how many. Called by the reconciler."""
    with platform.db.read() as connection:
        if not reservations.due(connection, platform.clock(), 1):
            return 0

    def once(connection: Connection) -> int:
        now_s = platform.clock()
        ended = 0
        for found in reservations.due(connection, now_s, EXPIRE_MOST):
            left = _end(connection, found, ReservationState.EXPIRED)
            if left is not None:
                ended += 1
                audit.append(connection, platforms_event(found, "expire", now_s, {"ends_s": found.ends_s, "count": left}))
        return ended

    return platform.db.run(once)


def _end(connection: Connection, reservation: Reservation, state: ReservationState) -> int | None:
    """End a living reservation; returns how many machines it was still for, None if somebody else ended it."""
    if not reservations.end(connection, reservation.id, state):
        return None
    slots = reservations.slots_of(connection, reservation.id)
    is_given_up = give_up(connection, reservation, slots)
    assert is_given_up, "slots of a reservation whose row is ours changed"
    return len(slots)


def _placed(connection: Connection, platform: Platform, reservation: Reservation) -> list[Slot]:
    # Only what is held at the same time stands in its way.
    reserved = peaks(reservations.all_slots(connection), reservation.starts_s, reservation.ends_s)
    decision = decide(request_of(reservation), load_snapshot(connection, reserved=reserved), platform.policy)
    if isinstance(decision, Refusal):
        explanations = [explanation_to_json(x) for x in decision.explanations]
        raise Unplaceable(
            "reservation.no_host_fits",
            details={"explanations": explanations},
            reservation=reservation.name,
            count=reservation.count,
        )
    return slots_of(reservation, decision)


def slots_of(reservation: Reservation, placement: Placement) -> list[Slot]:
    """Return the slots that a placed reservation has, counted from one."""
    return [
        Slot(
            reservation_id=reservation.id,
            slot=number,
            host_id=place.host_id,
            storage_pool_id=place.storage_pool_ids[0] if place.storage_pool_ids else None,
            vcpu_count=reservation.vcpu_count,
            memory_mib=reservation.memory_mib,
            disk_gib=reservation.disk_gib,
            disk_class=reservation.disk_class,
            starts_s=reservation.starts_s,
            ends_s=reservation.ends_s,
            layout=reservation.layout,
            seat=place.seat,
        )
        for number, place in enumerate(placement.members, start=1)
    ]


def _shown(connection: Connection, reservation: Reservation, left_count: int, astray: Sequence[Slot] = ()) -> Shown:
    departments = {d.id: d.code for d in directory.departments(connection)}
    projects = {p.id: p.code for p in directory.projects(connection)}
    zones = {z.id: z.code for z in directory.zones(connection)}
    return Shown(
        reservation=reservation,
        department=departments[reservation.department_id],
        project=projects[reservation.project_id],
        zone=zones[reservation.zone_id],
        left_count=left_count,
        astray_count=sum(slot.reservation_id == reservation.id for slot in astray),
    )


def _with_addresses(connection: Connection, platform: Platform, shown: Shown, slots: Sequence[Slot]) -> Shown:
    return replace(shown, no_address_count=count_without_address(connection, shown.reservation, slots, platform.clock()))


def _note(
    connection: Connection,
    platform: Platform,
    caller: Caller,
    action: str,
    reservation: Reservation,
    detail: Mapping[str, object],
) -> None:
    """Seal what was done; the last statement of its transaction (see ``audit.append``)."""
    facts = {"name": reservation.name, "starts_s": reservation.starts_s, "ends_s": reservation.ends_s, **detail}
    seal(connection, platform, caller, action, reservation.id, facts, reservation.department_id)


def platforms_event(reservation: Reservation, action: str, now_s: float, detail: Mapping[str, object]) -> audit.AuditEvent:
    """Return what the platform did to a reservation by itself, to be sealed."""
    return audit.AuditEvent(
        at_s=now_s,
        actor="allot",
        role="controller",
        source="reconciler",
        action=f"reservation.{action}",
        target=reservation.id,
        on_behalf_of=reservation.department_id,
        department_id=reservation.department_id,
        detail={"name": reservation.name, **detail},
    )
