"""Replays a trace with moves in between: hosts are emptied so that they can be powered off, as ``plan-moves consolidate`` would.

Every so often, after what ends and before what arrives, the planner of the platform looks at the replay's state. What it plans
is done at once: a replay knows no time a move takes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from controller.replay.run import Orders, orders_of, stream_of
from controller.replay.stays import Moves
from controller.replay.trace import Trace
from controller.scheduling.columns import MEMORY_ROW, VCPU_ROW, Int32
from controller.scheduling.engine import PLAIN, Engine
from controller.scheduling.moves.cluster import FIRST_DIMENSIONS, Cluster
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.policy import Policy
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

    every_s: int = 1800
    #: At most so many moves for a thousand machines of the trace.
    moves_permille: int = 10
    #: Machines younger than this stay: most of them are soon gone by themselves.
    dwell_s: int = 3600
    limits: Limits = field(
        default_factory=lambda: Limits(saving_least_wh_per_gib=0, moves_each_most=12, move_mib=65536, fill_most_permille=930)
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
    desk = _Desk(trace, hosts, orders, run, consolidation)
    last_s = int(trace.arrival_s.max(initial=0))
    for now_s in range(consolidation.every_s, last_s + consolidation.every_s, consolidation.every_s):
        done = run.through(int(np.searchsorted(orders.moment, 2 * now_s + 1)))
        desk.move(now_s)
        if on_progress is not None:
            on_progress(done, len(run))
    run.through(len(run))
    if on_progress is not None:
        on_progress(len(run), len(run))
    placed_on = run.answer().hosts[orders.placed_by]
    for machine, _, source, _ in reversed(desk.rows):
        placed_on[machine] = source
    return placed_on, Moves.of(desk.rows)


class _Desk:
    """Looks at a replay from time to time and moves machines."""

    def __init__(self, trace: Trace, hosts: Snapshot, orders: Orders, run: StreamRun, consolidation: Consolidation) -> None:
        self._trace, self._orders, self._run, self._consolidation = trace, orders, run, consolidation
        self.rows: list[tuple[int, int, int, int]] = []
        self._empty = _hosts_alone(hosts)
        self._ids = tuple(ResourceId(str(machine)) for machine in range(trace.count))

    def move(self, now_s: int) -> None:
        """Plan for this moment, and do it."""
        budget = self._consolidation.moves_permille * self._trace.count // 1000 - len(self.rows)
        if budget <= 0:
            return
        cluster = self._cluster(now_s)
        limits = replace(self._consolidation.limits, moves_most=budget)
        for step in self._consolidation.planner(cluster, limits).moves:
            machine, target = int(step.machine_id), cluster.host_index[step.target_id]
            order = int(self._orders.placed_by[machine])
            self.rows.append((machine, now_s, self._run.host_of(order), target))
            self._run.move(order, target)

    def _cluster(self, now_s: int) -> Cluster:
        trace, position = self._trace, self._run.stream.position[self._orders.placed_by]
        machine = np.flatnonzero(position >= 0)
        host = self._run.hosts_at(position[machine]).astype(np.int64)
        demand = np.stack([trace.vcpus[machine], trace.memory_mib[machine]], axis=1)
        free = self._empty.capacity.copy()
        np.subtract.at(free, host, demand)
        is_young = trace.arrival_s[machine] > now_s - self._consolidation.dwell_s
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
            stays=tuple("moves.dwelling" if young else "" for young in is_young.tolist()),
        )


def _hosts_alone(hosts: Snapshot) -> Cluster:
    """Return the picture of the hosts without a machine."""
    count = hosts.host_count
    capacity = np.stack([hosts.capacity_rows[row].astype(np.int64) for row in (VCPU_ROW, MEMORY_ROW)], axis=1)
    one, nothing, yes = np.zeros(count, np.int64), np.empty(0, np.int64), np.ones(count, np.bool_)
    return Cluster(
        host_ids=hosts.host_ids,
        host_names=hosts.host_names,
        host_index=hosts.index_of,
        dimensions=FIRST_DIMENSIONS,
        capacity=capacity,
        free=capacity,
        takes=yes,
        zone=one,
        mlps_max=one,
        arch=one,
        pool=one,
        domains={level.value: column.astype(np.int64) for level, column in hosts.domain_index.items()},
        near_standby=~yes,
        watts_idle=np.full(count, _WATTS_IDLE, np.int64),
        watts_most=np.full(count, _WATTS_MOST, np.int64),
        storage_ids=(),
        storage_free=nothing,
        storage_of=({},) * count,
        machine_ids=(),
        machine_names=(),
        machine_index={},
        host=nothing,
        demand=np.empty((0, len(FIRST_DIMENSIONS)), np.int64),
        disks=(),
        disk_pools=(),
        kind=nothing,
        allowed=yes[None, :],
        group=nothing,
        group_level=(),
        group_is_hard=(),
        group_most=(),
        group_is_together=(),
        stays=(),
    )
