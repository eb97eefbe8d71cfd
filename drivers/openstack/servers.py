"""Machines as Nova servers: found by our id, adopted half-made, cleared away by rule when their build failed or hangs."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.openstack import flavors, images, networks, server_groups, volumes
from drivers.openstack.cells import require_told
from drivers.openstack.mapping import (
    BUILDING,
    SOFT_DELETED,
    Parts,
    ServerReading,
    moment_s,
    oldest_of,
    read_server,
    server_body,
    state_of,
)
from drivers.openstack.marks import Mark, fence_values, mark_text, port_mark, refuse_older
from drivers.openstack.region import Region
from drivers.openstack.region_quota import telling_quota
from drivers.protocol import MachineRequest
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed


def find_server(region: Region, instance_id: ResourceId) -> ServerReading | None:
    """Return our machine of this id; None only when the region answered that there is none.

    Raises:
        Transient: ``driver.unreachable``: nothing was found, its root disk may be there, and a cell does not answer.
    """
    found = _search(region, instance_id)
    if found is None and region.may_have_disk(instance_id):
        region.require_all_cells()
    return found


def _search(region: Region, instance_id: ResourceId) -> ServerReading | None:
    """Return our machine of this id; None too where it is in a cell that does not answer and its id in the region is not known.

    Of two that one wish made (its answer was lost), the older one is the machine; the other is taken away.
    """
    known = region.server_ids.get(instance_id)
    if known is not None:
        seen = look_at(region, known)
        if seen is not None and _is_ours(seen, instance_id):
            return seen
        region.server_ids.pop(instance_id, None)
    scope = region.projects.listing_scope()
    compute = region.sdk.compute
    found = region.calls.read(
        "machine", lambda: [read_server(s) for s in compute.servers(details=True, tags=instance_id, **scope)]
    )
    ours = [s for s in found if _is_ours(s, instance_id)]
    keep: ServerReading | None = oldest_of(ours)
    for other in ours:
        if keep is not None and other.server_id != keep.server_id:
            region.calls.change("delete machine", partial(compute.delete_server, other.server_id))
    if keep is not None:
        region.server_ids[instance_id] = keep.server_id
    return keep


def _is_ours(server: ServerReading, instance_id: ResourceId) -> bool:
    return server.mark is not None and server.mark.resource_id == instance_id and not server.is_gone


def look_at(region: Region, server_id: str) -> ServerReading | None:
    """Read one machine by the region's id.

    Raises:
        Transient: ``driver.unreachable``: the cell it is in does not answer.
    """
    seen = region.calls.find("machine", lambda: read_server(region.sdk.compute.get_server(server_id)))
    if seen is not None:
        require_told((seen,), region.calls.connection)
    return seen


def require_server(region: Region, instance_id: ResourceId) -> ServerReading:
    """Return our machine.

    Raises:
        Transient: ``driver.instance_missing``.
    """
    found = find_server(region, instance_id)
    if found is None:
        raise Transient("driver.instance_missing", instance_id=instance_id)
    return found


def check_fence(server: ServerReading, fence: int) -> Mark:
    """Refuse an older hold.

    Raises:
        StaleFence: the machine carries a newer fence.
    """
    assert server.mark is not None, "only machines of ours are fenced"
    refuse_older(fence, server.mark)
    return server.mark


def take_fence(region: Region, server: ServerReading, fence: int) -> ServerReading:
    """Refuse an older hold, record a newer one before the act; returns the machine as it is marked then.

    A machine half built, half resized or in error takes no mark: it is brought out of that first, and the fence taken again.

    Raises:
        StaleFence: the machine carries a newer fence.
    """
    mark = check_fence(server, fence)
    if mark.fence == fence or not server.is_markable:
        return server
    write_metadata(region, server, fence_values(fence))
    return replace(server, mark=replace(mark, fence=fence))


def take_at_rest(region: Region, instance_id: ResourceId, fence: int) -> ServerReading:
    """Return our machine, taken by this hold, with nothing going on.

    Raises:
        StaleFence: the machine carries a newer fence.
        Transient: ``driver.instance_missing``, ``openstack.not_ready``.
    """
    server = take_fence(region, require_server(region, instance_id), fence)
    return take_fence(region, rest(region, server), fence)


def write_metadata(region: Region, server: ServerReading, values: dict[str, str]) -> None:
    """Have these entries in a machine's metadata."""
    compute = region.sdk.compute
    region.calls.change("mark machine", lambda: compute.set_server_metadata(server.server_id, **values))
    region.touch()


def ensure_server(
    region: Region, request: MachineRequest, mark: Mark, hypervisor: str, zone: str = ""
) -> tuple[ServerReading, bool]:
    """Have the machine, at rest; tells whether it was made now.

    Raises:
        StaleFence: a newer hold has acted on it.
        Permanent: ``openstack.build_failed``: the region could not build it; nothing of the attempt is left.
        Transient: ``openstack.not_ready``: it is still being built.
    """
    # A new machine costs no call more than it must: where nothing is found, its root disk says whether to make sure.
    found = _search(region, request.instance_id)
    if found is not None:
        found = take_fence(region, found, mark.fence)
        if not _is_hopeless(found, region.settings.build_limit_s, region.clock()):
            return rest(region, found), False
        delete_server(region, found)
    made = _create(region, request, mark, hypervisor, zone)
    settled = _built(region, made, request.instance_id)
    if settled.status == "ERROR":
        delete_server(region, settled)
        raise Permanent("openstack.build_failed", internal=settled.fault, instance_id=request.instance_id, reason=settled.fault)
    return settled, True


def _is_hopeless(server: ServerReading, build_limit_s: float, now_s: float) -> bool:
    """Tell whether a machine never ran and never will: its build failed, or hangs for too long."""
    if server.has_run:
        return False
    if server.status == "ERROR":
        return True
    return server.status == BUILDING and now_s - moment_s(server.created_at, now_s) > build_limit_s


def _create(region: Region, request: MachineRequest, mark: Mark, hypervisor: str, zone: str) -> ServerReading:
    is_local = region.settings.is_local(request.root.storage_pool)
    root_gib = request.root.size_gib if is_local else 0
    parts = Parts(
        image_id=_image_id(region, request, mark) if is_local else "",
        root_id="" if is_local else _root_id(region, request, mark),
        flavor_id=flavors.ensure_flavor(region, request.vcpu_count, request.memory_mib, root_gib),
        disk_ids=tuple(disk_id(region, d.volume_id) for d in sorted(request.disks, key=lambda d: d.slot)),
        port_ids=tuple(networks.ensure_ports(region, request.nics, request.hostname, port_mark(mark.resource_id, mark.host_id))),
        hypervisor=hypervisor,
        zone=zone,
    )
    compute = region.projects.connection(request.department).compute

    def make(group_id: str) -> Any:
        body = server_body(request, mark, replace(parts, group_id=group_id))
        with telling_quota(region, compute, instances=1, cores=request.vcpu_count, ram=request.memory_mib):
            return region.calls.change("create machine", lambda: compute.create_server(**body))

    # On a hypervisor we name, the rule was kept when it was chosen.
    mates = None if hypervisor else request.mates
    made = server_groups.joined(region, mates, mark.host_id, request.department, make)
    region.server_ids[request.instance_id] = made.id
    region.touch()
    seen = look_at(region, made.id)
    if seen is None:
        raise OutcomeUnknown("driver.outcome_unknown", connection=region.cloud, verb="create machine")
    return seen


def _root_id(region: Region, request: MachineRequest, mark: Mark) -> str:
    """Return the region's id of a root disk that is a volume, held by no machine."""
    root = volumes.find_volume(region, request.instance_id)
    if root is None:
        raise Transient("driver.volume_missing", volume_id=request.instance_id)
    if root.status != "available":
        region.require_all_cells()
        delete_held(region, request.instance_id, root.server_ids, mark.host_id, mark.fence)
    volumes.free(region, root)
    return root.volume_id


def _image_id(region: Region, request: MachineRequest, mark: Mark) -> str:
    """Return the region's id of the image a root disk on a hypervisor is made of; there is no such machine anywhere then.

    Raises:
        Transient: ``driver.image_missing``, or ``driver.unreachable``: the machine may be in a cell that does not answer.
    """
    if request.root.image is None:
        raise Transient("driver.volume_missing", volume_id=request.instance_id)
    region.require_all_cells()
    delete_unlisted(region, request.instance_id, mark.host_id, mark.fence)
    return images.require_image(region, request.root.image, request.root.storage_pool)


def disk_id(region: Region, volume_id: ResourceId) -> str:
    """Return the region's id of a data disk.

    Raises:
        Transient: ``driver.volume_missing``.
    """
    found = volumes.find_volume(region, volume_id)
    if found is None:
        raise Transient("driver.volume_missing", volume_id=volume_id)
    volumes.free(region, found)
    return found.volume_id


def rest(region: Region, server: ServerReading, is_done: Callable[[ServerReading], bool] = lambda _seen: True) -> ServerReading:
    """Wait until the region does nothing with a machine, and until what was asked for shows.

    Raises:
        Transient: ``openstack.not_ready``, ``driver.instance_missing``.
    """
    first = [server]

    def look() -> ServerReading | None:
        seen = first.pop() if first else look_at(region, server.server_id)
        if seen is None:
            raise Transient("driver.instance_missing", instance_id=server.name)
        is_over = seen.is_at_rest and (seen.status == "ERROR" or is_done(seen))
        return seen if is_over else None

    return region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=server.name, verb="machine"))


def _built(region: Region, made: ServerReading, instance_id: ResourceId) -> ServerReading:
    """Wait until a new machine is built, or is not.

    Until then the region is only asked whether it still builds: to show the machine it would ask Neutron for its groups
    each time, which costs it three times as much.

    Raises:
        Transient: as ``rest``.
    """
    compute, scope = region.sdk.compute, region.projects.listing_scope()

    def building() -> list[str]:
        return region.calls.read(
            "machine", lambda: [s.id for s in compute.servers(details=False, tags=instance_id, status=BUILDING, **scope)]
        )

    # That one just made builds is not asked.
    answers = chain([[made.server_id]], iter(building, None))

    def look() -> ServerReading | None:
        return None if made.server_id in next(answers) else made

    region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=made.name, verb="machine"))
    return rest(region, look_again(region, made))


def act(region: Region, server: ServerReading, verb: str, call: Callable[[], object], *, until: Observed) -> ServerReading:
    """Ask for a change of power and wait until it shows.

    Raises:
        Transient: ``openstack.machine_failed``: the region shows an error instead.
    """
    region.calls.change(verb, call)
    region.touch()
    seen = rest(region, look_again(region, server), lambda now: state_of(now) is until)
    if state_of(seen) is not until:
        raise Transient("openstack.machine_failed", verb=verb, status=seen.status, reason=seen.fault)
    return seen


def look_again(region: Region, server: ServerReading) -> ServerReading:
    """Read a machine that is there once more.

    Raises:
        Transient: ``driver.instance_missing``.
    """
    seen = look_at(region, server.server_id)
    if seen is None:
        raise Transient("driver.instance_missing", instance_id=server.name)
    return seen


def delete_unlisted(region: Region, instance_id: ResourceId, host_id: str, fence: int) -> None:
    """Have no softly deleted machine of ours hold the ports that were made for it: with no volume, only these still name it.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: it is not gone yet.
    """
    ports = networks.ports_of(region, description=mark_text(port_mark(instance_id, host_id)))
    delete_held(region, instance_id, sorted({p.device_id for p in ports} - {""}), host_id, fence)


def delete_held(region: Region, instance_id: ResourceId, server_ids: Iterable[str], host_id: str, fence: int) -> None:
    """Have no softly deleted machine of ours hold its parts: no list shows it any more, only what it holds still names it.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: it is not gone yet.
    """
    for server in (look_at(region, server_id) for server_id in server_ids):
        if server is None or server.status != SOFT_DELETED or server.mark is None:
            continue
        if (server.mark.resource_id, server.mark.host_id) == (instance_id, host_id):
            check_fence(server, fence)
            delete_server(region, server)


def delete_server(region: Region, server: ServerReading) -> None:
    """Take a machine away and see it gone, with the ports that were its.

    Raises:
        Transient: it is not gone yet.
    """
    compute = region.sdk.compute
    ports = networks.ports_of(region, device_id=server.server_id)
    # Nova deletes softly only what it is not told to delete by force, and what it has deleted softly only by force.
    is_forced = server.status == SOFT_DELETED
    region.calls.change("delete machine", lambda: compute.delete_server(server.server_id, force=is_forced))
    region.touch()

    def look() -> bool | None:
        nonlocal is_forced
        seen = look_at(region, server.server_id)
        if seen is not None and seen.status == SOFT_DELETED and not is_forced:
            is_forced = True
            region.calls.change("delete machine", lambda: compute.delete_server(server.server_id, force=True))
        return True if seen is None or seen.status == "DELETED" else None

    region.calls.until(look, lambda: Transient("openstack.not_ready", resource_id=server.name, verb="delete machine"))
    for port in ports:
        # One that somebody attached by hand is theirs.
        if port.mark is not None:
            networks.delete_port(region, port)
    if server.mark is not None:
        region.server_ids.pop(server.mark.resource_id, None)
