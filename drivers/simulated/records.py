"""What a simulated host is made of. Mutable records, guarded by the lock of their host."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drivers.faults import StaleFence, Transient
from drivers.protocol import InstanceStats, LeaseEntry, MachineRequest, NicRequest, ObservedInstance, ObservedNic, ObservedShape
from inventory.domain.host import StorageFacts
from inventory.domain.ids import ResourceId
from inventory.domain.layout import Cell, Seat, text_of


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
    #: NUMA cells it shows, and threads of a core; 0: it shows none.
    cells: int = 0
    threads: int = 1
    #: (size in KiB, pages) in each cell.
    huge_pages: tuple[tuple[int, int], ...] = ()
    #: (name, owner) of machines somebody else made there before.
    foreign: tuple[tuple[str, str], ...] = ()
    #: Hosts of a world that name the same have their networks in common; empty: its own.
    scope: str = ""
    #: Hosts of a world that name the same can be given each other's machines and disks; empty: disks are lost with it.
    disks: str = ""

    def numa(self) -> tuple[Cell, ...]:
        """Return its cells: processors and memory evenly, threads of a core in different halves, as Linux numbers them."""
        found = []
        for cell in range(self.cells):
            cores = [
                [core + thread * (self.cpu_count // self.threads) for thread in range(self.threads)]
                for core in range(self.cpu_count // self.threads)
                if core * self.cells // (self.cpu_count // self.threads) == cell
            ]
            huge = tuple((kib, kib * count // 1024) for kib, count in self.huge_pages)
            text = " ".join(",".join(map(str, core)) for core in cores)
            found.append(Cell(id=cell, memory_mib=self.memory_mib // self.cells, cores=text, huge_mib=huge))
        return tuple(found)


def storage_facts(host_name: str, pool: PoolSpec, available_gib: int) -> StorageFacts:
    """Return what a host says of one of its storage pools."""
    path = f"/simulated/{host_name}/{pool.name}"
    return StorageFacts(name=pool.name, path=path, capacity_gib=pool.capacity_gib, available_gib=available_gib)


def foreign_by_pool(taken_gib: Mapping[tuple[str, str], int], pools: Iterable[PoolSpec]) -> dict[str, int]:
    """Return what others have in each storage pool; ``taken_gib`` is by whose it is and the pool."""
    return {pool.name: sum(gib for (_, name), gib in taken_gib.items() if name == pool.name) for pool in pools}


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
    #: Where it lies on the cells of the host.
    seat: Seat | None = None
    #: Number of the last ordered restart that was carried out.
    reboots: int = 0
    #: vCPUs and MiB somebody wrote into the stored definition of what runs: they count once it was stopped.
    stored: tuple[int, int] | None = None
    #: Cards somebody meddled with: MAC -> network and filtered address.
    meddled_nics: dict[str, tuple[str, str]] | None = None
    #: The last observation, dropped on every change.
    seen: ObservedInstance | None = None


def nics_of(machine: Machine) -> tuple[ObservedNic, ...]:
    """Return its cards as they are now, meddled with or not."""
    meddled = machine.meddled_nics or {}
    seen = ((nic.mac, *meddled.get(nic.mac, (nic.segment_id, nic.address))) for nic in machine.nics)
    return tuple(ObservedNic(mac=mac, network=network, address=address) for mac, network, address in sorted(seen))


def stored_of(machine: Machine) -> ObservedShape | None:
    """Return its stored definition, None where that is what runs."""
    if machine.stored is None:
        return None
    vcpu_count, memory_mib = machine.stored
    by_mac = sorted(machine.nics, key=lambda nic: nic.mac)
    wanted = tuple(ObservedNic(mac=n.mac, network=n.segment_id, address=n.address) for n in by_mac)
    return ObservedShape(
        vcpu_count=vcpu_count, memory_mib=memory_mib, volume_ids=machine.disks, nics=wanted, seat=text_of(machine.seat)
    )


def take_stored(machine: Machine) -> None:
    """Let the stored definition count: what was done to the running machine alone is over."""
    machine.meddled_nics = None
    if machine.stored is not None:
        (machine.vcpu_count, machine.memory_mib), machine.stored = machine.stored, None


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
    #: Somebody changed what it lets through.
    is_loose: bool = False


#: How busy machines are, each by its id: thousandths of processor and memory, and bytes a millisecond.
_LOADS = ((5, 150, 0), (30, 250, 3), (120, 400, 40), (350, 600, 200), (700, 850, 900))


def stats_of(machine: Machine, age_s: float) -> InstanceStats:
    """Return the counters of a machine that runs for so long: from one that hardly does anything to one that is busy."""
    age_ms = int(age_s * 1000)
    cpu, memory, moved = _LOADS[sum(machine.instance_id.encode()) % len(_LOADS)]
    return InstanceStats(
        instance_id=machine.instance_id,
        cpu_time_ns=age_ms * 1000 * cpu * machine.vcpu_count,
        memory_used_mib=machine.memory_mib * memory // 1000,
        disk_read_bytes=age_ms * 4,
        disk_written_bytes=age_ms * 2,
        network_received_bytes=age_ms * moved,
        network_sent_bytes=age_ms * moved // 3,
    )


def guard(resource_id: ResourceId, found: int, given: int) -> None:
    """Refuse a fence that is older than the one stored.

    Raises:
        StaleFence: always then.
    """
    if given < found:
        raise StaleFence(resource_id=resource_id, given=given, found=found)


def refuse_cold_changes(machine: Machine, request: MachineRequest) -> None:
    """Refuse what a running machine cannot take.

    Raises:
        Transient: ``driver.must_be_stopped``.
    """
    wanted = (request.vcpu_count, request.memory_mib, request.seat)
    if machine.is_running and wanted != (machine.vcpu_count, machine.memory_mib, machine.seat):
        raise Transient("driver.must_be_stopped", instance=machine.instance_id)
