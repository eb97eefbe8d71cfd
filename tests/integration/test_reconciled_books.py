"""What is metered, claimed and held by back ends: a living platform agrees, and what is tampered with is found with evidence."""

from pathlib import Path
from typing import Any

from sqlalchemy import text

from controller.reconcile.ledger import LedgerKeeper
from controller.tickets.model import TicketState
from controller.workflows import ledger, reconciliation
from inventory.store import findings
from inventory.store.engine import Database
from tests.support.reconciling import running_controller
from tests.support.samples import release_text, ticket_text


def test_a_living_platform_agrees_and_whatever_is_tampered_with_is_found_on_the_second_look(
    database: Database, tmp_path: Path
) -> None:
    with running_controller(database, tmp_path) as here:
        kept, gone = here.submit(ticket_text("mail")), here.submit(ticket_text("old"))
        assert here.wait_for(lambda: all(here.ticket_state(x) is TicketState.DONE for x in (kept, gone)))
        released = here.submit(release_text("old"))
        assert here.wait_for(lambda: here.ticket_state(released) is TicketState.DONE)
    platform = here.platform
    ledger.catch_up(platform)
    met, lasting = reconciliation.look(platform, set())
    assert (met, lasting) == (set(), [])
    [machine] = here.rows(kind="instance", phase="settled")
    with database.write() as connection:
        connection.execute(
            text("UPDATE usage_intervals SET amount = amount + 1 WHERE end_s IS NULL AND meter = 'vcpu' AND resource_id = :id"),
            {"id": machine["id"]},
        )
        connection.execute(text("DELETE FROM usage_intervals WHERE resource_kind = 'volume' AND end_s IS NULL"))
    keeper = LedgerKeeper(platform=platform, interval_s=5, compare_interval_s=86_400, reconcile_interval_s=0)
    keeper.tick()
    assert keeper.counters.unexplained_count == 0, "once may be two moments of a living platform"
    keeper.tick()
    assert keeper.counters.unexplained_count == 2
    found = _open(database)
    assert sorted(f["detail"]["kind"] for f in found) == ["amount", "not_metered"]
    [amount] = [f for f in found if f["detail"]["kind"] == "amount"]
    assert amount["resource_id"] == machine["id"]
    assert amount["detail"]["metered"]["vcpu"] == amount["detail"]["claimed"]["vcpu"] + 1
    with database.write() as connection:
        connection.execute(text("DELETE FROM usage_intervals"))
        connection.execute(text("DELETE FROM usage_positions"))
        connection.execute(text("INSERT INTO journal_due (resource_id, revision) SELECT resource_id, revision FROM journal"))
    keeper.tick()
    assert keeper.counters.unexplained_count == 0
    assert _open(database) == [], "what is right again is closed"


def _open(database: Database) -> list[dict[str, Any]]:
    with database.read() as connection:
        return [f for f in findings.page(connection, limit=100, state="open") if f["kind"] == reconciliation.KIND]
