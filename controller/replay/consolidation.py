"""Replays a trace with moves in between: hosts are emptied so that they can be powered off, as ``plan-moves consolidate`` would,
and room is made for large machines so that fewer hosts are powered on for them, as ``plan-moves make-room`` would.

Every so often, after what ends and before what arrives, the planner of the platform looks at the replay's state; and before a
large machine arrives that no host in use has room for. What is planned is done at once: a replay knows no time a move takes.
Hosts that are to be emptied next, and to small machines those with few large ones, are closed meanwhile: what comes goes there
only before another host is begun.

Whoever checks a replay may take all moves of a moment after what ends and before what arrives then.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from typing import NamedTuple

import numpy as np

from controller.replay.hosts import ACCELERATOR
from controller.replay.run import Orders, orders_of, stream_of
from controller.replay.stays import Moves
from controller.replay.trace import Trace
from controller.scheduling.columns import Int32, Int64
from controller.scheduling.engine import PLAIN, Engine
from controller.scheduling.moves.cluster import DWELLING, FIRST_DIMENSIONS, Cluster, Wanted
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.make_room import make_room
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.policy import LargeSize, Policy
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.stream import StreamRun
from inventory.domain.ids import ResourceId
from inventory.domain.system import SpreadLevel

#: All hosts of a replay draw the same.
_WATTS_IDLE, _WATTS_MOST = 100, 200

Planner = Callable[[Cluster, Limits], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consolidation:
    """How often machines are moved, how many, and which."""

    every_s: int = 900
    #: At most so many moves for a thousand machines of the trace.
    moves_permille: int = 10
    #: Machines that go for one large machine that no host in use has room for; 0 makes no room.
    room_each_most: int = 2
    #: What part of the moves is left for that when hosts are emptied.
    room_permille: int = 200
    #: Machines younger than this are young: most of them are soon gone by themselves (``Limits.young_counts``).
    dwell_s: int = 7200
    #: Machines of fewer vCPUs keep off hosts whose machines have so many on average, because few moves empty those; 0: no host.
    small_below: int = 4
    limits: Limits = field(
        default_factory=lambda: Limits(
            saving_least_wh_per_gib=0,
            moves_each_most=14,
            move_mib=65536,
            fill_most_permille=943,
            aside_permille=800,
            young_counts=4,
        )
    )
    planner: Planner = consolidate


def replay_with_moves(
    trace: Trace,
    hosts: Snapshot,
    policy: Policy,
    consolidation: Consolidation,
    *,
    distinct_up_to: int = 0,
    engine: Engine = PLAIN,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Int32, Moves]:
    """Return the host each machine of a trace was placed on, ``REFUSED`` for none, and the moves made after that."""
    orders = orders_of(trace, distinct_up_to)
    run = stream_of(orders, hosts, policy, engine)
    desk = _Desk(trace, hosts, orders, run, consolidation, policy.large)
    for stop in desk.stops():
        done = run.through(stop.order)
        if stop.is_large:
            desk.make_room(stop)
        else:
            desk.empty(stop)
        if on_progress is not None:
            on_progress(done, len(run))
    run.through(len(run))
    if on_progress is not None:
        on_progress(len(run), len(run))
    placed_on = run.answer().hosts[orders.placed_by]
    for machine, _, source, _ in reversed(desk.rows):
        placed_on[machine] = source
    return placed_on, Moves.of(desk.rows)


class _Stop(NamedTuple):
    """Where a replay is held up, and what for."""

    order: int
    #: Room is made for the large machines of the gang that comes next; otherwise hosts are emptied.
    is_large: bool
    now_s: int


class _Desk:
    """Looks at a replay from time to time and moves machines."""

    def __init__(
        self, trace: Trace, hosts: Snapshot, orders: Orders, run: StreamRun, consolidation: Consolidation, large: LargeSize | None
    ) -> None:
        self._trace, self._orders, self._run, self._consolidation = trace, orders, run, consolidation
        self.rows: list[tuple[int, int, int, int]] = []
        self._hosts, self._empty = hosts, _hosts_alone(hosts)
        self._ids = tuple(ResourceId(str(machine)) for machine in range(trace.count))
        self._most = consolidation.moves_permille * trace.count // 1000
        # What came at this moment is young however long that is: its stay must not begin with a move.
        self._young_s = max(1, consolidation.dwell_s)
        #: By class: whether room is made for it.
        self._is_large = np.array([large is not None and _is_large(size, large) for size in orders.sizes], bool)

    def stops(self) -> Iterator[_Stop]:
        """Yield where machines are moved, in order; what is done at a stop decides which one comes next."""
        begins = self._larges() if self._consolidation.room_each_most else []
        larges = (_Stop(order, True, int(self._orders.moment[order]) // 2) for order in begins)
        return merge(self._regular(), larges)

    def _regular(self) -> Iterator[_Stop]:
        """Yield the moments from the first arrival to the last, every so often, at which a planner could say something new."""
        arrivals, every_s = np.sort(self._trace.arrival_s), self._consolidation.every_s
        now_s = (int(arrivals[0]) // every_s + 1) * every_s if len(arrivals) else 0
        while len(arrivals) and now_s < int(arrivals[-1]) + every_s:
            stop, moved = _Stop(int(np.searchsorted(self._orders.moment, 2 * now_s + 1)), False, now_s), len(self.rows)
            yield stop
            now_s += every_s
            if len(self.rows) == moved:
                # The same picture has the same answer: on to the next moment with another one.
                now_s = max(now_s, -(-self._next_change_s(stop, arrivals) // every_s) * every_s)

    def _next_change_s(self, stop: _Stop, arrivals: Int64) -> int:
        """Return when something comes or ends after a stop, or a machine is no longer young."""
        old, last_s = int(np.searchsorted(arrivals, stop.now_s - self._young_s, "right")), int(arrivals[-1])
        # What arrives at a moment is there after it.
        comes_s = (int(self._orders.moment[stop.order]) + 1) // 2 if stop.order < len(self._orders.moment) else last_s + 1
        return min(comes_s, int(arrivals[old]) + self._young_s if old < len(arrivals) else comes_s)

    def _larges(self) -> list[int]:
        """Return the first orders of gangs with a large machine; a machine that comes alone is a gang of its own."""
        order, gang = self._orders.order, self._orders.gang
        _, begins, number = np.unique(gang, return_index=True, return_inverse=True)
        first = np.where(gang >= 0, begins[number.reshape(-1)], np.arange(len(gang)))
        is_large = (order >= 0) & self._is_large[np.maximum(order, 0)]
        return [int(order) for order in np.unique(first[is_large])]

    def empty(self, stop: _Stop) -> None:
        """Empty hosts, as the planner says, and close those that it sets aside, for which no move has to be left."""
        held = self._most * self._consolidation.room_permille // 1000 if self._consolidation.room_each_most else 0
        limits = replace(self._consolidation.limits, moves_most=max(0, self._most - held - len(self.rows)))
        if limits.moves_most or limits.aside_permille or self._consolidation.small_below:
            cluster = self._cluster(stop.now_s)
            plan = self._consolidation.planner(cluster, limits)
            self._move(stop, cluster, plan)
            self._close([cluster.host_index[host] for host in plan.aside])

    def _ended_permille(self, position: Int32) -> Int64:
        """Return by ticket what part of its machines that found room has ended."""
        tickets = int(self._trace.ticket.max()) + 1
        came, ended = (np.bincount(self._trace.ticket[which], minlength=tickets) for which in (position != -1, position < -1))
        permille: Int64 = 1000 * ended // np.maximum(came, 1)
        return permille

    def _close(self, aside: Sequence[int]) -> None:
        """Close the hosts that are set aside, and to small machines those with few large ones on them."""
        position = self._run.stream.position[self._orders.placed_by]
        there = position >= 0
        host, count = self._run.hosts_at(position[there]), len(self._empty.host_ids)
        machines = np.bincount(host, minlength=count)
        vcpus = np.bincount(host, weights=self._trace.vcpus[there], minlength=count)
        few = np.flatnonzero((machines > 0) & (vcpus >= self._consolidation.small_below * machines))
        self._run.close(aside, to_small=few.tolist(), small_below=self._consolidation.small_below)

    def make_room(self, stop: _Stop) -> None:
        """Make room for the large machines that come next, where no host in use has any."""
        budget = self._most - len(self.rows)
        sizes = [self._orders.sizes[c] for c in self._gang(stop.order) if self._is_large[c]]
        rows, capacity = _rows(self._empty.dimensions, self._hosts), self._empty.capacity
        free = np.stack([self._run.free(row) for row in rows], axis=1)
        demands = [np.array(size[: len(rows)], np.int64) for size in sizes]
        is_on = np.any(free < capacity, axis=1)
        fits = is_on & np.all((free >= demands[0]) | (demands[0] == 0), axis=1)
        if budget <= 0 or (len(sizes) == 1 and fits.any()):
            return
        cluster = self._cluster(stop.now_s)
        limits = Limits(moves_most=budget, moves_each_most=self._consolidation.room_each_most)
        wanted = tuple(Wanted(demand=demand, hosts=is_on) for demand in demands)
        self._move(stop, cluster, make_room(replace(cluster, wanted=wanted), limits))

    def _gang(self, order: int) -> Int32:
        """Return the classes of the gang that begins with an order."""
        gang = self._orders.gang
        end = order + 1
        while gang[order] >= 0 and end < len(gang) and gang[end] == gang[order]:
            end += 1
        return self._orders.order[order:end]

    def _move(self, stop: _Stop, cluster: Cluster, plan: Plan) -> None:
        for step in plan.moves:
            machine, target = int(step.machine_id), cluster.host_index[step.target_id]
            placed = int(self._orders.placed_by[machine])
            self.rows.append((machine, stop.now_s, self._run.host_of(placed), target))
            self._run.move(placed, target)

    def _cluster(self, now_s: int) -> Cluster:
        trace, position = self._trace, self._run.stream.position[self._orders.placed_by]
        machine = np.flatnonzero(position >= 0)
        host = self._run.hosts_at(position[machine]).astype(np.int64)
        asked = (trace.vcpus, trace.memory_mib, trace.accelerators)[: len(self._empty.dimensions)]
        demand = np.stack([amount[machine] for amount in asked], axis=1)
        free = self._empty.capacity.copy()
        np.subtract.at(free, host, demand)
        is_young = trace.arrival_s[machine] > now_s - self._young_s
        ids = tuple(self._ids[m] for m in machine.tolist())
        named, group = np.unique(self._orders.group[self._orders.placed_by[machine]], return_inverse=True)
        lone = int(len(named) > 0 and named[0] == -1)
        groups = len(named) - lone
        return replace(
            self._empty,
            free=free,
            machine_ids=ids,
            machine_names=ids,
            machine_index={m: i for i, m in enumerate(ids)},
            host=host,
            demand=demand,
            disks=((),) * len(ids),
            disk_pools=((),) * len(ids),
            kind=np.zeros(len(ids), np.int64),
            group=group.reshape(-1).astype(np.int64) - lone,
            group_level=(SpreadLevel.HOST,) * groups,
            group_is_hard=(True,) * groups,
            group_most=(1,) * groups,
            group_is_together=(False,) * groups,
            group_reserve=(0,) * groups,
            stays=tuple(DWELLING if young else "" for young in is_young.tolist()),
            mates_ended_permille=self._ended_permille(position)[trace.ticket[machine]],
        )


def _is_large(size: tuple[int, int, int], large: LargeSize) -> bool:
    return size[0] >= large.vcpu_count and size[1] >= large.memory_mib


def _rows(dimensions: Sequence[str], hosts: Snapshot) -> list[int]:
    return [hosts.rows.row_of[dimension] for dimension in dimensions]


def _hosts_alone(hosts: Snapshot) -> Cluster:
    """Return the picture of the hosts without a machine."""
    count = hosts.host_count
    dimensions = (*FIRST_DIMENSIONS, *([ACCELERATOR] if ACCELERATOR in hosts.rows.row_of else []))
    capacity = np.stack([hosts.capacity_rows[row].astype(np.int64) for row in _rows(dimensions, hosts)], axis=1)
    one, nothing, yes = np.zeros(count, np.int64), np.empty(0, np.int64), np.ones(count, np.bool_)
    return Cluster(
        host_ids=hosts.host_ids,
        host_names=hosts.host_names,
        host_index=hosts.index_of,
        dimensions=dimensions,
        capacity=capacity,
        free=capacity,
        takes=yes,
        zone=one,
        mlps_max=one,
        arch=one,
        pool=one,
        domains={level.value: column.astype(np.int64) for level, column in hosts.domain_index.items()},
        reserve_bits=one,
        is_reserved=~yes,
        watts_idle=np.full(count, _WATTS_IDLE, np.int64),
        watts_most=np.full(count, _WATTS_MOST, np.int64),
        storage_ids=(),
        storage_free=nothing,
        storage_of=({},) * count,
        machine_ids=(),
        machine_names=(),
        machine_index={},
        host=nothing,
        demand=np.empty((0, len(dimensions)), np.int64),
        disks=(),
        disk_pools=(),
        kind=nothing,
        allowed=yes[None, :],
        group=nothing,
        group_level=(),
        group_is_hard=(),
        group_most=(),
        group_is_together=(),
        group_reserve=(),
        stays=(),
    )
