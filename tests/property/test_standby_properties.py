"""The reserve means what it says: whatever domains are lost, every host on them finds a host of its own, by brute force."""

import random
from itertools import combinations, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.domain.host import Reserve, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.standby import PoolHost, Shape, choose_standby, is_enough, shape


def some_shape(source: random.Random) -> Shape:
    amounts = {"vcpu": source.choice([16, 16, 16, 32]), "memory_mib": source.choice([64, 64, 128])}
    storage = [("standard", source.choice([500, 500, 1000])) for _ in range(source.choice([1, 1, 1, 2]))]
    return shape((source.choice(["x86_64"] * 5 + ["aarch64"]), "kvm", 1), amounts, storage)


def some_pool(source: random.Random) -> list[PoolHost]:
    racks = source.randint(1, 4)

    def one(number: int) -> PoolHost:
        load = some_shape(source)
        return PoolHost(
            id=HostId(f"host_{number}"),
            domain=f"r{source.randrange(racks)}",
            load=load,
            room=load if source.random() < 0.9 else some_shape(source),
            is_ready=source.random() < 0.9,
            is_empty=source.random() < 0.7,
            is_standby=source.random() < 0.2,
        )

    return [one(n) for n in range(source.randint(1, 7))]


def takes(room: Shape, load: Shape) -> bool:
    """Every storage pool finds one of its own, tried in every order."""
    if room.kind != load.kind or any(amount > dict(room.amounts)[d] for d, amount in load.amounts):
        return False
    return any(
        all(r >= s for (_, r), (_, s) in zip(order, load.storage, strict=True))
        for order in permutations(room.storage, len(load.storage))
    )


def survives(hosts: list[PoolHost], standby: frozenset[str], lost: tuple[str, ...]) -> bool:
    """Tell whether the hosts of lost working domains can be given stand-by hosts that are left, one each."""
    falling = [h for h in hosts if h.domain in lost and h.domain not in standby]
    left = [h for h in hosts if h.domain in standby and h.domain not in lost and h.is_ready]
    return any(
        all(takes(room.room, load.load) for room, load in zip(order, falling, strict=True))
        for order in permutations(left, len(falling))
    )


@given(st.integers(0, 2**32), st.integers(1, 2))
@settings(max_examples=300, deadline=None)
def test_any_domains_may_be_lost_and_nothing_less_would_do(seed: int, count: int) -> None:
    hosts = some_pool(random.Random(seed))
    reserve = Reserve(level=ReserveLevel.RACK, count=count)
    found = choose_standby(hosts, reserve)
    domains = sorted({h.domain for h in hosts})
    assert is_enough(hosts, found.domains, reserve)
    for lost in (c for n in range(1, count + 1) for c in combinations(domains, n)):
        assert survives(hosts, found.domains, lost), f"{lost} lost, {sorted(found.domains)} standing by"
    for name in found.domains:
        assert not is_enough(hosts, found.domains - {name}, reserve), f"{name} stands by for nothing"
    in_use = {h.domain for h in hosts if not h.is_empty}
    if not found.uncovered:
        assert not (found.domains & in_use)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_who_stands_by_stays_until_something_changes(seed: int) -> None:
    hosts = some_pool(random.Random(seed))
    reserve = Reserve(level=ReserveLevel.RACK)
    first = choose_standby(hosts, reserve).domains
    settled = [PoolHost(**{f: getattr(h, f) for f in h.__slots__} | {"is_standby": h.domain in first}) for h in hosts]
    assert choose_standby(settled, reserve).domains == first
