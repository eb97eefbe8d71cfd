"""Hosts, the pools and zones they stand in, and where they may go next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.layout import Cell, HostCell, cpus_text, host_cells


class AdminState(StrEnum):
    """What the operator wants of a host."""

    ENROLLED = "enrolled"
    ACTIVE = "active"
    CORDONED = "cordoned"
    DRAINING = "draining"
    MAINTENANCE = "maintenance"
    RETIRED = "retired"


class Reachability(StrEnum):
    """What we last saw of a host. Unknown never means unreachable, and neither means empty."""

    UNKNOWN = "unknown"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


ADMIN_TRANSITIONS: Mapping[AdminState, frozenset[AdminState]] = {
    AdminState.ENROLLED: frozenset({AdminState.ACTIVE, AdminState.CORDONED, AdminState.MAINTENANCE, AdminState.RETIRED}),
    AdminState.ACTIVE: frozenset({AdminState.CORDONED, AdminState.DRAINING, AdminState.MAINTENANCE}),
    AdminState.CORDONED: frozenset({AdminState.ACTIVE, AdminState.DRAINING, AdminState.MAINTENANCE, AdminState.RETIRED}),
    AdminState.DRAINING: frozenset({AdminState.ACTIVE, AdminState.CORDONED, AdminState.MAINTENANCE}),
    AdminState.MAINTENANCE: frozenset({AdminState.ACTIVE, AdminState.CORDONED, AdminState.RETIRED}),
    AdminState.RETIRED: frozenset({AdminState.ENROLLED}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A network and security policy area (政务外网, 互联网接入区 …)."""

    id: ZoneId
    code: str
    name: str
    #: ``gov-private`` | ``gov-public`` | ``internet-access`` | … (site data).
    network_class: str
    #: Highest MLPS (等保) level a system here may have, 1 to 5.
    mlps_max: int
    #: Where department networks of this zone are cut from, for example ``10.96.0.0/12``.
    address_range: str
    #: Prefix length of one segment.
    segment_prefix: int = 26


class ReserveLevel(StrEnum):
    """The failure domain whose loss a pool must survive."""

    NONE = "none"
    HOST = "host"
    RACK = "rack"
    ROOM = "room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """N+1: the loss of any ``count`` failure domains of a level is survived; what it takes is held on stand-by hosts."""

    level: ReserveLevel = ReserveLevel.NONE
    count: int = 1


NO_RESERVE = Reserve()
#: More stand-by domains than this are no reserve any more.
RESERVE_COUNT_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPolicy:
    """When a host of a pool that does not answer is given up without a person's word."""

    #: So long it must be unreachable, s; 0: never.
    after_s: int = 0
    #: Hosts of the pool that may be silent at once: where there are more, none is given up.
    most: int = 1

    @property
    def is_on(self) -> bool:
        """Tell whether any host is."""
        return self.after_s > 0


NO_LOSS_POLICY = LossPolicy()
#: A restart takes minutes, and is no loss.
LOSS_AFTER_LEAST_S = 300
#: More hosts at once are an affair of people.
LOSS_MOST_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Hosts of one driver in one zone."""

    id: PoolId
    code: str
    name: str
    zone_id: ZoneId
    #: Name in the driver registry: ``libvirt`` | ``simulated`` | …
    driver: str
    mlps_max: int
    #: Overcommit by dimension in thousandths; a dimension not named is 1000.
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)
    reserve: Reserve = NO_RESERVE
    #: Placement policy of its hosts by name; empty for that of the platform.
    placement: str = ""
    #: What is done about drift on its hosts, by kind (``DriftKind``); a kind not named is answered as the platform does.
    drift: Mapping[str, str] = field(default_factory=dict)
    loss: LossPolicy = NO_LOSS_POLICY


#: Department networks.
NETWORKS = "networks"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The truth a driver read from a host."""

    hostname: str
    #: ``x86_64`` | ``aarch64`` | …
    arch: str
    #: ``kvm`` | ``tcg`` | ``simulated``: what really boots a guest there.
    virtualisation: str
    cpu_count: int
    memory_mib: int
    #: Sockets, cores per socket, threads per core, NUMA nodes.
    sockets: int = 1
    cores: int = 1
    threads: int = 1
    numa_nodes: int = 1
    cpu_model: str = ""
    machine_types: tuple[str, ...] = ()
    driver_version: str = ""
    hypervisor_version: str = ""
    #: Newest versions of the services behind it, each as ``NAME VERSION``, where it is reached through services.
    service_versions: tuple[str, ...] = ()
    storage: tuple["StorageFacts", ...] = ()
    #: What else the back end says of itself in words of its own (Placement's traits).
    traits: tuple[str, ...] = ()
    #: Where the back end says it stands (zones, aggregates), by name as traits are written: machines may ask for it.
    places: tuple[str, ...] = ()
    #: Its NUMA cells, where the back end shows them.
    cells: tuple[Cell, ...] = ()
    #: Names the network fabric it shares with other hosts; empty where its networks are its own.
    network_scope: str = ""
    #: Names what keeps the disks of its machines when it is lost, the same for all hosts that can be given them
    #: (``Capability.EVACUATION``); empty where they are lost with it. Of storage that takes root disks only they are lost all
    #: the same, and made anew of the image by whatever brings the machine back.
    disk_scope: str = ""
    #: The most its back end takes on of what it has, by dimension, in thousandths: no more is promised.
    overcommit_most_permille: Mapping[str, int] = field(default_factory=dict)
    #: What tickets ask of every back end and this one has not: ``NETWORKS``.
    lacks: tuple[str, ...] = ()
    #: The only sizes it makes machines of: vCPUs, MiB, GiB of a root disk that is its own; None: of any.
    sizes: tuple[tuple[int, int, int], ...] | None = None

    @property
    def is_limited(self) -> bool:
        """Tell whether there is something that tickets may ask for and it never does, however much is free."""
        return bool(self.lacks) or self.sizes is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneLimits:
    """What all hosts of a zone lack, and the only sizes that any of them makes; None: of any."""

    lacks: frozenset[str] = frozenset()
    sizes: frozenset[tuple[int, int, int]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFacts:
    """One storage pool as the back end reports it."""

    name: str
    #: Directory (or device) behind it.
    path: str
    capacity_gib: int
    available_gib: int
    #: Whether it takes root disks only, which are made and lost with their machines: the hypervisor's own disk in a cloud.
    roots_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A physical server (or a simulated one)."""

    id: HostId
    name: str
    pool_id: PoolId
    #: How the driver reaches it, for example ``qemu:///system``.
    connection: str
    admin_state: AdminState
    reachability: Reachability
    #: Why it is in this admin state, who said so, until when (epoch s).
    state_reason: str = ""
    state_by: str = ""
    state_until_s: int | None = None
    facts: HostFacts | None = None
    #: Failure domains, by level: site, room, rack. The host's own name is the finest.
    site: str = ""
    room: str = ""
    rack: str = ""
    vendor: str = ""
    owner: str = ""
    #: ISO date.
    warranty_until: str = ""
    #: Held back from guests, by dimension.
    reserved: Mapping[str, int] = field(default_factory=dict)
    #: The operator's own word on capacity, by dimension, where the back end's is not to be believed.
    capacity_override: Mapping[str, int] = field(default_factory=dict)
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)
    #: What it draws with no load and with all of it, W; 0: nobody said.
    watts_idle: int = 0
    watts_most: int = 0
    #: Processors that are given to one machine each, and those that ordinary machines share (``0-3,8``). Without the first,
    #: nothing is pinned here; without the second, all others are shared.
    dedicated_cpus: str = ""
    shared_cpus: str = ""
    #: What the operator says it has, by name: sizes and tickets may ask for it.
    traits: tuple[str, ...] = ()
    #: Last successful observation, epoch s.
    observed_at_s: int | None = None
    #: When it was found to be unreachable, epoch s; None while it is not.
    unreachable_since_s: float | None = None
    #: When a controller took it out of service to give it up; None once a person moved it to another state.
    loss_begun_s: float | None = None
    #: The host that the segments of its network fabric stand on, if that is another one; itself unless it shares a fabric.
    home_id: HostId | None = None
    revision: int = 1

    @property
    def home(self) -> HostId:
        """Return the host that its segments stand on: one for all hosts that share a network fabric."""
        return self.home_id or self.id

    @property
    def offers(self) -> frozenset[str]:
        """Return all that machines may ask for by name: what the operator says it has, and where its back end says it stands."""
        return frozenset(self.traits).union(self.facts.places if self.facts else ())

    @property
    def cells(self) -> tuple[HostCell, ...]:
        """Return its cells with what their processors are for; none where they are not known."""
        return host_cells(self.facts.cells, self.dedicated_cpus, self.shared_cpus) if self.facts else ()

    @property
    def confined_to(self) -> str:
        """Return the processors that ordinary machines must keep to; empty where they may run on all."""
        if not (self.dedicated_cpus or self.shared_cpus):
            return ""
        return cpus_text(cpu for cell in self.cells for cpu in cell.shared)


def told_apart(own: Iterable[str], places: Iterable[str], most: int) -> tuple[str, ...]:
    """Return the names that may be asked for where only so many are told apart, sorted.

    Those the operator gave come first (their number is checked where they are given), then places by name, from the back:
    zones (``az-``) are few, and after ``aggregate-``. Fewer hosts never make one of them drop out.
    """
    given = sorted(set(own))
    found = sorted(set(places) - set(given), reverse=True)
    return tuple(sorted([*given, *found[: max(0, most - len(given))]]))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePool:
    """Where disks of one class live on one host."""

    id: StoragePoolId
    host_id: HostId
    #: Name of the pool at the back end.
    name: str
    disk_class: str
    path: str = ""
    overcommit_permille: int = 1000
    #: What its back end said last (``StorageFacts``).
    roots_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignDisk:
    """A disk of a machine we did not make, root disks too."""

    #: What the back end calls it; empty for what its machine has on the host itself.
    uuid: str
    #: Name of the storage pool at the back end; empty for one nobody enrols.
    storage_pool: str
    size_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignDomain:
    """A guest we did not make: shown, counted against capacity, never touched."""

    host_id: HostId
    uuid: str
    name: str
    vcpu_count: int
    memory_mib: int
    is_running: bool
    #: Whose it is at the back end (a project of a region); empty where the back end does not say.
    owner: str = ""
    #: By id; None where the back end does not say, which never means that there are none.
    disks: tuple[ForeignDisk, ...] | None = None
