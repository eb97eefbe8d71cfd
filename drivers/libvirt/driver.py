"""The libvirt driver: the verbs of ``drivers.protocol`` on one host.

Every verb that changes something looks for our mark, checks the fence, acts, and looks again. Translation is in the pure
modules beside (``domain_xml``, ``network_xml``, ``volume_xml``); this module is the order of things.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import libvirt

from drivers.faults import Permanent, Transient
from drivers.libvirt import machines, names, segments
from drivers.libvirt.connection import Connection
from drivers.libvirt.domain_xml import (
    DomainReading,
    HostProfile,
    MachineFiles,
    card_text,
    detach_text,
    disk_text,
    domain_text,
    mark_of,
    read_domain,
)
from drivers.libvirt.events import Watch
from drivers.libvirt.host_facts import arch_of, read_host
from drivers.libvirt.looks import Looks, nics_of
from drivers.libvirt.seed import seed_digest, seed_image
from drivers.libvirt.storage import StorePool
from drivers.libvirt.virtualisation import find_virtualisation
from drivers.libvirt.xml_tree import attribute, parse
from drivers.protocol import (
    Capability,
    ComputeDriver,
    DriverContext,
    DriverEvent,
    HostObservation,
    ImageSource,
    InstanceStats,
    MachineRequest,
    ObservedInstance,
    SegmentRequest,
    VolumeRequest,
)
from inventory.domain.errors import CapabilityMissing
from inventory.domain.host import HostFacts
from inventory.domain.ids import ResourceId
from inventory.domain.layout import text_of
from inventory.domain.resource import Observed

_T = TypeVar("_T")

#: A guest that was asked to shut down is asked again this often: a booting one does not hear the first time.
ASK_AGAIN_S = 5.0
#: QEMU is gone within moments of being killed, unless the host's storage hangs.
FORCE_TIMEOUT_S = 15.0
DETACH_TIMEOUT_S = 30.0
START_TIMEOUT_S = 15.0
RESET_TIMEOUT_S = 10.0
EVENT_TIMEOUT_S = 1.0

#: What libvirt says of a disk whose detachment is under way, or was completed between two looks.
_DETACH_PENDING = (libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_DEVICE_MISSING)

_TEST_CAPABILITIES = Capability.EVENTS | Capability.RESIZE_COLD | Capability.NETWORKS | Capability.STATS
_ALL_CAPABILITIES = _TEST_CAPABILITIES | Capability.CONSOLE_LOG | Capability.ATTACH_LIVE | Capability.DIRECT_KERNEL_BOOT


def open_driver(context: DriverContext) -> ComputeDriver:
    """Return the driver of one host; it connects with its first verb."""
    return LibvirtDriver(context)


class LibvirtDriver:
    """One host with libvirtd."""

    def __init__(self, context: DriverContext) -> None:
        self._context = context
        self._watch = Watch(context.clock)
        self._connection = Connection(context.connection, self._watch)
        self._looks = Looks(self._watch, has_filters=self._connection.has_filters)
        #: What was found by trying, with the generation of the connection it was found on.
        self._profile: tuple[int, HostProfile] | None = None
        self._filtering: int | None = None

    # --- reading -----------------------------------------------------------------------------------------------------

    def capabilities(self) -> Capability:
        """Return the powers of this back end; the test driver keeps machines in memory only."""
        return _TEST_CAPABILITIES if self._connection.is_test else _ALL_CAPABILITIES

    def inspect_host(self) -> HostFacts:
        """Read what the host is, virtualisation found by trying."""
        with self._connection.calling("inspect_host", changes=False) as connection:
            profile = self._host_profile(connection)
            storage = sorted(self._of_each_pool(connection, StorePool.facts), key=lambda s: s.name)
            return read_host(connection, profile.virtualisation, tuple(storage), is_test=self._connection.is_test)

    def observe(self) -> HostObservation:
        """Read every machine, disk and network."""
        with self._connection.calling("observe", changes=False) as connection:
            now_s = self._context.clock()
            instances, foreign = [], []
            domains = connection.listAllDomains()
            stored = {d.UUIDString() for d in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)}
            self._looks.forget_but({d.UUIDString() for d in domains})
            for domain in domains:
                if (seen := self._unless_gone(self._look, domain, stored)) is not None:
                    instances.append(seen)
                elif (other := self._unless_gone(machines.foreign_of, domain)) is not None:
                    foreign.append(other)
            holdings = self._of_each_pool(connection, _holdings)
            return HostObservation(
                instances=tuple(sorted(instances, key=lambda i: i.instance_id)),
                foreign=tuple(sorted(foreign, key=lambda f: f.uuid)),
                volume_ids=frozenset[ResourceId]().union(*(h.disk_owners for h in holdings)),
                segment_ids=segments.segment_ids(connection),
                observed_at_s=now_s,
                storage_available_gib={h.pool: h.available_gib for h in holdings},
                storage_foreign_gib={h.pool: h.foreign_gib for h in holdings},
            )

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        """Read one machine; None only when libvirt answered that there is none."""
        with self._connection.calling("observe_instance", changes=False) as connection:
            domain = machines.find_domain(connection, instance_id)
            return None if domain is None else self._unless_gone(self._look, domain)

    def console_log(self, instance_id: ResourceId, max_bytes: int) -> bytes:
        """Return the end of the serial log, read through the storage API."""
        self._require(Capability.CONSOLE_LOG)
        with self._connection.calling("console_log", changes=False) as connection:
            domain = machines.find_domain(connection, instance_id)
            if domain is None:
                return b""
            volume = connection.storageVolLookupByPath(_console_path(domain))
            pool = self._pool(connection, volume.storagePoolLookupByVolume().name())
            size_bytes = pool.size_bytes(volume.name())
            log = bytearray()
            pool.read(volume.name(), log.extend, offset=max(0, size_bytes - max_bytes))
            return bytes(log[-max_bytes:])

    def stats(self) -> Sequence[InstanceStats]:
        """Return the counters of every running machine of ours in one call."""
        with self._connection.calling("stats", changes=False) as connection:
            if self._connection.is_test:
                records = connection.getAllDomainStats(
                    libvirt.VIR_DOMAIN_STATS_STATE, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING
                )
            else:
                records = connection.getAllDomainStats(machines.STATS_WANTED, machines.STATS_FLAGS)
            ours = ((d.name(), record) for d, record in records if machines.is_named_as_ours(d.name(), d.UUIDString()))
            return tuple(machines.stats_of(ResourceId(name), record) for name, record in sorted(ours, key=lambda item: item[0]))

    def subscribe(self, listener: Callable[[DriverEvent], None]) -> None:
        """Call ``listener`` from libvirt's event thread when a machine moves or the connection breaks."""
        self._watch.subscribe(listener)
        # A host that is down now is heard as soon as any verb reaches it: lost events are allowed.
        with suppress(Transient):
            self._connection.open()

    # --- networks, images and disks ----------------------------------------------------------------------------------

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        """Have the image in the pool, verified by reading it back."""
        with self._connection.calling("ensure_image", changes=True) as connection:
            self._pool(connection, storage_pool).ensure_image(image)

    def ensure_image_absent(self, sha256: str, storage_pool: str) -> None:
        """Have no copy of an image in the pool; the caller knows that no disk stands on it (not part of the protocol)."""
        with self._connection.calling("ensure_image_absent", changes=True) as connection:
            self._pool(connection, storage_pool).remove_image(sha256)

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        """Have the department network with exactly these addresses."""
        with self._connection.calling("ensure_segment", changes=True) as connection:
            segments.ensure_segment(connection, request, fence, is_test=self._connection.is_test)

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        """Have no such network."""
        with self._connection.calling("ensure_segment_absent", changes=True) as connection:
            segments.ensure_segment_absent(connection, segment_id, fence, is_test=self._connection.is_test)

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        """Have the disk."""
        with self._connection.calling("ensure_volume", changes=True) as connection:
            pool = self._pool(connection, request.storage_pool)
            pool.take_fence(request.volume_id, fence)
            pool.ensure_disk(request)

    def ensure_volume_absent(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Have no such disk; one that is still attached is refused.

        Raises:
            Transient: ``driver.volume_in_use``.
        """
        with self._connection.calling("ensure_volume_absent", changes=True) as connection:
            pool = self._pool(connection, storage_pool)
            pool.take_fence(volume_id, fence)
            path = pool.path(names.volume_name(volume_id))
            for domain in connection.listAllDomains():
                reading = self._unless_gone(_reading_of, domain)
                if reading is not None and any(path == used for _, used in reading.disks):
                    raise Transient("driver.volume_in_use", volume_id=volume_id, machine=domain.name())
            pool.remove_all_of(volume_id)

    # --- machines ----------------------------------------------------------------------------------------------------

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        """Have the definition, the seed, the disks and cards as asked; a running machine must be stopped for the rest.

        Raises:
            Transient: ``driver.must_be_stopped``, processors, memory or seat differ and it runs.
        """
        with self._connection.calling("ensure_defined", changes=True) as connection:
            domain = machines.find_domain(connection, request.instance_id)
            if domain is None:
                machines.refuse_foreign(connection, request.instance_id)
            running = domain if domain is not None and domain.isActive() else None
            before = machines.check_fence(domain, request.instance_id, fence) if domain is not None else None
            mark = mark_of(request, fence, before.reboots if before is not None else 0)
            if running is not None:
                reading = _reading_of(running)
                self._ensure_cards_live(connection, running, request, reading)
                _refuse_cold_changes(request, reading)
                if reading.data_disks.keys() != {d.volume_id for d in request.disks}:
                    self._require(Capability.ATTACH_LIVE)
            files = self._ensure_files(connection, request, is_new=domain is None)
            profile = self._host_profile(connection)
            connection.defineXML(domain_text(request, mark, profile, files))
            if running is not None:
                self._ensure_disks_live(running, request, profile, files)
                machines.write_mark(running, mark)

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        """Have it running: started, or released where the hypervisor holds it."""
        with self._connection.calling("ensure_running", changes=True) as connection:
            domain = self._take(connection, instance_id, fence)
            state, _ = domain.state()
            before = self._watch.moves(instance_id)
            if state == libvirt.VIR_DOMAIN_PAUSED:
                domain.resume()
            elif state == libvirt.VIR_DOMAIN_PMSUSPENDED:
                domain.pMWakeup()
            elif not domain.isActive():
                self._ready_to_start(connection, domain)
                domain.create()
            else:
                return self._see(domain, Observed.RUNNING, START_TIMEOUT_S)
            self._hear(instance_id, before)
            return self._see(domain, Observed.RUNNING, START_TIMEOUT_S)

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        """Have it stopped: asked for ``graceful_s``, then by force."""
        with self._connection.calling("ensure_stopped", changes=True) as connection:
            domain = self._take(connection, instance_id, fence)
            before, was_active = self._watch.moves(instance_id), domain.isActive()
            self._stop(domain, graceful_s)
            if was_active:
                self._hear(instance_id, before)
            return self._see(domain, Observed.STOPPED, FORCE_TIMEOUT_S)

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        """Reboot: asked for ``graceful_s``, then by the reset button; a stopped machine is started."""
        with self._connection.calling("reboot", changes=True) as connection:
            domain = self._take(connection, instance_id, fence)
            mark = machines.check_fence(domain, instance_id, fence)
            if mark.reboots >= number:
                return self._see(domain, Observed.RUNNING, RESET_TIMEOUT_S)
            if domain.isActive() and not self._reboot_politely(domain, graceful_s):
                domain.reset()
            # A guest may take the request for a wish to be off.
            if not domain.isActive():
                self._ready_to_start(connection, domain)
                domain.create()
            machines.write_mark(domain, replace(mark, reboots=number))
            return self._see(domain, Observed.RUNNING, RESET_TIMEOUT_S)

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Have no machine, no root disk, no seed and no log of that id."""
        with self._connection.calling("ensure_absent", changes=True) as connection:
            domain = machines.find_domain(connection, instance_id)
            if domain is not None:
                machines.take_fence(domain, instance_id, fence)
                self._force_off(domain)
                self._undefine(domain)
            pool = self._pool(connection, storage_pool)
            pool.take_fence(instance_id, fence)
            pool.remove_all_of(instance_id)

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    # --- parts -------------------------------------------------------------------------------------------------------

    def _pool(self, connection: Any, name: str) -> StorePool:
        return StorePool.named(connection, name, has_streams=not self._connection.is_test)

    def _host_profile(self, connection: Any) -> HostProfile:
        generation = self._connection.generation
        if self._profile is None or self._profile[0] != generation:
            arch = arch_of(connection.getCapabilities())
            virtualisation = "test" if self._connection.is_test else find_virtualisation(connection, arch)
            has_filters = self._connection.has_filters
            self._profile = (generation, HostProfile(virtualisation=virtualisation, arch=arch, has_filters=has_filters))
        return self._profile[1]

    def _of_each_pool(self, connection: Any, read: Callable[[StorePool], _T]) -> list[_T]:
        """Return what ``read`` says of each active pool of storage that is still there when its turn comes."""
        said = []
        for found in connection.listAllStoragePools():
            try:
                if found.isActive() and not segments.is_look(found.name()):
                    said.append(read(StorePool(connection, found, has_streams=not self._connection.is_test)))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_POOL:
                    raise
        return said

    def _unless_gone(self, read: Callable[..., Any], domain: Any, *arguments: Any) -> Any:
        """Return what ``read`` says; None if the domain went away between the list and the look."""
        try:
            return read(domain, *arguments)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            return None

    def _look(self, domain: Any, stored: Collection[str] | None = None) -> ObservedInstance | None:
        """Return a machine of ours; ``stored`` are the UUIDs with a definition, where those were listed already."""
        is_stored = bool(domain.isPersistent()) if stored is None else domain.UUIDString() in stored
        return self._looks.observed_of(domain, is_stored=is_stored)

    def _take(self, connection: Any, instance_id: ResourceId, fence: int) -> Any:
        domain = machines.find_domain(connection, instance_id)
        if domain is None:
            # Transient: somebody may have removed it; the caller looks again and decides.
            raise Transient("driver.instance_missing", delay_s=0.0, instance_id=instance_id)
        machines.take_fence(domain, instance_id, fence)
        return domain

    def _require(self, power: Capability) -> None:
        if power not in self.capabilities():
            raise CapabilityMissing("driver.capability_missing", capability=str(power.name).lower())

    def _hear(self, instance_id: ResourceId, before: int) -> None:
        """Give the event of an act a moment to arrive: it carries the time of the change."""
        self._watch.wait(lambda: self._watch.moves(instance_id) > before, EVENT_TIMEOUT_S)

    def _see(self, domain: Any, wanted: Observed, timeout_s: float) -> ObservedInstance:
        """Wait until the machine is seen in the wished state."""
        self._watch.wait(lambda: machines.state_of(*domain.state())[0] is wanted, timeout_s)
        seen = self._look(domain)
        if seen is None or seen.state is not wanted:
            reason = "" if seen is None else f"{seen.state.value} {seen.reason}".strip()
            raise Transient("driver.not_reached", instance=domain.name(), wanted=wanted.value, found=reason)
        return seen

    def _ensure_files(self, connection: Any, request: MachineRequest, *, is_new: bool) -> MachineFiles:
        pool = self._pool(connection, request.root.storage_pool)
        seed = names.seed_name(request.instance_id, seed_digest(request))
        # A seed whose machine was never defined may have been cut short.
        if is_new or pool.find(seed) is None:
            pool.write_bytes(seed, seed_image(request))
        console = names.console_name(request.instance_id)
        pool.touch(console)
        image = request.root.image
        return MachineFiles(
            root=pool.disk_path(request.root.volume_id),
            seed=pool.path(seed),
            console=pool.path(console),
            data={d.volume_id: self._pool(connection, d.storage_pool).disk_path(d.volume_id) for d in request.disks},
            kernel=pool.path(names.kernel_name(image.sha256)) if image and image.kernel_path else "",
            initrd=pool.path(names.initrd_name(image.sha256)) if image and image.initrd_path else "",
        )

    def _ensure_cards_live(self, connection: Any, domain: Any, request: MachineRequest, reading: DomainReading) -> None:
        """Have each wanted card in its network and behind its filter, before anything else: nothing holds the guest back."""
        present = {nic.mac: nic for nic in nics_of(reading, has_filters=self._connection.has_filters)}
        wrong = [n for n in request.nics if n.mac not in present or not present[n.mac].is_at(n.segment_id, n.address)]
        if not wrong:
            return
        self._require(Capability.ATTACH_LIVE)
        profile = self._host_profile(connection)
        for nic in wrong:
            segments.ensure_active(connection, nic.segment_id, has_filters=profile.has_filters)
            act = domain.updateDeviceFlags if nic.mac in present else domain.attachDeviceFlags
            act(card_text(nic, profile), libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def _ensure_disks_live(self, domain: Any, request: MachineRequest, profile: HostProfile, files: MachineFiles) -> None:
        reading = _reading_of(domain)
        present, wanted = reading.data_disks, {d.volume_id: d for d in request.disks}
        for volume_id in sorted(present.keys() - wanted.keys()):
            self._detach_live(domain, volume_id, reading)
        for volume_id in sorted(wanted.keys() - present.keys(), key=lambda v: wanted[v].slot):
            text = disk_text(wanted[volume_id], files.data[volume_id], profile)
            domain.attachDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def _detach_live(self, domain: Any, volume_id: ResourceId, reading: DomainReading) -> None:
        target = reading.data_disks[volume_id]
        text = detach_text(target, dict(reading.disks)[target])
        # libvirt's answer only means that the guest was asked. One that still boots does not hear, so it is asked again;
        # until it answers, QEMU may call the repeated request an error.
        left_s = DETACH_TIMEOUT_S
        while left_s > 0:
            self._ask_to_detach(domain, text)
            if self._watch.wait(lambda: volume_id not in _reading_of(domain).data_disks, min(left_s, ASK_AGAIN_S)):
                return
            left_s -= ASK_AGAIN_S
        raise Transient("driver.detach_pending", volume_id=volume_id, instance=domain.name())

    def _ask_to_detach(self, domain: Any, text: str) -> None:
        try:
            domain.detachDeviceFlags(text, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as error:
            if error.get_error_code() not in _DETACH_PENDING:
                raise

    def _ready_to_start(self, connection: Any, domain: Any) -> None:
        """Have the networks up, and refuse to start a guest that nothing would hold back."""
        reading = _reading_of(domain)
        for network_name in sorted(reading.networks):
            segments.ensure_active(connection, ResourceId(network_name), has_filters=self._connection.has_filters)
        if reading.cards and self._connection.has_filters:
            self._check_filtering(connection)

    def _check_filtering(self, connection: Any) -> None:
        if self._filtering == self._connection.generation:
            return
        if not segments.filters_bridged_frames(connection):
            raise Permanent("driver.filters_off", setting="net.bridge.bridge-nf-call-iptables")
        self._filtering = self._connection.generation

    def _stop(self, domain: Any, graceful_s: float) -> None:
        # The agent where it answers, else the power button; asked again, for a guest that was still booting.
        left_s = graceful_s
        while left_s > 0 and domain.isActive() and domain.state()[0] != libvirt.VIR_DOMAIN_PAUSED:
            _ask(domain.shutdown)
            step_s = min(left_s, ASK_AGAIN_S)
            if self._watch.wait(lambda: not domain.isActive(), step_s):
                return
            left_s -= step_s
        self._force_off(domain)

    def _force_off(self, domain: Any) -> None:
        if not domain.isActive():
            return
        try:
            domain.destroy()
        except libvirt.libvirtError as error:
            # It stopped by itself in between.
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID or domain.isActive():
                raise

    def _reboot_politely(self, domain: Any, graceful_s: float) -> bool:
        before, name = self._watch.reboots(domain.name()), domain.name()
        if graceful_s <= 0 or not _ask(domain.reboot):
            return False
        return self._watch.wait(lambda: self._watch.reboots(name) > before or not domain.isActive(), graceful_s)

    def _undefine(self, domain: Any) -> None:
        if self._connection.is_test:
            domain.undefine()
        else:
            domain.undefineFlags(machines.UNDEFINE_FLAGS)


def _reading_of(domain: Any) -> DomainReading:
    return read_domain(domain.XMLDesc())


def _console_path(domain: Any) -> str:
    return attribute(parse(domain.XMLDesc()), "./devices/serial/source", "path")


def _ask(request: Callable[[], object]) -> bool:
    """Ask the guest; a guest that cannot hear now is not an error, force comes later."""
    deaf = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED, libvirt.VIR_ERR_OPERATION_INVALID)
    try:
        request()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in deaf:
            raise
        return False
    return True


def _refuse_cold_changes(request: MachineRequest, reading: DomainReading) -> None:
    if (request.vcpu_count, request.memory_mib, text_of(request.seat)) != (reading.vcpu_count, reading.memory_mib, reading.seat):
        raise Transient("driver.must_be_stopped", instance=request.instance_id)


class _Holdings(NamedTuple):
    """What is in a storage pool."""

    pool: str
    #: Instances and volumes of ours whose disks are there.
    disk_owners: frozenset[ResourceId]
    available_gib: int
    foreign_gib: int


def _holdings(pool: StorePool) -> _Holdings:
    pool.refresh()
    owners = (names.disk_owner(name) for name in pool.file_names())
    ours = frozenset(o for o in owners if o is not None)
    return _Holdings(pool.name, ours, pool.facts().available_gib, pool.foreign_gib())
