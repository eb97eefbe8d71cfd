"""How many hosts tickets need when the loss of hosts or racks is to be survived: against all ways to place them and all losses,
and against a pool of just so many hosts.

Every ticket has one network, whose machines stay together, so a way gives each ticket a host.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, count, product
from pathlib import Path

import pytest

from controller.workflows import tickets
from controller.workflows.capacity.hosts_needed import HostShape, ZoneNeed, hosts_needed
from inventory.domain.errors import Invalid, Unplaceable
from inventory.domain.host import NO_RESERVE, Host, Reserve, ReserveLevel
from inventory.store import hosts
from tests.support.database import sqlite_database
from tests.support.platform import Furnished, furnish
from tests.support.reserves import set_reserve
from tests.support.samples import ticket_text

HOST, RACK = ReserveLevel.HOST, ReserveLevel.RACK


@pytest.fixture(scope="module")
def here() -> Iterator[Furnished]:
    with tempfile.TemporaryDirectory() as folder, sqlite_database(Path(folder) / "state.db") as database:
        yield furnish(database, Path(folder), host_count=1)


def needed(here: Furnished, documents: Sequence[bytes], shape: HostShape) -> ZoneNeed:
    (found,) = hosts_needed(here.platform, documents, shape, here.caller())
    return found


def shape(vcpu_count: int, per_rack: int, reserve: Reserve) -> HostShape:
    return HostShape(
        vcpu_count=vcpu_count, memory_mib=1 << 20, disks_gib={"standard": 10_000}, per_rack=per_rack, reserve=reserve
    )


# -- all ways, all losses -----------------------------------------------------------------------------------------------------


def fits(sizes: Sequence[int], room: Sequence[int]) -> bool:
    """Tell whether these go into that room, each whole."""
    if not sizes:
        return True
    first, rest = sizes[0], sizes[1:]
    return any(
        fits(rest, [*room[:n], left - first, *room[n + 1 :]])
        for n, left in enumerate(room)
        if left >= first and left not in room[:n]
    )


def survives(way: Sequence[int], sizes: Sequence[int], domains: Sequence[int], vcpu_count: int, lost_count: int) -> bool:
    """Tell whether after the loss of any so many domains everything can be placed again on what is left."""
    used = Counter[int]()
    for host, size in zip(way, sizes, strict=True):
        used[host] += size
    if max(used.values()) > vcpu_count:
        return False
    for lost in combinations(sorted(set(domains)), min(lost_count, len(set(domains)))):
        homeless = sorted((s for h, s in zip(way, sizes, strict=True) if domains[h] in lost), reverse=True)
        if not fits(homeless, [vcpu_count - used[h] for h, domain in enumerate(domains) if domain not in lost]):
            return False
    return True


def fewest(sizes: Sequence[int], vcpu_count: int, per_rack: int, reserve: Reserve) -> int:
    """Return the fewest hosts of all ways: some that work, in racks that are filled one after the other, and some beside them."""
    for total in count(1):
        for working in range(1, total + 1):
            for domains in beside(working, total - working, per_rack, reserve):
                ways = product(range(working), repeat=len(sizes))
                if any(survives(way, sizes, domains, vcpu_count, reserve.count) for way in ways):
                    return total
    raise AssertionError("there is always a way")


def beside(working: int, more: int, per_rack: int, reserve: Reserve) -> Iterator[list[int]]:
    """Yield the domain of each host; racks that hold no machine are as large as the largest of the others, as pools have it."""
    if reserve.level is HOST:
        yield list(range(working + more))
        return
    own = [host // per_rack for host in range(working)]
    largest = own.count(0)
    if more == reserve.count * largest:
        yield own + [own[-1] + 1 + n for n in range(reserve.count) for _ in range(largest)]


def case(seed: int) -> tuple[list[int], int, int, Reserve]:
    source = random.Random(seed)
    sizes = [source.randint(1, 4) for _ in range(source.randint(1, 4))]
    reserve = Reserve(level=source.choice([HOST, RACK]), count=source.randint(1, 2))
    return sizes, source.randint(4, 6), source.randint(1, 3), reserve


@pytest.mark.parametrize("level", [HOST, RACK])
def test_the_answer_is_the_fewest_hosts_that_survive_every_loss(here: Furnished, level: ReserveLevel) -> None:
    for seed in range(40):
        sizes, vcpu_count, per_rack, reserve = case(seed)
        reserve = replace(reserve, level=level)
        documents = [ticket_text(f"system-{n}", count=size) for n, size in enumerate(sizes)]
        found = needed(here, documents, shape(vcpu_count, per_rack, reserve))
        best = fewest(sizes, vcpu_count, per_rack, reserve)
        assert found.host_count == best, f"{sizes} on {vcpu_count}, {per_rack} to a rack, {reserve}"
        assert found.lower_bound <= best
        assert 0 < found.standby_count < found.host_count


def test_without_a_reserve_nobody_stands_by(here: Furnished) -> None:
    found = needed(here, [ticket_text("one"), ticket_text("two")], shape(1, 2, NO_RESERVE))
    assert (found.host_count, found.standby_count, found.lower_bound) == (2, 0, 2)


# -- a pool of just so many hosts ------------------------------------------------------------------------------------------------

#: Rules of tickets for one machine each that fills a host, hosts of a rack, reserve, and hosts needed; 0: none are enough.
RULES = [
    (["rack"], 2, Reserve(level=HOST), 2),
    # Beside the stand-by host there is no place for who stands apart by rack.
    (["rack", "rack"], 2, Reserve(level=HOST), 4),
    (["rack", "none"], 2, Reserve(level=HOST), 3),
    (["rack", "rack"], 3, Reserve(level=HOST), 3),
    (["rack", "rack"], 1, Reserve(level=HOST), 3),
    (["rack", "none", "none"], 3, Reserve(level=HOST, count=2), 5),
    (["same-rack"], 2, Reserve(level=HOST), 2),
    (["same-rack", "same-rack"], 3, Reserve(level=HOST), 3),
    # The second one would be torn from its rack.
    (["same-rack", "same-rack"], 2, Reserve(level=HOST), 0),
    (["same-rack"], 1, Reserve(level=HOST), 0),
    (["same-rack", "same-rack"], 2, Reserve(level=RACK), 4),
    (["rack", "rack", "rack"], 2, Reserve(level=RACK), 5),
    (["same-rack", "rack", "none"], 4, Reserve(level=HOST, count=1), 4),
]


@pytest.mark.parametrize(("rules", "per_rack", "reserve", "host_count"), RULES)
def test_a_pool_of_just_so_many_hosts_takes_the_tickets_and_one_of_fewer_does_not(
    here: Furnished, tmp_path: Path, rules: list[str], per_rack: int, reserve: Reserve, host_count: int
) -> None:
    documents = [ticket_text(f"system-{n}", more=f", spread: {rule}") for n, rule in enumerate(rules)]
    if not host_count:
        with pytest.raises(Invalid) as refused:
            needed(here, documents, shape(1, per_rack, reserve))
        assert refused.value.code == "capacity.rules_need_no_reserve"
        assert not any(takes(tmp_path, documents, number, per_rack, reserve) for number in range(1, 9))
        return
    found = needed(here, documents, shape(1, per_rack, reserve))
    assert found.host_count == host_count
    assert found.lower_bound <= host_count
    if reserve.level is HOST:
        assert takes(tmp_path, documents, host_count, per_rack, reserve)
        assert not any(takes(tmp_path, documents, number, per_rack, reserve) for number in range(1, host_count))


def takes(path: Path, documents: Sequence[bytes], host_count: int, per_rack: int, reserve: Reserve) -> bool:
    """Tell whether a pool of so many hosts takes all of these tickets."""
    with sqlite_database(path / f"{host_count}.db") as database:
        pool = furnish(database, path, host_count=host_count, cpu_count=1)
        with database.write() as connection:
            for number, host in enumerate(pool.hosts):
                hosts.save_host(connection, racked(host, number // per_rack))
        set_reserve(database, reserve)
        try:
            for document in documents:
                tickets.submit(pool.platform, document, pool.caller())
        except Unplaceable:
            return False
    return True


def racked(host: Host, rack: int) -> Host:
    return replace(host, rack=f"R{rack}")
