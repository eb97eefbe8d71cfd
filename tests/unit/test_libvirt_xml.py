"""The libvirt driver's translations to XML and back, against golden files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.libvirt.domain_xml import (
    HostProfile,
    MachineFiles,
    detach_text,
    disk_target,
    disk_text,
    domain_text,
    mark_of,
    read_domain,
)
from drivers.libvirt.looks import shape_of
from drivers.libvirt.marks import Mark, mark_text, parse_mark
from drivers.libvirt.names import seed_name, volume_name
from drivers.libvirt.network_xml import (
    filter_text,
    lease_text,
    read_leases,
    read_segment_mark,
    read_subnet,
    segment_text,
)
from drivers.libvirt.volume_xml import disk_text as volume_text
from drivers.libvirt.volume_xml import file_text, read_backing, read_format
from drivers.protocol import (
    DiskRequest,
    ImageSource,
    LeaseEntry,
    MachineRequest,
    NicRequest,
    ObservedNic,
    ObservedShape,
    SegmentRequest,
    VolumeRequest,
)
from inventory.domain.ids import ResourceId, uuid_of
from inventory.domain.layout import NodeSeat, Seat
from tests.support.golden import assert_golden

INSTANCE = ResourceId("inst_0190a8f0c1de7abc8def0123456789ab")
SEGMENT = ResourceId("seg_0190a8f0c1de7abc8def0123456789cd")
VOLUME = ResourceId("vol_0190a8f0c1de7abc8def0123456789ef")
SECOND_VOLUME = ResourceId("vol_0190a8f0c1de7abc8def0123456789f0")
IMAGE = ImageSource(image_id="img_1", sha256="ab" * 32, disk_format="qcow2", virtual_size_gib=1, path=Path("/x.qcow2"))
MACHINE = MachineRequest(
    instance_id=INSTANCE,
    title="门户-web-1",
    hostname="portal-web-1",
    vcpu_count=2,
    memory_mib=4096,
    root=VolumeRequest(volume_id=INSTANCE, role="root", storage_pool="images", size_gib=20, image=IMAGE),
    disks=(
        DiskRequest(volume_id=SECOND_VOLUME, storage_pool="images", slot=1),
        DiskRequest(volume_id=VOLUME, storage_pool="images", slot=0),
    ),
    nics=(NicRequest(segment_id=SEGMENT, mac="52:54:00:12:34:56", address="10.96.0.66"),),
    system="sys_portal",
    department="dept_<数据局>",
)
FILES = MachineFiles(
    root="/p/root.qcow2",
    seed="/p/seed.iso",
    console="/p/c.log",
    data={volume: f"/p/{volume}.data.qcow2" for volume in (VOLUME, SECOND_VOLUME)},
)
SEGMENT_REQUEST = SegmentRequest(
    segment_id=SEGMENT,
    cidr="10.96.0.64/26",
    gateway="10.96.0.65",
    department="dept_1",
    leases=(
        LeaseEntry(mac="52:54:00:12:34:57", address="10.96.0.67", hostname="portal-db"),
        LeaseEntry(mac="52:54:00:12:34:56", address="10.96.0.66", hostname="portal-web-1"),
    ),
)
KVM, TCG = HostProfile(virtualisation="kvm", arch="x86_64"), HostProfile(virtualisation="tcg", arch="x86_64")


@pytest.mark.parametrize(
    "profile", [KVM, TCG, HostProfile(virtualisation="kvm", arch="aarch64")], ids=lambda p: f"{p.virtualisation}-{p.arch}"
)
def test_machine_is_translated(profile: HostProfile, update_golden: bool) -> None:
    text = domain_text(MACHINE, mark_of(MACHINE, 7), profile, FILES)
    assert_golden(f"libvirt/domain-{profile.virtualisation}-{profile.arch}.xml", text, update=update_golden)


def node(cell: int, *cpus: int, shared: str = "") -> NodeSeat:
    return NodeSeat(cell=cell, vcpu_count=1, memory_mib=2048, cpus=cpus, shared=shared)


PINNED = Seat(page_kib=2048, nodes=(node(0, 2), node(1, 18)))
SHARED = Seat(page_kib=0, nodes=(node(0, shared="0-3,8"), node(1, shared="4-7")))


@pytest.mark.parametrize(
    ("name", "seat", "profile"),
    [("pinned", PINNED, KVM), ("shared", SHARED, KVM), ("pinned-tcg", PINNED, TCG)],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_machine_with_a_seat_is_translated_and_reads_back(
    name: str, seat: Seat, profile: HostProfile, update_golden: bool
) -> None:
    machine = replace(MACHINE, seat=seat, disks=(), nics=())
    text = domain_text(machine, mark_of(machine, 7), profile, replace(FILES, data={}))
    assert_golden(f"libvirt/domain-{name}.xml", text, update=update_golden)
    assert read_domain(text).seat == seat.text


def test_machine_without_a_seat_keeps_to_the_shared_processors() -> None:
    machine = replace(MACHINE, shared_cpus="0-3,8")
    text = domain_text(machine, mark_of(machine, 7), KVM, FILES)
    assert 'cpuset="0-3,8"' in text
    assert read_domain(text).seat == ""


def test_pins_somebody_else_made_are_seen() -> None:
    pins = "<cputune><vcpupin vcpu='0' cpuset='3'/></cputune>"
    assert read_domain(f"<domain><memory unit='KiB'>1048576</memory><vcpu>1</vcpu>{pins}</domain>").seat != ""


def test_machine_that_boots_by_its_kernel_is_translated(update_golden: bool) -> None:
    image = replace(IMAGE, kernel_path=Path("/k"), initrd_path=Path("/i"), kernel_arguments="console=ttyS0 quiet")
    machine = replace(MACHINE, root=replace(MACHINE.root, image=image), disks=(), nics=())
    text = domain_text(machine, mark_of(machine, 1), TCG, replace(FILES, data={}, kernel="/p/k", initrd="/p/i"))
    assert_golden("libvirt/domain-direct-kernel.xml", text, update=update_golden)


def test_machine_on_the_in_memory_host_has_no_filter() -> None:
    text = domain_text(MACHINE, mark_of(MACHINE, 1), HostProfile(virtualisation="test", arch="i686", has_filters=False), FILES)
    assert "filterref" not in text
    assert "<cpu" not in text


def test_machine_reads_back_as_it_was_written() -> None:
    reading = read_domain(domain_text(MACHINE, mark_of(MACHINE, 7), TCG, FILES))
    assert reading.mark == Mark(
        resource_id=INSTANCE, fence=7, system="sys_portal", department="dept_<数据局>", volume_ids=(VOLUME, SECOND_VOLUME)
    )
    assert (reading.vcpu_count, reading.memory_mib) == (2, 4096)
    assert reading.data_disks == {VOLUME: "vdc", SECOND_VOLUME: "vdd"}
    assert reading.networks == {SEGMENT}


def test_machine_without_our_mark_reads_as_foreign() -> None:
    metadata = "<metadata><other xmlns='urn:x'/></metadata>"
    reading = read_domain(f"<domain><memory unit='KiB'>1048576</memory><vcpu>1</vcpu>{metadata}</domain>")
    assert reading.mark is None
    assert reading.memory_mib == 1024


def test_mark_reads_back_and_survives_an_edited_fence() -> None:
    mark = Mark(resource_id=INSTANCE, fence=12, system="a&b", department="<d>", volume_ids=(VOLUME,), reboots=3)
    assert parse_mark(mark_text(mark)) == mark
    assert parse_mark("<resource id='x' fence='twelve'/>").fence == 0


@pytest.mark.parametrize(("slot", "target"), [(0, "vdc"), (1, "vdd"), (23, "vdz"), (24, "vdaa"), (49, "vdaz"), (50, "vdba")])
def test_slot_names_a_device(slot: int, target: str) -> None:
    assert disk_target(slot) == target


def test_disks_to_attach_and_detach_are_translated(update_golden: bool) -> None:
    disk = DiskRequest(volume_id=VOLUME, storage_pool="images", slot=0)
    text = disk_text(disk, FILES.data[VOLUME], KVM) + detach_text("vdc", FILES.data[VOLUME])
    assert_golden("libvirt/disks.xml", text, update=update_golden)


def test_network_is_translated(update_golden: bool) -> None:
    assert_golden("libvirt/network.xml", segment_text(SEGMENT_REQUEST, 5), update=update_golden)


def test_filter_is_translated(update_golden: bool) -> None:
    assert_golden("libvirt/filter.xml", filter_text(SEGMENT_REQUEST), update=update_golden)


def test_network_reads_back_as_it_was_written() -> None:
    text = segment_text(SEGMENT_REQUEST, 5)
    assert read_leases(text) == frozenset(SEGMENT_REQUEST.leases)
    assert read_segment_mark(text) == (SEGMENT, 5)
    assert read_subnet(text) == ("10.96.0.65", "26")
    assert lease_text(SEGMENT_REQUEST.leases[0]) == '<host mac="52:54:00:12:34:57" name="portal-db" ip="10.96.0.67" />\n'


def test_network_without_our_mark_is_foreign() -> None:
    assert read_segment_mark("<network><name>default</name><dns><txt name='a' value='b'/></dns></network>") is None
    assert read_segment_mark("<network><name>default</name></network>") is None


def test_network_without_addresses_hands_out_none() -> None:
    assert "dhcp" not in segment_text(replace(SEGMENT_REQUEST, leases=()), 1)


def test_volumes_are_translated(update_golden: bool) -> None:
    text = file_text("a.iso", 4096) + volume_text("d.qcow2", 10) + volume_text("r.qcow2", 20, ("/p/img.raw", "raw"))
    assert_golden("libvirt/volumes.xml", text, update=update_golden)


def test_volume_reads_back_its_format_and_its_image() -> None:
    text = volume_text("r.qcow2", 20, ("/p/img.qcow2", "qcow2"))
    assert (read_format(text), read_backing(text)) == ("qcow2", "/p/img.qcow2")
    assert read_backing(file_text("a", 1)) == ""


def test_same_wish_gives_the_same_text() -> None:
    shuffled = replace(MACHINE, disks=MACHINE.disks[::-1])
    assert domain_text(MACHINE, mark_of(MACHINE, 7), KVM, FILES) == domain_text(shuffled, mark_of(shuffled, 7), KVM, FILES)
    assert str(uuid_of(INSTANCE)) in domain_text(MACHINE, mark_of(MACHINE, 7), KVM, FILES)


# -- what a machine is made of ----------------------------------------------------------------------------------------


def shape(text: str) -> ObservedShape:
    return shape_of(INSTANCE, read_domain(text), has_filters=True)


def machine_text() -> str:
    seed = replace(FILES, root=f"/p/{volume_name(INSTANCE)}", seed=f"/p/{seed_name(INSTANCE, 'ab' * 32)}")
    return domain_text(MACHINE, mark_of(MACHINE, 7), TCG, seed)


def test_a_machine_is_made_of_what_was_asked_for() -> None:
    nic = ObservedNic(mac="52:54:00:12:34:56", network=SEGMENT, address="10.96.0.66")
    disks = tuple(sorted((VOLUME, SECOND_VOLUME)))
    assert shape(machine_text()) == ObservedShape(vcpu_count=2, memory_mib=4096, volume_ids=disks, nics=(nic,), seat="")


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (f"allotment-{SEGMENT}", "clean-traffic", {"nics": ("52:54:00:12:34:56", SEGMENT, "")}),
        (f'network="{SEGMENT}"', 'network="default"', {"nics": ("52:54:00:12:34:56", "default", "")}),
        (f'network="{SEGMENT}"', 'bridge="br0"', {"nics": ("52:54:00:12:34:56", "br0", "")}),
        ('value="10.96.0.66"', 'value="10.96.0.99"', {"nics": ("52:54:00:12:34:56", SEGMENT, "10.96.0.99")}),
        (f"/p/{SECOND_VOLUME}.data.qcow2", "/tmp/x.img", {"volume_ids": (VOLUME,), "strange_disks": ("/tmp/x.img",)}),
        (
            f'file="/p/{SECOND_VOLUME}.data.qcow2"',
            'dev="/dev/sdz"',
            {"volume_ids": (VOLUME,), "strange_disks": ("/dev/sdz",)},
        ),
        ('<vcpu placement="static">2<', '<vcpu placement="static" current="1">2<', {"vcpu_count": 1}),
    ],
)
def test_what_somebody_changed_is_read(old: str, new: str, changes: dict[str, Any]) -> None:
    text = machine_text()
    assert old in text
    if "nics" in changes:
        mac, network, address = changes["nics"]
        changes = {"nics": (ObservedNic(mac=mac, network=network, address=address),)}
    assert shape(text.replace(old, new)) == replace(shape(text), **changes)
