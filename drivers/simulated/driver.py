"""The driver of a simulated host: the state of ``host`` behind delays, faults and the lock."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from drivers.faults import DriverFault, Transient
from drivers.protocol import (
    CLOUD_POWERS,
    Capability,
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
from drivers.simulated.cloud_verbs import CloudVerbs
from drivers.simulated.connection import read_connection
from drivers.simulated.evacuation import abandon, bring_back
from drivers.simulated.faults import Call, Site
from drivers.simulated.host import SimulatedHost
from drivers.simulated.world import World, deliver, world_named
from inventory.domain.errors import CapabilityMissing
from inventory.domain.host import HostFacts
from inventory.domain.ids import ResourceId

T = TypeVar("T")
POWERS = (
    Capability.CONSOLE_LOG
    | Capability.STATS
    | Capability.EVENTS
    | Capability.RESIZE_COLD
    | Capability.ATTACH_LIVE
    | Capability.NETWORKS
    | Capability.DIRECT_KERNEL_BOOT
    | Capability.LIVE_MIGRATION
    | Capability.EVACUATION
    | CLOUD_POWERS
)
#: Without which some definitions cannot be had.
_DEFINING = Capability.DIRECT_KERNEL_BOOT | Capability.RESIZE_COLD | Capability.ATTACH_LIVE


class SimulatedDriver(CloudVerbs):
    """One connection to one simulated host: ``ComputeDriver``, ``HasConsole``, ``Reboots``, ``HasStats``, ``HasEvents``,
    ``LiveMigrates``, ``Evacuates``, and those of ``drivers.powers``."""

    __slots__ = ("_is_closed", "_listeners", "_powers", "host", "world")

    def __init__(self, world: World, host: SimulatedHost, *, without: Capability = Capability.NONE) -> None:
        self.world = world
        self.host = host
        self._powers = POWERS & ~without & (~Capability.NONE if host.spec.disks else ~Capability.EVACUATION)
        self._is_closed = False
        self._listeners: tuple[Callable[[DriverEvent], None], ...] = ()

    # -- the core -----------------------------------------------------------------------------------------------------

    def capabilities(self) -> Capability:
        """Return the powers of this host."""
        return self._powers

    def inspect_host(self) -> HostFacts:
        """Read what the host is."""
        return self._call("inspect_host", "", self.host.facts)

    def observe(self) -> HostObservation:
        """Read everything on the host."""
        return self._call("observe", "", self.host.observe)

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        """Read one machine; None only when there is none."""
        return self._call("observe_instance", instance_id, lambda: self.host.observe_instance(instance_id))

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        """Have the image in the storage pool, once, with the bytes its hash promises."""
        self._call("ensure_image", image.image_id, lambda: self.host.put_image(image, storage_pool, self.world.verify_image))

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        """Have the department network with exactly these address entries."""
        self._require(Capability.NETWORKS)
        self._call("ensure_segment", request.segment_id, lambda: self.host.put_segment(request, fence))

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        """Have no such network."""
        self._require(Capability.NETWORKS)
        self._call("ensure_segment_absent", segment_id, lambda: self.host.drop_segment(segment_id, fence))

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        """Have the disk, at least as big as asked."""
        self._call("ensure_volume", request.volume_id, lambda: self.host.put_volume(request, fence))

    def ensure_volume_absent(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Have no such disk; one that a machine has is not touched."""
        self._call("ensure_volume_absent", volume_id, lambda: self.host.drop_volume(volume_id, storage_pool, fence))

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        """Have the machine's definition, its seed and its disks as asked."""
        if _DEFINING not in self._powers:
            self._require_for(request)
        self._call("ensure_defined", request.instance_id, lambda: self.host.define(request, fence))

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        """Have it running."""
        return self._call("ensure_running", instance_id, lambda: self.host.start(instance_id, fence))

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        """Have it stopped: asked politely for ``graceful_s``, then by force."""
        return self._call(
            "ensure_stopped",
            instance_id,
            lambda: self.host.stop(instance_id, fence, graceful_s),
            before=lambda: self.host.stop_wait_s(instance_id, fence, graceful_s),
        )

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Have no machine, no root disk and no seed of that id."""
        self._call("ensure_absent", instance_id, lambda: self.host.drop(instance_id, storage_pool, fence))

    def close(self) -> None:
        """Drop the connection and its subscriptions."""
        self._is_closed = True
        with self.host.lock:
            self.host.listeners = [known for known in self.host.listeners if known not in self._listeners]
        self._listeners = ()

    # -- further powers -----------------------------------------------------------------------------------------------

    def console_log(self, instance_id: ResourceId, max_bytes: int) -> bytes:
        """Return the end of the serial log."""
        self._require(Capability.CONSOLE_LOG)
        return self._call("console_log", instance_id, lambda: self.host.console_log(instance_id, max_bytes))

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        """Restart the machine and see it running again."""
        return self._call(
            "reboot",
            instance_id,
            lambda: self.host.reboot(instance_id, fence, number),
            before=lambda: self.host.stop_wait_s(instance_id, fence, graceful_s),
        )

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        """Have the machine run on another host of this world."""
        self._require(Capability.LIVE_MIGRATION)
        target = self._target(request)
        return self._call(
            "ensure_migrated", request.machine.instance_id, lambda: self.host.send(request, target, fence), also=target
        )

    def ensure_not_migrating(self, instance_id: ResourceId, fence: int) -> ObservedInstance | None:
        """Refuse migrations of older holds from now on."""
        self._require(Capability.LIVE_MIGRATION)
        return self._call("ensure_not_migrating", instance_id, lambda: self.host.keep(instance_id, fence))

    def ensure_evacuated(self, request: MachineRequest, fence: int) -> ObservedInstance | None:
        """Have a machine here that another host with the same storage was lost with."""
        self._require(Capability.EVACUATION)
        instance_id = request.instance_id
        origin = self._origin(instance_id)
        return self._call(
            "ensure_evacuated", instance_id, lambda: bring_back(self.host, origin, request, fence), also=origin, is_also_off=True
        )

    def ensure_abandoned(self, instance_id: ResourceId, fence: int) -> None:
        """Have no such machine, and its disks here."""
        self._require(Capability.EVACUATION)
        origin = self._origin(instance_id)
        self._call(
            "ensure_abandoned", instance_id, lambda: abandon(self.host, origin, instance_id, fence), also=origin, is_also_off=True
        )

    def _origin(self, instance_id: ResourceId) -> SimulatedHost | None:
        """Return the other host with the same storage that has a machine, or its root disk."""
        mates = (h for h in self.world.hosts.values() if h is not self.host and h.spec.disks == self.host.spec.disks)
        return next((h for h in mates if instance_id in h.machines or instance_id in h.volumes), None)

    def _target(self, request: MigrationRequest) -> SimulatedHost:
        connection = read_connection(request.target_connection)
        return self.world.add_host(connection.host, connection.spec)

    def stats(self) -> Sequence[InstanceStats]:
        """Return the counters of every running machine."""
        self._require(Capability.STATS)
        return self._call("stats", "", self.host.stats)

    def subscribe(self, listener: Callable[[DriverEvent], None]) -> None:
        """Call ``listener`` when a machine of this host moves."""
        self._require(Capability.EVENTS)
        self._listeners += (listener,)
        with self.host.lock:
            self.host.listeners.append(listener)

    # -- around every call --------------------------------------------------------------------------------------------

    def _call(
        self,
        verb: str,
        resource_id: str,
        work: Callable[[], T],
        *,
        before: Callable[[], float] | None = None,
        also: SimulatedHost | None = None,
        is_also_off: bool = False,
    ) -> T:
        """Do one verb: its delay, its fault if one is due, then the work under the host's lock and the events after it.

        ``also`` is a second host the work changes, whether it answers or not where it ``is_also_off``.
        """
        world = self.world
        if delay_s := world.delay_s(verb):
            world.sleep(delay_s)
        host = self.host
        if host.late:
            self._let_late_requests_act()
        if self._is_closed or (host.unreachable_until_s and world.clock() < host.unreachable_until_s):
            raise Transient("driver.unreachable", connection=host.connection)
        if also is not None and not is_also_off and also.unreachable_until_s and world.clock() < also.unreachable_until_s:
            raise Transient("driver.migration_target_unreachable", connection=also.connection)
        source = world.faults
        if source is None:
            return self._work(work, before, also)
        call = Call(host.name, verb, resource_id)
        fault = source.fault_for(call)
        if fault is None:
            return self._work(work, before, also)
        return fault.around(Site(call, host, world.sleep), lambda: self._work(work, before, also))

    def _work(self, work: Callable[[], T], before: Callable[[], float] | None, also: SimulatedHost | None) -> T:
        host = self.host
        if before is not None:
            with host.lock:
                wait_s = before()
            if wait_s:
                self.world.sleep(wait_s)
        # By name, so that two machines that pass each other do not wait for each other; hosts of one fabric have one lock.
        locked = sorted({id(h): h for h in (host, also or host)}.values(), key=lambda h: h.name)
        with ExitStack() as locks:
            for lock in {id(each.lock): each.lock for each in locked}.values():
                locks.enter_context(lock)
            result = work()
        for each in locked:
            deliver(each)
        return result

    def _let_late_requests_act(self) -> None:
        host = self.host
        now_s = self.world.clock()
        with host.lock:
            due = [work for at_s, work in host.late if at_s <= now_s]
            host.late = [entry for entry in host.late if entry[0] > now_s]
        for work in due:
            try:
                work()
            except DriverFault:
                continue  # the caller gave up long ago: nobody hears the refusal

    def _require(self, power: Capability) -> None:
        if not self._powers & power:
            name = str(power.name).lower()
            raise CapabilityMissing("driver.capability_missing", capability=name)

    def _require_for(self, request: MachineRequest) -> None:
        """Refuse a definition that needs a power this host lacks."""
        if request.root.image is not None and request.root.image.kernel_path is not None:
            self._require(Capability.DIRECT_KERNEL_BOOT)
        with self.host.lock:
            machine = self.host.machines.get(request.instance_id)
        if machine is None:
            return
        if (machine.vcpu_count, machine.memory_mib) != (request.vcpu_count, request.memory_mib):
            self._require(Capability.RESIZE_COLD)
        if machine.is_running and set(machine.disks) != {disk.volume_id for disk in request.disks}:
            self._require(Capability.ATTACH_LIVE)
        if machine.is_running and machine.meddled_nics:
            self._require(Capability.ATTACH_LIVE)


def open_driver(context: DriverContext) -> SimulatedDriver:
    """Open a driver by a connection string (see ``drivers.simulated.connection``); the host is made on first use.

    Raises:
        Invalid: ``simulated.connection_bad``.
    """
    connection = read_connection(context.connection)
    world = world_named(connection.world, context.clock)
    if connection.delay_ms is not None:
        world.delays_s = {"*": connection.delay_ms / 1000}
    host = world.add_host(connection.host, connection.spec)
    return SimulatedDriver(world, host, without=connection.without)
