"""What a simulated host makes sure of when a pinned machine starts: no real hypervisor would say so."""

from collections.abc import Iterable

from drivers.simulated.records import HostSpec, ImpossibleState, Machine
from inventory.domain.layout import cores_of, cpus_text


def require_processors(host: str, spec: HostSpec, machine: Machine, machines: Iterable[Machine]) -> None:
    """See that no two running machines have one dedicated processor, and none has one the host has not.

    Raises:
        ImpossibleState: they do.
    """
    cpus = _dedicated(machine)
    if not cpus:
        return
    known = {cpu for cell in spec.numa() for core in cores_of(cell.cores) for cpu in core}
    if not cpus <= known:
        raise ImpossibleState(f"{host}: {machine.instance_id} is pinned to {cpus_text(cpus - known)}, which is not there")
    for other in machines:
        shared = cpus & _dedicated(other) if other is not machine and other.is_running else frozenset[int]()
        if shared:
            raise ImpossibleState(f"{host}: {machine.instance_id} and {other.instance_id} are both pinned to {cpus_text(shared)}")


def _dedicated(machine: Machine) -> frozenset[int]:
    return frozenset(cpu for node in machine.seat.nodes for cpu in node.cpus) if machine.seat else frozenset()
