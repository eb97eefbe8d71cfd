"""The arrays that the engines work on besides the hosts: live classes, bounds of blocks, rules of a request, storage pools."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.columns import AMOUNT_MAX, NONE, Int32
from controller.scheduling.scoring import LARGE_MEMORY_SHIFT, ClassTerms, slot_inverse

#: Blocks of a group of bounds.
GROUP = 16

#: Rows of ``Classes.number``.
VCPU_ADD, MEMORY_ADD, SECTION, BASE, MEAN, BALANCE, ACCELERATOR = range(7)
#: The large machine: its weight, what it takes, and the inverses and limits that count it (``scoring.slots``).
USABLE, EVEN_OUT, EMPTY, LARGE = range(7, 11)
LARGE_VCPU, LARGE_MEMORY, VCPU_INVERSE, VCPU_LIMIT, MEMORY_INVERSE, MEMORY_LIMIT = range(11, 17)
#: Row of the first disk class's pools together (0: asks for no disk), counts of the lists below.
STORAGE_ROW, OTHER_COUNT, STORAGE_COUNT, DISK_COUNT = range(17, 21)
NUMBER_COUNT = 21

#: Kinds of rules.
HARD_APART, HARD_TOGETHER, SOFT_APART, SOFT_TOGETHER = range(4)
#: More misfits than this weigh no more: the score stays a 32-bit number.
MISFITS_MAX = 1000


class Classes(NamedTuple):
    """Classes by slot, the last index, so that one host is scored for all of them in one sweep."""

    #: (row, slot): least amount, ``NONE`` where nothing is asked.
    ask: Int32
    number: Int32
    bits: Int32
    #: (row, slot): GiB asked of all pools of a class together, and its weight.
    storage_add: Int32
    storage_weight: Int32
    #: (slot, n): rows asked besides vCPU, memory and the roomiest pool of the first disk class.
    other_row: Int32
    #: (slot, n): rows of the storage of further disk classes.
    storage_row: Int32
    #: (slot, n): disks, largest first.
    disk_row: Int32
    disk_gib: Int32
    #: (row): 1 where a class asks something of the row, or weighs it.
    is_asked: NDArray[np.uint8]
    is_weighed: NDArray[np.uint8]


class Bounds(NamedTuple):
    """The best score of each block (and group of blocks) for each class, or more; never less."""

    #: (block, slot).
    block: Int32
    #: (group, slot).
    group: Int32
    #: Room for one score per slot.
    found: Int32


class Rules(NamedTuple):
    """Rules that matter for one choice, and hosts that are out of the question for it."""

    level: Int32
    kind: Int32
    #: Mates up to which an apart-rule is content.
    limit: Int32
    #: Where the counts of the rule's domains begin in ``counts``.
    offset: Int32
    #: How many domains there are.
    domains: Int32
    counts: Int32
    #: What a misfit costs.
    cost: int
    #: By position; empty where nobody is.
    is_out: NDArray[np.uint8]


class Closed(NamedTuple):
    """Hosts that a stream keeps free of what comes while another one in use has room; by position, empty where none is."""

    to_all: NDArray[np.uint8]
    #: To machines of fewer vCPUs than ``small_below``.
    to_small: NDArray[np.uint8]
    small_below: int


class Pools(NamedTuple):
    """Storage pools: those of host *i* from ``start[i]`` up to ``start[i + 1]``."""

    start: Int32
    #: Row of the roomiest pool of its class.
    row: Int32
    free: Int32
    #: Rows below this one are dimensions, the others storage.
    dimensions: int


class Stream(NamedTuple):
    """A stream of decisions. A group has one rule; it is best if its machines follow each other."""

    #: Class to place, or ``-1 - n`` to give back what decision *n* took.
    slot: Int32
    #: Group of each decision, -1 for none.
    group: Int32
    #: Gang of each decision, -1 for none: all of it is placed or nothing.
    gang: Int32
    #: By group: its first order.
    first: Int32
    level: Int32
    kind: Int32
    limit: Int32
    domains: Int32
    #: Hosts where members of group *g* are already: ``mates[mates_start[g]:mates_start[g + 1]]``.
    mates_start: Int32
    mates: Int32
    #: Answers: position (-1: fits nowhere; ``-2 - position`` once given back), and the pool of each disk, largest first.
    position: Int32
    chosen: Int32


def new_classes(rows: int, slots: int) -> Classes:
    """Return room for classes; an empty slot fits nowhere."""
    return Classes(
        ask=np.full((rows, slots), AMOUNT_MAX, dtype=np.int32),
        number=np.zeros((NUMBER_COUNT, slots), dtype=np.int32),
        bits=np.zeros(slots, dtype=np.int32),
        storage_add=np.zeros((rows, slots), dtype=np.int32),
        storage_weight=np.zeros((rows, slots), dtype=np.int32),
        other_row=np.zeros((slots, rows), dtype=np.int32),
        storage_row=np.zeros((slots, rows), dtype=np.int32),
        disk_row=np.zeros((slots, DISKS_MAX), dtype=np.int32),
        disk_gib=np.zeros((slots, DISKS_MAX), dtype=np.int32),
        is_asked=np.zeros(rows, dtype=np.uint8),
        is_weighed=np.zeros(rows, dtype=np.uint8),
    )


#: Disks of a class that the compiled stream puts into pools itself.
DISKS_MAX = 16


def new_bounds(blocks: int, slots: int) -> Bounds:
    """Return bounds that say that nobody fits."""
    groups = -(-blocks // GROUP)
    return Bounds(
        block=np.full((groups * GROUP, slots), NONE, dtype=np.int32),
        group=np.full((groups, slots), NONE, dtype=np.int32),
        found=np.empty(slots, dtype=np.int32),
    )


def new_rules(domains: int, cost: int) -> Rules:
    """Return room for one rule that counts members in ``domains``."""
    level, kind, limit, offset, known = (np.zeros(1, dtype=np.int32) for _ in range(5))
    return Rules(level, kind, limit, offset, known, np.zeros(domains, dtype=np.int32), cost, np.empty(0, dtype=np.uint8))


def write_class(classes: Classes, slot: int, terms: ClassTerms) -> None:
    """Put the terms of a class into a slot."""
    ask, number = classes.ask[:, slot], classes.number[:, slot]
    ask[:] = NONE
    for row, amount in terms.asks.items():
        ask[row] = amount
        classes.is_asked[row] = 1
    number[:BASE] = (terms.vcpu, terms.memory_mib, terms.section)
    number[BASE:USABLE] = (terms.base, terms.mean, terms.balance, terms.accelerator)
    number[USABLE:LARGE_VCPU] = (terms.usable, terms.even_out, terms.empty, terms.large)
    number[LARGE_VCPU:VCPU_INVERSE] = (terms.large_vcpu, terms.large_memory_mib)
    number[VCPU_INVERSE:MEMORY_INVERSE] = slot_inverse(terms.large_vcpu)
    number[MEMORY_INVERSE:STORAGE_ROW] = slot_inverse(terms.large_memory_mib >> LARGE_MEMORY_SHIFT)
    classes.bits[slot] = terms.bits
    first = next(iter(terms.storage), (0, 0, 0))[0]
    others = [row for row in terms.asks if row not in (0, 1, first - 1)]
    further = [row for row, _, _ in terms.storage[1:]]
    number[STORAGE_ROW:] = (first, len(others), len(further), min(len(terms.disks), DISKS_MAX))
    classes.other_row[slot, : len(others)] = others
    classes.storage_row[slot, : len(further)] = further
    classes.storage_add[:, slot] = classes.storage_weight[:, slot] = 0
    for row, gib, weight in terms.storage:
        classes.storage_add[row, slot], classes.storage_weight[row, slot] = gib, weight
        classes.is_weighed[row] = 1
    for k, (row, gib) in enumerate(terms.disks[:DISKS_MAX]):
        classes.disk_row[slot, k], classes.disk_gib[slot, k] = row, gib
