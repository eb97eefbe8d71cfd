"""Clusters for the tests and benches of plans of moves, an independent judge of their steps, and an exact drain."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from controller.scheduling.moves.cluster import Cluster, HostWatts, MachineEntry, WantedEntry, cluster_of
from controller.scheduling.moves.plan import Move
from controller.scheduling.snapshot import HostEntry
from inventory.domain.host import AdminState
from inventory.domain.ids import HostId, ResourceId, StoragePoolId
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import SpreadLevel
from tests.support.placement import GIB, entry, zone

ZONES = (zone("a"), zone("b", mlps_max=2))


@dataclass(frozen=True)
class Town:
    """Hosts and machines as plain values, and the picture made of them."""

    hosts: tuple[HostEntry, ...]
    machines: tuple[MachineEntry, ...]
    watts: dict[HostId, HostWatts] = field(default_factory=dict)
    wanted: tuple[WantedEntry, ...] = ()

    @property
    def cluster(self) -> Cluster:
        return cluster_of(self.hosts, self.machines, self.watts, wanted=self.wanted)

    def after(self, moves: Sequence[Move]) -> "Town":
        """Return the town with these moves made, whether they fit or not."""
        by_id = {m.id: m for m in self.machines}
        for move in moves:
            machine = by_id[move.machine_id]
            disks = tuple((c, g, p) for (c, g, _), p in zip(machine.disks, move.storage_pool_ids, strict=True))
            by_id[machine.id] = replace(machine, host_id=move.target_id, disks=disks)
        return replace(self, machines=tuple(by_id.values()))


def used_by(hosts: Sequence[HostEntry], machines: Sequence[MachineEntry]) -> tuple[HostEntry, ...]:
    """Return the hosts with what the machines use of them and of their storage."""
    out = []
    for host in hosts:
        own = [m for m in machines if m.host_id == host.host.id]
        used = {d: sum(m.compute[d] for m in own) for d in {d for m in own for d in m.compute}}
        disks = [(pool, size) for m in own for _, size, pool in m.disks]
        storage = [replace(s, used_gib=sum(size for pool, size in disks if pool == s.pool.id)) for s in host.storage]
        out.append(replace(host, used=used, storage=storage))
    return tuple(out)


def random_town(source: random.Random, *, hosts_most: int = 6, machines_most: int = 16, is_wild: bool = True) -> Town:
    """Return a small town; a wild one has broken rules, closed hosts, foreign machines and machines that must stay."""
    hosts = [
        entry(
            number,
            vcpu=source.randint(6, 16),
            memory_mib=source.randint(6, 16),
            foreign={VCPU: source.randint(0, 1)} if is_wild else {},
            storage=[("standard", source.randint(20, 60), 0) for _ in range(source.choice([1, 1, 2] if is_wild else [1]))],
            in_zone=source.choice((ZONES[0], ZONES[0], ZONES[1])) if is_wild else ZONES[0],
            rack=source.choice(["r1", "r2", "r3"]),
            admin_state=AdminState.CORDONED if is_wild and source.random() < 0.1 else AdminState.ACTIVE,
        )
        for number in range(source.randint(2, hosts_most))
    ]
    machines = list(_machines(source, hosts, machines_most, is_wild=is_wild))
    watts = {h.host.id: HostWatts(idle=source.randint(80, 200), most=400) for h in hosts if source.random() < 0.9}
    return Town(used_by(hosts, machines), tuple(machines), watts)


def _machines(source: random.Random, hosts: Sequence[HostEntry], most: int, *, is_wild: bool) -> Iterator[MachineEntry]:
    rules = [_rule(source) for _ in range(3)]
    made: list[MachineEntry] = []
    for number in range(source.randint(1, most)):
        host = source.choice(hosts)
        group = source.choice([0, 1, 2, 3, 3, 3])
        disks = tuple(
            ("standard", source.randint(1, 6), source.choice(list(host.storage)).pool.id) for _ in range(source.randint(1, 2))
        )
        machine = MachineEntry(
            id=ResourceId(f"inst_{number:03d}"),
            name=f"m{number}",
            host_id=host.host.id,
            compute=Resources.of({VCPU: source.randint(1, 4), MEMORY_MIB: source.randint(1, 4)}),
            disks=disks,
            zone_id=str(host.zone.id),
            mlps_level=source.choice([1, 2, 3]),
            group="" if group == 3 else f"g{group}",
            stays="moves.cooling" if is_wild and source.random() < 0.1 else "",
        )
        if group != 3:
            machine = replace(machine, **rules[group])
        if is_wild or not Judge(hosts, made).why_not(machine, host.host.id):
            made.append(machine)
            yield machine


def _rule(source: random.Random) -> dict[str, Any]:
    """Return a rule of a group; those that are kept together would rather be so."""
    level, is_hard = source.choice([SpreadLevel.HOST, SpreadLevel.RACK]), source.random() < 0.6
    if is_hard:
        return {"spread": level}
    is_together, most = source.random() < 0.5, source.choice([1, 1, 2])
    return {"spread": level, "spread_is_hard": False, "is_kept_together": is_together, "most_per_domain": most}


def misfits(town: Town) -> int:
    """Return how many machines stand where a soft rule would not have them."""
    hosts, found = {h.host.id: h for h in town.hosts}, 0
    for group in {m.group for m in town.machines if m.group and not m.spread_is_hard}:
        mates = [m for m in town.machines if m.group == group]
        counts = Counter(_domain(hosts[m.host_id], m.spread) for m in mates).values()
        most = mates[0].most_per_domain
        found += len(mates) - max(counts) if mates[0].is_kept_together else sum(max(0, n - most) for n in counts)
    return found


class Judge:
    """What is broken in a town, counted with plain dictionaries: shares no line with the planners."""

    def __init__(self, hosts: Sequence[HostEntry], machines: Sequence[MachineEntry]) -> None:
        self._hosts = {h.host.id: h for h in hosts}
        self._machines = machines

    def why_not(self, machine: MachineEntry, host_id: HostId) -> str:
        """Return why a machine may not be put on a host, empty where it may."""
        host = self._hosts[host_id]
        others = [m for m in self._machines if m.id != machine.id]
        if host.host.admin_state is not AdminState.ACTIVE:
            return "closed"
        if host.zone.id != machine.zone_id or machine.mlps_level > min(host.zone.mlps_max, host.pool.mlps_max):
            return "zone or level"
        own = [m for m in others if m.host_id == host_id]
        for dimension, amount in machine.compute.items():
            used = sum(m.compute[dimension] for m in own) + host.foreign.get(dimension, 0)
            if used + amount > host.capacity.get(dimension, 0):
                return dimension
        return "" if self._spread_holds(machine, host, others) else "spread"

    def _spread_holds(self, machine: MachineEntry, host: HostEntry, others: Sequence[MachineEntry]) -> bool:
        if not machine.group or not machine.spread_is_hard:
            return True
        mates = [self._hosts[m.host_id] for m in others if m.group == machine.group]
        return all(_domain(h, machine.spread) != _domain(host, machine.spread) for h in mates)

    def storage_is_over(self, pools: Sequence[StoragePoolId]) -> bool:
        """Tell whether one of these storage pools is promised beyond its size."""
        used: dict[StoragePoolId, int] = {}
        for m in self._machines:
            for _, size, pool in m.disks:
                used[pool] = used.get(pool, 0) + size
        capacity = {s.pool.id: s.capacity_gib for h in self._hosts.values() for s in h.storage}
        return any(used.get(p, 0) > capacity[p] for p in pools)


def _domain(host: HostEntry, level: SpreadLevel) -> object:
    return (host.host.site, host.host.room, host.host.rack) if level is SpreadLevel.RACK else host.host.id


def fewest_moves(town: Town, host_id: HostId, most: int) -> int | None:
    """Return how few moves empty a host, by trying every end; None beyond ``most`` others that make room, or never.

    Looks at ends only, so the true number may be greater where no order of the moves is feasible: a lower bound.
    """
    going = [m for m in town.machines if m.host_id == host_id]
    others = [m for m in town.machines if m.host_id != host_id and not m.stays]
    for count in range(most + 1):
        for more in combinations(others, count):
            moving = sorted([*going, *more], key=lambda m: -m.compute[MEMORY_MIB])
            moved = {m.id for m in moving}
            fixed = [m for m in town.machines if m.id not in moved]
            if _placed(town, moving, fixed, host_id):
                return len(moving)
    return None


def _placed(town: Town, moving: Sequence[MachineEntry], fixed: list[MachineEntry], closed: HostId) -> bool:
    if not moving:
        return True
    machine, rest = moving[0], moving[1:]
    for host in town.hosts:
        if host.host.id in (closed, machine.host_id) or Judge(town.hosts, fixed).why_not(machine, host.host.id):
            continue
        pool = host.storage[0].pool.id
        there = replace(machine, host_id=host.host.id, disks=tuple((c, g, pool) for c, g, _ in machine.disks))
        if Judge(town.hosts, [*fixed, there]).storage_is_over([pool]):
            continue
        if _placed(town, rest, [*fixed, there], closed):
            return True
    return False


def skewed_town(seed: int, hosts: int, machines: int, *, vcpu: int = 128, memory_mib: int = 256 * GIB) -> Town:
    """Return equal hosts, the first of them fuller than the last, as after years of first fit."""
    source = random.Random(seed)
    free = [[vcpu, memory_mib - GIB] for _ in range(hosts)]
    placed: list[MachineEntry] = []
    while len(placed) < machines:
        host = int(hosts * source.random() ** 1.6)
        cpus = source.choice([1, 1, 2, 2, 4, 8])
        memory = cpus * source.choice([1, 2, 4]) * GIB
        if cpus > free[host][0] or memory > free[host][1]:
            continue
        free[host][0] -= cpus
        free[host][1] -= memory
        placed.append(
            MachineEntry(
                id=ResourceId(f"inst_{len(placed):06d}"),
                name=f"m{len(placed):06d}",
                host_id=HostId(f"host_{host:05d}"),
                compute=Resources.of({VCPU: cpus, MEMORY_MIB: memory}),
            )
        )
    bare = [entry(n, vcpu=vcpu, memory_mib=memory_mib, storage=(), foreign={MEMORY_MIB: GIB}) for n in range(hosts)]
    on: dict[HostId, list[MachineEntry]] = {h.host.id: [] for h in bare}
    for machine in placed:
        on[machine.host_id].append(machine)
    used = [{d: sum(m.compute[d] for m in on[h.host.id]) for d in (VCPU, MEMORY_MIB)} for h in bare]
    return Town(tuple(replace(h, used=u) for h, u in zip(bare, used, strict=True)), tuple(placed))
