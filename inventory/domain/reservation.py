"""Reservations: capacity promised to a project for a time. Pure.

A reservation is for ``count`` equal machines, each with a *slot* on a host. What a host must hold for all of them is the most
they need together at one moment (``peaks``): two that follow each other share a place. A ticket has no end that frees its
machines by itself, so it is kept clear of every slot there will be; a reservation only of those it meets in time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inventory.domain.ids import DepartmentId, HostId, ProjectId, ReservationId, StoragePoolId, ZoneId
from inventory.domain.layout import NO_LAYOUT, Layout, Seat, compute_of
from inventory.domain.resources import disk_dimension
from inventory.domain.system import SpreadLevel

#: (provider, dimension), as in ``inventories``.
Key = tuple[str, str]


class ReservationState(StrEnum):
    """``held`` is the only one that holds anything; the others are ends."""

    HELD = "held"
    #: Tickets drew all of it.
    CONVERTED = "converted"
    EXPIRED = "expired"
    #: Given up before its deadline.
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A stored reservation."""

    id: ReservationId
    #: Unique among the living ones of its project.
    name: str
    department_id: DepartmentId
    project_id: ProjectId
    zone_id: ZoneId
    mlps_level: int
    #: Of each machine it is for.
    vcpu_count: int
    memory_mib: int
    #: 0: no disk.
    disk_gib: int
    disk_class: str
    #: Machines it was made for; the slots that are left say for how many it still is.
    count: int
    #: ``any`` or an architecture.
    arch: str
    spread: SpreadLevel
    #: Half-open, epoch s: usable from ``starts_s`` on, over at ``ends_s``.
    starts_s: int
    ends_s: int
    state: ReservationState
    created_by: str
    created_at_s: float
    #: How each of them is to lie on the cells of its host, and what the host must have by name.
    layout: Layout = NO_LAYOUT
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The place of one machine of a reservation, with what it holds there and when."""

    reservation_id: ReservationId
    slot: int
    host_id: HostId
    storage_pool_id: StoragePoolId | None
    vcpu_count: int
    memory_mib: int
    disk_gib: int
    disk_class: str
    starts_s: int
    ends_s: int
    layout: Layout = NO_LAYOUT
    #: Whole processors and parts of cells that are held; for a reservation that asks how its machines lie.
    seat: Seat | None = None

    def amounts(self) -> Mapping[Key, int]:
        """Return what it holds, by provider and dimension."""
        own = dict(compute_of(self.vcpu_count, self.memory_mib, self.layout)) | (self.seat.amounts() if self.seat else {})
        held: dict[Key, int] = {(self.host_id, dimension): amount for dimension, amount in own.items()}
        if self.storage_pool_id is not None:
            held[self.storage_pool_id, disk_dimension(self.disk_class)] = self.disk_gib
        return held


def peaks(slots: Iterable[Slot], start_s: float = 0, end_s: float | None = None) -> dict[Key, int]:
    """Return the most that slots hold together at one moment, from ``start_s`` to before ``end_s`` (None: ever after)."""
    changes: dict[Key, list[tuple[float, int]]] = {}
    for slot in slots:
        if slot.ends_s > start_s and (end_s is None or slot.starts_s < end_s):
            for key, amount in slot.amounts().items():
                changes.setdefault(key, []).extend(((max(slot.starts_s, start_s), amount), (slot.ends_s, -amount)))
    # At one moment ends come before starts: intervals are half-open.
    return {key: _highest(sorted(moments)) for key, moments in changes.items()}


def _highest(moments: Iterable[tuple[float, int]]) -> int:
    level = highest = 0
    for _, change in moments:
        level += change
        highest = max(highest, level)
    return highest


def too_many(slots: Iterable[Slot], room: Mapping[Key, int]) -> list[Slot]:
    """Return slots that are to leave so that the rest fits into ``room``: those that begin last first, and none without need."""
    left, leaving = sorted(slots, key=_begins), list[Slot]()
    while over := _over(left, room):
        leaving.append(next(slot for slot in reversed(left) if over & slot.amounts().keys()))
        left.remove(leaving[-1])
    # One that was chosen for the sake of one amount may find that another choice made room for it.
    for slot in reversed(leaving.copy()):
        if not _over([*left, slot], room):
            left.append(slot)
            leaving.remove(slot)
    return leaving


def _begins(slot: Slot) -> tuple[int, str, int]:
    return slot.starts_s, slot.reservation_id, slot.slot


def _over(slots: Iterable[Slot], room: Mapping[Key, int]) -> set[Key]:
    return {key for key, amount in peaks(slots).items() if amount > max(0, room.get(key, 0))}


def choose_slots(
    slots: Sequence[Slot],
    others: Sequence[Slot],
    wanted: Mapping[Key, int],
    room: Mapping[Key, int],
    *,
    of_kind: Mapping[str, int],
) -> list[Slot]:
    """Return the slots of one reservation that a ticket uses up by claiming ``wanted``.

    ``room`` is what is left there when nothing at all is reserved, ``others`` are the slots of other reservations. First go
    the slots whose place is needed, then as many as the ticket's machines of their kind (``of_kind``, by dimension) are worth:
    what was reserved is not kept beside what was made of it.
    """
    left = sorted(slots, key=lambda s: (s.host_id, s.slot))
    chosen: list[Slot] = []
    for key in sorted(wanted):
        own = [s for s in left if key in s.amounts()]
        beside = [s for s in others if key in s.amounts()]
        while own and wanted[key] + peaks([*beside, *own]).get(key, 0) > room.get(key, 0):
            chosen.append(own.pop(0))
            left.remove(chosen[-1])
    hosts = {provider for provider, _ in wanted}
    rest = sorted(left, key=lambda s: (s.host_id not in hosts, s.host_id, s.slot))
    missing = max(0, _worth(slots, of_kind) - len(chosen))
    return chosen + rest[:missing]


def _worth(slots: Sequence[Slot], of_kind: Mapping[str, int]) -> int:
    if not slots:
        return 0
    one = slots[0]
    own = compute_of(one.vcpu_count, one.memory_mib, one.layout)
    return max(-(-of_kind.get(dimension, 0) // amount) for dimension, amount in own.items())
