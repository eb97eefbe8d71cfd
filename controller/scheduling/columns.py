"""Which number of a host stands in which row, and the bits of what it is. The vocabulary of all columns.

A *row* is one amount of every host: vCPU and memory first, then every other dimension, then two per disk class: the
free GiB of the roomiest pool (what the largest disk needs) and of all pools together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inventory.domain.placement import Level
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU, is_fine
from inventory.domain.system import SpreadLevel

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

VCPU_ROW, MEMORY_ROW = 0, 1
#: Amounts are 32-bit integers, so that many fit in one vector register. What is larger is
#: shown as this (a million GiB of memory, a billion GiB of disk); half the range, so that a sum of two still fits.
AMOUNT_MAX = 2**30 - 1
#: "Asks for nothing", and the score of a host that does not fit.
NONE = -(2**31)

#: Bits of a host, 31 in all: eligible, MLPS levels it may carry, architecture, traits, and by level what a reserve means for
#: groups.
ELIGIBLE_BIT = 1
MLPS_LEVELS = 5
ARCHS_MAX = 5
TRAITS_MAX = 14
_ARCH_SHIFT = 1 + MLPS_LEVELS
_TRAIT_SHIFT = _ARCH_SHIFT + ARCHS_MAX
_RESERVE_SHIFT = _TRAIT_SHIFT + TRAITS_MAX
_RESERVE_LEVELS = (SpreadLevel.RACK, SpreadLevel.ROOM, SpreadLevel.SITE)
#: Asked for by machines that must stand apart by a level: after a failure nobody is moved into such a domain.
NO_STANDBY_BITS: dict[Level, int] = {level: 1 << (_RESERVE_SHIFT + n) for n, level in enumerate(_RESERVE_LEVELS)}
#: Asked for by machines that must stay together by a level: after a failure they are moved within their domain, or with it.
STANDBY_HERE_BITS: dict[Level, int] = {level: 1 << (_RESERVE_SHIFT + 3 + n) for n, level in enumerate(_RESERVE_LEVELS)}


@dataclass(frozen=True)
class Rows:
    """The rows of a picture."""

    #: vCPU, memory, then the others by name.
    dimensions: tuple[str, ...]
    disk_classes: tuple[str, ...]

    @classmethod
    def of(cls, dimensions: Iterable[str], disk_classes: Iterable[str]) -> "Rows":
        """Return the rows for these dimensions; disk stands on storage pools, never among them, and fine ones are looked up."""
        others = {d for d in set(dimensions) if not d.startswith(DISK_PREFIX) and not is_fine(d)} - {VCPU, MEMORY_MIB}
        return cls((VCPU, MEMORY_MIB, *sorted(others)), tuple(sorted(set(disk_classes))))

    @property
    def count(self) -> int:
        """Return how many rows there are."""
        return len(self.dimensions) + 2 * len(self.disk_classes)

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Return the row of each dimension."""
        return {d: row for row, d in enumerate(self.dimensions)}

    @cached_property
    def room_row_of(self) -> Mapping[str, int]:
        """Return the row of the roomiest pool of each disk class; the next row is that of all pools together."""
        return {c: len(self.dimensions) + 2 * n for n, c in enumerate(self.disk_classes)}


def clamped(values: Sequence[int]) -> Int32:
    """Return amounts as 32-bit integers, those beyond their range at its end."""
    return np.array([min(max(v, -AMOUNT_MAX), AMOUNT_MAX) for v in values], dtype=np.int32)


def mlps_bits(level: int) -> int:
    """Return the bits of a host that may carry systems up to ``level``; asked for, one bit of them."""
    return ((1 << max(0, min(level, MLPS_LEVELS))) - 1) << 1


def mlps_bit(level: int) -> int:
    """Return the bit that a host must have for a system of ``level``; none for level 0."""
    return 1 << level if level > 0 else 0


def arch_bit(index: int) -> int:
    """Return the bit of an architecture."""
    return 1 << (_ARCH_SHIFT + index)


def trait_bit(index: int) -> int:
    """Return the bit of a trait."""
    return 1 << (_TRAIT_SHIFT + index)
