"""A network without a free address and a zone without a free block refuse a ticket whole, and say what helps."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from controller.texts.catalogue import all_texts
from controller.tickets import store
from controller.tickets.model import TicketState
from controller.workflows import tickets
from inventory.domain.errors import Unplaceable
from inventory.domain.scope import PLATFORM
from inventory.store import directory, hosts, tables
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.platform import Furnished, furnish
from tests.support.samples import release_text, ticket_text

#: A block of 8 addresses: 5 machines beside the network, its gateway and its broadcast.
PREFIX, ROOM = 29, 5
#: What an accepted ticket would leave.
LEFT = (tables.systems, tables.resources, tables.claims, tables.addresses)


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    """One host in a zone of two small blocks."""
    here = furnish(database, tmp_path, host_count=1, segment_prefix=PREFIX)
    with database.write() as connection:
        [zone] = directory.zones(connection)
        directory.save_zone(connection, replace(zone, address_range="10.96.0.0/28"))
    return here


def _rows(here: Furnished) -> list[int]:
    with here.platform.db.read() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in LEFT]


def _refused(here: Furnished, text: bytes, department: str = "civil-it") -> Unplaceable:
    """Hand in what is refused; nothing of it is left but the ticket that says so."""
    before = _rows(here)
    with pytest.raises(Unplaceable) as caught:
        tickets.submit(here.platform, text, here.caller(department=department))
    assert _rows(here) == before
    with here.platform.db.read() as connection:
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        kept = store.get(connection, caught.value.details["ticket_id"], PLATFORM)
    assert kept.state is TicketState.REFUSED
    assert kept.problem is not None
    assert kept.problem.code == caught.value.code
    return caught.value


def test_a_full_network_refuses_the_ticket_whole_and_says_what_helps(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal", count=ROOM - 1), here.caller())
    refusal = _refused(here, ticket_text("forum", count=2))
    assert (refusal.code, refusal.params) == ("network.segment_full", {"network": "default", "cidr": "10.96.0.0/29"})
    text = all_texts()["network.segment_full"]
    assert "segment-prefix" in text.cure_zh
    assert "segment-prefix" in text.cure_en
    assert tickets.submit(here.platform, ticket_text("archive"), here.caller()).state is TicketState.ACCEPTED
    assert _refused(here, ticket_text("queue")).code == "network.segment_full"


def test_another_network_is_the_way_out_of_a_full_one(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal", count=ROOM), here.caller())
    assert _refused(here, ticket_text("forum")).code == "network.segment_full"
    elsewhere = tickets.submit(here.platform, ticket_text("forum", more=", networks: [data]"), here.caller())
    assert elsewhere.state is TicketState.ACCEPTED


def test_a_zone_without_a_free_block_refuses_the_ticket_whole_until_it_is_widened(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    tickets.submit(here.platform, ticket_text("forum", more=", networks: [data]"), here.caller())
    refusal = _refused(here, ticket_text("archive", count=2, more=", networks: [backup]"))
    assert (refusal.code, refusal.params) == ("network.range_exhausted", {"zone": "政务外网", "range": "10.96.0.0/28"})
    text = all_texts()["network.range_exhausted"]
    assert "address-range" in text.cure_zh
    assert "address-range" in text.cure_en
    with here.platform.db.write() as connection:
        [zone] = directory.zones(connection)
        directory.save_zone(connection, replace(zone, address_range="10.96.0.0/27"))
    accepted = tickets.submit(here.platform, ticket_text("archive", count=2, more=", networks: [backup]"), here.caller())
    assert accepted.state is TicketState.ACCEPTED


def test_an_address_given_back_rests_before_it_is_given_again(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal", count=ROOM), here.caller())
    tickets.submit(here.platform, release_text("portal"), here.caller(), confirm="portal")
    assert _refused(here, ticket_text("forum")).code == "network.segment_full"
