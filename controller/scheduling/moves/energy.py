"""What hosts draw: the watts of an idle and of a fully loaded host, straight in between by vCPU load.

Source: the linear power model of X. Fan, W.-D. Weber, L. A. Barroso, Power Provisioning for a Warehouse-sized Computer (2007).
"""

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Flags


def power_watts(board: Board, is_on: Flags) -> int:
    """Return what the hosts that are on draw."""
    cluster = board.cluster
    capacity = np.maximum(cluster.capacity[:, 0], 1)
    load = np.clip((cluster.capacity[:, 0] - board.free[:, 0]) / capacity, 0.0, 1.0)
    watts = cluster.watts_idle + (cluster.watts_most - cluster.watts_idle) * load
    return round(float(watts[is_on].sum()))


def saving_wh(before: Board, after: Board, horizon_h: int) -> int:
    """Return what is saved over a time by turning off hosts that had machines before and have none after."""
    had = np.array([not before.is_empty(i) for i in range(before.cluster.host_count)], bool)
    has = np.array([not after.is_empty(i) for i in range(after.cluster.host_count)], bool)
    return (power_watts(before, had) - power_watts(after, has)) * horizon_h
