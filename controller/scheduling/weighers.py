"""The named weighers: each gives every host left a value from -1000 to 1000 times its weight; the score is their sum.

``scoring.ClassTerms`` holds the same formula as numbers, ``plain`` and ``compiled`` compute it for whole blocks of hosts; the
property tests compare all of them. A new weigher needs its line in each.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from controller.scheduling.columns import MEMORY_ROW, VCPU_ROW, Int32, Int64
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.policy import LargeSize, Policy
from controller.scheduling.scoring import (
    INVERSE_SHIFT,
    LARGE_MEMORY_SHIFT,
    SLOT_SHIFT,
    USABLE_SHIFT,
    slot_inverse,
    storage_weight,
)
from controller.scheduling.units import Need
from inventory.domain.resources import ACCELERATOR_PREFIX, MEMORY_MIB, VCPU

#: What a weigher counts with: a number for each host of a view, or the one of a single host.
Number = Any


class View:
    """Hosts left for a need, and the columns that several weighers share."""

    #: The lesser and the greater of two numbers.
    least: Callable[[Number, Number], Number] = staticmethod(np.minimum)
    most: Callable[[Number, Number], Number] = staticmethod(np.maximum)

    def __init__(self, need: Need, fleet: Fleet, groups: Groups, hosts: Int32, large: LargeSize | None) -> None:
        self.need, self.fleet, self.groups, self.hosts, self.large = need, fleet, groups, hosts, large
        self._positions = fleet.position_of[hosts]
        #: Rows that were read, by kind and number.
        self._rows: dict[tuple[str, int], Int64] = {}
        self._fill: dict[tuple[int, int], Number] = {}
        self.vcpu, self.memory_mib = (dict(need.ask).get(d, 0) for d in (VCPU, MEMORY_MIB))

    def _row(self, kind: str, row: int, columns_: Int32, at: Int32) -> Int64:
        key = kind, row
        if key not in self._rows:
            self._rows[key] = columns_[row][at].astype(np.int64)
        return self._rows[key]

    def capacity(self, row: int) -> Number:
        """Return what may be promised on each host."""
        return self._row("capacity", row, self.fleet.snapshot.capacity_rows, self.hosts)

    def free(self, row: int) -> Number:
        """Return what is free on each host."""
        return self._row("free", row, self.fleet.hosts.free, self._positions)

    def inverse(self, row: int) -> Number:
        """Return what makes an amount a part of each host."""
        return self._row("inverse", row, self.fleet.hosts.inverse, self._positions)

    def has_accelerator(self) -> Number:
        """Return 1 for each host that has one."""
        return self.fleet.snapshot.has_accelerator[self.hosts].astype(np.int64)

    def misfits(self) -> Number:
        """Return how many machines would break soft rules on each host."""
        return self.groups.misfits(self.need, self.hosts).astype(np.int64)

    def share(self, row: int, amount: Number) -> Number:
        """Return what part of each host an amount is, in thousandths of its capacity (``scoring.fill``)."""
        return (self.least(amount, self.capacity(row)) * self.inverse(row)) >> INVERSE_SHIFT

    def fill(self, row: int, asked: int) -> Number:
        """Return how full each host would be with ``asked`` more on it, in thousandths of its capacity."""
        if (row, asked) not in self._fill:
            self._fill[row, asked] = self.share(row, self.capacity(row) - self.free(row) + asked)
        return self._fill[row, asked]

    def processors(self) -> Number:
        """Return how full the processors would be."""
        return self.fill(VCPU_ROW, self.vcpu)

    def memory(self) -> Number:
        """Return how full the memory would be."""
        return self.fill(MEMORY_ROW, self.memory_mib)

    def slots(self, large: LargeSize, vcpu: int, memory_mib: int) -> Number:
        """Return how many large machines would fit on each host with these amounts taken (``scoring.slots``)."""
        units = (self.free(MEMORY_ROW) - memory_mib) >> LARGE_MEMORY_SHIFT
        by_vcpu = self._slots(self.free(VCPU_ROW) - vcpu, large.vcpu_count)
        return self.least(by_vcpu, self._slots(units, large.memory_mib >> LARGE_MEMORY_SHIFT))

    def _slots(self, free: Number, amount: int) -> Number:
        inverse, most = slot_inverse(amount)
        return self.least(self.most(free, 0), most) * inverse >> SLOT_SHIFT


class HostView(View):
    """One host, counted in whole numbers of Python: what numpy takes to begin with is many times what there is to count."""

    least: Callable[[Number, Number], Number] = staticmethod(min)
    most: Callable[[Number, Number], Number] = staticmethod(max)

    def __init__(self, need: Need, fleet: Fleet, groups: Groups, host: int, large: LargeSize | None) -> None:
        self.need, self.fleet, self.groups, self.host, self.large = need, fleet, groups, host, large
        position = fleet.position_of[host]
        self._free: list[int] = fleet.hosts.free[:, position].tolist()
        self._inverse: list[int] = fleet.hosts.inverse[:, position].tolist()
        self._capacity: list[int] = fleet.snapshot.capacity_rows[:, host].tolist()
        self._fill = {}
        self.vcpu = self.memory_mib = 0
        for dimension, amount in need.ask:
            if dimension == VCPU:
                self.vcpu = amount
            elif dimension == MEMORY_MIB:
                self.memory_mib = amount

    def capacity(self, row: int) -> Number:
        """Return what may be promised on the host."""
        return self._capacity[row]

    def free(self, row: int) -> Number:
        """Return what is free on the host."""
        return self._free[row]

    def inverse(self, row: int) -> Number:
        """Return what makes an amount a part of the host."""
        return self._inverse[row]

    def has_accelerator(self) -> Number:
        """Return 1 where the host has one."""
        return int(self.fleet.snapshot.has_accelerator[self.host])

    def misfits(self) -> Number:
        """Return how many machines would break soft rules on the host."""
        return int(self.groups.misfits(self.need, np.array([self.host], dtype=np.int32))[0])


Weigher = Callable[[View, int], Number]


def pack(view: View, weight: int) -> Number:
    """Prefer the fullest host: mean of vCPU and memory after placing."""
    return weight * ((view.processors() + view.memory()) >> 1)


def spread_load(view: View, weight: int) -> Number:
    """Prefer the emptiest host."""
    return weight * (1000 - ((view.processors() + view.memory()) >> 1))


def balance(view: View, weight: int) -> Number:
    """Avoid hosts whose vCPU and memory would be used unevenly."""
    return -weight * abs(view.processors() - view.memory())


def even_out(view: View, weight: int) -> Number:
    """Prefer hosts whose vCPU and memory would be used more evenly than they are now."""
    before = abs(view.fill(VCPU_ROW, 0) - view.fill(MEMORY_ROW, 0))
    return weight * (before - abs(view.processors() - view.memory()))


def keep_usable(view: View, weight: int) -> Number:
    """Prefer hosts that lose least of the square of what is left of the scarcer one of vCPU and memory.

    The square makes it a best fit: nearly full hosts lose little. What is left of the other one alone is of no use.
    """
    before = 1000 - view.most(view.fill(VCPU_ROW, 0), view.fill(MEMORY_ROW, 0))
    after = 1000 - view.most(view.processors(), view.memory())
    return -((weight * (before * before - after * after)) >> USABLE_SHIFT)


def keep_large(view: View, weight: int) -> Number | None:
    """Avoid hosts where afterwards fewer large machines fit than before: minus the part of the host they would take."""
    large = view.large
    if large is None:
        return None
    lost = view.slots(large, 0, 0) - view.slots(large, view.vcpu, view.memory_mib)
    part = (view.share(VCPU_ROW, large.vcpu_count) + view.share(MEMORY_ROW, large.memory_mib)) >> 1
    return -(weight * lost * part)


def keep_empty(view: View, weight: int) -> Number:
    """Avoid hosts that have nothing on them yet: -1000."""
    is_empty = [view.free(row) == view.capacity(row) for row in (VCPU_ROW, MEMORY_ROW)]
    return -1000 * weight * (is_empty[0] & is_empty[1])


def soft_spread(view: View, weight: int) -> Number | None:
    """Avoid failure domains where machines would break a soft rule: -1000 for each."""
    if not view.need.soft or view.groups.says_nothing(view.need):
        return None
    return -1000 * weight * view.misfits()


def storage(view: View, weight: int) -> Number | None:
    """Prefer hosts with more storage left in the classes asked for, in thousandths of it; each class weighs its part."""
    classes = sorted({c for c, size in view.need.disks if size})
    if not classes:
        return None
    part, total = storage_weight(weight, len(classes)), 0
    for disk_class in classes:
        asked = sum(size for c, size in view.need.disks if c == disk_class)
        total = total + part * (1000 - view.fill(view.fleet.snapshot.rows.room_row_of[disk_class] + 1, asked))
    return total


def keep_accelerators(view: View, weight: int) -> Number | None:
    """Keep hosts with accelerators for those who ask for one: -1000 for others."""
    if not view.fleet.snapshot.has_any_accelerator or any(d.startswith(ACCELERATOR_PREFIX) for d, _ in view.need.ask):
        return None
    return -1000 * weight * view.has_accelerator()


WEIGHERS: tuple[tuple[str, Weigher], ...] = (
    ("pack", pack),
    ("spread_load", spread_load),
    ("balance", balance),
    ("even_out", even_out),
    ("keep_usable", keep_usable),
    ("keep_large", keep_large),
    ("keep_empty", keep_empty),
    ("soft_spread", soft_spread),
    ("storage", storage),
    ("keep_accelerators", keep_accelerators),
)


def columns(need: Need, fleet: Fleet, groups: Groups, policy: Policy, hosts: Int32) -> list[tuple[str, Int64]]:
    """Return the weighted column of each weigher that has something to say."""
    return _weighed(View(need, fleet, groups, hosts, policy.large), policy)


def parts_under(need: Need, fleet: Fleet, groups: Groups, policy: Policy, host: int) -> list[tuple[str, int]]:
    """Return the same of one host."""
    return _weighed(HostView(need, fleet, groups, host, policy.large), policy)


def _weighed(view: View, policy: Policy) -> list[tuple[str, Number]]:
    named = [(name, weigh(view, policy.weights[name])) for name, weigh in WEIGHERS if policy.weights.get(name)]
    return [(name, column) for name, column in named if column is not None]


def scores(need: Need, fleet: Fleet, groups: Groups, policy: Policy, hosts: Int32) -> Int64:
    """Return the score of each host under one policy, whatever its pool names."""
    return total_of(columns(need, fleet, groups, policy, hosts) if hosts.size else [], len(hosts))


def total_of(named: Sequence[tuple[str, Int64]], count: int) -> Int64:
    """Return the sum of these columns of so many hosts."""
    total = np.zeros(count, dtype=np.int64)
    for _, column in named:
        total += column
    return total


def parts(need: Need, fleet: Fleet, groups: Groups, policy: Policy, host: int) -> dict[str, int]:
    """Return the named parts of one host's score under the policy of its pool; they add up to it."""
    return dict(parts_under(need, fleet, groups, policy.of_pool(fleet.snapshot.policy_name(host)), host))


def ranked(need: Need, fleet: Fleet, groups: Groups, policy: Policy, hosts: Int32) -> Int32:
    """Return hosts in the order in which they would be chosen (``Index.best``).

    Under one policy: highest score first, of equal ones the lowest host. Of several, the platform's chooses between the heads.
    """
    sections = fleet.snapshot.section_index[hosts]
    lists = []
    for section in np.unique(sections).tolist():
        own, part = policy.of_pool(fleet.snapshot.sections[section][1]), hosts[sections == section]
        lists.append(part[np.lexsort((part, -scores(need, fleet, groups, own, part)))])
    return lists[0] if len(lists) == 1 else _merged(need, fleet, groups, policy, lists)


def _merged(need: Need, fleet: Fleet, groups: Groups, policy: Policy, lists: Sequence[Int32]) -> Int32:
    judged = [deque(zip((-scores(need, fleet, groups, policy, part)).tolist(), part.tolist(), strict=True)) for part in lists]
    order = []
    while judged := [part for part in judged if part]:
        order.append(min(judged, key=lambda part: part[0]).popleft()[1])
    return np.array(order, dtype=np.int32)
