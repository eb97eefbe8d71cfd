"""A ticket draws on a reservation of its project: what is reserved becomes what is claimed, in the ticket's own transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.cells import growth
from controller.scheduling.slot_seats import DrawnHost, seated_in_slots
from controller.scheduling.units import seat_ask
from controller.tickets.language import TicketDocument
from inventory.domain.errors import Conflict, Invalid, NotFound, Problem
from inventory.domain.ids import HostId
from inventory.domain.organisation import Project
from inventory.domain.placement import MemberPlacement, MemberRequest, Placement, PlacementRequest
from inventory.domain.reservation import Key, Reservation, ReservationState, Slot, choose_slots, peaks
from inventory.domain.resources import Resources, disk_dimension, is_fine
from inventory.domain.scope import PLATFORM
from inventory.store import hosts, reservations
from quotas import store as quota_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The slots a ticket uses up."""

    reservation: Reservation
    slots: tuple[Slot, ...]

    @property
    def quota_amounts(self) -> Mapping[str, int]:
        """Return what they weighed in each quota dimension."""
        return quota_of(self.reservation, len(self.slots))


def named_reservation(connection: Connection, document: TicketDocument, project: Project) -> Reservation | None:
    """Return the reservation a ticket names.

    Raises:
        NotFound: ``ticket.reservation_unknown``: the project has no living one of that name.
    """
    if document.reservation is None:
        return None
    found = reservations.of_project(connection, project.id, document.reservation)
    if found is None:
        params: dict[str, Any] = {"reservation": document.reservation, "project": project.code}
        problem = Problem("ticket.reservation_unknown", params, document.where("project.reservation"))
        raise NotFound(problem.code, problems=[problem], **params)
    return found


def check_usable(reservation: Reservation, zone_id: str, now_s: float) -> None:
    """Refuse to draw on what is not usable now, or is held elsewhere.

    Raises:
        Conflict: ``reservation.not_started``, ``reservation.is_over``.
        Invalid: ``reservation.other_zone``.
    """
    if now_s < reservation.starts_s:
        raise Conflict("reservation.not_started", reservation=reservation.name, starts_s=reservation.starts_s)
    if now_s >= reservation.ends_s:
        raise Conflict("reservation.is_over", reservation=reservation.name, state=ReservationState.EXPIRED.value)
    if reservation.zone_id != zone_id:
        raise Invalid("reservation.other_zone", reservation=reservation.name)


def holds(connection: Connection) -> dict[Key, int]:
    """Return what is held for all reservations."""
    return peaks(reservations.all_slots(connection))


def holds_without(connection: Connection, reservation: Reservation) -> dict[Key, int]:
    """Return what is held for all other reservations."""
    return peaks(reservations.all_slots(connection, but=reservation.id))


def plan_draw(
    connection: Connection, reservation: Reservation, request: PlacementRequest, placement: Placement
) -> tuple[Placement, Draw]:
    """Return what a placed ticket uses up of a reservation, and the placement with its machines in the seats of slots."""
    places = {place.host_id for place in placement.members}
    rows = [row for own in hosts.inventories_of(connection, places).values() for row in own]
    room = {(r.provider_id, r.dimension): r.free + r.held_reservations for r in rows}
    own = reservations.slots_of(connection, reservation.id)
    others = reservations.all_slots(connection, but=reservation.id)
    if reservation.layout:
        drawn = _drawn_hosts(connection, places, room, peaks(others))
        placement = seated_in_slots(request, placement, own, drawn)
    alike = [member for member in request.members if member.layout.is_kind_of(reservation.layout)]
    of_kind = sum((_growth(member) for member in alike), start=Resources())
    chosen = choose_slots(own, others, wanted_of(request, placement.members), room, of_kind=of_kind)
    return placement, Draw(reservation=reservation, slots=tuple(chosen))


def _drawn_hosts(
    connection: Connection, host_ids: Collection[HostId], room: Mapping[Key, int], held: Mapping[Key, int]
) -> dict[HostId, DrawnHost]:
    free: dict[str, dict[str, int]] = {}
    for (provider, dimension), amount in room.items():
        if is_fine(dimension):
            free.setdefault(provider, {})[dimension] = amount - held.get((provider, dimension), 0)
    there = [host for host in hosts.hosts(connection) if host.id in host_ids]
    return {host.id: DrawnHost(cells=host.cells, free=free.get(host.id, {})) for host in there}


def take(connection: Connection, draw: Draw) -> bool:
    """Use the slots up; the reservation ends with its last one. False: it is not what it was when the draw was planned."""
    found = reservations.get(connection, draw.reservation.id, PLATFORM, lock=True)
    if found != draw.reservation or not give_up(connection, found, draw.slots):
        return False
    if not reservations.slots_of(connection, found.id):
        reservations.end(connection, found.id, ReservationState.CONVERTED)
    return True


def quota_of(reservation: Reservation, count: int) -> dict[str, int]:
    """Return what ``count`` machines of a reservation weigh in each quota dimension: the quota counts them as machines."""
    return {
        "vcpu": count * reservation.vcpu_count,
        "memory_mib": count * reservation.memory_mib,
        "disk_gib": count * reservation.disk_gib,
        "instances": count,
    }


def give_up(connection: Connection, reservation: Reservation, slots: Sequence[Slot]) -> bool:
    """Take slots away, with what was held and counted for them; False: one of them is gone already."""
    if reservations.remove_slots(connection, reservation.id, [s.slot for s in slots]) != len(slots):
        return False
    quota_store.release(connection, reservation.project_id, quota_of(reservation, len(slots)))
    refused = reservations.hold_slots(connection, {s.host_id for s in slots})
    assert not refused, f"less is held and it does not fit: {refused}"
    return True


def _growth(member: MemberRequest) -> Resources:
    return Resources.of({d: amount - member.held[d] for d, amount in member.compute.amounts if amount > member.held[d]})


def wanted_of(request: PlacementRequest, places: Sequence[MemberPlacement]) -> dict[Key, int]:
    """Return what a placement takes, by provider and dimension."""
    wanted: dict[Key, int] = {}

    def add(key: Key, amount: int) -> None:
        if amount > 0:
            wanted[key] = wanted.get(key, 0) + amount

    for member, place in zip(request.members, places, strict=True):
        for dimension, amount in _growth(member).amounts:
            add((place.host_id, dimension), amount)
        for dimension, amount in growth([seat_ask(member)], [place.seat]).items() if place.seat else ():
            add((place.host_id, dimension), amount)
        for (disk_class, size_gib), pool_id in zip(member.disks, place.storage_pool_ids, strict=True):
            add((pool_id, disk_dimension(disk_class)), size_gib)
    return wanted
