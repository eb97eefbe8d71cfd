"""The verbs of ``drivers.powers`` on a region; how each kind is made stands in ``snapshots``, ``outside``, ``filters`` and
``balancers``."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from drivers.faults import Transient
from drivers.openstack import balancers, departments, filters, local_disks, outside, servers, snapshots, usage, volumes
from drivers.openstack.balancer_plan import observed_balancer
from drivers.openstack.mapping import SnapshotReading, state_of
from drivers.openstack.marks import Mark
from drivers.openstack.region import Region
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
from inventory.domain.counted import CountedMachine
from inventory.domain.errors import CapabilityMissing
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed


class CloudVerbs(ABC):
    """``Snapshots``, ``ReachesOutside``, ``Filters``, ``Balances`` and ``HasScreen`` of the OpenStack driver."""

    @property
    @abstractmethod
    def _region(self) -> Region:
        """Return the region the driver is connected to."""

    @abstractmethod
    def _is_mine(self, mark: Mark | None) -> bool:
        """Tell whether something with this mark is of this host."""

    @abstractmethod
    def _mark(self, resource_id: ResourceId, fence: int, *, system: str = "", department: str = "") -> Mark:
        """Return the mark of something that is ours on this host."""

    # -- copies of disks ----------------------------------------------------------------------------------------------

    def snapshots(self) -> Sequence[ObservedSnapshot]:
        """Return every copy of disks of this host."""
        region = self._copying()
        found = [s for s in snapshots.list_snapshots(region) if self._is_mine(s.mark)]
        return sorted((self._observed_snapshot(s) for s in found), key=lambda s: s.snapshot_id)

    def _observed_snapshot(self, snapshot: SnapshotReading) -> ObservedSnapshot:
        assert snapshot.mark is not None, "asked for a copy that is not ours"
        return ObservedSnapshot(
            snapshot_id=ResourceId(snapshot.mark.resource_id),
            volume_id=volumes.our_id(self._region, snapshot.volume_id),
            size_gib=snapshot.size_gib,
            fence=snapshot.mark.fence,
        )

    def ensure_snapshot(self, request: SnapshotRequest, fence: int) -> ObservedSnapshot:
        """Have the copy.

        Raises:
            CapabilityMissing: the region has no volumes.
            Permanent: ``openstack.local_disk_not_copied``.
        """
        region = self._copying()
        local_disks.refuse_copy(region, request.volume_id)
        snapshots.ensure_snapshot(region, request, self._mark(request.snapshot_id, fence))
        return self._observed_snapshot(snapshots.require_snapshot(region, request.snapshot_id))

    def ensure_snapshot_absent(self, snapshot_id: ResourceId, fence: int) -> None:
        """Have no such copy."""
        snapshots.ensure_snapshot_absent(self._copying(), snapshot_id, fence)

    def ensure_volume_of_snapshot(self, request: VolumeRequest, snapshot_id: ResourceId, fence: int) -> None:
        """Have a disk with the content of a copy."""
        region = self._copying()
        if region.settings.is_local(request.storage_pool):
            local_disks.refuse_data(request)
        mark = self._mark(request.volume_id, fence, department=request.department)

        def find_source() -> str:
            return snapshots.require_source(region, snapshot_id, request)

        volumes.ensure_volume(region, request, mark, request.department, find_source)

    def _copying(self) -> Region:
        region = self._region
        if not region.settings.has_volumes:
            raise CapabilityMissing("driver.capability_missing", capability="snapshots")
        return region

    # -- ways outside -------------------------------------------------------------------------------------------------

    def gateway_ids(self) -> frozenset[ResourceId]:
        """Return the ids of our gateways."""
        found = outside.list_gateways(self._region)
        return frozenset(ResourceId(g.mark.resource_id) for g in found if self._is_mine(g.mark))

    def ensure_gateway(self, request: GatewayRequest, fence: int) -> None:
        """Have the department network connected."""
        outside.ensure_gateway(self._region, request, self._mark(request.gateway_id, fence, department=request.department))

    def ensure_gateway_absent(self, gateway_id: ResourceId, fence: int) -> None:
        """Have no such gateway."""
        outside.ensure_gateway_absent(self._region, gateway_id, self._mark(gateway_id, fence).host_id, fence)

    def public_addresses(self) -> Sequence[ObservedPublicAddress]:
        """Return our addresses outside."""
        found = [a.observed() for a in outside.list_addresses(self._region) if self._is_mine(a.mark)]
        return sorted(found, key=lambda a: a.address_id)

    def ensure_public_address(self, request: PublicAddressRequest, fence: int) -> ObservedPublicAddress:
        """Have the address, led where it is asked to lead."""
        mark = self._mark(request.address_id, fence, department=request.department)
        return outside.ensure_address(self._region, request, mark).observed()

    def ensure_public_address_absent(self, address_id: ResourceId, fence: int) -> None:
        """Have no such address."""
        outside.ensure_address_absent(self._region, address_id, fence)

    def rules(self, segment_id: ResourceId) -> frozenset[RuleEntry]:
        """Return what may come in, beside what is inside."""
        return frozenset(filters.read_rules(self._region, segment_id))

    def ensure_rules(self, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
        """Let in exactly this."""
        filters.ensure_rules(self._region, segment_id, rules, fence)

    # -- load balancers -----------------------------------------------------------------------------------------------

    def balancer_ids(self) -> frozenset[ResourceId]:
        """Return the ids of our load balancers."""
        found = balancers.list_balancers(self._region)
        return frozenset(ResourceId(b.mark.resource_id) for b in found if self._is_mine(b.mark))

    def observe_balancer(self, balancer_id: ResourceId) -> ObservedBalancer | None:
        """Return one load balancer with all of it."""
        region = self._region
        found = balancers.find_balancer(region, balancer_id)
        return None if found is None or not self._is_mine(found.mark) else observed_balancer(balancers.read_parts(region, found))

    def ensure_balancer(self, request: BalancerRequest, fence: int) -> ObservedBalancer:
        """Have it with exactly these listeners and members."""
        mark = self._mark(request.balancer_id, fence, department=request.department)
        return observed_balancer(balancers.ensure_balancer(self._region, request, mark))

    def ensure_balancer_absent(self, balancer_id: ResourceId, fence: int) -> None:
        """Have no such load balancer."""
        balancers.ensure_balancer_absent(self._region, balancer_id, fence)

    # -- departments --------------------------------------------------------------------------------------------------

    def department_codes(self) -> frozenset[str]:
        """Return the departments that have a project made by us."""
        return departments.department_codes(self._keeping_departments())

    def ensure_department_absent(self, code: str) -> None:
        """Have no project of that department."""
        departments.ensure_department_absent(self._keeping_departments(), code)

    def _keeping_departments(self) -> Region:
        region = self._region
        if not region.projects.is_per_department:
            raise CapabilityMissing("driver.capability_missing", capability="departments")
        return region

    # -- what the region counts ---------------------------------------------------------------------------------------

    def counted(self, start_s: int, end_s: int) -> Sequence[CountedMachine]:
        """Return what Nova counts in the window."""
        return usage.counted(self._region, start_s, end_s)

    # -- a machine's screen -------------------------------------------------------------------------------------------

    def screen_url(self, instance_id: ResourceId) -> str:
        """Return an address, good for a short time, where the screen of a running machine is seen."""
        region = self._region
        server = servers.require_server(region, instance_id)
        if state_of(server) is not Observed.RUNNING:
            raise Transient("driver.not_running", instance=instance_id)
        answer = region.calls.change("screen", lambda: region.sdk.compute.create_console(server.server_id, "novnc"))
        return str(answer["url"])
