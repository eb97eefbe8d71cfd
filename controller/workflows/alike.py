"""What machines of one server share, whatever order of a group they are of: their spec but for the storage pool, their claims.

Made once, so that the hundredth machine costs little more than its name. Pure; for the drafts of a commit.
"""

from collections.abc import Iterable, Mapping

from inventory.domain.claim import Amount, Held, Share, shares_of
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.resource import InstanceSpec
from inventory.domain.resources import ADDRESS, counted_as, disk_dimension
from inventory.domain.system import ServerSpec, SpreadLevel

#: What a resource claims, and the same without where (``Held``).
Claimed = tuple[tuple[Amount, ...], tuple[Share, ...]]


class Alike:
    """Machines of one server without disks, cards and seats of their own."""

    def __init__(self, server: ServerSpec, image_id: str) -> None:
        #: Of those with their root disk in no storage pool yet.
        self.spec = InstanceSpec(
            vcpu_count=server.vcpu_count,
            memory_mib=server.memory_mib,
            image_id=image_id,
            root_disk_gib=server.root_disk_gib,
            root_disk_class=server.root_disk_class,
            storage_pool_id="",
            user_data=server.user_data,
            ssh_keys=server.ssh_keys,
            group=server.name,
            spread=server.spread_word() if server.spread is SpreadLevel.HOST else "",
            size=server.size,
        )
        self._compute = sorted(self.spec.host_amounts().items())
        self._disk = disk_dimension(server.root_disk_class), server.root_disk_gib
        self._claimed: dict[tuple[HostId, StoragePoolId], Claimed] = {}
        #: By the order of what they claim, which is sorted by provider.
        self._shares: dict[bool, tuple[Share, ...]] = {}

    def claimed(self, host: HostId, pool: StoragePoolId) -> Claimed:
        """Return what those on a host claim."""
        found = self._claimed.get((host, pool))
        if found is None:
            own, disk = [(host, dimension, amount) for dimension, amount in self._compute], (pool, *self._disk)
            amounts = (*own, disk) if host < pool else (disk, *own)
            shares = self._shares.get(host < pool) or self._shares.setdefault(host < pool, shares_of(amounts))
            found = self._claimed[host, pool] = amounts, shares
        return found


def claimed_by(spec: InstanceSpec, host: HostId, pool: StoragePoolId) -> Claimed:
    """Return what a machine claims: of its host, for its root disk in a storage pool, and its addresses."""
    own: list[Amount] = [(host, dimension, amount) for dimension, amount in spec.host_amounts().items()]
    own.append((pool, disk_dimension(spec.root_disk_class), spec.root_disk_gib))
    own += [(nic.segment_id, ADDRESS, 1) for nic in spec.nics]
    amounts = tuple(sorted(own))
    return amounts, shares_of(amounts)


class Kinds:
    """The machines of all orders of a group, by what they share."""

    def __init__(self) -> None:
        self._known: dict[tuple[ServerSpec, str], Alike] = {}

    def of(self, server: ServerSpec, image_id: str) -> Alike:
        """Return what the machines of a server share."""
        found = self._known.get((server, image_id))
        if found is None:
            found = self._known[server, image_id] = Alike(server, image_id)
        return found


def metered(held: Iterable[Held]) -> list[Mapping[str, int]]:
    """Return what each resource is metered for by what it claims; equal amounts are one value, which is stored once."""
    known: dict[int, Mapping[str, int]] = {}
    found = []
    for one in held:
        amounts = known.get(id(one.shares))
        if amounts is None:
            amounts = known[id(one.shares)] = _counted(one.shares)
        found.append(amounts)
    return found


def _counted(shares: Iterable[Share]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for dimension, amount in shares:
        if meter := counted_as(dimension):
            counted[meter] = counted.get(meter, 0) + amount
    return counted
