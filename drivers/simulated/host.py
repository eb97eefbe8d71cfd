"""One simulated host: what its back end would do, without faults and without delay.

Every method expects the caller (the driver, or a drift of the world) to hold ``lock``. A call whose ground is gone (the
machine vanished behind our back) gets a ``Transient``; a call whose ground never was there is a bug of the caller and
gets ``ImpossibleState``, unless the world is lenient (``is_strict=False``: a world that was born with this process may
have forgotten what the controller's state still knows).

Nothing remembers the fence of what was deleted, because no real back end does either.
"""

from collections.abc import Callable
from dataclasses import replace

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.protocol import (
    DriverEvent,
    EventKind,
    HostObservation,
    ImageSource,
    InstanceStats,
    MachineRequest,
    MigrationRequest,
    NicRequest,
    ObservedForeign,
    ObservedInstance,
    SegmentRequest,
    VolumeRequest,
)
from drivers.simulated.cloud import Cloud
from drivers.simulated.fabric import Fabric
from drivers.simulated.processors import require_processors
from drivers.simulated.records import (
    HostSpec,
    ImpossibleState,
    Machine,
    PoolSpec,
    Volume,
    foreign_by_pool,
    guard,
    nics_of,
    refuse_cold_changes,
    stats_of,
    storage_facts,
    stored_of,
    take_stored,
)
from inventory.domain.clock import Clock
from inventory.domain.host import ForeignDisk, HostFacts
from inventory.domain.ids import ResourceId
from inventory.domain.layout import text_of
from inventory.domain.resource import Observed

#: How many deleted ids a host remembers, to tell "gone" from "never was".
MAX_GONE = 4096
_CONSOLE_LINES = "Linux version simulated\n{hostname} login: \n"


class SimulatedHost:
    """State and behaviour of one host."""

    __slots__ = (
        "_outbox",
        "breaks_migrations",
        "clock",
        "cloud",
        "connection",
        "fabric",
        "filled_gib",
        "foreign",
        "foreign_gib",
        "gone",
        "images",
        "is_strict",
        "knows_since",
        "late",
        "listeners",
        "lock",
        "machines",
        "name",
        "seeds",
        "segments",
        "shutdown_s",
        "spec",
        "stubborn",
        "unreachable_until_s",
        "upload_count",
        "volumes",
    )

    def __init__(
        self, name: str, spec: HostSpec, *, connection: str, clock: Clock, is_strict: bool, fabric: Fabric | None = None
    ) -> None:
        self.name, self.spec, self.clock, self.is_strict = name, spec, clock, is_strict
        #: How faults name this host.
        self.connection = connection
        #: Whether it can say since when a machine is as it is.
        self.knows_since = True
        self.fabric = fabric or Fabric()
        self.fabric.hosts.append(self)
        self.lock = self.fabric.lock
        self.machines: dict[ResourceId, Machine] = {}
        self.volumes: dict[ResourceId, Volume] = {}
        self.cloud = Cloud(self)
        self.segments = self.fabric.segments
        self.foreign: dict[str, ObservedForeign] = {}
        #: GiB of disks of others by (whose, storage pool): as large as they may grow.
        self.foreign_gib: dict[tuple[str, str], int] = {}
        #: (storage pool, SHA-256) of the images that were uploaded.
        self.images: set[tuple[str, str]] = set()
        self.upload_count = 0
        #: Seeds by instance: a digest of what the guest is told.
        self.seeds: dict[ResourceId, int] = {}
        self.gone = self.fabric.gone
        self.unreachable_until_s = 0.0
        #: A migration from here stops halfway, with half of the machine on the target.
        self.breaks_migrations = False
        #: Requests whose answer timed out and that take effect later: (when, what).
        self.late: list[tuple[float, Callable[[], object]]] = []
        self.listeners: list[Callable[[DriverEvent], None]] = []
        self._outbox: list[DriverEvent] = []
        #: How long a guest takes to shut down when asked politely, and the guests that never do.
        self.shutdown_s = 0.0
        self.stubborn: frozenset[ResourceId] = frozenset()
        #: GiB taken by others, by storage pool; our own disks are thin and take none.
        self.filled_gib: dict[str, int] | None = None

    # -- reading ------------------------------------------------------------------------------------------------------

    def facts(self) -> HostFacts:
        """Return what the host claims to be."""
        spec = self.spec
        return HostFacts(
            hostname=self.name,
            arch=spec.arch,
            virtualisation="simulated",
            cpu_count=spec.cpu_count,
            memory_mib=spec.memory_mib,
            cores=spec.cpu_count // spec.threads,
            threads=spec.threads,
            numa_nodes=max(1, spec.cells),
            cells=spec.numa(),
            cpu_model="simulated",
            machine_types=("simulated",),
            driver_version="1",
            hypervisor_version="simulated",
            storage=tuple(storage_facts(self.name, pool, self.available_gib(pool)) for pool in spec.pools),
            network_scope=spec.scope,
            disk_scope=spec.disks,
        )

    def available_gib(self, pool: PoolSpec) -> int:
        """Return what is free in a storage pool."""
        return pool.capacity_gib - (self.filled_gib or {}).get(pool.name, 0)

    def observe(self) -> HostObservation:
        """Return everything at this moment."""
        return HostObservation(
            instances=tuple([m.seen or self.look(m) for m in self.machines.values()]),
            foreign=tuple([replace(f, disks=self._disks_of(f.uuid)) for f in self.foreign.values()]),
            volume_ids=frozenset(self.volumes),
            segment_ids=frozenset(self.segments),
            observed_at_s=self.clock(),
            storage_available_gib={pool.name: self.available_gib(pool) for pool in self.spec.pools},
            storage_foreign_gib=foreign_by_pool(self.foreign_gib, self.spec.pools),
            loose_segment_ids=frozenset(s.segment_id for s in self.segments.values() if s.is_loose),
        )

    def _disks_of(self, uuid: str) -> tuple[ForeignDisk, ...]:
        """Return the disks of a machine that is not ours, each called by its storage pool."""
        own = sorted((pool, gib) for (whose, pool), gib in self.foreign_gib.items() if whose == uuid and gib)
        return tuple(ForeignDisk(uuid=f"{uuid}/{pool}", storage_pool=pool, size_gib=gib) for pool, gib in own)

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        """Return one machine, or None where there is none."""
        machine = self.machines.get(instance_id)
        return None if machine is None else machine.seen or self.look(machine)

    def look(self, machine: Machine) -> ObservedInstance:
        """Observe one machine and keep the observation until it changes."""
        machine.seen = ObservedInstance(
            instance_id=machine.instance_id,
            state=Observed.RUNNING if machine.is_running else Observed.STOPPED,
            fence=machine.fence,
            since_s=machine.since_s if self.knows_since else None,
            reason=machine.reason,
            vcpu_count=machine.vcpu_count,
            memory_mib=machine.memory_mib,
            volume_ids=machine.disks,
            nics=nics_of(machine),
            seat=text_of(machine.seat),
            stored=stored_of(machine),
        )
        return machine.seen

    def stats(self) -> list[InstanceStats]:
        """Return counters that grow with the time a machine runs, the same for the same clock."""
        now_s = self.clock()
        return [stats_of(m, max(0.0, now_s - m.since_s)) for m in self.machines.values() if m.is_running]

    def console_log(self, instance_id: ResourceId, max_bytes: int) -> bytes:
        """Return the end of what the machine wrote since it was defined."""
        machine = self.machine(instance_id)
        text = _CONSOLE_LINES.format(hostname=machine.hostname) * machine.boot_count
        return text.encode()[-max_bytes:] if max_bytes > 0 else b""

    # -- images and disks ---------------------------------------------------------------------------------------------

    def pool(self, name: str) -> PoolSpec:
        """Return a storage pool.

        Raises:
            Permanent: ``driver.storage_pool_missing``.
        """
        for pool in self.spec.pools:
            if pool.name == name:
                return pool
        raise Permanent("driver.storage_pool_missing", storage_pool=name)

    def _require_space(self, pool: PoolSpec) -> None:
        if self.available_gib(pool) <= 0:
            raise Permanent("driver.storage_full", storage_pool=pool.name, available_mib=0)

    def put_image(self, image: ImageSource, storage_pool: str, verify: Callable[[ImageSource], bool]) -> None:
        """Upload an image once, and keep it only when its bytes are what its hash says."""
        pool = self.pool(storage_pool)
        if (storage_pool, image.sha256) in self.images:
            return
        self._require_space(pool)
        self.upload_count += 1
        if not verify(image):
            raise Permanent("image.corrupt", image_id=image.image_id)
        self.images.add((storage_pool, image.sha256))

    def put_volume(self, request: VolumeRequest, fence: int) -> None:
        """Make the disk, or let it grow."""
        pool = self.pool(request.storage_pool)
        volume = self.volumes.get(request.volume_id)
        if volume is not None:
            self._keep_volume(volume, request, fence)
            return
        image = request.image
        if image is not None and (pool.name, image.sha256) not in self.images:
            self._refuse(
                "overlay without its image",
                Transient("driver.image_missing", image=image.image_id, storage_pool=pool.name),
            )
        self._require_space(pool)
        self.cloud.remember(request.department, request.volume_id)
        self.volumes[request.volume_id] = Volume(
            volume_id=request.volume_id,
            fence=fence,
            role=request.role,
            storage_pool=pool.name,
            size_gib=request.size_gib,
            image_sha256="" if image is None else image.sha256,
        )

    def _keep_volume(self, volume: Volume, request: VolumeRequest, fence: int) -> None:
        guard(volume.volume_id, volume.fence, fence)
        if volume.storage_pool != request.storage_pool or volume.role != request.role:
            raise ImpossibleState(f"{self.name}: disk {volume.volume_id} is in another pool or has another role")
        if request.image is not None and volume.image_sha256 != request.image.sha256:
            raise ImpossibleState(f"{self.name}: disk {volume.volume_id} changes the image below it")
        if request.size_gib < volume.size_gib:
            raise Permanent("driver.volume_shrink", volume_id=volume.volume_id, size_gib=request.size_gib)
        volume.fence = fence
        volume.size_gib = request.size_gib

    def drop_volume(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Delete the disk if it is there and no machine has it."""
        self.pool(storage_pool)
        volume = self.volumes.get(volume_id)
        if volume is None:
            return
        guard(volume_id, volume.fence, fence)
        if volume.storage_pool != storage_pool:
            raise ImpossibleState(f"{self.name}: disk {volume_id} is not in pool {storage_pool}")
        user = volume_id if volume_id in self.machines else volume.instance_id
        if user is not None:
            raise Transient("driver.volume_in_use", volume_id=volume_id, machine=user)
        self.cloud.require_no_snapshot(volume_id)
        self.erase_volume(volume_id)

    def erase_volume(self, volume_id: ResourceId) -> None:
        """Take the disk away, whoever has it."""
        if self.volumes.pop(volume_id, None) is not None:
            self._remember_gone(volume_id)

    # -- networks -----------------------------------------------------------------------------------------------------

    def put_segment(self, request: SegmentRequest, fence: int) -> None:
        """Make the network, with exactly these address entries."""
        self.fabric.put(self, request, fence)

    def drop_segment(self, segment_id: ResourceId, fence: int) -> None:
        """Remove the network if it is there."""
        if self.fabric.drop(segment_id, fence):
            self._remember_gone(segment_id)

    # -- machines -----------------------------------------------------------------------------------------------------

    def machine(self, instance_id: ResourceId) -> Machine:
        """Return a machine that must be there."""
        machine = self.machines.get(instance_id)
        if machine is None:
            fault = Transient("driver.instance_missing", delay_s=0.0, instance_id=instance_id)
            raise self._missing("machine", instance_id, fault)
        return machine

    def _own_machine(self, instance_id: ResourceId, fence: int) -> Machine:
        machine = self.machine(instance_id)
        guard(instance_id, machine.fence, fence)
        if machine.fence != fence:
            machine.fence = fence
            machine.seen = None
        return machine

    def define(self, request: MachineRequest, fence: int) -> None:
        """Make or change the definition; a running machine changes its disks and cards at once and nothing else."""
        instance_id = request.instance_id
        machine = self.machines.get(instance_id)
        if machine is not None:
            guard(instance_id, machine.fence, fence)
            # Cards first, whatever else is refused: nothing holds such a guest back.
            machine.meddled_nics, machine.seen = None, None
            refuse_cold_changes(machine, request)
        self._require_root(request, fence)
        disks = tuple(disk.volume_id for disk in sorted(request.disks, key=lambda d: d.slot))
        self._require_disks(request, disks)
        self._require_nics(instance_id, request.nics)
        if machine is None:
            machine = Machine(
                instance_id=instance_id,
                fence=fence,
                hostname=request.hostname,
                vcpu_count=request.vcpu_count,
                memory_mib=request.memory_mib,
                disks=(),
                nics=(),
                since_s=self.clock(),
            )
            self.machines[instance_id] = machine
        machine.fence = fence
        machine.hostname = request.hostname
        machine.vcpu_count = request.vcpu_count
        machine.memory_mib = request.memory_mib
        machine.seat = request.seat
        machine.stored = None
        self._plug(machine, disks, request.nics)
        machine.seen = None
        self.seeds[instance_id] = hash((request.hostname, request.user_data, request.ssh_keys))

    def _require_root(self, request: MachineRequest, fence: int) -> None:
        root = self.volumes.get(request.root.volume_id)
        if request.root.volume_id != request.instance_id:
            raise ImpossibleState(f"{self.name}: the root disk of {request.instance_id} bears another id")
        if root is None:
            raise self._missing_volume(request.root.volume_id)
        guard(root.volume_id, root.fence, fence)

    def _require_disks(self, request: MachineRequest, disks: tuple[ResourceId, ...]) -> None:
        if len({disk.slot for disk in request.disks}) < len(disks) or len(set(disks)) < len(disks):
            raise ImpossibleState(f"{self.name}: a disk or a slot of {request.instance_id} is named twice")
        for volume_id in disks:
            volume = self.volumes.get(volume_id)
            if volume is None:
                raise self._missing_volume(volume_id)
            if volume.role != "data" or volume.instance_id not in (None, request.instance_id):
                raise ImpossibleState(f"{self.name}: disk {volume_id} is already the disk of {volume.instance_id}")

    def _require_nics(self, instance_id: ResourceId, nics: tuple[NicRequest, ...]) -> None:
        for nic in nics:
            segment = self.segments.get(nic.segment_id)
            if segment is None:
                fault = Transient("driver.segment_missing", segment_id=nic.segment_id)
                raise self._missing("network", nic.segment_id, fault)
            for key in (nic.mac, nic.address):
                if segment.cards.get(key, instance_id) != instance_id:
                    raise ImpossibleState(f"{self.name}: {key} on {nic.segment_id} is already of {segment.cards[key]}")

    def _plug(self, machine: Machine, disks: tuple[ResourceId, ...], nics: tuple[NicRequest, ...]) -> None:
        self.unplug(machine)
        for volume_id in disks:
            self.volumes[volume_id].instance_id = machine.instance_id
        for nic in nics:
            cards = self.segments[nic.segment_id].cards
            cards[nic.mac] = cards[nic.address] = machine.instance_id
        machine.disks = disks
        machine.nics = nics

    def unplug(self, machine: Machine) -> None:
        """Take all data disks and cards out of a machine."""
        for volume_id in machine.disks:
            if (volume := self.volumes.get(volume_id)) is not None:
                volume.instance_id = None
        self.fabric.unplug(self, machine)

    def start(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        """Start the machine, unless it runs."""
        machine = self._own_machine(instance_id, fence)
        if not machine.is_running:
            self.boot(machine)
        return machine.seen or self.look(machine)

    def boot(self, machine: Machine) -> None:
        """Turn the machine on with its present definition."""
        require_processors(self.name, self.spec, machine, self.machines.values())
        take_stored(machine)
        machine.is_running = True
        machine.boot_count += 1
        self._moved(machine, "booted")

    def stop_wait_s(self, instance_id: ResourceId, fence: int, graceful_s: float) -> float:
        """Return how long the machine takes to obey, at most ``graceful_s``."""
        machine = self._own_machine(instance_id, fence)
        if not machine.is_running:
            return 0.0
        return graceful_s if instance_id in self.stubborn else min(graceful_s, self.shutdown_s)

    def stop(self, instance_id: ResourceId, fence: int, graceful_s: float) -> ObservedInstance:
        """Stop the machine, unless it is stopped."""
        machine = self._own_machine(instance_id, fence)
        if machine.is_running:
            obeys = instance_id not in self.stubborn and graceful_s > 0 and graceful_s >= self.shutdown_s
            self.halt(machine, "shutdown" if obeys else "destroyed")
        return machine.seen or self.look(machine)

    def halt(self, machine: Machine, reason: str) -> None:
        """Turn the machine off."""
        take_stored(machine)
        machine.is_running = False
        self._moved(machine, reason)

    def reboot(self, instance_id: ResourceId, fence: int, number: int) -> ObservedInstance:
        """Restart the machine unless that was done; one that was stopped is started."""
        machine = self._own_machine(instance_id, fence)
        if machine.reboots < number:
            machine.reboots = number
            self.boot(machine)
        return machine.seen or self.look(machine)

    def send(self, request: MigrationRequest, target: "SimulatedHost", fence: int) -> ObservedInstance:
        """Bring a running machine over to another host, whose lock is held too; its disks stay here until they are removed."""
        instance_id = request.machine.instance_id
        there = target.machines.get(instance_id)
        if instance_id not in self.machines and there is not None and there.is_running:
            guard(instance_id, there.fence, fence)
            return there.seen or target.look(there)
        machine = self._own_machine(instance_id, fence)
        if target is self:
            raise ImpossibleState(f"{self.name}: {instance_id} is to be brought to where it is")
        if not machine.is_running:
            raise Transient("driver.not_running", instance=instance_id)
        target.receive(request, fence)
        if self.breaks_migrations:
            raise OutcomeUnknown("driver.outcome_unknown", connection=self.connection, verb="ensure_migrated")
        arrived = target.machines[instance_id]
        require_processors(target.name, target.spec, arrived, target.machines.values())
        arrived.is_running, arrived.boot_count = True, machine.boot_count
        self.unplug(machine)
        del self.machines[instance_id]
        self._remember_gone(instance_id)
        self._tell(instance_id, Observed.ABSENT)
        target._moved(arrived, "migrated")
        return target.look(arrived)

    def receive(self, request: MigrationRequest, fence: int) -> None:
        """Have disks and definition of a machine that is on its way here; it does not run here yet."""
        self.put_volume(request.machine.root, fence)
        for volume in request.volumes:
            self.put_volume(volume, fence)
        self.define(request.machine, fence)

    def keep(self, instance_id: ResourceId, fence: int) -> ObservedInstance | None:
        """Raise the fence of a machine, so that no older migration takes it away any more."""
        if instance_id not in self.machines:
            return None
        machine = self._own_machine(instance_id, fence)
        return machine.seen or self.look(machine)

    def drop(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Remove the machine with its root disk and seed; its data disks stay."""
        self.pool(storage_pool)
        machine = self.machines.get(instance_id)
        root = self.volumes.get(instance_id)
        for found in (machine, root):
            if found is not None:
                guard(instance_id, found.fence, fence)
        self.cloud.require_no_snapshot(instance_id)
        if machine is not None:
            self.forget_machine(machine)
        self.erase_volume(instance_id)
        self.seeds.pop(instance_id, None)

    def forget_machine(self, machine: Machine) -> None:
        """Take the definition away; disks stay."""
        if machine.is_running:
            self.halt(machine, "destroyed")
        self.unplug(machine)
        del self.machines[machine.instance_id]
        self._remember_gone(machine.instance_id)
        self._tell(machine.instance_id, Observed.ABSENT)

    # -- what is missing ----------------------------------------------------------------------------------------------

    def _missing_volume(self, volume_id: ResourceId) -> Exception:
        return self._missing("disk", volume_id, Transient("driver.volume_missing", volume_id=volume_id))

    def _missing(self, what: str, resource_id: ResourceId, fault: Transient) -> Exception:
        if self.is_strict and resource_id not in self.gone:
            return ImpossibleState(f"{self.name}: {what} {resource_id} is used and was never made here")
        return fault

    def _refuse(self, sentence: str, fault: Transient) -> None:
        if self.is_strict:
            raise ImpossibleState(f"{self.name}: {sentence}")
        raise fault

    def _remember_gone(self, resource_id: ResourceId) -> None:
        self.gone[resource_id] = None
        if len(self.gone) > MAX_GONE:
            del self.gone[next(iter(self.gone))]

    # -- events -------------------------------------------------------------------------------------------------------

    def _moved(self, machine: Machine, reason: str) -> None:
        machine.since_s = self.clock()
        machine.reason = reason
        machine.seen = None
        self._tell(machine.instance_id, Observed.RUNNING if machine.is_running else Observed.STOPPED)

    def _tell(self, instance_id: ResourceId, state: Observed) -> None:
        if self.listeners:
            event = DriverEvent(kind=EventKind.INSTANCE, instance_id=instance_id, state=state, at_s=self.clock())
            self._outbox.append(event)

    def take_events(self) -> list[DriverEvent]:
        """Hand over what is to be told; the listeners are called without the lock."""
        if not self._outbox:
            return []
        events, self._outbox = self._outbox, []
        return events
