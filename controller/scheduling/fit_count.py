"""How many more machines of one shape fit, counted and not searched: exact for machines that have nothing to do with each other.

Every machine has one disk at most, so each storage pool takes so many whole disks, and a host takes the least of what vCPU,
memory, storage and cells allow. Hosts do not share anything, so the sum over hosts is the answer, and under a rule "one per
domain" it is the number of domains with a host that takes one. What is held (reserve, reservations) is not free and not
counted.
"""

from dataclasses import dataclass

import numpy as np

from controller.scheduling.cells import SeatAsk, seats_for
from controller.scheduling.columns import Bool, Int32, trait_bit
from controller.scheduling.snapshot import Snapshot
from inventory.domain.ids import PoolId
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


def count_by_host(shape: Shape, snapshot: Snapshot) -> Int32:
    """Return how many more fit on each host, whatever its state."""
    counts = np.full(snapshot.host_count, np.iinfo(np.int32).max, dtype=np.int32)
    for dimension, amount in shape.ask:
        free = snapshot.free.get(dimension)
        counts = np.minimum(counts, 0 if free is None else np.maximum(free, 0) // amount).astype(np.int32)
    if shape.disk_gib:
        counts = np.minimum(counts, _disks_by_host(shape, snapshot))
    if shape.seat:
        for host in np.flatnonzero(counts > 0).tolist():
            counts[host] = _seats_on(shape.seat, snapshot, host, int(counts[host]))
    return counts


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
    shape: Shape, snapshot: Snapshot, *, mlps_level: int = 1, spread: SpreadLevel = SpreadLevel.NONE
) -> list[PoolFit]:
    """Return how many more fit in each pool at an MLPS level; with ``spread``, of one group with one machine per domain."""
    counts = count_by_host(shape, snapshot)
    takes = _takes_machines(shape, snapshot, mlps_level, spread)
    found = []
    for index, pool_id in enumerate(snapshot.pool_ids):
        in_pool = snapshot.pool_index == index
        own = in_pool & takes
        found.append(
            PoolFit(
                pool_id=pool_id,
                count=_count(counts, own, snapshot, spread),
                pooled_count=_pooled(shape, snapshot, own),
                mlps_max=int(snapshot.mlps_max[in_pool].max(initial=0)),
            )
        )
    return found


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
