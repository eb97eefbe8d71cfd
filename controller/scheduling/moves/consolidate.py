"""Empty whole hosts so that they can be powered off: those that save most for each GiB to be copied go first.

A host is emptied entirely or not touched. Its machines go where least usable room is lost; hosts that are empty, or were
emptied by the plan, are never used again, and those that stay on are not filled beyond the bound. Hosts without watts (operator
facts) are not emptied: nobody knows what it saves; nor are those on which room is held for reservations: they stay on.

Hosts may be set aside (``Limits.aside_permille``): those with least that will stay, a part of all that could be spared. They are
emptied as soon as it is cheap, and take nothing from others until then. The plan names them: best they take nothing new either.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import DWELLING, FIRST_DIMENSIONS, Cluster
from controller.scheduling.moves.drain import largest_first
from controller.scheduling.moves.energy import saving_wh
from controller.scheduling.moves.plan import Limits, Plan, PlanKind
from controller.scheduling.moves.steps import Step, plan_of
from controller.scheduling.moves.targets import FIRST, least_lost
from inventory.domain.resources import MEMORY_MIB

MIB_PER_GIB = 1024
MEMORY = FIRST_DIMENSIONS.index(MEMORY_MIB)


def consolidate(cluster: Cluster, limits: Limits | None = None) -> Plan:
    """Return a plan that frees hosts, within the bounds on moves, copied memory and least saving."""
    work = _Consolidation(cluster, limits or Limits())
    for host in work.candidates():
        work.empty(host)
    freed, aside = (tuple(cluster.host_ids[h] for h in hosts) for hosts in (work.freed, work.aside()))
    plan, before, after = plan_of(PlanKind.CONSOLIDATE, cluster, work.steps, freed=freed, aside=aside)
    return replace(plan, saving_wh=saving_wh(before, after, work.limits.horizon_h))


class _Consolidation:
    """The board while hosts are emptied."""

    def __init__(self, cluster: Cluster, limits: Limits) -> None:
        self.cluster, self.limits = cluster, limits
        self.board = Board(cluster)
        self.steps: list[Step] = []
        self.freed: list[int] = []
        self._memory_mib = 0
        #: Hosts that may still take: on, and not to be emptied themselves.
        self._open = self.board.in_use()
        self._has_received: set[int] = set()
        #: Hosts worth emptying, now or when what is young on them is gone: most watt hours per GiB first.
        self._worth = self._by_worth()
        self._aside = np.isin(np.arange(cluster.host_count), self._worth[: self._spared() * self.limits.aside_permille // 1000])

    def candidates(self) -> list[int]:
        """Return the hosts to be emptied now, the best first."""
        is_one = self._aside if self._aside.any() else self._open
        return [host for host in self._worth if is_one[host] and self._is_movable(self.board.on(host))]

    def aside(self) -> list[int]:
        """Return the hosts that are set aside and were not emptied."""
        return [host for host in np.flatnonzero(self._aside).tolist() if not self.board.is_empty(host)]

    def _by_worth(self) -> list[int]:
        worth = []
        for host in np.flatnonzero(self._open & (self.cluster.watts_idle > 0) & ~self.cluster.is_reserved).tolist():
            saved_wh = int(self.cluster.watts_idle[host]) * self.limits.horizon_h
            copied_gib = max(1, self._cost_mib([m for m in self.board.on(host) if not self._is_young(m)]) // MIB_PER_GIB)
            if saved_wh >= self.limits.saving_least_wh_per_gib * copied_gib:
                worth.append((-saved_wh // copied_gib, host))
        return [
            host for _, host in sorted(worth) if all(self._is_young(m) or not self.cluster.stays[m] for m in self.board.on(host))
        ]

    def _is_young(self, machine: int) -> bool:
        return self.cluster.stays[machine] == DWELLING

    def _is_movable(self, machines: Sequence[int]) -> bool:
        old = [m for m in machines if not self._is_young(m)]
        young, most = len(machines) - len(old), self.limits.moves_each_most
        if young and not self.limits.young_counts:
            return False
        # A machine whose mates have ended counts for up to two: it may soon be gone by itself.
        ended = self.cluster.mates_ended_permille
        gone_permille = int(ended[old].sum()) if len(ended) else 0
        return most is None or 1000 * (len(old) + young * self.limits.young_counts) + gone_permille <= 1000 * most

    def _spared(self) -> int:
        """Return how many of the hosts worth emptying could be off without the others being too full."""
        capacity = self.cluster.capacity[:, :FIRST]
        taken = (self.cluster.capacity - self.board.free)[self._open, :FIRST].sum(axis=0)
        left = capacity[self._open].sum(axis=0) - np.cumsum(capacity[self._worth], axis=0)
        return int(np.all(1000 * taken <= self.limits.fill_most_permille * left, axis=1).sum())

    def _cost_mib(self, machines: Sequence[int]) -> int:
        return int(self.cluster.demand[machines, MEMORY].sum()) + self.limits.move_mib * len(machines)

    def _leaves_room(self, host: int) -> bool:
        """Tell whether the hosts that stay on without this one would not be too full of vCPU or memory."""
        others = self._open.copy()
        others[host] = False
        capacity = self.cluster.capacity[others, :FIRST].sum(axis=0)
        taken = (self.cluster.capacity - self.board.free)[self._open, :FIRST].sum(axis=0)
        return bool((1000 * taken <= self.limits.fill_most_permille * capacity).all())

    def empty(self, host: int) -> bool:
        """Empty one host into the others that are on; leaves everything as it was where that does not work."""
        if host in self._has_received or not self._may_afford(host) or not self._leaves_room(host):
            return False
        self._open[host] = False
        steps: list[Step] = []
        for machine in largest_first(self.cluster, self.board.on(host)):
            target = least_lost(self.board, machine, self._open & ~self._aside, leaving=self.board.on(host))
            if target is None:
                self._take_back(steps)
                self._open[host] = True
                return False
            self.board.move(machine, target)
            steps.append((machine, host, target))
        self._has_received |= {target for _, _, target in steps}
        self.steps += steps
        self.freed.append(host)
        self._memory_mib += sum(int(self.cluster.demand[m, MEMORY]) for m, _, _ in steps)
        return True

    def _may_afford(self, host: int) -> bool:
        on = self.board.on(host)
        most = self.limits.memory_most_mib
        memory_mib = self._memory_mib + int(self.cluster.demand[on, MEMORY].sum())
        return len(self.steps) + len(on) <= self.limits.moves_most and (most is None or memory_mib <= most)

    def _take_back(self, steps: list[Step]) -> None:
        for machine, host, _ in reversed(steps):
            self.board.put(machine, host, self.cluster.disk_pools[machine])
