"""A machine for which there is no host ends failed and says so; a release takes it away all the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from controller.reconcile.auditor import audit_invariants
from drivers.simulated.faults import LostRequest, Script, StorageFull
from inventory.store import tables as t
from tests.integration.test_reconcile_workers import QUICK
from tests.support.database import sqlite_database
from tests.support.reconciling import Running, running_controller
from tests.support.samples import change_text, release_text, ticket_text

#: Asks for a larger one while the first is not there yet.
CHANGE = change_text("portal", "{name: web, size: small}")


@pytest.fixture
def one_host(tmp_path: Path) -> Iterator[Running]:
    with (
        sqlite_database(tmp_path / "state.db") as database,
        running_controller(database, tmp_path, settings=QUICK, host_count=1) as running,
    ):
        yield running


def problem_of(running: Running) -> str:
    (machine,) = running.rows(kind="instance")
    return str(machine["problem"]["code"]) if machine["problem"] else ""


def release(running: Running) -> None:
    ticket = running.submit(release_text("portal"))
    assert running.wait_for(lambda: running.ticket_state(ticket) == "done"), running.rows()
    assert running.wait_for(lambda: {row["phase"] for row in running.rows()} == {"gone"}), running.rows()
    with running.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def test_a_machine_whose_row_names_no_host_fails_and_is_released(one_host: Running) -> None:
    """Somebody took the host out of the row by hand, say while mending a restored state."""
    one_host.reconciler.pause()
    ticket = one_host.submit(ticket_text("portal"))
    with one_host.platform.db.write() as connection:
        connection.execute(update(t.resources).where(t.resources.c.kind == "instance").values(host_id=None))
    one_host.reconciler.resume()
    assert one_host.wait_for(lambda: one_host.ticket_state(ticket) == "failed")
    assert problem_of(one_host) == "step.no_host"
    release(one_host)


def test_a_machine_whose_wish_changed_while_it_was_cleared_says_that_no_other_host_fits(one_host: Running) -> None:
    """What cleared it belonged to the old wish; of the new one it is only known that nobody takes it."""
    one_host.world.faults = (
        Script().on("ensure_defined", fault=StorageFull()).on("ensure_volume_absent", fault=LostRequest(), times=10_000)
    )
    one_host.submit(ticket_text("portal"))
    assert one_host.wait_for(lambda: one_host.rows(kind="instance")[0]["step"] == "clear_parts"), one_host.rows()
    one_host.submit(CHANGE)
    one_host.world.faults = None
    assert one_host.wait_for(lambda: problem_of(one_host) == "step.no_other_host"), one_host.rows()
    release(one_host)
