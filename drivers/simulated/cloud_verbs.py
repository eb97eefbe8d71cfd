"""The verbs of ``drivers.powers`` of a simulated host: ``cloud`` behind the same delays, faults and lock as the rest."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

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
from drivers.protocol import Capability, VolumeRequest
from drivers.simulated.cloud import Cloud
from drivers.simulated.host import SimulatedHost
from inventory.domain.counted import CountedMachine
from inventory.domain.ids import ResourceId

T = TypeVar("T")


class CloudVerbs(ABC):
    """``Snapshots``, ``ReachesOutside``, ``Filters``, ``Balances`` and ``HasScreen`` of a simulated driver."""

    __slots__ = ()
    host: SimulatedHost

    @abstractmethod
    def _call(self, verb: str, resource_id: str, work: Callable[[], T]) -> T:
        """Do one verb, with its delay and its fault."""

    @abstractmethod
    def _require(self, power: Capability) -> None:
        """Refuse what was not declared."""

    def _in_cloud(self, power: Capability, verb: str, resource_id: str, work: Callable[[Cloud], T]) -> T:
        self._require(power)
        return self._call(verb, resource_id, lambda: work(self.host.cloud))

    # -- copies of disks ----------------------------------------------------------------------------------------------

    def snapshots(self) -> Sequence[ObservedSnapshot]:
        """Return every copy."""
        return self._in_cloud(Capability.SNAPSHOTS, "snapshots", "", lambda cloud: cloud.list_snapshots())

    def ensure_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        """Have the copy."""
        return self._in_cloud(
            Capability.SNAPSHOTS, "ensure_snapshot", request.snapshot_id, lambda cloud: cloud.put_snapshot(request, fence)
        )

    def ensure_snapshot_absent(self, snapshot_id: ResourceId, fence: int) -> None:
        """Have no such copy."""
        self._in_cloud(
            Capability.SNAPSHOTS, "ensure_snapshot_absent", snapshot_id, lambda cloud: cloud.drop_snapshot(snapshot_id, fence)
        )

    def ensure_volume_of_snapshot(self, request: VolumeRequest, snapshot_id: ResourceId, fence: int) -> None:
        """Have a disk with the content of a copy."""
        verb = "ensure_volume_of_snapshot"
        self._in_cloud(Capability.SNAPSHOTS, verb, request.volume_id, lambda cloud: cloud.restore(request, snapshot_id, fence))

    # -- ways outside -------------------------------------------------------------------------------------------------

    def gateway_ids(self) -> frozenset[ResourceId]:
        """Return the ids of our gateways."""
        return self._in_cloud(Capability.OUTSIDE, "gateway_ids", "", lambda cloud: frozenset(cloud.gateways))

    def ensure_gateway(self, request: GatewayRequest, fence: int) -> None:
        """Have the department network connected."""
        self._in_cloud(Capability.OUTSIDE, "ensure_gateway", request.gateway_id, lambda cloud: cloud.put_gateway(request, fence))

    def ensure_gateway_absent(self, gateway_id: ResourceId, fence: int) -> None:
        """Have no such gateway."""
        self._in_cloud(
            Capability.OUTSIDE, "ensure_gateway_absent", gateway_id, lambda cloud: cloud.drop_gateway(gateway_id, fence)
        )

    def public_addresses(self) -> Sequence[ObservedPublicAddress]:
        """Return our addresses outside."""
        return self._in_cloud(Capability.OUTSIDE, "public_addresses", "", lambda cloud: cloud.list_addresses())

    def ensure_public_address(self, request: PublicAddressRequest, fence: int) -> ObservedPublicAddress:
        """Have the address."""
        verb = "ensure_public_address"
        return self._in_cloud(Capability.OUTSIDE, verb, request.address_id, lambda cloud: cloud.put_address(request, fence))

    def ensure_public_address_absent(self, address_id: ResourceId, fence: int) -> None:
        """Have no such address."""
        verb = "ensure_public_address_absent"
        self._in_cloud(Capability.OUTSIDE, verb, address_id, lambda cloud: cloud.drop_address(address_id, fence))

    def rules(self, segment_id: ResourceId) -> frozenset[RuleEntry]:
        """Return what may come in."""
        return self._in_cloud(Capability.FILTERS, "rules", segment_id, lambda cloud: cloud.read_rules(segment_id))

    def ensure_rules(self, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
        """Let in exactly this."""
        self._in_cloud(Capability.FILTERS, "ensure_rules", segment_id, lambda cloud: cloud.put_rules(segment_id, rules, fence))

    # -- load balancers -----------------------------------------------------------------------------------------------

    def balancer_ids(self) -> frozenset[ResourceId]:
        """Return the ids of our load balancers."""
        return self._in_cloud(Capability.LOAD_BALANCERS, "balancer_ids", "", lambda cloud: frozenset(cloud.balancers))

    def observe_balancer(self, balancer_id: ResourceId) -> ObservedBalancer | None:
        """Return one load balancer."""
        verb = "observe_balancer"
        return self._in_cloud(Capability.LOAD_BALANCERS, verb, balancer_id, lambda cloud: cloud.observe_balancer(balancer_id))

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        """Have it as asked for."""
        verb = "ensure_balancer"
        if any(entry.tls is not None for entry in request.listeners):
            self._require(Capability.BALANCER_TLS)
        return self._in_cloud(
            Capability.LOAD_BALANCERS, verb, request.balancer_id, lambda cloud: cloud.put_balancer(request, fence)
        )

    def ensure_balancer_absent(self, balancer_id: ResourceId, fence: int) -> None:
        """Have no such load balancer."""
        verb = "ensure_balancer_absent"
        self._in_cloud(Capability.LOAD_BALANCERS, verb, balancer_id, lambda cloud: cloud.drop_balancer(balancer_id, fence))

    # -- what is counted ----------------------------------------------------------------------------------------------

    def counted(self, start_s: int, end_s: int) -> Sequence[CountedMachine]:  # noqa: ARG002  nothing ends before it
        """Return what the host counts."""
        return self._in_cloud(Capability.USAGE, "counted", "", lambda cloud: cloud.count_machines(end_s))

    # -- departments --------------------------------------------------------------------------------------------------

    def department_codes(self) -> frozenset[str]:
        """Return the departments that have a place."""
        return self._in_cloud(Capability.DEPARTMENTS, "department_codes", "", lambda cloud: frozenset(cloud.departments))

    def ensure_department_absent(self, code: str) -> None:
        """Have no place of that department."""
        self._in_cloud(Capability.DEPARTMENTS, "ensure_department_absent", "", lambda cloud: cloud.drop_department(code))

    # -- a machine's screen -------------------------------------------------------------------------------------------

    def screen_url(self, instance_id: ResourceId) -> str:
        """Return an address where the screen is seen."""
        return self._in_cloud(Capability.SCREEN, "screen_url", instance_id, lambda cloud: cloud.screen_url(instance_id))
