"""Every step of every plan of moves holds every rule at its turn, judged by code that shares no line with the planners."""

import random
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.check import first_stale
from controller.scheduling.moves.cluster import Cluster
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.drain import drain
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.moves.rebalance import rebalance
from controller.scheduling.moves.repair import repair
from controller.scheduling.moves.score import Loads, score_of
from tests.support.moves import Judge, Town, fewest_moves, random_town, used_by
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
)


def plans(source: random.Random, town: Town) -> list[tuple[Plan, Limits]]:
    """Return one plan of each kind."""
    limits = source.choice(LIMITS)
    cluster = town.cluster
    host_id = source.choice(town.hosts).host.id
    made = [drain(cluster, [host_id], limits), rebalance(cluster, limits), repair(cluster, limits), consolidate(cluster, limits)]
    return [(plan, limits) for plan in made]


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
        if limits.memory_most_mib is not None and plan.kind.value in ("rebalance", "consolidate"):
            assert plan.memory_mib <= limits.memory_most_mib


@given(SEEDS)
@settings(max_examples=80, deadline=None)
def test_plans_do_what_they_are_for(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source)
    cluster = town.cluster
    even = rebalance(cluster, Limits(gain_least_micro=0))
    assert even.score_after_micro <= even.score_before_micro
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
