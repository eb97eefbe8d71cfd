"""The most machines that addresses allow is the most of every way to give blocks to hosts, tried one by one."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.networks import address_plan
from controller.scheduling.address_fit import AddressFit
from controller.scheduling.fit_count import PoolFit, Shape, count_by_pool
from inventory.domain.ids import PoolId
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.system import SpreadLevel
from tests.property.test_scheduling_oracle import some_hosts
from tests.support.placement import snapshot

SEEDS = st.integers(0, 2**32)


def ways(host_count: int, blocks: int, each_most: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to give hosts blocks."""
    return (way for way in product(range(each_most + 1), repeat=host_count) if sum(way) <= blocks)


def most(counts: Sequence[int], fit: AddressFit) -> int:
    if fit.left is None:
        found = ways(len(counts), fit.block_count, 4)
        return max(sum(min(c, b * fit.segment_size) for c, b in zip(counts, way, strict=True)) for way in found)
    left = fit.left.tolist()
    best = 0
    for way in ways(len(counts), fit.block_count, 1):
        there = [fit.segment_size * blocks if free < 0 else free for free, blocks in zip(left, way, strict=True)]
        best = max(best, sum(min(c, n) for c, n in zip(counts, there, strict=True)))
    return best


def most_domains(counts: Sequence[int], domains: Sequence[int], fit: AddressFit) -> int:
    able = [h for h, count in enumerate(counts) if count > 0]
    left = [-1] * len(counts) if fit.left is None else fit.left.tolist()
    best = 0
    for number in range(len(able) + 1):
        for chosen in combinations(able, number):
            new = sum(left[h] < 0 for h in chosen)
            has_room = all(left[h] > 0 or (left[h] < 0 and fit.segment_size > 0) for h in chosen)
            if has_room and new <= fit.block_count and len({domains[h] for h in chosen}) == number:
                best = max(best, number)
    return best


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_the_count_is_the_most_of_all_ways_to_give_the_blocks(seed: int) -> None:
    source = random.Random(seed)
    host_count = source.randint(1, 5)
    counts = [source.randint(0, 4) for _ in range(host_count)]
    domains = [source.randint(0, 2) for _ in range(host_count)]
    left = np.array([source.choice([-1, -1, 0, 1, 2, 5]) for _ in range(host_count)]) if source.random() < 0.6 else None
    fit = AddressFit(segment_size=source.randint(0, 3), block_count=source.randint(0, 4), left=left)
    columns, hosts = np.array(counts, dtype=np.int32), np.arange(host_count)
    assert fit.count(columns, hosts) == most(counts, fit)
    assert fit.domain_count(columns, hosts, np.array(domains, dtype=np.int32)) == most_domains(counts, domains, fit)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.sampled_from([SpreadLevel.NONE, SpreadLevel.HOST, SpreadLevel.RACK]))
def test_the_limit_that_is_named_is_one(seed: int, spread: SpreadLevel) -> None:
    """With more of what is named as short there are more of it; with plenty of addresses the count is that without."""
    source = random.Random(seed)
    picture = snapshot(some_hosts(source, pools_max=2))
    shape = Shape(ask=((MEMORY_MIB, source.randint(1, 4)), (VCPU, source.randint(1, 4))), disk_gib=source.choice([0, 1, 3]))
    left = np.array([source.choice([-1, 0, 1, 2]) for _ in range(picture.host_count)])
    little = AddressFit(segment_size=source.randint(1, 3), block_count=source.randint(0, 3), left=left)
    plenty = AddressFit(segment_size=1000, block_count=1000, left=np.full(picture.host_count, -1))

    def fits(room: AddressFit | None) -> dict[PoolId, PoolFit]:
        rooms = None if room is None else dict.fromkeys(picture.pool_ids, room)
        return {f.pool_id: f for f in count_by_pool(shape, picture, spread=spread, addresses=rooms)}

    without, more = fits(None), fits(replace(little, block_count=1000))
    assert fits(plenty) == without
    for pool_id, fit in fits(little).items():
        assert fit.count <= without[pool_id].count
        assert (fit.limit in ("addresses", "address_blocks")) == (fit.count < without[pool_id].count)
        assert (fit.limit == "address_blocks") == (more[pool_id].count > fit.count)


@settings(max_examples=150, deadline=None)
@given(SEEDS)
def test_blocks_are_counted_as_they_would_be_given_out(seed: int) -> None:
    source = random.Random(seed)
    prefix = source.choice([26, 28, 29, 30])
    lengths = source.choices([24, 26, 28, 30], k=source.randint(0, 6))
    numbers = [source.randrange(4 * 256) >> (32 - length) << (32 - length) for length in lengths]
    taken = [f"10.96.{n // 256}.{n % 256}/{length}" for n, length in zip(numbers, lengths, strict=True)]
    free = list(address_plan.free_subnets("10.96.1.0/24", prefix, taken))
    assert address_plan.free_count("10.96.1.0/24", prefix, taken) == len(free)
