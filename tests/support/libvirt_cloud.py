"""A small city on private libvirt hosts for end-to-end tests: its site, its tickets, and eyes that look past the controller.

Whatever the controller says of a host is compared with what libvirt and the files of the host say.
"""

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import libvirt
from sqlalchemy import select

from controller.reconcile.auditor import audit_invariants
from drivers.protocol import HostObservation
from inventory.domain.ids import HostId
from inventory.domain.resource import Observed, Resource, ResourceKind
from inventory.store import resources
from inventory.store import tables as t
from tests.support.controller_process import ControllerProcess
from tests.support.guest_image import GuestImage, guest_image
from tests.support.libvirt_host import behind, define_pool, driver_of
from tests.support.libvirtd import PrivateLibvirtd, until

#: Longer than the subnet of a removed network rests.
REST_S = 90

SITE = """\
apiVersion: allotment/v1
kind: Site
departments:
  - {{code: city-hall, name: 市政府}}
  - {{code: civil-affairs, name: 市民政局, parent: city-hall}}
projects:
  - {{code: P-PORTAL, name: 门户网站, department: civil-affairs, budget-code: "2080299"}}
zones:
{zones}
pools:
{pools}
sizes:
  - {{name: tiny, vcpu: 1, memory: 128MiB, root-disk: 1GiB}}
images:
  - name: demo-linux
    title: 演示系统
    arch: x86_64
    file: {image.qcow2}
    kernel: {image.kernel}
    initrd: {image.initrd}
    kernel-arguments: {arguments}
quotas:
  - {{department: civil-affairs, vcpu: 16, memory: 16GiB, disk: 100GiB, instances: 16, volumes: 16, addresses: 16}}
prices:
  - {{meter: vcpu, unit: vcpu-hour, price: "0.076400", valid-from: 2026-01-01}}
  - {{meter: memory_gib, unit: GiB-hour, price: "0.038900", valid-from: 2026-01-01}}
  - {{meter: "disk_gib:standard", unit: GiB-hour, price: "0.000700", valid-from: 2026-01-01}}
  - {{meter: address, unit: address-hour, price: "0.003000", valid-from: 2026-01-01}}
"""
_ZONE = "  - {{code: {name}, name: {name}, network-class: gov-public, mlps-max: 3, address-range: {cidr}, segment-prefix: 26}}"
_POOL = (
    '  - {{code: {name}, name: {name}, zone: {name}, driver: libvirt, mlps-max: 3, overcommit: {{vcpu: "8.0", memory: "1.0"}}}}'
)

TICKET = """\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: create}}
applicant: {{department: civil-affairs, contact: {{name: 张三, phone: "020-81234567"}}}}
project: {{code: P-PORTAL}}
system: {{mlps: {{level: 2}}, network: {zone}}}
lease: {{end: 12个月}}
environment: test
resources:
  servers:
{servers}
"""
WEB = "    - {{name: web, count: {count}, size: tiny, image: demo-linux, spread: none}}"
DB = "    - {name: db, size: tiny, image: demo-linux, disks: [{name: data, size: 1GiB, class: standard}]}"

CHANGE = """\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: {action}}}
applicant: {{department: civil-affairs}}
{rest}
"""


def site_document(zones: Sequence[tuple[str, str]], image: GuestImage | None = None) -> str:
    """Return a site with a pool of the same name in each zone (name, address range); guests boot by their kernel."""
    image = image or guest_image()
    return SITE.format(
        zones="\n".join(_ZONE.format(name=name, cidr=cidr) for name, cidr in zones),
        pools="\n".join(_POOL.format(name=name) for name, _ in zones),
        image=image,
        arguments=json.dumps(image.kernel_arguments),
    )


def create_ticket(name: str, zone: str, servers: Sequence[str]) -> str:
    """Return a ticket that makes a system."""
    return TICKET.format(name=name, zone=zone, servers="\n".join(servers))


def release_ticket(name: str) -> str:
    """Return a ticket that gives a system back."""
    return CHANGE.format(name=name, action="release", rest="")


@dataclass(frozen=True)
class HostUnderTest:
    """One host of a controller: a storage pool on a private libvirtd."""

    controller: ControllerProcess
    libvirtd: PrivateLibvirtd
    name: str
    storage_pool: str

    def enrol(self, pool: str) -> None:
        """Make the storage pool and take the host into service."""
        path = f"/var/lib/libvirt/{self.storage_pool}"
        self.files.mkdir(parents=True, exist_ok=True)
        define_pool(self.libvirtd.uri, self.storage_pool, path)
        storage = f"standard:{self.storage_pool}:{path}"
        place = ("--pool", pool, "--connection", self.libvirtd.uri, "--storage", storage, "--rack", "A01")
        self.controller.ok("host", "enrol", self.name, *place, "--activate")

    @property
    def files(self) -> Path:
        """Return the directory of the storage pool as seen from outside."""
        return self.libvirtd.base / "lib" / self.storage_pool

    def names_of_files(self) -> set[str]:
        """Return every file in the storage pool but images, which stay."""
        return {f.name for f in self.files.iterdir() if not f.name.startswith("img-")}

    def living(self) -> list[Resource]:
        """Return what the state says lives on this host; removed networks whose subnet only rests are left out."""
        return [r for r in self._rows() if not _is_resting(r)]

    def resting(self) -> set[str]:
        """Return the segments whose network was removed and whose subnet still rests."""
        return {r.id for r in self._rows() if _is_resting(r)}

    def _rows(self) -> list[Resource]:
        with self.controller.read() as connection:
            return resources.of_host(connection, self.id)

    @property
    def id(self) -> HostId:
        """Return the id the controller gave it."""
        with self.controller.read() as connection:
            return HostId(connection.execute(select(t.hosts.c.id).where(t.hosts.c.name == self.name)).scalar_one())

    def observe(self) -> HostObservation:
        """Look at the host with a driver of our own; what other controllers of a test made there is left out."""
        driver = driver_of(self.libvirtd.uri)
        try:
            seen = driver.observe()
        finally:
            driver.close()
        with self.controller.read() as connection:
            known = set(connection.execute(select(t.resources.c.id)).scalars())
        return replace(
            seen,
            instances=tuple(i for i in seen.instances if i.instance_id in known),
            volume_ids=frozenset(seen.volume_ids & known),
            segment_ids=frozenset(seen.segment_ids & known),
        )

    def domains(self) -> dict[str, str]:
        """Return state and definition of every machine there, by name, as libvirt tells it."""
        found: dict[str, str] = {}
        with behind(self.libvirtd.uri) as connection:
            for domain in connection.listAllDomains():
                # Another controller of a test may take its machine away between the list and the look.
                with suppress(libvirt.libvirtError):
                    found[domain.name()] = ("running " if domain.isActive() else "off ") + domain.XMLDesc()
        return found

    def networks_and_filters(self) -> tuple[set[str], set[str]]:
        """Return the names of all networks and packet filters there."""
        with behind(self.libvirtd.uri) as connection:
            return {n.name() for n in connection.listAllNetworks()}, {f.name() for f in connection.listAllNWFilters()}

    def http(self, address: str, path: str = "/") -> str:
        """Ask a guest's web server from its host; empty while it does not answer."""
        url = f"http://{address}{path}"
        return self.libvirtd.exec_in("curl", "--silent", "--max-time", "5", url, check=False).strip()


def _is_resting(resource: Resource) -> bool:
    return resource.kind is ResourceKind.SEGMENT and resource.step == "rest" and resource.observed is Observed.ABSENT


def assert_clean(controller: ControllerProcess, hosts: Sequence[HostUnderTest]) -> None:
    """Check every invariant, rows against hosts included, and the counters and the audit chain by the service's own word."""
    observations = {host.id: host.observe() for host in hosts}
    with controller.read() as connection:
        violations = audit_invariants(connection, observations, is_quiet=True)
    resting = {segment_id for host in hosts for segment_id in host.resting()}
    assert [v for v in violations if not any(segment_id in v.detail for segment_id in resting)] == []
    with controller.client() as client:
        assert client.post("/v1/quotas/audit")["items"] == []
        assert client.post("/v1/audit/verify")["is_intact"] is True


def assert_nothing_left(controller: ControllerProcess, hosts: Sequence[HostUnderTest], made: Collection[str]) -> None:
    """Check that a controller whose systems are all released holds nothing and left nothing at its hosts."""
    with controller.read() as connection:
        assert connection.execute(select(t.claims.c.resource_id)).all() == []
        given = set(connection.execute(select(t.subnets.c.segment_id)).scalars())
        assert connection.execute(select(t.inventories.c.provider_id).where(t.inventories.c.used != 0)).all() == []
    assert given <= {segment_id for host in hosts for segment_id in host.resting()}
    with controller.client() as client:
        assert [level for level in client.all("/v1/quotas") if level["used"]] == []
    for host in hosts:
        assert host.names_of_files() == set()
        networks, filters = host.networks_and_filters()
        shown = [*host.domains(), *networks, *filters]
        assert [name for name in shown if any(resource_id in name for resource_id in made)] == []


def wait_rested(controller: ControllerProcess, hosts: Sequence[HostUnderTest]) -> None:
    """Wait until the last subnet is free again and check that then nothing is held at all."""
    until(lambda: not any(host.resting() for host in hosts), REST_S, "subnets are free again")
    assert_clean(controller, hosts)
    assert_nothing_left(controller, hosts, everything_made(controller))


def of_kind(found: Sequence[Resource], kind: ResourceKind) -> list[Resource]:
    """Return the resources of a kind."""
    return [r for r in found if r.kind is kind]


def everything_made(controller: ControllerProcess) -> set[str]:
    """Return the id of every resource there ever was."""
    with controller.read() as connection:
        return set(connection.execute(select(t.resources.c.id)).scalars())
