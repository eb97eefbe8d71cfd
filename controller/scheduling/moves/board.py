"""The working copy of a cluster on which moves are tried, made and taken back. ONE feasibility rule for planner and runner."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from controller.scheduling.cells import SeatAsk, seats_for
from controller.scheduling.moves.addresses import Takings
from controller.scheduling.moves.cluster import Cluster, Column, Flags
from controller.scheduling.moves.plan import Move, Stay
from inventory.domain.layout import Seat
from inventory.domain.resources import MEMORY_MIB


class Board:
    """Where machines stand now, and what is free because of it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.free = cluster.free.copy()
        self.where = cluster.host.copy()
        self.storage_free = cluster.storage_free.copy()
        self.disk_pools = list(cluster.disk_pools)
        self._on = _by_host(cluster)
        #: Hosts by (group, domain) with how many machines of the group stand there.
        self._mates: list[dict[int, int]] = [{} for _ in cluster.group_level]
        for machine in np.flatnonzero(cluster.group >= 0).tolist():
            self._count(int(cluster.group[machine]), int(self.where[machine]), 1)
        #: Machines taken off their host and not put anywhere yet.
        self._lifted: set[int] = set()
        self._memory = cluster.dimensions.index(MEMORY_MIB)
        #: Where machines lie now, and what is free of cells because of it.
        self._seats = dict(cluster.seats)
        self._fine = dict(cluster.fine_free)
        self._addresses = Takings(cluster.addresses)
        #: With one storage pool per class everywhere, the sums by class already say whether disks fit.
        self._has_split_storage = any(len(pools) > 1 for host in cluster.storage_of for pools in host.values())

    # -- asking -------------------------------------------------------------------------------------------------------

    def on(self, host: int) -> list[int]:
        """Return the machines of a host, by index."""
        return sorted(self._on[host])

    def is_empty(self, host: int) -> bool:
        """Tell whether no machine of ours is on a host."""
        return not self._on[host]

    def in_use(self) -> Flags:
        """Return which hosts have a machine of ours and may take more."""
        found: Flags = self.cluster.takes & np.array([bool(on) for on in self._on], dtype=bool)
        return found

    def room(self, machine: int) -> Flags:
        """Return which hosts could take a machine now; its own never."""
        cluster = self.cluster
        demand = cluster.demand[machine]
        fits: Flags = cluster.takes & cluster.allowed[cluster.kind[machine]]
        fits &= np.all((self.free >= demand) | (demand == 0), axis=1)
        fits[self.where[machine]] = False
        within = cluster.within_reach(machine)
        if within is not None:
            fits &= within
        has_addresses = self._addresses.room(machine)
        if has_addresses is not None:
            fits &= has_addresses
        group = int(cluster.group[machine])
        if group >= 0 and cluster.group_is_hard[group]:
            fits &= self._hosts_for(machine, group)
            asked = cluster.group_reserve[group]
            fits &= (cluster.reserve_bits & asked) == asked
        if self._has_split_storage:
            for host in np.flatnonzero(fits):
                fits[host] = self.storage_for(machine, int(host)) is not None
        if machine in self._seats:
            for host in np.flatnonzero(fits):
                fits[host] = self.seat_for(machine, int(host)) is not None
        return fits

    def fits(self, machine: int, host: int) -> bool:
        """Tell whether one host could take a machine now."""
        cluster = self.cluster
        if host == self.where[machine] or not cluster.takes[host] or not cluster.allowed[cluster.kind[machine], host]:
            return False
        if not cluster.reaches(machine, host):
            return False
        demand = cluster.demand[machine]
        if not bool(np.all((self.free[host] >= demand) | (demand == 0))):
            return False
        return self.keeps_reserve(machine, host) and self.keeps_spread(machine, host) and self._takes_exactly(machine, host)

    def _takes_exactly(self, machine: int, host: int) -> bool:
        is_seated = machine not in self._seats or self.seat_for(machine, host) is not None
        return is_seated and self._addresses.fits(machine, host) and self.storage_for(machine, host) is not None

    def address_likeness(self, machines: Sequence[int], host: int) -> tuple[int, ...]:
        """Return what tells hosts apart for these machines by the addresses they have."""
        return self._addresses.likeness(machines, host)

    def seat_for(self, machine: int, host: int) -> Seat | None:
        """Return where a machine that asks for a seat would lie on a host, or None where it cannot as it asks."""
        nodes = self._seats[machine].nodes
        ask = SeatAsk(
            layout=self._seats[machine].layout,
            vcpu_count=sum(node.vcpu_count for node in nodes),
            memory_mib=sum(node.memory_mib for node in nodes),
        )
        found = seats_for([ask], self.cluster.cells.get(host, ()), self._fine.get(host, {}))
        return found[0] if found else None

    def keeps_reserve(self, machine: int, host: int) -> bool:
        """Tell whether the pool's reserve (N+1) could still take the machine after a loss, with it on that host."""
        group = int(self.cluster.group[machine])
        asked = self.cluster.group_reserve[group] if group >= 0 else 0
        return (int(self.cluster.reserve_bits[host]) & asked) == asked

    def _hosts_for(self, machine: int, group: int) -> Flags:
        """Return which hosts keep the hard rule of a machine's group."""
        domains = self.cluster.domain_of(group)
        others = {d: n for d in self._mates[group] if (n := self._others(machine, group, d)) > 0}
        hosts: Flags = np.ones(self.cluster.host_count, bool)
        if self.cluster.group_is_together[group]:
            return np.isin(domains, list(others)) if others else hosts
        full = [d for d, count in others.items() if count >= self.cluster.group_most[group]]
        return ~np.isin(domains, full)

    def _others(self, machine: int, group: int, domain: int) -> int:
        """Return how many of a group but this machine are in a failure domain."""
        is_own = machine not in self._lifted and int(self.cluster.domain_of(group)[self.where[machine]]) == domain
        return self._mates[group].get(domain, 0) - is_own

    def keeps_spread(self, machine: int, host: int) -> bool:
        """Tell whether a hard spread rule would hold with the machine on that host."""
        cluster, group = self.cluster, int(self.cluster.group[machine])
        if group < 0 or not cluster.group_is_hard[group]:
            return True
        if not cluster.group_is_together[group]:
            return self.mates_in(machine, host) < cluster.group_most[group]
        here = self.mates_in(machine, host)
        return here > 0 or not any(self._others(machine, group, d) > 0 for d in self._mates[group])

    def mates_in(self, machine: int, host: int) -> int:
        """Return how many other machines of its group are in the failure domain of a host."""
        group = int(self.cluster.group[machine])
        return 0 if group < 0 else self._others(machine, group, int(self.cluster.domain_of(group)[host]))

    def soft_costs(self, machine: int, hosts: Column, leaving: Iterable[int] = ()) -> Column:
        """Return how far the soft rule of a machine's group would be from kept with it on each of these hosts.

        Kept apart, how many mates are there beyond what the rule allows; kept together, how many fewer than where most of
        them are. Those that are ``leaving`` are not counted where they are: they will be elsewhere.
        """
        cluster, group = self.cluster, int(self.cluster.group[machine])
        if group < 0 or cluster.group_is_hard[group]:
            return np.zeros(len(hosts), np.int64)
        domains = cluster.domain_of(group)
        mates = {domain: self._others(machine, group, domain) for domain in self._mates[group]}
        for other in set(leaving) - self._lifted - {machine}:
            if cluster.group[other] == group:
                mates[int(domains[self.where[other]])] -= 1
        there = np.array([mates.get(domain, 0) for domain in domains[hosts].tolist()], np.int64)
        if cluster.group_is_together[group]:
            costs: Column = max(mates.values(), default=0) - there
        else:
            costs = np.maximum(0, there - (cluster.group_most[group] - 1))
        return costs

    def misfits(self, group: int) -> int:
        """Return how many machines of a group stand where its rule, hard or soft, would not have them."""
        return self._misfits(group, self._mates[group])

    def raises_misfits(self, machine: int, host: int) -> bool:
        """Tell whether a soft rule would be kept worse with the machine on that host."""
        group = int(self.cluster.group[machine])
        if group < 0 or self.cluster.group_is_hard[group]:
            return False
        domains, after = self.cluster.domain_of(group), dict(self._mates[group])
        source, target = int(domains[self.where[machine]]), int(domains[host])
        after[source] -= 1
        after[target] = after.get(target, 0) + 1
        return self._misfits(group, after) > self.misfits(group)

    def _misfits(self, group: int, counts: Mapping[int, int]) -> int:
        if self.cluster.group_is_together[group]:
            return sum(counts.values()) - max(counts.values(), default=0)
        return sum(max(0, count - self.cluster.group_most[group]) for count in counts.values())

    def storage_for(self, machine: int, host: int) -> tuple[int, ...] | None:
        """Return a storage pool for every disk (largest first into the roomiest), or None where they do not fit."""
        disks = self.cluster.disks[machine]
        pools = self.cluster.storage_of[host]
        free: dict[int, int] = {}
        chosen = [-1] * len(disks)
        for number in sorted(range(len(disks)), key=lambda n: (-disks[n][1], n)):
            disk_class, size_gib = disks[number]
            offered = pools.get(disk_class, ())
            for pool in offered:
                free.setdefault(pool, int(self.storage_free[pool]))
            best = max(offered, key=lambda p: (free[p], -p), default=-1)
            if best < 0 or free[best] < size_gib:
                return None
            free[best] -= size_gib
            chosen[number] = best
        return tuple(chosen)

    def has_pool_for(self, host: int, disk: tuple[str, int] | None) -> bool:
        """Tell whether a storage pool of a host has room for a disk (class, GiB)."""
        return disk is None or self._roomiest(host, disk) is not None

    def _roomiest(self, host: int, disk: tuple[str, int]) -> int | None:
        disk_class, size_gib = disk
        pools = self.cluster.storage_of[host].get(disk_class, ())
        best = max(pools, key=lambda p: (int(self.storage_free[p]), -p), default=None)
        return best if best is not None and self.storage_free[best] >= size_gib else None

    # -- moving -------------------------------------------------------------------------------------------------------

    def move(self, machine: int, host: int) -> None:
        """Put a machine on another host, feasible or not; a host without room in storage pools is a bug of the caller."""
        pools = self.storage_for(machine, host)
        assert pools is not None, "a machine was moved where its disks do not fit"
        self.put(machine, host, pools)

    def put(self, machine: int, host: int, pools: tuple[int, ...]) -> None:
        """Put a machine and its disks at a place that was chosen before (or where it was)."""
        self.lift(machine)
        self._lifted.discard(machine)
        if machine in self._seats:
            # Where it was it takes its old seat again; a plan that is being undone may find that seat changed hands and back.
            self._seats[machine] = self.seat_for(machine, host) or self._seats[machine]
        self._book(machine, host, pools, -1)
        self.disk_pools[machine] = pools
        self._on[host].add(machine)
        self.where[machine] = host

    def hold(self, host: int, demand: Column, disk: tuple[str, int] | None) -> None:
        """Keep room free on a host, for a machine that is nowhere yet."""
        self.free[host] -= demand
        if disk is not None and (pool := self._roomiest(host, disk)) is not None:
            self.storage_free[pool] -= disk[1]

    def lift(self, machine: int) -> None:
        """Take a machine off its host, to be put somewhere later."""
        if machine in self._lifted:
            return
        host = int(self.where[machine])
        self._book(machine, host, self.disk_pools[machine], 1)
        self._on[host].discard(machine)
        self._lifted.add(machine)

    def _book(self, machine: int, host: int, pools: tuple[int, ...], sign: int) -> None:
        self.free[host] += sign * self.cluster.demand[machine]
        for pool, (_, size_gib) in zip(pools, self.cluster.disks[machine], strict=True):
            if pool >= 0:
                self.storage_free[pool] += sign * size_gib
        if machine in self._seats and host in self._fine:
            fine = dict(self._fine[host])
            for dimension, amount in self._seats[machine].amounts().items():
                fine[dimension] = fine.get(dimension, 0) + sign * amount
            self._fine[host] = fine
        if host != self.cluster.host[machine]:
            # Where it stands it has its addresses, and they rest when it leaves.
            self._addresses.book(machine, host, -sign)
        group = int(self.cluster.group[machine])
        if group >= 0:
            self._count(group, host, -sign)

    def _count(self, group: int, host: int, by: int) -> None:
        domain = int(self.cluster.domain_of(group)[host])
        mates = self._mates[group]
        mates[domain] = mates.get(domain, 0) + by

    # -- words --------------------------------------------------------------------------------------------------------

    def described(self, machine: int, source: int, host: int) -> Move:
        """Return the move of a machine that stands on its new host by now."""
        cluster = self.cluster
        return Move(
            machine_id=cluster.machine_ids[machine],
            machine=cluster.machine_names[machine],
            source_id=cluster.host_ids[source],
            target_id=cluster.host_ids[host],
            storage_pool_ids=tuple(cluster.storage_ids[p] for p in self.disk_pools[machine]),
            memory_mib=int(cluster.demand[machine, self._memory]),
            disk_gib=sum(size for _, size in cluster.disks[machine]),
        )

    def staying(self, machine: int, reason: str = "moves.no_room") -> Stay:
        """Return that a machine stays, with its own reason where it has one."""
        cluster = self.cluster
        return Stay(
            machine_id=cluster.machine_ids[machine],
            machine=cluster.machine_names[machine],
            host_id=cluster.host_ids[int(self.where[machine])],
            reason=cluster.stays[machine] or reason,
        )

    # -- broken rules -------------------------------------------------------------------------------------------------

    def overfull(self) -> Iterator[tuple[int, int]]:
        """Yield (host, dimension) where more is promised than there is."""
        for host, dimension in np.argwhere(self.free < 0):
            yield int(host), int(dimension)

    def crowded(self) -> Iterator[int]:
        """Yield machines that break the hard rule of their group where they are."""
        for machine in np.flatnonzero(self.cluster.group >= 0):
            if not self.keeps_spread(int(machine), int(self.where[machine])):
                yield int(machine)

    def misplaced(self) -> Iterator[int]:
        """Yield machines on a host that may not carry them (zone, MLPS level, architecture)."""
        cluster = self.cluster
        for machine in np.flatnonzero(~cluster.allowed[cluster.kind, self.where]):
            yield int(machine)

    def overfull_storage(self) -> Iterator[int]:
        """Yield storage pools with more promised than there is."""
        for pool in np.flatnonzero(self.storage_free < 0):
            yield int(pool)

    def broken_count(self) -> int:
        """Return how many rules are broken."""
        parts = (self.overfull(), self.crowded(), self.misplaced(), self.overfull_storage())
        return sum(1 for part in parts for _ in part)


def _by_host(cluster: Cluster) -> list[set[int]]:
    """Return the machines of each host."""
    order = np.argsort(cluster.host, kind="stable")
    edges = np.searchsorted(cluster.host[order], np.arange(cluster.host_count + 1)).tolist()
    machines = order.tolist()
    return [set(machines[begin:end]) for begin, end in pairwise(edges)]
