"""A machine as libvirt XML: a pure translation of a ``MachineRequest``, and the reading of what libvirt shows.

The driver calls ``domain_text`` to define, ``disk_text`` to attach and ``read_domain`` to observe.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from drivers.libvirt.marks import Mark, add_mark, find_mark
from drivers.libvirt.names import disk_owner, filter_name
from drivers.libvirt.seat_xml import add_guest_nodes, add_seat, read_seat
from drivers.libvirt.xml_tree import Element, add, attribute, kib, parse, to_text
from drivers.protocol import DiskRequest, MachineRequest, NicRequest
from inventory.domain.ids import ResourceId, uuid_of

#: Free PCIe root ports of a new machine: so many data disks can be attached before it must be restarted.
SPARE_PORTS = 8
#: Devices beside cards and data disks that take a root port: root disk, seed, serial bus, balloon, random numbers.
FIXED_PORT_USERS = 5
#: Without a bound the translation cache of every emulated guest grows by more than 100 MiB.
TCG_CACHE_MIB = 32
BALLOON_PERIOD_S = 10
MACHINES = {"x86_64": "q35", "aarch64": "virt"}
#: libvirt's word for each kind of virtualisation.
DOMAIN_TYPES = {"kvm": "kvm", "tcg": "qemu", "test": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostProfile:
    """What the translation must know of the host."""

    #: ``kvm`` | ``tcg`` | ``test``.
    virtualisation: str
    arch: str
    #: Whether the host filters packets (the test driver does not).
    has_filters: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFiles:
    """Paths on the host of everything the machine uses."""

    root: str
    seed: str
    console: str
    data: Mapping[ResourceId, str]
    kernel: str = ""
    initrd: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReading:
    """What the XML of an existing machine says."""

    mark: Mark | None
    vcpu_count: int
    #: Fewer than ``vcpu_count`` where some were taken away.
    online_count: int
    memory_mib: int
    #: (target, path or whatever it is a disk of) of every disk, in document order.
    disks: tuple[tuple[str, str], ...]
    #: (MAC, network or whatever it is plugged into, filter, address given to the filter) of every card.
    cards: tuple[tuple[str, str, str, str], ...]
    #: ``Seat.text`` of where it lies; empty where it may lie anywhere.
    seat: str = ""

    @property
    def networks(self) -> frozenset[str]:
        """Return what its cards are plugged into."""
        return frozenset(network for _, network, _, _ in self.cards)

    @property
    def data_disks(self) -> dict[ResourceId, str]:
        """Return the target of each data disk of ours, by volume id."""
        owners = {disk_owner(PurePosixPath(path).name): target for target, path in self.disks}
        return {owner: target for owner, target in owners.items() if owner is not None and owner.startswith("vol_")}


def mark_of(request: MachineRequest, fence: int, reboots: int = 0) -> Mark:
    """Return the mark a machine carries; ``reboots`` is what the one before it said."""
    return Mark(
        resource_id=request.instance_id,
        fence=fence,
        reboots=reboots,
        system=request.system,
        department=request.department,
        volume_ids=tuple(d.volume_id for d in sorted(request.disks, key=lambda d: d.slot)),
    )


def domain_text(request: MachineRequest, mark: Mark, host: HostProfile, files: MachineFiles) -> str:
    """Return the complete definition of a machine."""
    root = Element("domain", type=DOMAIN_TYPES[host.virtualisation])
    add(root, "name", request.instance_id)
    add(root, "uuid", str(uuid_of(request.instance_id)))
    add(root, "title", request.title)
    add_mark(add(root, "metadata"), mark)
    add(root, "memory", str(request.memory_mib), unit="MiB")
    confined = {"cpuset": request.shared_cpus} if request.shared_cpus else {}
    add(root, "vcpu", str(request.vcpu_count), placement="static", **confined)
    if request.seat is not None:
        add_seat(root, request.seat)
    _add_boot(root, request, host, files)
    _add_platform(root, request, host)
    devices = add(root, "devices")
    _add_disks(devices, request, host, files)
    _add_ports(devices, request)
    devices.extend(_card_element(nic, host) for nic in request.nics)
    _add_small_devices(devices, files)
    return to_text(root)


def _add_boot(root: Element, request: MachineRequest, host: HostProfile, files: MachineFiles) -> None:
    os = add(root, "os")
    add(os, "type", "hvm", arch=host.arch, machine=MACHINES.get(host.arch, ""))
    if files.kernel and request.root.image is not None:
        add(os, "kernel", files.kernel)
        if files.initrd:
            add(os, "initrd", files.initrd)
        add(os, "cmdline", request.root.image.kernel_arguments)


def _add_platform(root: Element, request: MachineRequest, host: HostProfile) -> None:
    features = add(root, "features")
    add(features, "acpi")
    if host.arch == "x86_64":
        add(features, "apic")
    if host.virtualisation == "tcg":
        add(add(features, "tcg"), "tb-cache", str(TCG_CACHE_MIB), unit="MiB")
    _add_cpu(root, request, host)
    add(root, "clock", offset="utc")
    add(root, "on_poweroff", "destroy")
    add(root, "on_reboot", "restart")
    add(root, "on_crash", "destroy")


def _add_cpu(root: Element, request: MachineRequest, host: HostProfile) -> None:
    if host.virtualisation == "kvm":
        cpu = add(root, "cpu", mode="host-passthrough", migratable="on")
    elif host.virtualisation == "tcg":
        # ``host-*`` is refused without KVM; ``maximum`` has what current distributions need (x86-64-v2).
        cpu = add(root, "cpu", mode="maximum")
    elif request.seat is not None:
        cpu = add(root, "cpu")
    else:
        return
    nodes = len(request.seat.nodes) if request.seat else 1
    add(cpu, "topology", sockets=nodes, cores=request.vcpu_count // nodes, threads=1)
    if request.seat is not None:
        add_guest_nodes(cpu, request.seat)


def _add_disks(devices: Element, request: MachineRequest, host: HostProfile, files: MachineFiles) -> None:
    root = _disk(files.root, "qcow2", "vda", request.instance_id, host)
    if not files.kernel:
        add(root, "boot", order=1)
    devices.append(root)
    seed = _disk(files.seed, "raw", "vdb", "seed", host)
    add(seed, "readonly")
    devices.append(seed)
    devices.extend(_disk_element(d, files.data[d.volume_id], host) for d in sorted(request.disks, key=lambda d: d.slot))


def _disk(path: str, disk_format: str, target: str, serial: str, host: HostProfile) -> Element:
    disk = Element("disk", type="file", device="disk")
    # The page cache beside emulation: the firmware polls uncached reads for seconds. With KVM a host must not cache twice.
    cache = {"cache": "none", "io": "native"} if host.virtualisation == "kvm" else {"cache": "writeback"}
    add(disk, "driver", name="qemu", type_=disk_format, discard="unmap", **cache)
    add(disk, "source", file=path)
    add(disk, "target", dev=target, bus="virtio")
    # 20 characters reach the guest: the random end of the id, found there as /dev/disk/by-id/virtio-….
    add(disk, "serial", serial[-20:])
    return disk


def disk_target(slot: int) -> str:
    """Return the device name of a data disk: slot 0 is ``vdc``, after root disk and seed."""
    number, name = slot + 3, ""
    while number > 0:
        number, letter = divmod(number - 1, 26)
        name = chr(ord("a") + letter) + name
    return "vd" + name


def _disk_element(disk: DiskRequest, path: str, host: HostProfile) -> Element:
    return _disk(path, "qcow2", disk_target(disk.slot), disk.volume_id, host)


def disk_text(disk: DiskRequest, path: str, host: HostProfile) -> str:
    """Return one data disk, to attach."""
    return to_text(_disk_element(disk, path, host))


def detach_text(target: str, path: str) -> str:
    """Return what names one disk, to detach."""
    disk = Element("disk", type="file", device="disk")
    add(disk, "source", file=path)
    add(disk, "target", dev=target, bus="virtio")
    return to_text(disk)


def _add_ports(devices: Element, request: MachineRequest) -> None:
    add(devices, "controller", type_="usb", model="none")
    add(devices, "controller", type_="pci", model="pcie-root")
    for _ in range(FIXED_PORT_USERS + len(request.nics) + len(request.disks) + SPARE_PORTS):
        add(devices, "controller", type_="pci", model="pcie-root-port")


def card_text(nic: NicRequest, host: HostProfile) -> str:
    """Return one card, to attach or to change."""
    return to_text(_card_element(nic, host))


def _card_element(nic: NicRequest, host: HostProfile) -> Element:
    card = Element("interface", type="network")
    add(card, "mac", address=nic.mac)
    add(card, "source", network=nic.segment_id)
    add(card, "model", type_="virtio")
    if host.has_filters:
        reference = add(card, "filterref", filter_=filter_name(nic.segment_id))
        add(reference, "parameter", name="IP", value=nic.address)
    # No network boot: the option ROM only costs time.
    add(card, "rom", enabled="no")
    return card


def _add_small_devices(devices: Element, files: MachineFiles) -> None:
    serial = add(devices, "serial", type_="file")
    add(serial, "source", path=files.console, append="on")
    add(serial, "target", port=0)
    add(add(devices, "channel", type_="unix"), "target", type_="virtio", name="org.qemu.guest_agent.0")
    add(add(devices, "memballoon", model="virtio"), "stats", period=BALLOON_PERIOD_S)
    add(add(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")


#: How the back ends of a disk say what it is a disk of: file, block device, network, storage pool.
_DISK_SOURCES = ("file", "dev", "name", "volume")


def read_domain(text: str) -> DomainReading:
    """Read a domain's XML."""
    root = parse(text)
    memory = root.find("memory")
    vcpu = root.find("vcpu")
    vcpu_count = 0 if vcpu is None else int(vcpu.text or 0)
    disks = ((attribute(d, "target", "dev"), _source(d, *_DISK_SOURCES)) for d in root.iterfind("./devices/disk"))
    return DomainReading(
        mark=find_mark(root),
        vcpu_count=vcpu_count,
        online_count=vcpu_count if vcpu is None else int(vcpu.get("current", vcpu_count)),
        memory_mib=0 if memory is None else kib(memory, memory.text) // 1024,
        disks=tuple(disks),
        cards=tuple(map(_card, root.iterfind("./devices/interface"))),
        seat=read_seat(root),
    )


def _source(device: Element, *names: str) -> str:
    return next((value for name in names if (value := attribute(device, "source", name))), "")


def _card(card: Element) -> tuple[str, str, str, str]:
    address = attribute(card, "filterref/parameter[@name='IP']", "value")
    return (
        attribute(card, "mac", "address"),
        _source(card, "network", "bridge", "dev"),
        attribute(card, "filterref", "filter"),
        address,
    )
