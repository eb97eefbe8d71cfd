"""Plans that move machines keep soft rules as well as hosts allow: apart what would be apart, together what would be so."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import HostWatts, MachineEntry, WantedEntry
from controller.scheduling.moves.consolidate import consolidate
from controller.scheduling.moves.drain import drain
from controller.scheduling.moves.make_room import make_room
from controller.scheduling.moves.plan import Limits, Plan
from controller.scheduling.moves.repair import repair
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources
from inventory.domain.system import SpreadLevel
from tests.support.moves import Town, misfits, random_town, used_by
from tests.support.placement import entry

SAVING = Limits(saving_least_wh_per_gib=0)
TOGETHER = {"spread_is_hard": False, "is_kept_together": True}
#: Of two hosts the fuller one would be taken: the rule speaks for the other.
EMPTIER = {True: 5, False: 8}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_first_machine_of_a_plan_goes_where_its_soft_rule_is_kept_best(seed: int) -> None:
    source = random.Random(seed)
    town = random_town(source)
    wanted = WantedEntry(compute=Resources.of({VCPU: source.randint(3, 9), MEMORY_MIB: source.randint(3, 9)}))
    alone = with_one_on(town, source.choice(town.hosts).host.id)
    room = replace(town, wanted=(wanted,))
    for known, plan, is_anywhere in (
        (alone[0], drain(alone[0].cluster, [alone[1]]), True),
        (town, repair(town.cluster), True),
        (town, consolidate(town.cluster, SAVING), False),
        (room, make_room(room.cluster), False),
    ):
        if plan.moves:
            check_first(known, plan, is_anywhere=is_anywhere)


def with_one_on(town: Town, host_id: HostId) -> tuple[Town, HostId]:
    """Return a town with one machine at most on a host."""
    on = [m.id for m in town.machines if m.host_id == host_id]
    machines = tuple(m for m in town.machines if m.id not in on[1:])
    return replace(town, hosts=used_by(town.hosts, machines), machines=machines), host_id


def check_first(town: Town, plan: Plan, *, is_anywhere: bool) -> None:
    """Check the first move against every host that machine could have gone to; where mates move along there is more to say."""
    first = plan.moves[0]
    machine = next(m for m in town.machines if m.id == first.machine_id)
    if any(m.group == machine.group and m.host_id == machine.host_id and m.id != machine.id for m in town.machines):
        return
    board = Board(town.cluster)
    on = {m.host_id for m in town.machines}
    able = [board.cluster.host_ids[h] for h in np.flatnonzero(board.room(board.cluster.machine_index[machine.id])).tolist()]
    least = min(misfits(with_machine_on(town, machine, h)) for h in able if is_anywhere or h in on)
    assert misfits(with_machine_on(town, machine, first.target_id)) == least, plan.kind


def with_machine_on(town: Town, machine: MachineEntry, host_id: HostId) -> Town:
    return replace(town, machines=tuple(replace(m, host_id=host_id) if m.id == machine.id else m for m in town.machines))


def house(places: Sequence[tuple[int, str, int]], racks: Sequence[str], rule: dict[str, Any], vcpu: Sequence[int] = ()) -> Town:
    """Return hosts in these racks, and machines (host, group, vCPU and memory)."""
    sizes = vcpu or [16] * len(racks)
    hosts = [entry(n, vcpu=sizes[n], memory_mib=sizes[n], storage=(), rack=rack) for n, rack in enumerate(racks)]
    machines = tuple(
        MachineEntry(
            id=ResourceId(f"inst_{n}"), name=f"m{n}", host_id=hosts[host].host.id, group=group,
            compute=Resources.of({VCPU: size, MEMORY_MIB: size}), **(rule if group else {}),
        )
        for n, (host, group, size) in enumerate(places)
    )  # fmt: skip
    return Town(used_by(hosts, machines), machines, {h.host.id: HostWatts(idle=100, most=400) for h in hosts})


def targets(plan: Plan) -> dict[str, int]:
    return {m.machine: int(m.target_id.removeprefix("host_")) for m in plan.moves}


def test_a_drained_machine_joins_those_it_would_rather_be_with_though_their_host_is_fuller() -> None:
    town = house([(0, "g", 2), (1, "g", 2), (1, "", 8)], ["", "", ""], {"spread": SpreadLevel.HOST, **TOGETHER})
    assert targets(drain(town.cluster, [town.hosts[0].host.id])) == {"m0": 1}


def test_those_who_leave_together_stay_together_and_join_most_of_the_others() -> None:
    rule = {"spread": SpreadLevel.RACK, **TOGETHER}
    alone = house([(0, "g", 2), (0, "g", 2), (0, "g", 2), (1, "", 1)], ["a", "a", "b"], rule, vcpu=[16, 3, 16])
    assert targets(drain(alone.cluster, [alone.hosts[0].host.id])) == {"m0": 2, "m1": 2, "m2": 2}
    # Most of them are in its own rack, as long as they have not left it.
    torn = house([*[(0, "g", 2)] * 3, (2, "g", 2), (2, "", 7)], ["a", "a", "b"], rule, vcpu=[16, 4, 16])
    assert targets(drain(torn.cluster, [torn.hosts[0].host.id])) == {"m0": 2, "m1": 2, "m2": 2}


def test_a_drained_machine_goes_where_most_of_those_are_it_would_rather_be_with() -> None:
    places = [(0, "g", 2), (1, "g", 2), (2, "g", 2), (2, "g", 2)]
    town = house(places, ["", "", ""], {"spread": SpreadLevel.HOST, **TOGETHER})
    assert targets(drain(town.cluster, [town.hosts[0].host.id])) == {"m0": 2}


def test_a_rule_that_allows_two_is_kept_by_two() -> None:
    rule = {"spread": SpreadLevel.HOST, "spread_is_hard": False, "most_per_domain": 2}
    town = house([(0, "g", 2), (1, "g", 2), (2, "", 5)], ["", "", ""], rule)
    assert targets(drain(town.cluster, [town.hosts[0].host.id])) == {"m0": 1}, "the emptiest, where one more is as it should be"
    full = house([(0, "g", 2), (1, "g", 1), (1, "g", 1), (2, "", 5)], ["", "", ""], rule)
    assert targets(drain(full.cluster, [full.hosts[0].host.id])) == {"m0": 2}


@pytest.mark.parametrize("is_together", [True, False])
def test_hosts_are_emptied_onto_those_where_the_rule_is_kept(is_together: bool) -> None:
    rule = {"spread": SpreadLevel.HOST, "spread_is_hard": False, "is_kept_together": is_together}
    town = house([(0, "g", 2), (1, "g", EMPTIER[is_together]), (2, "", EMPTIER[not is_together])], ["", "", ""], rule)
    machines = tuple(replace(m, stays="" if m.name == "m0" else "moves.cooling") for m in town.machines)
    plan = consolidate(replace(town, machines=machines).cluster, SAVING)
    assert targets(plan) == {"m0": 1 if is_together else 2}


@pytest.mark.parametrize("is_together", [True, False])
def test_room_is_made_by_a_move_that_keeps_the_rule(is_together: bool) -> None:
    rule = {"spread": SpreadLevel.HOST, "spread_is_hard": False, "is_kept_together": is_together}
    town = house([(0, "g", 4), (1, "g", EMPTIER[is_together]), (2, "", EMPTIER[not is_together])], ["", "", ""], rule)
    machines = tuple(replace(m, stays="" if m.name == "m0" else "moves.cooling") for m in town.machines)
    wanted = WantedEntry(compute=Resources.of({VCPU: 14, MEMORY_MIB: 14}))
    assert targets(make_room(replace(town, machines=machines, wanted=(wanted,)).cluster)) == {"m0": 1 if is_together else 2}
