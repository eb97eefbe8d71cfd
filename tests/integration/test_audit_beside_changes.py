"""The rules are checked on the state of one moment, whatever is written meanwhile.

On PostgreSQL: SQLite lets nobody write while somebody reads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from controller.reconcile.build import build_reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.workflows import tickets
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.samples import ticket_text

pytestmark = pytest.mark.postgres


@pytest.fixture
def here(postgres_url: str, tmp_path: Path) -> Iterator[Furnished]:
    with open_for_test(postgres_url, pool_size=4) as database:
        yield furnish(database, tmp_path, host_count=3)


def test_a_ticket_that_is_accepted_between_two_statements_breaks_no_rule(here: Furnished) -> None:
    reconciler = build_reconciler(here.platform, owner="test", settings=ReconcileSettings(audit_s=0))
    waiting = [ticket_text("between")]

    def after(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # Its lines come after those of the journal were read, its machines before they are.
        if "FROM journal" in statement and waiting:
            tickets.submit(here.platform, waiting.pop(), here.caller())

    event.listen(here.platform.db.engine, "after_cursor_execute", after)
    try:
        reconciler._audit()
    finally:
        event.remove(here.platform.db.engine, "after_cursor_execute", after)
    assert waiting == [], "the ticket came meanwhile"
    assert reconciler.counters.violations == 0
