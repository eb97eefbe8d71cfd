"""The engine of numpy alone: used where the compiled one is not there (yet) and on small fleets. Same choices, always."""

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.blocks import BLOCK, Hosts
from controller.scheduling.columns import MEMORY_ROW, NONE, VCPU_ROW, Int32, Int64
from controller.scheduling.scoring import INVERSE_SHIFT, LARGE_MEMORY_SHIFT, SLOT_SHIFT, USABLE_SHIFT
from controller.scheduling.tables import (
    ACCELERATOR,
    BALANCE,
    BASE,
    EMPTY,
    EVEN_OUT,
    GROUP,
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


def _scores(hosts: Hosts, classes: Classes, slot: int, part: slice) -> Int32:
    """Return the score of a class on each host of a part, ``NONE`` where it does not fit."""
    number, bits = classes.number[:, slot], classes.bits[slot]
    fits = ((hosts.bits[part] & bits) == bits) & (hosts.section[part] == number[SECTION])
    for row in np.flatnonzero(classes.ask[:, slot] != NONE):
        fits &= hosts.free[row, part] >= classes.ask[row, slot]
    processors = _fill(hosts, VCPU_ROW, part, number[VCPU_ADD])
    memory = _fill(hosts, MEMORY_ROW, part, number[MEMORY_ADD])
    score = number[BASE] + number[MEAN] * ((processors + memory) >> 1) - number[BALANCE] * np.abs(processors - memory)
    score += number[ACCELERATOR] * hosts.accelerator[part]
    free, capacity = hosts.free[: MEMORY_ROW + 1, part], hosts.capacity[: MEMORY_ROW + 1, part]
    before = _fill(hosts, VCPU_ROW, part, 0), _fill(hosts, MEMORY_ROW, part, 0)
    score -= _remainder(number, free, capacity, hosts.inverse[: MEMORY_ROW + 1, part], before, (processors, memory))
    rows = [number[STORAGE_ROW], *classes.storage_row[slot, : number[STORAGE_COUNT]]] if number[STORAGE_ROW] else ()
    for row in rows:
        score -= classes.storage_weight[row, slot] * _fill(hosts, row, part, classes.storage_add[row, slot])
    return np.where(fits, score, NONE).astype(np.int32)


def score_at(hosts: Hosts, classes: Classes, slot: int, position: int) -> int:
    """Return the score of a class on one host."""
    return int(_scores(hosts, classes, slot, slice(position, position + 1))[0])


def _fill(hosts: Hosts, row: int, part: slice, asked: int) -> Int64:
    capacity: Int64 = hosts.capacity[row, part].astype(np.int64)
    filled: Int64 = (np.minimum(capacity - hosts.free[row, part] + asked, capacity) * hosts.inverse[row, part]) >> INVERSE_SHIFT
    return filled


def _remainder(
    number: Int32, free: Int32, capacity: Int32, inverse: Int32, before: tuple[Int64, Int64], after: tuple[Int64, Int64]
) -> Int64:
    """Return what placing would cost of the room that is left: usable, even, for a large machine, of an empty host."""
    usable = (1000 - np.maximum(*before)) ** 2 - (1000 - np.maximum(*after)) ** 2
    uneven = np.abs(after[0] - after[1]) - np.abs(before[0] - before[1])
    cost: Int64 = ((number[USABLE] * usable) >> USABLE_SHIFT) + number[EVEN_OUT] * uneven
    cost += number[EMPTY] * ((free[VCPU_ROW] == capacity[VCPU_ROW]) & (free[MEMORY_ROW] == capacity[MEMORY_ROW]))
    if number[LARGE].any():
        left = free[VCPU_ROW] - number[VCPU_ADD], free[MEMORY_ROW] - number[MEMORY_ADD]
        lost = _slots(number, free[VCPU_ROW], free[MEMORY_ROW]) - _slots(number, *left)
        share = (np.minimum(number[LARGE_VCPU], capacity[VCPU_ROW]).astype(np.int64) * inverse[VCPU_ROW]) >> INVERSE_SHIFT
        share += (np.minimum(number[LARGE_MEMORY], capacity[MEMORY_ROW]).astype(np.int64) * inverse[MEMORY_ROW]) >> INVERSE_SHIFT
        cost += number[LARGE] * lost * (share >> 1)
    return cost


def _slots(number: Int32, vcpu: Int32, memory_mib: Int32) -> Int64:
    """Return how many large machines fit, by the scarcer one (``scoring.slots``)."""
    units = np.maximum(memory_mib, 0) >> LARGE_MEMORY_SHIFT
    by_vcpu = np.minimum(np.maximum(vcpu, 0), number[VCPU_LIMIT]).astype(np.int64) * number[VCPU_INVERSE]
    by_memory = np.minimum(units, number[MEMORY_LIMIT]).astype(np.int64) * number[MEMORY_INVERSE]
    found: Int64 = np.minimum(by_vcpu, by_memory) >> SLOT_SHIFT
    return found


def _first(hosts: Hosts, scores: Int32 | Int64, best: int, start: int) -> int:
    """Return the position of the lowest host with the best score."""
    found = np.flatnonzero(scores == best) + start
    return int(found[np.argmin(hosts.ids[found])])


def scan(hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, _buffer: Int32) -> int:
    """Return the position of the best host for a class, -1 for none, and write its bounds: a class nobody knows yet."""
    scores = _scores(hosts, classes, slot, slice(None))
    blocks = len(scores) // BLOCK
    bounds.block[:blocks, slot] = scores.reshape(blocks, BLOCK).max(axis=1, initial=NONE)
    bounds.group[:, slot] = bounds.block[:, slot].reshape(-1, GROUP).max(axis=1, initial=NONE)
    best = int(scores.max(initial=NONE))
    return -1 if best == NONE else _first(hosts, scores, best, 0)


def pick(hosts: Hosts, classes: Classes, bounds: Bounds, slot: int, _buffer: Int32) -> int:
    """Return the position of the best host for a live class, -1 for none; bounds that promise too much are lowered."""
    column = bounds.block[:, slot]
    while (best := int(column.max(initial=NONE))) != NONE:
        found = -1
        for block in np.flatnonzero(column == best).tolist():
            start = block * BLOCK
            if found >= 0 and hosts.ids[start] > hosts.ids[found]:
                continue
            scores = _scores(hosts, classes, slot, slice(start, start + BLOCK))
            column[block] = top = int(scores.max())
            if top == best:
                position = _first(hosts, scores, best, start)
                found = position if found < 0 or hosts.ids[position] < hosts.ids[found] else found
        bounds.group[:, slot] = column.reshape(-1, GROUP).max(axis=1)
        if found >= 0:
            return found
    return -1


def pick_ruled(
    hosts: Hosts, classes: Classes, _bounds: Bounds, rules: Rules, slot: int, _buffer: Int32, _work: NDArray[np.uint8]
) -> int:
    """Return the position of the best host under the rules of a request, -1 for none."""
    scores = _scores(hosts, classes, slot, slice(None)).astype(np.int64)
    fits = scores != NONE
    if len(rules.is_out):
        fits &= rules.is_out == 0
    misfits = np.zeros(len(scores), dtype=np.int64)
    for level, kind, limit, offset in zip(rules.level, rules.kind, rules.limit, rules.offset, strict=True):
        mates = rules.counts[offset + hosts.domain[level]]
        if kind == HARD_APART:
            fits &= mates <= limit
        elif kind == HARD_TOGETHER:
            fits &= mates > 0
        else:
            misfits += np.maximum(0, mates - limit) if kind == SOFT_APART else mates == 0
    scores -= rules.cost * np.minimum(misfits, MISFITS_MAX)
    scores[~fits] = best = NONE * 2
    best = int(scores.max(initial=best))
    return -1 if best == NONE * 2 else _first(hosts, scores, best, 0)


def raise_bounds(hosts: Hosts, classes: Classes, bounds: Bounds, position: int) -> None:
    """Take the new score of a changed host into the bounds of all live classes."""
    number = classes.number
    fits = ((hosts.bits[position] & classes.bits) == classes.bits) & (hosts.section[position] == number[SECTION])
    fits &= (hosts.free[:, position, None] >= classes.ask).all(axis=0)
    processors = _fill_all(hosts, VCPU_ROW, position, number[VCPU_ADD])
    memory = _fill_all(hosts, MEMORY_ROW, position, number[MEMORY_ADD])
    score = number[BASE] + number[MEAN] * ((processors + memory) >> 1) - number[BALANCE] * np.abs(processors - memory)
    score += number[ACCELERATOR] * hosts.accelerator[position]
    one = slice(position, position + 1)
    free, capacity = hosts.free[: MEMORY_ROW + 1, one], hosts.capacity[: MEMORY_ROW + 1, one]
    before = _fill(hosts, VCPU_ROW, one, 0), _fill(hosts, MEMORY_ROW, one, 0)
    score -= _remainder(number, free, capacity, hosts.inverse[: MEMORY_ROW + 1, one], before, (processors, memory))
    for row in np.flatnonzero(classes.storage_weight.any(axis=1)).tolist():
        score -= classes.storage_weight[row] * _fill_all(hosts, row, position, classes.storage_add[row])
    found = np.where(fits, score, NONE).astype(np.int32)
    block = position // BLOCK
    np.maximum(bounds.block[block], found, out=bounds.block[block])
    np.maximum(bounds.group[block // GROUP], found, out=bounds.group[block // GROUP])


def _fill_all(hosts: Hosts, row: int, position: int, asked: Int32) -> Int64:
    capacity = int(hosts.capacity[row, position])
    used = capacity - int(hosts.free[row, position]) + asked.astype(np.int64)
    return (np.minimum(used, capacity) * int(hosts.inverse[row, position])) >> INVERSE_SHIFT
