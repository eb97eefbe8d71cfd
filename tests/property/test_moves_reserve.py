"""Moves keep the reserve of pools (N+1) as placement does, judged by the oracle of placement: all levels, apart and together."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import MachineEntry, cluster_of
from controller.scheduling.reserve import Standing, offered_bits
from controller.scheduling.snapshot import HostEntry
from inventory.domain.host import Reserve, ReserveLevel
from inventory.domain.placement import GroupRule
from inventory.domain.system import SpreadLevel
from tests.property.test_moves_plans import plans
from tests.property.test_scheduling_oracle import breaks_after_a_failure
from tests.support.moves import Town, random_town

SEEDS = st.integers(0, 2**32 - 1)
LEVELS = [SpreadLevel.HOST, SpreadLevel.RACK, SpreadLevel.ROOM, SpreadLevel.SITE]


def reserved_town(source: random.Random) -> Town:
    """Return a town of several rooms and sites in which hosts stand by, and groups with every kind of rule."""
    town = random_town(source)
    levels = {h.pool.id: source.choice(list(ReserveLevel)) for h in town.hosts}
    taken = {m.host_id for m in town.machines}

    def host(one: HostEntry) -> HostEntry:
        place = replace(one.host, room=source.choice(["", "east"]), site=source.choice(["", "", "north"]))
        pool = replace(one.pool, reserve=Reserve(level=levels[one.pool.id]))
        stands = pool.reserve.level is not ReserveLevel.NONE and one.host.id not in taken and source.random() < 0.7
        return replace(one, host=place, pool=pool, is_standby=stands, held=one.capacity if stands else {})

    rules = {f"g{n}": (source.choice(LEVELS), source.random() < 0.5) for n in range(3)}

    def machine(one: MachineEntry) -> MachineEntry:
        if not one.group:
            return one
        level, is_together = rules[one.group]
        return replace(one, spread=level, spread_is_hard=True, is_kept_together=is_together)

    return replace(town, hosts=tuple(map(host, town.hosts)), machines=tuple(map(machine, town.machines)))


def breaks(town: Town, machine: MachineEntry, host: HostEntry) -> bool:
    if not machine.group:
        return False
    rule = GroupRule(group=machine.group, spread=machine.spread, is_hard=True, is_affinity=machine.is_kept_together)
    return breaks_after_a_failure(town.hosts, host, rule)


@given(SEEDS)
@settings(max_examples=200, deadline=None)
def test_no_plan_moves_a_machine_where_the_loss_of_a_host_would_break_its_rule(seed: int) -> None:
    source = random.Random(seed)
    town = reserved_town(source)
    hosts, machines = {h.host.id: h for h in town.hosts}, {m.id: m for m in town.machines}
    for plan, _ in plans(source, town):
        assert not [m for m in plan.moves if breaks(town, machines[m.machine_id], hosts[m.target_id])], plan.kind


@given(SEEDS)
@settings(max_examples=200, deadline=None)
def test_moves_and_placement_keep_a_group_out_of_the_same_hosts_and_so_does_a_picture_of_few_hosts(seed: int) -> None:
    source = random.Random(seed)
    town = reserved_town(source)
    bits = offered_bits([Standing(h.host, h.pool, h.is_standby) for h in town.hosts])
    reserve = {h.host.id: of_host for h, of_host in zip(town.hosts, bits, strict=True)}
    for machine in town.machines:
        for host in town.hosts:
            few = [h for h in town.hosts if h.host.id in (machine.host_id, host.host.id)]
            for cluster in (town.cluster, cluster_of(few, [machine], reserve=reserve)):
                place = cluster.machine_index[machine.id], cluster.host_index[host.host.id]
                assert Board(cluster).keeps_reserve(*place) != breaks(town, machine, host)


def test_the_towns_have_moves_and_hosts_closed_to_groups() -> None:
    moves = closed = 0
    for seed in range(60):
        source = random.Random(seed)
        town = reserved_town(source)
        closed += sum(breaks(town, m, h) for m in town.machines for h in town.hosts)
        moves += sum(len(plan.moves) for plan, _ in plans(source, town))
    assert moves > 30
    assert closed > 25
