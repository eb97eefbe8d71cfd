"""Machines of a hypervisor that is off, brought to another one by Nova: asked for once, watched, and believed when it was seen.

Volumes, ports and networks are the region's. Nova gives up the machine where it was and starts it elsewhere on the same disks; a
root disk that lay on the hypervisor is lost with it, and made anew of the image. What is left of it where it was Nova removes
itself when the compute service there begins again. The marks change last, as with a migration: until then a crash leaves a
machine that is found where it is, and goes on.
"""

import time
from collections.abc import Iterable

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent, Transient
from drivers.openstack import changes, migrations, servers, volumes
from drivers.openstack.mapping import ServerReading, VolumeReading, moment_s, state_of
from drivers.openstack.marks import Place, going_values
from drivers.openstack.region import Region
from drivers.protocol import MachineRequest
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

#: The version from which Nova asks its scheduler whether the target takes the machine; from 2.95 on it would leave it stopped.
CHECKED = "2.68"
#: Nova says where a machine is a moment after it has said that it runs: so long it is waited for.
SHOWN_AFTER_S = 20.0
#: Nova's words for a machine that is being started elsewhere. It would take a second wish beside one it is at.
_UNDER_WAY = frozenset({"rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"})


def ensure_evacuated(region: Region, request: MachineRequest, here: Place, fence: int) -> ServerReading | None:
    """Have a machine on a hypervisor, wherever it was lost, with all that is its; None where there is none to bring back.

    Raises:
        StaleFence: a newer hold has acted on the machine or a disk of it.
        Permanent: ``driver.evacuation_failed``: Nova does not start it here.
        Transient: ``openstack.not_ready``, ``openstack.machine_failed``: it is not here yet.
    """
    found = servers.find_server(region, request.instance_id)
    wanted = (request.instance_id, *(disk.volume_id for disk in request.disks))
    disks = [v for v in (volumes.find_volume(region, volume_id) for volume_id in wanted) if v is not None]
    if found is not None:
        servers.check_fence(found, fence)
        if not found.has_run:
            servers.delete_server(region, found)
            found = None
    if found is None:
        for volume in disks:
            volumes.ensure_host(region, volume, here.host_id, fence)
        return None
    if found.is_local is not region.settings.is_local(request.root.storage_pool):
        # There the class of its root disk is another storage pool than here.
        reason = f"root disk: {request.root.storage_pool}"
        raise Permanent("driver.evacuation_failed", machine=found.name, target=here.hypervisor, reason=reason)
    there = _bring(region, found, here, fence)
    if there.mark is not None and there.mark.host_id == here.host_id:
        return servers.take_fence(region, there, fence)
    known = {v.volume_id for v in disks}
    disks += _disks_in(region, [volume_id for volume_id in there.volume_ids if volume_id not in known])
    return migrations.settle(region, there, disks, here.host_id, fence)


def ensure_abandoned(region: Region, instance_id: ResourceId, here: Place, fence: int) -> None:
    """Have no such machine in the region; the disks in it become the host's, before, so that none is forgotten.

    Raises:
        StaleFence: a newer hold has acted on it.
    """
    found = servers.find_server(region, instance_id)
    root = volumes.find_volume(region, instance_id)
    disks = [] if root is None else [root]
    if found is not None:
        servers.check_fence(found, fence)
        disks += _disks_in(region, [v for v in found.volume_ids if root is None or v != root.volume_id])
    for volume in disks:
        volumes.ensure_host(region, volume, here.host_id, fence)
    if found is not None:
        # Nova removes what a service that does not report in would have to by itself.
        servers.delete_server(region, found)


def _disks_in(region: Region, volume_ids: Iterable[str]) -> list[VolumeReading]:
    """Return the disks of ours among these."""
    found = (volumes.look_at(region, volume_id) for volume_id in volume_ids)
    return [v for v in found if v is not None and v.mark is not None]


def _bring(region: Region, server: ServerReading, here: Place, fence: int) -> ServerReading:
    """Have Nova run a machine here, by the way that is open; returns it at rest."""
    if server.hypervisor == here.hypervisor:
        return _arrived(servers.rest(region, server), here)
    if _is_under_way(region, server, here):
        server = _rest(region, server, here)
        if server.hypervisor == here.hypervisor or server.status == "ERROR":
            return _arrived(server, here)
    up = {h.name for h in region.inventory.hypervisors() if h.is_alive}
    if server.hypervisor in up:
        return _move(region, servers.rest(region, server), here, fence)
    service = migrations.service_of(region, here)
    server = servers.take_fence(region, server, fence)
    if server.is_markable:
        servers.write_metadata(region, server, going_values(here))
    # Nova has no conditional write: a newer hold that came in between is seen here.
    servers.check_fence(_look(region, server), fence)
    region.calls.change("evacuate", lambda: _ask(region, server, service))
    region.touch()
    # Nova says "rebuilding" before it answers: what is at rest has ended, or is about to be shown here.
    return _arrived(_rest(region, _look(region, server), here), here)


def _ask(region: Region, server: ServerReading, service: str) -> None:
    body = {"evacuate": {"host": service}}
    answer = region.sdk.compute.post(f"/servers/{server.server_id}/action", json=body, microversion=CHECKED)
    sdk_errors.raise_from_response(answer)


def _is_under_way(region: Region, server: ServerReading, here: Place) -> bool:
    """Tell whether an earlier wish is being fulfilled, or was a moment ago; not where whoever was at it has died too."""
    now_s = region.clock()
    age_s = now_s - moment_s(server.updated_at or server.created_at, now_s)
    if server.task in _UNDER_WAY:
        return age_s < region.settings.build_limit_s
    is_asked = server.mark is not None and server.mark.going == here
    return is_asked and server.task is None and server.status != "ERROR" and age_s < SHOWN_AFTER_S


def _rest(region: Region, server: ServerReading, here: Place) -> ServerReading:
    """Wait until Nova does nothing with a machine and shows it here, or has not shown it here for long enough."""
    ended: list[float] = []

    def is_shown(seen: ServerReading) -> bool:
        ended.append(time.monotonic())
        return seen.hypervisor == here.hypervisor or ended[-1] - ended[0] > SHOWN_AFTER_S

    return servers.rest(region, server, is_shown)


def _move(region: Region, server: ServerReading, here: Place, fence: int) -> ServerReading:
    """Bring a machine over from a hypervisor that reports in: its host came back before Nova was asked, or somebody moved it."""
    state = state_of(server)
    if state is Observed.STOPPED:
        taken = servers.take_fence(region, server, fence)
        return _arrived(changes.bring_home(region, taken, here.hypervisor), here)
    if state is not Observed.RUNNING:
        raise Transient("openstack.machine_failed", verb="evacuate", status=server.status, reason=server.fault)
    try:
        return migrations.go(region, servers.take_fence(region, server, fence), here, fence)
    except Permanent as fault:
        # A service that has just died reports in for a minute more.
        raise Transient(fault.problem.code, internal=fault.internal, **fault.problem.params) from fault


def _arrived(server: ServerReading, here: Place) -> ServerReading:
    if server.hypervisor != here.hypervisor:
        reason = server.fault or f"{server.status}, {server.hypervisor}"
        raise Permanent("driver.evacuation_failed", machine=server.name, target=here.hypervisor, reason=reason)
    if server.status == "ERROR":
        raise Transient("openstack.machine_failed", verb="evacuate", status=server.status, reason=server.fault)
    return server


def _look(region: Region, server: ServerReading) -> ServerReading:
    seen = servers.look_at(region, server.server_id)
    if seen is None:
        raise Transient("driver.instance_missing", instance_id=server.name)
    return seen
