"""What becomes of reserved room when hosts fail: as for a host that is lost (``slot_moves``) it is held on others, or nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.explain import explanation_to_json
from controller.workflows.place import load_snapshot
from controller.workflows.platform import Platform
from controller.workflows.slot_moves import in_turn, most_slots
from inventory.domain.host import Host
from inventory.domain.ids import HostId
from inventory.domain.reservation import Key, Reservation, Slot, peaks
from inventory.domain.scope import PLATFORM
from inventory.store import directory, hosts, reservations


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFate:
    """What becomes of the machines that a reservation has room for on hosts that fail."""

    reservation: str
    #: Code.
    project: str
    count: int
    #: Names, each once.
    from_hosts: tuple[str, ...]
    to_hosts: tuple[str, ...]
    #: Machines for which room would be held no more.
    left_count: int
    #: Why not, in the stored form of an explanation.
    explanation: Mapping[str, Any] | None = None


def slot_fates(
    connection: Connection, platform: Platform, lost: Mapping[HostId, Host], taken: Mapping[Key, int]
) -> list[SlotFate]:
    """Return the fate of every reservation with room on hosts that fail, those first that begin first.

    ``taken``: what machines of these hosts took elsewhere; they come first.
    """
    slots = reservations.all_slots(connection)
    struck = [slot for slot in slots if slot.host_id in lost]
    staying = [slot for slot in slots if slot.host_id not in lost]
    names = {h.id: h.name for h in hosts.hosts(connection)}
    projects = {p.id: p.code for p in directory.projects(connection)} if struck else {}
    reserve_of = {host.pool_id for host in lost.values()}
    fates = []
    for reservation_id in in_turn(struck):
        own = [slot for slot in struck if slot.reservation_id == reservation_id]
        reservation = reservations.get(connection, reservation_id, PLATFORM)
        snapshot = load_snapshot(
            connection, without=tuple(lost), reserved=_held(reservation, staying, taken), reserve_of=reserve_of
        )
        beside = [slot.host_id for slot in staying if slot.reservation_id == reservation_id]
        found, refusal = most_slots(snapshot, platform, replace(reservation, count=len(own)), beside)
        staying += found
        fates.append(
            SlotFate(
                reservation=reservation.name,
                project=projects[reservation.project_id],
                count=len(own),
                from_hosts=_names(own, names),
                to_hosts=_names(found, names),
                left_count=len(own) - len(found),
                explanation=explanation_to_json(refusal.explanations[0]) if refusal and len(found) < len(own) else None,
            )
        )
    return fates


def _held(reservation: Reservation, staying: Sequence[Slot], taken: Mapping[Key, int]) -> dict[Key, int]:
    held = dict(taken)
    for key, amount in peaks(staying, reservation.starts_s, reservation.ends_s).items():
        held[key] = held.get(key, 0) + amount
    return held


def _names(slots: Sequence[Slot], names: Mapping[HostId, str]) -> tuple[str, ...]:
    return tuple(sorted({names[slot.host_id] for slot in slots}))
