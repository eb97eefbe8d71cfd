"""Long streams of decisions in one call: replays of traces, what-if counts and the bench.

Every decision sees what the ones before it took; machines of a group keep its rule; a gang is placed whole or not at all;
what was placed may be given back later in the stream. With the compiled engine the whole stream runs without a step of
Python, except where storage pools need the exact search, a gang gets stuck, or a class found no place among the live ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.scheduling.blocks import LEVELS
from controller.scheduling.columns import MEMORY_ROW, VCPU_ROW, Int32
from controller.scheduling.decide import choose
from controller.scheduling.fleet import Fleet
from controller.scheduling.index import NO_RULES, NOWHERE_SLOT
from controller.scheduling.policy import Policy
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.tables import (
    DISKS_MAX,
    HARD_APART,
    HARD_TOGETHER,
    SOFT_APART,
    SOFT_TOGETHER,
    Closed,
    Rules,
    Stream,
    new_rules,
)
from controller.scheduling.units import MEMBERS_MAX, Need
from inventory.domain.placement import GroupRule, MemberRequest, PlacementRequest
from inventory.domain.resources import VCPU, Resources
from inventory.domain.system import SpreadLevel

#: Orders decided between two reports of progress.
_STEP = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRule:
    """The rule of one group of a stream; the fields of ``GroupRule``, existing members by host index."""

    spread: SpreadLevel
    is_hard: bool = True
    max_per_domain: int = 1
    is_affinity: bool = False
    existing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAnswer:
    """What became of a stream."""

    #: Host index of each decision, -1 where nothing fits (and for what gives back).
    hosts: Int32
    #: Storage pool of each disk of a decision, the largest disk first.
    pools: Int32


def give_back(decision: int) -> int:
    """Return the order that gives back what an earlier decision of the same stream took."""
    return -1 - decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a stream asks for, one order after the other."""

    #: An order is an index into ``classes``, or ``give_back(n)``.
    classes: Sequence[Need]
    orders: Sequence[int] | Int32
    #: The rule of each order, -1 for none (and for what gives back); it is fastest where orders of one group follow each other.
    groups: Sequence[int] | Int32 | None = None
    rules: Sequence[StreamRule] = ()
    #: The gang of each order, -1 for none: its orders follow each other, with nothing between them, are of one group, one zone
    #: and one level, and are placed all or none.
    gangs: Sequence[int] | Int32 | None = None


def place_stream(
    fleet: Fleet,
    policy: Policy,
    classes: Sequence[Need],
    orders: Sequence[int] | Int32,
    *,
    groups: Sequence[int] | Int32 | None = None,
    rules: Sequence[StreamRule] = (),
    gangs: Sequence[int] | Int32 | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> StreamAnswer:
    """Decide ``orders`` (see ``Orders``) one after the other and keep what they take.

    ``on_progress`` hears how many orders are decided, of how many.

    Raises:
        ValueError: a class with more disks than a stream places, or of a zone whose pools name several policies.
    """
    run = StreamRun(fleet, policy, Orders(classes=classes, orders=orders, groups=groups, rules=rules, gangs=gangs))
    for step in range(_STEP, len(run) + _STEP, _STEP):
        done = run.through(step)
        if on_progress is not None:
            on_progress(done, len(run))
    return run.answer()


class StreamRun:
    """One stream on its way: decided piece by piece, and machines may be moved in between."""

    def __init__(self, fleet: Fleet, policy: Policy, orders: Orders) -> None:
        """Begin a stream; see ``place_stream``.

        Raises:
            ValueError: a class with more disks than a stream places, or of a zone whose pools name several policies.
        """
        classes, asked = orders.classes, np.asarray(orders.orders, dtype=np.int32)
        if any(len(need.disks) > DISKS_MAX for need in classes):
            raise ValueError(f"a stream has classes of at most {DISKS_MAX} disks")
        fleet.keep()
        self._fleet, self._policy, self._orders = fleet, policy, orders
        slots = fleet.index.hold(classes, policy, np.bincount(asked[asked >= 0], minlength=len(classes)).tolist())
        found = zip(slots.tolist(), classes, strict=True)
        self._need_at: Mapping[int, Need] = {slot: need for slot, need in found if slot != NOWHERE_SLOT}
        self.stream = new_stream(orders, slots, fleet.snapshot)
        most = max(len(names) for names in fleet.snapshot.domain_names.values())
        self._rules = new_rules(most, 1000 * policy.weights.get("soft_spread", 0))
        self.close(())
        self._done = 0

    def __len__(self) -> int:
        """Return how many orders there are."""
        return len(self.stream.slot)

    def through(self, end: int) -> int:
        """Decide what comes before order ``end``, and a gang that it would tear apart; return how many are decided now."""
        end = min(end, len(self))
        while (done := self._compiled(self._done, end)) < end:
            self._done = self._one(done)
        self._done = max(self._done, done)
        return self._done

    def _compiled(self, begin: int, end: int) -> int:
        """Go on to ``end`` or as far as the compiled engine comes; return where it stopped."""
        index, steps = self._fleet.index, self._fleet.index.engine.steps
        if steps is None or begin >= end:
            return begin
        stream = self.stream._replace(slot=self.stream.slot[:end])
        fleet, tables = self._fleet, (index.classes, index.bounds, self._rules, stream)
        # Hosts change without a word of each.
        fleet.forget_changes()
        return steps.run(fleet.hosts, fleet.pools, *tables, fleet.position_of, self._closed, begin, index.buffer, index.work)

    def _one(self, n: int) -> int:
        """Decide one order in Python, with its whole gang where it gets stuck; return the order to go on with."""
        fleet, stream, slot = self._fleet, self.stream, int(self.stream.slot[n])
        if slot < 0:
            self._give_back(-1 - slot)
            return n + 1
        need = self._need_at.get(slot)
        host = None if need is None else self._choose(n, need)
        if need is None or host is None:
            return n + 1 if stream.gang[n] < 0 else self._stuck(n)
        taken = fleet.take(need, host)
        fleet.keep()
        self._note(n, host, taken.pools)
        return n + 1

    def _choose(self, n: int, need: Need) -> int | None:
        """Return the best host for an order: of those in use that are not closed, of all where none of them fits."""
        fleet, slot, rules = self._fleet, int(self.stream.slot[n]), self._rules_at(n)
        closed = self._closed
        is_out = closed.to_small if dict(need.ask).get(VCPU, 0) < closed.small_below else closed.to_all
        if len(is_out):
            open_only = (rules or NO_RULES)._replace(is_out=is_out.copy())
            host = fleet.index.choose(slot, need, open_only, fleet.takes_exactly)
            if host is not None and not self._is_empty(host):
                return host
        return fleet.index.choose(slot, need, rules, fleet.takes_exactly)

    def _is_empty(self, host: int) -> bool:
        hosts, position = self._fleet.hosts, self._fleet.position_of[host]
        rows = slice(VCPU_ROW, MEMORY_ROW + 1)
        return bool((hosts.free[rows, position] == hosts.capacity[rows, position]).all())

    def _note(self, n: int, host: int, pools: Sequence[int]) -> None:
        order = self._fleet.index.terms_at(int(self.stream.slot[n])).disk_order
        self.stream.position[n] = self._fleet.position_of[host]
        self.stream.chosen[n, : len(order)] = [pools[k] for k in order]

    def _stuck(self, n: int) -> int:
        """Place a gang that got stuck at order ``n`` in other ways, or refuse it whole; return the order behind it."""
        stream, gang = self.stream, int(self.stream.gang[n])
        begin = end = n
        while begin > 0 and stream.gang[begin - 1] == gang:
            begin -= 1
        while end < len(self) and stream.gang[end] == gang:
            end += 1
        for past in range(begin, n):
            self._give_back(past)
        stream.position[begin:end] = -1
        for k, (host, pools) in enumerate(self._other_ways(begin, end)):
            self._note(begin + k, host, pools)
        return end

    def _other_ways(self, begin: int, end: int) -> list[tuple[int, list[int]]]:
        """Return host and pools of each order of a gang, all taken; nothing where it does not fit."""
        fleet, snapshot = self._fleet, self._fleet.snapshot
        needs = [self._need_at.get(int(slot)) for slot in self.stream.slot[begin:end]]
        if None in needs or len(needs) > MEMBERS_MAX:
            return []
        chosen = choose(self._request([need for need in needs if need is not None], begin), fleet, self._policy)
        fleet.keep()
        has_disks = any(one.storage_pool_ids for one in chosen or ())
        pool_of = {pool: j for j, pool in enumerate(snapshot.storage_ids)} if has_disks else {}
        return [(snapshot.index_of[one.host_id], [pool_of[pool] for pool in one.storage_pool_ids]) for one in chosen or ()]

    def _request(self, needs: Sequence[Need], begin: int) -> PlacementRequest:
        """Return a gang as a request, with those of its group that are there already."""
        group, snapshot = int(self.stream.group[begin]), self._fleet.snapshot
        rules = []
        if group >= 0:
            rule, there = self._orders.rules[group], self._fleet.hosts.ids[self._mates(begin)].tolist()
            existing = tuple(snapshot.host_ids[host] for host in there)
            rules = [
                GroupRule(
                    group="gang", spread=rule.spread, is_hard=rule.is_hard, existing_host_ids=existing,
                    max_per_domain=rule.max_per_domain, is_affinity=rule.is_affinity,
                )
            ]  # fmt: skip
        members = tuple(
            MemberRequest(
                name=str(k), group="gang", compute=Resources.of(dict(need.ask)), disks=need.disks,
                arch=need.archs[0] if need.archs else "any", traits=need.traits,
            )
            for k, need in enumerate(needs)
        )  # fmt: skip
        return PlacementRequest(zone_id=needs[0].zone_id, mlps_level=needs[0].mlps_level, members=members, rules=tuple(rules))

    def host_of(self, order: int) -> int:
        """Return where the machine of an order is now, -1 where it is nowhere."""
        position = int(self.stream.position[order])
        return int(self._fleet.hosts.ids[position]) if position >= 0 else -1

    def free(self, row: int) -> Int32:
        """Return what is free of a dimension on every host."""
        return self._fleet.column(row)

    def hosts_at(self, positions: Int32) -> Int32:
        """Return which hosts stand at positions of the stream."""
        return self._fleet.hosts.ids[positions]

    def close(self, hosts: Sequence[int], *, to_small: Sequence[int] = (), small_below: int = 0) -> None:
        """Close hosts to what comes, and ``to_small`` to machines of fewer vCPUs; those closed before are open again.

        They take a machine only where the best of the others has nothing on it, or none has room; a gang that gets stuck is
        placed on any.
        """
        self._closed = Closed(self._marked(hosts), self._marked([*hosts, *to_small]), small_below)

    def _marked(self, hosts: Sequence[int]) -> NDArray[np.uint8]:
        marked = np.zeros(len(self._fleet.hosts.ids) if len(hosts) else 0, dtype=np.uint8)
        marked[self._fleet.position_of[np.array(hosts, dtype=np.int64)]] = 1
        return marked

    def move(self, order: int, host: int) -> None:
        """Put the machine of an order on another host, where it fits."""
        need = self._need_at[int(self.stream.slot[order])]
        disk_order, chosen = (
            self._fleet.index.terms_at(int(self.stream.slot[order])).disk_order,
            self.stream.chosen[order].tolist(),
        )
        pools = [pool for _, pool in sorted(zip(disk_order, chosen, strict=False))]
        self._fleet.give(need, self.host_of(order), pools)
        taken = self._fleet.take(need, host)
        self._fleet.keep()
        self._note(order, host, taken.pools)

    def _give_back(self, past: int) -> None:
        stream, position = self.stream, int(self.stream.position[past])
        if position < 0:
            return
        slot = int(stream.slot[past])
        order, pools = self._fleet.index.terms_at(slot).disk_order, stream.chosen[past].tolist()
        placed = sorted(zip(order, pools, strict=False))
        self._fleet.give(self._need_at[slot], int(self._fleet.hosts.ids[position]), [pool for _, pool in placed])
        stream.position[past] = -2 - position

    def _mates(self, n: int) -> list[int]:
        """Return where the machines of the group of order ``n`` are by then."""
        stream, group = self.stream, int(self.stream.group[n])
        mates = stream.mates[stream.mates_start[group] : stream.mates_start[group + 1]]
        past = slice(int(stream.first[group]), n)
        there = stream.position[past][stream.group[past] == group]
        return [*self._fleet.position_of[mates].tolist(), *there[there >= 0].tolist()]

    def _rules_at(self, n: int) -> Rules | None:
        """Return the rule of an order with the members its group has by then, nothing where it has none."""
        stream, group, hosts = self.stream, int(self.stream.group[n]), self._fleet.hosts
        positions = self._mates(n) if group >= 0 else []
        if not positions:
            return None
        rules = self._rules._replace(counts=np.zeros_like(self._rules.counts))
        rules.level[0], rules.kind[0], rules.limit[0] = stream.level[group], stream.kind[group], stream.limit[group]
        rules.domains[0] = stream.domains[group]
        np.add.at(rules.counts, hosts.domain[rules.level[0], positions], 1)
        return rules

    def answer(self) -> StreamAnswer:
        """Return what became of it."""
        position = self.stream.position
        was_placed = np.where(position < -1, -2 - position, position)
        hosts = np.where(was_placed >= 0, self._fleet.hosts.ids[was_placed], -1).astype(np.int32)
        return StreamAnswer(hosts=hosts, pools=self.stream.chosen)


def new_stream(asked: Orders, slots: Int32, snapshot: Snapshot) -> Stream:
    """Return a stream of orders with room for its answers; ``slots`` are those of its classes."""
    orders, rules = np.asarray(asked.orders, dtype=np.int32), asked.rules
    kinds = [_kind(rule) for rule in rules]
    mates = [np.array(rule.existing, dtype=np.int32) for rule in rules]
    start = np.zeros(len(rules) + 1, dtype=np.int32)
    start[1:] = np.cumsum([len(m) for m in mates], dtype=np.int32)
    slot = orders.copy()
    slot[orders >= 0] = slots[orders[orders >= 0]] if len(slots) else 0
    group, gang = _named(asked.groups, len(orders)), _named(asked.gangs, len(orders))
    named, at = np.unique(group[group >= 0], return_index=True)
    first = np.zeros(len(rules), dtype=np.int32)
    first[named] = np.flatnonzero(group >= 0)[at]
    return Stream(
        slot=slot,
        group=group,
        gang=gang,
        first=first,
        level=np.array([LEVELS.index(rule.spread) for rule in rules], dtype=np.int32),
        kind=np.array([kind for kind, _ in kinds], dtype=np.int32),
        limit=np.array([limit for _, limit in kinds], dtype=np.int32),
        domains=np.array([len(snapshot.domain_names[rule.spread]) for rule in rules], dtype=np.int32),
        mates_start=start,
        mates=np.concatenate([*mates, np.empty(0, dtype=np.int32)]),
        position=np.full(len(orders), -1, dtype=np.int32),
        chosen=np.full((len(orders), DISKS_MAX), -1, dtype=np.int32),
    )


def _named(numbers: Sequence[int] | Int32 | None, count: int) -> Int32:
    return np.full(count, -1, dtype=np.int32) if numbers is None else np.array(numbers, dtype=np.int32)


def _kind(rule: StreamRule) -> tuple[int, int]:
    """Return kind and limit of a rule for one more machine."""
    if rule.is_affinity:
        return (HARD_TOGETHER if rule.is_hard else SOFT_TOGETHER), 0
    return (HARD_APART if rule.is_hard else SOFT_APART), rule.max_per_domain - 1
