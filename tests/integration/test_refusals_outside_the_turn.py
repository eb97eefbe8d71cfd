"""Whoever has the turn explains no refusal: that is done afterwards, once, and what is suggested is true."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.scheduling.suggest import Suggestion, suggestions
from controller.tickets import store
from controller.tickets.approval import ApprovalPolicy
from controller.tickets.model import Ticket, TicketState
from controller.workflows import tickets
from controller.workflows.quote import Quote
from controller.workflows.submission import explained
from inventory.domain.errors import Unplaceable
from inventory.domain.host import StoragePool
from inventory.domain.ids import HostId, PoolId, StoragePoolId, ZoneId
from inventory.domain.placement import Refusal
from inventory.domain.resources import VCPU
from inventory.domain.scope import PLATFORM
from inventory.store import capacities, directory, hosts
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish
from tests.support.samples import change_text, ticket_text

CPUS = 4


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=1, cpu_count=CPUS)


@contextmanager
def _called(monkeypatch: pytest.MonkeyPatch, note: Callable[[], object]) -> Iterator[list[object]]:
    """Take a note each time something is suggested."""
    seen: list[object] = []

    def noted(*args: Any) -> tuple[Suggestion, ...]:
        seen.append(note())
        return suggestions(*args)

    with monkeypatch.context() as patch:
        patch.setattr("controller.scheduling.decide.suggestions", noted)
        yield seen


def test_a_refusal_is_explained_once_when_others_have_the_turn(here: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
    def another_is_accepted() -> TicketState:
        # Neither the turn nor a lock of the database is held meanwhile.
        return tickets.submit(here.platform, ticket_text("small"), here.caller()).state

    with _called(monkeypatch, another_is_accepted) as seen, pytest.raises(Unplaceable) as refused:
        tickets.submit(here.platform, ticket_text("large", count=CPUS + 1), here.caller())
    assert seen == [TicketState.ACCEPTED]
    assert refused.value.details["explanations"][0]["suggestions"]
    assert refused.value.details["ticket_id"]


def test_what_fits_when_its_refusal_is_to_be_explained_is_accepted(here: Furnished, monkeypatch: pytest.MonkeyPatch) -> None:
    [host] = here.hosts
    here.platform.db.run(lambda connection: hosts.try_use(connection, {(host.id, VCPU): CPUS}))
    looked = iter([True])

    def freed(*args: Any, **more: Any) -> bool:
        if next(looked, False):
            here.platform.db.run(lambda connection: hosts.give_back(connection, {(host.id, VCPU): CPUS}))
        return explained(*args, **more)

    monkeypatch.setattr("controller.workflows.submission.explained", freed)
    assert tickets.submit(here.platform, ticket_text("portal"), here.caller()).state is TicketState.ACCEPTED


@pytest.fixture
def waiting(here: Furnished) -> Ticket:
    """Return a ticket that would fill the only host and waits for its approval; half of the host is promised since."""
    platform = replace(here.platform, approval_policy=ApprovalPolicy(machines_over=0))
    found = tickets.submit(platform, ticket_text("portal", count=CPUS), here.caller())
    assert found.state is TicketState.AWAITING_APPROVAL
    tickets.submit(here.platform, ticket_text("meanwhile", count=CPUS // 2), here.caller())
    return found


def _approved(here: Furnished, ticket: Ticket) -> Ticket:
    return tickets.approve(here.platform, ticket.id, here.caller(name="李四"), "同意")


def test_whoever_approves_what_fits_no_more_is_told_what_would_and_the_ticket_waits_on(here: Furnished, waiting: Ticket) -> None:
    with pytest.raises(Unplaceable) as refused:
        _approved(here, waiting)
    assert (refused.value.code, refused.value.params) == ("placement.no_host_fits", {"system": "portal"})
    [page] = refused.value.details["explanations"]
    assert [(miss[1], miss[2]["dimension"]) for miss in page["misses"]] == [("capacity", VCPU)]
    told = {code.removeprefix("placement.suggest."): params for code, params in page["suggestions"]}
    assert told["fewer"] == {"group": "web", "asked": CPUS, "fits": CPUS // 2}
    with here.platform.db.read() as connection:
        assert store.get(connection, waiting.id, PLATFORM).state is TicketState.AWAITING_APPROVAL
        assert store.approvals(connection, waiting.id) == []
    fewer = tickets.submit(here.platform, ticket_text("forum", count=told["fewer"]["fits"]), here.caller())
    assert fewer.state is TicketState.ACCEPTED


def test_an_approval_is_explained_once_while_nothing_is_held(
    here: Furnished, waiting: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_is_accepted() -> TicketState:
        return tickets.submit(here.platform, ticket_text("small"), here.caller()).state

    with _called(monkeypatch, another_is_accepted) as seen, pytest.raises(Unplaceable):
        _approved(here, waiting)
    assert seen == [TicketState.ACCEPTED]


def test_what_fits_again_when_its_approval_is_to_be_explained_is_accepted(
    here: Furnished, waiting: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    [host] = here.hosts
    tell, told = tickets._explained, list[Quote]()

    def freed(*args: Any) -> Quote:
        if not told:
            here.platform.db.run(lambda connection: hosts.give_back(connection, {(host.id, VCPU): CPUS // 2}))
        told.append(tell(*args))
        return told[-1]

    monkeypatch.setattr(tickets, "_explained", freed)
    assert _approved(here, waiting).state is TicketState.ACCEPTED
    assert [offer.is_possible for offer in told] == [True]


def _second_zone(here: Furnished, address_range: str) -> None:
    """Furnish another zone with an empty host of its own."""
    with here.platform.db.write() as connection:
        [zone] = directory.zones(connection)
        [host] = [h for h in hosts.hosts(connection) if h.id == here.hosts[0].id]
        other = replace(zone, id=ZoneId("zone_b"), code="gov-private", name="政务内网", address_range=address_range)
        directory.save_zone(connection, other)
        pool = replace(directory.pools(connection)[0], id=PoolId("pool_b"), code="sim-b", zone_id=other.id)
        directory.save_pool(connection, pool)
        twin = replace(host, id=HostId("host_b"), name="host-b", pool_id=pool.id, connection=host.connection + "&b=1")
        storage = StoragePool(id=StoragePoolId("stor_b"), host_id=twin.id, name="default", disk_class="standard")
        hosts.save_host(connection, twin)
        hosts.save_storage_pool(connection, storage)
        capacities.save_capacity(connection, twin, pool, [storage])


def _suggested(here: Furnished, text: bytes) -> dict[str, Any]:
    offer = tickets.plan(here.platform, text, here.caller())
    assert isinstance(offer.decision, Refusal)
    return {code.removeprefix("placement.suggest."): params for code, params in offer.decision.explanations[0].suggestions}


def _full(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal", count=CPUS), here.caller())


def test_another_zone_is_suggested_to_a_new_system_which_then_fits_there(here: Furnished) -> None:
    _second_zone(here, "10.112.0.0/12")
    _full(here)
    wish = ticket_text("forum")
    assert _suggested(here, wish)["other_zone"]["zone"] == "gov-private"
    elsewhere = tickets.submit(here.platform, wish.replace(b"gov-public", b"gov-private"), here.caller())
    assert elsewhere.state is TicketState.ACCEPTED


def test_a_zone_without_addresses_is_suggested_to_nobody(here: Furnished) -> None:
    # One block of as many machines as a segment holds, and a first department has it.
    _second_zone(here, "10.112.0.0/26")
    held = ticket_text("archive").replace(b"gov-public", b"gov-private")
    tickets.submit(here.platform, held, here.caller())
    _full(here)
    assert "other_zone" in _suggested(here, ticket_text("forum"))
    other = ticket_text("forum", more=", networks: [data]")
    assert "other_zone" not in _suggested(here, other)
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, other.replace(b"gov-public", b"gov-private"), here.caller())


def test_another_zone_is_not_suggested_to_a_system_that_exists(here: Furnished) -> None:
    _second_zone(here, "10.112.0.0/12")
    _full(here)
    assert "other_zone" not in _suggested(here, MORE)


MORE = change_text("portal", f"{{name: web, count: {CPUS + 1}}}")
