"""A conformance harness around one simulated host, and requests for tests of the simulated driver."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path

from drivers.conformance import Harness
from drivers.protocol import (
    Capability,
    ComputeDriver,
    DiskRequest,
    ImageSource,
    LeaseEntry,
    MachineRequest,
    NicRequest,
    SegmentRequest,
    VolumeRequest,
)
from drivers.simulated.cloud import OUTSIDE
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.faults import LostRequest, Script
from drivers.simulated.host import SimulatedHost
from drivers.simulated.records import HostSpec
from drivers.simulated.world import World
from inventory.domain.ids import ResourceId, seeded_ids

HOST, TARGET = "host-1", "host-2"
IMAGE_BYTES = b"not a real disk, but its hash is"


@dataclass
class VirtualClock:
    """Time that moves by sleeping, and by a little on each look."""

    now_s: float = 1_700_000_000.0
    step_s: float = 0.001
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def make_world(clock: VirtualClock | None = None) -> World:
    clock = clock or VirtualClock()
    return World("test", clock=clock, sleep=clock.sleep)


def make_image(folder: Path) -> ImageSource:
    path = folder / "image.qcow2"
    path.write_bytes(IMAGE_BYTES)
    return ImageSource(
        image_id="img_good",
        sha256=sha256(IMAGE_BYTES).hexdigest(),
        disk_format="qcow2",
        virtual_size_gib=1,
        path=path,
    )


def make_harness(
    folder: Path,
    driver_class: type[SimulatedDriver] = SimulatedDriver,
    *,
    without: Capability = Capability.NONE,
) -> Harness:
    clock = VirtualClock()
    world = make_world(clock)
    host = world.add_host(HOST, HostSpec(disks="shared"))
    world.add_host(TARGET, HostSpec(disks="shared"))
    world.add_host("dead")
    world.cut("dead")
    numbers = count()

    def open_driver(name: str = HOST) -> ComputeDriver:
        return driver_class(world, world.hosts[name], without=without)

    def lose_next_request() -> None:
        world.faults = Script().on("ensure_volume", fault=LostRequest())

    return Harness(
        open_driver=open_driver,
        image=make_image(folder),
        storage_pool="default",
        new_id=seeded_ids(1, lambda: int(clock.now_s)),
        new_cidr=lambda: f"10.250.{next(numbers)}.0/26",
        make_foreign=lambda: world.drift_foreign(HOST),
        remove_foreign=lambda uuid: world.remove_foreign(HOST, uuid),
        pause=clock.sleep,
        leases_of=_leases_of(host),
        upload_count=lambda: host.upload_count,
        holds_image=lambda image: any(digest == image.sha256 for _, digest in host.images),
        leftovers=_leftovers(host),
        boot_count=lambda instance_id: host.machines[instance_id].boot_count,
        edit_stored=lambda machine, vcpus: world.drift_edit_stored(HOST, machine, vcpu_count=vcpus),
        unplug_disk=lambda machine, disk: world.drift_detach(HOST, machine, disk),
        meddle_card=lambda machine, network: world.drift_card(HOST, machine, network=network),
        meddle_rules=lambda segment: world.drift_rules(HOST, segment),
        open_unreachable=lambda: open_driver("dead"),
        open_target=lambda: open_driver(TARGET),
        target_connection=f"simulated://{world.name}/{TARGET}",
        target_id=TARGET,
        lose_host=lambda: world.cut(HOST),
        return_host=lambda: world.heal(HOST),
        lose_next_request=lose_next_request,
        outside=OUTSIDE,
        make_certificate=lambda: world.put_certificate(HOST, f"certificate-{next(numbers)}"),
        holds_certificate=lambda reference: reference in host.cloud.certificates,
        remove_certificate=host.cloud.certificates.discard,
        meddle_certificate=lambda balancer, reference: world.drift_certificate(HOST, balancer, reference),
    )


def _leases_of(host: SimulatedHost) -> Callable[[ResourceId], Collection[LeaseEntry]]:
    return lambda segment_id: host.segments[segment_id].leases


def _leftovers(host: SimulatedHost) -> Callable[[ResourceId], Sequence[str]]:
    stores: dict[str, Collection[ResourceId]] = {"definition": host.machines, "disk": host.volumes, "seed": host.seeds}
    return lambda instance_id: [name for name, store in stores.items() if instance_id in store]


@dataclass
class Bench:
    """One host, its driver and fitting requests."""

    world: World
    host: SimulatedHost
    driver: SimulatedDriver
    clock: VirtualClock
    image: ImageSource
    new_id: Callable[[str], str]

    def machine(self, *, nics: tuple[NicRequest, ...] = (), disks: tuple[DiskRequest, ...] = ()) -> MachineRequest:
        instance_id = ResourceId(self.new_id("instance"))
        root = VolumeRequest(volume_id=instance_id, role="root", storage_pool="default", size_gib=1, image=self.image)
        return MachineRequest(
            instance_id=instance_id,
            title="portal-web-1",
            hostname="web-1",
            vcpu_count=1,
            memory_mib=512,
            root=root,
            nics=nics,
            disks=disks,
        )

    def segment(self, cidr: str = "10.0.0.0/26") -> SegmentRequest:
        return SegmentRequest(segment_id=ResourceId(self.new_id("segment")), cidr=cidr, gateway="10.0.0.1", department="d")

    def volume(self, size_gib: int = 5) -> VolumeRequest:
        volume_id = ResourceId(self.new_id("volume"))
        return VolumeRequest(volume_id=volume_id, role="data", storage_pool="default", size_gib=size_gib)

    def create(self, request: MachineRequest, fence: int = 1) -> ResourceId:
        """Have it running."""
        self.driver.ensure_image(self.image, "default")
        self.driver.ensure_volume(request.root, fence)
        self.driver.ensure_defined(request, fence)
        self.driver.ensure_running(request.instance_id, fence)
        return request.instance_id


def make_bench(folder: Path) -> Bench:
    clock = VirtualClock()
    world = make_world(clock)
    host = world.add_host(HOST)
    new_id = seeded_ids(1, lambda: int(clock.now_s))
    return Bench(world, host, SimulatedDriver(world, host), clock, make_image(folder), new_id)
