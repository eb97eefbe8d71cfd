"""Segments, their subnets, and the addresses given to machines."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Float, FromClause, Select, Text, and_, bindparam, delete, func, or_, select, update

from inventory.domain.ids import DepartmentId, HostId, ResourceId, ZoneId
from inventory.domain.resource import Resource
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.resources import from_row
from inventory.store.tables import LIVING_SEGMENT

_A = t.addresses.c
_R = t.resources.c
#: Where a segment is: on this host, by this name.
_PLACE: bulk.Columns = (("host_id", Text), ("name", Text))
_ADDRESSES = select(t.addresses).where(_A.segment_id.in_(bindparam("segments", expanding=True))).order_by(_A.address)
_SUBNETS = select(t.subnets.c.cidr)
#: Every living segment with its count; an address whose rest is over does not count.
_ROOMS = (
    select(_R.host_id, _R.name, t.subnets.c.cidr, func.count(_A.address).label("held_count"))
    .select_from(t.resources)
    .join(t.subnets, t.subnets.c.segment_id == _R.id)
    .outerjoin(
        t.addresses,
        and_(_A.segment_id == _R.id, or_(_A.resource_id.is_not(None), _A.quarantine_until_s > bindparam("now", type_=Float))),
    )
    .where(_R.department_id == bindparam("department"), LIVING_SEGMENT)
    .group_by(_R.host_id, _R.name, t.subnets.c.cidr)
)
_ROOMS_ON = _ROOMS.where(_R.host_id.in_(bindparam("hosts", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address in the hands of a machine, or resting."""

    segment_id: ResourceId
    address: str
    mac: str
    resource_id: ResourceId | None
    hostname: str
    quarantine_until_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How full a living segment is."""

    host_id: HostId
    name: str
    cidr: str
    #: Addresses that machines hold, or that rest.
    held_count: int


def segments_of(connection: Connection, department_id: DepartmentId, places: Collection[tuple[HostId, str]]) -> list[Resource]:
    """Return the living segments of a department by (host, name), locked: none of them dies before the transaction ends."""
    values = bulk.given_values(connection, list(places), _PLACE)
    found = connection.execute(_segments_of(bulk.given(connection, _PLACE)), {"department": department_id, **values})
    return [from_row(row) for row in found]


@cache
def _segments_of(given: FromClause) -> Select[Any]:
    # In the words and the order of the index: otherwise every machine of the department would be looked at.
    is_there = and_(_R.department_id == bindparam("department"), _R.host_id == given.c.host_id, _R.name == given.c.name)
    wanted = select(t.resources).join(given, and_(is_there, LIVING_SEGMENT))
    return wanted.order_by(_R.host_id, _R.name).with_for_update(of=t.resources)


def rooms(
    connection: Connection, department_id: DepartmentId, now_s: float, host_ids: Collection[HostId] | None = None
) -> list[Room]:
    """Return how full the living segments of a department are, on these hosts or on all; nothing is locked."""
    values = {"department": department_id, "now": now_s}
    if host_ids is None:
        found = connection.execute(_ROOMS, values)
    else:
        found = connection.execute(_ROOMS_ON, {**values, "hosts": list(host_ids)})
    return [Room(**row._mapping) for row in found]


def subnets_taken(connection: Connection) -> list[str]:
    """Return every subnet in use on the platform."""
    return list(connection.execute(_SUBNETS).scalars())


def take_subnets(connection: Connection, zone_id: ZoneId, blocks: Mapping[ResourceId, str]) -> None:
    """Give subnets (by segment) out; the primary key refuses to give one twice."""
    rows = [{"cidr": cidr, "zone_id": zone_id, "segment_id": segment_id} for segment_id, cidr in blocks.items()]
    bulk.insert_many(connection, t.subnets, rows)


def release_segment(connection: Connection, segment_id: ResourceId) -> None:
    """Give back a segment's subnet and forget its resting addresses."""
    connection.execute(delete(t.addresses).where(_A.segment_id == segment_id, _A.resource_id.is_(None)))
    connection.execute(delete(t.subnets).where(t.subnets.c.segment_id == segment_id))


def addresses(connection: Connection, segment_ids: Collection[ResourceId]) -> dict[ResourceId, list[Address]]:
    """Return what is given or rests in each segment, by address."""
    found: dict[ResourceId, list[Address]] = {s: [] for s in segment_ids}
    for row in connection.execute(_ADDRESSES, {"segments": list(segment_ids)}):
        found[row.segment_id].append(Address(**row._mapping))
    return found


def give(connection: Connection, rows: Sequence[Address], *, resting: Collection[tuple[ResourceId, str]] = ()) -> bool:
    """Give addresses; those in ``resting`` (segment, address) have an old row. False: somebody else was faster."""
    fields = ("segment_id", "address", "mac", "resource_id", "hostname", "quarantine_until_s")
    fresh = [r for r in rows if (r.segment_id, r.address) not in resting]
    bulk.insert_many(connection, t.addresses, [{f: getattr(r, f) for f in fields} for r in fresh])
    for row in rows:
        if (row.segment_id, row.address) in resting:
            statement = (
                update(t.addresses)
                .where(_A.segment_id == row.segment_id, _A.address == row.address, _A.resource_id.is_(None))
                .values(mac=row.mac, resource_id=row.resource_id, hostname=row.hostname, quarantine_until_s=None)
            )
            if connection.execute(statement).rowcount != 1:
                return False
    return True


def rest(connection: Connection, resource_id: ResourceId, until_s: float) -> list[ResourceId]:
    """Take a machine's addresses back and let them rest; returns the segments they are in."""
    statement = (
        update(t.addresses)
        .where(_A.resource_id == resource_id)
        .values(resource_id=None, quarantine_until_s=until_s)
        .returning(_A.segment_id)
    )
    return sorted({ResourceId(s) for s in connection.execute(statement).scalars()})


def rest_in(
    connection: Connection, resource_id: ResourceId, segment_ids: Collection[ResourceId], until_s: float
) -> list[ResourceId]:
    """Let a machine's addresses in these segments rest, and no others; returns the segments they are in."""
    statement = (
        update(t.addresses)
        .where(_A.resource_id == resource_id, _A.segment_id.in_(list(segment_ids)))
        .values(resource_id=None, quarantine_until_s=until_s)
        .returning(_A.segment_id)
    )
    return sorted({ResourceId(s) for s in connection.execute(statement).scalars()})


def in_use(connection: Connection, segment_ids: Iterable[ResourceId]) -> Mapping[ResourceId, int]:
    """Return how many machines each segment serves."""
    wanted = list(segment_ids)
    counts = dict.fromkeys(wanted, 0)
    statement = select(_A.segment_id).where(_A.segment_id.in_(wanted), _A.resource_id.is_not(None))
    for segment_id in connection.execute(statement).scalars():
        counts[ResourceId(segment_id)] += 1
    return counts
