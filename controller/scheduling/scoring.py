"""A request class as numbers: what it asks of a host and how a host is scored, for the scans and the index.

Machines of equal need under equal weights are one *class*. Its terms decide without looking at names: a host fits when its
bits, section (zone and policy) and every asked row suffice; its score is

    base + mean · ((p + m) >> 1) - balance · |p - m| - Σ storage · s + accelerator · (host has one)
      - (usable · (u'² - u²) >> 10) - even_out · (|p - m| - |p' - m'|) - large · (n' - n) · share - empty · (host is empty)

where p, m and s say how full processors, memory and the storage of a class would be (``fill``, thousandths), u is what would
be left of the scarcer one (1000 - max(p, m)), n how many large machines would still fit (``slots``), share how much of the
host one of them is, and p', m', u', n' the same before placing. All of it is 32-bit integer arithmetic without a branch or a
division.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from controller.scheduling.columns import (
    AMOUNT_MAX,
    ELIGIBLE_BIT,
    MLPS_LEVELS,
    Int32,
    arch_bit,
    mlps_bit,
    trait_bit,
)
from controller.scheduling.policy import Policy
from controller.scheduling.reserve import asked_bits
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import Need
from inventory.domain.resources import ACCELERATOR_PREFIX, MEMORY_MIB, VCPU

#: ``fill`` is a product with the inverse of the capacity: 1000 · 2^21 just fits in 31 bits.
INVERSE_SHIFT = 21


def inverses(capacity: Int32) -> Int32:
    """Return the inverse of each capacity; of none it is 0, and such a host counts as empty."""
    wide = capacity.astype(np.int64)
    return np.where(wide > 0, (1000 << INVERSE_SHIFT) // np.maximum(wide, 1), 0).astype(np.int32)


def fill(used: int, capacity: int) -> int:
    """Return how full a host is, in thousandths: the formula that all engines keep to."""
    inverse = (1000 << INVERSE_SHIFT) // capacity if capacity > 0 else 0
    return min(used, capacity) * inverse >> INVERSE_SHIFT


#: Memory is counted in this unit (a power of two of MiB) where large machines are counted.
LARGE_MEMORY_SHIFT = 8
#: ``slots`` is a product with the inverse of the large machine: 2^20 / amount.
SLOT_SHIFT = 20
#: ``usable`` is a difference of squares of thousandths times a weight, cut back by this much.
USABLE_SHIFT = 10


def slot_inverse(amount: int) -> tuple[int, int]:
    """Return the inverse of what one large machine takes, and the free amount up to which the product stays in 31 bits."""
    inverse = (1 << SLOT_SHIFT) // max(1, amount) + 1
    return inverse, (2**31 - 1) // inverse


def slots(free: int, amount: int) -> int:
    """Return how often ``amount`` fits into what is free: the formula that all engines keep to."""
    inverse, most = slot_inverse(amount)
    return min(max(free, 0), most) * inverse >> SLOT_SHIFT


def storage_weight(weight: int, class_count: int) -> int:
    """Return what the storage of each of several disk classes weighs."""
    return weight // class_count


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAsk:
    """What a unit asks of the pools of one disk class."""

    disk_class: str
    largest_gib: int
    together_gib: int
    #: One disk that takes room: the roomiest pool decides alone.
    is_plain: bool


def storage_asks(disks: Sequence[tuple[str, int]]) -> Iterator[StorageAsk]:
    """Yield what is asked, by disk class."""
    for disk_class in sorted({c for c, _ in disks}):
        sizes = [size for c, size in disks if c == disk_class]
        is_plain = len(sizes) == 1 and sizes[0] > 0
        yield StorageAsk(disk_class=disk_class, largest_gib=max(sizes), together_gib=sum(sizes), is_plain=is_plain)


def trait_bits(need: Need, snapshot: Snapshot) -> int | None:
    """Return the bits a host must have, or nothing where no host has one of the traits."""
    if any(trait not in snapshot.traits for trait in need.traits):
        return None
    return sum(trait_bit(snapshot.traits.index(trait)) for trait in need.traits)


def reserve_bits(need: Need) -> int:
    """Return the bits that keep hard rules true after a failure (``reserve.asked_bits``)."""
    return asked_bits(need.apart, need.together)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTerms:
    """A class on one fleet: rows are those of its columns."""

    #: Zone and policy of the hosts it is about.
    section: int
    bits: int
    #: Row -> least amount.
    asks: Mapping[int, int]
    vcpu: int
    memory_mib: int
    base: int
    mean: int
    balance: int
    accelerator: int
    usable: int
    even_out: int
    empty: int
    large: int
    large_vcpu: int
    large_memory_mib: int
    #: (row of all pools of a class together, GiB asked, weight).
    storage: tuple[tuple[int, int, int], ...]
    #: (row of the roomiest pool, GiB), largest first; the place of each in the request.
    disks: tuple[tuple[int, int], ...]
    disk_order: tuple[int, ...]
    #: Where a host passes all this, its pools may still not take the disks, or its cells the machines.
    needs_exact_check: bool


def class_terms(need: Need, policy: Policy, snapshot: Snapshot, section: int) -> ClassTerms | None:
    """Return the terms of a class in one section of its zone, or nothing where no host there can ever fit."""
    bits, asks = host_bits(need, snapshot), _asks(need, snapshot)
    if bits is None or asks is None:
        return None
    amounts, weights = dict(need.ask), policy.weights
    pack, load = weights.get("pack", 0), weights.get("spread_load", 0)
    wants_accelerator = any(d.startswith(ACCELERATOR_PREFIX) for d in amounts)
    storage = _storage(need, weights.get("storage", 0), snapshot)
    order = sorted(range(len(need.disks)), key=lambda k: -need.disks[k][1])
    return ClassTerms(
        section=section,
        bits=bits,
        asks=asks,
        vcpu=amounts.get(VCPU, 0),
        memory_mib=amounts.get(MEMORY_MIB, 0),
        base=1000 * load + 1000 * sum(weight for _, _, weight in storage),
        mean=pack - load,
        balance=weights.get("balance", 0),
        accelerator=0 if wants_accelerator else -1000 * weights.get("keep_accelerators", 0),
        usable=weights.get("keep_usable", 0),
        even_out=weights.get("even_out", 0),
        empty=1000 * weights.get("keep_empty", 0),
        large=weights.get("keep_large", 0) if policy.large else 0,
        large_vcpu=policy.large.vcpu_count if policy.large else 0,
        large_memory_mib=policy.large.memory_mib if policy.large else 0,
        storage=storage,
        disks=tuple((snapshot.rows.room_row_of[need.disks[k][0]], need.disks[k][1]) for k in order),
        disk_order=tuple(order),
        needs_exact_check=bool(need.seats) or not all(ask.is_plain for ask in storage_asks(need.disks)),
    )


def host_bits(need: Need, snapshot: Snapshot) -> int | None:
    """Return the bits that a host must have for a class, nothing where no host of the fleet has them."""
    traits = trait_bits(need, snapshot)
    if traits is None or len(need.archs) > 1 or need.mlps_level > MLPS_LEVELS:
        return None
    arch = 0
    if need.archs:
        if need.archs[0] not in snapshot.archs:
            return None
        arch = arch_bit(snapshot.archs.index(need.archs[0]))
    return ELIGIBLE_BIT | mlps_bit(need.mlps_level) | arch | traits | reserve_bits(need)


def _asks(need: Need, snapshot: Snapshot) -> dict[int, int] | None:
    asks = {}
    for dimension, amount in need.ask:
        if dimension not in snapshot.rows.row_of:
            return None
        asks[snapshot.rows.row_of[dimension]] = amount
    for ask in storage_asks(need.disks):
        if ask.disk_class not in snapshot.rows.room_row_of:
            return None
        row = snapshot.rows.room_row_of[ask.disk_class]
        asks[row] = ask.largest_gib
        if not ask.is_plain:
            asks[row + 1] = ask.together_gib
    return None if any(amount > AMOUNT_MAX for amount in asks.values()) else asks


def _storage(need: Need, weight: int, snapshot: Snapshot) -> tuple[tuple[int, int, int], ...]:
    asks = [ask for ask in storage_asks(need.disks) if ask.together_gib]
    return tuple(
        (snapshot.rows.room_row_of[ask.disk_class] + 1, ask.together_gib, storage_weight(weight, len(asks))) for ask in asks
    )
