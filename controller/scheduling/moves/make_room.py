"""Make room for machines that fit on no host although there is room for them in all: one or two others go elsewhere.

Room that is left over lies in pieces. A large machine needs one whole piece; a small one that stands beside such a piece often
fits into another that is of no use to large ones. What is moved is as little memory as can be.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import FIRST_DIMENSIONS, Cluster, Column, Wanted
from controller.scheduling.moves.plan import Limits, Plan, PlanKind
from controller.scheduling.moves.steps import Step, plan_of
from controller.scheduling.moves.targets import least_lost
from inventory.domain.resources import MEMORY_MIB

MEMORY = FIRST_DIMENSIONS.index(MEMORY_MIB)
#: Machines that go for one that comes, unless the limits say less; more of them seldom pay.
EACH_MOST = 2
#: Choices that are tried for one machine that comes: the cheapest first.
LOOKS_MOST = 64


def make_room(cluster: Cluster, limits: Limits | None = None) -> Plan:
    """Return a plan after which the machines that are wanted have room, one after the other as they are given.

    ``Plan.room_on`` says where each has it, made or there already.
    """
    work = _Room(cluster, limits or Limits())
    found = [work.find(one) for one in cluster.wanted]
    room_on = tuple(None if h is None else cluster.host_ids[h] for h in found)
    return plan_of(PlanKind.MAKE_ROOM, cluster, work.steps, room_on=room_on)[0]


class _Room:
    """The board while room is made; what has got room holds it."""

    def __init__(self, cluster: Cluster, limits: Limits) -> None:
        self.cluster, self.limits = cluster, limits
        self.board = Board(cluster)
        self.steps: list[Step] = []
        self._each_most = EACH_MOST if limits.moves_each_most is None else min(EACH_MOST, limits.moves_each_most)
        #: What moves once stays: a plan that moves a machine twice would copy it twice.
        self._may_go = cluster.movable
        #: Machines go where others are; an empty host is not begun for them.
        self._is_on = self.board.in_use()

    def find(self, wanted: Wanted) -> int | None:
        """Return the host that has room for a machine, made or there already; None where none has and none could be made."""
        host = self._there(wanted)
        if host is None:
            host = next((h for h, going in self._choices(wanted) if self._go(h, going, wanted)), None)
        if host is not None:
            self.board.hold(host, wanted.demand, wanted.disk)
        return host

    def _there(self, wanted: Wanted) -> int | None:
        fits = np.all((self.board.free >= wanted.demand) | (wanted.demand == 0), axis=1)
        hosts = np.flatnonzero(wanted.hosts & self.cluster.takes & fits)
        tightest = hosts[np.argsort(self.board.free[hosts, MEMORY], kind="stable")].tolist()
        return next((host for host in tightest if self._has_room(host, wanted)), None)

    def _has_room(self, host: int, wanted: Wanted) -> bool:
        free = self.board.free[host]
        return bool(np.all((free >= wanted.demand) | (wanted.demand == 0))) and self.board.has_pool_for(host, wanted.disk)

    def _choices(self, wanted: Wanted) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield (host, machines to go), least memory first: one machine, then two."""
        lack = np.where(wanted.demand > 0, wanted.demand - self.board.free, 0)
        if self._each_most >= 1:
            yield from self._single(wanted, lack)
        if self._each_most >= 2:
            yield from self._pairs(wanted, lack)

    def _single(self, wanted: Wanted, lack: Column) -> Iterator[tuple[int, tuple[int, ...]]]:
        demand, where = self.cluster.demand, self.board.where
        enough = self._may_go & (wanted.hosts & self.cluster.takes)[where] & np.all(demand >= lack[where], axis=1)
        machines = np.flatnonzero(enough)
        for machine in machines[np.argsort(demand[machines, MEMORY], kind="stable")][:LOOKS_MOST].tolist():
            yield int(where[machine]), (machine,)

    def _pairs(self, wanted: Wanted, lack: Column) -> Iterator[tuple[int, tuple[int, ...]]]:
        best = [found for host in np.flatnonzero(wanted.hosts & self.cluster.takes) if (found := self._pair(int(host), lack))]
        for _, host, pair in sorted(best)[:LOOKS_MOST]:
            yield host, pair

    def _pair(self, host: int, lack: Column) -> tuple[int, int, tuple[int, int]] | None:
        """Return the two machines of a host with least memory that leave enough together, with that memory."""
        on = np.array([m for m in self.board.on(host) if self._may_go[m]], np.int64)
        if len(on) < 2:
            return None
        first, second = np.triu_indices(len(on), 1)
        together = self.cluster.demand[on][first] + self.cluster.demand[on][second]
        enough = np.flatnonzero(np.all(together >= lack[host], axis=1))
        if not len(enough):
            return None
        least = enough[np.argmin(together[enough, MEMORY])]
        return int(together[least, MEMORY]), host, (int(on[first[least]]), int(on[second[least]]))

    def _go(self, host: int, going: tuple[int, ...], wanted: Wanted) -> bool:
        """Move these machines of a host elsewhere; leaves everything as it was where that does not work or is too much."""
        if not self._may_afford(going):
            return False
        others = self._is_on.copy()
        others[host] = False
        steps: list[Step] = []
        for machine in sorted(going, key=lambda m: (-int(self.cluster.demand[m, MEMORY]), m)):
            left = [other for other in going if self.board.where[other] == host]
            target = least_lost(self.board, machine, others, leaving=left)
            if target is None:
                break
            self.board.move(machine, target)
            steps.append((machine, host, target))
        if len(steps) < len(going) or not self._has_room(host, wanted):
            for machine, source, _ in reversed(steps):
                self.board.put(machine, source, self.cluster.disk_pools[machine])
            return False
        self._may_go[list(going)] = False
        self.steps += steps
        return True

    def _may_afford(self, going: Sequence[int]) -> bool:
        most = self.limits.memory_most_mib
        moving = [machine for machine, _, _ in self.steps] + list(going)
        memory_mib = int(self.cluster.demand[moving, MEMORY].sum())
        return len(moving) <= self.limits.moves_most and (most is None or memory_mib <= most)
