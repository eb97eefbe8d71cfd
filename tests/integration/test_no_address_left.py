"""Addresses are part of placement: who finds none on a host goes to another; where no host has any, a refusal says what helps."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from controller.scheduling.explain import explanation_from_json
from controller.texts.catalogue import all_texts
from controller.tickets import store
from controller.tickets.model import TicketState
from controller.workflows import tickets
from controller.workflows.long_form import retold
from controller.workflows.swap import swapper
from inventory.domain.errors import Unplaceable
from inventory.domain.ids import HostId
from inventory.domain.placement import Explanation, Placement, Refusal
from inventory.domain.scope import PLATFORM
from inventory.store import hosts, resources, systems, tables
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.address_zones import ROOM, furnish_narrow, set_blocks
from tests.support.platform import Furnished
from tests.support.samples import change_text, release_text, ticket_text

#: What an accepted ticket would leave.
LEFT = (tables.systems, tables.resources, tables.claims, tables.addresses)


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    """One host in a zone of two small blocks."""
    return furnish_narrow(database, tmp_path, host_count=1, blocks=2)


@pytest.fixture
def two(database: Database, tmp_path: Path) -> Furnished:
    """Two hosts in a zone of two small blocks."""
    return furnish_narrow(database, tmp_path, host_count=2, blocks=2)


def _rows(here: Furnished) -> list[int]:
    with here.platform.db.read() as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in LEFT]


def _refused(here: Furnished, text: bytes) -> Explanation:
    """Plan and hand in what is refused; nothing of it is left but the ticket that says so. Returns why."""
    offer = tickets.plan(here.platform, text, here.caller())
    assert isinstance(offer.decision, Refusal)
    assert not offer.is_possible
    before = _rows(here)
    with pytest.raises(Unplaceable) as caught:
        tickets.submit(here.platform, text, here.caller())
    assert _rows(here) == before
    with here.platform.db.read() as connection:
        assert hosts.recount_used(connection) == []
        assert quota_store.recount(connection) == []
        ticket_id = caught.value.details["ticket_id"]
        kept = store.get(connection, ticket_id, PLATFORM)
        stored = store.explanations(connection, PLATFORM, ticket_id=ticket_id)
    assert kept.state is TicketState.REFUSED
    assert kept.problem is not None
    assert kept.problem.code == caught.value.code == "placement.no_host_fits"
    assert [explanation_from_json(row["body"]).left_after for row in stored] == [
        page.left_after for page in offer.decision.explanations
    ]
    _is_retold(here, [str(row["id"]) for row in stored])
    return explanation_from_json(stored[0]["body"])


def _is_retold(here: Furnished, explanation_ids: Sequence[str]) -> None:
    for explanation_id in explanation_ids:
        told = retold(here.platform, explanation_id, here.caller())
        assert told.mismatches == ()
        assert told.verdicts


def _accepted(here: Furnished, text: bytes) -> dict[str, HostId]:
    """Plan and hand in what is accepted; returns where its new machines are, which the plan named."""
    offer = tickets.plan(here.platform, text, here.caller())
    assert isinstance(offer.decision, Placement)
    ticket = tickets.submit(here.platform, text, here.caller())
    assert ticket.state is TicketState.ACCEPTED
    with here.platform.db.read() as connection:
        assert ticket.system_id is not None
        machines = [r for r in resources.of_system(connection, ticket.system_id) if r.kind == "instance"]
        stored = store.explanations(connection, PLATFORM, ticket_id=ticket.id)
    placed = {m.name: m.host_id for m in machines if m.host_id is not None}
    planned = {m.name: m.host_id for m in offer.decision.members}
    assert {name: placed[name] for name in planned} == planned
    _is_retold(here, [str(row["id"]) for row in stored])
    return {name: placed[name] for name in planned}


def _left(page: Explanation, name: str) -> int:
    return dict(page.left_after)[name]


def test_a_full_network_refuses_the_ticket_whole_and_says_what_helps(here: Furnished) -> None:
    _accepted(here, ticket_text("portal", count=ROOM - 1))
    page = _refused(here, ticket_text("forum", count=2))
    assert (_left(page, "numa"), _left(page, "addresses")) == (1, 0)
    [miss] = page.misses
    assert (miss.filter, miss.params["network"], miss.params["asked"], miss.params["free"]) == ("addresses", "default", 2, 1)
    assert dict(page.suggestions) == {
        "placement.suggest.fewer": {"group": "web", "asked": 2, "fits": 1},
        "placement.suggest.other_network": {"group": "web", "network": "default"},
    }
    _accepted(here, ticket_text("archive"))
    assert [code for code, _ in _refused(here, ticket_text("queue")).suggestions] == ["placement.suggest.other_network"]


def test_another_host_with_addresses_is_taken_where_the_better_one_has_none(two: Furnished) -> None:
    first = set(_accepted(two, ticket_text("portal", count=ROOM - 1)).values())
    # More of the same network would be too many there, and as good as ever elsewhere.
    second = set(_accepted(two, ticket_text("forum", count=2)).values())
    assert len(first) == len(second) == 1
    third = set(_accepted(two, ticket_text("archive", count=1)).values())
    assert third <= first | second
    assert second.isdisjoint(first)
    page = _refused(two, ticket_text("queue", count=ROOM))
    assert (_left(page, "numa"), _left(page, "addresses")) == (2, 0)
    assert {miss.filter for miss in page.misses} == {"addresses"}


def test_another_network_is_the_way_out_of_a_full_one(here: Furnished) -> None:
    _accepted(here, ticket_text("portal", count=ROOM))
    _refused(here, ticket_text("forum"))
    _accepted(here, ticket_text("forum", more=", networks: [data]"))


def test_a_zone_without_a_free_block_refuses_the_ticket_whole_until_it_is_widened(here: Furnished) -> None:
    _accepted(here, ticket_text("portal"))
    _accepted(here, ticket_text("forum", more=", networks: [data]"))
    wish = ticket_text("archive", count=2, more=", networks: [backup]")
    page = _refused(here, wish)
    [miss] = page.misses
    assert dict(miss.params) == {"network": "backup", "asked": 1, "free": 0, "zone": "gov-public", "is_block": True}
    assert dict(page.suggestions) == {"placement.suggest.wider_range": {"zone": "gov-public"}}
    text = all_texts()["placement.suggest.wider_range"]
    assert "address-range" in text.zh
    assert "address-range" in text.en
    set_blocks(here, 4)
    _accepted(here, wish)


def test_servers_on_different_networks_share_the_last_blocks_of_their_zone(two: Furnished) -> None:
    three = ticket_text("portal", more=", networks: [a, b, c]")
    assert _refused(two, three).misses[0].params["asked"] == 3
    page = _refused(two, _servers("portal", "a", "b", "c"))
    assert (page.misses[0].params["asked"], page.misses[0].params["free"]) == (1, 0)
    _accepted(two, _servers("portal", "a", "b"))


def _servers(name: str, *networks: str) -> bytes:
    lines = "".join(f"    - {{name: s-{n}, size: tiny, image: demo-linux, networks: [{n}]}}\n" for n in networks)
    return ticket_text(name).split(b"  servers:\n")[0] + b"  servers:\n" + lines.encode()


def test_an_address_given_back_rests_before_it_is_given_again(here: Furnished) -> None:
    _accepted(here, ticket_text("portal", count=ROOM))
    tickets.submit(here.platform, release_text("portal"), here.caller(), confirm="portal")
    _refused(here, ticket_text("forum"))


def test_more_machines_on_a_full_network_are_refused_where_the_network_is(two: Furnished) -> None:
    """A change: its network lives on one host, whatever other hosts have."""
    _accepted(two, ticket_text("portal", count=ROOM - 1))
    page = _refused(two, change_text("portal", f"{{name: web, count: {ROOM + 1}}}"))
    assert [miss.filter for miss in page.misses] == ["addresses"]
    assert (page.misses[0].params["asked"], page.misses[0].params["free"]) == (2, 1)
    assert "placement.suggest.other_network" in dict(page.suggestions)
    [new] = _accepted(two, change_text("portal", f"{{name: web, count: {ROOM}}}"))
    assert new == "web-5"


def test_a_machine_that_grows_needs_no_address(here: Furnished) -> None:
    _accepted(here, ticket_text("portal", count=ROOM))
    _accepted(here, change_text("portal", f"{{name: web, count: {ROOM}, size: small}}"))


def test_a_machine_is_placed_again_where_its_network_has_addresses(database: Database, tmp_path: Path) -> None:
    here = furnish_narrow(database, tmp_path, host_count=3, blocks=4)
    [where] = _accepted(here, ticket_text("portal")).values()
    [full] = set(_accepted(here, ticket_text("mail", count=ROOM)).values()) - {where}
    with database.write() as connection:
        parts = resources.of_system(connection, systems.get(connection, "portal", PLATFORM).id)
        [machine] = [r for r in parts if r.kind == "instance"]
        moved = swapper(here.platform)(connection, machine, [r for r in parts if r.kind == "volume"])
    assert moved is not None
    assert moved[0].host_id not in (where, full)


def test_a_machine_is_not_placed_again_where_no_network_of_it_can_be(two: Furnished) -> None:
    [where] = _accepted(two, ticket_text("portal")).values()
    [full] = set(_accepted(two, ticket_text("mail", count=ROOM)).values())
    assert full != where
    with two.platform.db.write() as connection:
        parts = resources.of_system(connection, systems.get(connection, "portal", PLATFORM).id)
        [machine] = [r for r in parts if r.kind == "instance"]
        assert swapper(two.platform)(connection, machine, [r for r in parts if r.kind == "volume"]) is None
