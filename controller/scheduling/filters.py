"""The named filters, in their fixed order: each takes the hosts that are left and returns those that pass.

To add one: write the function, give it a place in ``FILTERS``, say in ``misses.py`` with which numbers a host fell, and
add its text ``placement.miss.<name>``.
"""

from collections.abc import Callable, Sequence

from controller.scheduling.scratch import Scratch
from controller.scheduling.units import Need
from inventory.domain.ids import HostId

Filter = Callable[[Need, Scratch, list[int]], list[int]]
#: (filter, hosts left after it), in the order they ran.
Trail = list[tuple[str, list[int]]]


def state(_need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts that are active and reachable."""
    column = scratch.snapshot.is_eligible
    return [i for i in hosts if column[i]]


def zone(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts of the zone."""
    snapshot = scratch.snapshot
    if need.zone_id not in snapshot.zone_ids:
        return []
    asked, column = snapshot.zone_ids.index(need.zone_id), snapshot.zone_index
    return [i for i in hosts if column[i] == asked]


def mlps(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts that may carry a system of this MLPS level (GB/T 22239: none above the platform's own)."""
    asked, column = need.mlps_level, scratch.snapshot.mlps_max
    return [i for i in hosts if column[i] >= asked]


def arch(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts of the architecture asked for."""
    snapshot = scratch.snapshot
    if not need.archs:
        return hosts
    if len(need.archs) > 1 or need.archs[0] not in snapshot.archs:
        return []
    asked, column = snapshot.archs.index(need.archs[0]), snapshot.arch_index
    return [i for i in hosts if column[i] == asked]


def pinned(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep the host that a machine must stay on."""
    return hosts if not need.pins else _only(need.pins, scratch, hosts)


def network_reach(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep the host where the unit's networks live; none if a hard spread tears machines of one network apart."""
    if need.conflict:
        return []
    return hosts if not need.reach else _only(need.reach, scratch, hosts)


def _only(wanted: Sequence[HostId], scratch: Scratch, hosts: list[int]) -> list[int]:
    if len(wanted) > 1:
        return []
    host = scratch.snapshot.index_of.get(wanted[0])
    return [host] if host is not None and host in hosts else []


def capacity(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts with enough free in every dimension."""
    for dimension, amount in need.ask:
        column = scratch.free_of(dimension)
        hosts = [i for i in hosts if column[i] >= amount]
    return hosts


def storage(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts whose storage pools take every disk whole."""
    if not need.disks:
        return hosts
    is_exact = True
    for disk_class in sorted({c for c, _ in need.disks}):
        sizes = [size for c, size in need.disks if c == disk_class]
        if disk_class not in scratch.roomiest_gib:
            return []
        roomiest, total = scratch.roomiest_gib[disk_class], scratch.class_free_gib[disk_class]
        largest, together = max(sizes), sum(sizes)
        if len(sizes) == 1 and largest > 0:
            hosts = [i for i in hosts if roomiest[i] >= largest]
        else:
            hosts = [i for i in hosts if roomiest[i] >= largest and total[i] >= together]
            is_exact = False
    return hosts if is_exact else [i for i in hosts if scratch.pools_for(need.disks, i) is not None]


def spread(need: Need, scratch: Scratch, hosts: list[int]) -> list[int]:
    """Keep hosts in failure domains where no machine of a group with a hard rule is yet."""
    if any(scratch.mates[group] for group, _ in need.hard):
        return [i for i in hosts if scratch.keeps_apart(need, i)]
    return hosts


FILTERS: tuple[tuple[str, Filter], ...] = (
    ("state", state),
    ("zone", zone),
    ("mlps", mlps),
    ("arch", arch),
    ("pinned", pinned),
    ("network_reach", network_reach),
    ("capacity", capacity),
    ("storage", storage),
    ("spread", spread),
)
#: The first four depend on facts only, not on what is free: their answer is kept with the snapshot.
_BASE_COUNT = 4


def survey(need: Need, scratch: Scratch) -> Trail:
    """Run all filters; return the hosts left after each."""
    if need.is_staying:
        return _survey_staying(need, scratch)
    trail = list(_base(need, scratch))
    hosts = trail[-1][1]
    for name, keep in FILTERS[_BASE_COUNT:]:
        hosts = keep(need, scratch, hosts) if hosts else hosts
        trail.append((name, hosts))
    return trail


def _survey_staying(need: Need, scratch: Scratch) -> Trail:
    """A machine that asks for nothing may stay on a host that takes no new ones; only its storage pools must still be there."""
    everywhere = list(range(scratch.snapshot.host_count))
    here = _only(need.pins, scratch, everywhere)
    stored = storage(need, scratch, here)
    names = [name for name, _ in FILTERS]
    left = [everywhere] * _BASE_COUNT + [here] * (len(names) - _BASE_COUNT - 2) + [stored] * 2
    return list(zip(names, left, strict=True))


def _base(need: Need, scratch: Scratch) -> Trail:
    key = (need.zone_id, need.mlps_level, need.archs)
    cache = scratch.snapshot.base_cache
    if key not in cache:
        hosts = list(range(scratch.snapshot.host_count))
        trail: Trail = []
        for name, keep in FILTERS[:_BASE_COUNT]:
            hosts = keep(need, scratch, hosts) if hosts else hosts
            trail.append((name, hosts))
        cache[key] = trail
    return cache[key]
