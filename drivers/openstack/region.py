"""One region as all its hosts share it: one SDK connection, one listing of what is there, one record of its inventories.

Drivers of the hosts of a region take it from the ``RegionBook`` (``region_book``); it is closed with the last of them.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import openstack
from openstack import exceptions as sdk_errors

from drivers.faults import Permanent
from drivers.openstack.calls import Calls
from drivers.openstack.cells import require_all_cells, require_told
from drivers.openstack.diagnostics import Diagnostics
from drivers.openstack.discovery import discover, require_project
from drivers.openstack.inventory import Inventory
from drivers.openstack.mapping import (
    NetworkReading,
    PortReading,
    ServerReading,
    VolumeReading,
    read_network,
    read_port,
    read_server,
    read_volume,
)
from drivers.openstack.projects import KEYS, Projects
from drivers.openstack.quotas import BALANCING
from drivers.openstack.roll import Roll, next_roll
from drivers.openstack.segment_rules import GROUP_FIELDS, loose_segments, read_group
from drivers.openstack.sessions import RegionSession
from drivers.openstack.settings import SECTION, RegionSettings, read_settings
from drivers.openstack.uploads import Uploads
from drivers.openstack.versions import missing_powers, read_extensions, read_versions, require_new_enough
from drivers.openstack.zones import Zones
from inventory.domain.ids import ResourceId

#: What regions have, by the SDK's names: all of it, but for volumes where ``clouds.yaml`` says that there are none.
VOLUMES = "block_storage"
SERVICES = ("identity", "compute", "network", VOLUMES, "image", "placement")
#: Room in the storage changes slowly, and what is promised is counted by us.
STORAGE_AGE_S = 60.0
#: Neutron's word for the owner of a machine's port, before the name of the zone; and what is read of it.
MACHINE_PORT = "compute:"
PORT_FIELDS = (
    "id", "mac_address", "network_id", "fixed_ips", "device_id", "device_owner", "security_groups", "port_security_enabled",
    "allowed_address_pairs",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Everything a credential sees in the region at one moment."""

    servers: tuple[ServerReading, ...]
    volumes: tuple[VolumeReading, ...]
    networks: tuple[NetworkReading, ...]
    #: Those of them that let through more or less than they are to.
    loose_segment_ids: frozenset[ResourceId]
    #: What is plugged into each machine, by the region's id of it.
    ports: Mapping[str, tuple[PortReading, ...]]
    #: Hypervisors whose compute service reports in; None where this credential may not ask.
    alive: frozenset[str] | None
    at_s: float

    @property
    def disks(self) -> Mapping[str, ResourceId]:
        """Our ids of the region's volumes."""
        return {v.volume_id: ResourceId(v.mark.resource_id) for v in self.volumes if v.mark is not None}


class Region:
    """One region, reached with one credential."""

    def __init__(self, cloud: str, config: Any, clock: Callable[[], float]) -> None:
        self.cloud = cloud
        self.clock = clock
        self.settings: RegionSettings = read_settings(config.config.get(SECTION) or {})
        # The SDK would make a call again after a 503 by itself, one that changes something too: only ``calls`` decides that.
        config.config.update(api_timeout=self.settings.call_timeout_s, status_code_retries=0, connect_retries=0)
        self.sdk: Any = openstack.connection.Connection(config=config, app_name="allotment")
        self.calls = Calls(f"openstack://{cloud}", attempts=max(1, int(self.settings.attempts)), wait_s=self.settings.wait_s)
        require_project(self.sdk, self.calls, cloud)
        services = [s for s in SERVICES if s != VOLUMES or self.settings.has_volumes]
        discover(self.sdk, self.calls, services)
        try:
            #: What its services are, as they were found.
            self.versions = read_versions(self.sdk, self.calls, services)
            require_new_enough(self.versions, cloud)
            #: Powers it lacks, because its network service has no extension for them, or because it has no volumes.
            self.missing = missing_powers(read_extensions(self.sdk, self.calls), has_volumes=self.settings.has_volumes)
        except BaseException:
            self.sdk.close()
            raise
        #: Whether the region has Octavia.
        self.has_balancers = bool(self.calls.read("discover", lambda: self.sdk.has_service(BALANCING)))
        #: Whether it has Barbican, where the certificates of load balancers lie.
        self.has_key_manager = bool(self.calls.read("discover", lambda: self.sdk.has_service(KEYS)))
        self.projects = Projects(self.sdk, self.calls, self.settings)
        self.inventory = Inventory(self.sdk, self.calls, max_age_s=self.settings.observe_max_age_s)
        self.zones = Zones(self.sdk, self.calls, has_volumes=self.settings.has_volumes)
        self.diagnostics = Diagnostics(self.sdk, self.calls, per_s=self.settings.diagnostics_per_s)
        self.uploads = Uploads()
        #: Which server is which machine of ours: a hint that saves a search, believed only after a look.
        self.server_ids: dict[str, str] = {}
        #: Which network is which of ours, and which flavor has a size and since when (monotonic): hints of the same kind.
        self.network_ids: dict[str, str] = {}
        self.flavor_ids: dict[tuple[int, int, int], tuple[float, str]] = {}
        #: Our ids of volumes, by the region's: never changes for one volume.
        self.disks: dict[str, ResourceId] = {}
        #: Our ids of networks, and of those a security group belongs to, by the region's; empty for what is not ours.
        self.segment_ids: dict[str, ResourceId] = {}
        self.group_segment_ids: dict[str, ResourceId] = {}
        #: Addresses (CIDR) of subnets seen, by the region's id: those of one never change.
        self._cidrs: dict[str, str] = {}
        #: Names of the volume types seen last: a storage pool that is among them needs no look.
        self.volume_types: frozenset[str] = frozenset()
        self._storage: tuple[float, Mapping[str, Mapping[str, str]], list[Mapping[str, object]] | None] | None = None
        self._listing: Listing | None = None
        self._roll: Roll | None = None
        self._volumes: dict[str, VolumeReading] = {}
        self._volumes_read_at_s = float("-inf")
        self._listed_at_s = 0.0
        self._changes = 0
        self._listed_changes = -1
        self._lock = threading.Lock()

    def touch(self) -> None:
        """Hear that we changed something: the next observation lists anew."""
        self._changes += 1

    def may_have_disk(self, instance_id: ResourceId) -> bool:
        """Tell whether a machine's root disk is there, as far as was seen: then the machine may be there too.

        A disk on a hypervisor is not seen without its machine: where there may be such, nobody knows.
        """
        return self._listing is None or bool(self.settings.local_storage) or instance_id in tuple(self.disks.values())

    def require_all_cells(self) -> None:
        """Make sure that every cell of Nova answers.

        Raises:
            Transient: ``driver.unreachable``.
        """
        require_all_cells(self.sdk, self.calls, self.projects.listing_scope())

    def listing(self) -> Listing:
        """Return what is there, read at most ``observe_max_age_s`` ago and after our last change.

        Raises:
            DriverFault: the region could not be read.
        """
        with self._lock:
            changes, now_s = self._changes, time.monotonic()
            is_fresh = self._listing is not None and now_s - self._listed_at_s < self.settings.observe_max_age_s
            if self._listing is None or not is_fresh or self._listed_changes != changes:
                self._listing = self._list(is_touched=self._listed_changes != changes)
                self._listed_at_s, self._listed_changes = now_s, changes
            return self._listing

    def _list(self, *, is_touched: bool) -> Listing:
        at_s, sdk, read = self.clock(), self.sdk, self.calls.read
        # Without a limit of ours, a page is as large as the service allows, and the last one is not followed by an empty one.
        everywhere = self.projects.listing_scope()

        def list_servers(since: str) -> list[ServerReading]:
            query = everywhere | ({"changes_since": since} if since else {})
            return read("observe", lambda: [read_server(s) for s in sdk.compute.servers(details=True, **query)])

        whole_age_s, now_s = self.settings.whole_listing_s, time.monotonic()
        roll = next_roll(self._roll, now_s, whole_age_s, list_servers, is_touched=is_touched)
        # What was listed before stays: in between, a machine whose cell does not answer is where it was.
        require_told(roll.servers.values(), self.calls.connection)
        self._roll, servers = roll, roll.servers.values()
        self._volumes = self._list_volumes(is_touched=is_touched)
        found = read("observe", lambda: [read_network(n) for n in sdk.network.networks()])
        networks = tuple(n for n in found if n is not None)
        listing = Listing(
            servers=tuple(servers),
            volumes=tuple(self._volumes.values()),
            networks=networks,
            loose_segment_ids=self._list_loose(networks),
            ports=self._list_ports(),
            alive=self.inventory.alive(),
            at_s=at_s,
        )
        self.disks.update(listing.disks)
        self.segment_ids.update({n.network_id: ResourceId(n.mark.resource_id) for n in listing.networks})
        self.server_ids = {s.mark.resource_id: s.server_id for s in servers if s.mark is not None}
        return listing

    def _list_loose(self, networks: Collection[NetworkReading]) -> frozenset[ResourceId]:
        """Return the networks whose security group is not as it is to be: one call, and one more where a subnet is new."""
        neutron, subnet_ids = self.sdk.network, {n.subnet_id for n in networks if n.subnet_id}
        if not subnet_ids:
            return frozenset()
        if not subnet_ids <= self._cidrs.keys():
            seen = self.calls.read("observe", lambda: {s.id: s.cidr for s in neutron.subnets(fields=("id", "cidr"))})
            self._cidrs = {subnet_id: cidr for subnet_id, cidr in seen.items() if subnet_id in subnet_ids}
        cidrs = {ResourceId(n.mark.resource_id): self._cidrs[n.subnet_id] for n in networks if n.subnet_id in self._cidrs}
        groups = self.calls.read("observe", lambda: [read_group(g) for g in neutron.security_groups(fields=GROUP_FIELDS)])
        return loose_segments(cidrs, [g for g in groups if g is not None])

    def _list_ports(self) -> dict[str, tuple[PortReading, ...]]:
        """Return the ports of machines by the region's id of the machine."""
        neutron = self.sdk.network
        found = self.calls.read("observe", lambda: [read_port(p) for p in neutron.ports(fields=PORT_FIELDS)])
        machines = [p for p in found if p.device_owner.startswith(MACHINE_PORT)]
        machines.sort(key=lambda p: p.device_id)
        return {device: tuple(ports) for device, ports in groupby(machines, key=lambda p: p.device_id)}

    def _list_volumes(self, *, is_touched: bool) -> dict[str, VolumeReading]:
        """Return the volumes by the region's id. Whose one is never changes: those known are only asked for by their ids.

        What others make of theirs (a larger one) is seen with the next whole listing.
        """
        if not self.settings.has_volumes:
            return {}
        everywhere, block, now_s = self.projects.listing_scope(), self.sdk.block_storage, time.monotonic()
        if not is_touched and now_s - self._volumes_read_at_s < self.settings.whole_listing_s:
            there = self.calls.read("observe", lambda: [v.id for v in block.volumes(details=False, **everywhere)])
            if self._volumes.keys() >= set(there):
                return {volume_id: self._volumes[volume_id] for volume_id in there}
        found = self.calls.read("observe", lambda: [read_volume(v) for v in block.volumes(details=True, **everywhere)])
        self._volumes_read_at_s = now_s
        return {v.volume_id: v for v in found}

    def storage(self) -> tuple[Mapping[str, Mapping[str, str]], list[Mapping[str, object]] | None]:
        """Return the extra specs of every volume type by name, and Cinder's pools; read at most a minute ago."""
        if not self.settings.has_volumes:
            return {}, []
        with self._lock:
            now_s = time.monotonic()
            if self._storage is None or now_s - self._storage[0] > STORAGE_AGE_S:
                types = self.calls.read("storage", lambda: list(self.sdk.block_storage.types()))
                self._storage = (now_s, {t.name: dict(t.extra_specs or {}) for t in types}, self._read_storage_pools())
            return self._storage[1:]

    def balancing(self, department: str = "") -> Any:
        """Return the load balancer service, for a department where there is one."""
        return self.projects.balancing(department)

    def keys(self, department: str = "") -> Any:
        """Return the key manager, for a department where there is one."""
        return self.projects.keys(department)

    @property
    def is_delegated(self) -> bool:
        """Whether the credential is an application credential, whose token is not taken for another one."""
        return "applicationcredential" in str(self.sdk.config.config.get("auth_type", "")).replace("_", "")

    def compute_limits(self) -> tuple[int, int]:
        """Return how many vCPUs and MiB the region lets the credential's project have; -1: without bound."""
        limits = self.calls.read("limits", lambda: self.sdk.compute.get_limits().absolute)
        return int(limits.total_cores), int(limits.total_ram)

    def _read_storage_pools(self) -> list[Mapping[str, object]] | None:
        """Return what Cinder says of its pools; None where this credential may not ask."""
        return self.calls.read_if_allowed(
            "storage", lambda: [p.capabilities or {} for p in self.sdk.block_storage.backend_pools()]
        )

    def close(self) -> None:
        """Drop the connections."""
        self.projects.close()
        self.sdk.close()


def asks_diagnostics(cloud: str) -> bool:
    """Tell whether a cloud's machines are asked for their counters; nobody is asked."""
    told = _told_of(cloud)
    return told is not None and told[0].diagnostics_per_s > 0


def look_bound_of(cloud: str) -> float:
    """Return how long a look at a cloud may take, 0 where it is not known; nobody is asked."""
    told = _told_of(cloud)
    return 0.0 if told is None else told[0].observe_limit_s


def broker_of(cloud: str) -> tuple[str, str | None]:
    """Return the address of a cloud's message broker, empty for none, and the file that vouches for it; nobody is asked."""
    told = _told_of(cloud)
    return ("", None) if told is None else (told[0].notifications, told[1])


def _told_of(cloud: str) -> tuple[RegionSettings, str | None] | None:
    """Return a cloud's settings and the file that vouches for it; None where they are wrong: the first verb says so."""
    try:
        config = config_of(cloud).config
        return read_settings(config.get(SECTION) or {}), config.get("cacert")
    except Permanent:
        return None


def config_of(cloud: str) -> Any:
    """Return what ``clouds.yaml`` says of a cloud, as the SDK reads it.

    Raises:
        Permanent: ``openstack.cloud_unknown``.
    """
    try:
        return openstack.config.OpenStackConfig(session_constructor=RegionSession).get_one(cloud=cloud)
    except sdk_errors.ConfigException as error:
        raise Permanent("openstack.cloud_unknown", internal=str(error), cloud=cloud) from error
