"""The driver protocol: what the controller asks of a back end, in about ten verbs.

One ``ComputeDriver`` speaks for one host. Every ``ensure_*`` may run twice, is keyed by our id, and carries the fence of
the hold it acts under; it returns only when the wished state was *seen*, and raises a ``DriverFault`` otherwise.
``observe`` reads reality and changes nothing. What carries no mark of ours is reported as foreign and never touched.
Calls block; the controller runs each host's calls on that host's own worker under a deadline.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from pathlib import Path
from typing import Protocol, runtime_checkable

from inventory.domain.errors import Problem
from inventory.domain.host import ForeignDisk, HostFacts
from inventory.domain.ids import ResourceId
from inventory.domain.layout import Seat
from inventory.domain.resource import Observed


class Capability(Flag):
    """Powers beyond the core. Ask the flag, never the name or class of a driver."""

    NONE = 0
    CONSOLE_LOG = auto()
    STATS = auto()
    EVENTS = auto()
    RESIZE_COLD = auto()
    ATTACH_LIVE = auto()
    NETWORKS = auto()
    DIRECT_KERNEL_BOOT = auto()
    LIVE_MIGRATION = auto()
    EVACUATION = auto()
    SNAPSHOTS = auto()
    OUTSIDE = auto()
    FILTERS = auto()
    LOAD_BALANCERS = auto()
    BALANCER_TLS = auto()
    SCREEN = auto()
    DEPARTMENTS = auto()
    USAGE = auto()


#: Powers of ``drivers.powers``.
CLOUD_POWERS = (
    Capability.SNAPSHOTS
    | Capability.OUTSIDE
    | Capability.FILTERS
    | Capability.LOAD_BALANCERS
    | Capability.BALANCER_TLS
    | Capability.SCREEN
    | Capability.DEPARTMENTS
    | Capability.USAGE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """An image the controller holds and a host may need."""

    image_id: str
    sha256: str
    disk_format: str
    virtual_size_gib: int
    #: The controller's own, inspected copy; the driver streams it, it never hands the path to a back end.
    path: Path
    #: Direct kernel boot, empty where the image boots by itself.
    kernel_path: Path | None = None
    initrd_path: Path | None = None
    kernel_arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEntry:
    """A static DHCP entry of a segment."""

    mac: str
    address: str
    hostname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRequest:
    """A department network on this host."""

    segment_id: ResourceId
    cidr: str
    gateway: str
    department: str
    #: Every address given so far; the driver adds what is missing and removes what is not named.
    leases: tuple[LeaseEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeRequest:
    """A disk in a storage pool of this host: empty, or an overlay of an image.

    In a pool that takes root disks only (``StorageFacts.roots_only``) it is there, and observed, with its machine: before that
    all it is made of is had, another disk is refused, and a larger one is made with the machine's definition.
    """

    volume_id: ResourceId
    #: ``root`` of an instance or ``data``: the driver derives its name from both.
    role: str
    storage_pool: str
    size_gib: int
    image: ImageSource | None = None
    #: Whose it is: some back ends keep departments apart from the first byte.
    department: str = ""
    #: It never was ready as far as is known, so one that failed may be deleted and made anew; otherwise it may hold data.
    may_remake: bool = False
    #: What a person calls it, ``<system>-<disk>``, or its machine's title; said where the back end has room for words.
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NicRequest:
    """A network card."""

    segment_id: ResourceId
    mac: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskRequest:
    """A data disk attached to a machine."""

    volume_id: ResourceId
    storage_pool: str
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mates:
    """Machines that stand to each other by a rule, for a back end that has many hosts behind the one it is asked for."""

    #: The same for all of them, ``<system>-<server>``.
    name: str
    #: On one host; apart otherwise.
    is_together: bool
    #: A condition; a wish otherwise.
    is_hard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRequest:
    """A virtual machine as wanted, complete: the driver leaves nothing to choose."""

    instance_id: ResourceId
    #: What a person calls it, ``<system>-<member>``; shown as the title of the domain.
    title: str
    hostname: str
    vcpu_count: int
    memory_mib: int
    root: VolumeRequest
    disks: tuple[DiskRequest, ...] = ()
    nics: tuple[NicRequest, ...] = ()
    user_data: str = ""
    ssh_keys: tuple[str, ...] = ()
    #: Marks: carried in the machine's metadata at the back end.
    system: str = ""
    department: str = ""
    #: Where it lies on the cells of the host; None: anywhere.
    seat: Seat | None = None
    #: Processors of the host that a machine without a seat keeps to (``0-3,8``); empty: all.
    shared_cpus: str = ""
    #: With whom it shares a rule by host; None: with nobody.
    mates: Mates | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationRequest:
    """A machine on its way to another host of the same driver."""

    #: As it shall be there, complete: storage pools and cards of the target.
    machine: MachineRequest
    #: Its data disks in the storage pools of the target.
    volumes: tuple[VolumeRequest, ...]
    #: Connection of the target host, and its id in the inventory.
    target_connection: str
    target_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedNic:
    """A network card of a machine of ours as the back end shows it."""

    mac: str
    #: The segment it is plugged into, or what else it is plugged into, as the back end calls that.
    network: str
    #: The address the packet filter of that segment holds it to, empty where none does; None: the back end has no filters.
    address: str | None

    def is_at(self, network: str, address: str) -> bool:
        """Tell whether it is plugged into a network and, as far as the back end can, held to its address there."""
        return self.network == network and self.address in (None, address)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedShape:
    """What a machine is made of."""

    vcpu_count: int
    memory_mib: int
    volume_ids: tuple[ResourceId, ...] = ()
    #: ``Seat.text`` of where it lies, empty for a machine without a seat; None: the back end cannot say.
    seat: str | None = None
    #: Its network cards by MAC; None: the back end cannot say.
    nics: tuple[ObservedNic, ...] | None = None
    #: Disks in it that are neither its own (root disk, seed) nor a data disk of ours, as the back end calls them.
    strange_disks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedInstance(ObservedShape):
    """A machine of ours as the back end shows it: what it is made of now."""

    instance_id: ResourceId
    state: Observed
    #: Fence stored with the machine.
    fence: int
    #: When the state began, UTC epoch s, where the back end knows.
    since_s: float | None = None
    #: ``shutdown`` | ``crashed`` | ``destroyed`` … of a stopped machine.
    reason: str = ""
    #: What it will be once it was stopped and started, where that is something else; None: the same, or nobody can say.
    stored: ObservedShape | None = None
    #: Whether there is a definition that outlives a stop.
    is_stored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedForeign:
    """A machine we did not make."""

    uuid: str
    name: str
    vcpu_count: int
    memory_mib: int
    is_running: bool
    #: Whose it is at the back end (a project of a region), by the name people know; empty where the back end does not say.
    owner: str = ""
    #: Its disks that are not ours, root disk included, by id; None where the back end does not say, which never means none.
    disks: tuple[ForeignDisk, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostObservation:
    """Everything on a host at one moment."""

    instances: tuple[ObservedInstance, ...]
    foreign: tuple[ObservedForeign, ...]
    #: Ids of volumes (root disks by their instance's id) and segments of ours that exist.
    volume_ids: frozenset[ResourceId]
    segment_ids: frozenset[ResourceId]
    observed_at_s: float
    #: Available GiB by storage pool name.
    storage_available_gib: Mapping[str, int] = field(default_factory=dict)
    #: GiB of what is not ours by storage pool name, each thing as large as it may grow. Images and all else we put there are
    #: ours. A pool that is not named is not known, which never means that there is nothing.
    storage_foreign_gib: Mapping[str, int] = field(default_factory=dict)
    #: Those of the segments that let through more or less than they are to; none where the back end has no such rules.
    loose_segment_ids: frozenset[ResourceId] = frozenset()
    #: What is said of disks of others may be so old (s); 0: it is of this moment.
    foreign_disks_age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStats:
    """Counters since the machine started; absent ones are None."""

    instance_id: ResourceId
    cpu_time_ns: int | None = None
    memory_used_mib: int | None = None
    disk_read_bytes: int | None = None
    disk_written_bytes: int | None = None
    network_received_bytes: int | None = None
    network_sent_bytes: int | None = None


class EventKind(StrEnum):
    """What an event may say. Events only mean "look now"."""

    INSTANCE = "instance"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEvent:
    """Something moved at the back end."""

    kind: EventKind
    instance_id: ResourceId | None
    state: Observed
    at_s: float


@runtime_checkable
class ComputeDriver(Protocol):
    """One host. See the module's text for the rules every verb keeps."""

    def capabilities(self) -> Capability:
        """Return the powers of this back end on this host."""

    def inspect_host(self) -> HostFacts:
        """Read what the host is."""

    def observe(self) -> HostObservation:
        """Read everything on the host."""

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        """Read one machine; None only when the back end answered that there is none."""

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        """Have the image in the storage pool, verified by its hash, once for all machines."""

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        """Have the department network with exactly these address entries."""

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        """Have no such network."""

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        """Have the disk."""

    def ensure_volume_absent(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Have no such disk."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        """Have the machine's definition, its seed and its disks attached as asked (cold resize included)."""

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        """Have it running."""

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        """Have it stopped: asked politely for ``graceful_s``, then by force; 0 means at once."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        """Have no machine, no root disk, no seed and no log of that id."""

    def close(self) -> None:
        """Drop the connection."""


@runtime_checkable
class HasConsole(Protocol):
    """``Capability.CONSOLE_LOG``."""

    def console_log(self, instance_id: ResourceId, max_bytes: int) -> bytes:
        """Return the end of the serial log."""


@runtime_checkable
class Reboots(Protocol):
    """Restart a running machine in place."""

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        """Reboot (asked politely for ``graceful_s``, then by force) and see it running again.

        ``number`` counts the restarts ordered of this machine. The back end keeps the last one carried out beside the
        fence, and one that was carried out is not carried out again: a worker that died before its record asks twice.
        """


@runtime_checkable
class Launches(Protocol):
    """A back end that starts what it makes (a cloud): define and start in one act, so that nothing is stopped in between."""

    def ensure_launched(self, request: MachineRequest, fence: int) -> ObservedInstance:
        """Have the machine as asked for, and running."""


@runtime_checkable
class HasStats(Protocol):
    """``Capability.STATS``."""

    def stats(self) -> Sequence[InstanceStats]:
        """Return the counters of every running machine of ours in one call; where each is asked, of those whose turn it is."""


@runtime_checkable
class HasEvents(Protocol):
    """``Capability.EVENTS``."""

    def subscribe(self, listener: Callable[[DriverEvent], None]) -> None:
        """Call ``listener`` (from any thread) when something moves; lost events are allowed."""


@runtime_checkable
class TellsWhetherHeard(Protocol):
    """Of a driver with ``Capability.EVENTS`` whose events come by a way of their own, that may be shut while all else goes on."""

    def events_problem(self) -> Problem | None:
        """Return why no events are heard now; None where they are, or where nobody has tried yet. Nobody is asked."""


@runtime_checkable
class Abandons(Protocol):
    """Of a driver that shares what it is connected to with those of other hosts, and so must tell when it is given up."""

    def abandon(self) -> None:
        """Leave without waiting for anything, whatever hangs in this driver; it is not used again, and acts no more."""


@runtime_checkable
class BoundsLooks(Protocol):
    """Of a driver whose look may take longer than one at a single host: it lists all of a region, or waits for who does."""

    def look_bound_s(self) -> float:
        """Return the longest that ``observe`` may take. Nobody is asked."""


@runtime_checkable
class LiveMigrates(Protocol):
    """``Capability.LIVE_MIGRATION``. Called on the host that has the machine; image and networks are on the target before.

    At no moment does the machine run on both hosts. What it leaves behind here (disks, seed) stays until ``ensure_absent``
    and ``ensure_volume_absent`` take it away; those never reach the target.
    """

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        """Have the machine run on the target, with the content of its disks, and not here; returns what was seen there.

        A machine that cannot be brought over runs on here, whatever half of it is on the target already. One that is not
        running is not brought over.
        """

    def ensure_not_migrating(self, instance_id: ResourceId, fence: int) -> ObservedInstance | None:
        """Have no migration of it under way, and none ever by an older hold; returns the machine here, None if it is gone."""


@runtime_checkable
class Evacuates(Protocol):
    """``Capability.EVACUATION``: disks outlive their host. Called on the host a machine is to have from now on.

    Whoever calls has it from a person, or from means to cut its power, that the host it was lost with is off. It is in one place
    at any moment all the same: one whose old host turns out to be up is moved from there instead.
    """

    def ensure_evacuated(self, request: MachineRequest, fence: int) -> ObservedInstance | None:
        """Have the machine here, with the disks and cards it had; returns what was seen.

        A root disk of storage that takes root disks only was lost with its host, and is made anew of the image.

        None: there is none to bring back, or it never ran and was taken away; those of its disks there are belong to this host.

        Raises:
            Permanent: ``driver.evacuation_failed``: this host does not take it; it is where it was, and another may be asked.
        """

    def ensure_abandoned(self, instance_id: ResourceId, fence: int) -> None:
        """Have no such machine any more; the disks in it belong to this host, to be removed as others are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverContext:
    """What a driver factory is given."""

    host_id: str
    host_name: str
    #: The host's connection, for example ``qemu:///system``.
    connection: str
    clock: Callable[[], float]


#: Registered in ``drivers.registry`` by name.
DriverFactory = Callable[[DriverContext], ComputeDriver]
