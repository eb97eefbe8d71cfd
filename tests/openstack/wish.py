"""One wish for a machine with a disk on a network, carried through a driver as a controller would: steps, faults and all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from drivers.faults import DriverFault, OutcomeUnknown, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.powers import BalancerRequest, HealthRequest, ListenerRequest, MemberRequest
from drivers.protocol import (
    DiskRequest,
    ImageSource,
    LeaseEntry,
    MachineRequest,
    NicRequest,
    ObservedInstance,
    SegmentRequest,
    VolumeRequest,
)
from inventory.domain.ids import ResourceId
from tests.openstack.harness import STORAGE_POOL, Behind, driver_of, new_cidr, new_id, small_image
from tests.openstack.proxy import Pass, Proxies

T = TypeVar("T")
FENCE = 10
TRIES = 40


@dataclass
class Wish:
    """One machine with a data disk on a network, and the steps a controller would take to have it."""

    driver: OpenStackDriver
    request: MachineRequest
    segment: SegmentRequest
    data: VolumeRequest
    fence: int = FENCE
    faults: list[DriverFault] = field(default_factory=list)

    def have(self, call: Callable[[], T]) -> T:
        """Call until it succeeds, as the reconciler does; what went wrong meanwhile is kept."""
        for _ in range(TRIES):
            try:
                return call()
            except (Transient, OutcomeUnknown) as fault:
                self.faults.append(fault)
                time.sleep(min(1.0, getattr(fault, "delay_s", 1.0)))
        raise AssertionError(f"not done after {TRIES} tries: {self.faults[-3:]}")

    @property
    def image(self) -> ImageSource:
        """The image its root disk is made from."""
        assert self.request.root.image is not None
        return self.request.root.image

    def make(self) -> ObservedInstance:
        """Take every step of a create."""
        self.have(lambda: self.driver.ensure_segment(self.segment, self.fence))
        self.have(lambda: self.driver.ensure_volume(self.data, self.fence))
        self.have(lambda: self.driver.ensure_image(self.image, STORAGE_POOL))
        self.have(lambda: self.driver.ensure_volume(self.request.root, self.fence))
        return self.have(lambda: self.driver.ensure_launched(self.request, self.fence))

    def remove(self) -> None:
        """Take every step of a delete."""
        self.have(lambda: self.driver.ensure_absent(self.request.instance_id, STORAGE_POOL, self.fence))
        self.have(lambda: self.driver.ensure_volume_absent(self.data.volume_id, STORAGE_POOL, self.fence))
        self.have(lambda: self.driver.ensure_segment_absent(self.segment.segment_id, self.fence))


def wish_on(driver: OpenStackDriver, directory: Path, memory_mib: int = 128, image: ImageSource | None = None) -> Wish:
    """Return the wish for a machine nobody has had before."""
    instance_id, cidr = new_id("instance"), new_cidr()
    base = cidr.removesuffix("0/26")
    tail = instance_id[-4:]
    card = NicRequest(segment_id=new_id("segment"), mac=f"02:00:00:00:{tail[:2]}:{tail[2:]}", address=f"{base}10")
    new = partial(VolumeRequest, storage_pool=STORAGE_POOL, size_gib=1, may_remake=True)
    data = new(volume_id=new_id("volume"), role="data")
    root = new(volume_id=instance_id, role="root", image=image or small_image(directory))
    request = MachineRequest(
        instance_id=instance_id,
        title="faults",
        hostname="faults",
        vcpu_count=1,
        memory_mib=memory_mib,
        root=root,
        disks=(DiskRequest(volume_id=data.volume_id, storage_pool=STORAGE_POOL, slot=0),),
        nics=(card,),
    )
    lease = LeaseEntry(mac=card.mac, address=card.address, hostname="faults")
    segment = SegmentRequest(segment_id=card.segment_id, cidr=cidr, gateway=f"{base}1", department="", leases=(lease,))
    return Wish(driver, request, segment, data)


def _wish_of(cloud: str, hypervisor: str, directory: Path) -> Wish:
    driver = driver_of(f"openstack://{cloud}/{hypervisor}")
    assert isinstance(driver, OpenStackDriver)
    return wish_on(driver, directory)


@contextmanager
def running_on(hypervisor: str, behind: Behind, directory: Path) -> Iterator[Wish]:
    """Give a machine that runs on a hypervisor; there is one of each afterwards, and nothing when it is taken away."""
    found = _wish_of("region", hypervisor, directory)
    try:
        found.make()
        yield found
        assert_made_once(behind, found)
    finally:
        found.remove()
        found.driver.close()
        behind.remove_images(found.image)
    assert_nothing_left(behind, found)


@contextmanager
def wish_behind(proxies: Proxies, hypervisor: str, directory: Path) -> Iterator[Wish]:
    """Give a wish whose every call goes through the proxies; what a failed test leaves is taken away."""
    found = _wish_of("proxied", hypervisor, directory)
    try:
        yield found
    finally:
        proxies.treat = lambda _asked: Pass()
        found.remove()
        found.driver.close()


def assert_made_once(behind: Behind, wish: Wish) -> None:
    """Check that the region holds exactly one of each."""
    assert len(behind.servers(wish.request.instance_id)) == 1
    assert len(behind.volumes(wish.request.instance_id)) == 1
    assert len(behind.volumes(wish.data.volume_id)) == 1
    assert [n.name for n in behind.networks()].count(wish.segment.segment_id) == 1
    assert [g.name for g in behind.groups()].count(wish.segment.segment_id) == 1
    assert set(behind.leases_of(wish.segment.segment_id)) == set(wish.segment.leases)


def assert_nothing_left(behind: Behind, wish: Wish) -> None:
    """Check that the region holds none of it."""
    ids = (wish.request.instance_id, wish.data.volume_id, wish.segment.segment_id)
    assert [left for resource_id in ids for left in behind.leftovers(resource_id)] == []
    assert wish.segment.segment_id not in [x.name for x in (*behind.networks(), *behind.groups())]


def balancer_on(wish: Wish) -> BalancerRequest:
    """Return the wish for a load balancer on the wish's network."""
    base = wish.segment.cidr.removesuffix("0/26")
    health = HealthRequest(kind="tcp", interval_s=5, timeout_s=3, count=2)
    members = tuple(MemberRequest(address=f"{base}{number}", port=80) for number in (11, 12))
    return BalancerRequest(
        balancer_id=new_id("balancer"),
        title="faults",
        segment_id=wish.segment.segment_id,
        address=f"{base}20",
        listeners=(ListenerRequest(port=80, protocol="http", members=members, health=health),),
    )


def remains(behind: Behind, *ids: ResourceId) -> list[str]:
    """Return what the region shows of these ids."""
    return [left for resource_id in ids for left in behind.leftovers(resource_id)]
