"""How many more machines of a size fit: per pool, zone and MLPS level, exact, with spread and what is held."""

from dataclasses import dataclass

from sqlalchemy import Connection

from controller.scheduling.cells import SeatAsk
from controller.scheduling.fit_count import Shape, count_by_pool
from controller.workflows.hosts import pool_by_code
from controller.workflows.place import load_snapshot
from inventory.domain.errors import Invalid, NotFound
from inventory.domain.layout import NO_LAYOUT, compute_of
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from inventory.store import directory

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FitLine:
    """How many more fit in one pool."""

    pool: str
    zone: str
    mlps_max: int
    count: int
    #: If the pool were one large host: the difference is lost to fragmentation.
    pooled_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FitAnswer:
    """Pools, and sums by zone and MLPS level."""

    shape: Shape
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


def how_many_more(connection: Connection, question: FitQuestion) -> FitAnswer:
    """Count on the state as it is now.

    Raises:
        NotFound: ``size.not_found``, ``pool.not_found``, ``zone.not_found``.
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
    found = {f.pool_id: f for f in count_by_pool(shape, snapshot, spread=question.spread)}
    lines = tuple(
        FitLine(
            pool=pool.code,
            zone=zones[pool.zone_id].code,
            mlps_max=min(pool.mlps_max, zones[pool.zone_id].mlps_max),
            count=found[pool.id].count if pool.id in found else 0,
            pooled_count=found[pool.id].pooled_count if pool.id in found else 0,
        )
        for pool in sorted(chosen.values(), key=lambda p: p.code)
    )
    sums = {(line.zone, level): 0 for line in lines for level in LEVELS if level <= line.mlps_max}
    for line in lines:
        for level in LEVELS:
            if level <= line.mlps_max:
                sums[line.zone, level] += line.count
    return FitAnswer(shape=shape, pools=lines, levels=tuple((z, level, n) for (z, level), n in sorted(sums.items())))
