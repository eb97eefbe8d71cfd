"""What machines of one server share, whatever order of a group they are of: their spec on a storage pool, their claims on a host.

Made once, so that the hundredth machine costs little more than its name. Pure; for the drafts of a commit.
"""

from collections.abc import Iterable, Mapping

from inventory.domain.claim import Amount, Held
from inventory.domain.ids import HostId, StoragePoolId
from inventory.domain.resource import InstanceSpec
from inventory.domain.resources import ADDRESS, counted_as, disk_dimension
from inventory.domain.system import ServerSpec


class Alike:
    """Machines of one server without disks, cards and seats of their own."""

    def __init__(self, server: ServerSpec, image_id: str) -> None:
        self._server, self._image_id = server, image_id
        self._specs: dict[StoragePoolId, InstanceSpec] = {}
        self._amounts: dict[tuple[HostId, StoragePoolId], tuple[Amount, ...]] = {}

    def spec(self, pool: StoragePoolId) -> InstanceSpec:
        """Return the spec of those with their root disk in a storage pool."""
        found = self._specs.get(pool)
        if found is None:
            server = self._server
            found = self._specs[pool] = InstanceSpec(
                vcpu_count=server.vcpu_count,
                memory_mib=server.memory_mib,
                image_id=self._image_id,
                root_disk_gib=server.root_disk_gib,
                root_disk_class=server.root_disk_class,
                storage_pool_id=pool,
                user_data=server.user_data,
                ssh_keys=server.ssh_keys,
                group=server.name,
                size=server.size,
            )
        return found

    def amounts(self, host: HostId, pool: StoragePoolId) -> tuple[Amount, ...]:
        """Return what those on a host claim."""
        found = self._amounts.get((host, pool))
        if found is None:
            found = self._amounts[host, pool] = machine_amounts(self.spec(pool), host)
        return found


def machine_amounts(spec: InstanceSpec, host: HostId) -> tuple[Amount, ...]:
    """Return what a machine claims: of its host, for its root disk, and its addresses."""
    own: list[Amount] = [(host, dimension, amount) for dimension, amount in spec.host_amounts().items()]
    own.append((spec.storage_pool_id, disk_dimension(spec.root_disk_class), spec.root_disk_gib))
    own += [(nic.segment_id, ADDRESS, 1) for nic in spec.nics]
    return tuple(sorted(own))


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
    shared: dict[tuple[tuple[str, int], ...], Mapping[str, int]] = {}
    found = []
    for one in held:
        amounts = known.get(id(one.amounts))
        if amounts is None:
            counted = _counted(one.amounts)
            amounts = known[id(one.amounts)] = shared.setdefault(tuple(counted.items()), counted)
        found.append(amounts)
    return found


def _counted(amounts: Iterable[Amount]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for _, dimension, amount in amounts:
        if meter := counted_as(dimension):
            counted[meter] = counted.get(meter, 0) + amount
    return counted
