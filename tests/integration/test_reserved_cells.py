"""Reservations of sizes that ask how they lie: whole processors and parts of cells are held, guarded, drawn on, given back."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.reconcile.auditor import audit_invariants
from controller.tickets.model import TicketState
from controller.workflows import reservations, tickets
from controller.workflows.reservation_wish import ReservationWish
from controller.workflows.reservations import Shown
from inventory.domain.catalogue import Size
from inventory.domain.errors import Unplaceable
from inventory.domain.ids import SizeId
from inventory.domain.layout import Layout, Seat
from inventory.domain.reservation import ReservationState
from inventory.domain.resource import ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import directory, hosts, resources, systems
from inventory.store import reservations as reservation_store
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.database import open_for_test
from tests.support.platform import CellSpec, Furnished, furnish
from tests.support.race import race
from tests.support.samples import NOW_S, ticket_text

DAY_S = 86_400
NOW = int(NOW_S)
#: Two cells of four cores with two threads each; half of each is dedicated: eight processors on each host.
CELLS = CellSpec(dedicated_cpus="2-3,6-7,10-11,14-15", huge_pages=((2048, 1024),))


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Furnished]:
    furnished = furnish(database, tmp_path, host_count=2, cells=CELLS)
    yield furnished
    with database.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
        assert reservation_store.recount_held(connection) == []


def reserve(here: Furnished, name: str = "spring", size: str = "pinned-2", **changes: Any) -> Shown:
    wish = ReservationWish(name=name, project="P-portal", zone="gov-public", size=size, ends_s=NOW + 10 * DAY_S)
    return reservations.create(here.platform, replace(wish, **changes), here.caller())


def drawing(name: str, reservation: str = "spring", **changes: Any) -> bytes:
    text = ticket_text(name, **changes)
    return text.replace(b"{code: P-portal}", f"{{code: P-portal, reservation: {reservation}}}".encode())


def submit(here: Furnished, text: bytes) -> None:
    assert tickets.submit(here.platform, text, here.caller()).state is TicketState.ACCEPTED


def held(here: Furnished) -> dict[str, int]:
    found: dict[str, int] = {}
    with here.platform.db.read() as connection:
        for row in hosts.inventories(connection):
            if row.held_reservations:
                found[row.dimension] = found.get(row.dimension, 0) + row.held_reservations
    return found


def slot_seats(here: Furnished, name: str = "spring") -> list[tuple[str, Seat]]:
    found = reservations.show(here.platform, name, PLATFORM).reservation
    with here.platform.db.read() as connection:
        return [(s.host_id, s.seat) for s in reservation_store.slots_of(connection, found.id) if s.seat]


def machine_seats(here: Furnished, system: str) -> list[tuple[str | None, Seat | None]]:
    with here.platform.db.read() as connection:
        found = resources.of_system(connection, systems.get(connection, system, PLATFORM).id)
    return [(r.host_id, r.instance.seat) for r in found if r.kind is ResourceKind.INSTANCE]


def test_whole_processors_are_held_and_given_to_nobody_else(here: Furnished) -> None:
    made = reserve(here, count=8)
    assert made.left_count == 8
    amounts = held(here)
    assert amounts["pcpu"] == 16
    assert sum(n for d, n in amounts.items() if d.startswith("cpu:")) == 16
    assert amounts["memory_mib"] == sum(n for d, n in amounts.items() if d.startswith("cell:")) == 8 * 1024
    assert "vcpu" not in amounts
    with pytest.raises(Unplaceable) as refused:
        submit(here, ticket_text("other", size="pinned-1"))
    assert refused.value.code == "placement.no_host_fits"
    submit(here, ticket_text("plain"))


def test_the_quota_counts_them_as_the_machines_they_are_for(here: Furnished) -> None:
    reserve(here, count=3)
    with here.platform.db.read() as connection:
        used = {x.dimension: x.used for x in quota_store.levels(connection) if x.scope == "P-portal" and x.used}
    assert used == {"vcpu": 6, "memory_mib": 3 * 1024, "disk_gib": 3, "instances": 3}
    submit(here, drawing("db", size="pinned-2"))
    with here.platform.db.read() as connection:
        assert quota_store.recount(connection) == []
        after = {x.dimension: x.used for x in quota_store.levels(connection) if x.scope == "P-portal"}
    assert (after["vcpu"], after["memory_mib"], after["instances"]) == (6, 3 * 1024, 3)


def test_each_machine_takes_the_seat_of_a_slot_until_the_last_one_is_used_up(here: Furnished) -> None:
    reserve(here, count=8, size="pinned-2")
    seats = slot_seats(here)
    plan = tickets.plan(here.platform, drawing("db", size="pinned-2", count=3), here.caller()).to_json()
    assert plan["reservation"]["machines"] == 3
    for number in range(8):
        submit(here, drawing(f"db-{number}", size="pinned-2"))
        (seated,) = machine_seats(here, f"db-{number}")
        assert seated in seats
    assert held(here) == {}
    found = reservations.page(here.platform, PLATFORM, limit=10, after="", with_ended=True)
    assert [(s.reservation.state, s.left_count) for s in found] == [(ReservationState.CONVERTED, 0)]


def test_nodes_on_two_cells_with_huge_pages_are_held_as_such(here: Furnished) -> None:
    reserve(here, size="pinned-4x2", count=4)
    amounts = held(here)
    assert (amounts["pcpu"], amounts["huge_mib:2048"]) == (16, 4 * 2048)
    assert (amounts["cell:0:huge_mib:2048"], amounts["cell:1:huge_mib:2048"]) == (4 * 1024, 4 * 1024)
    with pytest.raises(Unplaceable):
        submit(here, ticket_text("other", size="pinned-4x2"))
    submit(here, drawing("db", size="pinned-4x2", count=2))
    assert reservations.show(here.platform, "spring", PLATFORM).left_count == 2


def test_a_machine_of_another_kind_uses_nothing_of_it_up(here: Furnished) -> None:
    reserve(here, count=2)
    before = held(here)
    submit(here, drawing("web", size="tiny"))
    assert held(here) == before
    # Of the same kind and another shape: as many slots as its processors are worth.
    submit(here, drawing("db", size="pinned-3"))
    assert held(here) == {}


def test_two_that_follow_each_other_share_processors(here: Furnished) -> None:
    reserve(here, "first", count=8, ends_s=NOW + 5 * DAY_S)
    with pytest.raises(Unplaceable) as refused:
        reserve(here, "second", count=1, starts_s=NOW + 4 * DAY_S)
    assert refused.value.code == "reservation.no_host_fits"
    reserve(here, "second", count=8, starts_s=NOW + 5 * DAY_S)
    assert held(here)["pcpu"] == 16
    # A machine has no end: drawn on the first one it would stand in the seats of the second.
    with pytest.raises(Unplaceable):
        submit(here, drawing("db", "first", size="pinned-2"))


def test_what_is_over_or_given_up_frees_its_processors(here: Furnished) -> None:
    reserve(here, count=4)
    reserve(here, "other", count=4)
    reservations.release(here.platform, "other", here.caller())
    assert held(here)["pcpu"] == 8
    here.clock.now_s += 10 * DAY_S
    assert reservations.expire(here.platform) == 1
    assert held(here) == {}
    submit(here, ticket_text("db", size="pinned-2", count=2))


def test_a_size_that_asks_for_a_trait_is_held_on_hosts_that_have_it(here: Furnished) -> None:
    size = Size(id=SizeId(here.platform.new_id("size")), name="fast", vcpu_count=1, memory_mib=128, root_disk_gib=1)
    with here.platform.db.write() as connection:
        directory.save_size(connection, replace(size, traits=("nvme",)))
        hosts.save_host(connection, replace(hosts.host(connection, here.hosts[1].id), traits=("nvme",)))
    made = reserve(here, size="fast", count=2)
    assert made.reservation.traits == ("nvme",)
    with here.platform.db.read() as connection:
        rows = [r for r in hosts.inventories(connection) if r.held_reservations]
    assert {r.host_id for r in rows} == {here.hosts[1].id}


def test_a_size_no_host_can_seat_is_refused_with_the_numbers_of_cells(here: Furnished) -> None:
    layout = Layout.of(is_dedicated=True, node_count=1)
    size = Size(id=SizeId(here.platform.new_id("size")), name="wide", vcpu_count=6, memory_mib=512, root_disk_gib=1)
    with here.platform.db.write() as connection:
        directory.save_size(connection, replace(size, layout=layout))
    with pytest.raises(Unplaceable) as refused:
        reserve(here, size="wide")
    assert refused.value.details["explanations"][0]["misses"][0][1] == "numa"
    assert held(here) == {}


@pytest.mark.postgres
def test_the_last_processors_are_promised_once_to_tickets_and_reservations(postgres_url: str, tmp_path: Path) -> None:
    rounds = 4
    with open_for_test(postgres_url, pool_size=12) as database:
        here = furnish(database, tmp_path, host_count=2, cells=CELLS)

        def attempt(round_: int, number: int) -> bool:
            try:
                if number < 3:
                    submit(here, ticket_text(f"t-{round_}-{number}", size="pinned-1"))
                elif number < 6:
                    reserve(here, f"r-{round_}-{number}", size="pinned-1")
                else:
                    submit(here, drawing(f"d-{round_}-{number}", "standing", size="pinned-1"))
            except Unplaceable:
                return False
            return True

        def between(round_: int) -> None:
            if round_ == 0:
                reserve(here, "standing", size="pinned-1", count=2 * rounds + 1)

        race(attempt, contenders=8, rounds=rounds, between=between, threads=8)
        with database.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
            rows = [r for r in hosts.inventories(connection) if r.dimension.startswith("cpu:")]
            assert all(r.used + r.held_reservations == 1 for r in rows), "sixteen processors, each promised once"
