"""Why hosts fell: the filter and its numbers, the nearest misses first."""

from collections.abc import Callable, Iterator, Mapping
from heapq import nsmallest
from operator import add
from typing import Any

from controller.scheduling.filters import Trail
from controller.scheduling.scratch import Scratch
from controller.scheduling.units import Need
from inventory.domain.placement import HostMiss
from inventory.domain.system import SpreadLevel

Params = Mapping[str, Any]


def nearest_misses(need: Need, scratch: Scratch, trail: Trail, limit: int) -> tuple[HostMiss, ...]:
    """Return up to ``limit`` hosts that fell, those that came furthest first, then by what they are short of.

    Of a machine that must be on certain hosts, only those are spoken of.
    """
    wanted = {scratch.snapshot.index_of[h] for h in need.pins + need.reach if h in scratch.snapshot.index_of}
    found: list[HostMiss] = []
    for name, fallen in _fallen(scratch, trail):
        spoken_of = [i for i in fallen if i in wanted] if wanted else fallen
        for host in _nearest(name, need, scratch, spoken_of, limit - len(found)):
            numbers = _NUMBERS[name](need, scratch, host)
            found.append(HostMiss(host=scratch.snapshot.host_names[host], filter=name, params=numbers))
        if len(found) >= limit:
            break
    return tuple(found)


def _fallen(scratch: Scratch, trail: Trail) -> Iterator[tuple[str, list[int]]]:
    """Yield the hosts that fell at each filter, last filter first."""
    before = [list(range(scratch.snapshot.host_count)), *(hosts for _, hosts in trail[:-1])]
    for (name, hosts), earlier in zip(reversed(trail), reversed(before), strict=True):
        if len(hosts) < len(earlier):
            left = set(hosts)
            yield name, [i for i in earlier if i not in left]


def _nearest(name: str, need: Need, scratch: Scratch, fallen: list[int], limit: int) -> list[int]:
    if name == "capacity":
        lacks = [0] * len(fallen)
        for dimension, asked in need.ask:
            column = scratch.free_of(dimension)
            short = [1000 * (asked - column[i]) // asked if column[i] < asked else 0 for i in fallen]
            lacks = list(map(add, lacks, short))
        return [i for _, i in nsmallest(limit, zip(lacks, fallen, strict=True))]
    if name == "storage":
        return nsmallest(limit, fallen, key=lambda i: (-_storage(need, scratch, i)["free"], i))
    return fallen[:limit]


def _state(_need: Need, scratch: Scratch, host: int) -> Params:
    snapshot = scratch.snapshot
    return {"admin_state": snapshot.admin_states[host].value, "reachability": snapshot.reachabilities[host].value}


def _zone(need: Need, scratch: Scratch, host: int) -> Params:
    snapshot = scratch.snapshot
    codes = dict(zip(snapshot.zone_ids, snapshot.zone_codes, strict=True))
    return {"asked": codes.get(need.zone_id, str(need.zone_id)), "zone": snapshot.zone_codes[snapshot.zone_index[host]]}


def _mlps(need: Need, scratch: Scratch, host: int) -> Params:
    return {"asked": need.mlps_level, "highest": scratch.snapshot.mlps_max[host]}


def _arch(need: Need, scratch: Scratch, host: int) -> Params:
    return {"asked": ", ".join(need.archs), "arch": scratch.snapshot.archs[scratch.snapshot.arch_index[host]]}


def _pinned(need: Need, scratch: Scratch, _host: int) -> Params:
    return {"pinned": ", ".join(_names(need.pins, scratch))}


def _network_reach(need: Need, scratch: Scratch, _host: int) -> Params:
    if need.conflict:
        return {"group": need.conflict}
    return {"network_host": ", ".join(_names(need.reach, scratch))}


def _names(host_ids: tuple[str, ...], scratch: Scratch) -> list[str]:
    index = {str(h): i for h, i in scratch.snapshot.index_of.items() if h in host_ids}
    return [scratch.snapshot.host_names[index[h]] if h in index else h for h in host_ids]


def _capacity(need: Need, scratch: Scratch, host: int) -> Params:
    """Name the dimension that is shortest for its size; ``taken`` is what machines of the same ticket took before."""
    short = [(d, a, scratch.free_of(d)[host]) for d, a in need.ask if scratch.free_of(d)[host] < a]
    dimension, asked, free = max(short, key=lambda s: (s[1] - s[2]) * 1000 // s[1])
    snapshot = scratch.snapshot
    total = snapshot.capacity[dimension][host] if dimension in snapshot.capacity else 0
    taken = snapshot.free[dimension][host] - free if dimension in snapshot.free else 0
    return {"dimension": dimension, "asked": asked, "free": free, "capacity": total, "taken": taken}


def _storage(need: Need, scratch: Scratch, host: int) -> dict[str, Any]:
    """Name the first class whose disks do not fit: the largest disk, all together, the roomiest pool, all free."""
    for disk_class in sorted({c for c, _ in need.disks}):
        disks = [(c, size) for c, size in need.disks if c == disk_class]
        if scratch.pools_for(disks, host) is None:
            sizes = [size for _, size in disks]
            roomiest, free = (c.get(disk_class) for c in (scratch.roomiest_gib, scratch.class_free_gib))
            return {
                "disk_class": disk_class,
                "asked": max(sizes),
                "asked_together": sum(sizes),
                "free": roomiest[host] if roomiest else 0,
                "free_together": free[host] if free else 0,
                "taken": scratch.snapshot.class_free_gib[disk_class][host] - free[host] if free else 0,
            }
    raise AssertionError("asked only for hosts that fell at storage")


def _spread(need: Need, scratch: Scratch, host: int) -> Params:
    for group, level in need.hard:
        domain = scratch.domain(host, level)
        if domain in scratch.mates[group]:
            mates = scratch.mates[group][domain]
            return {"group": group, "level": level.value, "domain": _domain_name(scratch, host, level), "mates": mates}
    raise AssertionError("asked only for hosts that fell at spread")


def _domain_name(scratch: Scratch, host: int, level: SpreadLevel) -> str:
    snapshot = scratch.snapshot
    if level is SpreadLevel.RACK:
        return "/".join(part or "?" for part in snapshot.racks[snapshot.rack_index[host]])
    return snapshot.host_names[host]


_NUMBERS: Mapping[str, Callable[[Need, Scratch, int], Params]] = {
    "state": _state,
    "zone": _zone,
    "mlps": _mlps,
    "arch": _arch,
    "pinned": _pinned,
    "network_reach": _network_reach,
    "capacity": _capacity,
    "storage": _storage,
    "spread": _spread,
}
