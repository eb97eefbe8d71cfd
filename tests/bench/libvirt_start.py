"""One machine on a real libvirt host: what the controller adds to a bare script that makes libvirt do the same.

Both sides speak to one private libvirtd over connections that stay open, and take turns. The moment a machine started is
the lifecycle event of libvirt as heard by a third connection: the same clock for both.
"""

import io
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import libvirt
import pycdlib

from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.workflows import power, tickets
from controller.workflows.engine import StepSettings
from drivers.protocol import HasConsole
from inventory.domain.catalogue import Image
from inventory.domain.host import AdminState, Host, Reachability, StoragePool
from inventory.domain.ids import HostId, ImageId, StoragePoolId, random_ids, uuid_of
from inventory.domain.resource import Phase, Resource
from inventory.store import capacities, directory, hosts, resources
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.bench.reconciling import Bench
from tests.bench.report import Figure, Line, Target
from tests.support.database import sqlite_database
from tests.support.guest_image import GuestImage, guest_image
from tests.support.libvirt_host import POOL, behind, define_pool, driver_of
from tests.support.libvirtd import PrivateLibvirtd, private_libvirtd
from tests.support.platform import furnish
from tests.support.samples import release_text

_ROUNDS = 10
_WAIT_S = 120.0
#: Of the bare script's network; the controller's come from 10.96.0.0/12.
_BARE_SUBNET = "10.200.0.0"
#: As by default, but guests are not asked politely: what is measured is the way up, not the way down.
_SETTINGS = ReconcileSettings(hold_s=60.0, steps=StepSettings(graceful_s=0.0))


class Starts:
    """Hears which machine started when."""

    def __init__(self, connection: Any) -> None:
        self._moments: dict[str, float] = {}
        self._changed = threading.Condition()
        connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._heard, None)

    def _heard(self, _connection: Any, domain: Any, event: int, _detail: int, _opaque: Any) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STARTED:
            with self._changed:
                self._moments[domain.UUIDString()] = time.perf_counter()
                self._changed.notify_all()

    def moment_of(self, uuid_text: str) -> float:
        """Return when a machine started; waits for it."""
        with self._changed:
            assert self._changed.wait_for(lambda: uuid_text in self._moments, _WAIT_S), f"{uuid_text} did not start"
            return self._moments[uuid_text]


# --- the bare script -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pattern:
    """What the controller had libvirt make, read back from libvirt, to be made again under other names."""

    domain: str
    instance: str
    mac: str
    address: str
    seed: str
    #: Id of the controller's segment, and the definitions of its network and its filter.
    segment: str
    network: str
    packet_filter: str
    disk: str
    #: The bytes are the same size in each seed.
    files: dict[str, bytes]


class BareScript:
    """The same machines by libvirt-python alone: no state, no plan, nothing checked, nothing repeated."""

    def __init__(self, connection: Any, pattern: Pattern) -> None:
        self._connection = connection
        self._number = 0
        # A network of its own, like the controller's: theirs is kept as the controller wants it.
        self._network = f"seg_{uuid.uuid4().hex}"
        self._pattern = replace(
            pattern,
            domain=self._own(pattern.domain, pattern),
            network=self._own(pattern.network, pattern),
            packet_filter=self._own(pattern.packet_filter, pattern),
        )
        connection.nwfilterDefineXML(self._pattern.packet_filter)
        connection.networkDefineXML(self._pattern.network).create()

    def _own(self, text: str, pattern: Pattern) -> str:
        root = ET.fromstring(text)
        for bridge in root.iterfind("./bridge"):
            bridge.set("name", "barebr0")
        # Of the network: its MAC. Of the filter: its UUID. Both are made anew.
        for own in [*root.findall("./mac"), *(root.findall("./uuid") if root.tag == "filter" else [])]:
            root.remove(own)
        text = ET.tostring(root, encoding="unicode").replace(pattern.segment, self._network)
        text = text.replace(str(uuid.UUID(pattern.segment[4:])), str(uuid.UUID(self._network[4:])))
        return text.replace(_prefix(pattern.address), _prefix(_BARE_SUBNET))

    def start_one(self) -> tuple[float, float, str]:
        """Make and start one machine; returns the moments it was begun and all but started, and its UUID."""
        self._number += 1
        pattern = self._pattern
        value = uuid.uuid4()
        name, mac = f"inst_{value.hex}", f"02:00:00:00:00:{self._number:02x}"
        address = f"{_prefix(_BARE_SUBNET)}{20 + self._number}"
        seed = pattern.seed.replace(pattern.instance, name)
        text = pattern.domain.replace(pattern.instance, name).replace(str(uuid.UUID(pattern.instance[5:])), str(value))
        text = text.replace(pattern.mac, mac).replace(
            _prefix(_BARE_SUBNET) + pattern.address.rpartition(".")[2] + '"', address + '"'
        )
        started = time.perf_counter()
        network = self._connection.networkLookupByName(self._network)
        entry = f"<host mac='{mac}' name='bare-{self._number}' ip='{address}'/>"
        add, section = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
        network.update(add, section, -1, entry, libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG)
        pool = self._connection.storagePoolLookupByName(POOL)
        pool.createXML(pattern.disk.replace(pattern.instance, name))
        self._upload(pool, seed, _iso(pattern.files))
        pool.createXML(_file_text(f"{name}.console.log", 0))
        domain = self._connection.defineXML(text)
        prepared = time.perf_counter()
        domain.create()
        self._undo = (network, entry, name, seed)
        return started, prepared, str(value)

    def remove(self, uuid_text: str) -> None:
        """Leave nothing of the last machine."""
        domain = self._connection.lookupByUUIDString(uuid_text)
        domain.destroy()
        domain.undefine()
        network, entry, name, seed = self._undo
        delete, section = libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
        both = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE | libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
        network.update(delete, section, -1, entry, both)
        pool = self._connection.storagePoolLookupByName(POOL)
        for file in (f"{name}.root.qcow2", seed, f"{name}.console.log"):
            pool.storageVolLookupByName(file).delete()

    def _upload(self, pool: Any, name: str, data: bytes) -> None:
        volume, source = pool.createXML(_file_text(name, len(data))), io.BytesIO(data)
        stream = self._connection.newStream()
        volume.upload(stream, 0, len(data))
        stream.sendAll(lambda _stream, count, _opaque: source.read(count), None)
        stream.finish()


def _prefix(address: str) -> str:
    return address.rpartition(".")[0] + "."


def _file_text(name: str, size: int) -> str:
    return (
        f"<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>"
        "<target><format type='raw'/></target></volume>"
    )


def _iso(files: dict[str, bytes]) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, vol_ident="cidata", sys_ident="", app_ident_str="")
    for number, (name, data) in enumerate(files.items()):
        iso.add_fp(io.BytesIO(data), len(data), f"/FILE{number}.;1", joliet_path=f"/{name}")
    out = io.BytesIO()
    iso.write_fp(out)
    iso.close()
    return out.getvalue()


def pattern_of(connection: Any, machine: Resource) -> Pattern:
    """Read what the controller had made of a machine, from libvirt."""
    domain = connection.lookupByName(machine.id)
    text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    sources = [s.get("file", "") for s in ET.fromstring(text).iterfind("./devices/disk/source")]
    volume = connection.storagePoolLookupByName(POOL).storageVolLookupByName(Path(sources[0]).name)
    found = ET.fromstring(volume.XMLDesc())
    backing = found.findtext("./backingStore/path", "")
    disk = (
        f"<volume><name>{found.findtext('name')}</name><capacity>{found.findtext('capacity')}</capacity>"
        "<allocation>0</allocation><target><format type='qcow2'/></target>"
        f"<backingStore><path>{backing}</path><format type='qcow2'/></backingStore></volume>"
    )
    nic = machine.instance.nics[0]
    card = '{"version": 2, "ethernets": {"nic0": {"match": {"macaddress": "02:00:00:00:00:00"}, "dhcp4": true}}}\n'
    files = {
        "meta-data": f'instance-id: {machine.id}\nlocal-hostname: "bare-1"\n'.encode(),
        "network-config": card.encode(),
        "user-data": b"#cloud-config\n{}\n",
    }
    network = connection.networkLookupByName(nic.segment_id)
    packet_filter = connection.nwfilterLookupByName(_filter_of(text))
    return Pattern(
        domain=text, instance=machine.id, mac=nic.mac, address=nic.address, seed=Path(sources[1]).name,
        segment=nic.segment_id,
        network=network.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE), packet_filter=packet_filter.XMLDesc(), disk=disk, files=files,
    )  # fmt: skip


def _filter_of(domain: str) -> str:
    reference = ET.fromstring(domain).find("./devices/interface/filterref")
    assert reference is not None
    return reference.get("filter", "")


# --- the controller ------------------------------------------------------------------------------------------------------


@contextmanager
def city(folder: Path, host: PrivateLibvirtd, image: GuestImage) -> Iterator[Bench]:
    """Furnish a SQLite state with one real host."""
    with sqlite_database(folder / "state.sqlite") as database:
        furnished = furnish(database, Path("/"), host_count=0, driver="libvirt")
        _add_host(database, host, image)
        yield Bench(replace(furnished.platform, clock=time.time), furnished)


def _add_host(database: Database, host: PrivateLibvirtd, image: GuestImage) -> None:
    driver = driver_of(host.uri)
    assert isinstance(driver, HasConsole)
    facts, new_id = driver.inspect_host(), random_ids()
    driver.close()
    with database.write() as connection:
        (pool,) = directory.pools(connection)
        made = Host(
            id=HostId(new_id("host")),
            name="kvm-1",
            pool_id=pool.id,
            connection=host.uri,
            admin_state=AdminState.ACTIVE,
            reachability=Reachability.REACHABLE,
            facts=facts,
            overcommit_permille={"vcpu": 8000},
        )
        storage = StoragePool(id=StoragePoolId(new_id("storage_pool")), host_id=made.id, name=POOL, disk_class="standard")
        hosts.save_host(connection, made)
        hosts.save_storage_pool(connection, storage)
        capacities.save_capacity(connection, made, pool, [storage])
        (demo,) = directory.images(connection)
        # Absolute below "/": the library of this platform is the root directory.
        real = Image(
            id=ImageId(demo.id), name=demo.name, arch="x86_64", disk_format="qcow2", sha256=image.sha256,
            size_bytes=image.qcow2.stat().st_size, virtual_size_gib=1, path=str(image.qcow2),
            kernel_path=str(image.kernel), initrd_path=str(image.initrd), kernel_arguments=image.kernel_arguments,
        )  # fmt: skip
        directory.save_image(connection, real)


def _ticket(name: str) -> bytes:
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: create}}
applicant: {{department: civil-it, contact: {{name: 张三, phone: "020-81234567"}}}}
project: {{code: P-portal}}
system: {{mlps: {{level: 2}}, network: gov-public}}
lease: {{end: 12个月}}
environment: test
resources:
  servers:
    - {{name: {name}, size: tiny, image: demo-linux}}
""".encode()


def machine_of(bench: Bench, name: str) -> Resource:
    """Return the one machine of a system; its group bears the system's name."""
    with bench.platform.db.read() as connection:
        row = connection.execute(t.resources.select().where(t.resources.c.name == f"{name}-1")).one()
    return resources.from_row(row)


def _wait(what: str, truth: Any) -> None:
    until = time.monotonic() + _WAIT_S
    while not truth():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def _release(bench: Bench, name: str) -> None:
    """Give a system back and wait until nothing is under way any more."""
    tickets.submit(bench.platform, release_text(name), bench.furnished.caller(), confirm=name)
    open_ = t.resources.select().where(t.resources.c.phase.in_([Phase.PENDING.value, Phase.WORKING.value]))

    def is_quiet() -> bool:
        with bench.platform.db.read() as connection:
            return connection.execute(open_).first() is None

    _wait("the machine is gone", is_quiet)


@dataclass(frozen=True)
class Round:
    """One machine of each side, in milliseconds."""

    #: From accepted (or begun) to the event that it started.
    started: float
    #: Of that: all but the call that starts it.
    prepared: float
    #: To the moment the record says so; nobody records the script's.
    recorded: float = 0.0


def measure(folder: Path, seed: int) -> Figure:
    """Alternate the controller and the bare script."""
    with private_libvirtd(folder) as host, behind(host.uri) as watching, behind(host.uri) as connection:
        define_pool(host.uri)
        with city(folder, host, guest_image()) as bench:
            ours, bare = _rounds(bench, connection, Starts(watching))
            virtualisation = _virtualisation(bench)
    overhead = tuple(a.started - b.started for a, b in zip(ours, bare, strict=True))
    script, before = "bare libvirt script, begun to domain started", "bare libvirt script, all but the start itself"
    started = tuple(r.started for r in ours)
    prepared = tuple(r.prepared for r in ours)
    return Figure(
        name="libvirt_start",
        title="One machine on a real libvirt host",
        size=f"{_ROUNDS} rounds after a warm-up, controller and script in turn; image in the pool, network there, "
        f"{virtualisation}",
        seed=None,
        lines=(
            Line(what="overhead of the controller", unit="ms", values=overhead, target=Target(limit=250)),
            Line(what="accepted ticket to domain started", unit="ms", values=started, baseline=script),
            Line(what=script, unit="ms", values=tuple(r.started for r in bare)),
            Line(what="controller, all but the start itself", unit="ms", values=prepared, baseline=before),
            Line(what=before, unit="ms", values=tuple(r.prepared for r in bare)),
            Line(
                what="accepted ticket to recorded as running", unit="ms", values=tuple(r.recorded for r in ours), baseline=script
            ),
        ),
        notes=(
            (
                "The script makes overlay, seed, console file, DHCP entry, definition with the same packet filter, and starts "
                "it: the XML is what the controller made, read back from libvirt, under other names. The overhead is the "
                "difference within each round; QEMU's start, which both wait for, varies by more than either needs for the rest."
            ),
        ),
    )


def _virtualisation(bench: Bench) -> str:
    with bench.platform.db.read() as connection:
        (host,) = hosts.hosts(connection)
    return host.facts.virtualisation.upper() if host.facts else ""


def _rounds(bench: Bench, connection: Any, starts: Starts) -> tuple[list[Round], list[Round]]:
    ours, bare = [], []
    with bench.controller(_SETTINGS) as reconciler:
        # It stays, switched off, so that the department's network does too.
        _start(bench, reconciler, starts, "resident")
        resident = machine_of(bench, "resident")
        script = BareScript(connection, pattern_of(connection, resident))
        power.stop(bench.platform, resident.id, bench.furnished.caller())
        reconciler.wake()
        _wait("the resident is off", lambda: not connection.lookupByName(resident.id).isActive())
        for number in range(_ROUNDS + 1):
            # The order changes: whoever comes second meets what the first left to the host.
            if number % 2:
                ours.append(_ours(bench, reconciler, starts, f"system-{number}"))
            bare.append(_bare(script, starts))
            if not number % 2:
                ours.append(_ours(bench, reconciler, starts, f"system-{number}"))
        _release(bench, "resident")
    return ours[1:], bare[1:]


def _ours(bench: Bench, reconciler: Reconciler, starts: Starts, name: str) -> Round:
    found = _start(bench, reconciler, starts, name)
    _release(bench, name)
    return found


def _start(bench: Bench, reconciler: Reconciler, starts: Starts, name: str) -> Round:
    steps = reconciler.counters.steps
    before_s = steps["start"].sum_s if "start" in steps else 0.0
    ticket = bench.submit(_ticket(name))
    accepted = time.perf_counter()
    reconciler.wake()
    started = starts.moment_of(str(uuid_of(machine_of(bench, name).id))) - accepted
    recorded = bench.wait_done(ticket.id) - accepted
    start_s = steps["start"].sum_s - before_s
    return Round(started * 1000, (started - start_s) * 1000, recorded * 1000)


def _bare(script: BareScript, starts: Starts) -> Round:
    begun, prepared, uuid_text = script.start_one()
    started = starts.moment_of(uuid_text)
    script.remove(uuid_text)
    return Round((started - begun) * 1000, (prepared - begun) * 1000)
