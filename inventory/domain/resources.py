"""The resource vector and THE capacity formula.

A vector maps a *dimension* to a non-negative integer amount. Dimensions are names, not fields, so that disk has one
dimension per class and accelerators one per kind:

``vcpu`` (count), ``memory_mib``, ``disk_gib:<class>``, ``accelerator:<kind>`` (count), ``address`` (count); ``pcpu``
(processors of its own) and ``huge_mib:<KiB>`` (memory in huge pages) for machines that ask for them.

*Fine* dimensions are parts of these on one host, for machines that ask where they lie: ``cell:<n>:<dimension>`` of a NUMA cell,
``cpu:<n>`` of one processor. They are promised and given back like all others, and counted by nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

VCPU = "vcpu"
MEMORY_MIB = "memory_mib"
ADDRESS = "address"
DISK_PREFIX = "disk_gib:"
ACCELERATOR_PREFIX = "accelerator:"
PCPU = "pcpu"
HUGE_PREFIX = "huge_mib:"
CELL_PREFIX = "cell:"
CPU_PREFIX = "cpu:"
FINE_PREFIXES = (CELL_PREFIX, CPU_PREFIX)

#: Quota counts these; ``quota_amounts`` maps claims to them.
QUOTA_DIMENSIONS = ("vcpu", "memory_mib", "disk_gib", "instances", "volumes", "addresses")


def disk_dimension(disk_class: str) -> str:
    """Return the dimension of disk of one class, for example ``disk_gib:standard``."""
    return DISK_PREFIX + disk_class


def is_fine(dimension: str) -> bool:
    """Tell whether a dimension is a part of another one."""
    return dimension.startswith(FINE_PREFIXES)


def counted_as(dimension: str) -> str:
    """Return what quotas, meters and reports call a dimension; empty for one they do not count."""
    if dimension == PCPU:
        return VCPU
    if dimension.startswith(HUGE_PREFIX):
        return MEMORY_MIB
    return "" if is_fine(dimension) else dimension


@dataclass(frozen=True, slots=True)
class Resources(Mapping[str, int]):
    """An immutable vector; dimensions that are not named are zero and zero amounts are not kept."""

    amounts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, amounts: Mapping[str, int] | Iterable[tuple[str, int]] = ()) -> "Resources":
        """Return the vector of ``amounts``.

        Raises:
            ValueError: an amount is negative.
        """
        items = dict(amounts)
        if any(value < 0 for value in items.values()):
            raise ValueError(f"negative amount in {items}")
        return cls(tuple(sorted((k, v) for k, v in items.items() if v)))

    def __getitem__(self, dimension: str) -> int:
        for name, amount in self.amounts:
            if name == dimension:
                return amount
        return 0

    def __contains__(self, dimension: object) -> bool:
        return any(name == dimension for name, _ in self.amounts)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.amounts)

    def __len__(self) -> int:
        return len(self.amounts)

    def __add__(self, other: "Resources") -> "Resources":
        total = dict(self.amounts)
        for name, amount in other.amounts:
            total[name] = total.get(name, 0) + amount
        return Resources.of(total)

    def __sub__(self, other: "Resources") -> "Resources":
        """Subtract; raises ``ValueError`` if any amount would become negative."""
        rest = dict(self.amounts)
        for name, amount in other.amounts:
            rest[name] = rest.get(name, 0) - amount
        return Resources.of(rest)

    def fits_in(self, free: Mapping[str, int]) -> bool:
        """Tell whether every amount is at most what is free in its dimension."""
        return all(amount <= free.get(name, 0) for name, amount in self.amounts)

    def shortfall(self, free: Mapping[str, int]) -> "Resources":
        """Return by how much each dimension exceeds what is free."""
        return Resources.of({n: a - free.get(n, 0) for n, a in self.amounts if a > free.get(n, 0)})


def capacity(*, total: int, reserved: int, overcommit_permille: int) -> int:
    """Return how much of one dimension a provider may promise: ``(total - reserved) × overcommit``, rounded down.

    Overcommit is an integer in thousandths (4000 = four virtual for one physical).
    Source: the capacity rule of OpenStack Placement, with integers in place of its float ratio.
    """
    return max(0, total - reserved) * overcommit_permille // 1000
