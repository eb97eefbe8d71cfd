"""Sums over the whole inventory for the metrics room: few rows out, whatever the number of machines.

Each function is one read of its own, so that the collector can let writers in between.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, select

from inventory.domain.host import AdminState, Reachability
from inventory.domain.reservation import ReservationState
from inventory.domain.resource import Phase
from inventory.domain.system import SystemState
from inventory.store import reservations as reservation_store
from inventory.store import tables as t
from inventory.store.hosts import IS_COARSE

_H = t.hosts.c
_R = t.resources.c
_I = t.inventories.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One dimension of the hosts in service of a pool."""

    pool: str
    zone: str
    dimension: str
    #: What may be promised, reserve and overcommit applied.
    capacity: int
    used: int
    foreign_used: int
    held_reserve: int
    held_reservations: int
    #: What can be promised now: only hosts that are active and reachable, none below zero.
    free: int
    #: What is promised and foreign beyond the capacity of its host: what is held is not taken yet.
    over: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceCount:
    """Resources of one kind on the hosts of one pool in one state; the gone ones are counted too."""

    kind: str
    #: Empty where a resource has no host.
    pool_id: str
    phase: str
    observed: str
    count: int
    #: Rows of the journal that tell of them.
    journal_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCount:
    """Holds on resources."""

    held: int
    #: Ran out and not taken over yet.
    expired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressCount:
    """Subnets and addresses of one zone."""

    zone: str
    address_range: str
    segment_prefix: int
    subnets: int
    given: int
    resting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseCount:
    """Living systems by the end of their lease."""

    expired: int
    #: Ends within 7 days, and within 30 days (these count both); the expired ones are not among them.
    within_7_days: int
    within_30_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeRoom:
    """What one provider of a host that accepts machines has free of one dimension; never below zero."""

    pool: str
    zone: str
    host_id: str
    dimension: str
    free: int


def free_rooms(connection: Connection) -> list[FreeRoom]:
    """Return what is free, by host: one row for each of its dimensions and storage pools."""
    left = _I.capacity - _I.used - _I.foreign_used - _I.held_reserve - _I.held_reservations
    statement = (
        select(t.pools.c.code, t.zones.c.code, _I.host_id, _I.dimension, left)
        .select_from(t.inventories.join(t.hosts, _H.id == _I.host_id).join(t.pools).join(t.zones))
        .where(_H.admin_state == AdminState.ACTIVE.value, _H.reachability == Reachability.REACHABLE.value, IS_COARSE)
    )
    return [FreeRoom(pool=a, zone=b, host_id=c, dimension=d, free=max(0, n)) for a, b, c, d, n in connection.execute(statement)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationCount:
    """Living reservations by where they stand in time, and the machines they are still for by zone (every zone is named)."""

    coming: int
    open: int
    overdue: int
    machines: Mapping[str, int]
    #: Of these, machines that have no good place.
    astray: Mapping[str, int]


def reservations(connection: Connection, now_s: float) -> ReservationCount:
    """Count living reservations."""
    r, s = t.reservations.c, t.reservation_slots.c
    statement = select(
        func.count().filter(r.starts_s > now_s),
        func.count().filter(r.starts_s <= now_s, r.ends_s > now_s),
        func.count().filter(r.ends_s <= now_s),
    ).where(r.state == ReservationState.HELD.value)
    coming, open_, overdue = connection.execute(statement).one()
    joined = t.zones.outerjoin(t.reservations, r.zone_id == t.zones.c.id).outerjoin(t.reservation_slots, s.reservation_id == r.id)
    machines = select(t.zones.c.code, func.count(s.slot)).select_from(joined).group_by(t.zones.c.code)
    counts = {r[0]: int(r[1]) for r in connection.execute(machines)}
    ids = [slot.reservation_id for slot in reservation_store.astray(connection)]
    zones = select(r.id, t.zones.c.code).join(t.zones, r.zone_id == t.zones.c.id).where(r.id.in_(sorted(set(ids))))
    zone_of = {row[0]: row[1] for row in connection.execute(zones)}
    astray = dict.fromkeys(counts, 0) | Counter(zone_of[id_] for id_ in ids)
    return ReservationCount(coming=coming, open=open_, overdue=overdue, machines=counts, astray=astray)


def rooms(connection: Connection) -> list[Room]:
    """Return capacity, claims, foreign use and what is free, by pool and dimension; retired hosts are left out."""
    left = _I.capacity - _I.used - _I.foreign_used - _I.held_reserve - _I.held_reservations
    taken = _I.used + _I.foreign_used
    is_accepting = and_(_H.admin_state == AdminState.ACTIVE.value, _H.reachability == Reachability.REACHABLE.value)
    statement = (
        select(
            t.pools.c.code.label("pool"),
            t.zones.c.code.label("zone"),
            _I.dimension,
            func.sum(_I.capacity).label("capacity"),
            func.sum(_I.used).label("used"),
            func.sum(_I.foreign_used).label("foreign_used"),
            func.sum(_I.held_reserve).label("held_reserve"),
            func.sum(_I.held_reservations).label("held_reservations"),
            func.sum(case((and_(is_accepting, left > 0), left), else_=0)).label("free"),
            func.sum(case((taken > _I.capacity, taken - _I.capacity), else_=0)).label("over"),
        )
        .select_from(t.inventories.join(t.hosts, _H.id == _I.host_id).join(t.pools).join(t.zones))
        .where(_H.admin_state != AdminState.RETIRED.value, IS_COARSE)
        .group_by(t.pools.c.code, t.zones.c.code, _I.dimension)
    )
    return [
        Room(
            pool=r.pool,
            zone=r.zone,
            dimension=r.dimension,
            # PostgreSQL sums 64-bit integers to a decimal.
            capacity=int(r.capacity),
            used=int(r.used),
            foreign_used=int(r.foreign_used),
            held_reserve=int(r.held_reserve),
            held_reservations=int(r.held_reservations),
            free=int(r.free),
            over=int(r.over),
        )
        for r in connection.execute(statement)
    ]


def host_counts(connection: Connection) -> list[tuple[str, str, str, str, int]]:
    """Return (pool, zone, admin state, reachability, count)."""
    key = (t.pools.c.code, t.zones.c.code, _H.admin_state, _H.reachability)
    statement = select(*key, func.count()).select_from(t.hosts.join(t.pools).join(t.zones)).group_by(*key)
    return [(a, b, c, d, e) for a, b, c, d, e in connection.execute(statement)]


def unreachable_hosts(connection: Connection, limit: int) -> list[tuple[str, str, str]]:
    """Return (host, pool, zone) of up to ``limit`` hosts that should answer and do not, by name."""
    resting = (AdminState.MAINTENANCE.value, AdminState.RETIRED.value)
    statement = (
        select(_H.name, t.pools.c.code, t.zones.c.code)
        .select_from(t.hosts.join(t.pools).join(t.zones))
        .where(_H.reachability == Reachability.UNREACHABLE.value, _H.admin_state.not_in(resting))
        .order_by(_H.name)
        .limit(limit)
    )
    return [(a, b, c) for a, b, c in connection.execute(statement)]


def overdue_hosts(connection: Connection, now_s: float, limit: int) -> list[tuple[str, str, str, str, int]]:
    """Return (host, pool, zone, admin state, until when it was to last) of up to ``limit`` hosts past that, the longest first."""
    statement = (
        select(_H.name, t.pools.c.code, t.zones.c.code, _H.admin_state, _H.state_until_s)
        .select_from(t.hosts.join(t.pools).join(t.zones))
        .where(_H.state_until_s <= now_s)
        .order_by(_H.state_until_s, _H.name)
        .limit(limit)
    )
    return [(a, b, c, d, e) for a, b, c, d, e in connection.execute(statement)]


def pool_codes(connection: Connection) -> dict[str, tuple[str, str]]:
    """Return (pool, zone) by pool id."""
    statement = select(t.pools.c.id, t.pools.c.code, t.zones.c.code).select_from(t.pools.join(t.zones))
    return {a: (b, c) for a, b, c in connection.execute(statement)}


def resource_counts(connection: Connection) -> list[ResourceCount]:
    """Return resources and journal rows, out of an index alone.

    Summed up by host first, which the index has in order: joined before, every row would look its host up and be sorted.
    """
    of_host = (
        select(
            _R.host_id, _R.kind, _R.phase, _R.observed, func.count().label("rows"), func.sum(_R.revision).label("journal_rows")
        )
        .group_by(_R.host_id, _R.kind, _R.phase, _R.observed)
        .subquery()
    ).c
    pool_id = func.coalesce(_H.pool_id, "").label("pool_id")
    key = (of_host.kind, pool_id, of_host.phase, of_host.observed)
    sums = [func.sum(of_host[name]).label(name) for name in ("rows", "journal_rows")]
    joined = of_host.kind.table.outerjoin(t.hosts, _H.id == of_host.host_id)
    statement = select(*key, *sums).select_from(joined).group_by(*key)
    return [
        ResourceCount(
            kind=r.kind,
            pool_id=r.pool_id,
            phase=r.phase,
            observed=r.observed,
            # PostgreSQL sums sums to a decimal.
            count=int(r.rows),
            journal_rows=int(r.journal_rows),
        )
        for r in connection.execute(statement)
    ]


def hold_counts(connection: Connection, now_s: float) -> HoldCount:
    """Count holds."""
    statement = select(
        func.count().filter(_R.hold_until_s > now_s).label("held"), func.count().filter(_R.hold_until_s <= now_s).label("expired")
    )
    found = connection.execute(statement.where(_R.owner != "")).one()
    return HoldCount(held=found.held, expired=found.expired)


def address_counts(connection: Connection, now_s: float) -> list[AddressCount]:
    """Return subnets and addresses in use, by zone; an address that has rested enough is free again."""
    a, s, z = t.addresses.c, t.subnets.c, t.zones.c
    is_resting = and_(a.resource_id.is_(None), a.quarantine_until_s > now_s)
    # By segment first: the key of addresses has them in that order.
    of_segment = (
        select(
            a.segment_id,
            func.sum(case((a.resource_id.is_not(None), 1), else_=0)).label("given"),
            func.sum(case((is_resting, 1), else_=0)).label("resting"),
        )
        .group_by(a.segment_id)
        .subquery()
    )
    sums = [func.sum(of_segment.c[name]).label(name) for name in ("given", "resting")]
    joined = of_segment.join(t.subnets, s.segment_id == of_segment.c.segment_id)
    statement = select(s.zone_id, *sums).select_from(joined).group_by(s.zone_id)
    used = {r.zone_id: (int(r.given), int(r.resting)) for r in connection.execute(statement)}
    blocks = connection.execute(select(s.zone_id, func.count().label("given")).group_by(s.zone_id))
    subnets = {r.zone_id: r.given for r in blocks}
    zones = connection.execute(select(z.id, z.code, z.address_range, z.segment_prefix).order_by(z.code))
    return [
        AddressCount(
            zone=r.code,
            address_range=r.address_range,
            segment_prefix=r.segment_prefix,
            subnets=subnets.get(r.id, 0),
            given=used.get(r.id, (0, 0))[0],
            resting=used.get(r.id, (0, 0))[1],
        )
        for r in zones
    ]


def open_findings(connection: Connection) -> list[tuple[str, int, float]]:
    """Return (kind, count, when the oldest was first seen) of open findings."""
    f = t.findings.c
    statement = select(f.kind, func.count(), func.min(f.first_seen_s)).where(f.state == "open").group_by(f.kind)
    return [(a, b, c) for a, b, c in connection.execute(statement)]


def lease_counts(connection: Connection, now_s: float) -> LeaseCount:
    """Return how many living systems are at or near the end of their lease."""
    end, day_s = t.systems.c.lease_end_s, 86_400
    statement = select(
        func.count().filter(end <= now_s),
        func.count().filter(end > now_s, end <= now_s + 7 * day_s),
        func.count().filter(end > now_s, end <= now_s + 30 * day_s),
    ).where(t.systems.c.state != SystemState.RELEASED.value)
    expired, within_7_days, within_30_days = connection.execute(statement).one()
    return LeaseCount(expired=expired, within_7_days=within_7_days, within_30_days=within_30_days)


def living(rows: Sequence[ResourceCount], kind: str) -> list[ResourceCount]:
    """Return the counts of one kind without the gone ones."""
    return [r for r in rows if r.kind == kind and r.phase != Phase.GONE.value]
