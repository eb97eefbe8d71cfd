"""Places all units of a request or none: best host for each, largest first, with limited repair.

Greedy first. Where that fails, the kind of machine that got stuck goes first (a few times), and then a bounded
depth-first search that tries other hosts for earlier machines; on small gangs it is exhaustive.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush, heapreplace, nsmallest

from controller.scheduling.filters import Trail, survey
from controller.scheduling.policy import Policy
from controller.scheduling.scratch import Scratch
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import Need, Unit, check_request, units_of
from controller.scheduling.weighers import View, scores, soft_spread
from inventory.domain.placement import PlacementRequest

RESTARTS_MAX = 3
SEARCH_UNITS_MAX = 64
#: Bound of the search, in hosts looked at.
SEARCH_HOSTS_MAX = 50_000

#: Called before the first unit of a kind is placed: need, what is free then, filters, ranked hosts (the taken one first).
OnPlaced = Callable[[Need, Scratch, Trail, list[int]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A unit, its host and the storage pool of each of its disks (indices of the snapshot)."""

    unit: Unit
    host: int
    pools: tuple[int, ...]


@dataclass(slots=True, kw_only=True)
class Attempt:
    """How far one try came: ``stuck`` is the first unit without a host, ``trail`` its filters."""

    scratch: Scratch
    chosen: list[Chosen] = field(default_factory=list)
    stuck: Unit | None = None
    trail: Trail = field(default_factory=list)


class Ranking:
    """The hosts that fit one need, best first; stays exact while units of that need are placed."""

    def __init__(self, need: Need, scratch: Scratch, policy: Policy) -> None:
        self._need, self._scratch = need, scratch
        self._count = scratch.snapshot.host_count
        self.trail = survey(need, scratch)
        hosts = self.trail[-1][1]
        # What a soft rule takes off changes with every machine placed nearby; the rest only with one placed on the host.
        self._soft_weight = policy.weights.get("soft_spread", 0) if need.soft else 0
        self._steady = replace(policy, weights={**policy.weights, "soft_spread": 0}) if self._soft_weight else policy
        self._steady_score = dict(zip(hosts, scores(need, scratch, self._steady, hosts), strict=True))
        # One integer orders by score, highest first, then by host, lowest first.
        self._heap = [self._key(host) for host in hosts]
        heapify(self._heap)

    def top(self, count: int) -> list[int]:
        """Return the best hosts. Exact only before the first ``pop``."""
        return [key % self._count for key in nsmallest(count, self._heap)]

    def pop(self) -> int | None:
        """Take out the best host, or return nothing if none is left."""
        while self._heap:
            key = self._heap[0]
            host = key % self._count
            if not self._scratch.keeps_apart(self._need, host):
                heappop(self._heap)
                continue
            # A soft rule only ever lowers the score of hosts near a machine placed since: look again at the top.
            now = self._key(host) if self._soft_weight else key
            if now == key:
                return heappop(self._heap) % self._count
            heapreplace(self._heap, now)
        return None

    def put_back(self, host: int) -> None:
        """Rank a host again after a unit was placed on it, if it has room for another."""
        if self._scratch.keeps_apart(self._need, host) and self._scratch.has_room(self._need, host):
            self._steady_score[host] = scores(self._need, self._scratch, self._steady, [host])[0]
            heappush(self._heap, self._key(host))

    def _key(self, host: int) -> int:
        score = self._steady_score[host]
        if self._soft_weight:
            off = soft_spread(View(self._need, self._scratch, [host]), self._soft_weight)
            score += off[0] if off else 0
        return host - score * self._count


def fits(request: PlacementRequest, snapshot: Snapshot, policy: Policy) -> bool:
    """Tell whether all machines of a request find a host without repair: true means ``decide`` places it too."""
    check_request(request)
    kinds = kinds_of(units_of(request), snapshot)
    return try_once(kinds, Scratch(snapshot, request), policy).stuck is None


def kinds_of(units: Sequence[Unit], snapshot: Snapshot) -> list[list[Unit]]:
    """Return units with equal needs together: first those whose host is given, then the largest."""
    kinds: dict[Need, list[Unit]] = {}
    for unit in units:
        kinds.setdefault(unit.need, []).append(unit)
    largest = {d: max(column, default=0) for d, column in snapshot.capacity.items()}
    largest_disk = {c: max(column, default=0) for c, column in snapshot.class_capacity_gib.items()}

    def order(kind: list[Unit]) -> tuple[bool, int, bool, int]:
        need = kind[0].need
        shares = [amount * 1_000_000 // max(1, largest.get(d, 0)) for d, amount in need.ask]
        shares += [size * 1_000_000 // max(1, largest_disk.get(c, 0)) for c, size in need.disks]
        return not (need.pins or need.reach), -max(shares, default=0), not need.hard, kind[0].members[0]

    return sorted(kinds.values(), key=order)


def try_once(kinds: Sequence[list[Unit]], scratch: Scratch, policy: Policy, on_placed: OnPlaced | None = None) -> Attempt:
    """Give every unit the best host there is at its turn; stop at the first without one."""
    attempt = Attempt(scratch=scratch)
    for kind in kinds:
        need = kind[0].need
        ranking = Ranking(need, scratch, policy)
        if on_placed is not None and ranking.trail[-1][1]:
            on_placed(need, scratch, ranking.trail, ranking.top(3))
        for unit in kind:
            host = ranking.pop()
            if host is None:
                attempt.stuck, attempt.trail = unit, survey(need, scratch)
                return attempt
            attempt.chosen.append(Chosen(unit=unit, host=host, pools=tuple(scratch.take(need, host))))
            if len(kind) > 1:
                ranking.put_back(host)
    return attempt


def reorder(kinds: Sequence[list[Unit]], stuck: Unit) -> list[list[Unit]]:
    """Return the kinds with that of the stuck unit first."""
    first = [kind for kind in kinds if kind[0].need == stuck.need]
    return first + [kind for kind in kinds if kind[0].need != stuck.need]


def search(kinds: Sequence[list[Unit]], scratch: Scratch, policy: Policy) -> list[Chosen] | None:
    """Look depth-first for any way to place all units, within the bounds; ``scratch`` is left as it was."""
    units = [unit for kind in kinds for unit in kind]
    if len(units) > SEARCH_UNITS_MAX:
        return None
    possible = {kind[0].need: survey(kind[0].need, scratch)[-1][1] for kind in kinds}
    chosen: list[Chosen] = []
    looked_at = 0

    def place(k: int) -> bool:
        nonlocal looked_at
        if k == len(units):
            return True
        need = units[k].need
        # Equal units are interchangeable: only ascending hosts are tried for them.
        lowest = chosen[-1].host if chosen and chosen[-1].unit.need == need else 0
        looked_at += len(possible[need])
        for host in _ranked([i for i in possible[need] if i >= lowest], need, scratch, policy):
            if looked_at > SEARCH_HOSTS_MAX:
                return False
            pools = scratch.take(need, host)
            chosen.append(Chosen(unit=units[k], host=host, pools=tuple(pools)))
            if place(k + 1):
                return True
            chosen.pop()
            scratch.give(need, host, pools)
        return False

    is_found = place(0)
    for done in chosen:
        scratch.give(done.unit.need, done.host, done.pools)
    return chosen if is_found else None


def _ranked(hosts: Sequence[int], need: Need, scratch: Scratch, policy: Policy) -> list[int]:
    fitting = [i for i in hosts if need.is_staying or (scratch.has_room(need, i) and scratch.keeps_apart(need, i))]
    ranks = zip(scores(need, scratch, policy, fitting), fitting, strict=True)
    return [host for _, host in sorted(ranks, key=lambda r: (-r[0], r[1]))]
