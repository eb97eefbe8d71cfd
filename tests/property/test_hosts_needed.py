"""How many hosts tickets need lies between its own lower bound and the best of all ways to place them, addresses included.

The ways are tried one by one: every ticket has one network, whose machines stay together, so a way gives each ticket a host.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.workflows.capacity.hosts_needed import HostShape, hosts_needed
from inventory.domain.errors import Invalid
from tests.support.address_zones import ROOM, furnish_narrow, set_blocks
from tests.support.database import sqlite_database
from tests.support.platform import Furnished
from tests.support.samples import ticket_text

OWNERS = (("civil-it", "P-portal"), ("water-it", "P-gauges"))
#: Department, network, machines.
Ticket = tuple[int, str, int]


def fewest(asked: list[Ticket], vcpu_count: int, block_count: int) -> int | None:
    """Return the fewest hosts of all ways; None where there is no way on as many hosts as tickets."""
    best: int | None = None
    for way in product(range(len(asked)), repeat=len(asked)):
        vcpus, addresses = Counter[int](), Counter[tuple[int, str, int]]()
        for host, (owner, network, count) in zip(way, asked, strict=True):
            vcpus[host] += count
            addresses[owner, network, host] += count
        if max(vcpus.values()) <= vcpu_count and max(addresses.values()) <= ROOM and len(addresses) <= block_count:
            best = len(vcpus) if best is None else min(best, len(vcpus))
    return best


def answer(here: Furnished, asked: list[Ticket], vcpu_count: int) -> tuple[int, int] | str:
    """Return the hosts needed and the lower bound, or the code it is refused with."""
    texts = []
    for number, (owner, network, count) in enumerate(asked):
        department, project = OWNERS[owner]
        more = f", networks: [{network}]"
        texts.append(ticket_text(f"system-{number}", department=department, project=project, count=count, more=more))
    shape = HostShape(vcpu_count=vcpu_count, memory_mib=1 << 20, disks_gib={"standard": 10_000})
    try:
        (found,) = hosts_needed(here.platform, texts, shape, here.caller(department="city"))
    except Invalid as refused:
        return refused.code
    return found.host_count, found.lower_bound


def case(seed: int) -> tuple[list[Ticket], int, int]:
    source = random.Random(seed)
    tickets = [
        (source.randint(0, 1), source.choice(["default", "data"]), source.randint(1, 4)) for _ in range(source.randint(1, 5))
    ]
    return tickets, source.randint(4, 12), source.choice([2, 4, 8])


@pytest.fixture(scope="module")
def here() -> Iterator[Furnished]:
    with tempfile.TemporaryDirectory() as folder, sqlite_database(Path(folder) / "state.db") as database:
        yield furnish_narrow(database, Path(folder), host_count=1, blocks=8)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_answer_lies_between_its_lower_bound_and_what_is_possible(here: Furnished, seed: int) -> None:
    asked, vcpu_count, block_count = case(seed)
    set_blocks(here, block_count)
    best, found = fewest(asked, vcpu_count, block_count), answer(here, asked, vcpu_count)
    if isinstance(found, str):
        assert found == "capacity.addresses_short"
        return
    assert best is not None, "more was promised than there is"
    host_count, lower_bound = found
    assert lower_bound <= best <= host_count


def test_most_answers_are_the_best_there_is_and_hardly_any_refusal_is_wrong(here: Furnished) -> None:
    seen = Counter[str]()
    for seed in range(50):
        asked, vcpu_count, block_count = case(seed)
        set_blocks(here, block_count)
        best, found = fewest(asked, vcpu_count, block_count), answer(here, asked, vcpu_count)
        if isinstance(found, str):
            seen["refused" if best is None else "refused wrongly"] += 1
        else:
            seen["best" if found[0] == best else "more"] += 1
    assert seen["best"] >= 35
    assert seen["refused"] >= 4
    assert seen["more"] + seen["refused wrongly"] <= 2
