"""A region as the conformance suite wants it, looked at past our own driver: everything here talks to the services directly."""

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from drivers.conformance import Harness
from drivers.openstack.driver import open_driver
from drivers.openstack.marks import parse_mark_text
from drivers.protocol import ComputeDriver, DriverContext, ImageSource, LeaseEntry
from inventory.domain.ids import ResourceId, random_ids
from tests.openstack.keys import Keys
from tests.openstack.region.seeding import PLATFORM_USER
from tests.support.libvirtd import until

STORAGE_POOL = "standard"
OUTSIDE = "outside"
#: Longest a machine may take to come or go, on a machine with much else to do.
SERVER_S = 300
#: The name of ports that somebody plugs in behind the driver's back.
MEDDLED = "meddled"
_NEW_ID = random_ids()
#: Tests run side by side: each worker has hypervisors, ids of hosts and networks of its own.
WORKER = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw0").removeprefix("gw"))
_CIDRS = itertools.count(1)
HOST_ID = f"host_conformance_{WORKER}"
#: The hypervisor of this worker's conformance checks; the last ones of the region are for stories and faults.
HYPERVISOR = f"hv-{WORKER + 1:03d}"
#: Where machines are moved to, and its id.
TARGET_HYPERVISOR = "hv-007"
TARGET_ID = f"host_target_{WORKER}"


def new_id(kind: str) -> ResourceId:
    """Return a new id."""
    return ResourceId(_NEW_ID(kind))


def driver_of(connection: str, host_id: str = HOST_ID, clock: Callable[[], float] = time.time) -> ComputeDriver:
    """Return a driver of a hypervisor or a region."""
    return open_driver(DriverContext(host_id=host_id, host_name="test", connection=connection, clock=clock))


class ShiftedClock:
    """The time (epoch s), or a later one: so that what hangs does so for long, and nobody waits for it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


def small_image(directory: Path) -> ImageSource:
    """Return an image no guest of a fake hypervisor will ever read."""
    path = directory / "small.raw"
    path.write_bytes(new_id("image").encode() * 25_000)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ImageSource(image_id=new_id("image"), sha256=sha256, disk_format="raw", virtual_size_gib=1, path=path)


def new_cidr() -> str:
    """Return a network no other test of this process has had."""
    number = next(_CIDRS)
    return f"10.{128 + 16 * WORKER + number // 250}.{number % 250}.0/26"


class Behind:
    """A region seen by its administrator."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self._foreign_flavor: Any = None

    def make_foreign(self, hypervisor: str, project_id: str = "", flavor_id: str = "") -> str:
        """Run a machine that carries no mark of ours, of the administrator or in a project, and return its id."""
        compute = self._compute_of(project_id) if project_id else self.cloud.compute
        # Each worker has its own: two that look side by side would both make one.
        name = f"foreign-{WORKER}"
        flavor = compute.find_flavor(name) or compute.create_flavor(name=name, vcpus=1, ram=64, disk=1)
        image = self.cloud.image.find_image(name) or self.cloud.image.create_image(
            name=name, data=b"foreign", disk_format="raw", container_format="bare"
        )
        made = compute.create_server(
            name="foreign", flavor_id=flavor_id or flavor.id, image_id=image.id, networks="none", hypervisor_hostname=hypervisor
        )
        compute.wait_for_server(made, interval=0.5, wait=SERVER_S)
        return str(made.id)

    def _compute_of(self, project_id: str) -> Any:
        identity = self.cloud.identity
        role = identity.find_role("admin")
        identity.assign_project_role_to_user(project_id, self.cloud.current_user_id, role)
        return self.cloud.connect_as(project_id=project_id).compute

    def remove_server(self, server_id: str) -> None:
        """Take a machine away."""
        compute = self.cloud.compute
        server = compute.get_server(server_id)
        compute.delete_server(server_id)
        compute.wait_for_delete(server, interval=0.5, wait=SERVER_S)

    def plug_in(self, server_id: str, project_id: str) -> Any:
        """Make a disk in the project of a machine that is not ours, and plug it in there."""
        block, compute = self.cloud.connect_as(project_id=project_id).block_storage, self.cloud.compute
        disk = block.create_volume(size=2, name="foreign", volume_type=STORAGE_POOL)
        block.wait_for_status(disk, "available", interval=0.5, wait=SERVER_S)
        compute.create_volume_attachment(server_id, volume_id=disk.id)
        until(lambda: block.get_volume(disk.id).status == "in-use", SERVER_S, "the disk is plugged in")
        return block.get_volume(disk.id)

    def unplug_disk(self, instance_id: ResourceId, volume_id: ResourceId) -> None:
        """Take a disk out of a machine, as somebody else would, and see it out."""
        (server,), (volume,) = self.servers(instance_id), self.volumes(volume_id)
        self.cloud.compute.delete_volume_attachment(server.id, volume.id)
        until(lambda: self.cloud.block_storage.get_volume(volume.id).status == "available", SERVER_S, "the disk is out")

    def meddle_card(self, instance_id: ResourceId, segment_id: str) -> None:
        """Take what holds a machine's card from it; with a network, plug it in there, as somebody with a client of Nova would."""
        network, compute = self.cloud.network, self.cloud.compute
        (server,) = self.servers(instance_id)
        (port,) = network.ports(device_id=server.id)
        bare = {"is_port_security_enabled": False, "security_groups": []}
        if not segment_id:
            network.update_port(port.id, **bare)
            return
        compute.delete_server_interface(port.id, server=server.id)
        until(lambda: not list(network.ports(device_id=server.id)), SERVER_S, "the card is out")
        there = {"network_id": network.find_network(segment_id).id, "project_id": server.project_id}
        elsewhere = network.create_port(mac_address=port.mac_address, name=MEDDLED, **there, **bare)
        compute.create_server_interface(server.id, port_id=elsewhere.id)

    def tidy_after_meddling(self) -> None:
        """Take away the ports that were made to meddle with cards: they keep their network, and no driver may."""
        for port in self.cloud.network.ports(name=MEDDLED):
            if not port.device_id:
                self.cloud.network.delete_port(port.id)

    def meddle_rules(self, segment_id: ResourceId) -> None:
        """Let the world in to the machines of a department network."""
        network = self.cloud.network
        (group,) = network.security_groups(name=segment_id)
        everywhere = {"direction": "ingress", "ether_type": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}
        network.create_security_group_rule(
            security_group_id=group.id, port_range_min=22, port_range_max=22, project_id=group.project_id, **everywhere
        )

    def let_through(self, segment_id: ResourceId) -> list[str]:
        """Return whom the rules of a department network name, once for each rule."""
        (group,) = self.cloud.network.security_groups(name=segment_id)
        return sorted(str(rule["remote_ip_prefix"]) for rule in group.security_group_rules)

    def servers(self, resource_id: str = "") -> list[Any]:
        """Return the machines with our tag, or of one id."""
        return list(self.cloud.compute.servers(details=True, all_projects=True, tags=resource_id or "allotment"))

    def volumes(self, resource_id: str = "") -> list[Any]:
        """Return the volumes with our mark, or of one id."""
        found = self.cloud.block_storage.volumes(details=True, all_projects=True)
        ids = [(v, v.metadata.get("allotment_id")) for v in found]
        return [v for v, own in ids if own and resource_id in ("", own)]

    def ports(self, resource_id: str = "") -> list[Any]:
        """Return the ports with our mark, or of one id."""
        marks = [(p, parse_mark_text(p.description)) for p in self.cloud.network.ports()]
        return [p for p, mark in marks if mark is not None and resource_id in ("", mark.resource_id)]

    def networks(self) -> list[Any]:
        """Return the networks with our mark."""
        return [n for n in self.cloud.network.networks() if parse_mark_text(n.description)]

    def groups(self) -> list[Any]:
        """Return the security groups with our mark."""
        return [g for g in self.cloud.network.security_groups() if parse_mark_text(g.description)]

    def snapshots(self, resource_id: str = "") -> list[Any]:
        """Return the snapshots with our mark, or of one id."""
        found = self.cloud.block_storage.snapshots(details=True, all_projects=True)
        ids = [(s, s.metadata.get("allotment_id")) for s in found]
        return [s for s, own in ids if own and resource_id in ("", own)]

    def described(self, read: Callable[[], Iterable[Any]], resource_id: str = "") -> list[Any]:
        """Return the routers, floating IPs or load balancers with our mark, or of one id."""
        marks = [(x, parse_mark_text(x.description)) for x in read()]
        return [x for x, mark in marks if mark is not None and resource_id in ("", mark.resource_id)]

    def marked_by(self, host_ids: Collection[str]) -> list[tuple[str, Any]]:
        """Return (kind, thing) of what bears the mark of these hosts: what one controller, or one test, has made."""
        network = self.cloud.network
        kept = [("server", s, s.metadata["allotment_host"]) for s in self.servers()]
        kept += [("volume", v, v.metadata["allotment_host"]) for v in self.volumes()]
        described = {"port": network.ports, "network": network.networks, "group": network.security_groups}
        marks = [(kind, x, parse_mark_text(x.description)) for kind, read in described.items() for x in read()]
        kept += [(kind, x, mark.host_id) for kind, x, mark in marks if mark is not None]
        return [(kind, found) for kind, found, host_id in kept if host_id in host_ids]

    def leftovers(self, resource_id: str = "") -> list[str]:
        """Return what still bears an id of ours, or any."""
        kinds: dict[str, Callable[[], list[Any]]] = {
            "server": lambda: self.servers(resource_id),
            "volume": lambda: self.volumes(resource_id),
            "snapshot": lambda: self.snapshots(resource_id),
            "router": lambda: self.described(self.cloud.network.routers, resource_id),
            "floating ip": lambda: self.described(self.cloud.network.ips, resource_id),
            "load balancer": lambda: self.described(self.cloud.load_balancer.load_balancers, resource_id),
            "port": lambda: self.ports(resource_id),
            "network": lambda: [] if resource_id else self.networks(),
            "group": lambda: [] if resource_id else self.groups(),
        }
        return [f"{kind} {found.id} ({found.name or found.description})" for kind, read in kinds.items() for found in read()]

    def leases_of(self, segment_id: ResourceId) -> Collection[LeaseEntry]:
        """Return the address entries of a network."""
        network = self.cloud.network.find_network(segment_id)
        ports = [p for p in self.cloud.network.ports(network_id=network.id) if not p.device_owner.startswith("network:")]
        return [LeaseEntry(mac=p.mac_address, address=p.fixed_ips[0]["ip_address"], hostname=p.name) for p in ports]

    def remove_images(self, image: ImageSource) -> None:
        """Take the images with the hash of one away."""
        for image_id in self.image_ids(image):
            self.cloud.image.delete_image(image_id)

    def boot_count(self, resource_id: ResourceId) -> int:
        """Return how often a machine was rebooted, by the region's own record of what was done with it."""
        (server,) = self.servers(resource_id)
        return sum(a.action == "reboot" for a in self.cloud.compute.server_actions(server.id))

    def image_ids(self, image: ImageSource) -> Sequence[str]:
        """Return the images with the hash of one."""
        return sorted(i.id for i in self.cloud.image.images(visibility="all") if i.name.endswith(image.sha256))


def region_harness(behind: Behind, connection: str, hypervisor: str, image: ImageSource, project: str = PLATFORM_USER) -> Harness:
    """Return a region (or one hypervisor of it) for the conformance suite; ``project`` is where load balancers are."""

    @cache
    def keys() -> Keys:
        # A department's project is there after its first network.
        return Keys(behind.cloud, project)

    seen: set[str] = set()

    def upload_count() -> int:
        seen.update(behind.image_ids(image))
        return len(seen)

    target = connection.replace(hypervisor, TARGET_HYPERVISOR)
    return Harness(
        open_driver=lambda: driver_of(connection),
        image=image,
        storage_pool=STORAGE_POOL,
        new_id=_NEW_ID,
        new_cidr=new_cidr,
        make_foreign=lambda: behind.make_foreign(hypervisor),
        remove_foreign=behind.remove_server,
        deadline_s=60.0,
        leases_of=behind.leases_of,
        upload_count=upload_count,
        holds_image=lambda wanted: bool(behind.image_ids(wanted)),
        leftovers=behind.leftovers,
        boot_count=behind.boot_count,
        unplug_disk=behind.unplug_disk,
        meddle_card=behind.meddle_card,
        tidy_after_meddling=behind.tidy_after_meddling,
        meddle_rules=behind.meddle_rules,
        outside=OUTSIDE,
        make_certificate=lambda: keys().put(),
        holds_certificate=lambda name: keys().holds(name),
        remove_certificate=lambda name: keys().remove(name),
        meddle_certificate=lambda balancer_id, name: keys().meddle(balancer_id, name),
        open_unreachable=lambda: driver_of("openstack://silent/hv-001"),
        open_target=lambda: driver_of(target, TARGET_ID),
        target_connection=target,
        target_id=TARGET_ID,
    )
