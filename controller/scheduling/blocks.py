"""Hosts in blocks of 128, those alike together: what the scans read.

Hosts that are equal in all facts (capacity, bits, zone, policy) stand together, so that a scan reads the facts of such a block
once and only the free amounts of each host; what is left over of each kind fills the last, mixed blocks, those of one section
and of like bits together. Of every block it is known which section and bits there are at all. Inside a block hosts are in their
order, lowest first. A host's place here is its *position*; everywhere else it is its index in the snapshot.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.columns import Int32
from controller.scheduling.scoring import inverses
from controller.scheduling.snapshot import Snapshot
from inventory.domain.placement import Level, NetworkLevel
from inventory.domain.system import SpreadLevel

BLOCK = 128
#: Up to here sorting by kind costs more than it saves.
_SORTED_FROM = 8 * BLOCK
#: The rows of ``Hosts.domain``.
LEVELS: tuple[Level, ...] = (SpreadLevel.HOST, SpreadLevel.RACK, SpreadLevel.ROOM, SpreadLevel.SITE, NetworkLevel.HOME)


class Hosts(NamedTuple):
    """Columns by position. All but ``free`` are facts and never written."""

    #: (row, position).
    free: Int32
    capacity: Int32
    inverse: Int32
    bits: Int32
    #: Zone and policy (``Snapshot.sections``).
    section: Int32
    accelerator: Int32
    #: (level, position).
    domain: Int32
    #: Index in the snapshot; past the last host, where a block is not full, their count.
    ids: Int32
    #: By block: 1 where all hosts are of one kind.
    is_alike: NDArray[np.uint8]
    #: By block: the section of all its hosts, -1 where they are of several, and the bits that any of them has.
    only_section: Int32
    any_bits: Int32


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each host stands; ``facts.free`` is empty."""

    position_of: Int32
    facts: Hosts

    def hosts(self, free_rows: Int32) -> Hosts:
        """Return the columns with their own copy of what is free."""
        free = np.zeros((len(free_rows), len(self.facts.ids)), dtype=np.int32)
        free[:, self.position_of] = free_rows
        return self.facts._replace(free=free)


def layout_of(snapshot: Snapshot) -> Layout:
    """Return the blocks of a picture; updated copies share them."""
    found: Layout = snapshot.memory.get("layout") or snapshot.memory.setdefault("layout", _layout(snapshot))
    return found


def _layout(snapshot: Snapshot) -> Layout:
    count = snapshot.host_count
    order, alike_count = _order(snapshot)
    blocks = -(-count // BLOCK)
    position_of = np.empty(count, dtype=np.int32)
    position_of[order] = np.arange(count, dtype=np.int32)

    def placed(column: Int32) -> Int32:
        room = np.zeros((*column.shape[:-1], blocks * BLOCK), dtype=column.dtype)
        room[..., :count] = column[..., order]
        return room

    ids = np.full(blocks * BLOCK, count, dtype=np.int32)
    ids[:count] = order
    capacity = placed(snapshot.capacity_rows)
    section, bits = placed(snapshot.section_index), placed(snapshot.bits)
    facts = Hosts(
        free=np.empty((0, 0), dtype=np.int32),
        capacity=capacity,
        inverse=inverses(capacity),
        bits=bits,
        section=section,
        accelerator=placed(snapshot.has_accelerator),
        domain=placed(np.stack([*(snapshot.domain_index[level] for level in LEVELS[:-1]), snapshot.home_index])),
        ids=ids,
        is_alike=(np.arange(blocks) < alike_count).astype(np.uint8),
        only_section=_only_section(section, count),
        any_bits=np.bitwise_or.reduce(bits.reshape(blocks, BLOCK), axis=1).astype(np.int32),
    )
    return Layout(position_of=position_of, facts=facts)


def _only_section(section: Int32, count: int) -> Int32:
    """Return the section of each block, -1 where its hosts are of several; what is past the last host is of none."""
    by_block = section.reshape(-1, BLOCK)
    is_there = (np.arange(section.size) < count).reshape(-1, BLOCK)
    lowest, highest = by_block.min(axis=1, where=is_there, initial=2**30), by_block.max(axis=1, where=is_there, initial=-1)
    return np.where(lowest == highest, lowest, -1).astype(np.int32)


def _order(snapshot: Snapshot) -> tuple[Int32, int]:
    """Return hosts by position, and how many blocks from the first are of one kind each."""
    count = snapshot.host_count
    if count < _SORTED_FROM:
        return np.arange(count, dtype=np.int32), 0
    keys = np.column_stack([snapshot.capacity_rows.T, snapshot.bits, snapshot.section_index, snapshot.has_accelerator])
    order = np.lexsort(keys.T).astype(np.int32)
    is_first = np.ones(count, dtype=np.bool_)
    is_first[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], count)
    whole = [order[s : s + (e - s) // BLOCK * BLOCK] for s, e in zip(starts, ends, strict=True)]
    rest = [order[s + (e - s) // BLOCK * BLOCK : e] for s, e in zip(starts, ends, strict=True)]
    together, left = np.concatenate(whole), np.concatenate(rest)
    left = left[np.lexsort((left, snapshot.bits[left], snapshot.section_index[left]))]
    mixed = [np.sort(left[start : start + BLOCK]) for start in range(0, len(left), BLOCK)]
    return np.concatenate([together, *mixed]), len(together) // BLOCK
