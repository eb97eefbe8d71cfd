"""Seeded gangs that fit about every second time: hosts half full in pieces, several kinds of machines, rules."""

import random

from controller.scheduling.snapshot import Snapshot
from inventory.domain.placement import GroupRule, MemberRequest, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from tests.support.placement import GIB, entry, member, request, snapshot

_SIZES = [(2, 4), (4, 8), (4, 32), (8, 16), (8, 64), (16, 32), (12, 24), (6, 48), (10, 20)]


def gang(seed: int, host_counts: tuple[int, ...] = (8, 12, 16, 24, 40)) -> tuple[Snapshot, PlacementRequest]:
    """Return hosts and a request for 50 to 85 % of what is free there."""
    source = random.Random(seed)
    hosts = [
        entry(
            number,
            vcpu=64,
            memory_mib=256 * GIB,
            used={VCPU: source.randint(30, 60), MEMORY_MIB: source.randint(100, 236) * GIB},
            storage=(),
            rack=f"r{number // 4}",
        )
        for number in range(source.choice(host_counts))
    ]
    sizes = source.sample(_SIZES, source.choice([2, 3, 4]))
    left = round(source.uniform(0.5, 0.85) * sum(64 - host.used[VCPU] for host in hosts))
    members: list[MemberRequest] = []
    while left > 0:
        kind = source.randrange(len(sizes))
        vcpu, memory_gib = sizes[kind]
        members.append(member(f"m{len(members)}", group=f"g{kind}", vcpu=vcpu, memory_mib=memory_gib * GIB, disks=()))
        left -= vcpu
    rules = tuple(
        GroupRule(
            group=f"g{kind}",
            spread=source.choice([SpreadLevel.HOST, SpreadLevel.RACK]),
            is_hard=True,
            max_per_domain=source.choice([1, 2, 3]),
        )
        for kind in range(len(sizes))
        if source.random() < 0.3
    )
    return snapshot(hosts), request(*members, rules=rules)
