"""What somebody does to simulated machines behind the controller's back beside stopping them, and whether it was put right."""

from collections.abc import Iterable, Iterator, Mapping

from controller.reconcile.auditor import Violation
from controller.workflows.shape import differences
from drivers.protocol import HostObservation
from drivers.simulated.world import World
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Phase, Resource, ResourceKind


def edit(world: World, host: str, machine_id: ResourceId, point: float) -> None:
    """Edit a machine; ``point`` (0 to 1) says how."""
    machine = world.hosts[host].machines[machine_id]
    if point < 0.2:
        world.drift_edit(host, machine_id, vcpu_count=5)
    elif point < 0.6 and machine.disks:
        world.drift_detach(host, machine_id, machine.disks[0])
    elif point > 0.5 and machine.nics and machine.is_running:
        world.drift_card(host, machine_id, network="" if point < 0.8 else "br0")
    else:
        world.drift_edit_stored(host, machine_id, vcpu_count=5)


def not_put_right(rows: Iterable[Resource], seen: Mapping[HostId, HostObservation]) -> Iterator[Violation]:
    """Find machines at rest with something that could have been put right without a stop."""
    found = {i.instance_id: (host_id, i) for host_id, observation in seen.items() for i in observation.instances}
    for row in rows:
        host_id, machine = found.get(row.id, (None, None))
        if row.kind is ResourceKind.INSTANCE and row.phase is Phase.SETTLED and machine is not None and host_id == row.host_id:
            differs = differences(row, machine, can_plug=True)
            if differs.at_once:
                yield Violation("edited", f"{row.id} keeps {dict(differs.at_once)}")
