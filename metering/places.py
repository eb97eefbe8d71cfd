"""Where capacity went, host by host and second by second: departments, the platform, reserve, moves, and what stood idle. Pure.

Everything is counted in amount × seconds, in integers. What is left over is idle; where more was used than there was, idle is
negative for that stretch and told of as a fault: it is never clamped away.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from metering.ledger import LedgerInterval
from metering.meters import meter_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one host had of one meter during ``[start_s, end_s)``, and what of it was not for departments."""

    host_id: str
    host: str
    meter: str
    start_s: int
    #: ``None``: still so.
    end_s: int | None
    #: What could be promised.
    capacity: int
    #: Used by guests the platform did not make.
    foreign: int
    #: Held for the loss of other hosts (N+1), and of a host that is out of service.
    reserve: int
    #: Held for reservations of departments that are not used yet.
    reserved: int
    #: Held a second time for machines on their way here: they are their departments' where they still run.
    transfer: int = 0


@dataclass(slots=True, kw_only=True)
class Place:
    """Where one host's capacity of one meter went, in amount × seconds."""

    host_id: str
    host: str
    meter: str
    capacity: int = 0
    departments: dict[str, int] = field(default_factory=dict)
    #: Machines being built: the platform's own time.
    building: int = 0
    foreign: int = 0
    reserve: int = 0
    reserved: int = 0
    transfer: int = 0
    idle: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfull:
    """A stretch in which more was used than there was."""

    host_id: str
    meter: str
    start_s: int
    end_s: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where the capacity of all hosts went in a time."""

    places: tuple[Place, ...]
    overfull: tuple[Overfull, ...]
    #: Amount × seconds on hosts (or at times) whose capacity nobody recorded, by meter.
    unplaced: dict[str, int]


Key = tuple[str, str]


def where_it_went(rooms: Iterable[Room], usage: Iterable[LedgerInterval], start_s: int, end_s: int) -> Where:
    """Return where the capacity of every host went in ``[start_s, end_s)``.

    For each host and meter, at every second: departments + building + foreign + reserve + reserved + transfer + idle = capacity.
    """
    by_room: dict[Key, list[Room]] = {}
    for room in rooms:
        by_room.setdefault((room.host_id, room.meter), []).append(room)
    by_usage: dict[Key, list[LedgerInterval]] = {}
    for interval in usage:
        if interval.host_id is not None:
            by_usage.setdefault((interval.host_id, interval.meter), []).append(interval)
    places: list[Place] = []
    overfull: list[Overfull] = []
    unplaced: dict[str, int] = {}
    for key in sorted(by_room.keys() | by_usage.keys()):
        own = sorted(by_room.get(key, ()), key=lambda r: r.start_s)
        used = by_usage.get(key, [])
        place, faults = _of_host(own, used, start_s, end_s)
        if place is not None:
            places.append(place)
        overfull += faults
        without = sum(i.amount * _overlap(i.start_s, i.end_s, start_s, end_s) for i in used) - _within(own, used, start_s, end_s)
        if without:
            unplaced[key[1]] = unplaced.get(key[1], 0) + without
    return Where(places=tuple(places), overfull=tuple(overfull), unplaced=unplaced)


def _of_host(
    rooms: Sequence[Room], usage: Sequence[LedgerInterval], start_s: int, end_s: int
) -> tuple[Place | None, list[Overfull]]:
    faults: list[Overfull] = []
    place: Place | None = None
    for room in rooms:
        first, last = max(room.start_s, start_s), end_s if room.end_s is None else min(room.end_s, end_s)
        if first >= last:
            continue
        if place is None:
            place = Place(host_id=room.host_id, host=room.host, meter=room.meter)
        for since_s, until_s, held, building in _stretches(usage, first, last):
            seconds = until_s - since_s
            left = room.capacity - room.foreign - room.reserve - room.reserved - building - sum(held.values())
            # What has arrived is its department's from its second on; that nothing is held for it any more is written down later.
            transfer = min(room.transfer, max(0, left))
            free = left - transfer
            place.capacity += room.capacity * seconds
            place.foreign += room.foreign * seconds
            place.reserve += room.reserve * seconds
            place.reserved += room.reserved * seconds
            place.transfer += transfer * seconds
            place.building += building * seconds
            place.idle += free * seconds
            for department_id, amount in held.items():
                place.departments[department_id] = place.departments.get(department_id, 0) + amount * seconds
            if free < 0:
                faults.append(Overfull(host_id=room.host_id, meter=room.meter, start_s=since_s, end_s=until_s, missing=-free))
    return place, faults


def _stretches(usage: Sequence[LedgerInterval], start_s: int, end_s: int) -> Iterator[tuple[int, int, dict[str, int], int]]:
    """Return each stretch in which nothing changed, with what departments held and what was being built."""
    changes: dict[int, list[tuple[str, int]]] = {start_s: [], end_s: []}
    for interval in usage:
        first = max(interval.start_s, start_s)
        last = end_s if interval.end_s is None else min(interval.end_s, end_s)
        if first < last:
            # What is being built is the platform's own, where its meter says so.
            is_owned = interval.state in meter_of(interval.meter).charged_states
            owner = interval.department_id if is_owned else ""
            changes.setdefault(first, []).append((owner, interval.amount))
            changes.setdefault(last, []).append((owner, -interval.amount))
    held: dict[str, int] = {}
    for since_s, until_s in pairwise(sorted(changes)):
        for owner, amount in changes[since_s]:
            held[owner] = held.get(owner, 0) + amount
        yield since_s, until_s, {d: a for d, a in held.items() if d and a}, held.get("", 0)


def _overlap(start_s: int, end_s: int | None, first_s: int, last_s: int) -> int:
    return max(0, (last_s if end_s is None else min(end_s, last_s)) - max(start_s, first_s))


def _within(rooms: Sequence[Room], usage: Sequence[LedgerInterval], start_s: int, end_s: int) -> int:
    """Return what of the usage lies in a time whose capacity is known."""
    total = 0
    for room in rooms:
        first, last = max(room.start_s, start_s), end_s if room.end_s is None else min(room.end_s, end_s)
        if first < last:
            total += sum(i.amount * _overlap(i.start_s, i.end_s, first, last) for i in usage)
    return total
