"""Empty hosts with as few moves as there can be: every machine goes once, others make room only where nothing else helps.

Targets are chosen so that the rest stays even; where machines are left over, so that they are packed tightest; and where
that fails too, by a search that lets more and more other machines make room, until it finds a plan or has looked long enough.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Cluster, Column
from controller.scheduling.moves.plan import Limits, Plan, PlanKind
from controller.scheduling.moves.score import score_micro, score_of
from controller.scheduling.moves.steps import Step, ordered, played
from inventory.domain.ids import HostId
from inventory.domain.resources import MEMORY_MIB

#: Other machines that may make room, at once for one machine and in all, and how many places the search looks at for each.
EVICTED_AT_ONCE, EVICTED_MOST, LOOKS_MOST = 2, 4, 4000
#: A mate too many or too few in a failure domain under a soft rule counts as so much load.
SOFT_MATE = 10.0


def drain(cluster: Cluster, host_ids: Collection[HostId], limits: Limits | None = None) -> Plan:
    """Return a plan that moves everything off these hosts; what cannot go stays, with the reason.

    Raises:
        KeyError: a host is not in the picture.
    """
    bounds = limits or Limits()
    hosts = sorted(cluster.host_index[h] for h in host_ids)
    closed = replace(cluster, takes=cluster.takes & ~np.isin(np.arange(cluster.host_count), hosts))
    board = Board(closed)
    leaving = [m for host in hosts for m in board.on(host)]
    going = [m for m in leaving if not closed.stays[m]]
    wished, left = _solved(closed, going)
    steps = _within(closed, wished, bounds)
    moves, after = played(closed, steps)
    gone = {machine for machine, _, _ in steps}
    stays = [after.staying(m, "moves.no_room" if m in left else "moves.over_the_bound") for m in leaving if m not in gone]
    return Plan(
        kind=PlanKind.DRAIN,
        moves=tuple(moves),
        stays=tuple(stays),
        score_before_micro=score_of(closed),
        score_after_micro=score_micro(after),
        freed=tuple(cluster.host_ids[h] for h in hosts if after.is_empty(h) and not board.is_empty(h)),
        broken_before=board.broken_count(),
        broken_after=after.broken_count(),
    )


def _within(cluster: Cluster, steps: Sequence[Step], limits: Limits) -> list[Step]:
    """Return the steps that the bounds allow; one that waited for a step that is left out is left out too."""
    board, memory = Board(cluster), cluster.dimensions.index(MEMORY_MIB)
    left_mib, kept = limits.memory_most_mib, list[Step]()
    for machine, source, target in steps:
        copied_mib = int(cluster.demand[machine, memory])
        is_affordable = len(kept) < limits.moves_most and (left_mib is None or copied_mib <= left_mib)
        if is_affordable and board.fits(machine, target):
            board.move(machine, target)
            kept.append((machine, source, target))
            left_mib = None if left_mib is None else left_mib - copied_mib
    return kept


def _solved(cluster: Cluster, going: Sequence[int]) -> tuple[list[Step], set[int]]:
    """Return the moves in order, and the machines for which no place was found."""
    attempts = [_direct(cluster, going, is_tight=is_tight) for is_tight in (False, True)]
    best = min(attempts, key=lambda attempt: len(attempt[1]))
    if not best[1]:
        return best
    for evicted in range(EVICTED_MOST + 1):
        found = _Room(cluster, evicted).search(going)
        if found is not None:
            return found, set()
    return best


def _direct(cluster: Cluster, going: Sequence[int], *, is_tight: bool) -> tuple[list[Step], set[int]]:
    """Place the largest first, each on the evenest (or tightest) host with room."""
    board = Board(cluster)
    steps: list[Step] = []
    left, leaving = set[int](), set(going)
    for machine in largest_first(cluster, going):
        source = int(board.where[machine])
        leaving.discard(machine)
        hosts = ranked(board, machine, is_tight=is_tight, leaving=leaving)
        if not len(hosts):
            left.add(machine)
            continue
        board.move(machine, int(hosts[0]))
        steps.append((machine, source, int(hosts[0])))
    return steps, left


def largest_first(cluster: Cluster, machines: Sequence[int]) -> list[int]:
    """Return machines by the greatest share of an average host they take, greatest first."""
    mean = np.maximum(cluster.capacity.mean(axis=0), 1.0) if cluster.host_count else np.ones(len(cluster.dimensions))
    return sorted(machines, key=lambda m: (-float((cluster.demand[m] / mean).max()), m))


def ranked(board: Board, machine: int, *, is_tight: bool, leaving: Collection[int] = ()) -> Column:
    """Return the hosts with room for a machine, best first: where its soft rule is kept best, then the emptiest, or the fullest.

    ``leaving`` are other machines that will not stay where they are.
    """
    cluster = board.cluster
    hosts = np.flatnonzero(board.room(machine))
    if not len(hosts):
        return hosts
    capacity = np.maximum(cluster.capacity[hosts], 1)
    load = 1.0 - (board.free[hosts] - cluster.demand[machine]) / capacity
    weight = -load.sum(axis=1) if is_tight else load[:, :2].max(axis=1)
    weight = weight + SOFT_MATE * board.soft_costs(machine, hosts, leaving)
    order: Column = hosts[np.argsort(weight, kind="stable")]
    return order


class _Room:
    """Depth-first search for a place for every machine, with up to ``budget`` others making room."""

    def __init__(self, cluster: Cluster, budget: int) -> None:
        self._cluster = cluster
        self._board = Board(cluster)
        self._budget = budget
        self._looks = LOOKS_MOST
        self._placed: dict[int, int] = {}

    def search(self, going: Sequence[int]) -> list[Step] | None:
        """Return the moves in an order in which each is feasible at its turn."""
        for machine in going:
            self._board.lift(machine)
        return self._place(tuple(going), self._budget)

    def _place(self, left: tuple[int, ...], budget: int) -> list[Step] | None:
        if not left:
            return self._in_order()
        if self._looks <= 0:
            return None
        machine, hosts = self._hardest(left)
        rest = tuple(m for m in left if m != machine)
        for host in self._unlike(hosts, left):
            self._looks -= 1
            found = self._try(machine, host, rest, budget)
            if found is not None:
                return found
        for host, evicted in self._evictions(machine, budget):
            self._looks -= 1
            found = self._evict(machine, host, evicted, rest, budget)
            if found is not None:
                return found
        return None

    def _hardest(self, left: Sequence[int]) -> tuple[int, Column]:
        """Return the machine with the fewest hosts that have room."""
        choices = {m: ranked(self._board, m, is_tight=True) for m in left}
        machine = min(left, key=lambda m: (len(choices[m]), m))
        return machine, choices[machine]

    def _unlike(self, hosts: Column, left: Sequence[int]) -> Iterator[int]:
        """Yield hosts, of those that are alike for the machines that are left only the first."""
        seen = set()
        for host in hosts.tolist():
            likeness = (
                self._board.free[host].tobytes(),
                int(self._cluster.domains["rack"][host]),
                tuple(self._board.on(host)),
                self._board.address_likeness(left, host),
            )
            if likeness not in seen:
                seen.add(likeness)
                yield host

    def _try(self, machine: int, host: int, rest: tuple[int, ...], budget: int) -> list[Step] | None:
        pools = self._board.storage_for(machine, host)
        if pools is None:
            return None
        origin, before = int(self._board.where[machine]), self._board.disk_pools[machine]
        self._board.put(machine, host, pools)
        self._placed[machine] = host
        found = self._place(rest, budget)
        if found is None:
            del self._placed[machine]
            self._board.lift(machine)
            self._board.where[machine], self._board.disk_pools[machine] = origin, before
        return found

    def _evictions(self, machine: int, budget: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield hosts without room, and machines there whose leaving would make some: few and small ones first."""
        board, cluster = self._board, self._cluster
        may = cluster.takes & cluster.allowed[cluster.kind[machine]]
        may[board.where[machine]] = False
        for count in range(1, min(budget, EVICTED_AT_ONCE) + 1):
            for host in np.flatnonzero(may).tolist():
                others = [m for m in board.on(host) if m not in self._placed and not cluster.stays[m]]
                for evicted in combinations(largest_first(cluster, others)[::-1], count):
                    yield host, evicted

    def _evict(self, machine: int, host: int, evicted: tuple[int, ...], rest: tuple[int, ...], budget: int) -> list[Step] | None:
        for other in evicted:
            self._board.lift(other)
        found = None
        if self._board.room(machine)[host]:
            found = self._try(machine, host, (*rest, *evicted), budget - len(evicted))
        if found is None:
            for other in evicted:
                self._board.put(other, host, self._board.disk_pools[other])
        return found

    def _in_order(self) -> list[Step] | None:
        steps = [(m, int(self._cluster.host[m]), host) for m, host in self._placed.items()]
        return ordered(self._cluster, steps)
