"""The scheduler against a naive oracle that tries every assignment, on cases small enough for that."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.decide import decide, fits
from controller.scheduling.explain import explanation_from_json, explanation_to_json
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import kinds_on, search
from controller.scheduling.groups import Groups
from controller.scheduling.policy import DEFAULT_POLICY, Policy
from controller.scheduling.snapshot import HostEntry, StorageEntry
from controller.scheduling.storage_fit import pack
from controller.scheduling.units import units_of
from controller.texts.placement import TEXTS
from inventory.domain.host import AdminState, Reachability, Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.placement import Explanation, GroupRule, Level, MemberRequest, Placement, PlacementRequest, Refusal
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from tests.support.address_rooms import breaks_addresses, some_room
from tests.support.placement import entry, is_same_snapshot, member, request, snapshot, with_homes, zone
from tests.support.suggested import as_suggested

ZONES = {code: zone(code, mlps_max=mlps) for code, mlps in (("a", 3), ("b", 2))}
POLICIES = [
    DEFAULT_POLICY,
    Policy(name="pack", version=1, weights={"pack": 10, "soft_spread": 3}),
    Policy(name="spread", version=1, weights={"spread_load": 10, "storage": 2}),
]


def some_hosts(source: random.Random, pools_max: int) -> list[HostEntry]:
    """Return up to 4 hosts. Plain random numbers from one drawn seed: ten times the cases in the same time."""

    def one(number: int) -> HostEntry:
        gpu = source.choice([0, 0, 1, 2])
        return entry(
            number,
            vcpu=source.randint(4, 13),
            memory_mib=source.randint(4, 13),
            used={VCPU: source.randint(0, 3), MEMORY_MIB: source.randint(0, 3)},
            foreign={VCPU: source.randint(0, 1)},
            held={MEMORY_MIB: source.choice([0, 0, 0, 1])},
            storage_held_gib=source.choice([0, 0, 0, 1]),
            is_standby=source.random() < 0.04,
            accelerators={"accelerator:gpu": gpu} if gpu else {},
            storage=[
                (disk_class, source.randint(6, 20), source.randint(0, 4))
                for disk_class in ("fast", "standard")
                for _ in range(source.randint(0 if source.random() < 0.2 else 1, pools_max))
            ],
            in_zone=ZONES[source.choice("aaaaab")],
            rack=source.choice(["r1", "r2", "r3", ""]),
            room=source.choice(["", "", "east"]),
            site=source.choice(["", "", "", "north"]),
            traits=source.choice([(), ("tpm",), ("tpm",)]),
            arch=source.choice(["x86_64"] * 4 + ["aarch64"]),
            admin_state=source.choice([AdminState.ACTIVE] * 8 + [AdminState.CORDONED]),
            reachability=source.choice([Reachability.REACHABLE] * 8 + [Reachability.UNKNOWN]),
        )

    found = [one(n) for n in range(source.choice([0, 1, 2, 3, 3, 4, 4, 4]))]
    levels = {code: source.choice(list(ReserveLevel)) for code in ZONES}
    if source.random() < 0.5:
        found = with_homes(source, found)
    return [replace(h, pool=replace(h.pool, reserve=Reserve(level=levels[h.zone.code]))) for h in found]


def home_of(hosts: Sequence[HostEntry], host_id: HostId) -> HostId:
    return next((h.host.home for h in hosts if h.host.id == host_id), host_id)


def some_member(source: random.Random, n: int, kind: int, shape: dict[str, Any]) -> MemberRequest:
    pinned = "host_00001" if source.random() < 0.06 else None
    held = {VCPU: 2, MEMORY_MIB: 1} if pinned and source.random() < 0.6 else {}
    networks = (source.choice(["n1", "n2", "n3"]),) if source.random() < 0.3 else ()
    return member(f"m{n}", group=f"g{kind}", networks=networks, pinned=pinned, held=held, **shape)


def some_request(source: random.Random) -> PlacementRequest:
    shapes: list[dict[str, Any]] = [
        {
            "vcpu": source.randint(0, 5),
            "memory_mib": source.randint(0, 5),
            "disks": tuple(
                (source.choice(["fast", "standard"]), source.randint(1, 6)) for _ in range(source.choice([0, 0, 1, 1, 2]))
            ),
            "arch": source.choice(["any", "any", "any", "x86_64"]),
            "accelerators": {"accelerator:gpu": 1} if source.random() < 0.15 else {},
            "traits": ("tpm",) if source.random() < 0.1 else (),
        }
        for _ in range(source.randint(1, 3))
    ]
    kinds = [source.randrange(len(shapes)) for _ in range(source.randint(1, 5))]
    rules = tuple(
        GroupRule(
            group=f"g{kind}",
            spread=source.choice(list(SpreadLevel)),
            is_hard=source.random() < 0.6,
            max_per_domain=source.choice([1, 1, 1, 2, 3]),
            is_affinity=source.random() < 0.25,
            existing_host_ids=(HostId("host_00000"),) if source.random() < 0.25 else (),
        )
        for kind in range(len(shapes))
        if source.random() < 0.4
    )
    return request(
        *(some_member(source, n, kind, shapes[kind]) for n, kind in enumerate(kinds)),
        rules=rules,
        zone_code=source.choice("aaaaab"),
        mlps_level=source.choice([1, 2, 2, 3]),
        network_hosts={"n1": HostId("host_00002")} if source.random() < 0.15 else {},
        addresses=some_room(source, ["n1", "n2", "n3"], 4) if source.random() < 0.4 else None,
    )


def host_lists(pools_max: int = 1) -> st.SearchStrategy[list[HostEntry]]:
    return st.integers(0, 2**32).map(lambda seed: some_hosts(random.Random(seed), pools_max))


def requests() -> st.SearchStrategy[PlacementRequest]:
    return st.integers(0, 2**32).map(lambda seed: some_request(random.Random(seed)))


def free_of(host: HostEntry, dimension: str) -> int:
    taken = (host.used, host.foreign, host.held)
    return host.capacity.get(dimension, 0) - sum(amounts.get(dimension, 0) for amounts in taken)


def growth(one: MemberRequest, dimension: str) -> int:
    return max(0, one.compute[dimension] - (one.held[dimension] if one.pinned_host_id else 0))


def is_existing(one: MemberRequest) -> bool:
    return one.pinned_host_id is not None and len(one.held) > 0


def breaks(asked: PlacementRequest, hosts: Sequence[HostEntry], where: Sequence[int]) -> str:
    """Return the first rule that an assignment of members to hosts breaks, storage aside; empty if none."""
    for (m, one), (n, two) in combinations(enumerate(asked.members), 2):
        if set(one.networks) & set(two.networks) and hosts[where[m]].host.home != hosts[where[n]].host.home:
            return "network"
    for m, one in enumerate(asked.members):
        given = [home_of(hosts, asked.network_hosts[n]) for n in one.networks if n in asked.network_hosts]
        if any(home != hosts[where[m]].host.home for home in given):
            return "network"
        found = breaks_alone(asked, hosts[where[m]], one)
        if found:
            return found
    for h, host in enumerate(hosts):
        here = [o for m, o in enumerate(asked.members) if where[m] == h]
        for dimension in {d for o in here for d in o.compute}:
            together = sum(growth(o, dimension) for o in here)
            if together > 0 and together > free_of(host, dimension):
                return "capacity"
    new = [(o, hosts[where[m]].host.home) for m, o in enumerate(asked.members) if not is_existing(o)]
    if breaks_addresses(asked.addresses, new):
        return "addresses"
    return "spread" if breaks_spread(asked, hosts, where) else ""


def breaks_alone(asked: PlacementRequest, host: HostEntry, one: MemberRequest) -> str:
    if one.pinned_host_id not in (None, host.host.id):
        return "pinned"
    if is_existing(one) and not any(growth(one, d) for d in one.compute) and not one.disks:
        return ""
    if host.host.admin_state is not AdminState.ACTIVE or host.host.reachability is not Reachability.REACHABLE:
        return "state"
    if host.zone.id != asked.zone_id or min(host.zone.mlps_max, host.pool.mlps_max) < asked.mlps_level:
        return "zone"
    return breaks_by_kind(host, one)


def breaks_by_kind(host: HostEntry, one: MemberRequest) -> str:
    if not set(one.traits) <= host.traits:
        return "traits"
    assert host.host.facts is not None
    return "" if one.arch in ("any", host.host.facts.arch) or is_existing(one) else "arch"


def domain_of(host: HostEntry, level: Level) -> tuple[str, ...]:
    place = (host.host.site, host.host.room, host.host.rack)
    domains: dict[Level, tuple[str, ...]] = {
        SpreadLevel.HOST: (host.host.id,),
        SpreadLevel.RACK: place,
        SpreadLevel.ROOM: place[:2],
        SpreadLevel.SITE: place[:1],
    }
    return domains[level]


def breaks_spread(asked: PlacementRequest, hosts: Sequence[HostEntry], where: Sequence[int]) -> bool:
    by_id = {h.host.id: h for h in hosts}
    for rule in asked.rules:
        if not rule.is_hard or rule.spread is SpreadLevel.NONE:
            continue
        group = [(o, hosts[where[m]]) for m, o in enumerate(asked.members) if o.group == rule.group]
        staying = {h.host.id for o, h in group if is_existing(o)} - set(rule.existing_host_ids)
        known = [by_id[h] for h in (*rule.existing_host_ids, *staying) if h in by_id]
        old = Counter(domain_of(host, rule.spread) for host in known)
        new = Counter(domain_of(host, rule.spread) for o, host in group if not is_existing(o))
        if any(breaks_after_a_failure(hosts, h, rule) for o, h in group if not is_existing(o)):
            return True
        if rule.is_affinity:
            if (len(new) > 1 and not old) or (old and not new.keys() <= old.keys()):
                return True
        elif any(old[domain] + count > rule.max_per_domain for domain, count in new.items()):
            return True
    return False


def breaks_after_a_failure(hosts: Sequence[HostEntry], host: HostEntry, rule: GroupRule) -> bool:
    """Tell whether the rule could break when a lost host's machines were moved to a stand-by host of its pool."""
    if rule.spread is SpreadLevel.HOST:
        return False
    here = domain_of(host, rule.spread)

    def standing(pool: HostEntry) -> set[Any]:
        return {domain_of(h, rule.spread) for h in hosts if h.is_standby and h.pool.id == pool.pool.id}

    if rule.is_affinity:
        survived = {ReserveLevel.NONE: 9, ReserveLevel.HOST: 0, ReserveLevel.RACK: 1, ReserveLevel.ROOM: 2}[
            host.pool.reserve.level
        ]
        heights: dict[Level, int] = {SpreadLevel.RACK: 1, SpreadLevel.ROOM: 2, SpreadLevel.SITE: 3}
        asked = heights[rule.spread]
        return survived < asked and bool(standing(host)) and standing(host) != {here}
    return any(
        here in standing(other) and len({domain_of(h, rule.spread) for h in hosts if h.pool.id == other.pool.id}) > 1
        for other in hosts
    )


def storage_fits(asked: PlacementRequest, hosts: Sequence[HostEntry], where: Sequence[int]) -> bool:
    for h, host in enumerate(hosts):
        sizes = [disk for m, o in enumerate(asked.members) if where[m] == h for disk in o.disks]
        if sizes and not any(
            not overfull(host, sizes, choice) for choice in product(range(len(host.storage)), repeat=len(sizes))
        ):
            return False
    return True


def overfull(host: HostEntry, sizes: Sequence[tuple[str, int]], choice: Sequence[int]) -> bool:
    taken: Counter[int] = Counter()
    for (disk_class, size), j in zip(sizes, choice, strict=True):
        if host.storage[j].pool.disk_class != disk_class:
            return True
        taken[j] += size
    return any(amount > storage_free(host.storage[j]) for j, amount in taken.items())


def storage_free(storage: StorageEntry) -> int:
    return storage.capacity_gib - storage.used_gib - storage.held_gib


def oracle(asked: PlacementRequest, hosts: Sequence[HostEntry]) -> bool:
    places = product(range(len(hosts)), repeat=len(asked.members))
    return any(not breaks(asked, hosts, where) and storage_fits(asked, hosts, where) for where in places)


def check_valid(asked: PlacementRequest, hosts: Sequence[HostEntry], answer: Placement) -> None:
    index = {h.host.id: n for n, h in enumerate(hosts)}
    assert [m.name for m in answer.members] == [m.name for m in asked.members]
    where = [index[m.host_id] for m in answer.members]
    assert breaks(asked, hosts, where) == ""
    taken: Counter[str] = Counter()
    for one, placed in zip(asked.members, answer.members, strict=True):
        pools = {str(s.pool.id): s for s in hosts[index[placed.host_id]].storage}
        assert placed.pool_id == hosts[index[placed.host_id]].pool.id
        for (disk_class, size), pool_id in zip(one.disks, placed.storage_pool_ids, strict=True):
            assert pools[pool_id].pool.disk_class == disk_class
            taken[pool_id] += size
    storage = {str(s.pool.id): s for h in hosts for s in h.storage}
    assert all(amount <= storage_free(storage[p]) for p, amount in taken.items())


def test_the_cases_are_neither_all_easy_nor_all_hopeless() -> None:
    cases = [(some_hosts(random.Random(n), 1), some_request(random.Random(10**6 + n))) for n in range(1, 400)]
    placed = sum(isinstance(decide(asked, snapshot(hosts)), Placement) for hosts, asked in cases)
    assert 80 <= placed <= 320


@settings(max_examples=500, deadline=None)
@given(host_lists(), requests(), st.sampled_from(POLICIES))
def test_the_search_finds_a_placement_exactly_when_there_is_one(
    hosts: list[HostEntry], asked: PlacementRequest, policy: Policy
) -> None:
    shot = snapshot(hosts)
    fleet, groups = Fleet(shot), Groups(asked, shot)
    found = search(kinds_on(asked, shot), fleet, groups, policy)
    assert (found is not None) == oracle(asked, hosts)
    if found is not None:
        where = {m: choice.host for choice in found for m in choice.unit.members}
        assert breaks(asked, hosts, [where[m] for m in range(len(asked.members))]) == ""
    assert is_same_snapshot(fleet.to_snapshot(shot.revision), shot)
    assert groups.counts.keys() == Groups(asked, shot).counts.keys()
    assert all((groups.counts[g] == column).all() for g, column in Groups(asked, shot).counts.items())
    assert groups.addresses.taken_blocks == 0


@settings(max_examples=1000, deadline=None)
@given(host_lists(), requests(), st.sampled_from(POLICIES))
def test_a_gang_is_placed_exactly_when_some_assignment_holds(
    hosts: list[HostEntry], asked: PlacementRequest, policy: Policy
) -> None:
    answer = decide(asked, snapshot(hosts), policy)
    assert isinstance(answer, Placement) == oracle(asked, hosts)
    if isinstance(answer, Placement):
        check_valid(asked, hosts, answer)


@settings(max_examples=300, deadline=None)
@given(host_lists(pools_max=3), requests(), st.sampled_from(POLICIES))
def test_a_placement_on_hosts_with_several_storage_pools_breaks_no_rule(
    hosts: list[HostEntry], asked: PlacementRequest, policy: Policy
) -> None:
    answer = decide(asked, snapshot(hosts), policy)
    if isinstance(answer, Placement):
        check_valid(asked, hosts, answer)
    elif len(units_of(asked)) == 1 and len(asked.members) == 1:
        assert not oracle(asked, hosts)


@settings(max_examples=300, deadline=None)
@given(host_lists(pools_max=2), requests(), st.integers(0, 99))
def test_the_order_in_which_hosts_are_added_changes_nothing(hosts: list[HostEntry], asked: PlacementRequest, seed: int) -> None:
    mixed = list(hosts)
    random.Random(seed).shuffle(mixed)
    assert decide(asked, snapshot(mixed)) == decide(asked, snapshot(hosts))


@settings(max_examples=400, deadline=None)
@given(host_lists(pools_max=2), requests(), st.sampled_from(POLICIES))
def test_every_suggestion_of_a_refusal_is_true(hosts: list[HostEntry], asked: PlacementRequest, policy: Policy) -> None:
    shot = snapshot(hosts)
    answer = decide(asked, shot, policy)
    if isinstance(answer, Refusal):
        for suggestion in answer.explanations[0].suggestions:
            other = as_suggested(asked, *suggestion)
            assert other != asked
            found = decide(other, shot, policy)
            assert isinstance(found, Placement), suggestion
            check_valid(other, hosts, found)


def test_the_cases_have_suggestions_of_every_kind_that_a_decision_makes() -> None:
    seen = set[str]()
    for n in (6, 8, 9, 12, 118, 142, 423, 565, 881):
        hosts, asked = some_hosts(random.Random(n), 2), some_request(random.Random(10**6 + n))
        seen |= {code.rpartition(".")[2] for code, _ in decide(asked, snapshot(hosts)).explanations[0].suggestions}
    # Those of reservations are made where these are known; the one of networks has a test of its own.
    others = {"later", "draw", "separate_networks"}
    assert seen == {code.rpartition(".")[2] for code in TEXTS if code.startswith("placement.suggest.")} - others


def test_machines_that_are_told_to_share_no_network_fit_with_one_each() -> None:
    hosts = [entry(n, vcpu=4, memory_mib=4) for n in range(2)]
    pair = (member(f"m{n}", group="g0", networks=("n1",), vcpu=1, memory_mib=1) for n in range(2))
    asked = request(*pair, rules=(GroupRule(group="g0", spread=SpreadLevel.HOST, is_hard=True),))
    told = {code.rpartition(".")[2]: params for code, params in decide(asked, snapshot(hosts)).explanations[0].suggestions}
    other = as_suggested(asked, "separate_networks", told["separate_networks"])
    found = decide(other, snapshot(hosts))
    assert isinstance(found, Placement)
    check_valid(other, hosts, found)


def check_miss(
    asked: PlacementRequest, hosts: Sequence[HostEntry], host: HostEntry, miss_filter: str, params: dict[str, Any]
) -> None:
    facts = host.host.facts
    assert facts is not None
    if miss_filter == "state":
        assert host.host.admin_state is not AdminState.ACTIVE or host.host.reachability is not Reachability.REACHABLE
        assert params == {"admin_state": host.host.admin_state.value, "reachability": host.host.reachability.value}
    elif miss_filter == "zone":
        assert host.zone.id != asked.zone_id
        assert params["zone"] == host.zone.code
    elif miss_filter == "mlps":
        assert min(host.zone.mlps_max, host.pool.mlps_max) == params["highest"] < asked.mlps_level
    elif miss_filter == "arch":
        assert params["arch"] == facts.arch != params["asked"]
    elif miss_filter == "capacity":
        assert params["free"] + params["taken"] == free_of(host, params["dimension"])
        assert params["asked"] > params["free"]
        assert params["capacity"] == host.capacity.get(params["dimension"], 0)
        assert params["held"] == host.held.get(params["dimension"], 0)
    elif miss_filter == "storage":
        rooms = [max(0, storage_free(s)) for s in host.storage if s.pool.disk_class == params["disk_class"]]
        assert params["free_together"] + params["taken"] == sum(rooms)
        assert pack([params["asked"]], [params["free"]]) is None or params["asked_together"] > params["asked"]
    elif miss_filter in ("addresses", "spread"):
        check_miss_of_request(asked, host, params)
    elif miss_filter == "traits":
        assert params["missing"] == "tpm"
        assert "tpm" not in host.traits
    elif miss_filter == "reserve":
        rules = [r for r in asked.rules if r.is_hard and r.spread.value == params["level"]]
        assert any(breaks_after_a_failure(hosts, host, rule) for rule in rules)
    else:
        assert miss_filter in ("pinned", "network_reach")


def check_miss_of_request(asked: PlacementRequest, host: HostEntry, params: dict[str, Any]) -> None:
    if "group" in params:
        rule = next(r for r in asked.rules if r.group == params["group"])
        assert rule.is_hard
        assert (params["mates"] == 0) if rule.is_affinity else (params["mates"] >= 1)
        return
    assert asked.addresses is not None
    assert params["zone"] == host.zone.code
    assert params["asked"] > params["free"] >= 0
    segments = asked.addresses.segments
    if params["is_block"]:
        assert params["free"] <= (asked.addresses.block_count or 0)
        assert all(host.host.home not in segments.get(network, {}) for network in params["network"].split(", "))
    else:
        assert params["free"] == segments.get(params["network"], {}).get(host.host.home, asked.addresses.segment_size)


@settings(max_examples=400, deadline=None)
@given(host_lists(pools_max=2), requests(), st.sampled_from(POLICIES))
def test_every_number_of_an_explanation_is_true(hosts: list[HostEntry], asked: PlacementRequest, policy: Policy) -> None:
    answer = decide(asked, snapshot(hosts), policy)
    by_name = {h.host.name: h for h in hosts}
    for page in answer.explanations:
        counts = [count for _, count in page.left_after]
        assert page.hosts_total == len(hosts) >= max(counts)
        assert counts == sorted(counts, reverse=True)
        assert page.is_placed == isinstance(answer, Placement)
        assert page.is_placed == (counts[-1] > 0)
        for miss in page.misses:
            check_miss(asked, hosts, by_name[miss.host], miss.filter, dict(miss.params))
        check_ranking(page)
        check_places(page, answer, hosts)
        assert explanation_from_json(explanation_to_json(page)) == page


def check_places(page: Explanation, answer: Placement | Refusal, hosts: list[HostEntry]) -> None:
    """Check that an explanation says of each machine it speaks of where it went."""
    if not isinstance(answer, Placement):
        assert page.elsewhere == ()
        return
    assert page.winner is not None
    names = {h.host.id: h.host.name for h in hosts}
    went = {m.name: names[m.host_id] for m in answer.members if m.name in page.members}
    assert dict.fromkeys(page.members, page.winner.host) | {m: host for host, those in page.elsewhere for m in those} == went


def check_ranking(page: Explanation) -> None:
    ranked = [*([page.winner] if page.winner else []), *page.runners_up]
    assert bool(ranked) == page.is_placed
    for found in ranked:
        assert sum(found.parts.values()) == found.score
    assert len({found.host for found in ranked}) == len(ranked) <= page.left_after[-1][1]


@settings(max_examples=300, deadline=None)
@given(host_lists(), requests(), st.sampled_from(POLICIES))
def test_whatever_fits_without_repair_is_placed(hosts: list[HostEntry], asked: PlacementRequest, policy: Policy) -> None:
    shot = snapshot(hosts)
    if fits(asked, shot, policy):
        assert isinstance(decide(asked, shot, policy), Placement)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=5), st.lists(st.integers(-2, 15), max_size=3))
def test_disks_are_packed_exactly_when_some_assignment_fits(sizes: list[int], free: list[int]) -> None:
    def holds(choice: Sequence[int]) -> bool:
        taken: Counter[int] = Counter()
        for size, pool in zip(sizes, choice, strict=True):
            taken[pool] += size
        return all(amount <= free[p] for p, amount in taken.items() if amount)

    found = pack(sizes, free)
    assert (found is not None) == (bool(free) and any(holds(c) for c in product(range(len(free)), repeat=len(sizes))))
    assert found is None or holds(found)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=6), st.integers(1, 60)
)
def test_a_gang_of_equal_machines_fits_exactly_up_to_the_count_of_all_hosts(
    rooms: list[tuple[int, int, int]], count: int
) -> None:
    hosts = [entry(n, vcpu=v, memory_mib=m, storage=[("standard", d, 0)]) for n, (v, m, d) in enumerate(rooms)]
    most = sum(min(v // 2, m // 3, d // 4) for v, m, d in rooms)
    asked = request(*(member(f"m{n}", vcpu=2, memory_mib=3, disks=(("standard", 4),)) for n in range(count)))
    answer = decide(asked, snapshot(hosts))
    assert isinstance(answer, Placement) == (count <= most)
    if isinstance(answer, Refusal) and most:
        assert ("placement.suggest.fewer", {"group": "web", "asked": count, "fits": most}) in answer.explanations[0].suggestions


@settings(max_examples=200, deadline=None)
@given(host_lists(pools_max=2), requests(), st.data())
def test_an_updated_snapshot_decides_like_a_new_one(hosts: list[HostEntry], asked: PlacementRequest, data: st.DataObject) -> None:
    if not hosts:
        return
    decide(asked, before := snapshot(hosts))
    n = data.draw(st.integers(0, len(hosts) - 1))
    used = {VCPU: data.draw(st.integers(0, 6)), MEMORY_MIB: data.draw(st.integers(0, 6))}
    storage = [replace(s, used_gib=data.draw(st.integers(0, 9))) for s in hosts[n].storage]
    changed = [replace(h, used=used, storage=storage) if k == n else h for k, h in enumerate(hosts)]
    after = before.with_used(
        hosts[n].host.id,
        used=used,
        foreign=hosts[n].foreign,
        storage_used_gib={s.pool.id: s.used_gib for s in storage},
        revision="r2",
    )
    assert is_same_snapshot(after, snapshot(changed, revision="r2"))
    assert decide(asked, after) == decide(asked, snapshot(changed, revision="r2"))
