"""Why hosts fell: the filter and its numbers, the nearest misses first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from controller.scheduling.cells import fitting_count
from controller.scheduling.columns import NO_STANDBY_BITS, STANDBY_HERE_BITS, Int32, Int64
from controller.scheduling.filters import Trail
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.scoring import storage_asks
from controller.scheduling.units import Need
from inventory.domain.ids import HostId
from inventory.domain.placement import HostMiss, NetworkLevel
from inventory.domain.resources import disk_dimension

Params = Mapping[str, Any]


def nearest_misses(need: Need, fleet: Fleet, groups: Groups, trail: Trail, limit: int) -> tuple[HostMiss, ...]:
    """Return up to ``limit`` hosts that fell, those that came furthest first, then by what they are short of.

    Of a machine that must be on certain hosts, only those are spoken of.
    """
    index_of = fleet.snapshot.index_of
    return _misses(need, fleet, groups, trail, limit, [index_of[h] for h in need.pins + need.reach if h in index_of])


def all_misses(need: Need, fleet: Fleet, groups: Groups, trail: Trail) -> tuple[HostMiss, ...]:
    """Return every host that fell, in the same order."""
    return _misses(need, fleet, groups, trail, fleet.snapshot.host_count, [])


def _misses(need: Need, fleet: Fleet, groups: Groups, trail: Trail, limit: int, wanted: Sequence[int]) -> tuple[HostMiss, ...]:
    found: list[HostMiss] = []
    for name, fallen in _fallen(fleet, trail):
        spoken_of = fallen[np.isin(fallen, wanted)] if wanted else fallen
        for host in _nearest(name, need, fleet, spoken_of, limit - len(found)):
            numbers = _NUMBERS[name](need, fleet, groups, host)
            found.append(HostMiss(host=fleet.snapshot.host_names[host], filter=name, params=numbers))
        if len(found) >= limit:
            break
    return tuple(found)


def _fallen(fleet: Fleet, trail: Trail) -> Iterator[tuple[str, Int32]]:
    """Yield the hosts that fell at each filter, last filter first."""
    if len(trail[-1][1]) == fleet.snapshot.host_count:
        return
    before = [np.arange(fleet.snapshot.host_count, dtype=np.int32), *(hosts for _, hosts in trail[:-1])]
    for (name, hosts), earlier in zip(reversed(trail), reversed(before), strict=True):
        if len(hosts) < len(earlier):
            yield name, np.setdiff1d(earlier, hosts, assume_unique=True)


def _nearest(name: str, need: Need, fleet: Fleet, fallen: Int32, limit: int) -> list[int]:
    if name == "capacity":
        lacks = np.zeros(len(fallen), dtype=np.int64)
        for dimension, asked in need.ask:
            free = fleet.free_of(dimension)[fallen].astype(np.int64)
            lacks += np.maximum(0, 1000 * (min(asked, _ASKED_MAX) - free) // min(asked, _ASKED_MAX))
        return _lowest(lacks, fallen, limit)
    if name == "storage":
        return _lowest(_storage_lack(need, fleet, fallen), fallen, limit)
    first: list[int] = fallen[:limit].tolist()
    return first


def _storage_lack(need: Need, fleet: Fleet, fallen: Int32) -> Int64:
    """Return how far from enough storage each host is: what the roomiest pool of the shortest class lacks, in GiB."""
    lacks = np.zeros(len(fallen), dtype=np.int64)
    for ask in storage_asks(need.disks):
        known = fleet.roomiest_gib.get(ask.disk_class)
        free = np.zeros(len(fallen), dtype=np.int64) if known is None else known[fallen].astype(np.int64)
        lacks = np.maximum(lacks, min(ask.together_gib, _ASKED_MAX) - free)
    return lacks


#: Larger asks are as far away as this one.
_ASKED_MAX = 2**40


def _lowest(values: Int64, hosts: Int32, limit: int) -> list[int]:
    found: list[int] = hosts[np.lexsort((hosts, values))][:limit].tolist()
    return found


def _state(_need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    snapshot = fleet.snapshot
    return {"admin_state": snapshot.admin_states[host].value, "reachability": snapshot.reachabilities[host].value}


def _zone(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    snapshot = fleet.snapshot
    codes = dict(zip(snapshot.zone_ids, snapshot.zone_codes, strict=True))
    return {"asked": codes.get(need.zone_id, str(need.zone_id)), "zone": snapshot.zone_codes[snapshot.zone_index[host]]}


def _mlps(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    return {"asked": need.mlps_level, "highest": int(fleet.snapshot.mlps_max[host])}


def _arch(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    return {"asked": ", ".join(need.archs), "arch": fleet.snapshot.archs[fleet.snapshot.arch_index[host]]}


def _traits(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    missing = [t for t in need.traits if not fleet.snapshot.has_trait(host, t)]
    return {"asked": ", ".join(need.traits), "missing": ", ".join(missing)}


def _reserve(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    snapshot = fleet.snapshot
    asked = [
        *((level, NO_STANDBY_BITS[level]) for level in need.apart),
        *((level, STANDBY_HERE_BITS[level]) for level in need.together),
    ]
    level = next(level for level, bit in asked if not snapshot.bits[host] & bit)
    return {"level": level.value, "domain": snapshot.domain_names[level][int(snapshot.domain_index[level][host])]}


def _pinned(need: Need, fleet: Fleet, _groups: Groups, _host: int) -> Params:
    return {"pinned": ", ".join(_names(need.pins, fleet))}


def _network_reach(need: Need, fleet: Fleet, groups: Groups, _host: int) -> Params:
    if need.conflict:
        return {"group": need.conflict}
    homes = [group for group, level in need.hard if level is NetworkLevel.HOME]
    if homes and not need.reach:
        names = groups.snapshot.domain_names[NetworkLevel.HOME]
        return {"network_host": ", ".join(names[n] for n in np.flatnonzero(groups.counts[homes[0]]).tolist())}
    return {"network_host": ", ".join(_names(need.reach, fleet))}


def _names(host_ids: tuple[HostId, ...], fleet: Fleet) -> list[str]:
    index = fleet.snapshot.index_of
    return [fleet.snapshot.host_names[index[h]] if h in index else str(h) for h in host_ids]


def _capacity(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    """Name the dimension that is shortest for its size; ``taken`` is what machines of the same ticket took before."""
    snapshot = fleet.snapshot
    left = {d: fleet.free_at(d, host) for d, _ in need.ask}
    short = [(d, a, left[d]) for d, a in need.ask if left[d] < a]
    dimension, asked, free = max(short, key=lambda s: (s[1] - s[2]) * 1000 // s[1])
    total = int(snapshot.capacity[dimension][host]) if dimension in snapshot.capacity else 0
    taken = fleet.taken(dimension, host)
    held = int(snapshot.held[dimension][host]) if dimension in snapshot.held else 0
    return {"dimension": dimension, "asked": asked, "free": free, "capacity": total, "taken": taken, "held": held}


def _storage(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    """Name the first class whose disks do not fit: the largest disk, all together, the roomiest pool, all free."""
    for disk_class in sorted({c for c, _ in need.disks}):
        disks = [(c, size) for c, size in need.disks if c == disk_class]
        if fleet.pools_for(disks, host) is None:
            sizes = [size for _, size in disks]
            free, roomiest = fleet.class_room(disk_class, host)
            return {
                "disk_class": disk_class,
                "asked": max(sizes),
                "asked_together": sum(sizes),
                "free": roomiest,
                "free_together": free,
                "taken": fleet.taken(disk_dimension(disk_class), host),
                "held": int(fleet.snapshot.storage_held_gib[fleet.snapshot.storage_on(host, disk_class)].sum()),
            }
    raise AssertionError("asked only for hosts that fell at storage")


def _numa(need: Need, fleet: Fleet, _groups: Groups, host: int) -> Params:
    """Name the node that is hardest to seat, and how many cells would take one of it."""
    cells, free = fleet.snapshot.cells.get(host, ()), fleet.fine_of(host)
    counts = [(fitting_count(ask, cells, free) - ask.layout.node_count, k) for k, ask in enumerate(need.seats)]
    ask = need.seats[min(counts)[1]]
    return {
        "nodes": ask.layout.node_count,
        "vcpu": ask.node_vcpu_count,
        "is_dedicated": ask.layout.is_dedicated,
        "memory_mib": ask.node_memory_mib,
        "page_kib": ask.layout.page_kib,
        "machines": len(need.seats),
        "cells": len(cells),
        "fitting": fitting_count(ask, cells, free),
    }


def _addresses(need: Need, _fleet: Fleet, groups: Groups, host: int) -> Params:
    lack, addresses = groups.addresses.lack(need, host), groups.addresses
    zone = addresses.snapshot.zone_codes[addresses.snapshot.zone_index[host]]
    return {"network": lack.network, "asked": lack.asked, "free": lack.free, "zone": zone, "is_block": lack.is_block}


def _spread(need: Need, _fleet: Fleet, groups: Groups, host: int) -> Params:
    group = groups.breaks(need, host)
    rule = groups.rules[group]
    domain = groups.snapshot.domain_names[rule.spread][groups.domain(group, host)]
    numbers = {"group": group, "level": rule.spread.value, "domain": domain, "mates": groups.mates(group, host)}
    return {**numbers, "is_affinity": True} if rule.is_affinity else {**numbers, "most": rule.max_per_domain}


_NUMBERS: Mapping[str, Callable[[Need, Fleet, Groups, int], Params]] = {
    "state": _state,
    "zone": _zone,
    "mlps": _mlps,
    "arch": _arch,
    "traits": _traits,
    "reserve": _reserve,
    "pinned": _pinned,
    "network_reach": _network_reach,
    "capacity": _capacity,
    "storage": _storage,
    "numa": _numa,
    "addresses": _addresses,
    "spread": _spread,
}
