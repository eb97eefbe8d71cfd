"""Storage pools that turn out to be full (ENOSPC at the back end) under the real loop, on simulated hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.texts.catalogue import all_texts, cure, say
from controller.tickets import store
from controller.tickets.model import TicketState
from controller.workflows.engine import StepSettings
from inventory.domain.scope import PLATFORM
from inventory.store import tables as t
from tests.support.database import sqlite_database
from tests.support.door import nothing_half_done
from tests.support.reconciling import Running, running_controller
from tests.support.samples import release_text, ticket_text

QUICK = ReconcileSettings(
    observe_s=0.5, steps=StepSettings(graceful_s=0.1, backoff_first_s=0.02, backoff_most_s=0.2, parts_s=0.05)
)


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Running]:
    """A controller on three simulated hosts whose storage pools others have filled."""
    with sqlite_database(tmp_path / "state.db") as database, running_controller(database, tmp_path, settings=QUICK) as running:
        for host in running.furnished.hosts:
            running.world.add_host(host.name)
            running.world.fill_storage(host.name, "default")
        yield running


def _claims(running: Running) -> int:
    with running.platform.db.read() as connection:
        return len(connection.execute(t.claims.select()).all())


def test_full_storage_everywhere_fails_the_ticket_with_the_cure_and_keeps_what_was_promised(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal", count=2))
    assert at_work.wait_for(lambda: at_work.ticket_state(ticket) is TicketState.FAILED, timeout_s=90)
    with at_work.platform.db.read() as connection:
        problem = store.get(connection, ticket.id, PLATFORM).problem
        told = [event.code for event in store.events(connection, ticket.id)]
    assert problem is not None
    assert problem.code == "driver.storage_full"
    text = all_texts()[problem.code]
    assert text.actor is not None
    for language in ("zh-CN", "en"):
        assert "default" in say(problem.code, problem.params, language)
        assert "{" not in say(problem.code, problem.params, language) + cure(problem.code, problem.params, language)
    assert "step.ticket_failed" in told
    assert _claims(at_work) > 0, "a failed ticket keeps its promise until it is retried or released"
    nothing_half_done(at_work.platform.db)


def test_a_retry_after_space_was_made_finishes_the_ticket(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(lambda: at_work.ticket_state(ticket) is TicketState.FAILED, timeout_s=90)
    for host in at_work.furnished.hosts:
        at_work.world.fill_storage(host.name, "default", available_gib=500)
    from controller.workflows import tickets

    tickets.retry(at_work.platform, ticket.id, at_work.furnished.caller())
    at_work.reconciler.wake()
    assert at_work.wait_for(lambda: at_work.ticket_state(ticket) is TicketState.DONE, timeout_s=90)
    nothing_half_done(at_work.platform.db)


def test_a_release_of_what_never_had_room_leaves_nothing(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal", count=2))
    assert at_work.wait_for(lambda: at_work.ticket_state(ticket) is TicketState.FAILED, timeout_s=90)
    released = at_work.submit(release_text("portal"))
    assert at_work.wait_for(lambda: at_work.ticket_state(released) is TicketState.DONE, timeout_s=90)
    assert _claims(at_work) == 0
    worlds = [at_work.world.hosts[h.name] for h in at_work.furnished.hosts]
    assert [(len(h.machines), len(h.volumes)) for h in worlds] == [(0, 0)] * 3
    seen = {h.id: at_work.world.hosts[h.name].observe() for h in at_work.furnished.hosts}
    with at_work.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, seen) == []
