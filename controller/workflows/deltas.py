"""What a wanted spec means for the resources that exist: pure, by member name. For quote (to plan) and commit (to write)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inventory.domain.ids import ResourceId
from inventory.domain.layout import Seat
from inventory.domain.resource import Desired, Resource, ResourceKind
from inventory.domain.system import DiskSpec, ServerSpec, SystemSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A machine to make."""

    name: str
    server: ServerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedMember:
    """A machine that stays: its new shape, the disks it gains and those it loses."""

    current: Resource
    server: ServerSpec
    new_disks: tuple[DiskSpec, ...]
    lost_volumes: tuple[Resource, ...]

    @property
    def is_resize(self) -> bool:
        """Tell whether vCPUs, memory or how they lie on the host change."""
        now, server = self.current.instance, self.server
        return (now.vcpu_count, now.memory_mib, now.layout) != (server.vcpu_count, server.memory_mib, server.layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deltas:
    """All that a ticket changes of the resources of one system."""

    new: tuple[NewMember, ...] = ()
    changed: tuple[ChangedMember, ...] = ()
    #: Machines and disks that shall be no more.
    lost: tuple[Resource, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing happens to any resource (a renewal)."""
        return not (self.new or self.changed or self.lost)


def disk_name(member: str, disk: str) -> str:
    """Return the name of a data disk in its system."""
    return f"{member}/{disk}"


def deltas(existing: Sequence[Resource], wanted: SystemSpec | None) -> Deltas:
    """Compare what exists (any state but gone) with what is wanted; ``None`` wants nothing."""
    living = [r for r in existing if r.desired is not Desired.ABSENT]
    machines = {r.name: r for r in living if r.kind is ResourceKind.INSTANCE}
    volumes = {r.name: r for r in living if r.kind is ResourceKind.VOLUME}
    members = _members(wanted)
    new = tuple(NewMember(name=name, server=server) for name, server in members.items() if name not in machines)
    changed = tuple(
        change
        for name, server in members.items()
        if name in machines and (change := _change(machines[name], server, volumes)) is not None
    )
    lost_machines = [r for name, r in machines.items() if name not in members]
    lost_ids = {r.id for r in lost_machines}
    lost_disks = [v for v in volumes.values() if v.volume.instance_id in lost_ids]
    return Deltas(new=new, changed=changed, lost=(*lost_machines, *lost_disks))


def _members(wanted: SystemSpec | None) -> Mapping[str, ServerSpec]:
    if wanted is None:
        return {}
    return {name: server for server in wanted.servers for name in server.member_names()}


def _change(current: Resource, server: ServerSpec, volumes: Mapping[str, Resource]) -> ChangedMember | None:
    wanted_names = {disk_name(current.name, d.name) for d in server.disks}
    own: dict[str, Resource] = {n: v for n, v in volumes.items() if v.volume.instance_id == current.id}
    change = ChangedMember(
        current=current,
        server=server,
        new_disks=tuple(d for d in server.disks if disk_name(current.name, d.name) not in own),
        lost_volumes=tuple(v for name, v in own.items() if name not in wanted_names),
    )
    return change if change.is_resize or change.new_disks or change.lost_volumes else None


def next_slots(current: Resource, lost: Sequence[Resource], count: int) -> list[int]:
    """Return free positions on the disk bus of a machine, lowest first."""
    gone: set[ResourceId] = {v.id for v in lost}
    busy = {d.slot for d in current.instance.disks if d.volume_id not in gone}
    return [slot for slot in range(len(busy) + count + len(gone)) if slot not in busy][:count]


def reshaped(current: Resource, server: ServerSpec, seat: Seat | None) -> Resource:
    """Return the machine with the new vCPUs and memory, and where they lie; everything else stays as it is."""
    now = current.instance
    spec = replace(now, vcpu_count=server.vcpu_count, memory_mib=server.memory_mib, size=server.size, seat=seat)
    return replace(current, spec=spec)
