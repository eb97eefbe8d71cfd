"""``how many more`` is exact: so many machines are placed by the scheduler itself, and one more is not."""

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.scheduling.decide import decide
from controller.scheduling.fit_count import PoolFit, Shape, count_by_pool
from controller.scheduling.policy import DEFAULT_POLICY
from controller.scheduling.snapshot import HostEntry
from inventory.domain.placement import GroupRule, Placement
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from tests.property.test_scheduling_oracle import some_hosts
from tests.support.placement import member, request, snapshot

SPREADS = (SpreadLevel.NONE, SpreadLevel.HOST, SpreadLevel.RACK, SpreadLevel.ROOM)


def fits(hosts: list[HostEntry], shape: Shape, count: int, zone_code: str, level: int, spread: SpreadLevel) -> bool:
    ask: dict[str, Any] = dict(shape.ask)
    disks = ((shape.disk_class, shape.disk_gib),) if shape.disk_gib else ()
    members = [member(f"m{n}", vcpu=ask[VCPU], memory_mib=ask[MEMORY_MIB], disks=disks, arch=shape.arch) for n in range(count)]
    rules = () if spread is SpreadLevel.NONE else (GroupRule(group="web", spread=spread, is_hard=True),)
    asked = request(*members, rules=rules, zone_code=zone_code, mlps_level=level)
    return isinstance(decide(asked, snapshot(hosts), DEFAULT_POLICY), Placement)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(SPREADS), st.integers(1, 3))
def test_so_many_fit_and_not_one_more(seed: int, spread: SpreadLevel, level: int) -> None:
    source = random.Random(seed)
    hosts = some_hosts(source, pools_max=2)
    shape = Shape(
        ask=((MEMORY_MIB, source.randint(1, 4)), (VCPU, source.randint(1, 4))),
        disk_gib=source.choice([0, 1, 3, 6]),
        disk_class=source.choice(["fast", "standard"]),
        arch=source.choice(["any", "any", "x86_64"]),
    )
    found: dict[str, PoolFit] = {
        str(f.pool_id): f for f in count_by_pool(shape, snapshot(hosts), mlps_level=level, spread=spread)
    }
    for code in "ab":
        # One pool in each zone of these cases.
        fit = found.get(f"pool_{code}")
        count = fit.count if fit else 0
        assert count == 0 or fits(hosts, shape, count, code, level, spread)
        assert not fits(hosts, shape, count + 1, code, level, spread)
        if fit and spread is SpreadLevel.NONE:
            assert fit.pooled_count >= fit.count, "cutting room into hosts never makes more of it"


def test_a_full_or_empty_site_has_room_for_none() -> None:
    shape = Shape(ask=((MEMORY_MIB, 1), (VCPU, 1)))
    assert count_by_pool(shape, snapshot([])) == []
    full = [replace(h, held=h.capacity) for h in some_hosts(random.Random(4), 1)]
    assert {f.count for f in count_by_pool(shape, snapshot(full))} == {0}
