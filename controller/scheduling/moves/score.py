"""How evenly hosts are loaded: for each pool the standard deviation of the load of its hosts, vCPU and memory, summed up.

Source: the cluster score of Ganeti's htools (standard deviations of the free share of memory and of virtual over physical
CPUs over the nodes of a group), so that a plan may be judged by ``hbal``.
"""

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import FIRST_DIMENSIONS, Cluster, Column

Shares = NDArray[np.float64]
MICRO = 1_000_000
_DIMENSIONS = len(FIRST_DIMENSIONS)


class Loads:
    """Load shares of the hosts that take machines, kept while machines move."""

    def __init__(self, board: Board) -> None:
        cluster = board.cluster
        self._cluster = cluster
        capacity = cluster.capacity[:, :_DIMENSIONS].astype(np.float64)
        #: Hosts that count: those that take machines and have something to give.
        self.counts = cluster.takes & np.all(capacity > 0, axis=1)
        self._scale = np.where(self.counts[:, None], 1.0 / np.maximum(capacity, 1.0), 0.0)
        self.shares: Shares = (capacity - board.free[:, :_DIMENSIONS]) * self._scale
        self.sizes = np.bincount(cluster.pool, weights=self.counts).astype(np.float64)
        self._sum()

    def _sum(self) -> None:
        pools = len(self.sizes)
        self.sums = np.zeros((pools, _DIMENSIONS))
        self.squares = np.zeros((pools, _DIMENSIONS))
        np.add.at(self.sums, self._cluster.pool, self.shares)
        np.add.at(self.squares, self._cluster.pool, self.shares**2)

    def score(self) -> float:
        """Return the sum of standard deviations over pools and dimensions."""
        return float(_deviation(self.sums, self.squares, self.sizes[:, None]).sum())

    def moved(self, machine: int, source: int, target: int) -> None:
        """Take over one move."""
        demand = self._cluster.demand[machine, :_DIMENSIONS]
        self.shares[source] -= demand * self._scale[source]
        self.shares[target] += demand * self._scale[target]
        # Summed anew: differences would gather rounding errors over thousands of moves.
        for pool in {int(self._cluster.pool[source]), int(self._cluster.pool[target])}:
            rows = self.shares[(self._cluster.pool == pool) & self.counts]
            self.sums[pool], self.squares[pool] = rows.sum(axis=0), (rows**2).sum(axis=0)

    def after(self, machines: Column, sources: Column, targets: Column) -> Shares:
        """Return the score of one pool after each single move: machines × targets, all hosts in the same pool."""
        pool = int(self._cluster.pool[targets[0]])
        others = self.score() - float(_deviation(self.sums[pool], self.squares[pool], self.sizes[pool]).sum())
        result: Shares = np.full((len(machines), len(targets)), others)
        for d in range(_DIMENSIONS):
            demand = self._cluster.demand[machines, d].astype(np.float64)
            leaves = demand * self._scale[sources, d]
            comes = demand[:, None] * self._scale[targets, d][None, :]
            at_source = self.shares[sources, d]
            squares = self.squares[pool, d] - 2 * at_source * leaves + leaves**2
            squares = squares[:, None] + 2 * self.shares[targets, d][None, :] * comes + comes**2
            sums = self.sums[pool, d] - leaves[:, None] + comes
            result += _deviation(sums, squares, self.sizes[pool])
        return result


def _deviation(sums: Shares, squares: Shares, count: Shares | float) -> Shares:
    count = np.maximum(count, 1.0)
    result: Shares = np.sqrt(np.maximum(squares / count - (sums / count) ** 2, 0.0))
    return result


def score_micro(board: Board) -> int:
    """Return the score in millionths."""
    return round(MICRO * Loads(board).score())


def score_of(cluster: Cluster) -> int:
    """Return the score of a picture in millionths."""
    return score_micro(Board(cluster))
