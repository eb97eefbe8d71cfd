"""Even out the load: the fewest moves for the most gain.

First steepest descent (each time the one move that betters the score most), then every move of the plan is taken back once
and the best single move made instead, as long as that betters the end. Large platforms look at the hosts that stand out
only; small ones at every machine and host.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Cluster, Column, Flags
from controller.scheduling.moves.plan import Limits, Plan, PlanKind
from controller.scheduling.moves.score import MICRO, Loads, score_of
from controller.scheduling.moves.steps import Step, ordered, played

#: Gain of a step, and the step.
Found = tuple[float, Step]
#: Up to this many pairs of machine and host are looked at for one move.
PAIRS_MOST = 400_000
#: Hosts at either end that are looked at beyond that, and how far the look is widened before giving up.
ENDS, ENDS_MOST = 24, 192
#: Moves made of one look then, and the part of its gain each must still have at its turn.
BATCH, KEPT_GAIN = 16, 0.8
#: Plans longer than this are not improved move by move.
IMPROVED_MOST = 400
ROUNDS_MOST = 8


def rebalance(cluster: Cluster, limits: Limits | None = None) -> Plan:
    """Return a plan that evens out the load of the hosts that take machines, pool by pool."""
    bounds = limits or Limits()
    search = _Search(cluster, bounds)
    search.descend()
    steps = search.steps
    done = search.improved() if 1 < len(steps) <= IMPROVED_MOST else steps
    moves, board = played(cluster, done)
    return Plan(
        kind=PlanKind.REBALANCE,
        moves=tuple(moves),
        score_before_micro=score_of(cluster),
        score_after_micro=round(MICRO * Loads(board).score()),
        broken_before=Board(cluster).broken_count(),
        broken_after=board.broken_count(),
    )


class _Search:
    """Board and loads that go together, and the moves made so far."""

    def __init__(self, cluster: Cluster, limits: Limits) -> None:
        self.cluster, self.limits = cluster, limits
        self.board = Board(cluster)
        self.loads = Loads(self.board)
        self.steps: list[Step] = []
        self._movable = cluster.movable
        self._pools = [int(p) for p in np.unique(cluster.pool[self.loads.counts])]
        self._density = max(1, cluster.machine_count // max(1, cluster.host_count))
        self._moved: set[int] = set()
        self._memory_mib = 0
        #: By how much more (or less) soft rules are broken than in the beginning.
        self._misfits = 0

    def descend(self) -> None:
        """Make the best moves until none betters the score enough, or a bound is reached."""
        while found := self._best():
            for number, (gain, step) in enumerate(found):
                # The others were weighed without those before them: they count only while that changed little.
                if number and not self._still_gains(step, gain):
                    continue
                if len(self.steps) >= self.limits.moves_most or not self._may_copy(step[0]):
                    return
                self._do(step)

    def _still_gains(self, step: Step, gain: float) -> bool:
        machine, source, target = step
        after = self.loads.after(np.array([machine]), np.array([source]), np.array([target]))
        return self._may_go(machine, target) and self.loads.score() - float(after[0, 0]) >= KEPT_GAIN * gain

    def _may_go(self, machine: int, target: int) -> bool:
        """Tell whether a machine fits there and no soft rule is kept worse: a department asked for that, and not for evenness."""
        return self.board.fits(machine, target) and not self.board.raises_misfits(machine, target)

    def _may_copy(self, machine: int) -> bool:
        most = self.limits.memory_most_mib
        return most is None or self._memory_mib + int(self.cluster.demand[machine, 1]) <= most

    def _do(self, step: Step) -> None:
        machine, source, target = step
        before = self._misfits_of(machine)
        self.board.move(machine, target)
        self._misfits += self._misfits_of(machine) - before
        self.loads.moved(machine, source, target)
        self._memory_mib += int(self.cluster.demand[machine, 1])
        self.steps.append(step)
        self._moved.add(machine)

    def _undo(self, number: int) -> tuple[Step, tuple[int, ...]]:
        """Take back one move of the plan; returns it with the storage pools it had chosen."""
        machine, source, target = step = self.steps.pop(number)
        self._moved.discard(machine)
        pools, before = self.board.disk_pools[machine], self._misfits_of(machine)
        self.board.put(machine, source, self.cluster.disk_pools[machine])
        self._misfits += self._misfits_of(machine) - before
        self.loads.moved(machine, target, source)
        self._memory_mib -= int(self.cluster.demand[machine, 1])
        return step, pools

    def _misfits_of(self, machine: int) -> int:
        group = int(self.cluster.group[machine])
        return self.board.misfits(group) if group >= 0 and not self.cluster.group_is_hard[group] else 0

    def _best(self) -> list[Found]:
        """Return the best moves of the pool with the best one, best first; empty when none betters the score enough."""
        of_pools = [found for pool in self._pools if (found := self._best_in(pool))]
        return max(of_pools, key=lambda found: found[0][0], default=[])

    def _best_in(self, pool: int) -> list[Found]:
        """Return the best moves in a pool; looks wider while nothing betters the score enough."""
        hosts = np.flatnonzero((self.cluster.pool == pool) & self.loads.counts)
        least = self.limits.gain_least_micro / MICRO / max(1, len(hosts))
        ends = ENDS
        while True:
            sources, targets, is_all = self._ends(hosts, ends)
            found = self._best_of(self._machines_on(sources), targets, least, 1 if is_all else BATCH)
            if found or is_all or ends >= ENDS_MOST:
                return found
            ends *= 2

    def _ends(self, hosts: Column, ends: int) -> tuple[Column, Column, bool]:
        """Return the hosts to take from and to give to: all, or those that stand out in either dimension."""
        if len(hosts) * len(hosts) * self._density < PAIRS_MOST:
            return hosts, hosts, True
        shares = self.loads.shares[hosts]
        above = shares - shares.mean(axis=0)
        orders = [np.argsort(column, kind="stable") for column in (*above.T, above.sum(axis=1))]
        low = np.unique(np.concatenate([order[:ends] for order in orders]))
        high = np.unique(np.concatenate([order[-ends:] for order in orders]))
        return hosts[high], hosts[low], False

    def _machines_on(self, hosts: Column) -> Column:
        """Return the machines that may move; one moves at most once in a plan: two moves of one are never needed."""
        on = [m for host in hosts.tolist() for m in self.board.on(host) if self._movable[m] and m not in self._moved]
        return np.array(on, np.int64)

    def _best_of(self, machines: Column, targets: Column, least: float, most: int) -> list[Found]:
        """Return up to ``most`` moves that gain at least that much, best first, no two of one host."""
        if not len(machines) or not len(targets):
            return []
        sources = self.board.where[machines]
        gains = self.loads.score() - self.loads.after(machines, sources, targets)
        gains[~self._feasible(machines, sources, targets)] = -np.inf
        found: list[Found] = []
        busy: set[int] = set()
        for number in _descending(gains, least):
            row, column = divmod(number, len(targets))
            machine, source, target = int(machines[row]), int(sources[row]), int(targets[column])
            # Spread and split storage are looked at for the winners only.
            if source in busy or target in busy or not self._may_go(machine, target):
                continue
            found.append((float(gains[row, column]), (machine, source, target)))
            busy |= {source, target}
            if len(found) == most:
                break
        return found

    def _feasible(self, machines: Column, sources: Column, targets: Column) -> Flags:
        cluster = self.cluster
        feasible: Flags = cluster.allowed[np.ix_(cluster.kind[machines], targets)] & cluster.takes[targets]
        feasible &= sources[:, None] != targets[None, :]
        if cluster.is_homebound.size:
            is_same_home = cluster.home[cluster.host[machines]][:, None] == cluster.home[targets][None, :]
            feasible &= is_same_home | ~cluster.is_homebound[machines][:, None]
        for d in range(len(cluster.dimensions)):
            demand = cluster.demand[machines, d]
            feasible &= (demand[:, None] <= self.board.free[targets, d][None, :]) | (demand == 0)[:, None]
        return feasible

    # -- improving ----------------------------------------------------------------------------------------------------

    def improved(self) -> list[Step]:
        """Return the plan, or a better one of as many moves that can be played in some order."""
        best = list(self.steps)
        score = self.loads.score()
        for _ in range(ROUNDS_MOST):
            if not self._exchange_each():
                break
            playable = ordered(self.cluster, self.steps)
            if playable is not None and self.loads.score() < score:
                best, score = playable, self.loads.score()
        return best

    def _exchange_each(self) -> bool:
        """Take every move back once and make the best one instead; tells whether anything got better."""
        before = self.loads.score()
        for _ in range(len(self.steps)):
            score, misfits = self.loads.score(), self._misfits
            old, pools = self._undo(0)
            found = self._best()
            if not found or not self._may_copy(found[0][1][0]):
                self._redo(old, pools)
                continue
            self._do(found[0][1])
            if self.loads.score() >= score or self._misfits > misfits:
                self._undo(len(self.steps) - 1)
                self._redo(old, pools)
        return before - self.loads.score() > 1 / MICRO

    def _redo(self, step: Step, pools: tuple[int, ...]) -> None:
        machine, source, target = step
        before = self._misfits_of(machine)
        self.board.put(machine, target, pools)
        self._misfits += self._misfits_of(machine) - before
        self.loads.moved(machine, source, target)
        self._memory_mib += int(self.cluster.demand[machine, 1])
        self.steps.append(step)
        self._moved.add(machine)


def _descending(gains: NDArray[np.float64], least: float) -> Iterator[int]:
    """Yield the flat indices of gains that reach ``least``, greatest first; the lower index first among equals."""
    flat = gains.ravel()
    if float(flat.max()) < least:
        return
    yield int(np.argmax(flat))
    good = np.flatnonzero(flat >= least)
    yield from good[np.lexsort((good, -flat[good]))].tolist()[1:]
