"""Changes of a machine that is there: its size, its data disks."""

from collections.abc import Set
from functools import partial

from drivers.faults import Permanent, Transient
from drivers.openstack import flavors, servers, volumes
from drivers.openstack.actions import failure_of
from drivers.openstack.mapping import ServerReading, state_of
from drivers.openstack.region import Region
from drivers.openstack.region_quota import telling_quota
from drivers.protocol import MachineRequest
from inventory.domain.ids import ResourceId, is_id
from inventory.domain.resource import Observed

#: What Cinder says of a disk that is in a machine, and of one that is in none.
_IN_USE, _NOT_IN_USE = "in-use", "available"


def end_resize(region: Region, server: ServerReading, request: MachineRequest) -> ServerReading:
    """Finish a resize that was cut half way, or take it back where another size is asked for by now."""
    if server.status != "VERIFY_RESIZE":
        return server
    is_wanted = _size_of(server) == _size_wanted(server, request)
    return _confirm(region, server) if is_wanted else _revert(region, server)


def ensure_size(region: Region, server: ServerReading, request: MachineRequest, hypervisor: str) -> ServerReading:
    """Have the size that is asked for.

    Raises:
        Permanent: ``openstack.resize_failed``: the region leaves it as it was; ``driver.volume_shrink``.
        Transient: ``driver.must_be_stopped``, ``openstack.machine_failed``.
    """
    wanted = _size_wanted(server, request)
    if server.root_gib > wanted[2]:
        raise Permanent("driver.volume_shrink", volume_id=request.instance_id, size_gib=wanted[2])
    if _size_of(server) == wanted:
        return bring_home(region, server, hypervisor)
    if state_of(server) is not Observed.STOPPED:
        raise Transient("driver.must_be_stopped", instance=request.instance_id)
    compute = region.sdk.compute
    flavor_id = flavors.ensure_flavor(region, *wanted)
    more = {"cores": wanted[0] - server.vcpu_count, "ram": wanted[1] - server.memory_mib}
    with telling_quota(region, compute, **more):
        region.calls.change("resize", lambda: compute.resize_server(server.server_id, flavor_id))
    region.touch()
    # Nova says what it is at before it answers: what is at rest has ended.
    seen = servers.rest(region, servers.look_again(region, server))
    if seen.status == "ERROR":
        raise Transient("openstack.machine_failed", verb="resize", status=seen.status, reason=seen.fault)
    if seen.status != "VERIFY_RESIZE" and _size_of(seen) != wanted:
        reason = failure_of(region, seen, "resize") or seen.status
        raise Permanent("openstack.resize_failed", instance_id=request.instance_id, reason=reason)
    return bring_home(region, _confirm(region, seen), hypervisor)


def _size_of(server: ServerReading) -> tuple[int, int, int]:
    return server.vcpu_count, server.memory_mib, server.root_gib


def _size_wanted(server: ServerReading, request: MachineRequest) -> tuple[int, int, int]:
    """Return vCPUs, MiB and, where its root disk is the flavor's, GiB; a volume grows by itself. Pure."""
    return request.vcpu_count, request.memory_mib, request.root.size_gib if server.is_local else 0


def bring_home(region: Region, server: ServerReading, hypervisor: str) -> ServerReading:
    """Have a stopped machine on the hypervisor its capacity is promised on: a resize may have put it elsewhere.

    Raises:
        Transient: ``openstack.machine_failed``: the region leaves it where it is.
    """
    is_away = hypervisor and server.hypervisor and server.hypervisor != hypervisor
    if not is_away or state_of(server) is not Observed.STOPPED:
        return server
    compute = region.sdk.compute
    region.calls.change("migrate", lambda: compute.migrate_server(server.server_id, host=hypervisor))
    region.touch()
    seen = servers.rest(region, servers.look_again(region, server))
    if seen.status == "ERROR" or (seen.status != "VERIFY_RESIZE" and seen.hypervisor != hypervisor):
        reason = seen.fault or failure_of(region, seen, "migrate")
        raise Transient("openstack.machine_failed", verb="migrate", status=seen.status, reason=reason)
    return _confirm(region, seen)


def _confirm(region: Region, server: ServerReading) -> ServerReading:
    if server.status != "VERIFY_RESIZE":
        # A region that confirms by itself, or its administrator, was faster.
        return server
    compute = region.sdk.compute
    region.calls.change("confirm resize", lambda: compute.confirm_server_resize(server.server_id))
    region.touch()
    return servers.rest(region, server, lambda now: now.status != "VERIFY_RESIZE")


def _revert(region: Region, server: ServerReading) -> ServerReading:
    compute = region.sdk.compute
    region.calls.change("revert resize", lambda: compute.revert_server_resize(server.server_id))
    region.touch()
    return servers.rest(region, server, lambda now: now.status != "VERIFY_RESIZE")


def ensure_disks(region: Region, server: ServerReading, request: MachineRequest) -> ServerReading:
    """Have exactly the data disks that are asked for attached; a disk that is not ours stays as it is.

    Raises:
        Transient: ``driver.volume_missing``, ``openstack.attach_failed``, ``openstack.detach_failed``, or the region is not done.
    """
    compute = region.sdk.compute
    wanted = {servers.disk_id(region, d.volume_id): d for d in request.disks}
    ours = known_disks(region, server)
    present = {v for v in server.volume_ids if v in ours and is_id(ours[v], "volume")}
    for volume_id in sorted(present - wanted.keys()):
        region.calls.change("detach", partial(compute.delete_volume_attachment, server.server_id, volume_id))
    for volume_id, _disk in sorted(wanted.items(), key=lambda item: item[1].slot):
        if volume_id not in present:
            region.calls.change("attach", partial(compute.create_volume_attachment, server.server_id, volume_id=volume_id))
    if present == wanted.keys():
        return server
    region.touch()
    return _see_disks(region, server, wanted.keys(), present - wanted.keys())


def _see_disks(region: Region, server: ServerReading, wanted: Set[str], leaving: Set[str]) -> ServerReading:
    """Wait until Nova and Cinder agree on what is attached.

    Nova answers when it has reserved a disk, or has begun to take it out. Where it comes to nothing on the hypervisor, it gives
    the disk back as it was, and the machine shows no fault.

    Raises:
        Transient: ``openstack.attach_failed``, ``openstack.detach_failed``, or the region is not done.
    """

    def is_done(now: ServerReading) -> bool:
        has = _data_disks(region, now)
        if has == wanted and _settled(region, now):
            return True
        for volume_id in sorted(wanted - has):
            if _status_of(region, volume_id) == _NOT_IN_USE:
                raise _failed(region, now, volume_id, "attach", _NOT_IN_USE)
        for volume_id in sorted(leaving & has):
            if _status_of(region, volume_id) == _IN_USE:
                raise _failed(region, now, volume_id, "detach", _IN_USE)
        return False

    return servers.rest(region, server, is_done)


def _status_of(region: Region, volume_id: str) -> str:
    seen = volumes.look_at(region, volume_id)
    return "" if seen is None else seen.status


def _failed(region: Region, server: ServerReading, volume_id: str, verb: str, status: str) -> Transient:
    reason = failure_of(region, server, f"{verb}_volume") or status
    code = "openstack.attach_failed" if verb == "attach" else "openstack.detach_failed"
    ours = volumes.our_id(region, volume_id)
    return Transient(code, internal=reason, volume_id=ours, machine=server.name, reason=reason)


def _data_disks(region: Region, server: ServerReading) -> set[str]:
    ours = known_disks(region, server)
    return {v for v in server.volume_ids if v in ours and is_id(ours[v], "volume")}


def _settled(region: Region, server: ServerReading) -> bool:
    block = region.sdk.block_storage
    found = [region.calls.read("volume", partial(block.get_volume, volume_id)) for volume_id in server.volume_ids]
    return all(v.status == _IN_USE for v in found)


def known_disks(region: Region, server: ServerReading) -> dict[str, ResourceId]:
    """Return our ids of a machine's volumes; what was never seen before is asked for."""
    found = {volume_id: volumes.our_id(region, volume_id) for volume_id in server.volume_ids}
    return {volume_id: ours for volume_id, ours in found.items() if ours}
