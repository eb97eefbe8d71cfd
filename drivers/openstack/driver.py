"""The OpenStack driver: the verbs of ``drivers.protocol`` on one hypervisor of a region, or on a region as a whole.

Every verb that changes something looks for our mark first, checks the fence, acts, and looks again. The order of things is
here; how each kind is made stands in ``servers``, ``changes``, ``volumes``, ``networks`` and ``images``.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, reduce
from operator import or_

from drivers.faults import Permanent, Transient
from drivers.openstack import (
    cards,
    changes,
    evacuation,
    flavors,
    images,
    local_disks,
    migrations,
    networks,
    power,
    server_groups,
    servers,
    volumes,
)
from drivers.openstack.address import parse_address
from drivers.openstack.cloud_verbs import CloudVerbs
from drivers.openstack.facts import foreign_storage, host_facts, project_facts, storage_facts
from drivers.openstack.foreign_disks import Disks, disks_of_others
from drivers.openstack.inventory import Chosen
from drivers.openstack.mapping import ServerReading, foreign_of, observed_of, state_of
from drivers.openstack.marks import Mark, Place, mark_text, port_mark, reboot_values
from drivers.openstack.notices import BROKERS, Notices
from drivers.openstack.region import Listing, Region, asks_diagnostics, broker_of, look_bound_of
from drivers.openstack.region_book import BOOK
from drivers.openstack.zones import ZONE_WORD, places_of, trait_of
from drivers.protocol import (
    Capability,
    ComputeDriver,
    DriverContext,
    DriverEvent,
    HostObservation,
    ImageSource,
    InstanceStats,
    MachineRequest,
    MigrationRequest,
    ObservedInstance,
    SegmentRequest,
    VolumeRequest,
)
from inventory.domain.errors import CapabilityMissing, Problem
from inventory.domain.host import NETWORKS, HostFacts, StorageFacts
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

#: What regions have, unless they were reached and lack an extension for it (``versions``). What a policy forbids is refused then.
_CAPABILITIES = (
    Capability.CONSOLE_LOG
    | Capability.RESIZE_COLD
    | Capability.ATTACH_LIVE
    | Capability.NETWORKS
    | Capability.SNAPSHOTS
    | Capability.OUTSIDE
    | Capability.FILTERS
    | Capability.SCREEN
    | Capability.USAGE
)


def open_driver(context: DriverContext) -> ComputeDriver:
    """Return the driver of one host; it connects with its first verb."""
    return OpenStackDriver(context)


class OpenStackDriver(CloudVerbs):
    """One hypervisor of a region, or a region."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._address = parse_address(context.connection)
        self._open: Region | None = None
        #: Never held while the region is asked for anything: whoever leaves one that hangs must not wait.
        self._lock = threading.Lock()
        self._notices: Notices | None = None
        self._is_left = False

    @property
    def _region(self) -> Region:
        held = self._open
        if held is not None and BOOK.is_current(held):
            return held
        taken = BOOK.take(self._address.cloud, self._context.clock)
        with self._lock:
            is_left = self._is_left
            # What another thread took meanwhile is the same one, counted twice.
            back, self._open = (taken, None) if is_left else (self._open, taken)
        if back is not None:
            BOOK.give_back(back)
        if is_left:
            raise Transient("driver.unreachable", delay_s=5.0, connection=self._address.text)
        return taken

    def abandon(self) -> None:
        """Leave a region that hangs, and wait for nothing; where it answers nobody, others are given a new connection too."""
        with self._lock:
            self._is_left = True
            region = self._open
        if region is not None and region.calls.is_silent():
            BOOK.discard(region)
        threading.Thread(target=self.close, name="openstack-abandon", daemon=True).start()

    def close(self) -> None:
        """Leave the region; the last host that does so closes its connections."""
        with self._lock:
            region, self._open = self._open, None
            notices, self._notices = self._notices, None
        if region is not None:
            BOOK.give_back(region)
        if notices is not None:
            BROKERS.give_back(self._broker[0])

    # --- reading -----------------------------------------------------------------------------------------------------

    def capabilities(self) -> Capability:
        """Return the powers of the region; until it was reached, those that every region has: nothing is asked of it here."""
        region = self._open or BOOK.peek(self._address.cloud)
        base = _CAPABILITIES | (Capability.EVENTS if self._broker[0] else Capability.NONE)
        base |= Capability.LIVE_MIGRATION | Capability.EVACUATION if self._address.hypervisor else Capability.NONE
        if self._asks_diagnostics and (region is None or region.diagnostics.is_offered(self._address.hypervisor)):
            base |= Capability.STATS
        if region is None:
            return base
        more = {
            Capability.LOAD_BALANCERS: region.has_balancers,
            Capability.BALANCER_TLS: region.has_balancers and region.has_key_manager,
            Capability.DEPARTMENTS: region.projects.is_per_department,
        }
        return reduce(or_, (power for power, is_there in more.items() if is_there), base & ~region.missing)

    @cached_property
    def _broker(self) -> tuple[str, str | None]:
        return broker_of(self._address.cloud)

    @cached_property
    def _asks_diagnostics(self) -> bool:
        return asks_diagnostics(self._address.cloud)

    def look_bound_s(self) -> float:
        """Return the longest that a look may take: it is one at the whole region, which another host may just be having."""
        return self._look_bound_s

    @cached_property
    def _look_bound_s(self) -> float:
        return look_bound_of(self._address.cloud)

    def stats(self) -> Sequence[InstanceStats]:
        """Return counters of running machines of this host, as many as may be asked for now; those who waited longest.

        Raises:
            CapabilityMissing: ``clouds.yaml`` does not ask for them, or the region or hypervisor refuses.
        """
        if Capability.STATS not in self.capabilities():
            raise CapabilityMissing("driver.capability_missing", capability="stats")
        region = self._region
        listing = region.listing()
        region.diagnostics.forget_all_but(s.server_id for s in listing.servers)
        return region.diagnostics.of([s for s in listing.servers if self._is_mine(s.mark)])

    def subscribe(self, listener: Callable[[DriverEvent], None]) -> None:
        """Call ``listener`` when the region tells of a machine of this host; nobody waits for its broker.

        Raises:
            CapabilityMissing: ``clouds.yaml`` names no broker.
        """
        url, ca_file = self._broker
        if not url:
            raise CapabilityMissing("driver.capability_missing", capability="events")
        with self._lock:
            if self._notices is None:
                self._notices = BROKERS.take(url, ca_file, self._context.clock)
            self._notices.subscribe(self._context.host_id, listener)

    def events_problem(self) -> Problem | None:
        """Return why the region's broker is not heard."""
        notices = self._notices
        return None if notices is None else notices.problem

    def inspect_host(self) -> HostFacts:
        """Read what the hypervisors have, from Placement, the storage, from Cinder, and what the region never does."""
        facts, region = self._inspect(), self._region
        lacks = (NETWORKS,) if Capability.NETWORKS in region.missing else ()
        return replace(facts, lacks=lacks, sizes=flavors.existing_sizes(region))

    def _inspect(self) -> HostFacts:
        region, address = self._region, self._address
        if address.zone:
            region.zones.require(address.cloud, address.zone)
        chosen = region.inventory.choose(address)
        if chosen is None:
            return self._facts_of_project()
        if not chosen.hypervisors:
            known = ", ".join(chosen.known) or "—"
            raise Permanent("openstack.hypervisor_unknown", name=address.hypervisor or address.cloud, known=known)
        providers = region.inventory.providers()
        head, *others = chosen.hypervisors
        first = region.inventory.describe(head, providers.get(head.provider_id))
        return host_facts(
            address.hypervisor or address.cloud,
            [first, *others],
            providers,
            self._storage(len(chosen.known) if address.hypervisor else self._zone_count(), chosen, self._listed_where_local()),
            arch=region.settings.arch,
            service_versions=tuple(v.text for v in region.versions),
            # Networks and disks are the region's: each of its hypervisors has them.
            scope=address.cloud if address.hypervisor else "",
            places=places_of(first.service_host, chosen.aggregates or []) if address.hypervisor else self._own_place(),
        )

    def _facts_of_project(self) -> HostFacts:
        """Return what a credential may have that may not look at hypervisors: its project's limits are the capacity."""
        region = self._region
        return project_facts(
            self._address.cloud,
            region.compute_limits(),
            self._storage(self._zone_count(), None, None),
            arch=region.settings.arch,
            service_versions=tuple(v.text for v in region.versions),
            places=self._own_place(),
        )

    def _own_place(self) -> tuple[str, ...]:
        """Return what a zone that is one host is asked for by; a whole region is in none."""
        trait = trait_of(ZONE_WORD, self._address.zone)
        return (trait,) if trait else ()

    def _zone_count(self) -> int:
        """Return how many hosts the region may be, where this one is not a hypervisor."""
        return len(self._region.zones.names().compute) if self._address.zone else 1

    def _storage(self, share_count: int, chosen: Chosen | None, listing: Listing | None) -> tuple[StorageFacts, ...]:
        """Return the region's storage, shared out, and the disks of these hypervisors themselves."""
        region = self._region
        used_gib = self._local_gib(listing.servers) if listing is not None else 0
        return (*storage_facts(*region.storage(), share_count), *local_disks.storage_of(region, chosen, used_gib))

    def _listed_where_local(self) -> Listing | None:
        region = self._region
        return region.listing() if region.settings.local_storage else None

    def _local_gib(self, machines: Iterable[ServerReading]) -> int:
        return sum(s.local_gib for s in machines if self._is_here(s))

    def observe(self) -> HostObservation:
        """Read every machine, disk and network of this host.

        Raises:
            Transient: ``driver.unreachable``: the region does not answer, or its hypervisor does not report in.
        """
        listing = self._region.listing()
        self._require_alive(listing)
        ours = [s for s in listing.servers if self._is_mine(s.mark)]
        others = [s for s in listing.servers if self._is_foreign(s)]
        owners = self._region.projects.names({s.project_id for s in others})
        disks, share_count, theirs = listing.disks, self._share_count(listing), self._disks_of(others, listing)
        segment_ids = frozenset(ResourceId(n.mark.resource_id) for n in listing.networks if self._is_mine(n.mark))
        seen = [observed_of(s, disks, cards.nics_of(self._region, listing.ports.get(s.server_id, ()))) for s in ours]
        return HostObservation(
            instances=tuple(sorted(seen, key=lambda i: i.instance_id)),
            foreign=tuple(sorted((foreign_of(s, owners, theirs[s.server_id]) for s in others), key=lambda f: f.uuid)),
            volume_ids=self._volume_ids(listing, ours),
            segment_ids=segment_ids,
            loose_segment_ids=segment_ids & listing.loose_segment_ids,
            observed_at_s=listing.at_s,
            storage_available_gib={s.name: s.available_gib for s in self._storage(share_count, self._chosen(), listing)},
            storage_foreign_gib=foreign_storage(*self._region.storage(), listing.volumes, share_count)
            | self._foreign_here(others),
            foreign_disks_age_s=self._region.settings.whole_listing_s,
        )

    def _disks_of(self, others: Iterable[ServerReading], listing: Listing) -> Disks:
        """Return the disks of machines that are not ours. Who sees Cinder's pools sees the volumes of everybody."""
        region = self._region
        is_all_seen = region.storage()[1] is not None
        local = region.settings.local_storage
        return disks_of_others(others, listing.volumes, local_storage=local, is_all_seen=is_all_seen)

    def _volume_ids(self, listing: Listing, ours: Iterable[ServerReading]) -> frozenset[ResourceId]:
        """Return the disks of ours: volumes, and with their machines the root disks that are none."""
        marks = [v.mark for v in listing.volumes] + [s.mark for s in ours if s.is_local]
        return frozenset(ResourceId(mark.resource_id) for mark in marks if mark is not None and self._is_mine(mark))

    def _chosen(self) -> Chosen | None:
        """Return the hypervisors of this host, where their own disks are to be known."""
        region = self._region
        return region.inventory.choose(self._address) if region.settings.local_storage else None

    def _foreign_here(self, others: Iterable[ServerReading]) -> dict[str, int]:
        """Return what others take of the hypervisors' own disks; nothing is said where this credential may not see them all."""
        region = self._region
        name = region.settings.local_storage
        return {name: self._local_gib(others)} if name and region.projects.listing_scope() else {}

    def _share_count(self, listing: Listing) -> int:
        return len(listing.alive or ()) if self._address.hypervisor else self._zone_count()

    def _require_alive(self, listing: Listing) -> None:
        name = self._address.hypervisor
        if name and listing.alive is not None and name not in listing.alive:
            raise Transient("driver.unreachable", delay_s=5.0, connection=self._address.text)

    def _is_mine(self, mark: Mark | None) -> bool:
        return mark is not None and mark.host_id == self._context.host_id

    def _is_foreign(self, server: ServerReading) -> bool:
        # One with a mark that is not ours is another platform's, or was moved here behind our back: it takes room here.
        is_expected = server.mark is not None and server.mark.going == self._place
        return self._is_here(server) and not (self._is_mine(server.mark) or is_expected)

    def _is_here(self, server: ServerReading) -> bool:
        return self._address.hypervisor in ("", server.hypervisor) and self._address.zone in ("", server.zone)

    @property
    def _place(self) -> Place:
        return Place(self._context.host_id, self._address.hypervisor)

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        """Read one machine; None only when the region answered that there is none."""
        found = servers.find_server(self._region, instance_id)
        return None if found is None or not self._is_mine(found.mark) else self._with_cards(found)

    def _with_cards(self, server: ServerReading) -> ObservedInstance:
        nics = cards.nics_of(self._region, cards.ports_of(self._region, server))
        return replace(self._observed(server), nics=nics)

    def _observed(self, server: ServerReading) -> ObservedInstance:
        return observed_of(server, changes.known_disks(self._region, server))

    def console_log(self, instance_id: ResourceId, max_bytes: int) -> bytes:
        """Return the end of the serial log; empty where the region has none of this machine."""
        region = self._region
        found = servers.find_server(region, instance_id)
        if found is None:
            return b""
        answer = region.calls.find("console", lambda: region.sdk.compute.get_server_console_output(found.server_id))
        text = str((answer or {}).get("output") or "")
        return text.encode()[-max_bytes:] if max_bytes > 0 else b""

    # --- networks, images and disks ----------------------------------------------------------------------------------

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        """Have the image in the region, its hash checked on both sides."""
        if not self._region.settings.is_local(storage_pool):
            volumes.require_pool(self._region, storage_pool)
        images.ensure_image(self._region, image)

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        """Have the department network with exactly these address entries."""
        networks.ensure_segment(self._region, request, self._mark(request.segment_id, fence, department=request.department))

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        """Have no such network."""
        networks.ensure_segment_absent(self._region, segment_id, fence)

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        """Have the disk, ready; of one on the hypervisor, all that it is made of with its machine."""
        if self._region.settings.is_local(request.storage_pool):
            local_disks.ensure_root(self._region, request, fence)
            return
        mark = self._mark(request.volume_id, fence, department=request.department)
        volumes.ensure_volume(self._region, request, mark, request.department, zone=self._address.zone)

    def ensure_volume_absent(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:  # noqa: ARG002  ids are unique in a region
        """Have no such disk; one on the hypervisor goes with its machine only."""
        local_disks.refuse_in_use(self._region, volume_id, self._context.host_id, fence)
        volumes.ensure_volume_absent(self._region, volume_id, self._context.host_id, fence)

    # --- machines ----------------------------------------------------------------------------------------------------

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        """Have the machine as asked for. A region starts what it makes: a new one is stopped again at once."""
        server, is_new = self._have(request, fence)
        if is_new:
            power.ensure_stopped(self._region, server, fence)

    def ensure_launched(self, request: MachineRequest, fence: int) -> ObservedInstance:
        """Have the machine as asked for, and running."""
        server, _is_new = self._have(request, fence)
        return self._run(server, fence)

    def _have(self, request: MachineRequest, fence: int) -> tuple[ServerReading, bool]:
        region, hypervisor = self._region, self._address.hypervisor
        mark = self._mark(request.instance_id, fence, system=request.system, department=request.department)
        server, is_new = servers.ensure_server(region, request, mark, hypervisor, self._address.zone)
        if not is_new:
            server = changes.end_resize(region, server, request)
            server = servers.take_fence(region, server, fence)
            # Before what has to wait for a stop: nothing may hold the guest back now.
            cards.ensure_cards(region, server, request, port_mark(request.instance_id, self._context.host_id))
            server = changes.ensure_size(region, server, request, hypervisor)
            server = changes.ensure_disks(region, server, request)
        return server, is_new

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        """Have it running."""
        return self._run(servers.take_at_rest(self._region, instance_id, fence), fence)

    def _run(self, server: ServerReading, fence: int) -> ObservedInstance:
        return self._observed(power.ensure_running(self._region, server, fence))

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:  # noqa: ARG002  Nova itself asks the guest first, for the time its image or the region says
        """Have it stopped."""
        server = servers.take_at_rest(self._region, instance_id, fence)
        return self._observed(power.ensure_stopped(self._region, server, fence))

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        """Carry out one ordered restart and see it running again; a stopped machine is started."""
        region = self._region
        server = servers.take_at_rest(region, instance_id, fence)
        is_done = server.mark is not None and server.mark.reboots >= number
        if is_done or state_of(server) is not Observed.RUNNING:
            running = self._run(server, fence)
        else:
            kind, compute = "SOFT" if graceful_s > 0 else "HARD", region.sdk.compute
            servers.act(region, server, "reboot", lambda: compute.reboot_server(server.server_id, kind), until=Observed.RUNNING)
            running = self._seen(server)
        if not is_done:
            servers.write_metadata(region, server, reboot_values(number))
        return running

    def _seen(self, server: ServerReading) -> ObservedInstance:
        region = self._region
        seen = servers.look_at(region, server.server_id)
        if seen is None:
            raise Transient("driver.instance_missing", instance_id=server.name)
        return self._observed(seen)

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:  # noqa: ARG002  ids are unique in a region
        """Have no machine, no root disk and no port of that id."""
        region = self._region
        found = servers.find_server(region, instance_id)
        if found is not None and self._is_mine(found.mark):
            servers.check_fence(found, fence)
            servers.delete_server(region, found)
            found = None
        elif found is None and (root := volumes.find_volume(region, instance_id)) is not None:
            servers.delete_held(region, instance_id, root.server_ids, self._context.host_id, fence)
        elif found is None and region.settings.local_storage:
            servers.delete_unlisted(region, instance_id, self._context.host_id, fence)
        volumes.ensure_volume_absent(region, instance_id, self._context.host_id, fence)
        # A create that died between its ports and its machine leaves them attached to nothing.
        for port in networks.ports_of(region, description=mark_text(port_mark(instance_id, self._context.host_id))):
            if found is None or port.device_id != found.server_id:
                networks.delete_port(region, port)
        if not self._address.hypervisor:
            server_groups.ensure_no_empty_group(region, self._context.host_id)

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        """Have the machine run on another hypervisor of the region, marked as that host's."""
        self._require_hypervisor("live_migration")
        target = Place(request.target_id, parse_address(request.target_connection).hypervisor)
        return self._with_cards(migrations.ensure_migrated(self._region, request, self._place, target, fence))

    def ensure_not_migrating(self, instance_id: ResourceId, fence: int) -> ObservedInstance | None:
        """Have no migration of it under way; one that had ended elsewhere is finished, and the machine is not here."""
        self._require_hypervisor("live_migration")
        kept = migrations.ensure_kept(self._region, instance_id, self._place, fence)
        return None if kept is None else self._with_cards(kept)

    def ensure_evacuated(self, request: MachineRequest, fence: int) -> ObservedInstance | None:
        """Have a machine on this hypervisor that another one was lost with, marked as this host's."""
        self._require_hypervisor("evacuation")
        found = evacuation.ensure_evacuated(self._region, request, self._place, fence)
        return None if found is None else self._with_cards(found)

    def ensure_abandoned(self, instance_id: ResourceId, fence: int) -> None:
        """Have no such machine, and its disks marked as this host's."""
        self._require_hypervisor("evacuation")
        evacuation.ensure_abandoned(self._region, instance_id, self._place, fence)

    def _require_hypervisor(self, capability: str) -> None:
        if not self._address.hypervisor:
            raise CapabilityMissing("driver.capability_missing", capability=capability)

    def _mark(self, resource_id: ResourceId, fence: int, *, system: str = "", department: str = "") -> Mark:
        return Mark(resource_id=resource_id, fence=fence, host_id=self._context.host_id, system=system, department=department)
