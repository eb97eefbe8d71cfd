"""Resources: what the reconciler works on. One row each, with ``desired`` and ``observed`` apart.

Kinds: ``instance`` (a virtual machine with its root disk), ``volume`` (a data disk), ``segment`` (a department network
on one host), ``adopted`` (a machine somebody else made: counted and metered, and never touched).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from inventory.domain.errors import Problem
from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, StoragePoolId, SystemId, TicketId
from inventory.domain.layout import NO_LAYOUT, Layout, Seat, compute_of


class ResourceKind(StrEnum):
    """What a resource is."""

    INSTANCE = "instance"
    VOLUME = "volume"
    SEGMENT = "segment"
    #: No worker ever has one: its row follows what its host shows.
    ADOPTED = "adopted"


class Desired(StrEnum):
    """The wish."""

    RUNNING = "running"
    STOPPED = "stopped"
    #: Volumes and segments are simply there.
    PRESENT = "present"
    ABSENT = "absent"


class Observed(StrEnum):
    """What the back end last said. ``unknown`` never means absent, off or free."""

    UNKNOWN = "unknown"
    ABSENT = "absent"
    RUNNING = "running"
    STOPPED = "stopped"
    PRESENT = "present"


class Phase(StrEnum):
    """Where the resource is between wish and observation; shown to people."""

    PENDING = "pending"
    WORKING = "working"
    SETTLED = "settled"
    FAILED = "failed"
    GONE = "gone"


def _flat(value: Any) -> dict[str, Any]:
    """Return the fields by name. ``asdict`` copies every value deeply, which is a fifth of the commit of a large ticket."""
    return {name: getattr(value, name) for name in value.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One network card of an instance."""

    #: Name of the network in the ticket.
    network: str
    segment_id: ResourceId
    mac: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedDisk:
    """A data disk of an instance, by the volume behind it."""

    volume_id: ResourceId
    name: str
    #: Position on the bus after root disk and seed: 0 is ``vdc``.
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """A virtual machine as wanted."""

    vcpu_count: int
    memory_mib: int
    image_id: str
    root_disk_gib: int
    root_disk_class: str
    #: Storage pool of the root disk.
    storage_pool_id: str
    nics: tuple[Nic, ...] = ()
    disks: tuple[AttachedDisk, ...] = ()
    user_data: str = ""
    ssh_keys: tuple[str, ...] = ()
    #: Group of the ticket it belongs to, and its rule by host in the ticket's word (``soft-host``); empty where it has none.
    group: str = ""
    spread: str = ""
    size: str = ""
    #: How it lies on the cells of its host, where that was asked for.
    seat: Seat | None = None

    @property
    def layout(self) -> Layout:
        """Return what it asks of cells."""
        return self.seat.layout if self.seat else NO_LAYOUT

    def host_amounts(self) -> Mapping[str, int]:
        """Return what it takes of its host, fine dimensions included."""
        compute = dict(compute_of(self.vcpu_count, self.memory_mib, self.layout).amounts)
        return compute | self.seat.amounts() if self.seat else compute

    def to_json(self) -> dict[str, Any]:
        """Return the stored form; a seat and a rule nobody asked for are left out."""
        data = {**_flat(self), "nics": tuple(map(_flat, self.nics)), "disks": tuple(map(_flat, self.disks))}
        if not self.spread:
            del data["spread"]
        if self.seat is None:
            del data["seat"]
        else:
            data["seat"] = self.seat.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "InstanceSpec":
        """Read the stored form back."""
        return cls(
            **{
                **data,
                "nics": tuple(Nic(**n) for n in data["nics"]),
                "disks": tuple(AttachedDisk(**d) for d in data["disks"]),
                "ssh_keys": tuple(data["ssh_keys"]),
                "seat": Seat.from_json(data["seat"]) if data.get("seat") else None,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """A data disk as wanted."""

    size_gib: int
    disk_class: str
    storage_pool_id: str
    #: The instance it is attached to; a volume of ours always has one in ``allotment/v1``.
    instance_id: ResourceId

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return _flat(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "VolumeSpec":
        """Read the stored form back."""
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSpec:
    """A department network on one host: its own subnet, gateway first, addresses given by us."""

    network: str
    zone: str
    #: CIDR of the subnet, for example ``10.96.0.64/26``.
    cidr: str
    gateway: str

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return _flat(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SegmentSpec":
        """Read the stored form back."""
        return cls(**data)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedDisk:
    """A disk of such a machine, in a storage pool of its host."""

    #: What the back end calls it, and the storage pool.
    uuid: str
    storage_pool: str
    size_gib: int
    storage_pool_id: str
    disk_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedSpec:
    """A machine somebody else made, as it was when it was taken into the books."""

    #: What the back end calls it.
    uuid: str
    vcpu_count: int
    memory_mib: int
    #: Whose it is at the back end (a project of a region); empty where the back end does not say.
    owner: str = ""
    #: Those of a class the platform knows, by id.
    disks: tuple[AdoptedDisk, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {**_flat(self), "disks": tuple(map(_flat, self.disks))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "AdoptedSpec":
        """Read the stored form back."""
        return cls(**{**data, "disks": tuple(AdoptedDisk(**d) for d in data.get("disks", ()))})


Spec = InstanceSpec | VolumeSpec | SegmentSpec | AdoptedSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A row the reconciler works on; the hold says who may act on it."""

    id: ResourceId
    kind: ResourceKind
    name: str
    department_id: DepartmentId
    project_id: ProjectId | None
    #: A segment belongs to a department, not to one system.
    system_id: SystemId | None
    host_id: HostId | None
    desired: Desired
    observed: Observed
    phase: Phase
    spec: Spec
    #: Counts wishes; ``settled_generation`` is the last one reached.
    generation: int = 1
    settled_generation: int = 0
    #: Last ticket that changed the wish.
    ticket_id: TicketId | None = None
    #: Name of the step to run next (or being run).
    step: str = ""
    attempts: int = 0
    next_try_s: float = 0.0
    owner: str = ""
    hold_until_s: float = 0.0
    #: Rises with every hold; every later write and every driver verb carries it.
    fence: int = 0
    problem: Problem | None = None
    #: When what was seen last by a look at it alone was written.
    observed_at_s: float = 0.0
    #: When that look was at the latest; a look at its whole host that finds it as it is here is written with the host.
    seen_at_s: float = 0.0
    #: When it was seen last as it is here, where a look found it otherwise since, or a wish has it changed; else ``None``.
    agreed_at_s: float | None = None
    #: Times it was placed again after a failure.
    placements: int = 1
    #: Journal revision: counts metered changes.
    revision: int = 0
    #: Restarts ordered so far, and the last of them that was carried out (or became pointless: it was started since).
    reboots_wanted: int = 0
    reboots_done: int = 0
    created_at_s: float = 0.0
    #: The host it is on its way to; capacity is promised on both until it was seen there, or is known to stay.
    target_host_id: HostId | None = None
    #: The host it was lost with, while its disks outlive that and it is not back yet: nothing of it is made anew or removed.
    lost_host_id: HostId | None = None
    #: What the back end said beside the state: console path, agent, last stop reason.
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_reboot_due(self) -> bool:
        """Tell whether a restart was ordered and not carried out yet."""
        return self.desired is Desired.RUNNING and self.reboots_done < self.reboots_wanted

    @property
    def instance(self) -> InstanceSpec:
        """Return the spec of an instance."""
        assert isinstance(self.spec, InstanceSpec)
        return self.spec

    @property
    def volume(self) -> VolumeSpec:
        """Return the spec of a volume."""
        assert isinstance(self.spec, VolumeSpec)
        return self.spec

    @property
    def segment(self) -> SegmentSpec:
        """Return the spec of a segment."""
        assert isinstance(self.spec, SegmentSpec)
        return self.spec

    @property
    def adopted(self) -> AdoptedSpec:
        """Return the spec of an adopted machine."""
        assert isinstance(self.spec, AdoptedSpec)
        return self.spec


class NewResource(NamedTuple):
    """What a new resource has of its own; all the rest is as with every new one. Machines that are alike share ``spec``."""

    id: ResourceId
    kind: ResourceKind
    name: str
    department_id: DepartmentId
    project_id: ProjectId
    system_id: SystemId
    host_id: HostId
    desired: Desired
    #: Its spec but for the storage pool.
    spec: InstanceSpec | VolumeSpec
    #: Where the machine's root disk, or the disk itself, is.
    storage_pool_id: StoragePoolId
    ticket_id: TicketId
    #: It is due at once.
    created_at_s: float


SPEC_TYPES: Mapping[ResourceKind, type[InstanceSpec] | type[VolumeSpec] | type[SegmentSpec] | type[AdoptedSpec]] = {
    ResourceKind.INSTANCE: InstanceSpec,
    ResourceKind.VOLUME: VolumeSpec,
    ResourceKind.SEGMENT: SegmentSpec,
    ResourceKind.ADOPTED: AdoptedSpec,
}
