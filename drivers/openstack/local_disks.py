"""Root disks on the hypervisor: the flavor's own, made of the image with its machine, and gone with it.

There is no thing of its own in the region that could be found, marked or kept: whatever is asked of such a disk is asked of its
machine. What a machine has beside its root disk must be able to outlive it, and is never such a disk.
"""

from typing import NoReturn

from drivers.faults import Permanent, Transient
from drivers.openstack import images, servers
from drivers.openstack.facts import UNBOUNDED_GIB, local_facts
from drivers.openstack.inventory import Chosen
from drivers.openstack.mapping import ServerReading
from drivers.openstack.region import Region
from drivers.protocol import VolumeRequest
from inventory.domain.host import StorageFacts
from inventory.domain.ids import ResourceId, is_id


def ensure_root(region: Region, request: VolumeRequest, fence: int) -> None:
    """Have all that the disk will be made of, or the machine that has it; one that is to grow does so with its machine's size.

    Raises:
        StaleFence: a newer hold has acted on the machine.
        Permanent: ``openstack.data_disk_local``, ``driver.volume_shrink``.
        Transient: ``driver.image_missing``.
    """
    if request.role != "root":
        refuse_data(request)
    found = servers.find_server(region, request.volume_id)
    if found is not None:
        servers.check_fence(found, fence)
        if found.root_gib > request.size_gib:
            raise Permanent("driver.volume_shrink", volume_id=request.volume_id, size_gib=request.size_gib)
    elif request.image is not None:
        images.require_image(region, request.image, request.storage_pool)


def refuse_data(request: VolumeRequest) -> NoReturn:
    """Refuse a disk that is to outlive its machine.

    Raises:
        Permanent: ``openstack.data_disk_local``.
    """
    raise Permanent("openstack.data_disk_local", volume_id=request.volume_id, storage_pool=request.storage_pool)


def refuse_in_use(region: Region, volume_id: ResourceId, host_id: str, fence: int) -> None:
    """Refuse to remove the disk of a machine of this host without it.

    Raises:
        StaleFence: a newer hold has acted on the machine.
        Transient: ``driver.volume_in_use``.
    """
    found = _machine_of(region, volume_id)
    if found is not None and found.mark is not None and found.mark.host_id == host_id:
        servers.check_fence(found, fence)
        raise Transient("driver.volume_in_use", volume_id=volume_id, machine=found.server_id)


def refuse_copy(region: Region, volume_id: ResourceId) -> None:
    """Refuse to copy such a disk: Nova makes an image of a whole machine, which no disk is made of again.

    Raises:
        Permanent: ``openstack.local_disk_not_copied``.
    """
    if _machine_of(region, volume_id) is not None:
        raise Permanent("openstack.local_disk_not_copied", volume_id=volume_id, storage_pool=region.settings.local_storage)


def _machine_of(region: Region, volume_id: ResourceId) -> ServerReading | None:
    """Return the machine with such a root disk, which bears the machine's id."""
    if not region.settings.local_storage or not is_id(volume_id, "instance"):
        return None
    found = servers.find_server(region, volume_id)
    return found if found is not None and found.is_local else None


def storage_of(region: Region, chosen: Chosen | None, used_gib: int) -> tuple[StorageFacts, ...]:
    """Return the storage pool of a host's own disks, where there is one; ``used_gib`` is taken by all its machines.

    Raises:
        Permanent: ``openstack.settings_invalid``: a volume type has its name.
    """
    name = region.settings.local_storage
    if not name:
        return ()
    types, _pools = region.storage()
    if name in types:
        raise Permanent("openstack.settings_invalid", names="local_storage", known=", ".join(sorted(types)))
    if chosen is None:
        return (StorageFacts(name=name, path="nova", capacity_gib=UNBOUNDED_GIB, available_gib=UNBOUNDED_GIB, roots_only=True),)
    providers = region.inventory.providers()
    there = [providers[h.provider_id] for h in chosen.hypervisors if h.provider_id in providers]
    return (local_facts(name, there, used_gib),)
