"""Live migration of a machine to another hypervisor by Nova: asked for once, watched, and believed when it was seen.

Disks, ports and networks are the region's, so nothing is copied: what changes is where the machine runs and whose all of it
is by its marks. Where it goes is written on the machine before Nova is asked, and its own mark changes last. So whoever comes
after a crash at any line sees where it was to go, and where it is, and ends the move either way.
"""

from collections.abc import Iterable
from dataclasses import replace

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent, Transient
from drivers.openstack import networks, servers, snapshots, volumes
from drivers.openstack.mapping import ServerReading, VolumeReading, state_of
from drivers.openstack.marks import Mark, Place, going_values, settled_values
from drivers.openstack.region import Region
from drivers.protocol import MigrationRequest, VolumeRequest
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

#: Nova's word for a machine that is being moved live.
MIGRATING = "MIGRATING"
#: The first version of Nova's API in which a live migration is only taken note of before the answer.
ASYNCHRONOUS = "2.34"


def ensure_migrated(region: Region, request: MigrationRequest, here: Place, target: Place, fence: int) -> ServerReading:
    """Have a running machine on the target, and everything of it marked as the target's.

    A migration that runs already is waited for, one that has ended there is finished.

    Raises:
        StaleFence: a newer hold has acted on the machine or a disk of it.
        Permanent: ``openstack.migration_failed``: it runs on where it was; ``openstack.migration_changes_pool``,
            ``driver.storage_pool_missing``, or Nova refuses.
        Transient: ``driver.not_running``, ``openstack.not_ready``: the migration goes on.
    """
    found = servers.require_server(region, request.machine.instance_id)
    mark = servers.check_fence(found, fence)
    if mark.host_id == target.host_id:
        return found
    if mark.host_id != here.host_id:
        raise Transient("driver.instance_missing", instance_id=request.machine.instance_id)
    disks = _disks_of(region, request, found)
    settled = servers.rest(region, found)
    if settled.hypervisor != target.hypervisor:
        if found.status == MIGRATING:
            raise _failed(settled, target)
        settled = go(region, servers.take_fence(region, settled, fence), target, fence)
    return settle(region, settled, disks, target.host_id, fence)


def ensure_kept(region: Region, instance_id: ResourceId, here: Place, fence: int) -> ServerReading | None:
    """Have no migration of a machine under way and no older hold ask for one; returns the machine if it is here.

    One that runs is waited for. Where it had brought the machine to its target the move is finished: there is no other copy.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: ``openstack.not_ready``: a migration goes on; ``openstack.machine_failed``: Nova shows an error, and whether
            the machine is here or there is for whoever looks after the region.
    """
    found = servers.find_server(region, instance_id)
    if found is None or found.mark is None or found.mark.host_id != here.host_id:
        return None
    servers.check_fence(found, fence)
    settled = servers.rest(region, found)
    if settled.status == "ERROR":
        raise Transient("openstack.machine_failed", verb="migrate", status=settled.status, reason=settled.fault)
    kept = servers.take_fence(region, settled, fence)
    going = None if kept.mark is None else kept.mark.going
    if going is None:
        return kept
    disks = [v for v in (volumes.look_at(region, i) for i in kept.volume_ids) if v is not None and v.mark is not None]
    if kept.hypervisor == going.hypervisor:
        settle(region, kept, disks, going.host_id, fence)
        return None
    return settle(region, kept, disks, here.host_id, fence)


def _disks_of(region: Region, request: MigrationRequest, server: ServerReading) -> list[VolumeReading]:
    """Return the volumes that go with a machine: each is where it is to be there, as a storage pool is the region's.

    Nova copies a root disk on the hypervisor itself, to the target's.
    """
    disks, root = [], request.machine.root
    if server.is_local and not region.settings.is_local(root.storage_pool):
        raise _changes_pool(root, region.settings.local_storage)
    for wanted in (*(() if server.is_local else (root,)), *request.volumes):
        volumes.require_pool(region, wanted.storage_pool)
        volume = volumes.find_volume(region, wanted.volume_id)
        if volume is None:
            raise Transient("driver.volume_missing", volume_id=wanted.volume_id)
        if volume.storage_pool != wanted.storage_pool:
            raise _changes_pool(wanted, volume.storage_pool)
        disks.append(volume)
    return disks


def _changes_pool(wanted: VolumeRequest, storage_pool: str) -> Permanent:
    named = {"volume_id": wanted.volume_id, "storage_pool": storage_pool, "wanted": wanted.storage_pool}
    return Permanent("openstack.migration_changes_pool", **named)


def go(region: Region, server: ServerReading, target: Place, fence: int) -> ServerReading:
    """Ask Nova to bring a running machine to the target, and wait until it does nothing with it any more."""
    if state_of(server) is not Observed.RUNNING:
        raise Transient("driver.not_running", instance=server.name)
    service = service_of(region, target)
    servers.write_metadata(region, server, going_values(target))
    # Nova has no conditional write: a newer hold that came in between is seen here.
    servers.check_fence(_look(region, server), fence)
    region.calls.change("migrate", lambda: _ask(region, server, service))
    region.touch()
    # Nova says "migrating" before it answers: what is at rest has ended.
    seen = servers.rest(region, _look(region, server))
    if seen.hypervisor != target.hypervisor:
        raise _failed(seen, target)
    return seen


def _ask(region: Region, server: ServerReading, service: str) -> None:
    """Ask in the version in which Nova answers at once, and checks the target afterwards; the SDK asks in an older one."""
    body = {"os-migrateLive": {"host": service, "block_migration": "auto"}}
    answer = region.sdk.compute.post(f"/servers/{server.server_id}/action", json=body, microversion=ASYNCHRONOUS)
    sdk_errors.raise_from_response(answer)


def service_of(region: Region, target: Place) -> str:
    """Return the name of a hypervisor's compute service, which is what Nova moves machines to."""
    found = next((h for h in region.inventory.hypervisors() if h.name == target.hypervisor), None)
    if found is None:
        raise Permanent("openstack.hypervisor_unknown", name=target.hypervisor, known="—")
    return region.inventory.describe(found).service_host or found.name


def _failed(server: ServerReading, target: Place) -> Permanent:
    reason = server.fault or f"{server.status}, {server.hypervisor}"
    return Permanent("openstack.migration_failed", machine=server.name, target=target.hypervisor, reason=reason)


def _look(region: Region, server: ServerReading) -> ServerReading:
    seen = servers.look_at(region, server.server_id)
    if seen is None:
        raise Transient("driver.instance_missing", instance_id=server.name)
    return seen


def settle(region: Region, server: ServerReading, disks: Iterable[VolumeReading], host_id: str, fence: int) -> ServerReading:
    """Have everything of a machine be a host's by its mark; the machine last, so that what was cut is found and finished."""
    assert server.mark is not None, "only machines of ours are moved"
    for volume in disks:
        volumes.ensure_host(region, volume, host_id, fence)
        for copy in snapshots.list_snapshots(region, volume_id=volume.volume_id):
            snapshots.ensure_host(region, copy, host_id)
    for port in networks.ports_of(region, device_id=server.server_id):
        if port.mark is not None and port.mark.resource_id == server.mark.resource_id:
            networks.ensure_port_host(region, port, host_id)
    servers.check_fence(_look(region, server), fence)
    servers.write_metadata(region, server, settled_values(host_id, fence))
    mark: Mark = replace(server.mark, host_id=host_id, fence=fence, going=None)
    return replace(server, mark=mark)
