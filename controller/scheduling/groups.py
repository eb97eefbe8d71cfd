"""Affinity, anti-affinity and spread: how the machines of one request stand to each other, counted by failure domain.

A rule speaks of one group and one level (host, rack, room, site): at most so many of the group in one domain, or all of
them in one domain. A hard rule is a condition, a soft one a number of misfits that costs score.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from controller.scheduling.address_room import Addresses
from controller.scheduling.blocks import LEVELS
from controller.scheduling.columns import Bool, Int32
from controller.scheduling.reach import Reach, reach_of
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.tables import HARD_APART, HARD_TOGETHER, MISFITS_MAX, SOFT_APART, SOFT_TOGETHER
from controller.scheduling.units import Need
from inventory.domain.ids import HostId
from inventory.domain.placement import GroupRule, Level, NetworkLevel, PlacementRequest
from inventory.domain.system import SpreadLevel


class Groups:
    """Members by group and failure domain while a request is placed; hosts are those of the snapshot."""

    def __init__(self, request: PlacementRequest, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        #: What shared networks ask, where hosts share homes.
        self.reach: Reach | None = reach_of(request, snapshot)
        rules = request.rules if self.reach is None else (*request.rules, *self.reach.rules)
        self.rules = {rule.group: rule for rule in rules if rule.spread is not SpreadLevel.NONE}
        #: Members by failure domain, group after group.
        self.all_counts, self._offset = _room(self.rules, snapshot)
        #: Group -> members by failure domain of the rule's level.
        self.counts = {g: self.all_counts[start:end] for g, (start, end) in self._offset.items()}
        #: Group -> members anywhere.
        self.totals = dict.fromkeys(self.rules, 0)
        self.addresses = Addresses(request.addresses, snapshot)
        if self.rules:
            self._count_existing(request)

    def _count_existing(self, request: PlacementRequest) -> None:
        staying: dict[str, set[HostId]] = {}
        for member in request.members:
            if member.pinned_host_id is not None and member.is_existing:
                staying.setdefault(member.group, set()).add(member.pinned_host_id)
        for rule in self.rules.values():
            for host_id in _hosts_of(rule, staying.get(rule.group, set())):
                host = self.snapshot.index_of.get(host_id)
                if host is not None:
                    self._add(rule.group, host, 1)

    def place(self, need: Need, host: int, sign: int = 1) -> None:
        """Count the new machines of a unit on a host, or take them off again (``sign`` -1)."""
        for group, count in need.counts:
            self._add(group, host, sign * count)
        if need.cards:
            self.addresses.place(need, host, sign)

    def _add(self, group: str, host: int, count: int) -> None:
        self.counts[group][self.domain(group, host)] += count
        self.totals[group] += count

    def bind(self, group: str, domain: int) -> None:
        """Let a group that wants to be together be in one domain, as if somebody of it were there."""
        self.counts[group][domain] += 1
        self.totals[group] += 1

    def domain(self, group: str, host: int) -> int:
        """Return the failure domain of a host at the level of a group's rule."""
        return int(self.snapshot.domain_index[self.rules[group].spread][host])

    def mates(self, group: str, host: int) -> int:
        """Return how many of a group are in the failure domain of a host."""
        return int(self.counts[group][self.domain(group, host)])

    def says_nothing(self, need: Need) -> bool:
        """Tell whether no rule of a unit has an effect yet: nobody of its groups is anywhere."""
        return not any(self.totals[group] for group, _ in need.counts)

    def breaks(self, need: Need, host: int) -> str:
        """Return the first group whose hard rule a unit on a host would break; empty if none."""
        for group, _ in need.hard:
            if not self._allowed(group, need, np.array([self.mates(group, host)])).all():
                return group
        return ""

    def allows(self, need: Need, hosts: Int32) -> Bool:
        """Tell for each host whether a unit may go there under its hard rules."""
        return self._keeps(need, hosts, [rule for rule in need.hard if rule[1] is not NetworkLevel.HOME])

    def reaches(self, need: Need, hosts: Int32) -> Bool:
        """Tell for each host whether a unit reaches there those it shares a network with."""
        return self._keeps(need, hosts, [rule for rule in need.hard if rule[1] is NetworkLevel.HOME])

    def _keeps(self, need: Need, hosts: Int32, rules: Sequence[tuple[str, Level]]) -> Bool:
        allowed = np.ones(len(hosts), dtype=np.bool_)
        for group, level in rules:
            allowed &= self._allowed(group, need, self.counts[group][self.snapshot.domain_index[level][hosts]])
        return allowed

    def _allowed(self, group: str, need: Need, mates: Int32) -> Bool:
        rule = self.rules[group]
        if rule.is_affinity:
            return np.asarray((mates > 0) | (self.totals[group] == 0))
        return np.asarray(mates + dict(need.counts)[group] <= rule.max_per_domain)

    def hard_rule(self, group: str, need: Need) -> tuple[int, int, int, int, int] | None:
        """Return level, kind, limit, offset and domains of a hard rule for the engines; nothing where its group is nowhere."""
        if not self.totals[group]:
            return None
        rule, (start, end) = self.rules[group], self._offset[group]
        kind, limit = (HARD_TOGETHER, 0) if rule.is_affinity else (HARD_APART, rule.max_per_domain - dict(need.counts)[group])
        return LEVELS.index(rule.spread), kind, limit, start, end - start

    def soft_rule(self, group: str) -> tuple[int, int, int, int, int] | None:
        """Return the same of a soft rule."""
        if not self.totals[group]:
            return None
        rule, (start, end) = self.rules[group], self._offset[group]
        kind, limit = (SOFT_TOGETHER, 0) if rule.is_affinity else (SOFT_APART, rule.max_per_domain - 1)
        return LEVELS.index(rule.spread), kind, limit, start, end - start

    def misfits(self, need: Need, hosts: Int32) -> Int32:
        """Return for each host how many machines break soft rules of a unit there."""
        total = np.zeros(len(hosts), dtype=np.int64)
        for group, level in need.soft:
            rule, mates = self.rules[group], self.counts[group][self.snapshot.domain_index[level][hosts]]
            if rule.is_affinity:
                total += (mates == 0) & (self.totals[group] > 0)
            else:
                total += np.maximum(0, mates - (rule.max_per_domain - 1))
        return np.minimum(total, MISFITS_MAX).astype(np.int32)


def _room(rules: Mapping[str, GroupRule], snapshot: Snapshot) -> tuple[Int32, dict[str, tuple[int, int]]]:
    offset, end = {}, 0
    for group, rule in rules.items():
        start, end = end, end + len(snapshot.domain_names[rule.spread])
        offset[group] = (start, end)
    return np.zeros(end, dtype=np.int32), offset


def _hosts_of(rule: GroupRule, staying: set[HostId]) -> Iterable[HostId]:
    """Return a host per existing machine; a machine that is changed in place may stand in the rule, in the request, or both."""
    yield from rule.existing_host_ids
    yield from sorted(staying - set(rule.existing_host_ids))
