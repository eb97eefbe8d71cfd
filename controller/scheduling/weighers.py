"""The named weighers: each gives every host left a value from -1000 to 1000 times its weight; the score is their sum."""

from collections.abc import Callable, Sequence
from operator import add

from controller.scheduling.policy import Policy
from controller.scheduling.scratch import Scratch
from controller.scheduling.units import Need
from inventory.domain.resources import ACCELERATOR_PREFIX, MEMORY_MIB, VCPU


class View:
    """Hosts left for a need, and the columns that several weighers share."""

    def __init__(self, need: Need, scratch: Scratch, hosts: Sequence[int]) -> None:
        self.need, self.scratch, self.hosts = need, scratch, hosts
        self._fill: dict[str, list[int]] = {}

    def fill(self, dimension: str) -> list[int]:
        """Return how full each host would be with the unit on it, in thousandths of its capacity."""
        if dimension not in self._fill:
            asked = dict(self.need.ask).get(dimension, 0)
            capacity = map(self.scratch.snapshot.capacity[dimension].__getitem__, self.hosts)
            free = map(self.scratch.free[dimension].__getitem__, self.hosts)
            self._fill[dimension] = [1000 * (c - f + asked) // (c or 1) for c, f in zip(capacity, free, strict=True)]
        return self._fill[dimension]


Weigher = Callable[[View, int], list[int] | None]


def pack(view: View, weight: int) -> list[int]:
    """Prefer the fullest host: mean of vCPU and memory after placing."""
    return [weight * (c + m) // 2 for c, m in zip(view.fill(VCPU), view.fill(MEMORY_MIB), strict=True)]


def spread_load(view: View, weight: int) -> list[int]:
    """Prefer the emptiest host."""
    return [weight * (2000 - c - m) // 2 for c, m in zip(view.fill(VCPU), view.fill(MEMORY_MIB), strict=True)]


def balance(view: View, weight: int) -> list[int]:
    """Avoid hosts whose vCPU and memory would be used unevenly."""
    return [-weight * abs(c - m) for c, m in zip(view.fill(VCPU), view.fill(MEMORY_MIB), strict=True)]


def soft_spread(view: View, weight: int) -> list[int] | None:
    """Avoid failure domains with machines of a group with a soft rule: -1000 for each."""
    scratch = view.scratch
    rules = [(scratch.mates[group], level) for group, level in view.need.soft if scratch.mates[group]]
    if not rules:
        return None
    return [-1000 * weight * sum(mates.get(scratch.domain(i, level), 0) for mates, level in rules) for i in view.hosts]


def storage(view: View, weight: int) -> list[int] | None:
    """Prefer hosts with more storage left in the classes asked for, in thousandths of it; the mean over classes."""
    classes = sorted({c for c, size in view.need.disks if size})
    if not classes:
        return None
    shares = [_storage_share(view, disk_class) for disk_class in classes]
    return [weight * sum(host) // len(classes) for host in zip(*shares, strict=True)]


def _storage_share(view: View, disk_class: str) -> list[int]:
    asked = sum(size for c, size in view.need.disks if c == disk_class)
    free = map(view.scratch.class_free_gib[disk_class].__getitem__, view.hosts)
    capacity = map(view.scratch.snapshot.class_capacity_gib[disk_class].__getitem__, view.hosts)
    return [1000 * (f - asked) // (c or 1) for f, c in zip(free, capacity, strict=True)]


def keep_accelerators(view: View, weight: int) -> list[int] | None:
    """Keep hosts with accelerators for those who ask for one: -1000 for others."""
    if any(d.startswith(ACCELERATOR_PREFIX) for d, _ in view.need.ask):
        return None
    if not any(view.scratch.snapshot.has_accelerator):
        return None
    column = view.scratch.snapshot.has_accelerator
    return [-1000 * weight * column[i] for i in view.hosts]


WEIGHERS: tuple[tuple[str, Weigher], ...] = (
    ("pack", pack),
    ("spread_load", spread_load),
    ("balance", balance),
    ("soft_spread", soft_spread),
    ("storage", storage),
    ("keep_accelerators", keep_accelerators),
)


def columns(need: Need, scratch: Scratch, policy: Policy, hosts: Sequence[int]) -> list[tuple[str, list[int]]]:
    """Return the weighted column of each weigher that has something to say."""
    view = View(need, scratch, hosts)
    named = ((name, weigh(view, policy.weights[name])) for name, weigh in WEIGHERS if policy.weights.get(name))
    return [(name, column) for name, column in named if column is not None]


def scores(need: Need, scratch: Scratch, policy: Policy, hosts: Sequence[int]) -> list[int]:
    """Return the score of each host."""
    if not hosts:
        return []
    total = [0] * len(hosts)
    for _, column in columns(need, scratch, policy, hosts):
        total = list(map(add, total, column))
    return total


def parts(need: Need, scratch: Scratch, policy: Policy, host: int) -> dict[str, int]:
    """Return the named parts of one host's score; they add up to it."""
    return {name: column[0] for name, column in columns(need, scratch, policy, [host])}
