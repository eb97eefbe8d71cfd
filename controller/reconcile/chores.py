"""What the loop does now and then for the state itself: notices of leases that end, findings of hosts past the time that was said
for their state, and forgetting what was kept long enough.

Journal and audit chain are not touched: the database refuses to change them, and they are kept without end. Everything
here may run twice, in several controllers at once, and be killed at any line; each step is one small transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from controller.identity import keys
from controller.reconcile.host_states import report_overdue
from controller.tickets import store as tickets
from controller.workflows.platform import Platform
from controller.workflows.sampled import month_of
from inventory.store import changes, findings, notices
from metering import sample_store

log = structlog.get_logger()

#: Rows per transaction; what is left over comes with the next tick.
BATCH = 500
#: Changes of capacity are many and small.
_CHANGES = 40 * BATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what may be forgotten is kept."""

    explanations_s: float = 400 * 86_400.0
    events_s: float = 400 * 86_400.0
    #: What machines used, by day, and then by month.
    use_days_s: float = 62 * 86_400.0
    use_months_s: float = 1100 * 86_400.0


@dataclass(slots=True)
class _Chore:
    name: str
    period_s: float
    #: Does up to ``BATCH`` of it and tells how many.
    do: Callable[[Connection, float], int]
    done_at: float = float("-inf")


def _months(connection: Connection, before_s: float, months: sample_store.DayOf) -> int:
    return sample_store.put_together(connection, before_s=int(before_s), month_of=months, limit=BATCH)


def _forget_use(connection: Connection, now_s: float, kept: Retention) -> int:
    before_s, silent_s = now_s - kept.use_months_s, now_s - kept.use_days_s
    return sample_store.forget(connection, use_before_s=before_s, readings_before_s=silent_s, limit=BATCH)


def _forget_changes(connection: Connection, now_s: float, kept: Retention) -> int:
    """Forget changes of capacity that no explanation which is kept goes back to."""
    needed = tickets.oldest_state(connection, now_s - kept.explanations_s)
    return changes.forget_old(connection, needed=needed, limit=_CHANGES)


class Chores:
    """One chore per call, the first one that is due. ``monotonic`` counts the periods."""

    def __init__(self, platform: Platform, retention: Retention, monotonic: Callable[[], float]) -> None:
        self._platform = platform
        self._monotonic = monotonic
        kept, months = retention, month_of(platform.zone)
        self._chores = [
            _Chore("lease_notices", 600.0, lambda c, now_s: notices.raise_due(c, platform.new_id, now_s, limit=BATCH)),
            _Chore("host_states", 60.0, lambda c, now_s: report_overdue(c, platform.new_id, now_s)),
            _Chore("answers", 3600.0, lambda c, now_s: keys.purge(c, now_s - keys.MEMORY_S, limit=BATCH)),
            _Chore("explanations", 86_400.0, lambda c, now_s: tickets.forget_explanations(c, now_s - kept.explanations_s, BATCH)),
            _Chore("changes", 3600.0, lambda c, now_s: _forget_changes(c, now_s, kept)),
            _Chore("events", 86_400.0, lambda c, now_s: tickets.forget_events(c, now_s - kept.events_s, BATCH)),
            _Chore("findings", 86_400.0, lambda c, now_s: findings.forget(c, now_s - kept.events_s, BATCH)),
            _Chore("use_months", 86_400.0, lambda c, now_s: _months(c, now_s - kept.use_days_s, months)),
            _Chore("use", 86_400.0, lambda c, now_s: _forget_use(c, now_s, kept)),
        ]

    def step(self) -> int:
        """Do a portion of the chore that is due, if there is one; returns how many rows it was about.

        Raises:
            Unavailable: the database; it comes again.
        """
        now = self._monotonic()
        due = next((c for c in self._chores if now - c.done_at >= c.period_s), None)
        if due is None:
            return 0
        now_s = self._platform.clock()
        count = self._platform.db.run(lambda connection: due.do(connection, now_s))
        if count < BATCH:
            due.done_at = now
        if count:
            log.info("a chore was done", chore=due.name, count=count)
        return count
