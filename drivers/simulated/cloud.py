"""What a simulated host has of a cloud's further powers: copies of disks, ways outside, rules and load balancers.

Part of one ``SimulatedHost``; its methods expect that host's lock to be held, as the host's own do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from drivers.faults import Permanent, StaleFence, Transient
from drivers.powers import (
    BalancerRequest,
    GatewayRequest,
    ObservedBalancer,
    ObservedPublicAddress,
    ObservedSnapshot,
    PublicAddressRequest,
    RuleEntry,
    SnapshotRequest,
)
from drivers.protocol import VolumeRequest
from drivers.simulated.records import Segment, Volume
from inventory.domain.counted import CountedMachine
from inventory.domain.ids import ResourceId

if TYPE_CHECKING:
    from drivers.simulated.host import SimulatedHost

#: The one network outside.
OUTSIDE = "outside"
_OUTSIDE_BASE = "203.0.113."


class _Fenced(Protocol):
    fence: int


F = TypeVar("F", bound=_Fenced)


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """A copy of a disk."""

    request: SnapshotRequest
    size_gib: int
    fence: int


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A way outside."""

    request: GatewayRequest
    fence: int


@dataclass(slots=True, kw_only=True)
class PublicAddress:
    """An address outside."""

    request: PublicAddressRequest
    address: str
    fence: int

    def observed(self) -> ObservedPublicAddress:
        """Return it as it is observed."""
        request = self.request
        return ObservedPublicAddress(address_id=request.address_id, address=self.address, inside=request.inside, fence=self.fence)


@dataclass(slots=True, kw_only=True)
class Balancer:
    """A load balancer."""

    request: BalancerRequest
    fence: int

    def observed(self) -> ObservedBalancer:
        """Return it as it is observed."""
        request = self.request
        return ObservedBalancer(
            balancer_id=request.balancer_id, address=request.address, listeners=request.listeners, fence=self.fence
        )


class Cloud:
    """Further powers of one host."""

    __slots__ = ("_given", "_host", "addresses", "balancers", "certificates", "departments", "gateways", "rules", "snapshots")

    def __init__(self, host: "SimulatedHost") -> None:
        self._host = host
        self._given = 0
        self.snapshots: dict[ResourceId, Snapshot] = {}
        self.gateways: dict[ResourceId, Gateway] = {}
        self.addresses: dict[ResourceId, PublicAddress] = {}
        self.balancers: dict[ResourceId, Balancer] = {}
        #: Names of certificates in the key manager.
        self.certificates: set[str] = set()
        self.rules: dict[ResourceId, frozenset[RuleEntry]] = {}
        #: What was ever made for each department that has a place.
        self.departments: dict[str, set[ResourceId]] = {}

    # -- what the host asks before it removes something -----------------------------------------------------------------

    def require_no_snapshot(self, volume_id: ResourceId) -> None:
        """Refuse to delete a disk that has copies."""
        if any(s.request.volume_id == volume_id for s in self.snapshots.values()):
            raise Transient("driver.volume_has_snapshots", volume_id=volume_id)

    def is_used(self, segment_id: ResourceId) -> bool:
        """Tell whether a network has a gateway or a load balancer."""
        users: list[Gateway | Balancer] = [*self.gateways.values(), *self.balancers.values()]
        return any(u.request.segment_id == segment_id for u in users)

    # -- what is counted ----------------------------------------------------------------------------------------------

    def count_machines(self, end_s: int) -> list[CountedMachine]:
        """Return the machines there are, from their last change of state on: a back end that counts badly."""
        found = [m for m in self._host.machines.values() if m.boot_count and m.since_s < end_s]
        return [
            CountedMachine(
                uuid=m.instance_id,
                name=m.hostname,
                instance_id=m.instance_id,
                vcpu_count=m.vcpu_count,
                memory_mib=m.memory_mib,
                begun_s=int(m.since_s),
                ended_s=None,
            )
            for m in sorted(found, key=lambda m: m.instance_id)
        ]

    # -- departments --------------------------------------------------------------------------------------------------

    def remember(self, department: str, resource_id: ResourceId) -> None:
        """Hear that something was made for a department."""
        if department:
            self.departments.setdefault(department, set()).add(resource_id)

    def drop_department(self, code: str) -> None:
        """Take a department's place away."""
        host = self._host
        there = host.volumes.keys() | host.segments.keys() | host.machines.keys() | self.balancers.keys() | self.gateways.keys()
        left = sorted(self.departments.get(code, set()) & (there | self.addresses.keys()))
        if left:
            raise Transient("driver.department_in_use", department=code, resources=", ".join(left))
        self.departments.pop(code, None)

    # -- copies of disks ----------------------------------------------------------------------------------------------

    def list_snapshots(self) -> list[ObservedSnapshot]:
        """Return every copy."""
        return [self._observed(s) for _, s in sorted(self.snapshots.items())]

    def _observed(self, snapshot: Snapshot) -> ObservedSnapshot:
        request = snapshot.request
        return ObservedSnapshot(
            snapshot_id=request.snapshot_id, volume_id=request.volume_id, size_gib=snapshot.size_gib, fence=snapshot.fence
        )

    def put_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        """Copy a disk, once."""
        found = _taken(self.snapshots.get(request.snapshot_id), request.snapshot_id, fence)
        if found is None:
            volume = self._volume(request.volume_id)
            found = self.snapshots[request.snapshot_id] = Snapshot(request=request, size_gib=volume.size_gib, fence=fence)
        return self._observed(found)

    def drop_snapshot(self, snapshot_id: ResourceId, fence: int) -> None:
        """Take a copy away."""
        if _taken(self.snapshots.get(snapshot_id), snapshot_id, fence) is not None:
            del self.snapshots[snapshot_id]

    def restore(self, request: VolumeRequest, snapshot_id: ResourceId, fence: int) -> None:
        """Make a disk of a copy."""
        snapshot = self.snapshots.get(snapshot_id)
        if request.volume_id not in self._host.volumes and snapshot is None:
            raise Transient("driver.snapshot_missing", snapshot_id=snapshot_id)
        if snapshot is not None and request.size_gib < snapshot.size_gib:
            raise Permanent("driver.volume_shrink", volume_id=request.volume_id, size_gib=request.size_gib)
        self._host.put_volume(request, fence)

    def _volume(self, volume_id: ResourceId) -> Volume:
        volume = self._host.volumes.get(volume_id)
        if volume is None:
            raise Transient("driver.volume_missing", volume_id=volume_id)
        return volume

    # -- ways outside -------------------------------------------------------------------------------------------------

    def put_gateway(self, request: GatewayRequest, fence: int) -> None:
        """Connect a network."""
        self._segment(request.segment_id)
        _require_outside(request.outside)
        _taken(self.gateways.get(request.gateway_id), request.gateway_id, fence)
        self.gateways[request.gateway_id] = Gateway(request=request, fence=fence)

    def drop_gateway(self, gateway_id: ResourceId, fence: int) -> None:
        """Disconnect a network."""
        found = _taken(self.gateways.get(gateway_id), gateway_id, fence)
        if found is None:
            return
        if any(a.request.inside and a.request.segment_id == found.request.segment_id for a in self.addresses.values()):
            raise Transient("driver.gateway_in_use", gateway_id=gateway_id)
        del self.gateways[gateway_id]

    def list_addresses(self) -> list[ObservedPublicAddress]:
        """Return every address outside."""
        return [a.observed() for _, a in sorted(self.addresses.items())]

    def put_address(self, request: PublicAddressRequest, fence: int) -> ObservedPublicAddress:
        """Give an address, and lead it."""
        _require_outside(request.outside)
        if request.inside and request.inside not in self._known_addresses(request.segment_id):
            raise Transient("driver.card_missing", segment_id=request.segment_id, address=request.inside)
        found = _taken(self.addresses.get(request.address_id), request.address_id, fence)
        if found is None:
            self._given += 1
            found = PublicAddress(request=request, address=f"{_OUTSIDE_BASE}{self._given}", fence=fence)
            self.addresses[request.address_id] = found
        found.request = request
        return found.observed()

    def drop_address(self, address_id: ResourceId, fence: int) -> None:
        """Give an address back."""
        if _taken(self.addresses.get(address_id), address_id, fence) is not None:
            del self.addresses[address_id]

    def _known_addresses(self, segment_id: ResourceId) -> set[str]:
        segment = self._segment(segment_id)
        balancers = {b.request.address for b in self.balancers.values() if b.request.segment_id == segment_id}
        return {e.address for e in segment.leases} | set(segment.cards) | balancers

    # -- rules --------------------------------------------------------------------------------------------------------

    def read_rules(self, segment_id: ResourceId) -> frozenset[RuleEntry]:
        """Return what may come in."""
        self._segment(segment_id)
        return self.rules.get(segment_id, frozenset())

    def put_rules(self, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
        """Let in exactly this."""
        _taken(self._segment(segment_id), segment_id, fence)
        self.rules[segment_id] = frozenset(rules)

    def _segment(self, segment_id: ResourceId) -> Segment:
        segment = self._host.segments.get(segment_id)
        if segment is None:
            raise Transient("driver.segment_missing", segment_id=segment_id)
        return segment

    # -- load balancers -----------------------------------------------------------------------------------------------

    def observe_balancer(self, balancer_id: ResourceId) -> ObservedBalancer | None:
        """Return one load balancer."""
        found = self.balancers.get(balancer_id)
        return None if found is None else found.observed()

    def put_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        """Have it as asked for."""
        self._segment(request.segment_id)
        found = _taken(self.balancers.get(request.balancer_id), request.balancer_id, fence)
        if found is not None and found.request.address != request.address:
            raise Permanent("driver.balancer_address_fixed", balancer_id=request.balancer_id, address=found.request.address)
        self._require_certificates(request)
        made = self.balancers[request.balancer_id] = Balancer(request=request, fence=fence)
        return made.observed()

    def _require_certificates(self, request: BalancerRequest) -> None:
        """Refuse a certificate that is not there."""
        wanted = {name for entry in request.listeners if entry.tls is not None for name in entry.tls.certificates}
        for reference in sorted(wanted - self.certificates):
            raise Permanent("driver.balancer_certificate_missing", reference=reference)

    def drop_balancer(self, balancer_id: ResourceId, fence: int) -> None:
        """Take it away."""
        if _taken(self.balancers.get(balancer_id), balancer_id, fence) is not None:
            del self.balancers[balancer_id]

    # -- a machine's screen -------------------------------------------------------------------------------------------

    def screen_url(self, instance_id: ResourceId) -> str:
        """Return where the screen of a running machine is seen."""
        machine = self._host.machine(instance_id)
        if not machine.is_running:
            raise Transient("driver.not_running", instance=instance_id)
        return f"http://screen.simulated/{instance_id}?token={machine.boot_count}"


def _taken(found: F | None, resource_id: ResourceId, fence: int) -> F | None:
    """Return what is there under the new fence; an older one is refused."""
    if found is not None:
        if fence < found.fence:
            raise StaleFence(resource_id=resource_id, given=fence, found=found.fence)
        found.fence = fence
    return found


def _require_outside(name: str) -> None:
    if name != OUTSIDE:
        raise Permanent("driver.outside_unknown", name=name)
