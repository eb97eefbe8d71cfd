"""A small city on a region: its site, its tickets, and what the region itself must show of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inventory.domain.ids import HostId
from inventory.domain.resource import Observed, Resource
from inventory.store import resources
from tests.openstack.harness import Behind
from tests.openstack.region.region import Region
from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.empty_image import qcow2
from tests.support.libvirtd import until

TICKET_S = 400
SITE = """\
apiVersion: allotment/v1
kind: Site
departments:
  - {code: city-hall, name: 市政府}
  - {code: civil-affairs, name: 市民政局, parent: city-hall}
projects:
  - {code: GZ2026-MZJ-017, name: 市民政局门户网站迁移上云, department: civil-affairs, budget-code: "2080299"}
zones:
  - {code: gov-public, name: 政务外网, network-class: gov-public, mlps-max: 3, address-range: 10.96.0.0/16, segment-prefix: 26}
pools:
  - {code: region, name: 云区域, zone: gov-public, driver: openstack, mlps-max: 3, overcommit: {vcpu: "4.0", memory: "1.0"}}
sizes:
  - {name: tiny, vcpu: 1, memory: 128MiB, root-disk: 1GiB}
images:
  - {name: demo-linux, title: 演示系统, arch: x86_64, file: demo-linux.qcow2}
quotas:
  - {department: civil-affairs, vcpu: 200, memory: 64GiB, disk: 400GiB, instances: 200, volumes: 120, addresses: 200}
prices:
  - {meter: vcpu, unit: vcpu-hour, price: "0.076400", valid-from: 2026-01-01}
  - {meter: memory_gib, unit: GiB-hour, price: "0.038900", valid-from: 2026-01-01}
  - {meter: "disk_gib:standard", unit: GiB-hour, price: "0.000700", valid-from: 2026-01-01}
  - {meter: address, unit: address-hour, price: "0.003000", valid-from: 2026-01-01}
"""
#: What a ticket for a new system says beside its servers.
SYSTEM = """\
project: {code: GZ2026-MZJ-017}
system: {mlps: {level: 2}, network: gov-public}
lease: {end: 12个月}
environment: test
"""


def head_of(system: str, action: str = "create") -> str:
    """Return how a ticket for a system begins."""
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {system}, action: {action}}}
applicant: {{department: civil-affairs, contact: {{name: 张三, phone: "020-81234567"}}}}
"""


def servers_of(*servers: str) -> str:
    """Return the servers of a ticket, each as the language writes it on one line, without the braces around it."""
    return "\n".join(("resources:", "  servers:", *(f"    - {{{server}}}" for server in servers), ""))


def ticket_text(system: str, *servers: str) -> str:
    """Return a ticket for a new system of the city."""
    return head_of(system) + SYSTEM + servers_of(*servers)


class City:
    """A controller whose pool is a region."""

    def __init__(self, controller: ControllerProcess, region: Region, behind: Behind) -> None:
        self.controller = controller
        self.region = region
        self.behind = behind
        #: Ids of its hosts: whatever it makes bears one of them.
        self.host_ids: set[str] = set()

    def furnish(self, hypervisor: str, *more: str, cloud: str = "departments", image: bytes = b"") -> None:
        """Import the site and take a hypervisor into service."""
        (self.controller.directory / "demo-linux.qcow2").write_bytes(image or qcow2())
        self.controller.ok("import", self.controller.write("site.yaml", SITE), "--yes")
        self.host_ids = set()
        self.enrol(hypervisor, *more, cloud=cloud)

    def enrol(self, hypervisor: str, *more: str, cloud: str = "departments") -> None:
        """Take a hypervisor into service, or a further one."""
        place = ("--pool", "region", "--connection", f"openstack://{cloud}/{hypervisor}", "--storage", "standard:standard")
        enrolled = self.controller.ok("host", "enrol", hypervisor, *place, *more, "--activate", "-o", "json").json
        self.host_ids.add(enrolled["id"])

    def apply(self, document: Path | str, *more: str) -> str:
        """Hand a document in as a person does and wait until it is done; returns what was said."""
        done = self.controller.ok("apply", str(document), "--yes", "--wait", "--timeout", str(TICKET_S), *more)
        assert "is done" in done.out, done.out
        return done.out

    def machines(self) -> dict[str, dict[str, Any]]:
        """Return the machines the platform shows, by name."""
        return {m["name"]: m for m in self.controller.ok("get", "instances", "-o", "json").json}

    def only(self) -> dict[str, Any]:
        """Return the one machine the platform shows."""
        [machine] = self.machines().values()
        return machine

    def servers(self) -> dict[str, Any]:
        """Return the machines the region shows, by the platform's id."""
        return {s.metadata["allotment_id"]: s for kind, s in self.made() if kind == "server"}

    def rows(self) -> list[Resource]:
        """Return what the platform says is there; removed networks whose subnet only rests are left out."""
        with self.controller.read() as connection:
            found = [r for host_id in sorted(self.host_ids) for r in resources.of_host(connection, HostId(host_id))]
        return [r for r in found if not (r.step == "rest" and r.observed is Observed.ABSENT)]

    def made(self) -> list[tuple[str, Any]]:
        """Return (kind, thing) of all that the region shows of it."""
        return self.behind.marked_by(self.host_ids)

    def check(self) -> None:
        """Check every counter and the audit chain."""
        assert self.controller.ok("quota", "audit").out.startswith("Every counter equals")
        assert "intact" in self.controller.ok("audit", "verify").out


@contextmanager
def city(directory: Path, region: Region, behind: Behind, clouds_file: Path | None = None, **settings: str) -> Iterator[City]:
    """A controller that runs on nothing yet."""
    environment = {
        "OS_CLIENT_CONFIG_FILE": str(clouds_file or region.layout.clouds_file),
        "ALLOT_RECONCILE__OBSERVE_INTERVAL_S": "10",
        # Tests run side by side here, and only one controller is on each state: nobody waits for a hold to run out.
        "ALLOT_RECONCILE__HOLD_S": "60",
    }
    with controller_process(directory, **(environment | settings)) as controller:
        controller.command_s = 2 * TICKET_S
        controller.start()
        yield City(controller, region, behind)


@contextmanager
def city_of_two(directory: Path, region: Region, behind: Behind, hypervisors: tuple[str, str], name: str) -> Iterator[City]:
    """A city on two hypervisors with one running machine, which has a disk and a card on its department's network."""
    server = "name: web, size: tiny, image: demo-linux, disks: [{name: data, size: 1GiB, class: standard}]"
    with city(directory, region, behind) as found:
        found.furnish(hypervisors[0], cloud="region")
        found.enrol(hypervisors[1], cloud="region")
        found.apply(found.controller.write(f"{name}.yaml", ticket_text(name, server)))
        yield found
        found.controller.ok("release", name, "--confirm", name, "--wait", "--timeout", str(TICKET_S))
        until(lambda: found.made() == [], TICKET_S, "nothing of it is left in the region")
        found.check()
