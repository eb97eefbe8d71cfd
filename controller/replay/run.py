"""Replays a trace through the placement core: the decisions a controller would have made, one ticket after the other.

Machines that one ticket asks for at one moment are a gang: all are placed, the largest first, or none. Gangs of one moment are
there together: the one with the largest machine is decided first, small ones fit into what it leaves. Half-open intervals: what
ends at a moment is gone before what arrives at that moment is placed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from controller.replay.hosts import ACCELERATOR, ZONE
from controller.replay.trace import STAYS, Trace
from controller.scheduling import stream
from controller.scheduling.columns import Bool, Int32, Int64
from controller.scheduling.engine import PLAIN, Engine
from controller.scheduling.fleet import Fleet
from controller.scheduling.policy import Policy
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.stream import StreamRule, StreamRun
from controller.scheduling.units import Need
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel

#: (decided so far, in all)
OnProgress = Callable[[int, int], None]
REFUSED = -1
#: Orders decided between two reports of progress.
_STEP = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """A trace as a stream: an order places a machine or gives one back."""

    #: Index of a class, or ``-1 - n`` to give back what order *n* placed.
    order: Int32
    #: By order: its group, -1 for none; a group is a ticket whose machines go to distinct hosts.
    group: Int32
    group_count: int
    #: By order: its gang, -1 for none; a gang is two or more machines of a ticket that come at one moment.
    gang: Int32
    #: By order, ascending: twice the moment, and one more for what arrives, or ends at once: that comes after what ends.
    moment: Int64
    #: By machine: the order that places it.
    placed_by: Int64
    #: (vCPU, MiB, accelerators) by class.
    sizes: tuple[tuple[int, int, int], ...]


def orders_of(trace: Trace, distinct_up_to: int) -> Orders:
    """Return the orders of a trace; tickets of 2 to ``distinct_up_to`` machines become groups."""
    gang_of, gang_count = _gangs(trace)
    machine, is_arrival, moment = _events(trace, gang_of)
    placed_by = np.empty(trace.count, dtype=np.int64)
    placed_by[machine[is_arrival]] = np.flatnonzero(is_arrival)
    amounts = np.stack([trace.vcpus, trace.memory_mib, trace.accelerators], axis=1)
    sizes, size_of = np.unique(amounts, axis=0, return_inverse=True)
    group_of, group_count = _groups(trace, distinct_up_to)
    is_gang = np.bincount(gang_of, minlength=gang_count)[gang_of] > 1
    order = np.where(is_arrival, size_of.reshape(-1)[machine], -1 - placed_by[machine])
    return Orders(
        order=order.astype(np.int32),
        group=np.where(is_arrival, group_of[machine], -1).astype(np.int32),
        group_count=group_count,
        gang=np.where(is_arrival & is_gang[machine], gang_of[machine], -1).astype(np.int32),
        moment=moment,
        placed_by=placed_by,
        sizes=tuple((vcpus, memory_mib, accelerators) for vcpus, memory_mib, accelerators in sizes.tolist()),
    )


def _gangs(trace: Trace) -> tuple[Int64, int]:
    """Return the gang of each machine, numbered in the order in which they are decided; those alone are gangs of one.

    That is the order of arrival, of one moment by the largest machine, the largest first, and then that of the file.
    """
    first_of_ticket = np.full(int(trace.ticket.max(initial=-1)) + 1, trace.count, dtype=np.int64)
    np.minimum.at(first_of_ticket, trace.ticket, np.arange(trace.count))
    keys = np.stack([trace.arrival_s, first_of_ticket[trace.ticket]], axis=1)
    gangs, gang_of = np.unique(keys, axis=0, return_inverse=True)
    gang_of = gang_of.reshape(-1)
    largest = np.zeros(len(gangs), dtype=np.int64)
    np.maximum.at(largest, gang_of, _share_of(trace))
    number = np.empty(len(gangs), dtype=np.int64)
    number[np.lexsort((gangs[:, 1], -largest, gangs[:, 0]))] = np.arange(len(gangs))
    return number[gang_of], len(gangs)


def _share_of(trace: Trace) -> Int64:
    """Return how large each machine is: what part of the largest amount of the trace it asks for, of what it asks most of."""
    asked = trace.vcpus, trace.memory_mib, trace.accelerators
    shares = [amount * 1_000_000 // max(1, int(amount.max(initial=1))) for amount in asked]
    largest: Int64 = np.maximum.reduce(shares)
    return largest


def _events(trace: Trace, gang_of: Int64) -> tuple[Int64, Bool, Int64]:
    """Return machines in the order of what happens to them, whether it is their arrival, and the moment (``Orders.moment``).

    At one moment: what ends, then what arrives, gang by gang, the largest first. A machine that lives for no time goes
    right after its gang came.
    """
    # Equal machines follow each other, so that a decision is like the one before it.
    least = np.arange(trace.count), -trace.accelerators, -trace.memory_mib, -trace.vcpus
    turn = np.lexsort((*least, -_share_of(trace), gang_of))
    rank = np.empty(trace.count, dtype=np.int64)
    rank[turn] = np.arange(trace.count)
    ends = np.flatnonzero(trace.lifetime_s != STAYS)
    machine = np.concatenate([np.arange(trace.count), ends])
    is_arrival = np.arange(len(machine)) < trace.count
    moment = np.where(is_arrival, trace.arrival_s[machine], trace.arrival_s[machine] + trace.lifetime_s[machine])
    is_late = is_arrival | (trace.lifetime_s[machine] == 0)
    in_turn = np.lexsort((rank[machine], ~is_arrival, np.where(is_late, gang_of[machine], -1), is_late, moment))
    return machine[in_turn], is_arrival[in_turn], (2 * moment + is_late)[in_turn]


def _groups(trace: Trace, distinct_up_to: int) -> tuple[Int64, int]:
    members = np.bincount(trace.ticket)
    is_group = (members >= 2) & (members <= distinct_up_to)
    number = np.where(is_group, np.cumsum(is_group) - 1, -1)
    return number[trace.ticket], int(is_group.sum())


def replay(
    trace: Trace,
    hosts: Snapshot,
    policy: Policy,
    *,
    distinct_up_to: int = 0,
    engine: Engine = PLAIN,
    on_progress: OnProgress | None = None,
) -> Int32:
    """Return the host of each machine of a trace, ``REFUSED`` where it found no room; no choice depends on the engine."""
    orders = orders_of(trace, distinct_up_to)
    run = stream_of(orders, hosts, policy, engine)
    for step in range(_STEP, len(run) + _STEP, _STEP):
        done = run.through(step)
        if on_progress is not None:
            on_progress(done, len(run))
    return run.answer().hosts[orders.placed_by]


def stream_of(orders: Orders, hosts: Snapshot, policy: Policy, engine: Engine) -> StreamRun:
    """Return the stream that decides the orders of a trace on hosts without a machine."""
    asked = stream.Orders(
        classes=[need_of(*size) for size in orders.sizes],
        orders=orders.order,
        groups=orders.group,
        rules=[StreamRule(spread=SpreadLevel.HOST)] * orders.group_count,
        gangs=orders.gang,
    )
    return StreamRun(Fleet(hosts, engine), policy, asked)


def need_of(vcpus: int, memory_mib: int, accelerators: int = 0) -> Need:
    """Return what a machine of a trace asks of a host."""
    ask = ((ACCELERATOR, accelerators), (MEMORY_MIB, memory_mib), (VCPU, vcpus))
    return Need(
        zone_id=ZONE.id, mlps_level=0, ask=tuple(a for a in ask if a[1]), disks=(), archs=(), pins=(), reach=(),
        hard=(), soft=(), apart=(), together=(), conflict="", traits=(), counts=(), is_staying=False,
    )  # fmt: skip
