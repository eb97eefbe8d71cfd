"""How many more machines of one shape fit, counted and not searched: exact for machines that have nothing to do with each other.

Every machine has one disk at most, so each storage pool takes so many whole disks, and a host takes the least of what vCPU,
memory, storage and cells allow. Hosts do not share anything, so the sum over hosts is the answer, and under a rule "one per
domain" it is the number of domains with a host that takes one. What is held (reserve, reservations) is not free and not
counted. Where addresses are given (``address_fit``) they count like the rest, and blocks are shared by the hosts of a zone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.address_fit import AddressFit
from controller.scheduling.cells import SeatAsk, seats_for
from controller.scheduling.columns import Bool, Int32, trait_bit
from controller.scheduling.snapshot import Snapshot
from inventory.domain.ids import PoolId
from inventory.domain.resources import disk_dimension
from inventory.domain.system import SpreadLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A machine with at most one disk."""

    #: Amount by dimension; every amount is above zero.
    ask: tuple[tuple[str, int], ...]
    disk_gib: int = 0
    disk_class: str = "standard"
    arch: str = "any"
    #: What it asks of the cells of a host, and of hosts by name.
    seat: SeatAsk | None = None
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFit:
    """How many more fit in one pool."""

    pool_id: PoolId
    count: int
    #: If what is free on all its hosts were one host: what fragmentation leaves of it is ``count``.
    pooled_count: int
    #: Highest MLPS level the pool may carry in its zone.
    mlps_max: int
    #: What there is not enough of for more: a dimension on most hosts, ``seat``, ``addresses`` or ``address_blocks``; empty
    #: where no host takes machines at all, or one of a group is in every domain.
    limit: str = ""


def count_by_host(shape: Shape, snapshot: Snapshot) -> Int32:
    """Return how many more fit on each host, whatever its state."""
    counts = np.full(snapshot.host_count, np.iinfo(np.int32).max, dtype=np.int32)
    for each in _parts(shape, snapshot).values():
        counts = np.minimum(counts, each)
    if shape.seat:
        for host in np.flatnonzero(counts > 0).tolist():
            counts[host] = _seats_on(shape.seat, snapshot, host, int(counts[host]))
    return counts


def _parts(shape: Shape, snapshot: Snapshot) -> dict[str, Int32]:
    """Return how many each dimension alone would allow on each host."""
    none = np.zeros(snapshot.host_count, dtype=np.int32)
    parts = {}
    for dimension, amount in shape.ask:
        free = snapshot.free.get(dimension)
        parts[dimension] = none if free is None else (np.maximum(free, 0) // amount).astype(np.int32)
    if shape.disk_gib:
        parts[disk_dimension(shape.disk_class)] = _disks_by_host(shape, snapshot)
    return parts


def _seats_on(ask: SeatAsk, snapshot: Snapshot, host: int, most: int) -> int:
    """Return how many machines sit on a host, up to ``most``: one after the other they are as many as can be."""
    free = dict(snapshot.fine_free.get(host, {}))
    for count in range(most):
        seats = seats_for([ask], snapshot.cells.get(host, ()), free)
        if seats is None:
            return count
        for dimension, amount in seats[0].amounts().items():
            free[dimension] -= amount
    return most


def _disks_by_host(shape: Shape, snapshot: Snapshot) -> Int32:
    is_of_class = np.array([c == shape.disk_class for c in snapshot.storage_class], dtype=bool)
    each = np.where(is_of_class, np.maximum(snapshot.storage_free_gib, 0) // shape.disk_gib, 0)
    sums = np.concatenate(([0], np.cumsum(each)))
    return np.asarray(sums[snapshot.storage_start[1:]] - sums[snapshot.storage_start[:-1]], dtype=np.int32)


def count_by_pool(
    shape: Shape,
    snapshot: Snapshot,
    *,
    mlps_level: int = 1,
    spread: SpreadLevel = SpreadLevel.NONE,
    addresses: Mapping[PoolId, AddressFit] | None = None,
) -> list[PoolFit]:
    """Return how many more fit in each pool by itself at an MLPS level; with ``spread``, of one group with one per domain."""
    counter = Counter(shape, snapshot, mlps_level=mlps_level, spread=spread)
    found = []
    for index, pool_id in enumerate(snapshot.pool_ids):
        room = (addresses or {}).get(pool_id)
        in_pool = snapshot.pool_index == index
        found.append(
            PoolFit(
                pool_id=pool_id,
                count=counter.count([pool_id], room),
                pooled_count=_pooled(shape, snapshot, in_pool & counter.takes),
                mlps_max=int(snapshot.mlps_max[in_pool].max(initial=0)),
                limit=counter.limit([pool_id], room),
            )
        )
    return found


class Counter:
    """Counts one shape on the hosts of any pools."""

    def __init__(self, shape: Shape, snapshot: Snapshot, *, mlps_level: int = 1, spread: SpreadLevel = SpreadLevel.NONE) -> None:
        self._shape, self._snapshot, self._spread = shape, snapshot, spread
        self._counts = count_by_host(shape, snapshot)
        self.takes = _takes_machines(shape, snapshot, mlps_level, spread)

    def count(self, pool_ids: Collection[PoolId], room: AddressFit | None) -> int:
        """Return how many more fit in pools of one zone together; without ``room`` addresses are plenty."""
        own, snapshot = self._own(pool_ids), self._snapshot
        if room is None:
            return _count(self._counts, own, snapshot, self._spread)
        hosts = np.flatnonzero(own)
        if self._spread is SpreadLevel.NONE:
            return room.count(self._counts, hosts)
        return room.domain_count(self._counts, hosts, snapshot.domain_index[self._spread])

    def limit(self, pool_ids: Collection[PoolId], room: AddressFit | None) -> str:
        """Return what there is not enough of for more."""
        count = self.count(pool_ids, room)
        if count < self.count(pool_ids, None):
            assert room is not None, "only addresses make a difference"
            more_blocks = replace(room, block_count=self._snapshot.host_count + int(self._counts.astype(np.int64).sum()))
            return "address_blocks" if self.count(pool_ids, more_blocks) > count else "addresses"
        hosts = np.flatnonzero(self._own(pool_ids))
        if self._spread is not SpreadLevel.NONE:
            hosts = hosts[self._counts[hosts] == 0]
        return self._shortest(hosts)

    def _shortest(self, hosts: NDArray[np.intp]) -> str:
        """Return what is used up first on most of these hosts."""
        parts = _parts(self._shape, self._snapshot)
        ends = {name: int((each[hosts] <= self._counts[hosts]).sum()) for name, each in parts.items()}
        if self._shape.seat and len(hosts):
            whole = np.min([each[hosts] for each in parts.values()], axis=0)
            ends["seat"] = int((self._counts[hosts] < whole).sum())
        most = max(ends.values(), default=0)
        return next((name for name, count in ends.items() if count == most), "") if most else ""

    def _own(self, pool_ids: Collection[PoolId]) -> Bool:
        chosen = [n for n, pool_id in enumerate(self._snapshot.pool_ids) if pool_id in pool_ids]
        return np.asarray(np.isin(self._snapshot.pool_index, chosen) & self.takes)


def _takes_machines(shape: Shape, snapshot: Snapshot, mlps_level: int, spread: SpreadLevel) -> Bool:
    takes = np.asarray(snapshot.is_eligible == 1) & (snapshot.mlps_max >= mlps_level)
    if shape.arch != "any":
        known = snapshot.archs.index(shape.arch) if shape.arch in snapshot.archs else -1
        takes &= snapshot.arch_index == known
    for trait in shape.traits:
        bit = trait_bit(snapshot.traits.index(trait)) if trait in snapshot.traits else 0
        takes &= (snapshot.bits & bit) != 0
    if spread not in (SpreadLevel.NONE, SpreadLevel.HOST):
        takes &= snapshot.meets_standby(spread) == 0
    return np.asarray(takes)


def _count(counts: Int32, own: Bool, snapshot: Snapshot, spread: SpreadLevel) -> int:
    if spread is SpreadLevel.NONE:
        return int(counts[own].sum(dtype=np.int64))
    domains = snapshot.domain_index[spread][own & (counts > 0)]
    return int(np.unique(domains).size)


def _pooled(shape: Shape, snapshot: Snapshot, own: Bool) -> int:
    whole = [
        int(np.maximum(snapshot.free[dimension][own], 0).sum(dtype=np.int64)) // amount if dimension in snapshot.free else 0
        for dimension, amount in shape.ask
    ]
    if shape.disk_gib:
        free = snapshot.class_free_gib.get(shape.disk_class)
        whole.append(0 if free is None else int(free[own].sum(dtype=np.int64)) // shape.disk_gib)
    return min(whole)
