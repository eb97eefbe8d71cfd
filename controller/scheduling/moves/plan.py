"""What a plan of moves is: an ordered list of moves, what they cost and gain, and which machines stay and why."""

from dataclasses import dataclass, field
from enum import StrEnum

from inventory.domain.ids import HostId, ResourceId, StoragePoolId


class PlanKind(StrEnum):
    """What a plan is for."""

    DRAIN = "drain"
    REBALANCE = "rebalance"
    REPAIR = "repair"
    CONSOLIDATE = "consolidate"
    MAKE_ROOM = "make-room"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a plan."""

    #: Most moves, and most memory to copy by all of them.
    moves_most: int = 1000
    memory_most_mib: int | None = None
    #: A plan stops where the next move would better the score, times the hosts of the pool, by less than this in millionths:
    #: one move changes two hosts, so its share of the score falls with their number.
    gain_least_micro: int = 40_000
    #: Consolidation: for how long hosts would be off, and the least it must save then, in watt hours per GiB to be copied.
    horizon_h: int = 24
    saving_least_wh_per_gib: int = 5
    #: Consolidation: most moves for one host, what a move costs besides its memory (counted as memory to copy), and how full the
    #: hosts that stay on may be of vCPU and of memory: room for what comes next, or the freed host is soon on again.
    moves_each_most: int | None = None
    move_mib: int = 0
    fill_most_permille: int = 1000
    #: Consolidation: what part of the hosts that could be spared takes nothing from others, because they are to be emptied next.
    aside_permille: int = 0
    #: Consolidation: moves that a young machine (``DWELLING``) counts for against ``moves_each_most``, because it would soon be
    #: gone by itself; 0: it stays, and its host with it. Only for replays: the platform never moves a machine that young.
    young_counts: int = 0


_BOUNDS = frozenset({"moves_most", "memory_most_mib"})
_OF_ENERGY = frozenset({"horizon_h", "saving_least_wh_per_gib", "moves_each_most", "fill_most_permille"})
#: The bounds that each kind of plan may be asked to keep.
BOUNDS_OF = {
    PlanKind.DRAIN: _BOUNDS,
    PlanKind.REBALANCE: _BOUNDS,
    PlanKind.REPAIR: _BOUNDS,
    PlanKind.CONSOLIDATE: _BOUNDS | _OF_ENERGY,
    PlanKind.MAKE_ROOM: _BOUNDS | {"moves_each_most"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One machine from one host to another; feasible when all moves before it are done."""

    machine_id: ResourceId
    machine: str
    source_id: HostId
    target_id: HostId
    #: Storage pool per disk: the root disk, then the data disks.
    storage_pool_ids: tuple[StoragePoolId, ...]
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A machine that should have moved and does not."""

    machine_id: ResourceId
    machine: str
    host_id: HostId
    #: Code of the reason: ``moves.no_room``, ``moves.not_offered``, ``moves.shares_network`` …
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An ordered list of moves."""

    kind: PlanKind
    moves: tuple[Move, ...]
    stays: tuple[Stay, ...] = ()
    #: Sum of the standard deviations of load over the hosts of each pool, in millionths: 0 is even.
    score_before_micro: int = 0
    score_after_micro: int = 0
    #: Hosts with machines before that have none after.
    freed: tuple[HostId, ...] = field(default=())
    #: Hosts with machines that are to be emptied next (``Limits.aside_permille``): best they take none until then.
    aside: tuple[HostId, ...] = ()
    #: Saved over ``Limits.horizon_h`` by powering the freed hosts off.
    saving_wh: int = 0
    #: For each machine that was to get room the host that has it then, None where there is none (``make_room``).
    room_on: tuple[HostId | None, ...] = ()
    #: Broken rules before and after (overfull hosts, machines in a failure domain too many, machines where they may not be).
    broken_before: int = 0
    broken_after: int = 0

    @property
    def memory_mib(self) -> int:
        """Return the memory to be copied."""
        return sum(m.memory_mib for m in self.moves)
