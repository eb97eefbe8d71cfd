"""One or two moves after which no loss breaks a rule of a group that is survived for its capacity (``reserves.exposed``).

A mate that stands beside the host which stands by goes elsewhere, or a better host is emptied and stands by: both are found by
trying. One move is tried before two; the second one is for a bystander that is in the way, or the last one on its host.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.drain import ranked
from controller.scheduling.moves.reserves import Exposed, exposed, exposed_total, ruled_groups
from controller.scheduling.moves.steps import Step
from inventory.domain.resources import MEMORY_MIB

#: Machines times hosts up to which every pair of moves is tried.
SMALL_MOST = 120
#: Ends that are looked at for a plan: fewer where there are many hosts, for each look takes all of them in.
LOOKS_MOST, LOOKS_LEAST, LOOKED_MOST = 4000, 100, 200_000
#: Exposed domains, memory to copy, and the moves.
Found = tuple[int, int, tuple[Step, ...]]
#: Tells whether so many MiB may still be copied, in so many moves.
MayCopy = Callable[[int, int], bool]


class Cover:
    """Finds such moves on a board, as often as it is asked, with one bound on what it looks at."""

    def __init__(self, board: Board, may_copy: MayCopy) -> None:
        self._board, self._may_copy = board, may_copy
        self._looks = max(LOOKS_LEAST, min(LOOKS_MOST, LOOKED_MOST // max(1, board.cluster.host_count)))

    def moves(self, fixed: set[int]) -> Sequence[Step]:
        """Return the moves after which fewest domains are exposed, least memory first; none where no move helps.

        On a large platform the first that help. ``fixed`` are machines that have moved already. The board is left as it was.
        """
        before = exposed(self._board)
        if not before.by_rules:
            return ()
        search = _Search(self._board, fixed, self._may_copy, before, self._looks)
        search.try_singles()
        if not search.is_over:
            search.try_pairs()
        self._looks = search.looks
        return search.best[2]


class _Search:
    """The board while moves are tried on it, and the best that was found."""

    def __init__(self, board: Board, fixed: set[int], may_copy: MayCopy, before: Exposed, looks: int) -> None:
        self._board, self._may_copy = board, may_copy
        cluster = board.cluster
        self.best: Found = (before.total, 0, ())
        self.looks = looks
        self._before = before.total
        self._memory = cluster.dimensions.index(MEMORY_MIB)
        self._movable = [m for m in np.flatnonzero(cluster.movable).tolist() if m not in fixed]
        self._is_small = len(self._movable) * cluster.host_count <= SMALL_MOST
        self._mates = self._exposed_mates(before)

    @property
    def is_over(self) -> bool:
        """Tell whether to look no further: nothing is exposed, enough was looked at, or, where there is much, something helps."""
        return self.looks <= 0 or self.best[0] == 0 or (not self._is_small and self.best[0] < self._before)

    def _exposed_mates(self, before: Exposed) -> list[int]:
        """Return the machines of groups whose rule would break, those first that are in a rack with a host that stands by."""
        cluster, board = self._board.cluster, self._board
        domains = set(before.by_rules)
        hosts = {cluster.host_index[h.id] for n, p in enumerate(cluster.reserved) for h in p.hosts if (n, h.domain) in domains}
        groups = {int(cluster.group[m]) for host in hosts for m in board.on(host)} & set(ruled_groups(board))
        racks = cluster.domains["rack"]
        standing = {int(racks[cluster.host_index[h.id]]) for p in cluster.reserved for h in p.hosts if h.is_standby}
        mates = [m for m in self._movable if int(cluster.group[m]) in groups]
        return sorted(mates, key=lambda m: int(racks[board.where[m]]) not in standing)

    def try_singles(self) -> None:
        """Try one move: of those mates, then of machines that are alone on their host."""
        alone = [m for m in self._movable if len(self._board.on(int(self._board.where[m]))) == 1]
        for machine in self._movable if self._is_small else list(dict.fromkeys([*self._mates, *alone])):
            if not self._may_all(((machine, 0, 0),)):
                continue
            for host in self._targets(machine):
                with_one = self._moved(machine, host)
                self._judge(with_one)
                self._back(with_one)
                if self.is_over and not self._is_small:
                    return

    def try_pairs(self) -> None:
        """Try two moves, one after the other."""
        for first, second, only in self._pairs():
            if not self._may_all(((first, 0, 0), (second, 0, 0))):
                continue
            for host in self._targets(first):
                with_one = self._moved(first, host)
                for other in self._targets(second) if only is None else self._fitting(second, only):
                    with_two = self._moved(second, other)
                    self._judge((*with_one, *with_two))
                    self._back(with_two)
                self._back(with_one)
                if self.is_over and (self.looks <= 0 or not self._is_small):
                    return

    def _pairs(self) -> Iterator[tuple[int, int, int | None]]:
        """Yield pairs of machines, and the only host for the second one where it takes the place of the first."""
        board, cluster = self._board, self._board.cluster
        if self._is_small:
            yield from ((first, second, None) for first, second in permutations(self._movable, 2))
            return
        may_go = set(self._movable)
        for host in range(cluster.host_count):
            on = board.on(host)
            if len(on) == 2 and may_go.issuperset(on):
                yield on[0], on[1], None
        for mate in self._mates:
            may = cluster.takes & cluster.allowed[cluster.kind[mate]] & ~board.room(mate)
            for host in np.flatnonzero(may).tolist():
                smallest = sorted((m for m in board.on(host) if m in may_go), key=lambda m: (self._mib(m), m))
                yield from ((bystander, mate, host) for bystander in smallest if bystander != mate)

    def _targets(self, machine: int) -> list[int]:
        """Return the hosts to try, best first: of those in use in a rack only the first, where there are many."""
        hosts: list[int] = ranked(self._board, machine, is_tight=False).tolist()
        if self._is_small:
            return hosts
        cluster, seen = self._board.cluster, dict[tuple[int, ...], int]()
        for host in hosts:
            rack, pool = int(cluster.domains["rack"][host]), int(cluster.pool[host])
            seen.setdefault((rack, pool, host) if self._board.is_empty(host) else (rack, pool), host)
        return sorted(seen.values(), key=self._board.is_empty)

    def _fitting(self, machine: int, host: int) -> list[int]:
        return [host] if self._board.fits(machine, host) else []

    def _moved(self, machine: int, host: int) -> tuple[Step, ...]:
        source = int(self._board.where[machine])
        self._board.move(machine, host)
        return ((machine, source, host),)

    def _back(self, steps: tuple[Step, ...]) -> None:
        for machine, source, _ in reversed(steps):
            self._board.put(machine, source, self._board.cluster.disk_pools[machine])

    def _judge(self, steps: tuple[Step, ...]) -> None:
        if self.looks > 0:
            self.looks -= 1
            found = (exposed_total(self._board), sum(self._mib(machine) for machine, _, _ in steps), steps)
            if found[0] < self.best[0] or (found[0] == self.best[0] and len(steps) == len(self.best[2]) and found < self.best):
                self.best = found

    def _may_all(self, steps: tuple[Step, ...]) -> bool:
        return self._may_copy(sum(self._mib(machine) for machine, _, _ in steps), len(steps))

    def _mib(self, machine: int) -> int:
        return int(self._board.cluster.demand[machine, self._memory])
