"""How many more machines of a size fit: per pool, zone and MLPS level, exact, with spread and what is held."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from controller.networks import address_plan
from controller.scheduling.address_fit import AddressFit
from controller.scheduling.cells import SeatAsk
from controller.scheduling.fit_count import Counter, Shape, count_by_pool
from controller.scheduling.snapshot import Snapshot
from controller.workflows.hosts import pool_by_code
from controller.workflows.place import load_snapshot
from controller.workflows.segments import segment_name
from inventory.domain.errors import Invalid, NotFound
from inventory.domain.host import Pool, Zone
from inventory.domain.ids import ZoneId
from inventory.domain.layout import NO_LAYOUT, compute_of
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from inventory.store import directory, networks

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitQuestion:
    """A size by name, or amounts; where, and how far apart."""

    size: str = ""
    vcpu_count: int = 0
    memory_mib: int = 0
    #: None: the root disk of the size, or no disk.
    disk_gib: int | None = None
    disk_class: str = "standard"
    arch: str = "any"
    #: Codes; empty for all.
    pool: str = ""
    zone: str = ""
    spread: SpreadLevel = SpreadLevel.NONE
    #: Code of the department whose machines they are, empty for any; and their network there.
    department: str = ""
    network: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitLine:
    """How many more fit in one pool."""

    pool: str
    zone: str
    mlps_max: int
    count: int
    #: If the pool were one large host: the difference is lost to fragmentation.
    pooled_count: int
    #: What there is not enough of for more (``PoolFit.limit``).
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitAnswer:
    """Pools, and sums by zone and MLPS level.

    Pools of a zone share its blocks of addresses: a sum may be less than that of its pools.
    """

    shape: Shape
    #: Whose addresses were counted; where no department was named, those of networks that begin with new segments.
    department: str
    network: str
    pools: tuple[FitLine, ...]
    #: (zone, level, count): machines of a system of that level.
    levels: tuple[tuple[str, int, int], ...]


def shape_of(connection: Connection, question: FitQuestion) -> Shape:
    """Return the machine a question is about.

    Raises:
        NotFound: ``size.not_found``.
        Invalid: ``capacity.amount_invalid``: nothing, or a negative amount.
    """
    size = next((s for s in directory.sizes(connection) if s.name == question.size), None)
    if question.size and size is None:
        raise NotFound("size.not_found", size=question.size, known=", ".join(s.name for s in directory.sizes(connection)))
    vcpu = size.vcpu_count if size else question.vcpu_count
    memory = size.memory_mib if size else question.memory_mib
    disk = question.disk_gib if question.disk_gib is not None else size.root_disk_gib if size else 0
    for dimension, amount, lowest in ((VCPU, vcpu, 1), (MEMORY_MIB, memory, 1), ("disk_gib", disk, 0)):
        if amount < lowest:
            raise Invalid("capacity.amount_invalid", dimension=dimension, amount=amount, lowest=lowest)
    layout = size.layout if size else NO_LAYOUT
    return Shape(
        ask=compute_of(vcpu, memory, layout).amounts,
        disk_gib=disk,
        disk_class=question.disk_class,
        arch=question.arch,
        seat=SeatAsk(layout=layout, vcpu_count=vcpu, memory_mib=memory) if layout else None,
        traits=size.traits if size else (),
    )


def how_many_more(connection: Connection, question: FitQuestion, now_s: float) -> FitAnswer:
    """Count on the state as it is now.

    Raises:
        NotFound: ``size.not_found``, ``pool.not_found``, ``zone.not_found``, ``department.not_found``.
        Invalid: ``capacity.amount_invalid``.
    """
    shape = shape_of(connection, question)
    pools = directory.pools(connection)
    zones = {z.id: z for z in directory.zones(connection)}
    if question.zone and question.zone not in {z.code for z in zones.values()}:
        raise NotFound("zone.not_found", zone=question.zone, known=", ".join(z.code for z in zones.values()))
    asked = {pool_by_code(pools, question.pool).id} if question.pool else {p.id for p in pools}
    chosen = {p.id: p for p in pools if p.id in asked and question.zone in ("", zones[p.zone_id].code)}
    snapshot = load_snapshot(connection)
    rooms = address_fits(connection, question, snapshot, zones.values(), now_s)
    by_pool = {p.id: rooms[p.zone_id] for p in pools}
    found = {f.pool_id: f for f in count_by_pool(shape, snapshot, spread=question.spread, addresses=by_pool)}
    lines = tuple(
        FitLine(
            pool=pool.code,
            zone=zones[pool.zone_id].code,
            mlps_max=min(pool.mlps_max, zones[pool.zone_id].mlps_max),
            count=found[pool.id].count if pool.id in found else 0,
            pooled_count=found[pool.id].pooled_count if pool.id in found else 0,
            limit=found[pool.id].limit if pool.id in found else "",
        )
        for pool in sorted(chosen.values(), key=lambda p: p.code)
    )
    is_named = bool(question.department)
    return FitAnswer(
        shape=shape,
        department=question.department,
        network=question.network if is_named else "",
        pools=lines,
        levels=tuple(_levels(Counter(shape, snapshot, spread=question.spread), chosen.values(), zones, rooms)),
    )


def _levels(
    counter: Counter, pools: Iterable[Pool], zones: Mapping[ZoneId, Zone], rooms: Mapping[ZoneId, AddressFit]
) -> Iterator[tuple[str, int, int]]:
    """Yield (zone, level, count): pools of a zone together."""
    own: dict[ZoneId, list[Pool]] = {}
    for pool in pools:
        own.setdefault(pool.zone_id, []).append(pool)
    for zone in sorted((zones[zone_id] for zone_id in own), key=lambda z: z.code):
        for level in LEVELS:
            able = [p.id for p in own[zone.id] if level <= min(p.mlps_max, zone.mlps_max)]
            if able:
                yield zone.code, level, counter.count(able, rooms[zone.id])


def address_fits(
    connection: Connection, question: FitQuestion, snapshot: Snapshot, zones: Iterable[Zone], now_s: float
) -> dict[ZoneId, AddressFit]:
    """Return what addresses there are in each zone for machines of the department that was named, or for new networks.

    Raises:
        NotFound: ``department.not_found``.
    """
    taken = networks.subnets_taken(connection)
    rooms: list[networks.Room] = []
    if question.department:
        department = directory.department_by_code(connection, question.department)
        rooms = networks.rooms(connection, department.id, now_s)
    found, home_count = {}, len(snapshot.homes) or snapshot.host_count
    for zone in zones:
        name, left = segment_name(zone.code, question.network), np.full(home_count, -1, dtype=np.int64)
        for room in rooms:
            if room.name == name and room.host_id in snapshot.home_number:
                left[snapshot.home_number[room.host_id]] = max(0, address_plan.usable_count(room.cidr) - room.held_count)
        found[zone.id] = AddressFit(
            segment_size=address_plan.usable_count(zone.segment_prefix),
            block_count=address_plan.free_count(zone.address_range, zone.segment_prefix, taken),
            left=left if question.department else None,
            homes=snapshot.home_index if snapshot.homes else None,
        )
    return found
