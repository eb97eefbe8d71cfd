"""How many more machines of a named system fit is what every way to spread them over the hosts allows, tried one by one.

The ways are tried on the rows of the database: what is free, where the system's machines are, which addresses are left.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.networks import address_plan
from controller.workflows import tickets
from controller.workflows.capacity.system_fit import GroupFit, how_many_more_of
from inventory.domain.errors import AllotError, Unplaceable
from inventory.domain.host import AdminState
from inventory.domain.resource import ResourceKind
from inventory.domain.resources import MEMORY_MIB, VCPU, disk_dimension
from inventory.domain.scope import PLATFORM
from inventory.store import directory, hosts, networks, resources, systems
from tests.support.address_zones import ROOM, furnish_narrow
from tests.support.database import sqlite_database
from tests.support.platform import Furnished
from tests.support.samples import change_text, ticket_text

#: Of each new machine: a tiny one with a root disk and a data disk of 1 GiB each.
NEEDS = {VCPU: 1, MEMORY_MIB: 128, disk_dimension("standard"): 2}


def wider(found: GroupFit, more: int) -> bytes:
    return change_text("portal", f"{{name: web, count: {found.have + more}}}")


def asked(here: Furnished) -> GroupFit:
    with here.platform.db.read() as connection:
        system, (group,) = how_many_more_of(connection, here.platform, "portal")
    assert system.name == "portal"
    return group


def most(here: Furnished) -> int:
    """Try every way to give each host some machines, and return the most there is."""
    with here.platform.db.read() as connection:
        system = systems.get(connection, "portal", PLATFORM)
        (server,) = system.spec.servers
        parts = resources.of_system(connection, system.id)
        rooms = networks.rooms(connection, system.department_id, here.clock())
        (zone,) = directory.zones(connection)
        taken = networks.subnets_taken(connection)
        rows = hosts.inventories(connection)
        every = hosts.hosts(connection)
    there = Counter(r.host_id for r in parts if r.kind is ResourceKind.INSTANCE)
    block_count = len(list(address_plan.free_subnets(zone.address_range, zone.segment_prefix, taken)))
    best = 0
    for way in product(range(ROOM + 1), repeat=len(every)):
        placed = {host.id: count for host, count in zip(every, way, strict=True) if count}
        # A network of the system is on one host, and that has all of them.
        if len(placed.keys() | {host_id for host_id, count in there.items() if count}) > 1:
            continue
        domains, new_blocks, has_room = Counter[str](), 0, True
        for host in every:
            count = placed.get(host.id, 0)
            domains[host.id if server.spread == "host" else host.rack] += there[host.id] + count
            free = {r.dimension: r.free for r in rows if r.host_id == host.id}
            can = host.admin_state is AdminState.ACTIVE and all(free[d] >= n * count for d, n in NEEDS.items())
            left = [address_plan.usable_count(r.cidr) - r.held_count for r in rooms if r.host_id == host.id]
            can &= count <= (left[0] if left else address_plan.usable_count(zone.segment_prefix))
            has_room &= can or not count
            new_blocks += bool(count and not left)
        is_spread = server.spread == "none" or max(domains.values()) <= server.spread_max
        if has_room and is_spread and new_blocks <= block_count:
            best = max(best, sum(way))
    return best


@contextmanager
def city(source: random.Random, folder: Path) -> Iterator[Furnished]:
    """A small platform on which others have a part already, and a system with rules of its own."""
    with sqlite_database(folder / "state.db") as database:
        here = furnish_narrow(database, folder, host_count=3, blocks=source.choice([2, 4]), cpu_count=source.randint(4, 12))
        spread, most_there = source.choice(["none", "host", "rack"]), source.randint(2, 5)
        rule = "" if spread == "none" else f", spread: {spread}, spread-max: {most_there}"
        have = 1 if spread == "none" else source.randint(1, 2)
        tickets.submit(here.platform, ticket_text("portal", count=have, more=rule), here.caller())
        for number in range(source.randint(0, 2)):
            department = source.choice([("civil-it", "P-portal"), ("water-it", "P-gauges")])
            text = ticket_text(f"other-{number}", department=department[0], project=department[1], count=source.randint(1, 3))
            try:
                tickets.submit(here.platform, text, here.caller(department=department[0]))
            except AllotError:
                continue
        with database.write() as connection:
            for host in here.hosts:
                if source.random() < 0.15:
                    hosts.set_admin_state(connection, host.id, AdminState.CORDONED, reason="检修", by="op", until_s=None)
        yield here


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_the_count_is_the_most_of_all_ways_and_is_what_a_ticket_gets(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, city(random.Random(seed), Path(folder)) as here:
        found = asked(here)
        assert found.count == most(here)
        assert found.explanation is not None
        with pytest.raises(Unplaceable):
            tickets.submit(here.platform, wider(found, found.count + 1), here.caller())
        if found.count:
            tickets.submit(here.platform, wider(found, found.count), here.caller())
            assert (asked(here).have, asked(here).count) == (found.have + found.count, 0)


def test_the_cases_are_of_every_kind() -> None:
    """Some are ended by spread, some by addresses, some by what hosts have; some get none and some get several."""
    ends, counts = Counter[str](), Counter[int]()
    for seed in range(30):
        with tempfile.TemporaryDirectory() as folder, city(random.Random(seed), Path(folder)) as here:
            found = asked(here)
        assert found.explanation is not None
        ends.update({miss[1] for miss in found.explanation["misses"]})
        counts[found.count] += 1
    assert {"spread", "addresses", "capacity"} <= ends.keys()
    assert counts[0] >= 3
    assert counts.total() - counts[0] - counts[1] >= 3
