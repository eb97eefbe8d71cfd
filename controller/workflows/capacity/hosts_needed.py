"""How many hosts of one shape a list of tickets needs, when it is placed on nothing but such hosts.

Addresses count: on each host a network of a department is a segment of its own, which holds so many machines and takes one of
the blocks that are free in its zone now.

With a reserve (N+1) some of the hosts stand by. Hosts that are all alike cover each other, so it takes as many domains as the
reserve counts: hosts, or racks as large as the largest that works. Which ones matters to groups with rules by rack where hosts
stand by: the pool's own choice (``standby.choose_standby``) is the first of equals, so the first hosts of the first rack.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.networks import address_plan
from controller.scheduling.decide import choose
from controller.scheduling.fleet import Fleet
from controller.scheduling.policy import Policy
from controller.scheduling.snapshot import HostEntry, Snapshot, SnapshotBuilder, StorageEntry
from controller.scheduling.units import ANY_ARCH
from controller.workflows.deltas import deltas
from controller.workflows.obligation import spec_amounts
from controller.workflows.place import placement_request
from controller.workflows.platform import Platform
from controller.workflows.reading import Reader
from controller.workflows.wish import parse, read_wish
from inventory.domain.errors import Invalid
from inventory.domain.host import (
    NO_RESERVE,
    AdminState,
    Host,
    HostFacts,
    Pool,
    Reachability,
    Reserve,
    ReserveLevel,
    StoragePool,
    Zone,
)
from inventory.domain.ids import DepartmentId, HostId, PoolId, StoragePoolId
from inventory.domain.layout import NO_LAYOUT
from inventory.domain.placement import AddressRoom, MemberPlacement, MemberRequest, PlacementRequest
from inventory.domain.resources import ADDRESS, DISK_PREFIX, MEMORY_MIB, VCPU, Resources, counted_as, disk_dimension
from inventory.store import networks

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
    #: Hosts of one rack; each rack is filled before the next one.
    per_rack: int = 1
    #: What the hosts of each zone are to survive.
    reserve: Reserve = NO_RESERVE

    def standby_count(self, working_count: int) -> int:
        """Return how many hosts stand by for so many that work."""
        if self.reserve.level is ReserveLevel.HOST:
            return self.reserve.count
        # A rack stands by that is as large as the largest one that works.
        return self.reserve.count * min(self.per_rack, working_count) if self.reserve.level is ReserveLevel.RACK else 0

    def amounts(self) -> dict[str, int]:
        """Return it by dimension."""
        return {VCPU: self.vcpu_count, MEMORY_MIB: self.memory_mib, **{disk_dimension(c): n for c, n in self.disks_gib.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneNeed:
    """Hosts of one zone: enough to place everything, and what no packing can do without."""

    zone: str
    #: Those that stand by included.
    host_count: int
    standby_count: int
    lower_bound: int
    machine_count: int


def hosts_needed(platform: Platform, documents: Sequence[bytes], shape: HostShape, caller: Caller) -> list[ZoneNeed]:
    """Place what the tickets add, zone by zone, on as few empty hosts of a shape as the scheduler manages with.

    Raises:
        Invalid: ``capacity.*``, or a ticket's own problems; ``capacity.addresses_short`` where only addresses are in the way.
        Unplaceable: never; what fits on no such host is ``capacity.machine_larger_than_shape``, ``machine_of_other_arch``,
            ``larger_than_shape`` or ``rules_fit_no_number``.
    """
    _check(documents, shape)
    with platform.db.read() as connection:
        asked = _asked(connection, platform, documents, shape, caller)
    # It may take long: nothing is held open meanwhile.
    return [_need(*one) for one in asked]


def _asked(
    connection: Connection, platform: Platform, documents: Sequence[bytes], shape: HostShape, caller: Caller
) -> list[tuple["_Site", list["_Asked"], dict[str, int]]]:
    """Return by zone what is asked for there, and its sums by dimension."""
    asked: dict[str, list[_Asked]] = {}
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
        asked.setdefault(wish.zone.code, []).append(_Asked(wish.department.id, _by_amounts(request)))
        sums = amounts.setdefault(wish.zone.code, {})
        for dimension, amount in spec_amounts(wish.wanted).items():
            sums[dimension] = sums.get(dimension, 0) + amount
    taken = networks.subnets_taken(connection)
    return [
        (_Site(zones[code], shape, platform.policy, _free_blocks(zones[code], taken)), asked[code], amounts[code])
        for code in sorted(asked)
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one ticket asks for, and for whom."""

    department_id: DepartmentId
    request: PlacementRequest

    def addresses(self) -> Counter[tuple[DepartmentId, str]]:
        """Return how many addresses of which network it asks for."""
        return Counter((self.department_id, network) for member in self.request.members for network in member.networks)


@dataclass(frozen=True, slots=True)
class _Site:
    """Where hosts are to be bought: one zone."""

    zone: Zone
    shape: HostShape
    policy: Policy
    #: Free blocks of addresses; None: addresses are not looked at.
    block_count: int | None

    @property
    def segment_size(self) -> int:
        """Return how many machines a segment holds."""
        return address_plan.usable_count(self.zone.segment_prefix)


class _Segments:
    """Addresses that are left on empty hosts, while one ticket after the other is placed there."""

    def __init__(self, site: _Site) -> None:
        self._size = site.segment_size
        self._block_count = site.block_count
        #: By department and network: what is left on each host where it is.
        self._left: dict[tuple[DepartmentId, str], dict[HostId, int]] = {}

    def of(self, asked: _Asked) -> PlacementRequest:
        """Return the request with what is left for it."""
        if self._block_count is None:
            return asked.request
        there = {network: dict(self._left.get((owner, network), {})) for owner, network in asked.addresses()}
        room = AddressRoom(segments=there, segment_size=self._size, block_count=self._block_count)
        return replace(asked.request, addresses=room)

    def take(self, asked: _Asked, places: Sequence[MemberPlacement]) -> None:
        """Count what a placement takes."""
        if self._block_count is None:
            return
        for member, place in zip(asked.request.members, places, strict=True):
            for network in member.networks:
                there = self._left.setdefault((asked.department_id, network), {})
                if place.host_id not in there:
                    there[place.host_id] = self._size
                    self._block_count -= 1
                there[place.host_id] -= 1


def _free_blocks(zone: Zone, taken: Collection[str]) -> int:
    """Return how many blocks of a zone are free."""
    return address_plan.free_count(zone.address_range, zone.segment_prefix, taken)


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


def _need(site: _Site, asked: Sequence[_Asked], amounts: Mapping[str, int]) -> ZoneNeed:
    room, zone = site.shape.amounts(), site.zone
    for dimension, amount in amounts.items():
        if amount and dimension != ADDRESS and not room.get(dimension):
            raise Invalid("capacity.larger_than_shape", dimension=dimension, zone=zone.code)
    _check_machines(asked, site.shape, zone)
    lowest = max(1, _volume(site, asked, amounts))
    if lowest > HOSTS_MAX:
        raise _too_many(site, lowest)
    # The largest first: what is hard to place goes into empty hosts.
    order = sorted(
        asked, key=lambda one: -max((_share(m.compute.amounts, m.disks, room) for m in one.request.members), default=0.0)
    )
    found = _fewest(site, order, lowest)
    if found is None:
        raise _refusal(site, order, lowest)
    standby_count = site.shape.standby_count(found)
    return ZoneNeed(
        zone=zone.code,
        host_count=found + standby_count,
        standby_count=standby_count,
        lower_bound=lowest + site.shape.standby_count(lowest),
        machine_count=_machine_count(asked),
    )


def _machine_count(asked: Sequence[_Asked]) -> int:
    return sum(len(one.request.members) for one in asked)


def _fewest(site: _Site, order: Sequence[_Asked], lowest: int) -> int | None:
    """Return the fewest working hosts everything was placed on; None where there are none that do."""
    for least, most in _ranges(site.shape, lowest, _machine_count(order)):
        ground = _Ground(site, most)
        found = ground.fewest(order, least)
        if found is None and site.block_count is not None:
            # Where blocks are scarce, who shares a segment goes together.
            found = ground.fewest(sorted(order, key=lambda one: sorted(one.addresses())), least)
        if found is not None:
            return found
    return None


def _ranges(shape: HostShape, lowest: int, machine_count: int) -> Iterator[tuple[int, int]]:
    """Yield from how many to how many working hosts are to be tried.

    Where hosts stand by, the second rack changes what rules by rack mean for the first one: more hosts may then have less room.
    """
    if shape.reserve.level is not ReserveLevel.HOST:
        yield lowest, min(HOSTS_MAX, lowest + 2 * machine_count)
        return
    in_one_rack = shape.per_rack - shape.reserve.count
    if lowest <= in_one_rack:
        yield lowest, min(HOSTS_MAX, in_one_rack, lowest + 2 * machine_count)
    # Groups that stand apart by rack find no place beside those that stand by.
    least = max(lowest, in_one_rack + 1)
    if least <= HOSTS_MAX:
        yield least, min(HOSTS_MAX, least + shape.per_rack + 2 * machine_count)


def _refusal(site: _Site, order: Sequence[_Asked], lowest: int) -> Invalid:
    """Say what is in the way: one thing after the other is left out of account."""
    zone, without_addresses = site.zone, replace(site, block_count=None)
    if _fewest(without_addresses, order, lowest) is not None:
        return Invalid("capacity.addresses_short", zone=zone.code, block_count=site.block_count, segment_size=site.segment_size)
    if lowest + 2 * _machine_count(order) > HOSTS_MAX:
        return _too_many(site, lowest)
    unreserved = replace(without_addresses, shape=replace(site.shape, reserve=NO_RESERVE))
    if site.shape.reserve != NO_RESERVE and _fewest(unreserved, order, lowest) is not None:
        return Invalid("capacity.rules_need_no_reserve", zone=zone.code)
    return Invalid("capacity.rules_fit_no_number", zone=zone.code)


def _too_many(site: _Site, lowest: int) -> Invalid:
    bound = lowest + site.shape.standby_count(lowest)
    return Invalid("capacity.too_many_hosts_needed", zone=site.zone.code, lower_bound=bound, highest=HOSTS_MAX)


def _check_machines(asked: Sequence[_Asked], shape: HostShape, zone: Zone) -> None:
    """Refuse what no number of such hosts can take: a machine of another architecture, or larger than one of them."""
    room = shape.amounts()
    for one in asked:
        for member in one.request.members:
            if member.arch not in (*ANY_ARCH, shape.arch):
                raise Invalid(
                    "capacity.machine_of_other_arch",
                    zone=zone.code,
                    machine=member.name,
                    asked=member.arch,
                    arch=shape.arch,
                )
            for dimension, amount in _amounts_of(member).items():
                if amount > room.get(dimension, 0):
                    raise Invalid(
                        "capacity.machine_larger_than_shape",
                        zone=zone.code,
                        machine=member.name,
                        dimension=dimension,
                        amount=amount,
                        room=room.get(dimension, 0),
                    )


def _amounts_of(member: MemberRequest) -> dict[str, int]:
    """Return what a machine takes of the one host it goes to; all its disks of a class go to the one pool there."""
    sums = {dimension: amount for dimension, amount in member.compute.amounts if dimension != ADDRESS}
    for disk_class, gib in member.disks:
        sums[disk_dimension(disk_class)] = sums.get(disk_dimension(disk_class), 0) + gib
    return sums


def _volume(site: _Site, asked: Sequence[_Asked], amounts: Mapping[str, int]) -> int:
    """Return the number of hosts that no packing can do without."""
    room, addresses = site.shape.amounts(), Counter[tuple[DepartmentId, str]]()
    for one in asked:
        addresses += one.addresses()
    by_amounts = [-(-amount // room[dimension]) for dimension, amount in amounts.items() if dimension in room]
    # One segment of a network on each host.
    by_addresses = [-(-count // site.segment_size) for count in addresses.values() if site.segment_size]
    return max([*by_amounts, *by_addresses], default=0)


def _share(compute: Sequence[tuple[str, int]], disks: Sequence[tuple[str, int]], room: Mapping[str, int]) -> float:
    parts = [amount / room[d] for d, amount in compute if room.get(d)]
    parts += [size / room[DISK_PREFIX + c] for c, size in disks if room.get(DISK_PREFIX + c)]
    return max(parts, default=0.0)


class _Ground:
    """Empty hosts of a site, made once for all the numbers of them that are tried."""

    def __init__(self, site: _Site, most: int) -> None:
        """Try up to ``most`` working hosts."""
        self._site, self._most = site, most
        # Racks that stand by hold no others: what they do not show changes nothing for those that work.
        self._standby_count = site.shape.reserve.count if site.shape.reserve.level is ReserveLevel.HOST else 0
        self._shot = SnapshotBuilder().build(revision="what-if")

    def fewest(self, order: Sequence[_Asked], lowest: int) -> int | None:
        """Return the fewest hosts everything was placed on; None where there are none that do."""
        low, high = lowest - 1, lowest
        while not self._fits(order, high):
            if high >= self._most:
                return None
            low, high = high, min(self._most, 2 * high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._fits(order, middle) else (middle, high)
        return high

    def _fits(self, order: Sequence[_Asked], count: int) -> bool:
        fleet, segments = Fleet(self._hosts(count)), _Segments(self._site)
        for one in order:
            places = choose(segments.of(one), fleet, self._site.policy)
            if places is None:
                return False
            segments.take(one, places)
            fleet.keep()
        return True

    def _hosts(self, count: int) -> Snapshot:
        """Return so many empty hosts, behind those that stand by, and maybe others behind them that have nothing free."""
        shown = self._standby_count + count
        if self._shot.host_count < shown:
            builder = SnapshotBuilder()
            for number in range(shown):
                entry = _host(self._site.zone, self._site.shape, number)
                builder.add_host(_standing_by(entry) if number < self._standby_count else entry)
            self._shot = builder.build(revision="what-if")
        free = self._shot.free_rows.copy()
        free[:, shown:] = 0
        return replace(self._shot, free_rows=free)


def _host(zone: Zone, shape: HostShape, number: int) -> HostEntry:
    pool = Pool(
        id=PoolId("pool_what_if"),
        code="what-if",
        name="",
        zone_id=zone.id,
        driver="",
        mlps_max=zone.mlps_max,
        reserve=shape.reserve,
    )
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


def _standing_by(entry: HostEntry) -> HostEntry:
    storage = [replace(stored, held_gib=stored.capacity_gib) for stored in entry.storage]
    return replace(entry, held=dict(entry.capacity), is_standby=True, storage=storage)
