"""What libvirt tests share: a host to play on (private and real, or libvirt's test driver), seen past our own driver.

Everything here talks to libvirt directly, so that a fault of the driver cannot hide itself.
"""

import itertools
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import libvirt

from drivers.conformance import Harness
from drivers.libvirt.driver import open_driver
from drivers.libvirt.events import start_event_loop
from drivers.libvirt.network_xml import read_leases
from drivers.protocol import ComputeDriver, DriverContext, ImageSource, LeaseEntry
from inventory.domain.ids import ResourceId, random_ids, uuid_of
from inventory.domain.resource import ResourceKind
from tests.support.guest_image import guest_image
from tests.support.libvirtd import PrivateLibvirtd

POOL = "images"
POOL_PATH = "/var/lib/libvirt/images"
TEST_URI = "test:///default"
TEST_POOL = "default-pool"
_NEW_ID = random_ids()


def new_id(kind: str) -> ResourceId:
    """Return a new id."""
    return ResourceId(_NEW_ID(kind))


def driver_of(uri: str) -> ComputeDriver:
    """Return a driver of the host."""
    return open_driver(DriverContext(host_id="host_test", host_name="test", connection=uri, clock=time.time))


@contextmanager
def behind(uri: str) -> Iterator[Any]:
    """Give a connection past our driver."""
    start_event_loop()
    connection = libvirt.open(uri)
    try:
        yield connection
    finally:
        connection.close()


def define_pool(uri: str, name: str = POOL, path: str = POOL_PATH) -> None:
    """Have a directory pool."""
    with behind(uri) as connection:
        pool = connection.storagePoolDefineXML(f"<pool type='dir'><name>{name}</name><target><path>{path}</path></target></pool>")
        pool.create()


def demo_image(*, direct_boot: bool) -> ImageSource:
    """Return the demo image, booting by itself or by its kernel (some seconds quicker)."""
    built = guest_image()
    image = ImageSource(image_id=new_id("image"), sha256=built.sha256, disk_format="qcow2", virtual_size_gib=1, path=built.qcow2)
    if not direct_boot:
        return image
    return replace(image, kernel_path=built.kernel, initrd_path=built.initrd, kernel_arguments=built.kernel_arguments)


def make_foreign(uri: str, domain_type: str = "qemu") -> str:
    """Start a machine that carries no mark of ours and return its UUID."""
    value = str(uuid.uuid4())
    arch = "" if domain_type == "test" else " arch='x86_64' machine='q35'"
    with behind(uri) as connection:
        connection.createXML(
            f"<domain type='{domain_type}'><name>foreign-{value[:8]}</name><uuid>{value}</uuid><memory unit='MiB'>32</memory>"
            f"<vcpu>1</vcpu><os><type{arch}>hvm</type></os><features><acpi/></features></domain>"
        )
    return value


def remove_domain(uri: str, uuid_text: str) -> None:
    """End a transient machine."""
    with behind(uri) as connection:
        connection.lookupByUUIDString(uuid_text).destroy()


def make_foreign_disk(uri: str, name: str, size_gib: int, pool: str = POOL) -> None:
    """Have a thin disk that carries no mark of ours in a storage pool, or make it larger."""
    with behind(uri) as connection:
        found = connection.storagePoolLookupByName(pool)
        if name in found.listVolumes():
            found.storageVolLookupByName(name).resize(size_gib << 30)
            return
        found.createXML(
            f"<volume><name>{name}</name><capacity unit='GiB'>{size_gib}</capacity><allocation>0</allocation>"
            "<target><format type='qcow2'/></target></volume>"
        )


def remove_foreign_disk(uri: str, name: str, pool: str = POOL) -> None:
    """Remove somebody's disk."""
    with behind(uri) as connection:
        connection.storagePoolLookupByName(pool).storageVolLookupByName(name).delete()


def leases_of(uri: str, segment_id: ResourceId) -> Collection[LeaseEntry]:
    """Return the address entries the running network has."""
    with behind(uri) as connection:
        return read_leases(connection.networkLookupByUUIDString(str(uuid_of(segment_id))).XMLDesc())


def domain_names(uri: str) -> list[str]:
    """Return the names of all machines."""
    with behind(uri) as connection:
        return [d.name() for d in connection.listAllDomains()]


def libvirt_harness(host: PrivateLibvirtd, image: ImageSource, boot_count: Callable[[ResourceId], int]) -> Harness:
    """Return a real host for the conformance suite."""
    files = host.base / "lib/images"
    numbers = itertools.count(1)

    def uploads_seen() -> int:
        # An upload replaces the file: the sum of the moments of writing moves with each.
        return sum(f.stat().st_mtime_ns for f in files.glob("img-*"))

    def leftovers(instance_id: ResourceId) -> list[str]:
        return [f.name for f in files.glob(f"{instance_id}*")] + [n for n in domain_names(host.uri) if n == instance_id]

    return Harness(
        open_driver=lambda: driver_of(host.uri),
        image=image,
        storage_pool=POOL,
        new_id=_NEW_ID,
        new_cidr=lambda: f"10.250.{next(numbers)}.0/26",
        make_foreign=lambda: make_foreign(host.uri),
        remove_foreign=lambda uuid_text: remove_domain(host.uri, uuid_text),
        graceful_s=1.0,
        deadline_s=60.0,
        leases_of=lambda segment_id: leases_of(host.uri, segment_id),
        upload_count=uploads_seen,
        holds_image=lambda wanted: any(files.glob(f"img-{wanted.sha256}*")),
        leftovers=leftovers,
        boot_count=boot_count,
        open_unreachable=lambda: driver_of(f"qemu+unix:///system?socket={host.base}/nobody"),
    )


def memory_harness(directory: Path) -> Harness:
    """Return libvirt's in-memory test driver for the conformance suite; it keeps no fence of a network."""
    path = directory / "image.raw"
    path.write_bytes(b"\0" * 4096)
    image = ImageSource(
        image_id=new_id("image"),
        sha256="ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7",
        disk_format="raw",
        virtual_size_gib=1,
        path=path,
    )
    numbers = itertools.count(1)
    return Harness(
        open_driver=lambda: driver_of(TEST_URI),
        image=image,
        storage_pool=TEST_POOL,
        new_id=_NEW_ID,
        new_cidr=lambda: f"10.251.{next(numbers)}.0/26",
        make_foreign=lambda: make_foreign(TEST_URI, "test"),
        remove_foreign=lambda uuid_text: remove_domain(TEST_URI, uuid_text),
        fenced=frozenset(ResourceKind) - {ResourceKind.SEGMENT},
        leases_of=lambda segment_id: leases_of(TEST_URI, segment_id),
        leftovers=lambda instance_id: [n for n in domain_names(TEST_URI) if n == instance_id],
    )
