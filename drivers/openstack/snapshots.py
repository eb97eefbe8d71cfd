"""Copies of disks as Cinder snapshots: found by our id, taken once, of disks in use too."""

from functools import partial

from drivers.faults import Permanent, Transient
from drivers.openstack import volumes
from drivers.openstack.mapping import SnapshotReading, oldest_of, read_snapshot
from drivers.openstack.marks import Mark, fence_values, host_values, is_newer
from drivers.openstack.region import Region
from drivers.powers import SnapshotRequest
from drivers.protocol import VolumeRequest
from inventory.domain.ids import ResourceId


def list_snapshots(region: Region, **query: str) -> list[SnapshotReading]:
    """Return the copies of ours."""
    scope, block = region.projects.listing_scope(), region.sdk.block_storage
    found = region.calls.read("snapshot", lambda: [read_snapshot(s) for s in block.snapshots(details=True, **query, **scope)])
    return [s for s in found if s.mark is not None]


def find_snapshot(region: Region, snapshot_id: ResourceId) -> SnapshotReading | None:
    """Return the copy of this id; the older of two that one wish made."""
    ours = [s for s in list_snapshots(region, name=snapshot_id) if s.mark is not None and s.mark.resource_id == snapshot_id]
    found: SnapshotReading | None = oldest_of(ours)
    return found


def ensure_snapshot(region: Region, request: SnapshotRequest, mark: Mark) -> SnapshotReading:
    """Have the copy.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: ``driver.volume_missing``, or it is not ready yet.
    """
    found = find_snapshot(region, request.snapshot_id)
    if found is not None:
        take_fence(region, found, mark.fence)
        if found.status != "error":
            return _wait_ready(region, found)
        _delete(region, found)
    volume = volumes.find_volume(region, request.volume_id)
    if volume is None or volume.mark is None:
        raise Transient("driver.volume_missing", volume_id=request.volume_id)
    block = region.projects.connection(volume.mark.department).block_storage
    body = {"name": request.snapshot_id, "volume_id": volume.volume_id, "is_forced": True, "metadata": mark.values()}
    return _wait_ready(region, read_snapshot(region.calls.change("snapshot", lambda: block.create_snapshot(**body))))


def take_fence(region: Region, snapshot: SnapshotReading, fence: int) -> None:
    """Refuse an older hold, record a newer one.

    Raises:
        StaleFence: the copy carries a newer fence.
    """
    assert snapshot.mark is not None, "only copies of ours are fenced"
    if is_newer(fence, snapshot.mark):
        block = region.sdk.block_storage
        region.calls.change("snapshot", lambda: block.set_snapshot_metadata(snapshot.snapshot_id, **fence_values(fence)))


def ensure_host(region: Region, snapshot: SnapshotReading, host_id: str) -> None:
    """Have a copy be the host's that its disk is."""
    if snapshot.mark is not None and snapshot.mark.host_id != host_id:
        block, values = region.sdk.block_storage, host_values(host_id, snapshot.mark.fence)
        region.calls.change("snapshot", lambda: block.set_snapshot_metadata(snapshot.snapshot_id, **values))


def require_snapshot(region: Region, snapshot_id: ResourceId) -> SnapshotReading:
    """Return a copy that is ready to be used.

    Raises:
        Transient: ``driver.snapshot_missing``, or it is not ready yet.
    """
    found = find_snapshot(region, snapshot_id)
    if found is None:
        raise Transient("driver.snapshot_missing", snapshot_id=snapshot_id)
    return _wait_ready(region, found)


def require_source(region: Region, snapshot_id: ResourceId, request: VolumeRequest) -> str:
    """Return the region's id of a copy a disk is to be made of.

    Raises:
        Permanent: ``driver.volume_shrink``: the disk would be smaller.
        Transient: ``driver.snapshot_missing``, or it is not ready yet.
    """
    found = require_snapshot(region, snapshot_id)
    if found.size_gib > request.size_gib:
        raise Permanent("driver.volume_shrink", volume_id=request.volume_id, size_gib=request.size_gib)
    return found.snapshot_id


def ensure_snapshot_absent(region: Region, snapshot_id: ResourceId, fence: int) -> None:
    """Have no such copy.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: it is not gone yet.
    """
    while (found := find_snapshot(region, snapshot_id)) is not None:
        take_fence(region, found, fence)
        _delete(region, found)


def _look(region: Region, snapshot: SnapshotReading) -> SnapshotReading | None:
    block = region.sdk.block_storage
    return region.calls.find("snapshot", lambda: read_snapshot(block.get_snapshot(snapshot.snapshot_id)))


def _wait_ready(region: Region, snapshot: SnapshotReading) -> SnapshotReading:
    first = [snapshot]

    def look() -> SnapshotReading | None:
        seen = first.pop() if first else _look(region, snapshot)
        if seen is None:
            raise Transient("driver.snapshot_missing", snapshot_id=snapshot.name)
        if seen.status == "error":
            raise Transient("openstack.volume_failed", volume_id=snapshot.name, status=seen.status)
        return seen if seen.status == "available" else None

    return region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=snapshot.name, verb="snapshot"))


def _delete(region: Region, snapshot: SnapshotReading) -> None:
    block = region.sdk.block_storage

    def look() -> bool | None:
        seen = _look(region, snapshot)
        if seen is not None and seen.status == "error_deleting":
            raise Transient("openstack.volume_failed", volume_id=snapshot.name, status=seen.status)
        return True if seen is None else None

    if snapshot.status == "error_deleting":
        region.calls.change("snapshot", partial(block.reset_snapshot_status, snapshot.snapshot_id, status="error"))
    if snapshot.status != "deleting":
        region.calls.change("snapshot", partial(block.delete_snapshot, snapshot.snapshot_id))
    region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=snapshot.name, verb="delete snapshot"))
