"""The small exact search that puts several disks into the storage pools of one host."""

from collections.abc import Sequence
from functools import lru_cache

#: Up to this many disks of one class the search is exact; above it, best fit decreasing decides.
EXACT_DISKS_MAX = 12
_SEARCH_STEPS_MAX = 20_000


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
