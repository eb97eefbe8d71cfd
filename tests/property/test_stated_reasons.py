"""Every reason that is stated for a host is true, and no other filter would have come first.

For machines that go to one host together the whole trail is told by plain code: which hosts fell, at which filter, with which
numbers, and that the others break nothing. For gangs, what a reason says of those placed before is held against where they are.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.cells import SeatAsk
from controller.scheduling.decide import decide, decide_on
from controller.scheduling.filters import FILTER_NAMES, survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.groups import Groups
from controller.scheduling.misses import all_misses
from controller.scheduling.snapshot import HostEntry
from controller.scheduling.units import Need
from inventory.domain.host import AdminState, Reachability
from inventory.domain.ids import HostId
from inventory.domain.placement import Explanation, GroupRule, HostMiss, MemberRequest, Placement, PlacementRequest, Refusal
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import SpreadLevel
from tests.property import test_scheduling_cells as cells
from tests.property.test_scheduling_oracle import (
    breaks_after_a_failure,
    domain_of,
    free_of,
    growth,
    home_of,
    is_existing,
    some_hosts,
    some_request,
    storage_fits,
)
from tests.support.address_rooms import breaks_addresses
from tests.support.placement import entry, member, request, snapshot

SEEDS = st.integers(0, 2**32)
HOST_IDS = [HostId(f"host_{n:05d}") for n in range(4)]


# -- cases ----------------------------------------------------------------------------------------------------------------


def one_unit(source: random.Random) -> tuple[list[HostEntry], PlacementRequest]:
    """Return hosts, and machines that go to one of them together: one, or several that share a network of one host."""
    if source.random() < 0.3:
        hosts = [cells.some_host(source, n) for n in range(source.randint(1, 3))]
        networks = ("n1",) if source.random() < 0.5 else ()
        return hosts, request(*(cells.some_member(source, f"m{n}", networks) for n in range(3 if networks else 1)))
    hosts, asked = some_hosts(source, pools_max=1), some_request(source)
    is_wide = any(h.host.home != h.host.id for h in hosts)
    count = 1 if is_wide else source.choice([1, 2, 3])
    members = [with_pin(source, m) for m in asked.members[:count]]
    if len(members) > 1:
        members = [replace(m, networks=("n1", *m.networks)) if "n1" not in m.networks else m for m in members]
    lives = {n: source.choice(HOST_IDS) for n in ("n1", "n2") if source.random() < 0.3}
    asked = replace(asked, members=tuple(members), network_hosts=lives)
    return (hosts, asked) if source.random() < 0.5 else fewer_in_the_way(source, hosts, asked)


def fewer_in_the_way(
    source: random.Random, hosts: Sequence[HostEntry], asked: PlacementRequest
) -> tuple[list[HostEntry], PlacementRequest]:
    """Return open hosts, a hard rule with mates somewhere, and machines that ask for little: so the later filters speak."""
    is_open = [
        replace(h, host=replace(h.host, admin_state=AdminState.ACTIVE, reachability=Reachability.REACHABLE)) for h in hosts
    ]
    rule = GroupRule(
        group=asked.members[0].group,
        spread=source.choice([SpreadLevel.HOST, SpreadLevel.RACK, SpreadLevel.ROOM]),
        is_hard=True,
        max_per_domain=source.choice([1, 1, 2]),
        is_affinity=source.random() < 0.4,
        existing_host_ids=tuple(sorted(source.sample(HOST_IDS, source.randint(0, 2)))),
    )
    little = Resources.of({VCPU: 1, MEMORY_MIB: 1})
    members = tuple(replace(m, compute=little, disks=m.disks[:1]) if source.random() < 0.8 else m for m in asked.members)
    return is_open, replace(asked, members=members, rules=(rule,), mlps_level=source.choice([1, 3]))


def with_pin(source: random.Random, one: MemberRequest) -> MemberRequest:
    if one.pinned_host_id is None and source.random() > 0.15:
        return one
    return replace(one, pinned_host_id=source.choice(HOST_IDS))


def some_gang(source: random.Random) -> tuple[list[HostEntry], PlacementRequest]:
    hosts, asked = some_hosts(source, pools_max=1), some_request(source)
    return hosts, replace(asked, members=tuple(with_pin(source, m) for m in asked.members))


# -- what fells a host, told without the scheduler ------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """Machines that go to one host together."""

    asked: PlacementRequest
    hosts: Sequence[HostEntry]
    members: Sequence[MemberRequest]

    @property
    def new(self) -> list[MemberRequest]:
        return [m for m in self.members if not is_existing(m)]

    @property
    def is_staying(self) -> bool:
        return all(is_existing(m) and not grows(m) for m in self.members)

    @property
    def pins(self) -> list[HostId]:
        return sorted({m.pinned_host_id for m in self.members if m.pinned_host_id is not None})

    @property
    def given(self) -> list[HostId]:
        """Return the hosts on which networks of the unit are."""
        found = self.asked.network_hosts
        return sorted({found[n] for m in self.members for n in m.networks if n in found})

    @property
    def rules(self) -> dict[str, GroupRule]:
        """Return the hard rules of groups with new machines in it."""
        groups = {m.group for m in self.new}
        return {r.group: r for r in self.asked.rules if r.is_hard and r.spread is not SpreadLevel.NONE and r.group in groups}

    @property
    def torn(self) -> list[str]:
        """Return the groups of which two machines would have to be on one host and must not."""
        counts = Counter(m.group for m in self.new)
        return sorted(g for g, r in self.rules.items() if not r.is_affinity and counts[g] > r.max_per_domain)

    def old(self, rule: GroupRule) -> Counter[tuple[str, ...]]:
        """Return the machines of a group that are somewhere already, by failure domain."""
        by_id = {h.host.id: h for h in self.hosts}
        group = [m for m in self.asked.members if m.group == rule.group]
        staying = {m.pinned_host_id for m in group if is_existing(m) and m.pinned_host_id} - set(rule.existing_host_ids)
        return Counter(domain_of(by_id[h], rule.spread) for h in (*rule.existing_host_ids, *staying) if h in by_id)


def grows(one: MemberRequest) -> bool:
    return any(growth(one, d) for d in one.compute) or bool(one.disks) or bool(one.layout)


def felled_by(unit: Unit, host: HostEntry) -> str:
    """Return the first filter that a host does not pass for a unit; empty where the unit may go there."""
    alone: list[Any] = [unit.pins and unit.pins != [host.host.id] and "pinned"]
    alone.append((unit.torn or {home_of(unit.hosts, h) for h in unit.given} - {host.host.home}) and "network_reach")
    reasons = alone if unit.is_staying else [*facts(unit, host), *alone, *room(unit, host)]
    return str(next((reason for reason in reasons if reason), ""))


def facts(unit: Unit, host: HostEntry) -> list[Any]:
    assert host.host.facts is not None
    arch, growing = host.host.facts.arch, [m for m in unit.members if not is_existing(m) or grows(m)]
    is_open = host.host.admin_state is AdminState.ACTIVE and host.host.reachability is Reachability.REACHABLE
    return [
        not is_open and "state",
        host.zone.id != unit.asked.zone_id and "zone",
        min(host.zone.mlps_max, host.pool.mlps_max) < unit.asked.mlps_level and "mlps",
        any(m.arch not in ("any", arch) for m in unit.new) and "arch",
        any(not set(m.traits) <= host.traits for m in growing) and "traits",
        any(breaks_after_a_failure(unit.hosts, host, rule) for rule in unit.rules.values()) and "reserve",
    ]


def room(unit: Unit, host: HostEntry) -> list[Any]:
    asked: Counter[str] = Counter()
    for one in unit.members:
        asked.update({d: growth(one, d) for d in one.compute})
    whole = replace(unit.asked, members=tuple(unit.members))
    return [
        any(n > free_of(host, d) for d, n in asked.items() if n) and "capacity",
        not storage_fits(whole, [host], [0] * len(unit.members)) and "storage",
        not sits(unit, host, {d: free_of(host, d) for d in host.capacity}) and "numa",
        breaks_addresses(unit.asked.addresses, [(m, host.host.home) for m in unit.new]) and "addresses",
        any(is_broken(unit, rule, host) for rule in unit.rules.values()) and "spread",
    ]


def sits(unit: Unit, host: HostEntry, free: Mapping[str, int]) -> bool:
    asks = [cells.ask_of(m) for m in unit.members if m.layout]
    return not asks or cells.can_sit(asks, cells.bags(host.host.cells, free))


def is_broken(unit: Unit, rule: GroupRule, host: HostEntry) -> bool:
    old, here = unit.old(rule), domain_of(host, rule.spread)
    if rule.is_affinity:
        return bool(old) and not old[here]
    return old[here] + sum(m.group == rule.group for m in unit.new) > rule.max_per_domain


# -- one unit: the whole trail --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What was said of a kind of machine, and what was free then by fine dimension, host by host."""

    page: Explanation
    misses: tuple[HostMiss, ...]
    left: tuple[str, ...]
    fine: Mapping[str, Mapping[str, int]]


def told(hosts: Sequence[HostEntry], asked: PlacementRequest) -> tuple[Placement | Refusal, list[Told]]:
    """Decide; return every page with all hosts that fell, as the long form has them."""
    pages: list[Told] = []

    def look(page: Explanation, need: Need, fleet: Fleet, groups: Groups) -> None:
        trail, names = survey(need, fleet, groups), fleet.snapshot.host_names
        fine = {names[i]: dict(free) for i, free in fleet.to_snapshot("r").fine_free.items()}
        left = tuple(names[i] for i in trail[-1][1].tolist())
        pages.append(Told(page, all_misses(need, fleet, groups, trail), left, fine))

    return decide_on(asked, Fleet(snapshot(hosts)), on_page=look), pages


@settings(max_examples=600, deadline=None)
@given(SEEDS)
def test_each_host_fell_at_the_first_filter_it_does_not_pass_and_the_others_pass_all(seed: int) -> None:
    hosts, asked = one_unit(random.Random(seed))
    unit = Unit(asked, hosts, asked.members)
    expected = {h.host.name: felled_by(unit, h) for h in hosts}
    answer, pages = told(hosts, asked)
    assert len(pages) == 1
    assert {m.host: m.filter for m in pages[0].misses} == {name: why for name, why in expected.items() if why}
    assert sorted(pages[0].left) == sorted(name for name, why in expected.items() if not why)
    assert isinstance(answer, Placement) == ("" in expected.values())
    for n, (name, count) in enumerate(pages[0].page.left_after):
        assert name == FILTER_NAMES[n]
        assert count == sum(why not in FILTER_NAMES[: n + 1] for why in expected.values())
    by_name = {h.host.name: h for h in hosts}
    for miss in pages[0].misses:
        check_numbers(unit, by_name[miss.host], miss, pages[0].fine.get(miss.host, {}))
    stored = answer.explanations[0].misses
    assert set(map(repr, stored)) <= set(map(repr, pages[0].misses)), "what is stored is part of the long form"


def check_numbers(unit: Unit, host: HostEntry, miss: HostMiss, fine: Mapping[str, int]) -> None:
    """Check what is said of a host that fell for what the request asks, or for how its machines would lie there."""
    params = dict(miss.params)
    if miss.filter == "pinned":
        assert params == {"pinned": ", ".join(names(unit.hosts, unit.pins))}
    elif miss.filter == "network_reach":
        check_reach(unit, params)
    elif miss.filter == "numa":
        check_numa(unit, host, params, fine)
    elif miss.filter == "spread":
        rule = unit.rules[params["group"]]
        assert is_broken(unit, rule, host)
        check_rule(rule, host, params)
        assert params["mates"] == unit.old(rule)[domain_of(host, rule.spread)]


def names(hosts: Sequence[HostEntry], ids: Sequence[HostId]) -> list[str]:
    known = {h.host.id: h.host.name for h in hosts}
    return [known.get(i, str(i)) for i in ids]


def check_reach(unit: Unit, params: dict[str, Any]) -> None:
    if unit.torn:
        assert params == {"group": unit.torn[0]}
        return
    # Where hosts share homes, a host is as good as the one its home is named after.
    homes = sorted({home_of(unit.hosts, h) for h in unit.given})
    assert params["network_host"].split(", ") in (names(unit.hosts, unit.given), names(unit.hosts, homes), *with_pins(unit))


def with_pins(unit: Unit) -> list[list[str]]:
    """Return the hosts of networks and of a machine that must stay, where hosts share homes: together they tear it apart."""
    found = sorted({*unit.given, *unit.pins})
    return [names(unit.hosts, found)] if len({home_of(unit.hosts, h) for h in found}) > 1 else []


def check_numa(unit: Unit, host: HostEntry, params: dict[str, Any], fine: Mapping[str, int]) -> None:
    assert not sits(unit, host, fine)
    asks = [cells.ask_of(m) for m in unit.members if m.layout]
    state = cells.bags(host.host.cells, fine)

    def able(ask: SeatAsk) -> int:
        alone = replace(ask.layout, node_count=1)
        node = replace(ask, layout=alone, vcpu_count=ask.node_vcpu_count, memory_mib=ask.node_memory_mib)
        return len(list(cells.ways(node, state)))

    hardest = min(able(ask) - ask.layout.node_count for ask in asks)
    stated = [ask for ask in asks if params.items() >= described(ask).items() and able(ask) - ask.layout.node_count == hardest]
    assert stated, "the node that is hardest to seat is the one that is named"
    assert params["fitting"] == able(stated[0])
    assert params["cells"] == len(host.host.cells)
    assert params["machines"] == len(asks)
    assert len(asks) > 1 or params["fitting"] < params["nodes"], "one machine alone lacks cells and nothing else"


def described(ask: SeatAsk) -> dict[str, object]:
    return {
        "nodes": ask.layout.node_count,
        "vcpu": ask.vcpu_count // ask.layout.node_count,
        "memory_mib": ask.memory_mib // ask.layout.node_count,
        "is_dedicated": ask.layout.is_dedicated,
        "page_kib": ask.layout.page_kib,
    }


def check_rule(rule: GroupRule, host: HostEntry, params: dict[str, Any]) -> None:
    """Check that a reason speaks of the rule and of the failure domain of the host."""
    assert params["level"] == rule.spread.value
    here = domain_of(host, rule.spread)
    assert params["domain"] == (host.host.name if rule.spread is SpreadLevel.HOST else "/".join(part or "?" for part in here))
    if rule.is_affinity:
        assert params["is_affinity"]
        assert params["mates"] == 0
    else:
        assert params["most"] == rule.max_per_domain


def test_a_machine_that_stays_where_its_network_is_not_is_refused_for_that() -> None:
    hosts = [entry(n) for n in range(2)]
    held = {VCPU: 2, MEMORY_MIB: 4}
    one = member("m", vcpu=2, memory_mib=4, disks=(), networks=("n1",), pinned=HOST_IDS[1], held=held)
    asked = request(one, network_hosts={"n1": HOST_IDS[0]})
    answer, pages = told(hosts, asked)
    assert isinstance(answer, Refusal)
    assert [(m.host, m.filter) for m in pages[0].misses] == [("h00001", "network_reach"), ("h00000", "pinned")]
    assert answer.explanations[0].left_after[-1] == ("spread", 0)


def test_the_cases_have_every_reason_many_times() -> None:
    seen: Counter[str] = Counter()
    for seed in range(1500):
        hosts, asked = one_unit(random.Random(seed))
        seen.update(felled_by(Unit(asked, hosts, asked.members), h) for h in hosts)
    assert seen.keys() == {"", *FILTER_NAMES}
    assert min(seen.values()) >= 15, seen


# -- gangs: what is said of those placed before ---------------------------------------------------------------------------


@settings(max_examples=600, deadline=None)
@given(SEEDS)
def test_what_is_said_of_the_others_of_a_gang_is_true_of_where_they_are(seed: int) -> None:
    hosts, asked = some_gang(random.Random(seed))
    answer = decide(asked, snapshot(hosts))
    by_name = {h.host.name: h for h in hosts}
    went = {m.name: m.host_id for m in answer.members} if isinstance(answer, Placement) else None
    for page in answer.explanations:
        one = next(m for m in asked.members if m.name == page.member)
        for miss in page.misses:
            if miss.filter in ("pinned", "network_reach", "spread"):
                check_of_gang(asked, hosts, one, by_name[miss.host], miss, went)


def check_of_gang(
    asked: PlacementRequest,
    hosts: Sequence[HostEntry],
    one: MemberRequest,
    host: HostEntry,
    miss: HostMiss,
    went: Mapping[str, HostId] | None,
) -> None:
    """Check a reason of a machine of a gang; ``went`` says where each of it is now, nothing where it was refused."""
    params, hanging = dict(miss.params), hangs_with(asked, one)
    is_wide = is_shared(asked, hosts)
    unit = Unit(asked, hosts, [one] if is_wide else hanging)
    if miss.filter == "pinned":
        assert unit.pins
        assert unit.pins != [host.host.id]
        assert params == {"pinned": ", ".join(names(hosts, unit.pins))}
    elif miss.filter == "network_reach" and not is_wide:
        assert unit.torn or {home_of(hosts, h) for h in unit.given} - {host.host.home}
        check_reach(unit, params)
    elif miss.filter == "network_reach":
        check_homes(Unit(asked, hosts, hanging), host, params["network_host"].split(", "), went)
    else:
        check_mates(unit, host, params, went)


def is_shared(asked: PlacementRequest, hosts: Sequence[HostEntry]) -> bool:
    """Tell whether hosts of the zone that is asked for share a home."""
    homes = Counter(h.host.home for h in hosts if h.zone.id == asked.zone_id)
    return max(homes.values(), default=0) > 1


def hangs_with(asked: PlacementRequest, one: MemberRequest) -> list[MemberRequest]:
    """Return the machines that hang together with one by shared networks, itself included."""
    found, networks = {one.name}, set(one.networks)
    while more := [m for m in asked.members if m.name not in found and set(m.networks) & networks]:
        found |= {m.name for m in more}
        networks |= {n for m in more for n in m.networks}
    return [m for m in asked.members if m.name in found]


def check_homes(hanging: Unit, host: HostEntry, named: list[str], went: Mapping[str, HostId] | None) -> None:
    """Check the hosts named as those where a network is: some home that is another than this one's."""
    home_of_name = {h.host.name: h.host.home for h in hanging.hosts}
    homes = {home_of_name.get(name, HostId(name)) for name in named}
    assert homes - {host.host.home}, "the host is of that home, or there is none"
    fixed = {home_of(hanging.hosts, h) for h in (*hanging.given, *hanging.pins)}
    if went is None:
        assert fixed <= homes
    else:
        there = {home_of(hanging.hosts, went[m.name]) for m in hanging.members}
        assert fixed <= homes <= fixed | there


def check_mates(unit: Unit, host: HostEntry, params: dict[str, Any], went: Mapping[str, HostId] | None) -> None:
    """Check a rule that a host would break, with those of the gang placed before."""
    rule = unit.rules[params["group"]]
    check_rule(rule, host, params)
    old, here = unit.old(rule)[domain_of(host, rule.spread)], domain_of(host, rule.spread)
    by_id = {h.host.id: h for h in unit.hosts}
    mine = {m.name for m in unit.members}
    mates = [m for m in unit.asked.members if m.group == rule.group and not is_existing(m)]
    others = [m for m in mates if m.name not in mine]
    there = len(others) if went is None else sum(domain_of(by_id[went[m.name]], rule.spread) == here for m in others)
    assert old <= params["mates"] <= old + there
    if rule.is_affinity:
        is_somewhere = bool(unit.old(rule)) or bool(others)
        assert is_somewhere, "the first one may go anywhere"
    else:
        assert params["mates"] + len(mates) - len(others) > rule.max_per_domain
