"""Disks as Cinder volumes: found by our id, adopted half-made, grown and never shrunk."""

from collections.abc import Callable
from functools import partial

from drivers.faults import Permanent, Transient
from drivers.openstack import images
from drivers.openstack.mapping import VolumeReading, moment_s, oldest_of, read_volume, volume_body
from drivers.openstack.marks import Mark, fence_values, host_values, is_newer
from drivers.openstack.region import Region
from drivers.protocol import VolumeRequest
from inventory.domain.ids import ResourceId

#: Of a disk that was not made, or not wholly deleted. All other errors are of disks that were in use before.
_UNMADE = frozenset({"error", "error_deleting"})
#: Of what no longer, or not yet, is in a machine, and takes no removal until Cinder is done.
_PASSING = frozenset({"attaching", "detaching", "reserved", "in-use", "downloading", "uploading", "extending"})


def find_volume(region: Region, volume_id: ResourceId) -> VolumeReading | None:
    """Return our volume of this id; the older of two that one wish made."""
    if not region.settings.has_volumes:
        return None
    scope = region.projects.listing_scope()
    block = region.sdk.block_storage
    found = region.calls.read("volume", lambda: [read_volume(v) for v in block.volumes(details=True, name=volume_id, **scope)])
    volume: VolumeReading | None = oldest_of([v for v in found if v.mark is not None and v.mark.resource_id == volume_id])
    if volume is not None:
        region.disks[volume.volume_id] = volume_id
    return volume


def our_id(region: Region, volume_id: str) -> ResourceId:
    """Return our id of a volume, by the region's id; empty where it is gone or not ours. Asked once: it never changes."""
    if volume_id not in region.disks:
        seen = look_at(region, volume_id)
        if seen is None or seen.mark is None:
            return ResourceId("")
        region.disks[volume_id] = ResourceId(seen.mark.resource_id)
    return region.disks[volume_id]


def ensure_volume(
    region: Region,
    request: VolumeRequest,
    mark: Mark,
    department: str,
    find_source: Callable[[], str] | None = None,
    *,
    zone: str = "",
) -> VolumeReading:
    """Have the disk, ready to be used; ``find_source`` gives the snapshot a new one is made of, ``zone`` where any other is made.

    Raises:
        StaleFence: a newer hold has acted on it.
        Permanent: ``driver.storage_pool_missing``, ``driver.volume_shrink``.
        Transient: it is not ready yet, or ``openstack.volume_kept``: it failed, and may hold data.
    """
    require_pool(region, request.storage_pool)
    found = find_volume(region, request.volume_id)
    if found is not None:
        ensure_host(region, found, mark.host_id, mark.fence)
        if request.may_remake and _is_unmade(region, found):
            _delete(region, found)
            found = None
    if found is None:
        return _make(region, request, mark, department, None if find_source is None else find_source(), zone)
    _refuse_stuck(region, found)
    ready = _wait_ready(region, found)
    if ready.size_gib > request.size_gib:
        raise Permanent("driver.volume_shrink", volume_id=request.volume_id, size_gib=request.size_gib)
    return ready if ready.size_gib == request.size_gib else _grow(region, ready, request.size_gib)


def _is_unmade(region: Region, volume: VolumeReading) -> bool:
    """Tell whether a disk nobody has used yet never will be ready: it failed, or is being made for too long."""
    is_hanging = volume.status == "creating" and is_stuck(region, volume)
    return not volume.server_ids and (volume.status in _UNMADE or is_hanging)


def _refuse_stuck(region: Region, volume: VolumeReading) -> None:
    """Refuse to wait for a disk that says for too long that it is being made: it was ready once."""
    if volume.status == "creating" and is_stuck(region, volume):
        raise Transient("openstack.volume_kept", volume_id=volume.name, status=volume.status)


def is_stuck(region: Region, volume: VolumeReading) -> bool:
    """Tell whether a disk is in its present state for longer than ``build_limit_s``."""
    now_s = region.clock()
    return now_s - moment_s(volume.updated_at or volume.created_at, now_s) > region.settings.build_limit_s


def free(region: Region, volume: VolumeReading) -> None:
    """Have a disk that no machine holds be held by none: Nova may keep one reserved for a machine it then did not make.

    Raises:
        Transient: ``openstack.not_ready``: it is reserved for less than ``build_limit_s``, and somebody may be about to use it.
    """
    if volume.status != "reserved":
        return
    if not is_stuck(region, volume):
        raise Transient("openstack.not_ready", resource_id=volume.name, verb="disk")
    block, compute, scope = region.sdk.block_storage, region.sdk.compute, region.projects.listing_scope()
    for held in region.calls.read("disk", lambda: list(block.attachments(volume_id=volume.volume_id, **scope))):
        if region.calls.find("machine", partial(compute.get_server, held.instance)) is None:
            region.calls.change("free disk", partial(block.delete_attachment, held.id))
    region.touch()


def require_pool(region: Region, storage_pool: str) -> None:
    """Refuse a storage pool that is no volume type of the region.

    Raises:
        Permanent: ``driver.storage_pool_missing``.
    """
    if storage_pool in region.volume_types:
        return
    if region.settings.has_volumes:
        block = region.sdk.block_storage
        region.volume_types = frozenset(region.calls.read("volume", lambda: [t.name for t in block.types()]))
    if storage_pool not in region.volume_types:
        raise Permanent("driver.storage_pool_missing", storage_pool=storage_pool)


def take_fence(region: Region, volume: VolumeReading, fence: int) -> None:
    """Refuse an older hold, record a newer one.

    Raises:
        StaleFence: the volume carries a newer fence.
    """
    assert volume.mark is not None, "only volumes of ours are fenced"
    if is_newer(fence, volume.mark):
        block = region.sdk.block_storage
        region.calls.change("volume", lambda: block.set_volume_metadata(volume.volume_id, **fence_values(fence)))
        region.touch()


def ensure_host(region: Region, volume: VolumeReading, host_id: str, fence: int) -> None:
    """Have a disk be a host's: a disk is the region's, and goes with its machine from one hypervisor to another.

    Raises:
        StaleFence: the volume carries a newer fence.
    """
    assert volume.mark is not None, "only volumes of ours are given to a host"
    if is_newer(fence, volume.mark) or volume.mark.host_id != host_id:
        block, values = region.sdk.block_storage, host_values(host_id, fence)
        region.calls.change("volume", lambda: block.set_volume_metadata(volume.volume_id, **values))
        region.touch()


def ensure_volume_absent(region: Region, volume_id: ResourceId, host_id: str, fence: int) -> None:
    """Have no such disk of a host; one that went to another host with its machine is that host's.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: ``driver.volume_in_use``, or it is not gone yet.
    """
    while (found := find_volume(region, volume_id)) is not None and found.mark is not None and found.mark.host_id == host_id:
        take_fence(region, found, fence)
        if found.server_ids:
            raise Transient("driver.volume_in_use", volume_id=volume_id, machine=", ".join(found.server_ids))
        _delete(region, found)


def _make(
    region: Region, request: VolumeRequest, mark: Mark, department: str, snapshot_id: str | None, zone: str
) -> VolumeReading:
    image_id = None if request.image is None else images.require_image(region, request.image, request.storage_pool)
    block = region.projects.connection(department).block_storage
    body = volume_body(request, mark, image_id=image_id, snapshot_id=snapshot_id, zone=region.zones.of_storage(zone))
    made = read_volume(region.calls.change("volume", lambda: block.create_volume(**body)))
    region.touch()
    region.disks[made.volume_id] = request.volume_id
    return _wait_ready(region, made, is_made=True)


def look_at(region: Region, volume_id: str) -> VolumeReading | None:
    """Read one disk by the region's id."""
    if not region.settings.has_volumes:
        return None
    block = region.sdk.block_storage
    return region.calls.find("volume", lambda: read_volume(block.get_volume(volume_id)))


def _wait_ready(region: Region, volume: VolumeReading, *, is_made: bool = False) -> VolumeReading:
    """Wait until a disk is ready; of one just made nothing is lost if it fails."""
    first: list[VolumeReading] = [volume]

    def look() -> VolumeReading | None:
        seen = first.pop() if first else look_at(region, volume.volume_id)
        if seen is None:
            raise Transient("driver.volume_missing", volume_id=volume.name)
        if seen.status.startswith("error"):
            code = "openstack.volume_failed" if is_made else "openstack.volume_kept"
            raise Transient(code, volume_id=volume.name, status=seen.status)
        return seen if seen.status in ("available", "in-use") else None

    return region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=volume.name, verb="volume"))


def _grow(region: Region, volume: VolumeReading, size_gib: int) -> VolumeReading:
    block = region.sdk.block_storage
    region.calls.change("volume", lambda: block.extend_volume(volume.volume_id, size_gib))
    region.touch()

    def look() -> VolumeReading | None:
        seen = look_at(region, volume.volume_id)
        return None if seen is None or seen.size_gib != size_gib else _wait_ready(region, seen)

    return region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=volume.name, verb="extend"))


def _delete(region: Region, volume: VolumeReading) -> None:
    block = region.sdk.block_storage

    def look() -> bool | None:
        seen = look_at(region, volume.volume_id)
        if seen is not None and seen.status == "error_deleting":
            raise Transient("openstack.volume_failed", volume_id=volume.name, status=seen.status)
        return True if seen is None else None

    # Cinder deletes neither what it still makes or deletes, as far as it knows, nor what it failed to delete.
    is_hanging = volume.status in ("creating", "deleting") and is_stuck(region, volume)
    if is_hanging or volume.status == "error_deleting":
        region.calls.change("volume", lambda: block.reset_volume_status(volume.volume_id, status="error"))
    if is_hanging or volume.status != "deleting":
        _ask_to_delete(region, volume)
    region.touch()
    region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=volume.name, verb="delete volume"))
    region.disks.pop(volume.volume_id, None)


def _ask_to_delete(region: Region, volume: VolumeReading) -> None:
    block = region.sdk.block_storage
    try:
        region.calls.change("volume", lambda: block.delete_volume(volume.volume_id))
    except Permanent as fault:
        # Cinder's answer to a disk with copies is the same as to any other wrong request.
        scope = region.projects.listing_scope()
        copies = region.calls.read("snapshot", lambda: list(block.snapshots(details=False, volume_id=volume.volume_id, **scope)))
        if copies:
            raise Transient("driver.volume_has_snapshots", internal=fault.internal, volume_id=volume.name) from fault
        # A machine that is gone may leave its disks behind on their way out of it.
        seen = look_at(region, volume.volume_id)
        if not {volume.status, "" if seen is None else seen.status} & _PASSING:
            raise
        if seen is not None:
            free(region, seen)
        raise Transient("openstack.not_ready", internal=fault.internal, resource_id=volume.name, verb="delete volume") from fault
