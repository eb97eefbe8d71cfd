"""Where a machine goes that makes room: the host that loses least of the room usable in both vCPU and memory."""

from collections.abc import Collection

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import FIRST_DIMENSIONS, Flags
from controller.scheduling.moves.drain import SOFT_MATE

#: What evenness of vCPU and memory weighs against room that is lost.
EVEN = 1.5
FIRST = len(FIRST_DIMENSIONS)


def least_lost(board: Board, machine: int, among: Flags, leaving: Collection[int] = ()) -> int | None:
    """Return the host with room that loses least and becomes most even (as the policy), None where none of these has room.

    A soft rule comes before that, as when a host is emptied (``drain.ranked``).
    """
    cluster = board.cluster
    hosts = np.flatnonzero(board.room(machine) & among)
    if not len(hosts):
        return None
    capacity = np.maximum(cluster.capacity[hosts, :FIRST], 1)
    left = board.free[hosts, :FIRST] / capacity
    after = left - cluster.demand[machine, :FIRST] / capacity
    lost = left.min(axis=1) ** 2 - after.min(axis=1) ** 2
    cost = lost + EVEN * (np.ptp(after, axis=1) - np.ptp(left, axis=1))
    cost = cost + SOFT_MATE * board.soft_costs(machine, hosts, leaving)
    return int(hosts[np.argmin(cost)])
