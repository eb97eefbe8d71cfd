"""How every host stands with a kind of machine that no rule binds: kept with the fleet, and brought up to date host by host.

An explanation names counts and the best hosts. Looking at every host for each of them cost more than the decision; between two
machines of a kind only a few hosts change. What is said is the same as ``survey`` and ``columns`` say of all hosts.
"""

import numpy as np

from controller.scheduling.columns import Bool, Int32, Int64
from controller.scheduling.filters import FILTER_NAMES, Trail, base_trail, capacity, storage
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.policy import Policy
from controller.scheduling.units import Need
from controller.scheduling.weighers import columns, parts_under, total_of

#: Values kept for all kinds together, roughly: one for each host and kind.
_KEPT_HOSTS = 1_000_000
_KINDS_MOST = 64
_OUT = np.iinfo(np.int64).min
#: Up to so many hosts that changed are looked at one by one: numpy takes longer to begin with.
_ONE_BY_ONE_MOST = 8

#: So many states of hosts are remembered for a kind.
_KNOWN_MOST = 4096

#: Host, score, and the named parts that add up to it.
Ranked = tuple[int, int, dict[str, int]]


def is_bound(need: Need) -> bool:
    """Tell whether rules, given hosts, other machines of its request, cells or addresses have a say in where a unit may go."""
    rules = need.hard or need.soft or need.counts
    return bool(need.pins or need.reach or need.conflict or rules or need.is_staying or need.seats or need.cards)


class Standing:
    """The hosts whose facts suit a kind, which of them have room, and what each weigher says of them."""

    def __init__(self, need: Need, fleet: Fleet, policy: Policy) -> None:
        self._need, self._fleet, self._policy = need, fleet, policy
        self._base = base_trail(need, fleet)
        self.hosts = self._base[-1][1]
        self._place_of = np.full(fleet.snapshot.host_count, -1, dtype=np.int32)
        self._place_of[self.hosts] = np.arange(len(self.hosts), dtype=np.int32)
        self._has_capacity: Bool = np.zeros(len(self.hosts), dtype=np.bool_)
        self._has_storage: Bool = np.zeros(len(self.hosts), dtype=np.bool_)
        self._named: list[tuple[str, Int64]] = []
        #: Scores, lowest where there is no room.
        self._totals: Int64 = np.full(len(self.hosts), _OUT, dtype=np.int64)
        #: What was said of hosts that stand as they stood then, by place; read-only.
        self._parts: dict[int, dict[str, int]] = {}
        #: The same by what a host has, and has free.
        self._known: dict[tuple[bytes, bytes, bool], dict[str, int]] = {}
        #: The trail, while nobody's room came or went.
        self._trail: Trail | None = None
        #: Changes of the fleet that were taken in; nothing yet.
        self._seen = -1

    def follow(self, groups: Groups) -> None:
        """Look at the hosts that changed; ``groups`` are those of any request, for no rule of it speaks of this kind."""
        changed = self._fleet.changed_since(self._seen)
        self._seen = self._fleet.changed_count
        if changed is None:
            self._look(np.arange(len(self.hosts), dtype=np.int32), groups)
        elif len(only := set(changed)) <= _ONE_BY_ONE_MOST:
            for host in only:
                self._look_at(host, groups)
        else:
            places = self._place_of[sorted(only)]
            self._look(places[places >= 0], groups)

    def _look_at(self, host: int, groups: Groups) -> None:
        place = int(self._place_of[host])
        if place < 0:
            return
        need, fleet = self._need, self._fleet
        has_capacity = all(fleet.free_at(dimension, host) >= amount for dimension, amount in need.ask)
        has_storage = has_capacity and fleet.pools_for(need.disks, host) is not None
        if (self._has_capacity[place], self._has_storage[place]) != (has_capacity, has_storage):
            self._has_capacity[place], self._has_storage[place] = has_capacity, has_storage
            self._trail = None
        parts = self._parts[place] = self._weighed(host, groups)
        for name, column in self._named:
            column[place] = parts[name]
        self._totals[place] = sum(parts.values()) if has_storage else _OUT

    def _weighed(self, host: int, groups: Groups) -> dict[str, int]:
        """Return the parts of a host's score; hosts that are alike and as full are weighed once."""
        fleet, snapshot = self._fleet, self._fleet.snapshot
        capacity, free = snapshot.capacity_rows[:, host], fleet.hosts.free[:, fleet.position_of[host]]
        like = capacity.tobytes(), free.tobytes(), bool(snapshot.has_accelerator[host])
        found = self._known.get(like)
        if found is None:
            if len(self._known) >= _KNOWN_MOST:
                self._known.clear()
            found = self._known[like] = dict(parts_under(self._need, fleet, groups, self._policy, host))
        return found

    def _look(self, places: Int32, groups: Groups) -> None:
        if not places.size:
            return
        need, fleet, hosts = self._need, self._fleet, self.hosts[places]
        self._trail = None
        self._parts.clear()
        roomy = capacity(need, fleet, hosts)
        stored = storage(need, fleet, roomy)
        for flags, kept in ((self._has_capacity, roomy), (self._has_storage, stored)):
            flags[places] = False
            flags[self._place_of[kept]] = True
        named = columns(need, fleet, groups, self._policy, hosts)
        if not self._named:
            self._named = [(name, np.zeros(len(self.hosts), dtype=np.int64)) for name, _ in named]
        for (_, column), (_, now) in zip(self._named, named, strict=True):
            column[places] = now
        self._totals[places] = np.where(self._has_storage[places], total_of(named, len(hosts)), _OUT)

    def trail(self) -> Trail:
        """Return the hosts left after each filter, as ``survey`` does."""
        if self._trail is None:
            self._trail = self._new_trail()
        return self._trail

    def _new_trail(self) -> Trail:
        roomy = self.hosts if self._has_capacity.all() else self.hosts[self._has_capacity]
        stored = roomy if self._has_storage.sum() == len(roomy) else self.hosts[self._has_storage]
        before = {"pinned": self.hosts, "network_reach": self.hosts, "capacity": roomy}
        return [*self._base, *((name, before.get(name, stored)) for name in FILTER_NAMES[len(self._base) :])]

    def ranking(self, host: int, count: int) -> list[Ranked]:
        """Return host, score and its parts: of a host, and of the best ``count`` others that have room."""
        totals, places = self._totals, [int(self._place_of[host])]
        scores = [int(totals[places[0]])]
        totals[places[0]] = _OUT
        for _ in range(min(count, len(totals) - 1)):
            best = int(totals.argmax())
            if totals[best] == _OUT:
                break
            places.append(best)
            scores.append(int(totals[best]))
            totals[best] = _OUT
        totals[places] = scores
        return [(int(self.hosts[place]), score, self._parts_at(place)) for place, score in zip(places, scores, strict=True)]

    def _parts_at(self, place: int) -> dict[str, int]:
        found = self._parts.get(place)
        if found is None:
            found = self._parts[place] = {name: int(column[place]) for name, column in self._named}
        return found


def standing_of(need: Need, fleet: Fleet, policy: Policy, groups: Groups) -> Standing:
    """Return how hosts stand now with a kind that is not bound."""
    key = need, policy.key
    found: Standing = fleet.kept.pop(key, None) or Standing(need, fleet, policy)
    most = max(2, min(_KINDS_MOST, _KEPT_HOSTS // max(1, fleet.snapshot.host_count)))
    while len(fleet.kept) >= most:
        fleet.kept.popitem(last=False)
    fleet.kept[key] = found
    found.follow(groups)
    return found
