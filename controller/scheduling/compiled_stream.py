"""The compiled engine as it is loaded: what is taken and given back, and whole streams of decisions in one call.

Choices are those of ``compiled``, which this module hands on; ``loading`` is the only one to import either.
"""

import numpy as np
from numpy.typing import NDArray

from controller.scheduling import columns
from controller.scheduling.blocks import Hosts
from controller.scheduling.columns import Int32
from controller.scheduling.compiled import compiled, pick, pick_ruled, raise_bounds, scan
from controller.scheduling.tables import (
    DISK_COUNT,
    MEMORY_ADD,
    OTHER_COUNT,
    VCPU_ADD,
    Bounds,
    Classes,
    Closed,
    Pools,
    Rules,
    Stream,
)

__all__ = ["fill", "pick", "pick_ruled", "put", "raise_bounds", "run", "scan"]

# Constants of the compiled code: numba takes module globals as such.
_AMOUNT_MAX = columns.AMOUNT_MAX


@compiled
def _put_disks(pools: Pools, classes: Classes, slot: int, host: int, chosen: Int32) -> bool:
    """Choose the tightest pool for each disk, largest first, and take it; take nothing where one does not fit."""
    for d in range(classes.number[DISK_COUNT, slot]):
        row, gib, best = classes.disk_row[slot, d], classes.disk_gib[slot, d], -1
        for j in range(pools.start[host], pools.start[host + 1]):
            fits = pools.row[j] == row and (pools.free[j] >= gib or gib == 0)
            if fits and (best < 0 or pools.free[j] < pools.free[best]):
                best = j
        if best < 0:
            for before in range(d):
                pools.free[chosen[before]] += classes.disk_gib[slot, before]
                chosen[before] = -1
            return False
        pools.free[best] -= gib
        chosen[d] = best
    return True


@compiled
def _sum_pools(hosts: Hosts, pools: Pools, classes: Classes, slot: int, position: int) -> None:
    host = hosts.ids[position]
    for d in range(classes.number[DISK_COUNT, slot]):
        row = classes.disk_row[slot, d]
        roomiest = total = np.int64(0)
        for j in range(pools.start[host], pools.start[host + 1]):
            if pools.row[j] == row and pools.free[j] > 0:
                roomiest = max(roomiest, np.int64(pools.free[j]))
                total += pools.free[j]
        hosts.free[row, position] = roomiest
        hosts.free[row + 1, position] = min(total, np.int64(_AMOUNT_MAX))


@compiled
def _move(hosts: Hosts, pools: Pools, classes: Classes, bounds: Bounds, slot: int, position: int, sign: int) -> None:
    """Take or give back what is no disk, then bring sums and bounds up to date."""
    hosts.free[0, position] -= sign * classes.number[VCPU_ADD, slot]
    hosts.free[1, position] -= sign * classes.number[MEMORY_ADD, slot]
    for n in range(classes.number[OTHER_COUNT, slot]):
        row = classes.other_row[slot, n]
        if row < pools.dimensions:
            hosts.free[row, position] -= sign * classes.ask[row, slot]
    _sum_pools(hosts, pools, classes, slot, position)
    raise_bounds(hosts, classes, bounds, position)


@compiled
def put(hosts: Hosts, pools: Pools, classes: Classes, bounds: Bounds, slot: int, position: int, chosen: Int32) -> bool:
    """Take a machine of a live class on a host; nothing is taken where its pools need a closer look."""
    if not _put_disks(pools, classes, slot, hosts.ids[position], chosen):
        return False
    _move(hosts, pools, classes, bounds, slot, position, 1)
    return True


@compiled
def fill(
    hosts: Hosts,
    pools: Pools,
    classes: Classes,
    bounds: Bounds,
    rules: Rules,
    more: Int32,
    slot: int,
    position: Int32,
    chosen: NDArray[np.int32],
    buffer: Int32,
    work: NDArray[np.uint8],
) -> int:
    """Choose and take a host for one machine of a live class after the other; return how many got one.

    ``more`` is what each of them adds to the counts of each rule. It stops where none fits, or pools need a closer look.
    """
    for n in range(len(position)):
        if len(rules.kind) > 0:
            found = pick_ruled(hosts, classes, bounds, rules, slot, buffer, work)
        else:
            found = pick(hosts, classes, bounds, slot, buffer)
        if found < 0 or not _put_disks(pools, classes, slot, hosts.ids[found], chosen[n]):
            return n
        _move(hosts, pools, classes, bounds, slot, found, 1)
        for r in range(len(rules.kind)):
            rules.counts[rules.offset[r] + hosts.domain[rules.level[r], found]] += more[r]
        position[n] = found
    return len(position)


@compiled
def _give(hosts: Hosts, pools: Pools, classes: Classes, bounds: Bounds, slot: int, position: int, chosen: Int32) -> None:
    for d in range(classes.number[DISK_COUNT, slot]):
        pools.free[chosen[d]] += classes.disk_gib[slot, d]
    _move(hosts, pools, classes, bounds, slot, position, -1)


@compiled
def _enter(hosts: Hosts, stream: Stream, rules: Rules, group: int, position_of: Int32, first: int, n: int) -> int:
    """Make a group the current one: its rule, and the members it has already. Returns how many there are."""
    rules.level[0], rules.kind[0], rules.limit[0] = stream.level[group], stream.kind[group], stream.limit[group]
    rules.domains[0] = stream.domains[group]
    members: int = stream.mates_start[group + 1] - stream.mates_start[group]
    for m in range(stream.mates_start[group], stream.mates_start[group + 1]):
        rules.counts[hosts.domain[rules.level[0], position_of[stream.mates[m]]]] += 1
    for m in range(first, n):
        if stream.group[m] == group and stream.position[m] >= 0:
            rules.counts[hosts.domain[rules.level[0], stream.position[m]]] += 1
            members += 1
    return members


@compiled
def _leave(hosts: Hosts, stream: Stream, rules: Rules, group: int, position_of: Int32, first: int, end: int) -> None:
    """Clear the counts of a group again."""
    for m in range(stream.mates_start[group], stream.mates_start[group + 1]):
        rules.counts[hosts.domain[rules.level[0], position_of[stream.mates[m]]]] = 0
    for m in range(first, end):
        if stream.group[m] == group and stream.position[m] != -1:
            position = stream.position[m]
            rules.counts[hosts.domain[rules.level[0], position if position >= 0 else -2 - position]] = 0


@compiled
def _take_back(
    hosts: Hosts, pools: Pools, classes: Classes, bounds: Bounds, rules: Rules, stream: Stream, past: int, group: int
) -> int:
    """Give back what a decision took; return 1 if it was a member of the current group."""
    position = stream.position[past]
    if position < 0:
        return 0
    _give(hosts, pools, classes, bounds, stream.slot[past], position, stream.chosen[past])
    stream.position[past] = -2 - position
    if group < 0 or stream.group[past] != group:
        return 0
    rules.counts[hosts.domain[rules.level[0], position]] -= 1
    return 1


@compiled
def _take(hosts: Hosts, pools: Pools, classes: Classes, bounds: Bounds, stream: Stream, n: int, position: int) -> bool:
    """Take the host that was chosen for an order; say no where Python has to look: single pools, or a gang that is stuck."""
    if position < 0:
        is_alone: bool = stream.gang[n] < 0
        return is_alone
    slot = stream.slot[n]
    if not _put_disks(pools, classes, slot, hosts.ids[position], stream.chosen[n]):
        return False
    _move(hosts, pools, classes, bounds, slot, position, 1)
    return True


@compiled
def _best(
    hosts: Hosts,
    classes: Classes,
    bounds: Bounds,
    rules: Rules,
    closed: Closed,
    members: int,
    slot: int,
    buffer: Int32,
    work: NDArray[np.uint8],
) -> int:
    """Choose among the hosts in use that are not closed to a class, among all where none of those fits."""
    is_out = closed.to_small if classes.number[VCPU_ADD, slot] < closed.small_below else closed.to_all
    if len(is_out) > 0:
        # Without members the rule that stands there is that of another group.
        lines = len(rules.kind) if members > 0 else 0
        level, kind, limit, offset = rules.level[:lines], rules.kind[:lines], rules.limit[:lines], rules.offset[:lines]
        open_only = Rules(level, kind, limit, offset, rules.domains[:lines], rules.counts, rules.cost, is_out)
        position = pick_ruled(hosts, classes, bounds, open_only, slot, buffer, work)
        if position >= 0:
            free, capacity = hosts.free[:2, position], hosts.capacity[:2, position]
            if free[0] != capacity[0] or free[1] != capacity[1]:
                return position
    if members > 0:
        return pick_ruled(hosts, classes, bounds, rules, slot, buffer, work)
    return pick(hosts, classes, bounds, slot, buffer)


@compiled
def run(
    hosts: Hosts,
    pools: Pools,
    classes: Classes,
    bounds: Bounds,
    rules: Rules,
    stream: Stream,
    position_of: Int32,
    closed: Closed,
    begin: int,
    buffer: Int32,
    work: NDArray[np.uint8],
) -> int:
    """Decide a stream from ``begin``; return where it stopped.

    At its end, where pools need a closer look, a gang is stuck, or a class is not live: the tables have no slot for it.
    """
    group, first, members, n = -1, begin, 0, begin
    while n < len(stream.slot):
        slot = stream.slot[n]
        if (slot if slot >= 0 else stream.slot[-1 - slot]) >= len(classes.bits):
            break
        if slot < 0:
            members -= _take_back(hosts, pools, classes, bounds, rules, stream, -1 - slot, group)
            n += 1
            continue
        if stream.group[n] != group:
            if group >= 0:
                _leave(hosts, stream, rules, group, position_of, first, n)
            group, members = stream.group[n], 0
            if group >= 0:
                first = stream.first[group]
                members = _enter(hosts, stream, rules, group, position_of, first, n)
        position = _best(hosts, classes, bounds, rules, closed, members, slot, buffer, work)
        if not _take(hosts, pools, classes, bounds, stream, n, position):
            break
        members += _count(hosts, rules, group, position)
        stream.position[n] = position
        n += 1
    if group >= 0:
        _leave(hosts, stream, rules, group, position_of, first, n)
    return n


@compiled
def _count(hosts: Hosts, rules: Rules, group: int, position: int) -> int:
    """Count a machine to its group; return how many it is of one."""
    if group < 0 or position < 0:
        return 0
    rules.counts[hosts.domain[rules.level[0], position]] += 1
    return 1
