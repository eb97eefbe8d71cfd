"""The two exact tiers of ``Fleet.best``: live classes answer from bounds that are kept true, all others by a scan.

For every live class and every block of hosts there is a bound that the best score of the block never exceeds. When a host
changes, its new score for all live classes is taken in (a bound only rises then); a choice looks into the block with the
highest bound and lowers it if it promised too much, until the promise holds. A scan writes the same bounds, so both tiers
look at blocks through the same eyes. Rules of a request only ever lower scores: bounds hold for them too. On a small fleet numpy
looks at every host at every choice and keeps no bounds: that is faster.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.scheduling import plain
from controller.scheduling.blocks import BLOCK, Hosts
from controller.scheduling.columns import Int32
from controller.scheduling.engine import PLAIN, Engine
from controller.scheduling.groups import Groups
from controller.scheduling.policy import Policy
from controller.scheduling.scoring import ClassTerms, class_terms, reserve_bits
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.tables import (
    DISKS_MAX,
    Bounds,
    Classes,
    Pools,
    Rules,
    new_bounds,
    new_classes,
    write_class,
)
from controller.scheduling.units import Need

#: Live classes at most; beyond it the one that rested longest makes room, unless a stream holds it.
LIVE_MAX = 1024
_SLOTS_FIRST = 32
#: Stands for the slot of scans; the next one stays empty, for classes that fit nowhere.
_SCAN_SLOT, NOWHERE_SLOT = 0, 1
_LIVE_FROM = 2
#: From here on: classes of a stream that are decided by scans. No fleet has so many slots.
SCANNED_FROM = 1 << 20
#: So many hosts are looked at one by one whose pools do not take the disks, or whose cells the machines; then all are.
_MISSES_MAX = 32
#: Up to so many blocks numpy keeps no bounds.
BOUNDED_ABOVE = 8
#: Classes seen once are remembered, to go live when they come again; this many of them.
_SEEN_MAX = 4096

ClassKey = tuple[object, ...]
#: What columns cannot say of a unit and a host (``Fleet.takes_exactly``).
Exactly = Callable[[Need, int], bool]
_NO_LINES = np.empty(0, dtype=np.int32)
_NOBODY_OUT = np.empty(0, dtype=np.uint8)
NO_RULES = Rules(_NO_LINES, _NO_LINES, _NO_LINES, _NO_LINES, _NO_LINES, _NO_LINES, 0, _NOBODY_OUT)


class Index:
    """Live classes of one fleet and their bounds."""

    def __init__(self, hosts: Hosts, snapshot: Snapshot, engine: Engine) -> None:
        self._hosts, self._snapshot, self.engine = hosts, snapshot, engine
        self._blocks = len(hosts.ids) // BLOCK
        self._is_bounded = self._keeps_bounds(engine)
        self.classes: Classes = new_classes(snapshot.rows.count, _LIVE_FROM)
        self.bounds: Bounds = new_bounds(self._blocks, _LIVE_FROM)
        # A scan works on one slot of its own, whose bounds lie close together.
        self._scanned = new_classes(snapshot.rows.count, 1), new_bounds(self._blocks, 1)
        self._judge = new_classes(snapshot.rows.count, 1)
        self._slot_of: OrderedDict[ClassKey, int] = OrderedDict()
        #: Classes of the stream that is under way: they stay live.
        self._held: set[ClassKey] = set()
        self._terms_at: dict[int, ClassTerms] = {}
        #: Unit, host and slot of the last choice.
        self._last: tuple[Need | None, int | None, int] = None, None, -1
        self._seen: OrderedDict[ClassKey, ClassTerms | None] = OrderedDict()
        self.buffer: Int32 = np.empty(BLOCK, dtype=np.int32)
        self.work = np.zeros(len(self.bounds.group) + len(self.bounds.block), dtype=np.uint8)

    def _keeps_bounds(self, engine: Engine) -> bool:
        return engine is not PLAIN or self._blocks > BOUNDED_ABOVE

    def use(self, engine: Engine) -> None:
        """Compute with another engine from now on; bounds that were not kept are made new."""
        self.engine, was_bounded = engine, self._is_bounded
        self._is_bounded = self._keeps_bounds(engine)
        if self._is_bounded and not was_bounded:
            for slot in self._slot_of.values():
                engine.scan(self._hosts, self.classes, self.bounds, slot, self.buffer)

    @property
    def live_count(self) -> int:
        """Return how many classes are live."""
        return len(self._slot_of)

    def best(self, need: Need, policy: Policy, groups: Groups, takes_exactly: Exactly) -> int | None:
        """Return the best host for a unit without a given one.

        Where pools of its zone name several policies, each names its best host, and the platform's own chooses between those.
        """
        sections = self._snapshot.sections_of.get(need.zone_id, ())
        if len(sections) == 1:
            return self._best_in(
                sections[0], need, policy.of_pool(self._snapshot.sections[sections[0]][1]), groups, takes_exactly
            )
        best: tuple[int, int] | None = None
        last = self._last
        for section in sections:
            host = self._best_in(section, need, policy.of_pool(self._snapshot.sections[section][1]), groups, takes_exactly)
            if host is None:
                continue
            rank = (-self._judged(section, need, policy, groups, host), host)
            if best is None or rank < best:
                best, last = rank, self._last
        self._last = last
        return None if best is None else best[1]

    def _judged(self, section: int, need: Need, policy: Policy, groups: Groups, host: int) -> int:
        """Return the score that a policy gives a host of any section."""
        terms, _ = self._terms_of(class_key(need, policy, section), need, policy, section)
        assert terms is not None, "the host was chosen"
        write_class(self._judge, 0, terms)
        position = int(np.flatnonzero(self._hosts.ids == host)[0])
        misfits = int(groups.misfits(need, np.array([host], dtype=np.int32))[0])
        return plain.score_at(self._hosts, self._judge, 0, position) - 1000 * policy.weights.get("soft_spread", 0) * misfits

    def _best_in(self, section: int, need: Need, policy: Policy, groups: Groups, takes_exactly: Exactly) -> int | None:
        key = class_key(need, policy, section)
        slot = self._slot_of.get(key)
        if slot is not None:
            self._slot_of.move_to_end(key)
            position = None
        else:
            terms, is_known = self._terms_of(key, need, policy, section)
            if terms is None:
                return None
            slot, position = self._admit(key, terms) if is_known and self._has_slot else self._scan(terms)
        return self.choose(slot, need, self._rules(need, policy, groups), takes_exactly, position)

    def choose(
        self, slot: int, need: Need, rules: Rules | None, takes_exactly: Exactly, position: int | None = None
    ) -> int | None:
        """Return the best host of a class under rules; ``position`` is the answer without rules where it is known."""
        if slot >= SCANNED_FROM:
            slot, position = self._scan(self._terms_at[slot])
        if rules is not None or position is None:
            position = self._choose(slot, rules)
        needs_exact_check = self._terms_at[slot].needs_exact_check if position >= 0 else False
        misses = 0
        while position >= 0 and needs_exact_check and not takes_exactly(need, int(self._hosts.ids[position])):
            misses += 1
            rules = self._without(position, rules, need, takes_exactly, is_all=misses == _MISSES_MAX)
            position = self._choose(slot, rules)
        host = None if position < 0 else int(self._hosts.ids[position])
        self._last = need, host, slot if slot >= _LIVE_FROM else -1
        return host

    def slot_of(self, need: Need, host: int) -> int:
        """Return the slot of the live class that the last choice was made for, -1 if it was not this unit and host."""
        return self._last[2] if self._last[0] is need and self._last[1] == host else -1

    def changed(self, position: int) -> None:
        """Take in that a host has other amounts free."""
        if self._slot_of and self._is_bounded:
            self.engine.raise_bounds(self._hosts, self.classes, self.bounds, position)

    def fill(self, need: Need, policy: Policy, groups: Groups, pools: Pools, count: int) -> tuple[Int32, Int32]:
        """Choose and take hosts for so many units, one after the other, in one step of the compiled engine.

        Returns position and storage pools of those that got one: fewer, or none, where a choice needs a closer look. Rules count
        what is chosen here; telling ``groups`` of it is left to the caller.
        """
        steps, sections = self.engine.steps, self._snapshot.sections_of.get(need.zone_id, ())
        if steps is None or len(need.disks) > DISKS_MAX or need.seats or len(sections) != 1:
            return _NO_LINES, _NO_LINES
        slot, own = self.live_slot(need, policy), policy.of_pool(self._snapshot.sections[sections[0]][1])
        rules = self._rules(need, own, groups) or NO_RULES
        counts, weighed = dict(need.counts), need.soft if own.weights.get("soft_spread", 0) else ()
        more = np.array([counts[group] for group, _ in (*need.hard, *weighed)], dtype=np.int32)
        # A rule without an effect yet gets one with the first machine of its group.
        if slot == NOWHERE_SLOT or len(more) != len(rules.kind):
            return _NO_LINES, _NO_LINES
        rules = rules._replace(counts=rules.counts.copy())
        position, chosen = np.empty(count, dtype=np.int32), np.empty((count, DISKS_MAX), dtype=np.int32)
        tables = self._hosts, pools, self.classes, self.bounds
        done = steps.fill(*tables, rules, more, slot, position, chosen, self.buffer, self.work)
        order = self._terms_at[slot].disk_order
        return position[:done], chosen[:done, [order.index(disk) for disk in range(len(order))]]

    def live_slot(self, need: Need, policy: Policy) -> int:
        """Make a class live and return its slot; ``NOWHERE_SLOT`` where no host can ever fit, or none of the live makes room.

        Raises:
            ValueError: pools of its zone name several policies.
        """
        key, terms = self._class_of(need, policy)
        if terms is None or not (key in self._slot_of or self._has_slot):
            return NOWHERE_SLOT
        if key not in self._slot_of:
            self._admit(key, terms)
        return self._slot_of[key]

    def hold(self, needs: Sequence[Need], policy: Policy, uses: Sequence[int]) -> Int32:
        """Return the slot of each class of a stream, good until another stream begins.

        Those used most stay live. The others get slots of their own from ``SCANNED_FROM`` on: each choice for them is a scan.

        Raises:
            ValueError: pools of a zone name several policies.
        """
        self._held, slots = set(), np.full(len(needs), NOWHERE_SLOT, dtype=np.int32)
        for n in sorted(range(len(needs)), key=lambda n: -uses[n]):
            key, terms = self._class_of(needs[n], policy)
            if terms is not None and (key in self._held or len(self._held) < LIVE_MAX):
                slots[n] = self.live_slot(needs[n], policy)
                self._held.add(key)
            elif terms is not None:
                slots[n] = SCANNED_FROM + n
                self._terms_at[SCANNED_FROM + n] = terms
        return slots

    @property
    def _has_slot(self) -> bool:
        """Tell whether one more class may go live, if need be in the place of another."""
        return len(self._held) < LIVE_MAX

    def _class_of(self, need: Need, policy: Policy) -> tuple[ClassKey, ClassTerms | None]:
        """Return the class of a need, without terms where no host of the fleet can ever fit.

        Raises:
            ValueError: pools of its zone name several policies.
        """
        sections = self._snapshot.sections_of.get(need.zone_id, ())
        if len(sections) > 1:
            raise ValueError("a class is live under one policy")
        if not sections:
            return (), None
        own = policy.of_pool(self._snapshot.sections[sections[0]][1])
        key = class_key(need, own, sections[0])
        return key, self._terms_of(key, need, own, sections[0])[0]

    def terms_at(self, slot: int) -> ClassTerms:
        """Return the terms of a live class, or of one that is scanned for a stream."""
        return self._terms_at[slot]

    def _choose(self, slot: int, rules: Rules | None) -> int:
        classes, bounds = self._scanned if slot == _SCAN_SLOT else (self.classes, self.bounds)
        if rules is None:
            choose = self.engine.pick if self._is_bounded else self.engine.scan
            return choose(self._hosts, classes, bounds, slot, self.buffer)
        return self.engine.pick_ruled(self._hosts, classes, bounds, rules, slot, self.buffer, self.work)

    def _scan(self, terms: ClassTerms) -> tuple[int, int]:
        classes, bounds = self._scanned
        write_class(classes, _SCAN_SLOT, terms)
        self._terms_at[_SCAN_SLOT] = terms
        return _SCAN_SLOT, self.engine.scan(self._hosts, classes, bounds, _SCAN_SLOT, self.buffer)

    def _admit(self, key: ClassKey, terms: ClassTerms) -> tuple[int, int]:
        """Make a class live: from now on its bounds follow every change."""
        if len(self._slot_of) == LIVE_MAX:
            slot = self._slot_of.pop(next(other for other in self._slot_of if other not in self._held))
        else:
            slot = len(self._slot_of) + _LIVE_FROM
            self._make_room(slot)
        self._slot_of[key] = slot
        self._terms_at[slot] = terms
        write_class(self.classes, slot, terms)
        return slot, self.engine.scan(self._hosts, self.classes, self.bounds, slot, self.buffer)

    def _make_room(self, slot: int) -> None:
        have = self.classes.bits.shape[0]
        if slot < have:
            return
        # Not doubled: every slot costs time at every change.
        slots = have + max(_SLOTS_FIRST, have // 4 // _SLOTS_FIRST * _SLOTS_FIRST)
        classes, bounds = new_classes(self._snapshot.rows.count, slots), new_bounds(self._blocks, slots)
        pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip((*self.classes, *self.bounds), (*classes, *bounds), strict=True)
        for old, new in pairs:
            new[tuple(slice(size) for size in old.shape)] = old
        self.classes, self.bounds = classes, bounds

    def _terms_of(self, key: ClassKey, need: Need, policy: Policy, section: int) -> tuple[ClassTerms | None, bool]:
        """Return the terms of a class, and whether it was asked for before."""
        if key in self._seen:
            self._seen.move_to_end(key)
            return self._seen[key], True
        terms = self._seen[key] = class_terms(need, policy, self._snapshot, section)
        if len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        return terms, False

    def _rules(self, need: Need, policy: Policy, groups: Groups) -> Rules | None:
        """Return the rules that have an effect on a unit now."""
        cost = 1000 * policy.weights.get("soft_spread", 0)
        found = [groups.hard_rule(group, need) for group, _ in need.hard]
        if cost:
            found += [groups.soft_rule(group) for group, _ in need.soft]
        lines = [line for line in found if line is not None]
        is_out = self._without_addresses(need, groups) if need.cards else _NOBODY_OUT
        if not lines:
            return NO_RULES._replace(is_out=is_out) if len(is_out) else None
        level, kind, limit, offset, domains = np.array(lines, dtype=np.int32).T.copy()
        return Rules(level, kind, limit, offset, domains, groups.all_counts, cost, is_out)

    def _without_addresses(self, need: Need, groups: Groups) -> NDArray[np.uint8]:
        """Tell for each position whether its host is out of the question for want of addresses; nothing where none is."""
        allowed = groups.addresses.allows(need, np.arange(self._snapshot.host_count, dtype=np.int32))
        if allowed.all():
            return _NOBODY_OUT
        ids = self._hosts.ids
        is_out = np.zeros(len(ids), dtype=np.uint8)
        is_host = ids < self._snapshot.host_count
        is_out[is_host] = ~allowed[ids[is_host]]
        return is_out

    def _without(self, position: int, rules: Rules | None, need: Need, takes_exactly: Exactly, *, is_all: bool) -> Rules:
        """Return the rules with one more host out of the question, or all that fail the exact check."""
        rules = rules or NO_RULES
        is_out = rules.is_out if len(rules.is_out) else np.zeros(len(self._hosts.ids), dtype=np.uint8)
        is_out[position] = 1
        if is_all:
            for other, host in enumerate(self._hosts.ids.tolist()):
                is_out[other] |= host >= self._snapshot.host_count or not takes_exactly(need, host)
        return rules._replace(is_out=is_out)


def class_key(need: Need, policy: Policy, section: int) -> ClassKey:
    """Return what makes two needs one class of a section."""
    return (section, need.mlps_level, need.ask, need.disks, need.archs, need.traits, need.seats, reserve_bits(need), policy.key)
