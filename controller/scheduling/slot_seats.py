"""Seats of machines that draw on a reservation: each machine that is like those reserved takes the seat of a slot. Pure.

A ticket that draws is decided on a picture in which nothing is held for its reservation, so that a machine may be given a
processor of one slot and a second one of another. Both slots would be used up for it, and what is left of the reservation would
be for fewer machines than were promised. On the host that was decided on, such machines are therefore seated where slots are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.scheduling.cells import SeatAsk, seats_for
from controller.scheduling.units import seat_ask
from inventory.domain.ids import HostId
from inventory.domain.layout import HostCell, Seat
from inventory.domain.placement import MemberPlacement, MemberRequest, Placement, PlacementRequest
from inventory.domain.reservation import Slot

#: A machine by its position in the request, and its seat.
_Seats = dict[int, Seat]


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnHost:
    """A host that a ticket's machines go to, as the decision saw it."""

    cells: Sequence[HostCell]
    #: What is free of its fine dimensions where nothing is held for the reservation.
    free: Mapping[str, int]


def seated_in_slots(
    request: PlacementRequest, placement: Placement, slots: Sequence[Slot], hosts: Mapping[HostId, DrawnHost]
) -> Placement:
    """Return the placement with machines in the seats of the slots of the reservation they draw on."""
    seats: _Seats = {}
    for host_id in sorted({slot.host_id for slot in slots if slot.seat is not None} & hosts.keys()):
        here = [n for n, place in enumerate(placement.members) if place.host_id == host_id and place.seat is not None]
        own = sorted((slot for slot in slots if slot.host_id == host_id), key=lambda slot: slot.slot)
        seats |= _seats_on(hosts[host_id], {n: request.members[n] for n in here}, own)
    if not seats:
        return placement
    return replace(placement, members=tuple(_seated(place, seats.get(n)) for n, place in enumerate(placement.members)))


def _seated(place: MemberPlacement, seat: Seat | None) -> MemberPlacement:
    return replace(place, seat=seat) if seat is not None else place


def _seats_on(host: DrawnHost, members: Mapping[int, MemberRequest], slots: Sequence[Slot]) -> _Seats:
    """Return the seats on one host; none where the machines that are not like those reserved would find no seat beside."""
    asks = {n: seat_ask(member) for n, member in members.items()}
    alike = [n for n, ask in asks.items() if _is_like(ask, slots[0])]
    taken = {n: slot.seat for n, slot in zip(alike, slots, strict=False) if slot.seat is not None}
    others = [n for n in asks if n not in taken]
    if not (taken and others):
        return taken
    kept = [slot.seat for slot in slots[len(taken) :] if slot.seat is not None]
    # Clear of the other slots where that can be: what is left of the reservation stays as it is.
    for beside in ([*taken.values(), *kept], list(taken.values())):
        found = seats_for([asks[n] for n in others], host.cells, _without(host.free, beside))
        if found is not None:
            return taken | dict(zip(others, found, strict=True))
    return {}


def _is_like(ask: SeatAsk, slot: Slot) -> bool:
    of_slot = slot.layout, slot.vcpu_count, slot.memory_mib
    return ask.held is None and (ask.layout, ask.vcpu_count, ask.memory_mib) == of_slot


def _without(free: Mapping[str, int], seats: Sequence[Seat]) -> dict[str, int]:
    left = dict(free)
    for seat in seats:
        for dimension, amount in seat.amounts().items():
            left[dimension] = left.get(dimension, 0) - amount
    return left
