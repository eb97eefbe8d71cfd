"""What reservations have to do with a refusal: it fits later, when some end, or now, with one of the project's own.

Each is said only after the same request was really decided on the state that would be then, and only so many are tried. What
that needs is read first: nobody waits for a transaction in which something is tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from controller.scheduling.decide import choose
from controller.scheduling.fleet import Fleet
from controller.scheduling.policy import Policy
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.suggest import MACHINES_TRIED_MAX, PREFIX, Suggestion
from controller.workflows.platform import Platform
from inventory.domain.ids import HostId, StoragePoolId, ZoneId
from inventory.domain.organisation import Project
from inventory.domain.placement import PlacementRequest, Refusal
from inventory.domain.reservation import Key, Reservation, Slot, peaks
from inventory.store import directory, hosts, reservations

#: Moments, and reservations of the project, that are tried.
TRIED_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What is held for reservations, as far as a refusal has to do with it."""

    slots: Sequence[Slot]
    #: What the hosts with slots have, with their storage pools.
    rows: Mapping[HostId, Sequence[hosts.InventoryRow]]
    #: Reservations of the project that are open now.
    own: Sequence[Reservation]
    #: The next moments at which some end, with their date and the departments they are of.
    ends: Sequence[tuple[int, str, str]]


def read_reserved(connection: Connection, platform: Platform, zone_id: ZoneId, project: Project) -> Reserved | None:
    """Read what is held for reservations; nothing where there are none."""
    slots = reservations.all_slots(connection)
    if not slots:
        return None
    now_s = platform.clock()
    living = reservations.living_of(connection, project.id)[:TRIED_MAX]
    return Reserved(
        slots=slots,
        rows=hosts.inventories_of(connection, {s.host_id for s in slots}),
        own=[r for r in living if r.starts_s <= now_s < r.ends_s and r.zone_id == zone_id],
        ends=list(_ends(connection, platform, slots)),
    )


def _ends(connection: Connection, platform: Platform, slots: Sequence[Slot]) -> Iterator[tuple[int, str, str]]:
    departments = {d.id: d.name for d in directory.departments(connection)}
    for at_s in sorted({s.ends_s for s in slots})[:TRIED_MAX]:
        ended = {s.reservation_id for s in slots if s.ends_s == at_s}
        names = sorted({departments[d] for d in reservations.departments_of(connection, ended)})
        yield at_s, datetime.fromtimestamp(at_s, platform.zone).date().isoformat(), ", ".join(names)


def with_reservations(
    reserved: Reserved, request: PlacementRequest, snapshot: Snapshot, policy: Policy, refusal: Refusal
) -> Refusal:
    """Return the refusal with what reservations would allow instead."""
    held = _Held(reserved, request, snapshot, policy)
    first, *others = refusal.explanations
    found = (*first.suggestions, *_own(reserved, held), *_later(reserved, held))
    return Refusal(explanations=(replace(first, suggestions=found), *others))


def _own(reserved: Reserved, held: "_Held") -> list[Suggestion]:
    """Return a reservation of the project that is open now and makes room enough."""
    for reservation in reserved.own:
        if held.fits(peaks(s for s in reserved.slots if s.reservation_id != reservation.id)):
            return [(PREFIX + "draw", {"reservation": reservation.name})]
    return []


def _later(reserved: Reserved, held: "_Held") -> list[Suggestion]:
    """Return the first moment at which reservations have ended that are in the way now."""
    for at_s, date, departments in reserved.ends:
        if held.fits(peaks(reserved.slots, at_s)):
            return [(PREFIX + "later", {"date": date, "at_s": at_s, "departments": departments})]
    return []


class _Held:
    """Tries a request on one picture of the platform, with other amounts held for reservations than are."""

    def __init__(self, reserved: Reserved, request: PlacementRequest, snapshot: Snapshot, policy: Policy) -> None:
        self._request, self._policy = request, policy
        self._fleet = Fleet(snapshot)
        self._rows = {h: rows for h, rows in reserved.rows.items() if h in snapshot.index_of}
        self._machines_left = MACHINES_TRIED_MAX

    def fits(self, reserved: Mapping[Key, int]) -> bool:
        """Tell whether the request fits where so much is held; what there is no time to try is not said."""
        if self._machines_left <= 0:
            return False
        self._machines_left -= len(self._request.members)
        for host_id, rows in self._rows.items():
            self._show(host_id, rows, reserved)
        mark = self._fleet.mark()
        found = choose(self._request, self._fleet, self._policy)
        self._fleet.rollback(mark)
        return found is not None

    def _show(self, host_id: HostId, rows: Sequence[hosts.InventoryRow], reserved: Mapping[Key, int]) -> None:
        """Count what is held more or less than now as used."""
        own: dict[str, int] = {}
        foreign: dict[str, int] = {}
        disks: dict[StoragePoolId, int] = {}
        for row in rows:
            used = row.used + reserved.get((row.provider_id, row.dimension), 0) - row.held_reservations
            if row.provider_id == host_id:
                own[row.dimension], foreign[row.dimension] = used, row.foreign_used
            else:
                disks[StoragePoolId(row.provider_id)] = used + row.foreign_used
        self._fleet.set_used(host_id, used=own, foreign=foreign, storage_used_gib=disks)
