"""Short ways to ask a libvirt driver for things on a private host; what a test makes is removed after it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from drivers.libvirt.driver import LibvirtDriver
from drivers.protocol import (
    DiskRequest,
    ImageSource,
    LeaseEntry,
    MachineRequest,
    NicRequest,
    SegmentRequest,
    VolumeRequest,
)
from tests.support.libvirt_host import POOL, new_id
from tests.support.libvirtd import PrivateLibvirtd, until

READY_TIMEOUT_S = 120
_NUMBERS = count(1)


@dataclass
class Lab:
    """The host, a driver on it, and what a test made there; all of it is removed after the test."""

    host: PrivateLibvirtd
    driver: LibvirtDriver
    made: list[Callable[[int], None]] = field(default_factory=list)
    fence: int = 1

    def segment(self, hostnames: tuple[str, ...] = ()) -> SegmentRequest:
        """Have a department network with an address for each name."""
        net = f"10.97.{next(_NUMBERS)}"
        leases = tuple(
            LeaseEntry(mac=f"52:54:00:97:{net.rsplit('.', 1)[1].zfill(2)[-2:]}:{i:02x}", address=f"{net}.{i}", hostname=name)
            for i, name in enumerate(hostnames, start=10)
        )
        request = SegmentRequest(
            segment_id=new_id("segment"), cidr=f"{net}.0/24", gateway=f"{net}.1", department="dept", leases=leases
        )
        self.made.insert(0, lambda fence: self.driver.ensure_segment_absent(request.segment_id, fence))
        self.driver.ensure_segment(request, self.fence)
        return request

    def machine(
        self, image: ImageSource, segment: SegmentRequest | None = None, number: int = 0, **changes: Any
    ) -> MachineRequest:
        """Have a defined machine with the address of ``segment.leases[number]``."""
        instance_id = new_id("instance")
        nics: tuple[NicRequest, ...] = ()
        hostname = "alone"
        if segment is not None:
            lease = segment.leases[number]
            hostname = lease.hostname
            nics = (NicRequest(segment_id=segment.segment_id, mac=lease.mac, address=lease.address),)
        request = MachineRequest(
            instance_id=instance_id,
            title=f"test-{hostname}",
            hostname=hostname,
            vcpu_count=1,
            memory_mib=128,
            root=VolumeRequest(volume_id=instance_id, role="root", storage_pool=POOL, size_gib=1, image=image),
            nics=nics,
            system="sys_test",
            department="dept_test",
        )
        request = replace(request, **changes)
        self.made.insert(0, lambda fence: self.driver.ensure_absent(instance_id, POOL, fence))
        self.driver.ensure_image(image, POOL)
        self.driver.ensure_volume(request.root, self.fence)
        self.driver.ensure_defined(request, self.fence)
        return request

    def volume(self) -> DiskRequest:
        """Have an empty data disk of 1 GiB."""
        volume_id = new_id("volume")
        self.made.append(lambda fence: self.driver.ensure_volume_absent(volume_id, POOL, fence))
        self.driver.ensure_volume(VolumeRequest(volume_id=volume_id, role="data", storage_pool=POOL, size_gib=1), self.fence)
        return DiskRequest(volume_id=volume_id, storage_pool=POOL, slot=0)

    def start(self, *machines: MachineRequest) -> None:
        """Start machines and wait until each says that it is ready."""
        for machine in machines:
            self.driver.ensure_running(machine.instance_id, self.fence)
        for machine in machines:
            self.wait_ready(machine)

    def wait_ready(self, machine: MachineRequest, times: int = 1) -> None:
        """Wait until the guest has said ``times`` times on its serial line that it is ready."""
        until(lambda: self.ready_count(machine) >= times, READY_TIMEOUT_S, "guest is ready")

    def ready_count(self, machine: MachineRequest) -> int:
        """Return how often the guest has said that it is ready."""
        return self.driver.console_log(machine.instance_id, 1 << 20).count(b"ALLOT-GUEST READY")

    def get(self, machine: MachineRequest, path: str = "/") -> str:
        """Ask the guest's web server from the host; empty when it does not answer."""
        url = f"http://{machine.nics[0].address}{path}"
        return self.host.exec_in("curl", "--silent", "--max-time", "8", url, check=False).strip()

    def clean(self) -> None:
        """Remove what was made, under a fence above all others."""
        self.fence += 1000
        for remove in self.made:
            remove(self.fence)
        self.driver.close()
