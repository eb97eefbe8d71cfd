"""Every night: what is stored of closed months is still what was sealed. The keeper of the ledger calls it.

The cheap half of a proof: from the stored lines to their ids, from the ids to the seals of the statements, from those to the
seal of the month, and from it to the audit chain. Each block of lines is read in a transaction of its own, so that nobody who
writes waits for it. ``allot meter verify`` is the whole proof, from the journal on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.identity import audit
from controller.workflows.platform import Platform
from inventory.domain.errors import Problem, Unavailable
from inventory.domain.ids import DepartmentId
from inventory.domain.scope import PLATFORM, of_departments
from metering import period_store, rated_period
from metering.statements import period_seal, statement_seal

Row = Mapping[str, Any]
#: The last months, which are still asked about, every night; of the others one, each in its turn.
_NEWEST = 2


def chosen(closed: Sequence[Row], night: int) -> list[Row]:
    """Return which closed months, oldest first, have their turn in a night."""
    older = closed[:-_NEWEST]
    return [*([older[night % len(older)]] if older else []), *closed[-_NEWEST:]]


def check_all(platform: Platform, night: int) -> dict[str, Problem]:
    """Check the months whose turn it is; returns what is wrong, by month."""
    with platform.db.read() as connection:
        closed = [p for p in period_store.all_periods(connection) if p["state"] == "closed"]
    found = {period["id"]: check(platform, period) for period in chosen(closed, night)}
    return {month: fault for month, fault in found.items() if fault}


def check(platform: Platform, period: Row) -> Problem | None:
    """Return the first thing that is not as it was sealed, None where all is."""
    try:
        with platform.db.read() as connection:
            kept = period_store.statements(connection, period["id"], PLATFORM)
            sealed = audit.page(connection, PLATFORM, limit=1, action="period.close", target=period["id"], result=audit.Result.OK)
        for statement in kept:
            fault = _of_statement(platform, period["id"], statement)
            if fault:
                return fault
    except Unavailable as error:
        if error.code != "state.corrupt":
            raise
        return Problem("fault.lines_unreadable", {"reason": error.internal})
    seals = [s["seal"] for s in sorted(kept, key=lambda s: str(s["department_id"]))]
    if period_seal(period, period["previous_seal"], seals) != period["seal"]:
        return Problem("fault.stored_seal_differs")
    is_in_chain = any(e["detail"].get("seal") == period["seal"] for e in sealed)
    return None if is_in_chain else Problem("fault.not_in_chain")


def _of_statement(platform: Platform, period_id: str, statement: Row) -> Problem | None:
    department_id, ids = statement["department_id"], b""
    numbers = _numbers(platform, period_id, department_id)
    for number in numbers:
        with platform.db.read() as connection:
            block = period_store.block(connection, period_id, department_id, number)
        for line_id, line in block.rows():
            if line.id_in(period_id) != line_id:
                return Problem("fault.line_altered", {"line": line_id.hex()})
        ids += block.ids.tobytes()
    with platform.db.read() as connection:
        rows = period_store.statement_rows(connection, period_id, of_departments(DepartmentId(department_id)))
    if statement_seal(statement, sorted(rows, key=rated_period.row_key), ids) != statement["seal"]:
        return Problem("fault.statement_differs", {"department": department_id})
    return None


def _numbers(platform: Platform, period_id: str, department_id: str) -> list[int]:
    with platform.db.read() as connection:
        return period_store.block_numbers(connection, period_id, department_id)
