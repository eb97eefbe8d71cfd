"""What one check works with: a connection, requests that fit together, growing fences, and a clean-up at the end."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import TypeVar

from drivers.conformance.harness import Harness
from drivers.powers import Balances, ReachesOutside, Snapshots
from drivers.protocol import (
    Capability,
    ComputeDriver,
    DiskRequest,
    LeaseEntry,
    MachineRequest,
    NicRequest,
    ObservedInstance,
    SegmentRequest,
    VolumeRequest,
)
from inventory.domain.ids import ResourceId, uuid_of

T = TypeVar("T")
FIRST_FENCE = 10
STEP = 10


class CheckFailed(AssertionError):
    """The driver does not keep the protocol."""


def expect(is_true: bool, sentence: str) -> None:
    """Fail the check with ``sentence`` unless it holds."""
    if not is_true:
        raise CheckFailed(sentence)


def expect_fault(kinds: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object], sentence: str) -> Exception:
    """Return the fault of one of ``kinds`` that ``call`` raises; fail the check when it returns. Other errors pass through."""
    try:
        answer = call()
    except kinds as fault:
        return fault
    raise CheckFailed(f"{sentence} (it answered {answer!r})")


def code_of(fault: Exception) -> str:
    """Return the dotted code of a driver fault, empty for other errors."""
    problem = getattr(fault, "problem", None)
    return str(getattr(problem, "code", ""))


class Scene:
    """One check's surroundings. Everything named by it is removed by ``clean``."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.driver: ComputeDriver = harness.open_driver()
        self._target: ComputeDriver | None = None
        self.fence = FIRST_FENCE
        self._instances: list[ResourceId] = []
        self._volumes: list[ResourceId] = []
        self._segments: list[ResourceId] = []
        self._snapshots: list[ResourceId] = []
        self._addresses: list[ResourceId] = []
        self._balancers: list[ResourceId] = []
        self._certificates: list[str] = []
        self.gateways: list[ResourceId] = []
        #: Ranges of the networks by their ids.
        self.cidrs: dict[ResourceId, str] = {}

    @property
    def target(self) -> ComputeDriver:
        """Return the driver of the second host."""
        assert self.harness.open_target is not None, "a check used a probe it did not ask for"
        if self._target is None:
            self._target = self.harness.open_target()
        return self._target

    def can(self, power: Capability) -> bool:
        """Tell whether the driver declares a power."""
        return power in self.driver.capabilities()

    def newer_fence(self) -> int:
        """Return a fence above all before."""
        self.fence += STEP
        return self.fence

    # -- requests -----------------------------------------------------------------------------------------------------

    def instance_id(self) -> ResourceId:
        """Name a machine that will be cleaned up."""
        self._instances.append(ResourceId(self.harness.new_id("instance")))
        return self._instances[-1]

    def snapshot_id(self) -> ResourceId:
        """Name a copy of a disk that will be cleaned up."""
        return self._named("snapshot", self._snapshots)

    def gateway_id(self) -> ResourceId:
        """Name a gateway that will be cleaned up."""
        return self._named("gateway", self.gateways)

    def public_address_id(self) -> ResourceId:
        """Name an address outside that will be cleaned up."""
        return self._named("public_address", self._addresses)

    def balancer_id(self) -> ResourceId:
        """Name a load balancer that will be cleaned up."""
        return self._named("balancer", self._balancers)

    def certificate(self) -> str:
        """Have a certificate that will be cleaned up, and return its name; the network of its load balancer was made before."""
        assert self.harness.make_certificate is not None, "a check used a probe it did not ask for"
        self._certificates.append(self.harness.make_certificate())
        return self._certificates[-1]

    def _named(self, kind: str, book: list[ResourceId]) -> ResourceId:
        book.append(ResourceId(self.harness.new_id(kind)))
        return book[-1]

    def segment(self) -> SegmentRequest:
        """Ask for a network of its own without address entries."""
        cidr = ip_network(self.harness.new_cidr())
        segment_id = ResourceId(self.harness.new_id("segment"))
        self._segments.append(segment_id)
        self.cidrs[segment_id] = str(cidr)
        return SegmentRequest(segment_id=segment_id, cidr=str(cidr), gateway=str(cidr[1]), department="conformance")

    def data_volume(self) -> VolumeRequest:
        """Ask for an empty data disk."""
        volume_id = ResourceId(self.harness.new_id("volume"))
        self._volumes.append(volume_id)
        return VolumeRequest(volume_id=volume_id, role="data", storage_pool=self.data_pool, size_gib=1, department="conformance")

    @property
    def data_pool(self) -> str:
        """The storage pool of data disks."""
        return self.harness.data_pool or self.harness.storage_pool

    def root_volume(self, instance_id: ResourceId) -> VolumeRequest:
        """Ask for the root disk of a machine: an overlay of the image."""
        image = self.harness.image
        return VolumeRequest(
            volume_id=instance_id,
            role="root",
            storage_pool=self.harness.storage_pool,
            size_gib=max(1, image.virtual_size_gib),
            image=image,
            department="conformance",
        )

    def machine(self, segment: SegmentRequest | None = None, host_number: int = 10) -> MachineRequest:
        """Ask for a machine, with a card on ``segment`` where one is given."""
        instance_id = self.instance_id()
        return MachineRequest(
            instance_id=instance_id,
            title="conformance",
            hostname=f"c{uuid_of(instance_id).hex[-8:]}",
            vcpu_count=self.harness.vcpu_count,
            memory_mib=self.harness.memory_mib,
            root=self.root_volume(instance_id),
            nics=() if segment is None else (card(segment, instance_id, host_number),),
            system="sys_conformance",
            department="conformance",
        )

    def with_disks(self, request: MachineRequest, *volumes: VolumeRequest) -> MachineRequest:
        """Return the request with exactly these data disks."""
        pool = self.data_pool
        disks = tuple(DiskRequest(volume_id=v.volume_id, storage_pool=pool, slot=n) for n, v in enumerate(volumes))
        return replace(request, disks=disks)

    # -- acts ---------------------------------------------------------------------------------------------------------

    def make_root(self, request: MachineRequest) -> None:
        """Have the image and the root disk."""
        self.driver.ensure_image(self.harness.image, self.harness.storage_pool)
        self.driver.ensure_volume(request.root, self.fence)

    def define(self, request: MachineRequest) -> None:
        """Have image, root disk and definition."""
        self.make_root(request)
        self.driver.ensure_defined(request, self.fence)

    def defined(self) -> MachineRequest:
        """Make a stopped machine without a network."""
        request = self.machine()
        self.define(request)
        return request

    def running(self) -> MachineRequest:
        """Make a running machine without a network."""
        request = self.defined()
        self.driver.ensure_running(request.instance_id, self.fence)
        return request

    def seen(self, instance_id: ResourceId) -> ObservedInstance:
        """Observe a machine that must be there."""
        found = self.driver.observe_instance(instance_id)
        if found is None:
            raise CheckFailed(f"{instance_id} is not observed although it was made")
        return found

    def make_absent(self, instance_id: ResourceId) -> None:
        """Have no such machine."""
        self.driver.ensure_absent(instance_id, self.harness.storage_pool, self.fence)

    def wait_for(self, is_done: Callable[[], bool]) -> bool:
        """Look until it is done or the deadline has passed."""
        step_s = self.harness.deadline_s / 50
        for _ in range(50):
            if is_done():
                return True
            self.harness.pause(step_s)
        return is_done()

    def clean(self) -> None:
        """Remove everything that was named, under a fence above all others."""
        fence = self.newer_fence() + 1000
        pool = self.harness.storage_pool
        for driver in (self.driver, self._target):
            if driver is None:
                continue
            self._clean_cloud(driver, fence)
            for instance_id in self._instances:
                driver.ensure_absent(instance_id, pool, fence)
            for volume_id in self._volumes:
                driver.ensure_volume_absent(volume_id, pool, fence)
            if self.harness.tidy_after_meddling is not None:
                self.harness.tidy_after_meddling()
            for segment_id in self._segments if self.can(Capability.NETWORKS) else ():
                driver.ensure_segment_absent(segment_id, fence)
            driver.close()
        for reference in self._certificates:
            assert self.harness.remove_certificate is not None, "certificates are made where they can be removed"
            self.harness.remove_certificate(reference)

    def _clean_cloud(self, driver: ComputeDriver, fence: int) -> None:
        """Remove what stands on machines, disks and networks."""
        for snapshot_id in self._snapshots:
            assert isinstance(driver, Snapshots)
            driver.ensure_snapshot_absent(snapshot_id, fence)
        for address_id in self._addresses:
            assert isinstance(driver, ReachesOutside)
            driver.ensure_public_address_absent(address_id, fence)
        for balancer_id in self._balancers:
            assert isinstance(driver, Balances)
            driver.ensure_balancer_absent(balancer_id, fence)
        for gateway_id in self.gateways:
            assert isinstance(driver, ReachesOutside)
            driver.ensure_gateway_absent(gateway_id, fence)


def card(segment: SegmentRequest, instance_id: ResourceId, host_number: int) -> NicRequest:
    """Return a card with an address of the network and a MAC made from the machine's id."""
    tail = uuid_of(instance_id).hex[-6:]
    mac = f"52:54:00:{tail[0:2]}:{tail[2:4]}:{tail[4:6]}"
    return NicRequest(segment_id=segment.segment_id, mac=mac, address=str(ip_network(segment.cidr)[host_number]))


def lease(nic: NicRequest, hostname: str) -> LeaseEntry:
    """Return the address entry of a card."""
    return LeaseEntry(mac=nic.mac, address=nic.address, hostname=hostname)
