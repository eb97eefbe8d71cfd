"""What reservations have to do with a refusal: it fits later, when some end, or now, with one of the project's own.

Each is said only after the same request was really decided on the state that would be then.
"""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from controller.scheduling.decide import decide
from controller.scheduling.suggest import PREFIX, Suggestion
from controller.workflows.place import load_snapshot
from controller.workflows.platform import Platform
from inventory.domain.organisation import Project
from inventory.domain.placement import Placement, PlacementRequest, Refusal
from inventory.domain.reservation import Key, Slot, peaks
from inventory.store import directory, reservations

#: Moments, and reservations of the project, that are tried.
TRIED_MAX = 8


def with_reservations(
    connection: Connection, platform: Platform, request: PlacementRequest, refusal: Refusal, project: Project
) -> Refusal:
    """Return the refusal with what reservations would allow instead."""
    slots = reservations.all_slots(connection)
    if not slots:
        return refusal
    found = [*_own(connection, platform, request, slots, project), *_later(connection, platform, request, slots)]
    first, *others = refusal.explanations
    return Refusal(explanations=(replace(first, suggestions=(*first.suggestions, *found)), *others))


def _own(
    connection: Connection, platform: Platform, request: PlacementRequest, slots: list[Slot], project: Project
) -> list[Suggestion]:
    """Return a reservation of the project that is open now and makes room enough."""
    now_s = platform.clock()
    open_ = [
        r
        for r in reservations.living_of(connection, project.id)[:TRIED_MAX]
        if r.starts_s <= now_s < r.ends_s and r.zone_id == request.zone_id
    ]
    for reservation in open_:
        without = peaks(s for s in slots if s.reservation_id != reservation.id)
        if _fits(connection, platform, request, without):
            return [(PREFIX + "draw", {"reservation": reservation.name})]
    return []


def _later(connection: Connection, platform: Platform, request: PlacementRequest, slots: list[Slot]) -> list[Suggestion]:
    """Return the first moment at which reservations have ended that are in the way now."""
    for at_s in sorted({s.ends_s for s in slots})[:TRIED_MAX]:
        if _fits(connection, platform, request, peaks(slots, at_s)):
            ended = {s.reservation_id for s in slots if s.ends_s == at_s}
            departments = {d.id: d.name for d in directory.departments(connection)}
            names = sorted({departments[d] for d in reservations.departments_of(connection, ended)})
            date = datetime.fromtimestamp(at_s, platform.zone).date().isoformat()
            return [(PREFIX + "later", {"date": date, "at_s": at_s, "departments": ", ".join(names)})]
    return []


def _fits(connection: Connection, platform: Platform, request: PlacementRequest, reserved: dict[Key, int]) -> bool:
    decision = decide(request, load_snapshot(connection, reserved=reserved), platform.policy)
    return isinstance(decision, Placement)
