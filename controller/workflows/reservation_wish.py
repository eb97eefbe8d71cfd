"""What is to be reserved, as asked for: judged, looked up, and put to the scheduler as the machines it is for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from inventory.domain.errors import Invalid, NotFound
from inventory.domain.ids import HostId, ReservationId
from inventory.domain.layout import NO_LAYOUT, compute_of
from inventory.domain.organisation import Project
from inventory.domain.placement import GroupRule, MemberRequest, PlacementRequest
from inventory.domain.reservation import Reservation, ReservationState
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from inventory.store import directory

#: Machines of one reservation.
COUNT_MAX = 1_000
#: A reservation may not reach further than this.
HORIZON_S = 5 * 366 * 86_400
_GROUP = "reserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationWish:
    """What is to be reserved, as asked for."""

    name: str
    #: Codes.
    project: str
    zone: str
    #: Name of a size; else vCPUs and memory are given.
    size: str = ""
    vcpu_count: int = 0
    memory_mib: int = 0
    #: None: the root disk of the size.
    disk_gib: int | None = None
    disk_class: str = "standard"
    count: int = 1
    mlps_level: int = 2
    arch: str = "any"
    spread: SpreadLevel = SpreadLevel.NONE
    #: Epoch s; None: from now on.
    starts_s: int | None = None
    ends_s: int


def check(wish: ReservationWish, now_s: float) -> None:
    """Refuse a wish that makes no sense.

    Raises:
        Invalid: ``reservation.amount_invalid``, ``reservation.count_invalid``, ``reservation.starts_in_past``,
            ``reservation.ends_before_start``, ``reservation.too_far``.
    """
    if not 1 <= wish.count <= COUNT_MAX:
        raise Invalid("reservation.count_invalid", count=wish.count, highest=COUNT_MAX)
    least = {"disk_gib": (wish.disk_gib or 0, 0)}
    least |= {} if wish.size else {VCPU: (wish.vcpu_count, 1), MEMORY_MIB: (wish.memory_mib, 1)}
    for dimension, (amount, smallest) in least.items():
        if amount < smallest:
            raise Invalid("reservation.amount_invalid", dimension=dimension, amount=amount, lowest=smallest)
    starts_s = int(now_s) if wish.starts_s is None else wish.starts_s
    if starts_s < int(now_s):
        raise Invalid("reservation.starts_in_past", starts_s=starts_s)
    if wish.ends_s <= starts_s:
        raise Invalid("reservation.ends_before_start", starts_s=starts_s, ends_s=wish.ends_s)
    if wish.ends_s > now_s + HORIZON_S:
        raise Invalid("reservation.too_far", ends_s=wish.ends_s, days=HORIZON_S // 86_400)


def resolve(connection: Connection, platform: Platform, wish: ReservationWish, project: Project, caller: Caller) -> Reservation:
    """Return the reservation a wish means, with a new id.

    Raises:
        NotFound: ``zone.not_found``, ``size.not_found``.
    """
    zone = next((z for z in directory.zones(connection) if wish.zone in (z.code, z.name, z.id)), None)
    if zone is None:
        raise NotFound("zone.not_found", zone=wish.zone, known=", ".join(z.code for z in directory.zones(connection)))
    size = next((s for s in directory.sizes(connection) if s.name == wish.size), None)
    if wish.size and size is None:
        raise NotFound("size.not_found", size=wish.size, known=", ".join(s.name for s in directory.sizes(connection)))
    now_s = platform.clock()
    disk_gib = wish.disk_gib if wish.disk_gib is not None else size.root_disk_gib if size else 0
    return Reservation(
        id=ReservationId(platform.new_id("reservation")),
        name=wish.name,
        department_id=project.department_id,
        project_id=project.id,
        zone_id=zone.id,
        mlps_level=wish.mlps_level,
        vcpu_count=size.vcpu_count if size else wish.vcpu_count,
        memory_mib=size.memory_mib if size else wish.memory_mib,
        disk_gib=disk_gib,
        disk_class=wish.disk_class,
        count=wish.count,
        arch=wish.arch,
        spread=wish.spread,
        starts_s=int(now_s) if wish.starts_s is None else wish.starts_s,
        ends_s=wish.ends_s,
        state=ReservationState.HELD,
        created_by=caller.user_name,
        created_at_s=now_s,
        layout=size.layout if size else NO_LAYOUT,
        traits=size.traits if size else (),
    )


def request_of(reservation: Reservation, beside: Sequence[HostId] = ()) -> PlacementRequest:
    """Return the machines of a reservation as the scheduler is asked for them; ``beside``: hosts of those that have a place."""
    member = MemberRequest(
        name="",
        group=_GROUP,
        compute=compute_of(reservation.vcpu_count, reservation.memory_mib, reservation.layout),
        disks=((reservation.disk_class, reservation.disk_gib),) if reservation.disk_gib else (),
        arch=reservation.arch,
        traits=reservation.traits,
        layout=reservation.layout,
    )
    return PlacementRequest(
        zone_id=reservation.zone_id,
        mlps_level=reservation.mlps_level,
        members=tuple(replace(member, name=f"{reservation.name}-{n}") for n in range(1, reservation.count + 1)),
        rules=(GroupRule(group=_GROUP, spread=reservation.spread, is_hard=True, existing_host_ids=tuple(beside)),)
        if reservation.spread is not SpreadLevel.NONE
        else (),
    )
