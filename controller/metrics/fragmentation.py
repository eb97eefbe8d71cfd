"""How much of what is free can be used: machines of each size that fit, and what no size fits into. Pure.

Counted are sizes that any host may take: one with processors of its own, huge pages or traits depends on the cells and the
facts of each host, which are not looked at here (``allot capacity fit`` does).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from inventory.domain.catalogue import Size
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.store.summary import FreeRoom

#: Class of the root disk a size is counted with.
ROOT_DISK_CLASS = "standard"
#: Sizes that are counted, the smallest first.
SIZES_MAX = 20


@dataclass(slots=True)
class HostRoom:
    """What is free on one host."""

    vcpu: int = 0
    memory_mib: int = 0
    #: GiB of each storage pool of the class of root disks.
    disks_gib: list[int] = field(default_factory=list)

    def fit(self, size: Size) -> int:
        """Return how many machines of a size fit."""
        disks = sum(gib // size.root_disk_gib for gib in self.disks_gib)
        return max(0, min(self.vcpu // size.vcpu_count, self.memory_mib // size.memory_mib, disks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """What is left of the free capacity of a pool."""

    #: Size -> machines that fit, and the part of what would fit on one host with all that is free which does not.
    fit: Mapping[str, int]
    lost_ratio: Mapping[str, float]
    #: Free on hosts that take not even the smallest size.
    stranded_vcpu: int
    stranded_memory_mib: int


def by_pool(rooms: Iterable[FreeRoom], sizes: Sequence[Size]) -> dict[tuple[str, str], Usable]:
    """Return it by pool and zone; sizes are ordered from the smallest, and those that not any host may take are left out."""
    plain = [size for size in sizes if not size.layout and not size.traits][:SIZES_MAX]
    hosts: dict[tuple[str, str], dict[str, HostRoom]] = {}
    for room in rooms:
        host = hosts.setdefault((room.pool, room.zone), {}).setdefault(room.host_id, HostRoom())
        if room.dimension == VCPU:
            host.vcpu = room.free
        elif room.dimension == MEMORY_MIB:
            host.memory_mib = room.free
        elif room.dimension == DISK_PREFIX + ROOT_DISK_CLASS:
            host.disks_gib.append(room.free)
    return {key: _usable(list(own.values()), plain) for key, own in hosts.items()}


def _usable(hosts: Sequence[HostRoom], sizes: Sequence[Size]) -> Usable:
    fit = {size.name: sum(host.fit(size) for host in hosts) for size in sizes}
    whole = HostRoom(
        vcpu=sum(h.vcpu for h in hosts),
        memory_mib=sum(h.memory_mib for h in hosts),
        disks_gib=[sum(gib for h in hosts for gib in h.disks_gib)],
    )
    pooled = {size.name: whole.fit(size) for size in sizes}
    useless = [h for h in hosts if not any(h.fit(size) for size in sizes)]
    return Usable(
        fit=fit,
        lost_ratio={name: 1 - fit[name] / pooled[name] if pooled[name] else 0.0 for name in fit},
        stranded_vcpu=sum(h.vcpu for h in useless),
        stranded_memory_mib=sum(h.memory_mib for h in useless),
    )
