"""Segments, their subnets, and the addresses given to machines."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update

from inventory.domain.ids import DepartmentId, HostId, ResourceId, ZoneId
from inventory.domain.resource import Phase, Resource
from inventory.store import tables as t
from inventory.store.resources import from_row

_A = t.addresses.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address in the hands of a machine, or resting."""

    segment_id: ResourceId
    address: str
    mac: str
    resource_id: ResourceId | None
    hostname: str
    quarantine_until_s: float | None


def segments_of(connection: Connection, department_id: DepartmentId, host_ids: Collection[HostId]) -> list[Resource]:
    """Return the living segments of a department on these hosts, locked: none of them dies before the transaction ends."""
    r = t.resources.c
    statement = (
        select(t.resources)
        .where(r.kind == "segment", r.department_id == department_id, r.host_id.in_(list(host_ids)), r.phase != Phase.GONE.value)
        .order_by(r.id)
        .with_for_update()
    )
    return [from_row(row) for row in connection.execute(statement)]


def subnets_taken(connection: Connection) -> list[str]:
    """Return every subnet in use on the platform."""
    return list(connection.execute(select(t.subnets.c.cidr)).scalars())


def take_subnet(connection: Connection, *, cidr: str, zone_id: ZoneId, segment_id: ResourceId) -> None:
    """Give a subnet to a segment; the primary key refuses to give it twice."""
    connection.execute(t.subnets.insert().values(cidr=cidr, zone_id=zone_id, segment_id=segment_id))


def release_segment(connection: Connection, segment_id: ResourceId) -> None:
    """Give back a segment's subnet and forget its resting addresses."""
    connection.execute(delete(t.addresses).where(_A.segment_id == segment_id, _A.resource_id.is_(None)))
    connection.execute(delete(t.subnets).where(t.subnets.c.segment_id == segment_id))


def addresses(connection: Connection, segment_ids: Collection[ResourceId]) -> dict[ResourceId, list[Address]]:
    """Return what is given or rests in each segment, by address."""
    found: dict[ResourceId, list[Address]] = {s: [] for s in segment_ids}
    statement = select(t.addresses).where(_A.segment_id.in_(list(segment_ids))).order_by(_A.address)
    for row in connection.execute(statement):
        found[row.segment_id].append(Address(**row._mapping))
    return found


def give(connection: Connection, rows: Sequence[Address], *, resting: Collection[str] = ()) -> bool:
    """Give addresses of one segment; those in ``resting`` have an old row. False: somebody else was faster."""
    fresh = [r for r in rows if r.address not in resting]
    if fresh:
        fields = ("segment_id", "address", "mac", "resource_id", "hostname", "quarantine_until_s")
        connection.execute(t.addresses.insert(), [{f: getattr(r, f) for f in fields} for r in fresh])
    for row in rows:
        if row.address in resting:
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


def in_use(connection: Connection, segment_ids: Iterable[ResourceId]) -> Mapping[ResourceId, int]:
    """Return how many machines each segment serves."""
    wanted = list(segment_ids)
    counts = dict.fromkeys(wanted, 0)
    statement = select(_A.segment_id).where(_A.segment_id.in_(wanted), _A.resource_id.is_not(None))
    for segment_id in connection.execute(statement).scalars():
        counts[ResourceId(segment_id)] += 1
    return counts
