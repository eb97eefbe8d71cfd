"""The rules are checked on the state of one moment, whatever is written meanwhile.

On PostgreSQL: SQLite lets nobody write while somebody reads.
"""

from typing import Any

import pytest
from sqlalchemy import event

from controller.reconcile.build import build_reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.workflows import tickets
from tests.support.platform import Furnished
from tests.support.samples import ticket_text

pytestmark = pytest.mark.postgres


def test_a_ticket_that_is_accepted_between_two_statements_breaks_no_rule(here_on_postgres: Furnished) -> None:
    reconciler = build_reconciler(here_on_postgres.platform, owner="test", settings=ReconcileSettings(audit_s=0))
    waiting = [ticket_text("between")]

    def after(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # Its lines come after those of the journal were read, its machines before they are.
        if "FROM journal" in statement and waiting:
            tickets.submit(here_on_postgres.platform, waiting.pop(), here_on_postgres.caller())

    event.listen(here_on_postgres.platform.db.engine, "after_cursor_execute", after)
    try:
        reconciler._audit()
    finally:
        event.remove(here_on_postgres.platform.db.engine, "after_cursor_execute", after)
    assert waiting == [], "the ticket came meanwhile"
    assert reconciler.counters.violations == 0
