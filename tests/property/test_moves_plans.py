"""Every step of every plan of moves holds every rule at its turn, judged by code that shares no line with the planners."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.check import first_stale
from controller.scheduling.moves.cluster import DWELLING, Cluster, HostWatts, MachineEntry, WantedEntry
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.drain import drain
from controller.scheduling.moves.make_room import make_room
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.moves.rebalance import rebalance
from controller.scheduling.moves.repair import repair
from controller.scheduling.moves.score import Loads, score_of
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import SpreadLevel
from tests.support.moves import ZONES, Judge, Town, fewest_moves, misfits, random_town, used_by
from tests.support.placement import entry

SEEDS = st.integers(0, 2**32 - 1)
LIMITS = (
    Limits(),
    Limits(gain_least_micro=0),
    Limits(moves_most=2),
    Limits(memory_most_mib=5),
    Limits(saving_least_wh_per_gib=0),
    Limits(saving_least_wh_per_gib=0, moves_each_most=1),
    Limits(saving_least_wh_per_gib=0, fill_most_permille=700),
    Limits(saving_least_wh_per_gib=0, fill_most_permille=900, aside_permille=600),
)


def plans(source: random.Random, town: Town) -> list[tuple[Plan, Limits]]:
    """Return one plan of each kind."""
    limits = source.choice(LIMITS)
    cluster = town.cluster
    host_id = source.choice(town.hosts).host.id
    made = [drain(cluster, [host_id], limits), rebalance(cluster, limits), repair(cluster, limits), consolidate(cluster, limits)]
    return [(plan, limits) for plan in [*made, make_room(with_wanted(source, town).cluster, limits)]]


def with_wanted(source: random.Random, town: Town, most: int = 3) -> Town:
    """Return a town in which large machines need room."""
    wanted = (
        WantedEntry(
            compute=Resources.of({VCPU: source.randint(3, 9), MEMORY_MIB: source.randint(3, 9)}),
            disk=("standard", source.randint(1, 20)) if source.random() < 0.5 else None,
            zone_id=ZONES[0].id if source.random() < 0.7 else "",
        )
        for _ in range(source.randint(1, most))
    )
    return replace(town, wanted=tuple(wanted))


@given(SEEDS)
@settings(max_examples=120, deadline=None)
def test_every_step_is_feasible_at_its_turn_in_every_dimension_and_keeps_zone_level_and_spread(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source)
    for plan, _ in plans(source, town):
        now = town
        for number, move in enumerate(plan.moves):
            machine = next(m for m in now.machines if m.id == move.machine_id)
            assert machine.host_id == move.source_id, (plan.kind, number)
            assert not machine.stays, "a machine that must stay was moved"
            assert Judge(now.hosts, now.machines).why_not(machine, move.target_id) == "", (plan.kind, number)
            now = now.after([move])
            assert not Judge(now.hosts, now.machines).storage_is_over(move.storage_pool_ids), (plan.kind, number)
        assert first_stale(town.cluster, plan) is None


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_no_machine_moves_twice_and_bounds_hold(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source)
    for plan, limits in plans(source, town):
        assert len({m.machine_id for m in plan.moves}) == len(plan.moves)
        assert len(plan.moves) <= limits.moves_most
        if limits.memory_most_mib is not None:
            assert plan.memory_mib <= limits.memory_most_mib


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_plans_do_what_they_are_for(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source)
    cluster = town.cluster
    even = rebalance(cluster, Limits(gain_least_micro=0))
    assert even.score_after_micro <= even.score_before_micro
    assert misfits(town.after(even.moves)) <= misfits(town)
    assert even.score_after_micro == score_of(town_after(town, even))
    fixed = repair(cluster)
    assert fixed.broken_after <= fixed.broken_before
    assert fixed.broken_before or not fixed.moves, "nothing was broken and something moved"
    freed = consolidate(cluster, Limits(saving_least_wh_per_gib=0))
    after = Board(town_after(town, freed))
    assert all(after.is_empty(cluster.host_index[h]) for h in freed.freed)
    assert freed.broken_after <= freed.broken_before


@given(SEEDS, st.integers(1, 3), st.sampled_from([500, 800, 1000]))
@settings(max_examples=120, deadline=None)
def test_consolidation_moves_few_off_each_host_and_leaves_room_on_the_others(seed: int, each_most: int, fill_most: int) -> None:
    town = random_town(random.Random(seed))
    cluster = town.cluster
    limits = Limits(saving_least_wh_per_gib=0, moves_each_most=each_most, fill_most_permille=fill_most)
    plan = consolidate(cluster, limits)
    assert all(count <= each_most for count in Counter(m.source_id for m in plan.moves).values())
    if not plan.freed:
        return
    before, after = Board(cluster), Board(town_after(town, plan))
    is_on = [h for h in range(cluster.host_count) if cluster.takes[h] and not after.is_empty(h)]
    assert not any(before.is_empty(h) for h in is_on), "an empty host was opened"
    for dimension in (0, 1):
        capacity = sum(int(cluster.capacity[h, dimension]) for h in is_on)
        taken = sum(int(cluster.capacity[h, dimension] - after.free[h, dimension]) for h in is_on)
        assert 1000 * taken <= fill_most * capacity


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_room_that_was_made_is_there_for_all_at_once(seed: int) -> None:
    source = random.Random(seed)
    town = with_wanted(source, random_town(source))
    plan = make_room(town.cluster)
    now = town.after(plan.moves)
    assert len(plan.room_on) == len(town.wanted)
    for number, (wanted, host_id) in enumerate(zip(town.wanted, plan.room_on, strict=True)):
        if host_id is None:
            continue
        comes, judge = guest(now, wanted, host_id, number), Judge(now.hosts, now.machines)
        assert judge.why_not(comes, host_id) == ""
        now = replace(now, machines=(*now.machines, comes))
        assert not Judge(now.hosts, now.machines).storage_is_over([pool for _, _, pool in comes.disks])


def guest(town: Town, wanted: WantedEntry, host_id: HostId, number: int = 0) -> MachineEntry:
    """Return a machine that was wanted, on a host, its disk in the roomiest pool there."""
    host = next(h for h in town.hosts if h.host.id == host_id)
    used = Counter[str]()
    for _, size_gib, pool_id in (disk for m in town.machines for disk in m.disks):
        used[pool_id] += size_gib
    pool = max((s for s in host.storage), key=lambda s: s.capacity_gib - used[s.pool.id])
    return MachineEntry(
        id=ResourceId(f"wanted-{number}"), name=f"wanted-{number}", host_id=host_id, compute=wanted.compute,
        zone_id=wanted.zone_id or host.zone.id, mlps_level=wanted.mlps_level,
        disks=((*wanted.disk, pool.pool.id),) if wanted.disk else (),
    )  # fmt: skip


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_room_is_made_where_one_move_makes_it_and_nothing_moves_where_there_is_some(seed: int) -> None:
    source = random.Random(seed)
    town = with_wanted(source, random_town(source), most=1)
    wanted = replace(town.wanted[0], disk=None)
    plan = make_room(replace(town, wanted=(wanted,)).cluster)
    if takers(town, wanted):
        assert plan.room_on[0] in takers(town, wanted)
        assert not plan.moves
        return
    on = {m.host_id for m in town.machines}
    for machine in (m for m in town.machines if not m.stays and not m.disks):
        for target_id in on - {machine.host_id}:
            moved = tuple(replace(m, host_id=target_id) if m.id == machine.id else m for m in town.machines)
            is_possible = not Judge(town.hosts, town.machines).why_not(machine, target_id)
            if is_possible and machine.host_id in takers(replace(town, machines=moved), wanted):
                assert plan.room_on[0] is not None, "a single move makes room"
                assert len(plan.moves) == 1


def takers(town: Town, wanted: WantedEntry) -> set[HostId]:
    """Return the hosts with room for a machine without a disk that is nowhere yet."""
    judge = Judge(town.hosts, town.machines)
    return {h.host.id for h in town.hosts if not judge.why_not(guest(town, wanted, h.host.id), h.host.id)}


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_hosts_that_are_set_aside_take_nothing_from_others(seed: int) -> None:
    town = random_town(random.Random(seed))
    limits = Limits(saving_least_wh_per_gib=0, fill_most_permille=1000, aside_permille=1000)
    plan = consolidate(town.cluster, limits)
    assert not {m.target_id for m in plan.moves} & {m.source_id for m in plan.moves}
    assert {m.source_id for m in plan.moves} == set(plan.freed)
    assert not set(plan.aside) & {m.target_id for m in plan.moves}
    assert not set(plan.aside) & set(plan.freed)
    assert set(plan.aside) <= {m.host_id for m in town.machines}
    # No move has to be left for it.
    still = consolidate(town.cluster, replace(limits, moves_most=0))
    assert set(plan.aside) == set(still.aside) - set(plan.freed)


def town_after(town: Town, plan: Plan) -> Cluster:
    """Return the picture after a plan, made anew from plain values."""
    after = town.after(plan.moves)
    return Town(used_by(after.hosts, after.machines), after.machines, after.watts).cluster


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_drained_host_is_empty_or_says_why_each_machine_stays(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source)
    host_id = source.choice(town.hosts).host.id
    plan = drain(town.cluster, [host_id])
    on = {m.id for m in town.machines if m.host_id == host_id}
    moved = {m.machine_id for m in plan.moves if m.source_id == host_id}
    assert on - moved == {s.machine_id for s in plan.stays if s.host_id == host_id}
    assert (host_id in plan.freed) == (bool(on) and on == moved)
    assert all(m.target_id != host_id for m in plan.moves)


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_no_fewer_moves_empty_a_host_than_the_proven_fewest(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source, is_wild=False, hosts_most=4, machines_most=9)
    host_id = source.choice(town.hosts).host.id
    if not any(m.host_id == host_id for m in town.machines):
        return
    fewest = fewest_moves(town, host_id, 1)
    plan = drain(town.cluster, [host_id])
    if host_id in plan.freed and fewest is not None:
        assert len(plan.moves) >= fewest
    if fewest == sum(1 for m in town.machines if m.host_id == host_id):
        assert host_id in plan.freed, "every machine has a place and one was left behind"


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_what_is_held_back_is_never_taken_by_a_move(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source, is_wild=False)
    cluster = town.cluster
    held = source.randrange(cluster.host_count)
    # A stand-by host: everything it has is held back.
    cluster.free[held] -= cluster.capacity[held]
    for plan in (drain(cluster, [cluster.host_ids[0]]), rebalance(cluster, Limits(gain_least_micro=0)), consolidate(cluster)):
        assert all(move.target_id != cluster.host_ids[held] for move in plan.moves)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_plan_is_stale_where_the_world_changed_under_it(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source, is_wild=False)
    plan = rebalance(town.cluster, Limits(gain_least_micro=0))
    if not plan.moves:
        return
    number = source.randrange(len(plan.moves))
    move = plan.moves[number]
    gone = Town(town.hosts, tuple(m for m in town.machines if m.id != move.machine_id))
    stale = first_stale(gone.cluster, plan)
    assert stale is not None
    assert stale.position <= number
    closed = town.cluster
    closed.takes[closed.host_index[move.target_id]] = False
    stale = first_stale(closed, plan)
    assert stale is not None
    assert stale.reason == "moves.target_closed"


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_the_score_after_one_move_is_foreseen_exactly(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source, is_wild=False)
    board = Board(town.cluster)
    loads = Loads(board)
    machines = board.cluster.machine_count
    if not machines:
        return
    machine = source.randrange(machines)
    target = source.randrange(board.cluster.host_count)
    origin = int(board.where[machine])
    if target == origin or board.storage_for(machine, target) is None:
        return
    foreseen = loads.after(np.array([machine]), np.array([origin]), np.array([target]))[0, 0]
    board.move(machine, target)
    loads.moved(machine, origin, target)
    # The square root of what rounding leaves of a variance of zero is this large.
    assert abs(foreseen - loads.score()) < 1e-7
    assert abs(Loads(board).score() - loads.score()) < 1e-9


def test_a_host_that_only_others_overfill_is_told_and_spoils_no_plan() -> None:
    town = Town(hosts=(entry(0, vcpu=4, foreign={"vcpu": 90}), entry(1)), machines=())
    plan = repair(town.cluster)
    assert (plan.moves, plan.stays) == ((), ())
    assert plan.broken_before == plan.broken_after == 1


def test_evenness_piles_up_no_group_that_would_rather_stand_apart() -> None:
    hosts = [entry(n, vcpu=12, memory_mib=12, storage=()) for n in range(2)]
    sizes = {"a": (0, 4, "g"), "b": (1, 2, "g"), "c": (0, 4, "")}
    machines = tuple(
        MachineEntry(
            id=ResourceId(name),
            name=name,
            host_id=hosts[host].host.id,
            compute=Resources.of({VCPU: size, MEMORY_MIB: size}),
            group=group,
            spread=SpreadLevel.HOST if group else SpreadLevel.NONE,
            spread_is_hard=False,
            stays="" if name == "a" else "moves.cooling",
        )
        for name, (host, size, group) in sizes.items()
    )
    town = Town(used_by(hosts, machines), machines)
    assert rebalance(town.cluster, Limits(gain_least_micro=0)).moves == ()
    alone = replace(town, machines=tuple(replace(m, group="", spread=SpreadLevel.NONE) for m in machines))
    assert [m.machine for m in rebalance(alone.cluster, Limits(gain_least_micro=0)).moves] == ["a"]


def test_a_host_with_room_held_for_a_reservation_is_not_emptied() -> None:
    hosts = [entry(n, vcpu=8, memory_mib=8, storage=()) for n in range(3)]
    machines = tuple(
        MachineEntry(id=ResourceId(f"inst_{n}"), name=f"m{n}", host_id=h.host.id, compute=Resources.of({VCPU: 1, MEMORY_MIB: 1}))
        for n, h in enumerate(hosts)
    )
    watts = {h.host.id: HostWatts(idle=100, most=400) for h in hosts}
    free = Town(used_by(hosts, machines), machines, watts)
    limits = Limits(saving_least_wh_per_gib=0)
    first = consolidate(free.cluster, limits)
    assert len(first.freed) == 2
    held = replace(free, hosts=tuple(replace(h, held={VCPU: 2}) if h.host.id in first.freed else h for h in free.hosts))
    then = consolidate(held.cluster, limits)
    assert not set(then.freed) & set(first.freed)
    standing = replace(free, hosts=tuple(replace(h, held=h.capacity, is_standby=True) for h in free.hosts))
    assert not standing.cluster.is_reserved.any(), "what stands by for a loss may be off"


def test_a_young_machine_stays_or_counts_for_several_moves() -> None:
    hosts = [entry(n, vcpu=8, memory_mib=8, storage=()) for n in range(2)]
    home = ((0, ""), (0, DWELLING), (1, ""), (1, ""), (1, "moves.cooling"))
    machines = tuple(
        MachineEntry(
            id=ResourceId(f"inst_{n}"),
            name=f"m{n}",
            host_id=hosts[host].host.id,
            compute=Resources.of({VCPU: 1, MEMORY_MIB: 1}),
            stays=stays,
        )
        for n, (host, stays) in enumerate(home)
    )
    town = Town(used_by(hosts, machines), machines, {h.host.id: HostWatts(idle=100, most=400) for h in hosts})
    limits = Limits(saving_least_wh_per_gib=0, moves_each_most=5)
    assert consolidate(town.cluster, limits).freed == ()
    assert consolidate(town.cluster, replace(limits, young_counts=5)).freed == (), "one move and five"
    assert consolidate(town.cluster, replace(limits, young_counts=4)).freed == (hosts[0].host.id,)
    late = replace(town.cluster, mates_ended_permille=np.array([250, 1000, 0, 0, 0]))
    assert consolidate(late, replace(limits, young_counts=4)).freed == (), "one move and a quarter, and four"
    assert consolidate(late, replace(limits, young_counts=3)).freed == (hosts[0].host.id,)
