"""Put right what is broken and nothing else: overfull hosts and storage, machines in one failure domain too many, machines on
hosts that may not carry them. The cheapest machine that puts a thing right goes to the host that stays emptiest.

Then what would break with a loss: a host that stands by beside a mate of those it would take in (``cover``).
"""

from collections.abc import Iterator

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import Cluster, Column
from controller.scheduling.moves.cover import Cover
from controller.scheduling.moves.drain import ranked
from controller.scheduling.moves.plan import Limits, Plan, PlanKind
from controller.scheduling.moves.reserves import exposed
from controller.scheduling.moves.score import score_micro, score_of
from controller.scheduling.moves.steps import Step, ordered, played


def repair(cluster: Cluster, limits: Limits | None = None) -> Plan:
    """Return a plan that puts broken rules right; what cannot be put right stays, with the reason."""
    bounds = limits or Limits()
    work = _Repair(cluster, bounds)
    while work.go_round():
        pass
    while work.cover():
        pass
    moves, after = played(cluster, ordered(cluster, work.steps) or [])
    before = Board(cluster)
    stuck = sorted({m for choice in _choices(after) for m in choice[:1]})
    return Plan(
        kind=PlanKind.REPAIR,
        moves=tuple(moves),
        stays=tuple(after.staying(m, "moves.over_the_bound" if m in work.over else "moves.no_room") for m in stuck),
        score_before_micro=score_of(cluster),
        score_after_micro=score_micro(after),
        freed=tuple(h for i, h in enumerate(cluster.host_ids) if after.is_empty(i) and not before.is_empty(i)),
        broken_before=before.broken_count() + len(exposed(before).by_rules),
        broken_after=after.broken_count() + len(exposed(after).by_rules),
    )


class _Repair:
    """The board while it is put right."""

    def __init__(self, cluster: Cluster, limits: Limits) -> None:
        self.board = Board(cluster)
        self.steps: list[Step] = []
        #: Machines that stay because the bounds are reached.
        self.over: set[int] = set()
        self._limits = limits
        self._memory_mib = 0
        self._moved: set[int] = set()
        self._cover = Cover(self.board, self._may_copy)

    def go_round(self) -> bool:
        """Put right what one move puts right; tells whether there was anything."""
        done = len(self.steps)
        for choice in _choices(self.board):
            if self._is_broken_still(choice):
                self._move_one(choice)
        return len(self.steps) > done

    def cover(self) -> bool:
        """Move so that fewer losses would break a rule; tells whether anything helped."""
        steps = self._cover.moves(self._moved)
        for step in steps:
            self._move(*step)
        return bool(steps)

    def _is_broken_still(self, choice: tuple[int, ...]) -> bool:
        return choice in set(_choices_at(self.board, int(self.board.where[choice[0]])))

    def _move_one(self, choice: tuple[int, ...]) -> None:
        cluster = self.board.cluster
        for machine in choice:
            if machine in self._moved or cluster.stays[machine]:
                continue
            hosts = ranked(self.board, machine, is_tight=False)
            if len(hosts) and not self._may_afford(machine):
                self.over.add(choice[0])
            elif len(hosts):
                self._move(machine, int(self.board.where[machine]), int(hosts[0]))
                return

    def _move(self, machine: int, source: int, target: int) -> None:
        self.steps.append((machine, source, target))
        self.board.move(machine, target)
        self._moved.add(machine)
        self._memory_mib += self._copied_mib(machine)

    def _may_afford(self, machine: int) -> bool:
        return self._may_copy(self._copied_mib(machine), 1)

    def _may_copy(self, memory_mib: int, count: int) -> bool:
        most = self._limits.memory_most_mib
        is_much = most is not None and self._memory_mib + memory_mib > most
        return len(self.steps) + count <= self._limits.moves_most and not is_much

    def _copied_mib(self, machine: int) -> int:
        return int(self.board.cluster.demand[machine, 1])


def _choices(board: Board) -> list[tuple[int, ...]]:
    """Return for everything broken the machines whose leaving would (help to) put it right, cheapest first.

    What others' machines alone take too much of is left out: nothing of ours can leave.
    """
    hosts = {host for host, _ in board.overfull()}
    hosts |= {int(board.where[m]) for m in (*board.misplaced(), *board.crowded())}
    short = set(board.overfull_storage())
    hosts |= {i for i, pools in enumerate(board.cluster.storage_of) if short & {p for js in pools.values() for p in js}}
    return [choice for host in sorted(hosts) for choice in _choices_at(board, host) if choice]


def _choices_at(board: Board, host: int) -> Iterator[tuple[int, ...]]:
    cluster = board.cluster
    on = board.on(host)
    for machine in on:
        is_allowed = bool(cluster.allowed[cluster.kind[machine], host])
        if not is_allowed or not board.keeps_spread(machine, host):
            yield (machine,)
    for dimension in np.flatnonzero(board.free[host] < 0).tolist():
        yield _relief(board, on, cluster.demand[:, dimension], -int(board.free[host, dimension]))
    for pools in cluster.storage_of[host].values():
        for pool in pools:
            if board.storage_free[pool] < 0:
                yield _storage_relief(board, on, pool)


def _relief(board: Board, on: list[int], demand: Column, excess: int) -> tuple[int, ...]:
    """Return machines that take of what is short: those that are enough alone by memory, then the largest."""
    takers = [m for m in on if demand[m] > 0]
    memory = board.cluster.demand[:, 1]
    enough = sorted((m for m in takers if demand[m] >= excess), key=lambda m: (int(memory[m]), m))
    others = sorted((m for m in takers if demand[m] < excess), key=lambda m: (-int(demand[m]), m))
    return (*enough, *others)


def _storage_relief(board: Board, on: list[int], pool: int) -> tuple[int, ...]:
    sizes = np.zeros(board.cluster.machine_count, np.int64)
    for machine in on:
        for chosen, (_, size_gib) in zip(board.disk_pools[machine], board.cluster.disks[machine], strict=True):
            if chosen == pool:
                sizes[machine] += size_gib
    return _relief(board, on, sizes, -int(board.storage_free[pool]))
