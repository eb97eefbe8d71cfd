"""The functions of ``plain`` compiled by numba, host by host; ``compiled_stream`` adds what changes a fleet.

Imported by ``loading`` only. Everything is 32-bit arithmetic in loops without branches, which become vector instructions;
every ``int32(...)`` keeps a number from being widened to 64 bits. Compiled code is kept on disk (``loading``).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from controller.scheduling import blocks, columns, scoring, tables
from controller.scheduling.blocks import Hosts
from controller.scheduling.columns import Int32
from controller.scheduling.tables import (
    ACCELERATOR,
    BALANCE,
    BASE,
    EMPTY,
    EVEN_OUT,
    HARD_APART,
    HARD_TOGETHER,
    LARGE,
    LARGE_MEMORY,
    LARGE_VCPU,
    MEAN,
    MEMORY_ADD,
    MEMORY_INVERSE,
    MEMORY_LIMIT,
    MISFITS_MAX,
    OTHER_COUNT,
    SECTION,
    SOFT_APART,
    STORAGE_COUNT,
    STORAGE_ROW,
    USABLE,
    VCPU_ADD,
    VCPU_INVERSE,
    VCPU_LIMIT,
    Bounds,
    Classes,
    Rules,
)

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Constants of the compiled code: numba takes module globals as such.
_BLOCK = blocks.BLOCK
_GROUP = tables.GROUP
_SHIFT = scoring.INVERSE_SHIFT
_LOWEST = columns.NONE
_NONE = np.int32(columns.NONE)
#: Lower than any score under rules.
_OUT = np.int64(columns.NONE * 2)
_i = np.int32
_ZERO, _THOUSAND = np.int32(0), np.int32(1000)
_SLOT_SHIFT, _USABLE_SHIFT, _LARGE_SHIFT = scoring.SLOT_SHIFT, scoring.USABLE_SHIFT, scoring.LARGE_MEMORY_SHIFT

# Nothing here makes an array, so none is counted (``_nrt``): counting every slice cost more than scoring the block. A fleet
# belongs to one thread at a time, so others may run meanwhile (``nogil``).
_OPTIONS: dict[str, Any] = {"cache": True, "error_model": "numpy", "boundscheck": False, "nogil": True, "_nrt": False}
# Types are those of the functions as they stand here: numba says nothing of what it makes of them.
compiled: Callable[[_Function], _Function] = njit(**_OPTIONS)


@compiled
def _room(number: Int32, k: int) -> Any:
    """Return what ``_remainder`` needs of class ``k``, read once: stores into a buffer would make every loop read it again."""
    asked = number[VCPU_ADD, k], number[MEMORY_ADD, k]
    weights = number[USABLE, k], number[EVEN_OUT, k], number[EMPTY, k], number[LARGE, k]
    large = number[LARGE_VCPU, k], number[LARGE_MEMORY, k]
    by_vcpu = number[VCPU_LIMIT, k], number[VCPU_INVERSE, k]
    return asked, weights, large, by_vcpu, (number[MEMORY_LIMIT, k], number[MEMORY_INVERSE, k])


@compiled
def _remainder(room: Any, f_vcpu: Any, c_vcpu: Any, i_vcpu: Any, f_memory: Any, c_memory: Any, i_memory: Any) -> Any:
    """See ``plain._remainder``: what placing one of a class on one host would cost of the room that is left there."""
    (x_vcpu, x_memory), (w_usable, w_even, w_empty, w_large), large, by_vcpu, by_memory = room
    p0 = _i(_i(min(_i(c_vcpu - f_vcpu), c_vcpu) * i_vcpu) >> _SHIFT)
    m0 = _i(_i(min(_i(c_memory - f_memory), c_memory) * i_memory) >> _SHIFT)
    p = _i(_i(min(_i(c_vcpu - f_vcpu + x_vcpu), c_vcpu) * i_vcpu) >> _SHIFT)
    m = _i(_i(min(_i(c_memory - f_memory + x_memory), c_memory) * i_memory) >> _SHIFT)
    u0, u = _i(_THOUSAND - max(p0, m0)), _i(_THOUSAND - max(p, m))
    cost = _i(_i(w_usable * _i(_i(u0 * u0) - _i(u * u))) >> _USABLE_SHIFT)
    cost = _i(cost + _i(w_even * _i(abs(_i(p - m)) - abs(_i(p0 - m0)))))
    cost = _i(cost + _i(w_empty * _i((f_vcpu == c_vcpu) & (f_memory == c_memory))))
    n0 = min(_slots(f_vcpu, by_vcpu), _slots(_i(max(f_memory, _ZERO) >> _LARGE_SHIFT), by_memory))
    left = _i(max(_i(f_memory - x_memory), _ZERO) >> _LARGE_SHIFT)
    n = min(_slots(_i(f_vcpu - x_vcpu), by_vcpu), _slots(left, by_memory))
    share = _i(_i(min(large[0], c_vcpu) * i_vcpu) >> _SHIFT)
    share = _i(_i(share + _i(_i(min(large[1], c_memory) * i_memory) >> _SHIFT)) >> 1)
    return _i(cost + _i(w_large * _i(_i(n0 - n) * share)))


@compiled
def _slots(free: Any, by: Any) -> Any:
    """See ``scoring.slots``; ``by`` is the limit and the inverse of the large machine."""
    return _i(_i(min(max(free, _ZERO), by[0]) * by[1]) >> _SLOT_SHIFT)


@compiled
def _score_alike(hosts: Hosts, classes: Classes, slot: int, start: int, buffer: Int32, means: Any) -> np.int32:
    """Score a block whose hosts are of one kind: facts are read once.

    ``means``: weights of mean and balance, or nothing where a class has neither; then it is compiled without them.
    """
    number, ask, end = classes.number, classes.ask, start + _BLOCK
    c_vcpu, i_vcpu = hosts.capacity[0, start], hosts.inverse[0, start]
    c_memory, i_memory = hosts.capacity[1, start], hosts.inverse[1, start]
    row = number[STORAGE_ROW, slot]
    c_store, i_store = hosts.capacity[row, start], hosts.inverse[row, start]
    f_vcpu, f_memory, f_store = hosts.free[0, start:end], hosts.free[1, start:end], hosts.free[row, start:end]
    f_room = hosts.free[max(row - 1, 0), start:end]
    a_vcpu, a_memory = ask[0, slot], ask[1, slot]
    a_room = ask[row - 1, slot] if row > 0 else _NONE
    x_vcpu, x_memory = number[VCPU_ADD, slot], number[MEMORY_ADD, slot]
    x_store, w_store = classes.storage_add[row, slot], classes.storage_weight[row, slot]
    base = _i(number[BASE, slot] + number[ACCELERATOR, slot] * hosts.accelerator[start])
    room, best = _room(number, slot), _NONE
    for k in range(_BLOCK):
        s = _i(_i(min(_i(c_store - f_store[k] + x_store), c_store) * i_store) >> _SHIFT)
        score = _i(base - _i(w_store * s))
        if means is not None:
            p = _i(_i(min(_i(c_vcpu - f_vcpu[k] + x_vcpu), c_vcpu) * i_vcpu) >> _SHIFT)
            m = _i(_i(min(_i(c_memory - f_memory[k] + x_memory), c_memory) * i_memory) >> _SHIFT)
            score = _i(score + _i(means[0] * _i(_i(p + m) >> 1)) - _i(means[1] * abs(_i(p - m))))
        score = _i(score - _remainder(room, f_vcpu[k], c_vcpu, i_vcpu, f_memory[k], c_memory, i_memory))
        fits = (f_vcpu[k] >= a_vcpu) & (f_memory[k] >= a_memory) & (f_room[k] >= a_room)
        score = score if fits else _NONE
        buffer[k] = score
        best = max(best, score)
    return best


@compiled
def _score_mixed(hosts: Hosts, classes: Classes, slot: int, start: int, buffer: Int32) -> np.int32:
    """Score a block of hosts of several kinds."""
    number, ask, end = classes.number, classes.ask, start + _BLOCK
    c_vcpu, i_vcpu, f_vcpu = hosts.capacity[0, start:end], hosts.inverse[0, start:end], hosts.free[0, start:end]
    c_memory, i_memory, f_memory = hosts.capacity[1, start:end], hosts.inverse[1, start:end], hosts.free[1, start:end]
    row = number[STORAGE_ROW, slot]
    c_store, i_store, f_store = hosts.capacity[row, start:end], hosts.inverse[row, start:end], hosts.free[row, start:end]
    f_room = hosts.free[max(row - 1, 0), start:end]
    bits, sections, accelerator = hosts.bits[start:end], hosts.section[start:end], hosts.accelerator[start:end]
    a_vcpu, a_memory = ask[0, slot], ask[1, slot]
    a_room = ask[row - 1, slot] if row > 0 else _NONE
    x_vcpu, x_memory = number[VCPU_ADD, slot], number[MEMORY_ADD, slot]
    x_store, w_store = classes.storage_add[row, slot], classes.storage_weight[row, slot]
    w_mean, w_balance, w_accelerator = number[MEAN, slot], number[BALANCE, slot], number[ACCELERATOR, slot]
    base, section, wanted = number[BASE, slot], number[SECTION, slot], classes.bits[slot]
    room, best = _room(number, slot), _NONE
    for k in range(_BLOCK):
        p = _i(_i(min(_i(c_vcpu[k] - f_vcpu[k] + x_vcpu), c_vcpu[k]) * i_vcpu[k]) >> _SHIFT)
        m = _i(_i(min(_i(c_memory[k] - f_memory[k] + x_memory), c_memory[k]) * i_memory[k]) >> _SHIFT)
        s = _i(_i(min(_i(c_store[k] - f_store[k] + x_store), c_store[k]) * i_store[k]) >> _SHIFT)
        score = _i(base + _i(w_mean * _i(_i(p + m) >> 1)) - _i(w_balance * abs(_i(p - m))) - _i(w_store * s))
        score = _i(score + _i(w_accelerator * accelerator[k]))
        score = _i(score - _remainder(room, f_vcpu[k], c_vcpu[k], i_vcpu[k], f_memory[k], c_memory[k], i_memory[k]))
        fits = (f_vcpu[k] >= a_vcpu) & (f_memory[k] >= a_memory) & (f_room[k] >= a_room)
        fits = fits & ((bits[k] & wanted) == wanted) & (sections[k] == section)
        score = score if fits else _NONE
        buffer[k] = score
        best = max(best, score)
    return best


@compiled
def _further_rows(hosts: Hosts, classes: Classes, slot: int, start: int, buffer: Int32) -> np.int32:
    """Take in what a class asks besides processors, memory and one disk class: one row asked and one weighed in each pass."""
    end, best = start + _BLOCK, _NONE
    asked, weighed = classes.number[OTHER_COUNT, slot], classes.number[STORAGE_COUNT, slot]
    for n in range(max(asked, weighed)):
        row = classes.other_row[slot, n] if n < asked else 0
        ask = classes.ask[row, slot] if n < asked else _NONE
        store = classes.storage_row[slot, n] if n < weighed else 0
        add, weight = classes.storage_add[store, slot], classes.storage_weight[store, slot] if n < weighed else _ZERO
        room, free = hosts.free[row, start:end], hosts.free[store, start:end]
        capacity, inverse = hosts.capacity[store, start:end], hosts.inverse[store, start:end]
        best = _NONE
        for k in range(_BLOCK):
            s = _i(_i(min(_i(capacity[k] - free[k] + add), capacity[k]) * inverse[k]) >> _SHIFT)
            fits = (buffer[k] != _NONE) & (room[k] >= ask)
            score = _i(buffer[k] - _i(weight * s)) if fits else _NONE
            buffer[k] = score
            best = max(best, score)
    return best


@compiled
def _evaluate(hosts: Hosts, classes: Classes, slot: int, block: int, buffer: Int32) -> np.int32:
    """Return the best score of a block; ``buffer`` holds those of its hosts, unless the answer is none."""
    start, wanted, only = block * _BLOCK, classes.bits[slot], hosts.only_section[block]
    if (hosts.any_bits[block] & wanted) != wanted or (only >= 0 and only != classes.number[SECTION, slot]):
        return _NONE
    if hosts.is_alike[block]:
        w_mean, w_balance = classes.number[MEAN, slot], classes.number[BALANCE, slot]
        if w_mean == 0 and w_balance == 0:
            best = _score_alike(hosts, classes, slot, start, buffer, None)
        else:
            best = _score_alike(hosts, classes, slot, start, buffer, (w_mean, w_balance))
    else:
        best = _score_mixed(hosts, classes, slot, start, buffer)
    if best != _NONE and classes.number[OTHER_COUNT, slot] + classes.number[STORAGE_COUNT, slot] > 0:
        best = _further_rows(hosts, classes, slot, start, buffer)
    return best


@compiled
def _first(buffer: Int32, best: np.int32) -> int:
    """Return the first place of a score: inside a block hosts stand in their order."""
    for k in range(_BLOCK):
        if buffer[k] == best:
            return k
    return -1


@compiled
def _raise_group(bounds: Bounds, group: int, slot: int) -> np.int32:
    best = _NONE
    for block in range(group * _GROUP, group * _GROUP + _GROUP):
        best = max(best, bounds.block[block, slot])
    bounds.group[group, slot] = best
    return best


@compiled
def scan(hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, buffer: Int32) -> int:
    """See ``plain.scan``."""
    best, position, lowest = _NONE, -1, np.int32(2**31 - 1)
    for block in range(len(hosts.is_alike)):
        top = _evaluate(hosts, classes, slot, block, buffer)
        bounds.block[block, slot] = top
        if top > best or (top == best and top != _NONE and hosts.ids[block * _BLOCK] < lowest):
            found = block * _BLOCK + _first(buffer, top)
            if top > best or hosts.ids[found] < lowest:
                best, position, lowest = top, found, hosts.ids[found]
    for group in range(bounds.group.shape[0]):
        _raise_group(bounds, group, slot)
    return position


@compiled
def _highest(bounds: Bounds, slot: int) -> np.int32:
    best = _NONE
    for group in range(bounds.group.shape[0]):
        best = max(best, bounds.group[group, slot])
    return best


@compiled
def pick(hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, buffer: Int32) -> int:
    """See ``plain.pick``."""
    while True:
        best, found = _highest(bounds, slot), -1
        if best == _NONE:
            return -1
        for group in range(bounds.group.shape[0]):
            if bounds.group[group, slot] == best:
                found = _pick_in(hosts, classes, bounds, slot, group, best, found, buffer)
        if found >= 0:
            return found


@compiled
def _pick_in(
    hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, group: int, best: np.int32, found: int, buffer: Int32
) -> int:
    """Return the lower of ``found`` and the lowest host of a group of blocks that keeps its promise; lower false promises."""
    is_lower = False
    for block in range(group * _GROUP, group * _GROUP + _GROUP):
        start = block * _BLOCK
        if bounds.block[block, slot] != best or (found >= 0 and hosts.ids[start] > hosts.ids[found]):
            continue
        top = _evaluate(hosts, classes, slot, block, buffer)
        if top < best:
            bounds.block[block, slot] = top
            is_lower = True
        else:
            position = start + _first(buffer, best)
            if found < 0 or hosts.ids[position] < hosts.ids[found]:
                found = position
    if is_lower:
        _raise_group(bounds, group, slot)
    return found


@compiled
def _ruled(hosts: Hosts, rules: Rules, position: int, plain_score: int) -> np.int64:
    """Return the score of a host under the rules of a request, ``_OUT`` where it does not fit."""
    if plain_score == _LOWEST or (len(rules.is_out) > 0 and rules.is_out[position] != 0):
        return _OUT
    misfits = 0
    for r in range(len(rules.kind)):
        mates = rules.counts[rules.offset[r] + hosts.domain[rules.level[r], position]]
        kind = rules.kind[r]
        if kind == HARD_APART:
            if mates > rules.limit[r]:
                return _OUT
        elif kind == HARD_TOGETHER:
            if mates == 0:
                return _OUT
        elif kind == SOFT_APART:
            misfits += max(0, mates - rules.limit[r])
        elif mates == 0:
            misfits += 1
    return np.int64(plain_score) - rules.cost * min(misfits, MISFITS_MAX)


@compiled
def _least_cost(rules: Rules) -> int:
    """Return what soft rules take off on any host at least: where every domain has its share, no bound is worth its face."""
    total = 0
    for r in range(len(rules.kind)):
        if rules.kind[r] != SOFT_APART:
            continue
        fewest = np.int32(2**31 - 1)
        for d in range(rules.offset[r], rules.offset[r] + rules.domains[r]):
            fewest = min(fewest, rules.counts[d])
            if fewest <= rules.limit[r]:
                break
        total += max(0, fewest - rules.limit[r])
    return rules.cost * min(total, MISFITS_MAX)


@compiled
def _best_ruled(hosts: Hosts, rules: Rules, start: int, buffer: Int32, least: np.int64, cost: int) -> tuple[np.int64, int]:
    """Return the best score of a block under the rules, and its first place; ``_OUT`` if it is below ``least``.

    On any host the rules take off ``cost`` or more.
    """
    best, place = _OUT, 0
    for k in range(_BLOCK):
        if buffer[k] - cost < least or buffer[k] - cost <= best:
            continue
        score = _ruled(hosts, rules, start + k, buffer[k])
        if score > best:
            best, place = score, k
    return best, place


@compiled
def _next(bound: Int32, slot: int, is_seen: NDArray[np.uint8], start: int, end: int) -> int:
    """Return the one with the highest bound that was not looked at yet, -1 for none."""
    found, highest = -1, _NONE
    for n in range(start, end):
        if is_seen[n] == 0 and bound[n, slot] > highest:
            found, highest = n, bound[n, slot]
    return found


@compiled
def pick_ruled(
    hosts: Hosts, classes: Classes, bounds: Bounds, rules: Rules, slot: int, buffer: Int32, work: NDArray[np.uint8]
) -> int:
    """See ``plain.pick_ruled``: the blocks with the highest bounds first, until no other can hold a better host."""
    groups = bounds.group.shape[0]
    is_seen_group, is_seen = work[:groups], work[groups:]
    is_seen_group[:] = 0
    best, position, cost = _OUT, -1, _least_cost(rules)
    while True:
        group = _next(bounds.group, slot, is_seen_group, 0, groups)
        if group < 0 or bounds.group[group, slot] - cost < best:
            return position
        is_seen_group[group] = 1
        best, position = _pick_ruled_in(hosts, classes, bounds, rules, slot, group, best, position, cost, buffer, is_seen)


@compiled
def _pick_ruled_in(
    hosts: Hosts,
    classes: Classes,
    bounds: Bounds,
    rules: Rules,
    slot: int,
    group: int,
    best: np.int64,
    position: int,
    cost: int,
    buffer: Int32,
    is_seen: NDArray[np.uint8],
) -> tuple[np.int64, int]:
    """Return the best score and host after a group of blocks was looked at as well."""
    first = group * _GROUP
    is_seen[first : first + _GROUP] = 0
    while True:
        block = _next(bounds.block, slot, is_seen, first, first + _GROUP)
        if block < 0 or bounds.block[block, slot] - cost < best:
            break
        is_seen[block] = 1
        start = block * _BLOCK
        if bounds.block[block, slot] - cost == best and hosts.ids[start] > hosts.ids[position]:
            continue
        top = _evaluate(hosts, classes, slot, block, buffer)
        bounds.block[block, slot] = top
        if top == _NONE:
            continue
        ruled, place = _best_ruled(hosts, rules, start, buffer, best, cost)
        if ruled == _OUT or ruled < best:
            continue
        if ruled > best or hosts.ids[start + place] < hosts.ids[position]:
            best, position = ruled, start + place
    _raise_group(bounds, group, slot)
    return best, position


@compiled
def raise_bounds(hosts: Hosts, classes: Classes, bounds: Bounds, position: int) -> None:
    """See ``plain.raise_bounds``."""
    number, bits, ask = classes.number, classes.bits, classes.ask
    slots, rows = len(bits), ask.shape[0]
    own_bits, own_section, accelerator = hosts.bits[position], hosts.section[position], hosts.accelerator[position]
    c_vcpu, i_vcpu, f_vcpu = hosts.capacity[0, position], hosts.inverse[0, position], hosts.free[0, position]
    c_memory, i_memory, f_memory = hosts.capacity[1, position], hosts.inverse[1, position], hosts.free[1, position]
    found = bounds.found
    x_vcpu, x_memory, a_vcpu, a_memory = number[VCPU_ADD], number[MEMORY_ADD], ask[0], ask[1]
    mean, balance, base, w_accelerator, section = (
        number[MEAN],
        number[BALANCE],
        number[BASE],
        number[ACCELERATOR],
        number[SECTION],
    )
    for k in range(slots):
        p = _i(_i(min(_i(c_vcpu - f_vcpu + x_vcpu[k]), c_vcpu) * i_vcpu) >> _SHIFT)
        m = _i(_i(min(_i(c_memory - f_memory + x_memory[k]), c_memory) * i_memory) >> _SHIFT)
        score = _i(base[k] + _i(mean[k] * _i(_i(p + m) >> 1)) - _i(balance[k] * abs(_i(p - m))))
        score = _i(score + _i(w_accelerator[k] * accelerator))
        score = _i(score - _remainder(_room(number, k), f_vcpu, c_vcpu, i_vcpu, f_memory, c_memory, i_memory))
        fits = (f_vcpu >= a_vcpu[k]) & (f_memory >= a_memory[k]) & (section[k] == own_section) & ((own_bits & bits[k]) == bits[k])
        found[k] = score if fits else _NONE
    for row in range(2, rows):
        if classes.is_weighed[row]:
            _weigh_row(hosts, classes, row, position, found)
        elif classes.is_asked[row]:
            free, asked = hosts.free[row, position], ask[row]
            for k in range(slots):
                found[k] = found[k] if free >= asked[k] else _NONE
    block = position // _BLOCK
    of_block, of_group = bounds.block[block], bounds.group[block // _GROUP]
    for k in range(slots):
        of_block[k] = max(of_block[k], found[k])
    for k in range(slots):
        of_group[k] = max(of_group[k], found[k])


@compiled
def _weigh_row(hosts: Hosts, classes: Classes, row: int, position: int, found: Int32) -> None:
    """Take the storage of one disk class into the scores of one host for all classes."""
    free, capacity, inverse = hosts.free[row, position], hosts.capacity[row, position], hosts.inverse[row, position]
    ask, add, weight = classes.ask[row], classes.storage_add[row], classes.storage_weight[row]
    for k in range(len(found)):
        s = _i(_i(min(_i(capacity - free + add[k]), capacity) * inverse) >> _SHIFT)
        score = _i(found[k] - _i(weight[k] * s))
        found[k] = score if (found[k] != _NONE) & (free >= ask[k]) else _NONE
