"""Keeping the ledger of usage up with the journal, comparing the two, and making the ledger again.

``controller.reconcile.ledger`` calls ``catch_up`` every few seconds and ``compare`` every night; people ask through the API.
Each transaction takes a bounded number of resources and may be killed at any line: the next one goes on where it stopped.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from metering import count_store, ledger_store, period_store
from metering.ledger_store import Comparison, Taken

#: Resources taken per transaction: short enough that a ticket's commit never waits long for its turn.
_BATCH_COUNT = 500


def catch_up(platform: Platform, touched: set[str] | None = None, progress: Progress = UNSEEN) -> int:
    """Take everything that is due; returns how many rows of the journal were taken, and whose in ``touched``."""
    taken_count, after = 0, ""
    progress.phase(WorkPhase.JOURNAL, partial(_due_count, platform))
    while True:
        taken = platform.db.run(partial(_take, after=after))
        taken_count += taken.row_count
        progress.reached(taken_count)
        if touched is not None and taken.rows:
            with platform.db.read() as connection:
                touched |= ledger_store.departments_of(connection, {resource_id for resource_id, _, _ in taken.rows})
        after = taken.next_after
        if not after:
            return taken_count


def _due_count(platform: Platform) -> int:
    with platform.db.read() as connection:
        return ledger_store.due_count(connection)


def _take(connection: Connection, after: str) -> Taken:
    """Take some rows, and keep which of them came after their time was reviewed or closed."""
    taken = ledger_store.take(connection, most_count=_BATCH_COUNT, after=after)
    period_store.note_late(connection, taken.rows)
    return taken


def compare(platform: Platform, progress: Progress = UNSEEN) -> Comparison:
    """Compare the whole ledger with the journal; changes nothing."""
    with platform.db.read() as connection:
        found = ledger_store.compare(connection, progress)
        counted = count_store.compare(connection)
        return replace(found, differences=(*found.differences, *counted)[: ledger_store.DIFFERENCES_MAX])


def rebuild(platform: Platform, caller: Caller, progress: Progress = UNSEEN) -> int:
    """Make the ledger again from the journal, in one transaction; returns how many intervals it has. An audited act."""

    def unit(connection: Connection) -> int:
        ledger_store.lock(connection)
        # What is due is taken the usual way first: making anew knows nothing of late word.
        after = _take(connection, "").next_after
        while after:
            after = _take(connection, after).next_after
        before = ledger_store.compare(connection, progress)
        count = ledger_store.rebuild(connection, progress)
        counted = count_store.rebuild(connection, period_store.frozen_until_s(connection))
        detail: dict[str, Any] = {"interval_count": count, "difference_count": len(before.differences) + counted}
        seal(connection, platform, caller, "ledger.rebuild", "ledger", detail)
        return count

    progress.phase(WorkPhase.TURN)
    return platform.db.run(unit)
