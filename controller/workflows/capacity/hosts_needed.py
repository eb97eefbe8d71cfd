"""How many hosts of one shape a list of tickets needs, when it is placed on nothing but such hosts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.scheduling.decide import choose
from controller.scheduling.fleet import Fleet
from controller.scheduling.snapshot import HostEntry, SnapshotBuilder, StorageEntry
from controller.workflows.deltas import deltas
from controller.workflows.obligation import spec_amounts
from controller.workflows.place import placement_request
from controller.workflows.platform import Platform
from controller.workflows.reading import Reader
from controller.workflows.wish import parse, read_wish
from inventory.domain.errors import Invalid
from inventory.domain.host import AdminState, Host, HostFacts, Pool, Reachability, StoragePool, Zone
from inventory.domain.ids import HostId, PoolId, StoragePoolId
from inventory.domain.layout import NO_LAYOUT
from inventory.domain.placement import MemberRequest, PlacementRequest
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU, Resources, counted_as, disk_dimension

TICKETS_MAX = 500
HOSTS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShape:
    """What may be promised on one such host, overcommit applied."""

    vcpu_count: int
    memory_mib: int
    #: GiB by disk class.
    disks_gib: Mapping[str, int]
    arch: str = "x86_64"
    #: Hosts of one rack.
    per_rack: int = 1

    def amounts(self) -> dict[str, int]:
        """Return it by dimension."""
        return {VCPU: self.vcpu_count, MEMORY_MIB: self.memory_mib, **{disk_dimension(c): n for c, n in self.disks_gib.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneNeed:
    """Hosts of one zone: enough to place everything, and what no packing can do without."""

    zone: str
    host_count: int
    lower_bound: int
    machine_count: int


def hosts_needed(
    connection: Connection, platform: Platform, documents: Sequence[bytes], shape: HostShape, caller: Caller
) -> list[ZoneNeed]:
    """Place what the tickets add, zone by zone, on as few empty hosts of a shape as the scheduler manages with.

    Raises:
        Invalid: ``capacity.*``, or a ticket's own problems.
        Unplaceable: never; what fits on no such host is ``capacity.larger_than_shape``.
    """
    _check(documents, shape)
    asked: dict[str, list[PlacementRequest]] = {}
    amounts: dict[str, dict[str, int]] = {}
    zones: dict[str, Zone] = {}
    reader = Reader(connection)
    for data in documents:
        wish = read_wish(reader, parse(platform, data), caller)
        if wish.wanted is None:
            continue
        archs = {name: image.arch for name, image in wish.images.items()}
        changes = deltas([], wish.wanted)
        zones[wish.zone.code] = wish.zone
        request = placement_request(wish.wanted, wish.zone, changes, [], archs)
        asked.setdefault(wish.zone.code, []).append(_by_amounts(request))
        sums = amounts.setdefault(wish.zone.code, {})
        for dimension, amount in spec_amounts(wish.wanted).items():
            sums[dimension] = sums.get(dimension, 0) + amount
    return [_need(zones[code], asked[code], amounts[code], shape, platform) for code in sorted(asked)]


def _by_amounts(request: PlacementRequest) -> PlacementRequest:
    """Return the request by its amounts: hosts to be bought are taken to have the cells and traits it asks for."""

    def plain(member: MemberRequest) -> MemberRequest:
        amounts = {counted_as(dimension): amount for dimension, amount in member.compute.amounts}
        return replace(member, compute=Resources.of(amounts), layout=NO_LAYOUT, traits=())

    return replace(request, members=tuple(plain(m) if m.layout or m.traits else m for m in request.members))


def _check(documents: Sequence[bytes], shape: HostShape) -> None:
    if not 1 <= len(documents) <= TICKETS_MAX:
        raise Invalid("capacity.tickets_count", count=len(documents), highest=TICKETS_MAX)
    lowest = {VCPU: 1, MEMORY_MIB: 1}
    for dimension, amount in {**shape.amounts(), "per_rack": shape.per_rack}.items():
        if amount < lowest.get(dimension, 1):
            raise Invalid("capacity.amount_invalid", dimension=dimension, amount=amount, lowest=lowest.get(dimension, 1))


def _need(
    zone: Zone, asked: Sequence[PlacementRequest], amounts: Mapping[str, int], shape: HostShape, platform: Platform
) -> ZoneNeed:
    room = shape.amounts()
    for dimension, amount in amounts.items():
        if amount and dimension != "address" and not room.get(dimension):
            raise Invalid("capacity.larger_than_shape", dimension=dimension, zone=zone.code)
    volume = max((-(-amount // room[d]) for d, amount in amounts.items() if d in room), default=0)
    machines = sum(len(r.members) for r in asked)
    # The largest first: what is hard to place goes into empty hosts.
    order = sorted(asked, key=lambda r: -max((_share(m.compute.amounts, m.disks, room) for m in r.members), default=0.0))
    low, high = max(1, volume) - 1, max(1, volume)
    while not _fits(order, zone, shape, high, platform):
        if high >= min(HOSTS_MAX, max(1, volume) + 2 * machines):
            raise Invalid("capacity.larger_than_shape", dimension="", zone=zone.code)
        low, high = high, min(HOSTS_MAX, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _fits(order, zone, shape, middle, platform) else (middle, high)
    return ZoneNeed(zone=zone.code, host_count=high, lower_bound=max(1, volume), machine_count=machines)


def _share(compute: Sequence[tuple[str, int]], disks: Sequence[tuple[str, int]], room: Mapping[str, int]) -> float:
    parts = [amount / room[d] for d, amount in compute if room.get(d)]
    parts += [size / room[DISK_PREFIX + c] for c, size in disks if room.get(DISK_PREFIX + c)]
    return max(parts, default=0.0)


def _fits(order: Sequence[PlacementRequest], zone: Zone, shape: HostShape, count: int, platform: Platform) -> bool:
    builder = SnapshotBuilder()
    for number in range(count):
        builder.add_host(_host(zone, shape, number))
    fleet = Fleet(builder.build(revision="what-if"))
    for request in order:
        if choose(request, fleet, platform.policy) is None:
            return False
        fleet.keep()
    return True


def _host(zone: Zone, shape: HostShape, number: int) -> HostEntry:
    pool = Pool(id=PoolId("pool_what_if"), code="what-if", name="", zone_id=zone.id, driver="", mlps_max=zone.mlps_max)
    host_id = HostId(f"host_{number:08d}")
    facts = HostFacts(hostname="", arch=shape.arch, virtualisation="", cpu_count=shape.vcpu_count, memory_mib=shape.memory_mib)
    host = Host(
        id=host_id,
        name=f"host-{number + 1}",
        pool_id=pool.id,
        connection="",
        admin_state=AdminState.ACTIVE,
        reachability=Reachability.REACHABLE,
        facts=facts,
        rack=f"rack-{number // shape.per_rack + 1}",
    )
    storage = [
        StorageEntry(
            pool=StoragePool(id=StoragePoolId(f"stor_{number:08d}_{c}"), host_id=host_id, name=c, disk_class=c),
            capacity_gib=gib,
            used_gib=0,
        )
        for c, gib in sorted(shape.disks_gib.items())
    ]
    capacity = {VCPU: shape.vcpu_count, MEMORY_MIB: shape.memory_mib}
    return HostEntry(host=host, pool=pool, zone=zone, capacity=capacity, used={}, storage=storage)
