"""Both engines and both tiers choose what a loop over all hosts in plain Python chooses, whatever was taken before."""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling import index as index_module
from controller.scheduling.blocks import BLOCK
from controller.scheduling.columns import NONE
from controller.scheduling.engine import PLAIN, Engine
from controller.scheduling.filters import survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import kinds_of, try_once
from controller.scheduling.groups import Groups
from controller.scheduling.loading import load_compiled
from controller.scheduling.policy import WEIGHT_NAMES, LargeSize, Policy
from controller.scheduling.reach import reach_of
from controller.scheduling.scoring import fill, slots
from controller.scheduling.snapshot import HostEntry
from controller.scheduling.stream import Orders, StreamRule, StreamRun, give_back, place_stream
from controller.scheduling.tables import GROUP
from controller.scheduling.units import Need, units_of
from controller.scheduling.weighers import ranked
from inventory.domain.host import AdminState
from inventory.domain.ids import HostId, PoolId
from inventory.domain.placement import GroupRule, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import SpreadLevel
from tests.support.address_rooms import breaks_addresses, some_room
from tests.support.placement import GIB, entry, is_same_snapshot, member, request, snapshot, with_homes, zone

LEVELS = (SpreadLevel.HOST, SpreadLevel.RACK, SpreadLevel.ROOM, SpreadLevel.SITE)
ZONES = [zone("a", mlps_max=3), zone("b", mlps_max=2)]


@pytest.fixture(scope="module")
def compiled() -> Engine:
    return load_compiled()


def some_hosts(source: random.Random, count: int, placements: Sequence[str] = ("",)) -> list[HostEntry]:
    """Return hosts; each is of a pool with one of the policies named."""

    def one(n: int) -> HostEntry:
        made, placement = facts(n), source.choice(placements)
        return replace(made, pool=replace(made.pool, id=PoolId(f"{made.pool.id}_{placement}"), placement=placement))

    def facts(n: int) -> HostEntry:
        vcpu, memory_mib = source.choice([(16, 32 * GIB), (16, 32 * GIB), (24, 64 * GIB)])
        pools = [("standard", source.choice([20, 30]), source.randint(0, 15)) for _ in range(source.choice([1, 1, 2]))]
        return entry(
            n,
            vcpu=vcpu,
            memory_mib=memory_mib,
            used={VCPU: source.randint(0, 12), MEMORY_MIB: source.randint(0, 24) * GIB},
            accelerators={"accelerator:gpu": 2} if source.random() < 0.1 else {},
            storage=[*pools, *([("fast", 40, source.randint(0, 40))] if source.random() < 0.6 else [])],
            in_zone=source.choices(ZONES, [4, 1])[0],
            rack=f"r{n // 7}",
            room=f"m{n // 60}",
            site=f"s{n // 200}",
            arch=source.choices(["x86_64", "aarch64"], [5, 1])[0],
            traits=("tpm",) if source.random() < 0.5 else (),
            admin_state=source.choices([AdminState.ACTIVE, AdminState.CORDONED], [12, 1])[0],
        )

    return [one(n) for n in range(count)]


def some_request(source: random.Random, count: int) -> PlacementRequest:
    disks = source.choice([(), (("standard", 3),), (("standard", 9), ("standard", 8)), (("standard", 4), ("fast", 9))])
    asked = member(
        "m",
        group="g",
        vcpu=source.randint(0, 4),
        memory_mib=source.randint(0, 6) * GIB,
        disks=disks,
        arch=source.choice(["any", "any", "x86_64"]),
        traits=source.choice([(), (), ("tpm",)]),
        accelerators={"accelerator:gpu": 1} if source.random() < 0.1 else {},
    )
    return request(asked, rules=tuple(some_rule(source, count)), zone_code=source.choice("aaab"), mlps_level=source.randint(1, 3))


def with_networks(source: random.Random, asked: PlacementRequest, count: int) -> PlacementRequest:
    """Return the request with cards for which addresses are short on some hosts, now and then."""
    if source.random() < 0.5:
        return asked
    networks = source.choice([("n1",), ("n1", "n2")])
    members = tuple(replace(one, networks=networks) for one in asked.members)
    return replace(asked, members=members, addresses=some_room(source, networks, count))


def on_a_network(source: random.Random, asked: PlacementRequest, count: int) -> PlacementRequest:
    """Return the request with a network that is somewhere already, now and then."""
    if source.random() < 0.4:
        return asked
    networks = asked.members[0].networks or ("n1",)
    members = tuple(replace(one, networks=networks) for one in asked.members)
    return replace(asked, members=members, network_hosts={networks[0]: HostId(f"host_{source.randrange(count):05d}")})


def some_rule(source: random.Random, count: int) -> Iterator[GroupRule]:
    if source.random() < 0.6:
        yield GroupRule(
            group="g",
            spread=source.choice(LEVELS),
            is_hard=source.random() < 0.6,
            max_per_domain=source.choice([1, 1, 2, 3]),
            is_affinity=source.random() < 0.3,
            existing_host_ids=tuple(HostId(f"host_{source.randrange(count):05d}") for _ in range(source.choice([0, 1, 3, 12]))),
        )


def some_policy(source: random.Random) -> Policy:
    weights = {name: source.choice([0, 1, 3, 20, 1000]) for name in WEIGHT_NAMES if source.random() < 0.6}
    large = LargeSize(vcpu_count=source.randint(1, 7), memory_mib=source.choice([300, 3 * GIB, 7 * GIB, 99 * GIB]))
    return Policy(name="drawn", version=1, weights=weights, large=source.choice([large, large, None]))


def oracle(need: Need, fleet: Fleet, groups: Groups, policy: Policy) -> int | None:
    """Return the best host by a loop over all of them: the best of each policy, and of those the best by the platform's own."""
    best: dict[str, tuple[int, int]] = {}
    for host in range(fleet.snapshot.host_count):
        if fits(need, fleet, host) and has_addresses(need, groups, host) and not groups.breaks(need, host):
            name = fleet.snapshot.policy_name(host)
            rank = (-score(need, fleet, groups, policy.others.get(name, policy), host), host)
            best[name] = min(best.get(name, rank), rank)
    heads = [host for _, host in best.values()]
    return min(heads, key=lambda host: (-score(need, fleet, groups, policy, host), host), default=None)


def fits(need: Need, fleet: Fleet, host: int) -> bool:
    shot = fleet.snapshot
    facts = (
        shot.admin_states[host] is AdminState.ACTIVE
        and shot.zone_ids[shot.zone_index[host]] == need.zone_id
        and shot.mlps_max[host] >= need.mlps_level
        and (not need.archs or need.archs == (shot.archs[shot.arch_index[host]],))
        and all(shot.has_trait(host, trait) for trait in need.traits)
    )
    return facts and fleet.has_room(need, host)


def has_addresses(need: Need, groups: Groups, host: int) -> bool:
    one = replace(member("m"), networks=tuple(network for network, count in need.cards for _ in range(count)))
    return not breaks_addresses(groups.addresses.room, [(one, groups.snapshot.home_of(host))])


def score(need: Need, fleet: Fleet, groups: Groups, policy: Policy, host: int) -> int:
    shot, ask, weight = fleet.snapshot, dict(need.ask), policy.weights
    capacity = {d: int(shot.capacity[d][host]) for d in (VCPU, MEMORY_MIB)}
    p, m = (fill(capacity[d] - fleet.free_at(d, host) + ask.get(d, 0), capacity[d]) for d in (VCPU, MEMORY_MIB))
    total = weight.get("pack", 0) * ((p + m) // 2) + weight.get("spread_load", 0) * (1000 - (p + m) // 2)
    total -= weight.get("balance", 0) * abs(p - m)
    total -= remainder(ask, {d: fleet.free_at(d, host) for d in capacity}, capacity, policy)
    classes = {c for c, _ in need.disks}
    for disk_class in classes:
        room, asked = int(shot.class_capacity_gib[disk_class][host]), sum(g for c, g in need.disks if c == disk_class)
        left = 1000 - fill(room - fleet.class_room(disk_class, host)[0] + asked, room)
        total += weight.get("storage", 0) // len(classes) * left
    if "accelerator:gpu" not in ask and shot.has_accelerator[host]:
        total -= 1000 * weight.get("keep_accelerators", 0)
    for group, _ in need.soft:
        rule, mates = groups.rules[group], groups.mates(group, host)
        misfits = int(mates == 0 < groups.totals[group]) if rule.is_affinity else max(0, mates - rule.max_per_domain + 1)
        total -= 1000 * weight.get("soft_spread", 0) * misfits
    return total


def remainder(ask: Mapping[str, int], free: Mapping[str, int], capacity: Mapping[str, int], policy: Policy) -> int:
    """Return what placing costs of the room that is left on a host."""
    weight, left = policy.weights, {d: free[d] - ask.get(d, 0) for d in free}
    p0, m0 = (fill(capacity[d] - free[d], capacity[d]) for d in (VCPU, MEMORY_MIB))
    p, m = (fill(capacity[d] - left[d], capacity[d]) for d in (VCPU, MEMORY_MIB))
    cost = weight.get("keep_usable", 0) * ((1000 - max(p0, m0)) ** 2 - (1000 - max(p, m)) ** 2) // 1024
    cost += weight.get("even_out", 0) * (abs(p - m) - abs(p0 - m0))
    cost += 1000 * weight.get("keep_empty", 0) * (free == capacity)
    if policy.large is not None:
        large = policy.large
        before, after = (
            min(slots(room[VCPU], large.vcpu_count), slots(room[MEMORY_MIB] // 256, large.memory_mib // 256))
            for room in (free, left)
        )
        share = (fill(large.vcpu_count, capacity[VCPU]) + fill(large.memory_mib, capacity[MEMORY_MIB])) // 2
        cost += weight.get("keep_large", 0) * (before - after) * share
    return cost


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([0, 1, 5, 40, 300, 300, 1300]),
    placements=st.sampled_from([("",), ("", "one"), ("one", "two", "gone"), ("", "one", "two")]),
    bounded_above=st.sampled_from([-1, index_module.BOUNDED_ABOVE]),
)
def test_both_engines_and_both_tiers_choose_what_a_plain_loop_chooses(
    seed: int, count: int, placements: tuple[str, ...], bounded_above: int, compiled: Engine
) -> None:
    source = random.Random(seed)
    entries = some_hosts(source, count, placements)
    if source.random() < 0.4:
        entries = with_homes(source, entries)
    shot = snapshot(entries)
    policy = replace(some_policy(source), others={name: some_policy(source) for name in ("one", "two")})
    assert [shot.policy_name(host) for host in range(count)] == [e.pool.placement for e in entries]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "BOUNDED_ABOVE", bounded_above)
        fleets = [Fleet(shot), Fleet(shot, compiled)]
    requests = [with_networks(source, some_request(source, max(1, count)), count) for _ in range(4)]
    requests = [on_a_network(source, asked, count) if asked.zone_id in shot.wide_zones else asked for asked in requests]
    for _ in range(14 if count < 1000 else 6):
        asked = source.choice(requests)
        need, groups = units_of(asked, reach_of(asked, shot))[0].need, Groups(asked, shot)
        expected = oracle(need, fleets[0], groups, policy)
        assert [fleet.best(need, policy, groups) for fleet in fleets] == [expected] * 2
        left = survey(need, fleets[0], groups)[-1][1]
        passed = [h for h in range(count) if fits(need, fleets[0], h) and has_addresses(need, groups, h)]
        assert left.tolist() == [h for h in passed if not groups.breaks(need, h)]
        if len(left):
            assert ranked(need, fleets[0], groups, policy, left)[0] == expected
        if expected is not None:
            assert len({fleet.take(need, expected) for fleet in fleets}) == 1
        if source.random() < 0.3:
            host = source.randrange(count) if count else 0
            change_one(fleets, host, source.randint(0, 12)) if count else None
    # Where numpy kept no bounds, they are there once an engine needs them.
    fleets[0].use(compiled)
    assert all(bounds_hold(fleet) for fleet in fleets)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([1, 5, 40, 300]),
    placements=st.sampled_from([("",), ("one",), ("", "one")]),
)
def test_equal_machines_taken_in_one_step_go_where_they_go_one_by_one(
    seed: int, count: int, placements: tuple[str, ...], compiled: Engine
) -> None:
    source = random.Random(seed)
    shot = snapshot(some_hosts(source, count, placements))
    policy = replace(some_policy(source), others={"one": some_policy(source)})
    fleets = [Fleet(shot), Fleet(shot, compiled), Fleet(shot, compiled)]
    for _ in range(4):
        asked = gang_of(some_request(source, count), source.choice([2, 3, 17, 60]))
        first_pages: list[tuple[int, int]] = []
        pages: list[tuple[int, int]] = []
        pages_one_by_one: list[tuple[int, int]] = []
        with pytest.MonkeyPatch.context() as patch:
            chosen = [choices(asked, fleet, policy, told) for fleet, told in zip(fleets, (first_pages, pages), strict=False)]
            patch.setattr(Fleet, "take_alike", lambda *_: [])
            chosen.append(choices(asked, fleets[2], policy, pages_one_by_one))
        assert chosen[0] == chosen[1] == chosen[2]
        assert first_pages == pages == pages_one_by_one
        assert len({fleet.mark() for fleet in fleets}) == 1
        if source.random() < 0.5:
            for fleet in fleets:
                fleet.rollback(0)
        for fleet in fleets:
            fleet.keep()
        assert all(is_same_snapshot(fleets[0].to_snapshot(""), fleet.to_snapshot("")) for fleet in fleets[1:])
        assert all(bounds_hold(fleet) for fleet in fleets[1:])


def gang_of(asked: PlacementRequest, size: int) -> PlacementRequest:
    """Return the request for so many machines like its only one, and one that is different in between."""
    (one,) = asked.members
    names = [f"m{n}" for n in range(size)]
    alike = [replace(one, name=name) for name in names]
    other = replace(one, name="other", compute=Resources.of({VCPU: 1, MEMORY_MIB: GIB}))
    return replace(asked, members=(*alike[: size // 2], other, *alike[size // 2 :]))


def choices(asked: PlacementRequest, fleet: Fleet, policy: Policy, told: list[tuple[int, int]]) -> tuple[object, ...]:
    """Place a gang in one attempt; returns host and pools of each unit, the first without a host, and what rules count then."""
    groups = Groups(asked, fleet.snapshot)

    def note(need: Need, then: Fleet, _groups: Groups, host: int) -> None:
        told.append((host, then.free_at(VCPU, host)))

    attempt = try_once(kinds_of(units_of(asked), fleet.snapshot), fleet, groups, policy, note)
    found = [(one.unit.members, one.host, one.pools) for one in attempt.chosen]
    return found, attempt.stuck and attempt.stuck.members, groups.all_counts.tolist(), groups.totals


def change_one(fleets: list[Fleet], host: int, used: int) -> None:
    """Change what one host has, as an observation would: undoing is over then."""
    for fleet in fleets:
        fleet.keep()
        fleet.set_used(fleet.snapshot.host_ids[host], used={VCPU: used, MEMORY_MIB: used * GIB}, foreign={}, storage_used_gib={})


def bounds_hold(fleet: Fleet) -> bool:
    """Tell whether no host scores higher for a live class than the bound of its block and of its group of blocks says."""
    index = fleet.index
    for slot in range(index.live_count + 2):
        before = index.bounds.block[:, slot].copy(), index.bounds.group[:, slot].copy()
        PLAIN.scan(fleet.hosts, index.classes, index.bounds, slot, index.buffer)
        if (index.bounds.block[:, slot] > before[0]).any() or (index.bounds.group[:, slot] > before[1]).any():
            return False
    return True


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.sampled_from([1, 40, 300, 1300]))
def test_a_stream_is_the_same_on_both_engines_and_decision_by_decision(seed: int, count: int, compiled: Engine) -> None:
    source = random.Random(seed)
    shot, policy = snapshot(some_hosts(source, count)), some_policy(source)
    needs = list({units_of(request_without_rule(source, count))[0].need for _ in range(5)})
    rules = [
        StreamRule(
            spread=source.choice(LEVELS),
            is_hard=source.random() < 0.6,
            max_per_domain=source.choice([1, 2]),
            is_affinity=source.random() < 0.3,
            existing=tuple(source.randrange(count) for _ in range(source.choice([0, 1, 4]))),
        )
        for _ in range(12)
    ]
    orders, groups = some_orders(source, len(needs), len(rules))
    gangs = some_gangs(source, needs, orders, groups)
    fleets = [Fleet(shot), Fleet(shot, compiled)]
    plain, fast = (place_stream(fleet, policy, needs, orders, groups=groups, rules=rules, gangs=gangs) for fleet in fleets)
    for gang in set(gangs) - {-1}:
        hosts = [host for host, of in zip(plain.hosts.tolist(), gangs, strict=True) if of == gang]
        assert -1 not in hosts or set(hosts) == {-1}, "a gang is placed whole or not at all"
    assert plain.hosts.tolist() == fast.hosts.tolist()
    assert plain.pools.tolist() == fast.pools.tolist()
    assert is_same_snapshot(fleets[0].to_snapshot(""), fleets[1].to_snapshot(""))
    assert bounds_hold(fleets[1])
    free = fleets[1].to_snapshot("")
    assert (free.free_rows[: len(shot.rows.dimensions)] >= np.minimum(shot.free_rows[: len(shot.rows.dimensions)], 0)).all()
    assert (free.storage_free_gib >= np.minimum(shot.storage_free_gib, 0)).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.sampled_from([1, 6, 40, 300, 1300]))
def test_closed_hosts_are_the_same_on_both_engines(seed: int, count: int, compiled: Engine) -> None:
    source = random.Random(seed)
    shot, policy = snapshot(some_hosts(source, count)), some_policy(source)
    needs = list({units_of(request_without_rule(source, count))[0].need for _ in range(5)})
    rules = [
        StreamRule(spread=source.choice(LEVELS), is_hard=source.random() < 0.6, is_affinity=source.random() < 0.4)
        for _ in range(12)
    ]
    orders, groups = some_orders(source, len(needs), len(rules))
    gangs = some_gangs(source, needs, orders, groups)
    asked = Orders(classes=needs, orders=orders, groups=groups, rules=rules, gangs=gangs)
    runs = [StreamRun(Fleet(shot, engine), policy, asked) for engine in (PLAIN, compiled)]
    for end in [*sorted(source.sample(range(len(orders) + 1), min(4, len(orders)))), len(orders)]:
        closed, to_small = (source.sample(range(count), source.choice([0, 1, count // 2, count])) for _ in range(2))
        for run in runs:
            run.close(closed, to_small=to_small, small_below=3)
            run.through(end)
    plain, fast = (run.answer() for run in runs)
    assert plain.hosts.tolist() == fast.hosts.tolist()
    assert plain.pools.tolist() == fast.pools.tolist()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.sampled_from([1, 6, 40, 300, 1300]))
def test_a_closed_host_takes_a_machine_only_where_no_other_in_use_has_room(seed: int, count: int, compiled: Engine) -> None:
    source = random.Random(seed)
    shot, policy = snapshot(some_hosts(source, count)), some_policy(source)
    asked = [request_without_rule(source, count) for _ in range(5)]
    units = {units_of(one)[0].need: Groups(one, shot) for one in asked}
    needs, orders = list(units), [source.randrange(len(units)) for _ in range(40)]
    fleet = Fleet(shot, source.choice([PLAIN, compiled]))
    run = StreamRun(fleet, policy, Orders(classes=needs, orders=orders))
    closed, to_small = list[int](), list[int]()
    for n, order in enumerate(orders):
        if source.random() < 0.3:
            closed, to_small = (source.sample(range(count), source.choice([0, 1, count // 2, count])) for _ in range(2))
            run.close(closed, to_small=to_small, small_below=3)
        need = needs[order]
        before = Fleet(fleet.to_snapshot(""))
        kept = {*closed, *to_small} if dict(need.ask).get(VCPU, 0) < 3 else closed
        expected = among_open(need, before, units[need], policy, kept)
        run.through(n + 1)
        assert run.host_of(n) == (-1 if expected is None else expected)


def among_open(need: Need, fleet: Fleet, groups: Groups, policy: Policy, closed: Collection[int]) -> int | None:
    """Return the best host of those that are not closed, unless that one has nothing on it; else the best of all."""
    rows = [fleet.snapshot.rows.row_of[dimension] for dimension in (VCPU, MEMORY_MIB)]
    fitting = [h for h in range(fleet.snapshot.host_count) if h not in closed and fits(need, fleet, h)]
    best = min(fitting, key=lambda h: (-score(need, fleet, groups, policy, h), h), default=None)
    if closed and best is not None:
        position = fleet.position_of[best]
        if (fleet.hosts.free[rows, position] != fleet.hosts.capacity[rows, position]).any():
            return best
    return oracle(need, fleet, groups, policy)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.sampled_from([1, 40, 300]), live=st.integers(1, 4))
def test_a_stream_of_more_classes_than_may_be_live_is_decided_as_if_all_were(
    seed: int, count: int, live: int, compiled: Engine
) -> None:
    source = random.Random(seed)
    shot, policy = snapshot(some_hosts(source, count)), some_policy(source)
    needs = list({units_of(request_without_rule(source, count))[0].need for _ in range(9)})
    rules = [StreamRule(spread=source.choice(LEVELS), is_hard=source.random() < 0.6) for _ in range(12)]
    orders, groups = some_orders(source, len(needs), len(rules))
    how: dict[str, Any] = {"groups": groups, "rules": rules, "gangs": some_gangs(source, needs, orders, groups)}
    expected = place_stream(Fleet(shot), policy, needs, orders, **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "LIVE_MAX", live)
        for fleet in (Fleet(shot), Fleet(shot, compiled)):
            answer = place_stream(fleet, policy, needs, orders, **how)
            assert answer.hosts.tolist() == expected.hosts.tolist()
            assert answer.pools.tolist() == expected.pools.tolist()
            assert fleet.index.live_count <= live
            fleet.use(compiled)
            assert bounds_hold(fleet)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), live=st.integers(1, 4))
def test_each_choice_of_a_stream_beyond_the_live_classes_is_that_of_a_plain_loop(seed: int, live: int, compiled: Engine) -> None:
    source = random.Random(seed)
    shot, policy = snapshot(some_hosts(source, 40)), some_policy(source)
    asked = [request_without_rule(source, 40) for _ in range(9)]
    needs = list({units_of(one)[0].need: one for one in asked}.items())
    orders = [source.randrange(len(needs)) for _ in range(40)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "LIVE_MAX", live)
        answers = [place_stream(Fleet(shot, engine), policy, [need for need, _ in needs], orders) for engine in (PLAIN, compiled)]
    fleet, expected = Fleet(shot), []
    for order in orders:
        need, of = needs[order]
        host = oracle(need, fleet, Groups(of, shot), policy)
        expected.append(-1 if host is None else host)
        if host is not None:
            fleet.take(need, host)
    assert [answer.hosts.tolist() for answer in answers] == [expected] * 2


def test_a_gang_that_got_stuck_is_placed_otherwise_though_only_some_of_its_machines_have_disks(compiled: Engine) -> None:
    """The machine without disks comes first, and takes the only host that the one with a disk could go to."""
    shot = snapshot([entry(0, vcpu=4, storage=[("standard", 20, 0)]), entry(1, vcpu=8, storage=[])])
    asked = [member("small", vcpu=1, disks=()), member("large", vcpu=4, disks=(("standard", 9),))]
    needs = [units_of(request(one))[0].need for one in asked]
    for engine in (PLAIN, compiled):
        policy = Policy(name="p", version=1, weights={})
        answer = place_stream(Fleet(shot, engine), policy, needs, [0, 1], groups=[-1, -1], gangs=[0, 0])
        assert answer.hosts.tolist() == [1, 0]
        assert answer.pools[1, 0] == 0


def request_without_rule(source: random.Random, count: int) -> PlacementRequest:
    while True:
        asked = some_request(source, count)
        if not asked.rules:
            return asked


def some_orders(source: random.Random, classes: int, rules: int) -> tuple[list[int], list[int]]:
    orders: list[int] = []
    groups: list[int] = []
    for group in range(rules):
        for _ in range(source.randint(1, 4)):
            orders.append(source.randrange(classes))
            groups.append(group if source.random() < 0.9 else -1)
            if source.random() < 0.25:
                orders.append(give_back(source.randrange(len(orders))) if orders[-1] >= 0 else orders[-1])
                groups.append(-1)
    return orders, groups


def some_gangs(source: random.Random, needs: list[Need], orders: list[int], groups: list[int]) -> list[int]:
    """Return gangs among orders that follow each other, of one group, and ask for the same zone and level."""
    gangs: list[int] = []
    for n, (order, group) in enumerate(zip(orders, groups, strict=True)):
        is_next = bool(gangs) and gangs[-1] >= 0 and group == groups[n - 1] and order >= 0
        if is_next and place(needs[order]) == place(needs[orders[n - 1]]) and source.random() < 0.8:
            gangs.append(gangs[-1])
        else:
            gangs.append(n if order >= 0 and source.random() < 0.8 else -1)
    return gangs


def place(need: Need) -> tuple[str, int]:
    return need.zone_id, need.mlps_level


def test_giving_everything_back_leaves_a_stream_without_a_trace(compiled: Engine) -> None:
    source = random.Random(7)
    shot = snapshot(some_hosts(source, 300))
    needs = [units_of(request_without_rule(source, 300))[0].need for _ in range(6)]
    orders = [source.randrange(6) for _ in range(200)]
    back = [give_back(n) for n in range(200)]
    for engine in (PLAIN, compiled):
        fleet = Fleet(shot, engine)
        answer = place_stream(fleet, some_policy(random.Random(1)), needs, [*orders, *back])
        assert (answer.hosts[:200] >= 0).any()
        assert is_same_snapshot(fleet.to_snapshot(shot.revision), shot)


def test_a_stream_is_decided_under_one_policy() -> None:
    shot = snapshot(some_hosts(random.Random(1), 40, ("", "one")))
    need = units_of(request_without_rule(random.Random(1), 40))[0].need
    with pytest.raises(ValueError, match="one policy"):
        place_stream(Fleet(shot), some_policy(random.Random(1)), [need], [0])


def test_a_class_that_rested_longest_makes_room_for_another(monkeypatch: pytest.MonkeyPatch, compiled: Engine) -> None:
    monkeypatch.setattr(index_module, "LIVE_MAX", 3)
    source = random.Random(3)
    shot, policy = snapshot(some_hosts(source, 40)), some_policy(source)
    fleet = Fleet(shot, compiled)
    for vcpu in [1, 1, 2, 2, 3, 3, 4, 4, 1, 1, 5, 2, 3, 3]:
        asked = request(member("m", vcpu=vcpu, memory_mib=1, disks=()))
        need, groups = units_of(asked)[0].need, Groups(asked, shot)
        host = fleet.best(need, policy, groups)
        assert host == oracle(need, fleet, groups, policy)
        if host is not None:
            fleet.take(need, host)
    assert fleet.index.live_count == 3


def test_the_scan_sees_every_place_of_full_and_partly_filled_blocks(compiled: Engine) -> None:
    policy = Policy(name="p", version=1, weights={})
    for count in (1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * GROUP, BLOCK * GROUP + 1):
        hosts = [entry(n, vcpu=8 if n == count - 1 else 1, memory_mib=8) for n in range(count)]
        asked = request(member("m", vcpu=4, memory_mib=1, disks=()))
        need, shot = units_of(asked)[0].need, snapshot(hosts)
        for engine in (PLAIN, compiled):
            fleet = Fleet(shot, engine)
            found = [fleet.best(need, policy, Groups(asked, shot)) for _ in range(3)]
            assert found == [count - 1] * 3
    assert NONE < 0
