"""Audit chains for tests, and a way to tamper with them below the platform."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.identity import audit
from controller.identity.audit import AuditEvent, Head, VerifyResult
from inventory.store.engine import Database


def append_events(database: Database, count: int, *, actor: str = "liu") -> Head:
    """Append some events in one transaction; returns the head after them."""
    with database.write() as connection:
        for number in range(count):
            event = AuditEvent(
                at_s=1_700_000_000 + number,
                actor=actor,
                role="operator",
                source="192.0.2.1",
                action="host.set_state",
                target=f"host_{number:03}",
                detail={"to": "cordoned", "reason": "风扇故障", "number": number},
            )
            head = audit.append(connection, event)
    return head


def codes(result: VerifyResult) -> list[str]:
    """Return the codes of what was found, in order."""
    return [problem.code for problem in result.breaks]


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a SQLite file as somebody who may do anything with it: without the triggers that forbid changes."""
    connection = sqlite3.connect(path)
    try:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").fetchall()
        for (name,) in names:
            connection.execute(f'DROP TRIGGER "{name}"')
        yield connection
        connection.commit()
    finally:
        connection.close()
