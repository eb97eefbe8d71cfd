"""Exact sums of many 64-bit integers, whatever they come to: micro-yuan of a month, seconds of a site. Pure."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
#: Every product stays below this, far enough from 2**63 that an estimate in floating point decides it safely.
SAFE = float(1 << 61)


def by_group(values: Ints, group_of: Ints, count: int) -> list[int]:
    """Return the sum of the values of each of ``count`` groups."""
    # The upper and the lower half of each value: no sum of fewer than 2**31 of them overflows.
    halves = [np.zeros(count, dtype=np.int64) for _ in range(2)]
    np.add.at(halves[0], group_of, values >> 32)
    np.add.at(halves[1], group_of, values & 0xFFFF_FFFF)
    return [(high << 32) + low for high, low in zip(*(half.tolist() for half in halves), strict=True)]


def total(values: Ints) -> int:
    """Return the sum of all values."""
    return by_group(values, np.zeros(len(values), dtype=np.int64), 1)[0]


def products_by_group(values: Ints, factors: Ints, group_of: Ints, count: int) -> list[int]:
    """Return the sum of ``value × factor`` of each of ``count`` groups."""
    if np.max(np.abs(values.astype(float) * factors.astype(float)), initial=0) < SAFE:
        return by_group(values * factors, group_of, count)
    sums = [0] * count
    for n, value, factor in zip(group_of.tolist(), values.tolist(), factors.tolist(), strict=True):
        sums[n] += value * factor
    return sums
