"""Machines of a simulated host that was lost, had by another one with the same storage. Callers hold the locks of both."""

from collections.abc import Iterable

from drivers.protocol import MachineRequest, ObservedInstance
from drivers.simulated.host import SimulatedHost
from drivers.simulated.processors import require_processors
from drivers.simulated.records import guard
from inventory.domain.ids import ResourceId


def bring_back(host: SimulatedHost, origin: SimulatedHost | None, request: MachineRequest, fence: int) -> ObservedInstance | None:
    """Have the machine and its disks on ``host``, running as it ran; None where ``origin`` has none."""
    instance_id = request.instance_id
    machine = host.machines.get(instance_id)
    if machine is not None:
        guard(instance_id, machine.fence, fence)
        return host.look(machine)
    lost = None if origin is None else origin.machines.get(instance_id)
    if origin is None:
        return None
    if lost is None:
        _take_disks(host, origin, (instance_id, *(d.volume_id for d in request.disks)), fence)
        return None
    guard(instance_id, lost.fence, fence)
    require_processors(host.name, host.spec, lost, host.machines.values())
    _take_disks(host, origin, (instance_id, *lost.disks), fence)
    origin.machines.pop(instance_id)
    host.machines[instance_id] = lost
    host.seeds[instance_id] = origin.seeds.pop(instance_id, 0)
    lost.fence, lost.seen = fence, None
    if lost.is_running:
        host.boot(lost)
    return host.look(lost)


def abandon(host: SimulatedHost, origin: SimulatedHost | None, instance_id: ResourceId, fence: int) -> None:
    """Have no machine on ``origin``, and its disks on ``host``."""
    if origin is None:
        return
    lost = origin.machines.get(instance_id)
    disks = lost.disks if lost is not None else ()
    if lost is not None:
        guard(instance_id, lost.fence, fence)
        origin.forget_machine(lost)
    _take_disks(host, origin, (instance_id, *disks), fence)
    origin.seeds.pop(instance_id, None)


def _take_disks(host: SimulatedHost, origin: SimulatedHost, ids: Iterable[ResourceId], fence: int) -> None:
    for volume_id in ids:
        volume = origin.volumes.get(volume_id)
        if volume is not None:
            guard(volume_id, volume.fence, fence)
            volume.fence = fence
            host.volumes[volume_id] = origin.volumes.pop(volume_id)
