"""What a simulated host is made of. Mutable records, guarded by the lock of their host."""

from dataclasses import dataclass, field

from drivers.protocol import LeaseEntry, NicRequest, ObservedInstance
from inventory.domain.ids import ResourceId


class ImpossibleState(AssertionError):
    """The caller asked for something no sane order of steps leads to: a bug in the caller, not a fault of the back end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """One storage pool of a simulated host."""

    name: str
    capacity_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSpec:
    """What a simulated host claims to be; equal hosts share one record."""

    cpu_count: int = 64
    memory_mib: int = 262_144
    arch: str = "x86_64"
    pools: tuple[PoolSpec, ...] = (PoolSpec(name="default", capacity_gib=4000),)


@dataclass(slots=True, kw_only=True)
class Machine:
    """A machine of ours."""

    instance_id: ResourceId
    fence: int
    hostname: str
    vcpu_count: int
    memory_mib: int
    disks: tuple[ResourceId, ...]
    nics: tuple[NicRequest, ...]
    is_running: bool = False
    since_s: float = 0.0
    reason: str = ""
    boot_count: int = 0
    #: The last observation, dropped on every change.
    seen: ObservedInstance | None = None


@dataclass(slots=True, kw_only=True)
class Volume:
    """A disk of ours."""

    volume_id: ResourceId
    fence: int
    role: str
    storage_pool: str
    size_gib: int
    #: Digest of the image below an overlay, empty for an empty disk.
    image_sha256: str = ""
    #: The machine a data disk is attached to.
    instance_id: ResourceId | None = None


@dataclass(slots=True, kw_only=True)
class Segment:
    """A department network."""

    segment_id: ResourceId
    fence: int
    cidr: str
    leases: tuple[LeaseEntry, ...]
    #: MAC and address of every card plugged in -> the machine it belongs to.
    cards: dict[str, ResourceId] = field(default_factory=dict)
