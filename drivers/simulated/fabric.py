"""The networks of simulated hosts: each host's own, or one fabric for all hosts that name the same scope."""

from threading import Lock
from typing import TYPE_CHECKING

from drivers.faults import Transient
from drivers.protocol import SegmentRequest
from drivers.simulated.records import ImpossibleState, Machine, Segment, guard
from inventory.domain.ids import ResourceId

if TYPE_CHECKING:
    from drivers.simulated.host import SimulatedHost


class Fabric:
    """Segments, and the hosts that show them. Hosts of one fabric share its lock."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.segments: dict[ResourceId, Segment] = {}
        #: What was deleted on any of its hosts, to tell "gone" from "never was".
        self.gone: dict[ResourceId, None] = {}
        self.hosts: list[SimulatedHost] = []

    def put(self, host: "SimulatedHost", request: SegmentRequest, fence: int) -> None:
        """Make the network, with exactly these address entries."""
        leases = request.leases
        if len({e.mac for e in leases}) < len(leases) or len({e.address for e in leases}) < len(leases):
            raise ImpossibleState(f"{host.name}: two address entries of {request.segment_id} share a MAC or an address")
        segment = self.segments.get(request.segment_id)
        if segment is not None:
            guard(request.segment_id, segment.fence, fence)
            if segment.cidr != request.cidr:
                raise ImpossibleState(f"{host.name}: network {request.segment_id} changes its range")
            segment.fence = fence
            segment.leases = leases
            segment.is_loose = False
            return
        if any(other.cidr == request.cidr for other in self.segments.values()):
            raise ImpossibleState(f"{host.name}: {request.cidr} of {request.segment_id} is already another network's")
        host.cloud.remember(request.department, request.segment_id)
        self.segments[request.segment_id] = Segment(segment_id=request.segment_id, fence=fence, cidr=request.cidr, leases=leases)

    def drop(self, segment_id: ResourceId, fence: int) -> bool:
        """Remove the network if it is there; tells whether it was."""
        segment = self.segments.get(segment_id)
        if segment is None:
            return False
        guard(segment_id, segment.fence, fence)
        if segment.cards or any(host.cloud.is_used(segment_id) for host in self.hosts):
            raise Transient("driver.segment_in_use", segment_id=segment_id)
        del self.segments[segment_id]
        for host in self.hosts:
            host.cloud.rules.pop(segment_id, None)
        return True

    def unplug(self, host: "SimulatedHost", machine: Machine) -> None:
        """Take all cards out of a machine, unless it is on its way: then another host has it too, and them."""
        if any(machine.instance_id in other.machines for other in self.hosts if other is not host):
            return
        for nic in machine.nics:
            if (segment := self.segments.get(nic.segment_id)) is not None:
                segment.cards.pop(nic.mac, None)
                segment.cards.pop(nic.address, None)
