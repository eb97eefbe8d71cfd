"""Repair moves machines so that the reserve breaks no rule with the loss of a host, wherever one or two moves do: brute force."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.moves import cover
from controller.scheduling.moves.cluster import Cluster, MachineEntry, ReservedPool
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.moves.repair import repair
from controller.scheduling.snapshot import HostEntry
from inventory.domain.host import Reserve, ReserveLevel
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.mates import Mates, bans, places
from inventory.domain.placement import GroupRule
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.standby import PoolHost, choose_standby, shape
from inventory.domain.system import SpreadLevel
from tests.property.test_scheduling_oracle import breaks_after_a_failure
from tests.support.moves import Town, used_by
from tests.support.placement import entry

SEEDS = st.integers(0, 2**32 - 1)
RESERVE = Reserve(level=ReserveLevel.HOST)


# -- towns of one pool that is to survive the loss of a host, told in plain words ---------------------------------------------


def pool_hosts(town: Town, machines: Sequence[MachineEntry]) -> list[PoolHost]:
    """Return the hosts with what hard rules by rack ask of them, as the reserve sees them."""
    hosts, domains = {h.host.id: h.host for h in town.hosts}, {h.host.id: domain(h) for h in town.hosts}
    groups = [
        Mates(level=m.spread, most_per_domain=m.most_per_domain, is_together=m.is_kept_together, hosts=on)
        for m, on in ((m, Counter(o.host_id for o in machines if o.group == m.group)) for m in first_of_groups(machines))
    ]
    asked = bans(groups, hosts, domains, level_of(town))
    return [
        PoolHost(
            id=h.host.id,
            domain=domain(h),
            load=shape(("x86_64", "simulated", 0), h.capacity, ()),
            room=shape(("x86_64", "simulated", 0), h.capacity, ()),
            is_ready=True,
            is_empty=not any(m.host_id == h.host.id for m in machines),
            is_standby=h.is_standby,
            places=places(h.host),
            shuns=frozenset(asked[domain(h)].shuns) if domain(h) in asked else frozenset(),
            needs=frozenset(asked[domain(h)].needs) if domain(h) in asked else frozenset(),
        )
        for h in town.hosts
    ]


def level_of(town: Town) -> ReserveLevel:
    return town.hosts[0].pool.reserve.level


def domain(host: HostEntry) -> str:
    """Return the failure domain that is lost or stands by."""
    is_host = host.pool.reserve.level is ReserveLevel.HOST
    return str(host.host.id) if is_host else f"{host.host.room}/{host.host.rack}"


def where(town: Town, level: SpreadLevel) -> dict[HostId, tuple[str, ...]]:
    """Return the rack or the room of every host."""
    return {h.host.id: (h.host.room, h.host.rack)[: 2 if level is SpreadLevel.RACK else 1] for h in town.hosts}


def first_of_groups(machines: Sequence[MachineEntry]) -> list[MachineEntry]:
    return list({m.group: m for m in machines if m.group}.values())


def standing_by(town: Town) -> set[str]:
    return set(choose_standby(pool_hosts(town, town.machines), Reserve(level=level_of(town))).domains)


def chosen(town: Town) -> Town:
    """Return the town with those standing by that the reserve chooses."""
    standing = standing_by(town)
    hosts = (replace(h, is_standby=domain(h) in standing, held=h.capacity if domain(h) in standing else {}) for h in town.hosts)
    return replace(town, hosts=tuple(hosts))


def exposed(town: Town) -> tuple[int, int]:
    """Return how many domains could be lost with a rule broken, and with that or without enough room."""
    on: dict[str, list[HostEntry]] = {}
    for host in town.hosts:
        on.setdefault(domain(host), []).append(host)
    used = {domain(h) for h in town.hosts if any(m.host_id == h.host.id for m in town.machines)}
    standing, by_rule, count = standing_by(town), 0, 0
    for lost, hosts in on.items():
        if lost in standing and lost not in used:
            continue
        # All hosts of a town are alike.
        able = [s for s in standing - used - {lost} if len(on[s]) >= len(hosts)]
        is_covered = any(keeps_rules(town, {h.host.id for h in hosts}, on[s][0].host.id) for s in able)
        count += not is_covered
        by_rule += bool(able) and not is_covered
    return by_rule, count


def keeps_rules(town: Town, lost: set[HostId], to: HostId) -> bool:
    """Tell whether the machines of a lost domain could be in another one without breaking a rule that holds now."""
    for one in first_of_groups(town.machines):
        place = where(town, one.spread)
        mates = [m.host_id for m in town.machines if m.group == one.group]
        going, left = [place[h] for h in mates if h in lost], [place[h] for h in mates if h not in lost]
        if not going or going[0] == place[to]:
            continue
        if one.is_kept_together and going[0] in left:
            return False
        if not one.is_kept_together and left.count(place[to]) + len(going) > one.most_per_domain:
            return False
    return True


def cluster_of_town(town: Town) -> Cluster:
    reserve = Reserve(level=level_of(town))
    return replace(town.cluster, reserved=(ReservedPool(reserve=reserve, hosts=tuple(pool_hosts(town, ()))),))


def may_go(town: Town, machine: MachineEntry, to: HostId) -> bool:
    """Tell whether one machine may go to a host: room, its rule, and its rule after a loss."""
    host = next(h for h in town.hosts if h.host.id == to)
    others = [m for m in town.machines if m.id != machine.id]
    on = [m for m in others if m.host_id == to]
    if host.is_standby or to == machine.host_id or machine.stays:
        return False
    if any(sum(m.compute[d] for m in on) + n > host.capacity[d] for d, n in machine.compute.items()):
        return False
    if not machine.group:
        return True
    place = where(town, machine.spread)
    mates = [place[m.host_id] for m in others if m.group == machine.group]
    rule = GroupRule(group=machine.group, spread=machine.spread, is_hard=True, is_affinity=machine.is_kept_together)
    if breaks_after_a_failure(town.hosts, host, rule):
        return False
    if machine.is_kept_together:
        return not mates or place[to] in mates
    return mates.count(place[to]) < machine.most_per_domain


def with_moved(town: Town, machine: MachineEntry, to: HostId) -> Town:
    return replace(town, machines=tuple(replace(m, host_id=to) if m.id == machine.id else m for m in town.machines))


def ends(town: Town, count: int) -> Iterator[Town]:
    """Yield what up to so many moves of different machines can make of a town."""
    yield town
    if not count:
        return
    for moving in permutations(town.machines, count):
        yield from ends_of(town, moving)


def ends_of(town: Town, moving: Sequence[MachineEntry]) -> Iterator[Town]:
    if not moving:
        return
    for host in town.hosts:
        if may_go(town, moving[0], host.host.id):
            then = with_moved(town, moving[0], host.host.id)
            yield then
            yield from ends_of(then, moving[1:])


def some_town(source: random.Random) -> Town:
    """Return a town in which nothing is broken, and who stands by was chosen by the reserve."""
    size = source.randint(3, 5)
    hosts = [entry(n, vcpu=size, memory_mib=size, storage=(), rack=source.choice("abcd")) for n in range(5)]
    reserve, level = RESERVE, SpreadLevel.RACK
    if source.random() < 0.3:
        # Racks of two stand by for each other.
        reserve, level = Reserve(level=ReserveLevel.RACK), SpreadLevel.ROOM
        rooms = [source.choice("xyz") for _ in "abc"]
        places = [(rooms[n // 2], "abc"[n // 2]) for n in range(6)]
        hosts = [entry(n, vcpu=size, memory_mib=size, storage=(), rack=rack, room=room) for n, (room, rack) in enumerate(places)]
    hosts = [replace(h, pool=replace(h.pool, reserve=reserve)) for h in hosts]
    town = Town(tuple(hosts), ())
    rules = {g: (source.random() < 0.25, source.choice([1, 1, 2])) for g in ("g", "h")}
    nobody_there = domain(source.choice(hosts))
    spare = {h.host.id for h in hosts if domain(h) == nobody_there}
    for number in range(source.randint(3, 6)):
        group, amount = source.choice(["g", "g", "h", ""]), source.choice([1, 1, 2, 3])
        is_together, most = rules.get(group, (False, 1))
        machine = MachineEntry(
            id=ResourceId(f"inst_{number}"), name=f"m{number}", host_id=HostId(""), group=group,
            compute=Resources.of({VCPU: amount, MEMORY_MIB: amount}), spread=level if group else SpreadLevel.NONE,
            is_kept_together=is_together, most_per_domain=most, stays="moves.cooling" if source.random() < 0.15 else "",
        )  # fmt: skip
        able = [h.host.id for h in hosts if h.host.id not in spare and may_go(town, replace(machine, stays=""), h.host.id)]
        if able:
            town = replace(town, machines=(*town.machines, replace(machine, host_id=source.choice(able))))
    town = chosen(town)
    return replace(town, hosts=used_by(town.hosts, town.machines))


def check_steps(town: Town, plan: Plan) -> Town:
    for move in plan.moves:
        machine = next(m for m in town.machines if m.id == move.machine_id)
        assert may_go(town, machine, move.target_id)
        town = with_moved(town, machine, move.target_id)
    return town


@given(SEEDS, st.sampled_from([1, 2, 9]))
@settings(max_examples=150, deadline=None)
def test_no_loss_breaks_a_rule_any_more_wherever_one_or_two_moves_see_to_it(seed: int, most: int) -> None:
    town = some_town(random.Random(seed))
    plan = repair(cluster_of_town(town), Limits(moves_most=most))
    by_rule, count = exposed(town)
    assert plan.broken_before == by_rule
    assert by_rule or not plan.moves
    assert len(plan.moves) <= most
    after = check_steps(town, plan)
    assert plan.broken_after == exposed(after)[0]
    if by_rule:
        assert exposed(after)[1] <= min(exposed(end)[1] for end in ends(town, min(most, 2)))
        assert exposed(after)[1] < count or not plan.moves


def test_the_towns_need_no_one_and_two_moves() -> None:
    needed: Counter[int | None] = Counter()
    by_rack = 0
    for seed in range(1000):
        town = some_town(random.Random(seed))
        if exposed(town)[0]:
            ways = (n for n in range(1, 3) if min(exposed(end)[1] for end in ends(town, n)) < exposed(town)[1])
            needed[next(ways, None)] += 1
            by_rack += level_of(town) is ReserveLevel.RACK
    assert needed[None] > 3, needed
    assert needed[1] > 10, needed
    assert needed[2] > 3, needed
    assert by_rack > 10


@given(SEEDS)
@settings(max_examples=100, deadline=None)
def test_a_large_platform_is_searched_for_less_and_as_truly(seed: int) -> None:
    town = some_town(random.Random(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cover, "SMALL_MOST", 0)
        plan = repair(cluster_of_town(town))
    after = check_steps(town, plan)
    assert exposed(after)[1] < exposed(town)[1] or not plan.moves
    mates = [(m, h.host.id) for m in town.machines for h in town.hosts if m.group and may_go(town, m, h.host.id)]
    if exposed(town)[0] and any(exposed(with_moved(town, m, h))[1] == 0 for m, h in mates):
        assert exposed(after)[1] == 0, "a mate that goes elsewhere makes it right"


def built(racks: str, machines: Sequence[tuple[int, str, int]], standing: int, size: int = 4) -> Town:
    hosts = [entry(n, vcpu=size, memory_mib=size, storage=(), rack=rack) for n, rack in enumerate(racks)]
    hosts = [replace(h, pool=replace(h.pool, reserve=RESERVE)) for h in hosts]
    hosts[standing] = replace(hosts[standing], is_standby=True, held=hosts[standing].capacity)
    rows = tuple(
        MachineEntry(
            id=ResourceId(f"inst_{n}"), name=f"m{n}", host_id=hosts[host].host.id, group=group,
            compute=Resources.of({VCPU: amount, MEMORY_MIB: amount}), spread=SpreadLevel.RACK if group else SpreadLevel.NONE,
        )
        for n, (host, group, amount) in enumerate(machines)
    )  # fmt: skip
    return Town(used_by(hosts, rows), rows)


def told(plan: Plan) -> list[tuple[str, int]]:
    return [(m.machine, int(m.target_id.removeprefix("host_"))) for m in plan.moves]


def test_a_mate_beside_the_host_that_stands_by_goes_elsewhere_or_a_better_host_is_emptied() -> None:
    """Whichever copies less memory."""
    town = built("aabc", [(0, "g", 1), (2, "g", 1), (3, "", 2)], standing=1)
    plan = repair(cluster_of_town(town))
    assert (plan.broken_before, plan.broken_after) == (1, 0)
    assert told(plan) == [("m0", 3)]
    emptied = built("aabc", [(0, "g", 3), (2, "g", 3), (3, "", 1)], standing=1)
    assert told(repair(cluster_of_town(emptied))) == [("m2", 0)]


def test_a_bystander_makes_room_for_a_mate() -> None:
    town = built("aabc", [(0, "g", 2), (2, "g", 4), (3, "", 2), (3, "", 1)], standing=1)
    assert repair(cluster_of_town(town), Limits(moves_most=1)).moves == ()
    for small_most in (cover.SMALL_MOST, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cover, "SMALL_MOST", small_most)
            plan = repair(cluster_of_town(town))
        assert told(plan) == [("m3", 0), ("m0", 3)]
        assert exposed(check_steps(town, plan)) == (0, 0)


def test_two_leave_the_host_that_would_stand_by_better() -> None:
    town = built("aabcd", [(0, "g", 3), (2, "g", 4), (3, "", 3), (4, "", 1), (4, "", 1)], standing=1)
    for small_most in (cover.SMALL_MOST, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cover, "SMALL_MOST", small_most)
            plan = repair(cluster_of_town(town))
        assert {name for name, _ in told(plan)} == {"m3", "m4"}
        assert exposed(check_steps(town, plan)) == (0, 0)


def test_what_nothing_can_put_right_stays_and_is_counted() -> None:
    town = built("aabc", [(0, "g", 3), (2, "g", 4), (3, "", 3), (3, "", 1)], standing=1)
    plan = repair(cluster_of_town(town))
    assert (plan.moves, plan.broken_before, plan.broken_after) == ((), 1, 1)


def test_nothing_moves_beyond_the_bounds() -> None:
    town = built("aabc", [(0, "g", 2), (2, "g", 2), (3, "", 2)], standing=1)
    assert repair(cluster_of_town(town), Limits(memory_most_mib=1)).moves == ()
    assert repair(cluster_of_town(town), Limits(moves_most=0)).moves == ()
    assert len(repair(cluster_of_town(town), Limits(memory_most_mib=2)).moves) == 1


def test_on_a_large_platform_one_mate_after_the_other_goes_until_nothing_is_exposed() -> None:
    count = 40
    racks = "".join("abcdefgh"[n // 5] for n in range(count))
    mates = [place for k in range(8) for place in ((1 + k % 4, f"g{k}", 1), (5 + k * 4, f"g{k}", 1))]
    town = built(racks, [*mates, *((n, "", 1) for n in range(1, count))], standing=0, size=12)
    plan = repair(cluster_of_town(town))
    assert (plan.broken_before, plan.broken_after) == (8, 0)
    assert exposed(check_steps(town, plan)) == (0, 0)
    assert len(plan.moves) == 8
