"""A world of simulated hosts, and what happens there behind the controller's back.

A simulation makes its own ``World``; a process with simulated pools finds one by name through ``world_named``. A host
costs about a kilobyte and has a lock of its own.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from drivers.faults import Permanent
from drivers.protocol import DriverEvent, ImageSource, ObservedForeign
from drivers.simulated.fabric import Fabric
from drivers.simulated.faults import FaultSource
from drivers.simulated.host import SimulatedHost
from drivers.simulated.records import HostSpec, ImpossibleState, Machine
from inventory.domain.clock import Clock
from inventory.domain.ids import ResourceId

#: Until somebody heals the host.
FOREVER_S = float("inf")


class _Version(NamedTuple):
    """A file as it was at some time."""

    path: str
    modified_ns: int
    size_bytes: int


@lru_cache(maxsize=256)
def _sha256_of(file_version: _Version) -> str:
    with Path(file_version.path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def image_is_intact(image: ImageSource) -> bool:
    """Tell whether the image's file has the hash it should have; a file is read once while it does not change.

    Raises:
        Permanent: ``driver.image_unreadable``.
    """
    try:
        stat = image.path.stat()
        return _sha256_of(_Version(str(image.path), stat.st_mtime_ns, stat.st_size)) == image.sha256
    except OSError as error:
        raise Permanent("driver.image_unreadable", image_id=image.image_id, internal=str(error)) from error


def image_is_trusted(image: ImageSource) -> bool:
    """Believe every hash: for simulations without files."""
    return bool(image.sha256)


class World:
    """Hosts by name, and the settings they share."""

    def __init__(
        self,
        name: str = "world",
        *,
        clock: Clock = time.time,
        sleep: Callable[[float], None] = time.sleep,
        delays_s: Mapping[str, float] | None = None,
        faults: FaultSource | None = None,
        verify_image: Callable[[ImageSource], bool] = image_is_intact,
        is_strict: bool = True,
    ) -> None:
        self.name = name
        self.clock = clock
        self.sleep = sleep
        #: Seconds each verb takes; ``*`` stands for those not named.
        self.delays_s: Mapping[str, float] = dict(delays_s or {})
        #: May be exchanged at any time; None is a world without faults.
        self.faults = faults
        self.verify_image = verify_image
        #: Whether asking for what never was there is a bug (see ``drivers.simulated.host``).
        self.is_strict = is_strict
        self.hosts: dict[str, SimulatedHost] = {}
        self._specs: dict[HostSpec, HostSpec] = {}
        self._fabrics: dict[str, Fabric] = {}
        self._lock = Lock()
        self._foreign_count = 0

    def add_host(self, name: str, spec: HostSpec | None = None) -> SimulatedHost:
        """Return the host of that name; one that is already there keeps what it is."""
        with self._lock:
            host = self.hosts.get(name)
            if host is None:
                wanted = spec or HostSpec()
                shared = self._specs.setdefault(wanted, wanted)
                host = SimulatedHost(
                    name,
                    shared,
                    connection=f"simulated://{self.name}/{name}",
                    clock=self.clock,
                    is_strict=self.is_strict,
                    fabric=self._fabrics.setdefault(shared.scope, Fabric()) if shared.scope else None,
                )
                self.hosts[name] = host
                for guest, owner in shared.foreign:
                    self._add_foreign(host, guest, owner=owner)
            return host

    def hosts_with(self, resource_id: ResourceId) -> list[str]:
        """Return the hosts that have a machine, a disk or a network of that id, sorted: what an auditor asks."""
        return sorted(
            name
            for name, host in self.hosts.items()
            if resource_id in host.machines or resource_id in host.volumes or resource_id in host.segments
        )

    def delay_s(self, verb: str) -> float:
        """Return how long a verb takes."""
        delays_s = self.delays_s
        return delays_s.get(verb, delays_s.get("*", 0.0)) if delays_s else 0.0

    def forget_listeners(self) -> None:
        """Drop every subscription: what a crash of the controller does."""
        for host in self.hosts.values():
            with host.lock:
                host.listeners.clear()

    # -- things that happen to hosts ----------------------------------------------------------------------------------

    def cut(self, host_name: str, for_s: float = FOREVER_S) -> None:
        """Make a host unreachable for a while; its machines run on."""
        self.hosts[host_name].unreachable_until_s = self.clock() + for_s

    def heal(self, host_name: str) -> None:
        """Make a host reachable."""
        self.hosts[host_name].unreachable_until_s = 0.0

    def crash_host(self, host_name: str, for_s: float = 0.0) -> None:
        """Take a host's power away: every machine stops, nobody is told."""
        host = self.hosts[host_name]
        with host.lock:
            for machine in host.machines.values():
                if machine.is_running:
                    host.halt(machine, "crashed")
            host.take_events()
        self.cut(host_name, for_s)

    def fill_storage(self, host_name: str, storage_pool: str, available_gib: int = 0) -> None:
        """Let others use a storage pool until only that much is free."""
        host = self.hosts[host_name]
        with host.lock:
            capacity_gib = host.pool(storage_pool).capacity_gib
            host.filled_gib = {**(host.filled_gib or {}), storage_pool: capacity_gib - available_gib}

    def make_stubborn(self, host_name: str, instance_id: ResourceId) -> None:
        """Let a guest ignore polite requests to shut down."""
        host = self.hosts[host_name]
        with host.lock:
            host.stubborn |= {instance_id}

    # -- drift: what people do behind our back ------------------------------------------------------------------------

    def drift_stop(self, host_name: str, instance_id: ResourceId, reason: str = "shutdown") -> None:
        """Somebody (or the guest itself) stops a machine."""
        with self._meddle(host_name, instance_id) as (host, machine):
            if machine.is_running:
                host.halt(machine, reason)

    def lose_since(self, host_name: str) -> None:
        """From now on a host says what its machines are, and not since when: as one that nobody was listening to."""
        host = self.hosts[host_name]
        with host.lock:
            host.knows_since = False
            for machine in host.machines.values():
                machine.seen = None

    def drift_start(self, host_name: str, instance_id: ResourceId) -> None:
        """Somebody starts a machine."""
        with self._meddle(host_name, instance_id) as (host, machine):
            if not machine.is_running:
                host.boot(machine)

    def drift_vanish(self, host_name: str, instance_id: ResourceId, *, with_root_disk: bool = False) -> None:
        """Somebody removes a machine's definition, and its root disk with it if asked."""
        with self._meddle(host_name, instance_id) as (host, machine):
            host.forget_machine(machine)
            if with_root_disk:
                host.erase_volume(instance_id)

    def drift_edit(
        self, host_name: str, instance_id: ResourceId, *, vcpu_count: int | None = None, memory_mib: int | None = None
    ) -> None:
        """Somebody gives a machine another size, at once."""
        with self._meddle(host_name, instance_id) as (_, machine):
            machine.vcpu_count = vcpu_count or machine.vcpu_count
            machine.memory_mib = memory_mib or machine.memory_mib
            machine.seen = None

    def drift_detach(self, host_name: str, instance_id: ResourceId, volume_id: ResourceId) -> None:
        """Somebody takes a data disk out of a machine."""
        with self._meddle(host_name, instance_id) as (host, machine):
            machine.disks = tuple(disk for disk in machine.disks if disk != volume_id)
            machine.seen = None
            host.volumes[volume_id].instance_id = None

    def drift_edit_stored(self, host_name: str, instance_id: ResourceId, *, vcpu_count: int) -> None:
        """Somebody edits the definition of a running machine: it counts once the machine was stopped."""
        with self._meddle(host_name, instance_id) as (_, machine):
            machine.stored = (vcpu_count, machine.memory_mib)
            machine.seen = None

    def drift_card(self, host_name: str, instance_id: ResourceId, *, network: str = "") -> None:
        """Somebody takes the packet filter from the first card of a running machine, or plugs it into another network."""
        with self._meddle(host_name, instance_id) as (_, machine):
            nic = machine.nics[0]
            machine.meddled_nics = {nic.mac: (network or nic.segment_id, "")}
            machine.seen = None

    def drift_rules(self, host_name: str, segment_id: ResourceId) -> None:
        """Somebody changes what a department network lets through."""
        host = self.hosts[host_name]
        with host.lock:
            host.segments[segment_id].is_loose = True

    def put_certificate(self, host_name: str, reference: str) -> str:
        """Somebody puts a certificate into the key manager."""
        host = self.hosts[host_name]
        with host.lock:
            host.cloud.certificates.add(reference)
        return reference

    def drift_certificate(self, host_name: str, balancer_id: ResourceId, reference: str) -> None:
        """Somebody has every TLS listener of a load balancer show another certificate."""
        host = self.hosts[host_name]
        with host.lock:
            found = host.cloud.balancers[balancer_id]
            meddled = tuple(
                entry if entry.tls is None else replace(entry, tls=replace(entry.tls, certificate=reference))
                for entry in found.request.listeners
            )
            found.request = replace(found.request, listeners=meddled)

    def drift_foreign(
        self,
        host_name: str,
        name: str = "",
        *,
        vcpu_count: int = 2,
        memory_mib: int = 2048,
        is_running: bool = True,
        owner: str = "",
        disk_gib: int = 0,
    ) -> str:
        """Somebody makes a machine of their own, its disk in the host's first storage pool; its UUID is returned."""
        host = self.hosts[host_name]
        with self._lock:
            uuid = self._add_foreign(host, name, vcpu_count=vcpu_count, memory_mib=memory_mib, is_running=is_running, owner=owner)
        if disk_gib:
            self.drift_foreign_disk(host_name, uuid, disk_gib)
        return uuid

    def drift_foreign_disk(self, host_name: str, whose: str, size_gib: int, storage_pool: str = "") -> None:
        """Somebody makes a disk of theirs in a storage pool (the first if none is named), or makes theirs larger or smaller."""
        host = self.hosts[host_name]
        with host.lock:
            pool = host.pool(storage_pool or host.spec.pools[0].name)
            host.foreign_gib[whose, pool.name] = size_gib

    def _add_foreign(
        self,
        host: SimulatedHost,
        name: str,
        *,
        vcpu_count: int = 2,
        memory_mib: int = 2048,
        is_running: bool = True,
        owner: str = "",
    ) -> str:
        """Count and put a foreign machine; the caller holds the world's lock."""
        self._foreign_count += 1
        uuid = f"f0f0f0f0-0000-4000-8000-{self._foreign_count:012x}"
        with host.lock:
            host.foreign[uuid] = ObservedForeign(
                uuid=uuid,
                name=name or f"foreign-{self._foreign_count}",
                vcpu_count=vcpu_count,
                memory_mib=memory_mib,
                is_running=is_running,
                owner=owner,
            )
        return uuid

    def remove_foreign(self, host_name: str, uuid: str) -> None:
        """Its owner removes a foreign machine and its disks."""
        host = self.hosts[host_name]
        with host.lock:
            host.foreign.pop(uuid, None)
            host.foreign_gib = {key: gib for key, gib in host.foreign_gib.items() if key[0] != uuid}

    @contextmanager
    def _meddle(self, host_name: str, instance_id: ResourceId) -> Iterator[tuple[SimulatedHost, Machine]]:
        host = self.hosts[host_name]
        with host.lock:
            machine = host.machines.get(instance_id)
            if machine is None:
                raise KeyError(f"drift names {instance_id}, which is not on {host_name}")
            yield host, machine
        deliver(host)


def deliver(host: SimulatedHost) -> None:
    """Call the listeners of a host with what happened; never while its lock is held."""
    if not host.listeners:
        return
    with host.lock:
        events: list[DriverEvent] = host.take_events()
        listeners = list(host.listeners)
    for event in events:
        for listener in listeners:
            listener(event)


_WORLDS: dict[str, World] = {}
_WORLDS_LOCK = Lock()


def world_named(name: str, clock: Clock = time.time) -> World:
    """Return this process's world of that name, made (lenient) on first use."""
    with _WORLDS_LOCK:
        if name not in _WORLDS:
            _WORLDS[name] = World(name, clock=clock, is_strict=False)
        return _WORLDS[name]


def install_world(world: World) -> World:
    """Make a world findable by its name, in place of any earlier one."""
    with _WORLDS_LOCK:
        _WORLDS[world.name] = world
    return world


def drop_world(name: str) -> None:
    """Forget a world."""
    with _WORLDS_LOCK:
        _WORLDS.pop(name, None)


__all__ = [
    "FOREVER_S",
    "ImpossibleState",
    "World",
    "deliver",
    "drop_world",
    "image_is_intact",
    "image_is_trusted",
    "install_world",
    "world_named",
]
