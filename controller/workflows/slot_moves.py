"""Reserved room that cannot stay where it is (its host is lost, taken out of service, or overfull) is held on another host.

``loss.give_up`` calls it for the host it gives up, in the same transaction, so that what stood by for the loss is free to it;
the reconciler for all others, whenever there is something new. A slot is a promise and no machine: it moves in the books alone.
Where nothing fits it stays counted where it was, which is told, until there is room.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from controller.identity import audit
from controller.scheduling.decide import decide
from controller.scheduling.snapshot import Snapshot
from controller.workflows.decided_again import decided_again
from controller.workflows.place import load_snapshot
from controller.workflows.platform import Platform
from controller.workflows.reservation_wish import request_of
from controller.workflows.reservations import platforms_event, slots_of
from inventory.domain.ids import HostId, ReservationId
from inventory.domain.placement import Placement, Refusal
from inventory.domain.reservation import Reservation, ReservationState, Slot, peaks
from inventory.domain.scope import PLATFORM
from inventory.store import changes, reservations

#: Times a reservation is looked at again where a ticket was faster.
_TRIES = 8


class SlotsTaken(Exception):
    """A slot is not where it was, or its new place was taken meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotMoves:
    """What became of the slots of one reservation that could not stay."""

    reservation: Reservation
    #: As they were before.
    moved: tuple[Slot, ...]
    left_count: int


class SlotMender:
    """Moves what is astray; looks again only when something changed since it last found no room."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        #: How far changes were read, and what found no room then.
        self._seen: tuple[changes.Mark, frozenset[Slot]] | None = None

    def mend(self) -> list[SlotMoves]:
        """Move what can be moved, those first that begin first; returns what became of it.

        Raises:
            Unavailable: ``ticket.too_busy``, or the database; it is due again with the next period.
        """
        with self._platform.db.read() as connection:
            astray = frozenset(reservations.astray(connection))
            if not astray or self._is_as_before(connection, astray):
                return []
            seen = changes.mark_now(connection), astray
        found = []
        for reservation_id in in_turn(astray):
            once = partial(self._platform.db.run, partial(_move_one, platform=self._platform, reservation_id=reservation_id))
            found += decided_again(once, tries=_TRIES, old=(SlotsTaken,))
        self._seen = None if any(moves.moved for moves in found) else seen
        return found

    def _is_as_before(self, connection: Connection, astray: frozenset[Slot]) -> bool:
        if self._seen is None or self._seen[1] != astray:
            return False
        news = changes.since(connection, self._seen[0])
        return not (news.is_everything or news.host_ids)


def move_astray(connection: Connection, platform: Platform, *, only_from: HostId) -> list[SlotMoves]:
    """Move the slots of one host that is out of service, as many as there is room for; ``note_moves`` is still to be called.

    Raises:
        SlotsTaken: somebody else was faster.
    """
    own = [slot for slot in reservations.astray(connection) if slot.host_id == only_from]
    return [moves for id_ in in_turn(own) if (moves := _move(connection, platform, id_, only_from=only_from))]


def note_moves(connection: Connection, platform: Platform, found: Sequence[SlotMoves]) -> None:
    """Seal what was moved, one event for each reservation; the last statements of a transaction (see ``audit.append``)."""
    for moves in found:
        if moves.moved:
            from_hosts = dict(Counter(slot.host_id for slot in moves.moved))
            detail = {"count": len(moves.moved), "left": moves.left_count, "from": from_hosts}
            audit.append(connection, platforms_event(moves.reservation, "move", platform.clock(), detail))


def in_turn(slots: Sequence[Slot] | frozenset[Slot]) -> list[ReservationId]:
    """Return the reservations of slots, those first that begin first."""
    return list(dict.fromkeys(slot.reservation_id for slot in sorted(slots, key=lambda s: (s.starts_s, s.reservation_id))))


def _move_one(connection: Connection, *, platform: Platform, reservation_id: ReservationId) -> list[SlotMoves]:
    moves = _move(connection, platform, reservation_id)
    found = [moves] if moves else []
    note_moves(connection, platform, found)
    return found


def _move(
    connection: Connection, platform: Platform, reservation_id: ReservationId, *, only_from: HostId | None = None
) -> SlotMoves | None:
    """Move slots of one reservation; nothing where it is over, or nothing of it is astray any more."""
    # From here on nobody draws on it, or ends it.
    reservation = reservations.get(connection, reservation_id, PLATFORM, lock=True)
    astray = [slot for slot in reservations.astray(connection) if slot.reservation_id == reservation_id]
    astray = [slot for slot in astray if only_from in (None, slot.host_id)]
    if reservation.state is not ReservationState.HELD or not astray:
        return None
    after = _places(connection, platform, reservation, astray)
    before = astray[: len(after)]
    if before:
        touched = {slot.host_id for slot in (*before, *after)}
        if not reservations.move_slots(connection, before, after) or reservations.hold_slots(connection, touched):
            raise SlotsTaken
    return SlotMoves(reservation=reservation, moved=tuple(before), left_count=len(astray) - len(before))


def _places(connection: Connection, platform: Platform, reservation: Reservation, astray: Sequence[Slot]) -> list[Slot]:
    """Return the new slots of as many as have room together, in their order: they are all alike."""
    slots = reservations.all_slots(connection)
    staying = [slot for slot in slots if slot not in astray]
    beside = [slot.host_id for slot in staying if slot.reservation_id == reservation.id]
    snapshot = load_snapshot(
        connection,
        without={slot.host_id for slot in astray},
        reserved=peaks(staying, reservation.starts_s, reservation.ends_s),
    )
    found, _ = most_slots(snapshot, platform, replace(reservation, count=len(astray)), beside)
    return [replace(new, slot=old.slot) for old, new in zip(astray, found, strict=False)]


def most_slots(
    snapshot: Snapshot, platform: Platform, wanted: Reservation, beside: Sequence[HostId]
) -> tuple[list[Slot], Refusal | None]:
    """Return slots for as many machines of a reservation as have room together, and why there are no more."""
    found: list[Slot] = []
    refusal: Refusal | None = None
    low, high = 0, wanted.count
    count = high
    while low < high:
        one = replace(wanted, count=count)
        decision = decide(request_of(one, beside), snapshot, platform.policy)
        if isinstance(decision, Placement):
            low, found = count, slots_of(one, decision)
        else:
            high, refusal = count - 1, decision
        count = (low + high + 1) // 2
    return found, refusal
