"""What controllers keep of addresses: as good as a fresh look, also inside a transaction; the last address is given once."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from controller.reconcile.auditor import audit_invariants
from controller.tickets.model import TicketState
from controller.workflows import address_rooms, tickets
from controller.workflows.address_rooms import AddressRooms
from controller.workflows.picture import Picture
from controller.workflows.placing import PlacingCounters
from controller.workflows.platform import Platform
from controller.workflows.submission import Submission, lead
from controller.workflows.turns import Turns
from controller.workflows.wish import parse
from inventory.domain.errors import Unplaceable
from inventory.domain.host import Zone
from inventory.domain.placement import PlacementRequest
from inventory.domain.scope import PLATFORM
from inventory.store import claims, directory, networks, resources, systems, tables
from inventory.store.engine import Database
from tests.support.address_zones import ROOM, furnish_narrow
from tests.support.database import open_for_test
from tests.support.placement import member
from tests.support.platform import Furnished
from tests.support.race import race
from tests.support.samples import ticket_text

CONTENDERS = 16
NETWORKS = ("default", "data")


def _controllers(here: Furnished, count: int) -> list[Platform]:
    """Return several controllers on one state, each with its own queue and its own picture of the hosts."""
    return [replace(here.platform, turns=Turns(), picture=Picture(), placing=PlacingCounters()) for _ in range(count)]


def _zone(connection: Connection) -> Zone:
    [zone] = directory.zones(connection)
    return zone


def _asked(zone: Zone, networks_: tuple[str, ...], count: int) -> PlacementRequest:
    members = tuple(member(f"m{n}", networks=networks_) for n in range(count))
    return PlacementRequest(zone_id=zone.id, mlps_level=2, members=members)


def _submit(platform: Platform, here: Furnished, name: str, count: int, network: str) -> bool:
    text = ticket_text(name, count=count, more=f", networks: [{network}]")
    try:
        return tickets.submit(platform, text, here.caller()).state is TicketState.ACCEPTED
    except Unplaceable as refused:
        if refused.code != "placement.no_host_fits":
            raise
        return False


def _end(here: Furnished, connection: Connection, name: str) -> None:
    """End what a system holds, as the record of a confirmed absence does; its addresses rest."""
    parts = resources.of_system(connection, systems.get(connection, name, PLATFORM).id)
    claims.release(connection, *(r.id for r in parts))
    for part in parts:
        networks.rest(connection, part.id, here.clock() + 3600)


@pytest.mark.parametrize("changes_kept", [1000, 1])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_says_what_a_fresh_look_says(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, changes_kept: int
) -> None:
    monkeypatch.setattr(address_rooms, "_CHANGES_KEPT", changes_kept)
    source = random.Random(seed)
    here = furnish_narrow(database, tmp_path, host_count=3, blocks=512)
    department = here.city.departments["civil-it"].id
    controllers, living = _controllers(here, 2), list[str]()
    short = 0

    def compare(connection: Connection) -> None:
        nonlocal short
        platform.picture.follow(connection)
        for network in NETWORKS:
            asked = _asked(_zone(connection), (network,), source.randint(1, 3))
            kept = platform.picture.addresses.of(connection, department, _zone(connection), asked, here.clock())
            assert kept == AddressRooms().of(connection, department, _zone(connection), asked, here.clock())
            short += kept.addresses is not None

    for step in range(14):
        platform = source.choice(controllers)
        if _submit(platform, here, f"s{step}", source.randint(1, 3), source.choice(NETWORKS)):
            living.append(f"s{step}")
        if living and source.random() < 0.3:
            ended = living.pop(source.randrange(len(living)))
            with database.write() as connection:
                _end(here, connection, ended)
        if source.random() < 0.2:
            here.clock.now_s += 4000
        platform = source.choice(controllers)
        platform.db.run(compare)
    assert short > 0


def test_tickets_of_one_transaction_see_what_those_before_them_take(database: Database, tmp_path: Path) -> None:
    here = furnish_narrow(database, tmp_path, host_count=2, blocks=2)
    texts = [ticket_text(f"system-{n}", count=ROOM - 1) for n in range(2)]
    group = [Submission(data=text, document=parse(here.platform, text), caller=here.caller()) for text in texts]
    lead(here.platform, group)
    assert [s.outcome().state for s in group] == [TicketState.ACCEPTED] * 2
    assert (here.platform.placing.shared, here.platform.placing.groups_broken) == (2, 0)


def test_where_nothing_is_near_full_a_decision_costs_no_statement(database: Database, tmp_path: Path) -> None:
    here = furnish_narrow(database, tmp_path, host_count=1, blocks=512)
    department, rooms = here.city.departments["civil-it"].id, AddressRooms()
    with database.read() as connection:
        zone = _zone(connection)
        asked = _asked(zone, ("default",), 1)
        assert rooms.of(connection, department, zone, asked, here.clock()) is asked
    # The connection is closed: nothing can be asked of it.
    rooms.follow([])
    assert rooms.of(connection, department, zone, asked, here.clock()) is asked


def test_a_ticket_whose_host_lost_its_addresses_since_is_decided_again(database: Database, tmp_path: Path) -> None:
    """Another controller gave them behind the back of the picture."""
    here = furnish_narrow(database, tmp_path, host_count=2, blocks=2)
    first, second = _controllers(here, 2)
    assert _submit(first, here, "portal", 2, "default")

    class Late(AddressRooms):
        """What is left as it was when it was looked at first."""

        def follow(self, host_ids: object) -> None:
            if self._is_doubtful or not self._known:
                super().follow(None)

    first.picture.addresses = Late()
    with database.read() as connection:
        department = here.city.departments["civil-it"].id
        first.picture.addresses.of(connection, department, _zone(connection), _asked(_zone(connection), NETWORKS, 1), 0.0)
    assert _submit(second, here, "mail", 3, "default")
    assert _submit(first, here, "forum", 2, "default")
    with database.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


@pytest.fixture
def narrow(postgres_url: str, tmp_path: Path) -> Iterator[Furnished]:
    """Two hosts with room for everybody, and 16 blocks of five machines."""
    with open_for_test(postgres_url, pool_size=CONTENDERS) as database:
        yield furnish_narrow(database, tmp_path, host_count=2, blocks=16, cpu_count=512)


@pytest.mark.postgres
def test_of_many_tickets_for_the_last_addresses_as_many_are_accepted_as_there_are(narrow: Furnished) -> None:
    controllers = _controllers(narrow, 4)

    def attempt(round_: int, number: int) -> bool:
        return _submit(controllers[number % 4], narrow, f"race-{round_}-{number}", 1, f"net-{round_}")

    result = race(attempt, contenders=CONTENDERS, rounds=3, between=lambda _: None, threads=8)
    assert result.wins == (2 * ROOM,) * 3
    _nothing_is_given_twice(narrow)


@pytest.mark.postgres
def test_of_many_tickets_for_the_last_blocks_as_many_are_accepted_as_there_are(narrow: Furnished) -> None:
    controllers = _controllers(narrow, 4)

    def attempt(_: int, number: int) -> bool:
        return _submit(controllers[number % 4], narrow, f"race-{number}", 1, f"net-{number}")

    result = race(attempt, contenders=CONTENDERS + 6, rounds=1, between=lambda _: None, threads=8)
    assert result.wins == (CONTENDERS,)
    _nothing_is_given_twice(narrow)


def _nothing_is_given_twice(here: Furnished) -> None:
    with here.platform.db.read(is_steady=True) as connection:
        given = connection.execute(select(tables.addresses.c.segment_id, tables.addresses.c.address)).all()
        assert len(given) == len(set(given))
        assert audit_invariants(connection, {}) == []
