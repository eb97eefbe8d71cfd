"""The overlay a gang is placed on: a snapshot's columns of what is free, copied, taken from and given back.

Also the small exact search that puts several disks into the storage pools of one host.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from controller.scheduling.snapshot import Snapshot, class_amounts
from controller.scheduling.units import Need, is_existing
from inventory.domain.ids import HostId
from inventory.domain.placement import GroupRule, PlacementRequest
from inventory.domain.system import SpreadLevel

#: Up to this many disks of one class the search is exact; above it, best fit decreasing decides.
EXACT_DISKS_MAX = 12
_SEARCH_STEPS_MAX = 20_000


class Scratch:
    """What is free while a gang is being placed; host indices are those of the snapshot."""

    def __init__(self, snapshot: Snapshot, request: PlacementRequest) -> None:
        self.snapshot = snapshot
        self.free = {d: list(column) for d, column in snapshot.free.items()}
        self.storage_free_gib = list(snapshot.storage_free_gib)
        self.roomiest_gib = {c: list(column) for c, column in snapshot.class_roomiest_gib.items()}
        self.class_free_gib = {c: list(column) for c, column in snapshot.class_free_gib.items()}
        #: Group -> failure domain -> machines of the group there.
        self.mates: dict[str, dict[int, int]] = {}
        self._nothing = [0] * snapshot.host_count
        self._count_existing(request)

    def _count_existing(self, request: PlacementRequest) -> None:
        staying: dict[str, set[HostId]] = {}
        for member in request.members:
            if member.pinned_host_id is not None and is_existing(member):
                staying.setdefault(member.group, set()).add(member.pinned_host_id)
        for rule in request.rules:
            counts = self.mates.setdefault(rule.group, {})
            for host_id in _hosts_of(rule, staying.get(rule.group, set())):
                host = self.snapshot.index_of.get(host_id)
                if host is not None:
                    domain = self.domain(host, rule.spread)
                    counts[domain] = counts.get(domain, 0) + 1

    def free_of(self, dimension: str) -> list[int]:
        """Return the column of a dimension; nobody has any of one that no host names."""
        return self.free.get(dimension, self._nothing)

    def domain(self, host: int, level: SpreadLevel) -> int:
        """Return the failure domain of a host at a level."""
        return self.snapshot.rack_index[host] if level is SpreadLevel.RACK else host

    def has_room(self, need: Need, host: int) -> bool:
        """Tell whether a host that passed the filters once still has capacity and storage for one more of ``need``."""
        free = self.free
        for dimension, amount in need.ask:
            column = free.get(dimension)
            if column is None or column[host] < amount:
                return False
        return not need.disks or self.pools_for(need.disks, host) is not None

    def keeps_apart(self, need: Need, host: int) -> bool:
        """Tell whether ``need`` may go to a host under its hard spread rules."""
        return all(self.domain(host, level) not in self.mates[group] for group, level in need.hard)

    def pools_for(self, disks: Sequence[tuple[str, int]], host: int) -> list[int] | None:
        """Return a storage pool per disk (tightest fit), or nothing if the disks do not fit on the host."""
        if len(disks) == 1:
            pool = self._tightest(host, *disks[0])
            return None if pool is None else [pool]
        chosen = [0] * len(disks)
        for disk_class in {c for c, _ in disks}:
            places = [k for k, (c, _) in enumerate(disks) if c == disk_class]
            pools = self.snapshot.storage_on(host, disk_class)
            found = pack([disks[k][1] for k in places], [self.storage_free_gib[j] for j in pools])
            if found is None:
                return None
            for k, p in zip(places, found, strict=True):
                chosen[k] = pools[p]
        return chosen

    def _tightest(self, host: int, disk_class: str, size_gib: int) -> int | None:
        free, classes = self.storage_free_gib, self.snapshot.storage_class
        best = None
        for j in self.snapshot.storage_of[host]:
            # A disk that is held already asks for nothing, which fits in an overfull pool too.
            fits = classes[j] == disk_class and (free[j] >= size_gib or size_gib == 0)
            if fits and (best is None or free[j] < free[best]):
                best = j
        return best

    def take(self, need: Need, host: int) -> list[int]:
        """Put one unit on a host that has room; return the storage pool of each disk."""
        pools = self.pools_for(need.disks, host)
        assert pools is not None, "the host was checked before"
        self._move(need, host, pools, 1)
        return pools

    def give(self, need: Need, host: int, pools: Sequence[int]) -> None:
        """Undo a ``take``."""
        self._move(need, host, pools, -1)

    def _move(self, need: Need, host: int, pools: Sequence[int], sign: int) -> None:
        for dimension, amount in need.ask:
            self.free[dimension][host] -= sign * amount
        for (_, size_gib), j in zip(need.disks, pools, strict=True):
            self.storage_free_gib[j] -= sign * size_gib
        for disk_class in {c for c, _ in need.disks}:
            room = class_amounts(self.snapshot.storage_on(host, disk_class), self.storage_free_gib)
            self.roomiest_gib[disk_class][host], self.class_free_gib[disk_class][host] = room
        counts = dict(need.counts)
        for group, level in need.hard + need.soft:
            domain = self.domain(host, level)
            mates = self.mates[group]
            mates[domain] = mates.get(domain, 0) + sign * counts[group]
            if not mates[domain]:
                del mates[domain]


def _hosts_of(rule: GroupRule, staying: set[HostId]) -> Iterable[HostId]:
    """Return a host per existing machine; a machine that is changed in place may stand in the rule, in the request, or both."""
    yield from rule.existing_host_ids
    yield from sorted(staying - set(rule.existing_host_ids))


def pack(sizes_gib: Sequence[int], free_gib: Sequence[int]) -> list[int] | None:
    """Return a pool per disk so that all fit, or nothing. Exact up to ``EXACT_DISKS_MAX`` disks within a bound of steps."""
    return _pack(tuple(sizes_gib), tuple(free_gib))


@lru_cache(maxsize=4096)
def _pack(sizes_gib: tuple[int, ...], free_gib: tuple[int, ...]) -> list[int] | None:
    if not free_gib:
        return None
    order = sorted(range(len(sizes_gib)), key=lambda k: -sizes_gib[k])
    free = list(free_gib)
    # Held disks ask for nothing and fit in an overfull pool too.
    sizes = [sizes_gib[k] for k in order]
    chosen = _best_fit(sizes, list(free))
    if chosen is None and len(sizes) <= EXACT_DISKS_MAX and sum(sizes) <= sum(f for f in free if f > 0):
        chosen = _search(sizes, free)
    if chosen is None:
        return None
    result = [0] * len(order)
    for k, pool in zip(order, chosen, strict=True):
        result[k] = pool
    return result


def _best_fit(sizes: Sequence[int], free: list[int]) -> list[int] | None:
    chosen = []
    for size in sizes:
        fitting = [(f, p) for p, f in enumerate(free) if f >= size or size == 0]
        if not fitting:
            return None
        pool = min(fitting)[1]
        free[pool] -= size
        chosen.append(pool)
    return chosen


def _search(sizes: Sequence[int], free: list[int]) -> list[int] | None:
    """Depth first over disks, largest first; pools with equal room are tried once."""
    chosen: list[int] = []
    steps = 0

    def place(k: int) -> bool:
        nonlocal steps
        if k == len(sizes):
            return True
        tried: set[int] = set()
        for pool, room in enumerate(free):
            steps += 1
            if room in tried or (room < sizes[k] and sizes[k] > 0):
                continue
            if steps > _SEARCH_STEPS_MAX:
                return False
            tried.add(room)
            free[pool] -= sizes[k]
            chosen.append(pool)
            if place(k + 1):
                return True
            chosen.pop()
            free[pool] += sizes[k]
        return False

    return chosen if place(0) else None
