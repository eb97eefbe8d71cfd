"""The three books of every resource as the database has them; for ``controller.workflows.reconciliation``."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from inventory.domain.claim import MOVE
from inventory.domain.drift import DriftKind
from inventory.domain.resource import ResourceKind
from inventory.store import tables as t
from inventory.store.claim_amounts import claim_amounts
from metering.ledger_tables import intervals
from metering.reconciliation import Books

#: What has a row, but neither a journal nor claims of its own.
_METERED_KINDS = (ResourceKind.INSTANCE.value, ResourceKind.VOLUME.value, ResourceKind.ADOPTED.value)
Amounts = dict[str, dict[str, int]]


def books(connection: Connection) -> Iterator[Books]:
    """Return what the books say of every machine and disk, and of whatever else is metered or claimed."""
    metered, states = _metered(connection)
    claimed = _claimed(connection)
    due = set(connection.execute(select(t.journal_due.c.resource_id).distinct()).scalars())
    r = t.resources.c
    told = _told_missing(connection)
    known: set[str] = set()
    for row in connection.execute(select(r.id, r.phase, r.observed).where(r.kind.in_(_METERED_KINDS)).order_by(r.id)):
        known.add(row.id)
        yield Books(
            resource_id=row.id, phase=row.phase, observed=row.observed, is_due=row.id in due, metered=metered.get(row.id, {}),
            state=states.get(row.id, ""), claimed=claimed.get(row.id, {}), is_told_missing=row.id in told,
        )  # fmt: skip
    # Metered, and there is no such row: gone, as far as anybody can say.
    for id_ in sorted(metered.keys() - known):
        yield Books(
            resource_id=id_, phase="gone", observed="unknown", is_due=id_ in due, metered=metered[id_], state=states[id_],
            claimed=claimed.get(id_, {}),
        )  # fmt: skip


def _told_missing(connection: Connection) -> set[str]:
    f = t.findings.c
    statement = select(f.resource_id).where(f.kind == DriftKind.MISSING.value, f.state == "open", f.resource_id.is_not(None))
    return set(connection.execute(statement).scalars())


def _metered(connection: Connection) -> tuple[Amounts, dict[str, str]]:
    i = intervals.c
    amounts: Amounts = {}
    states: dict[str, str] = {}
    for row in connection.execute(select(i.resource_id, i.meter, i.amount, i.state).where(i.end_s.is_(None))):
        amounts.setdefault(row.resource_id, {})[row.meter] = row.amount
        states[row.resource_id] = row.state
    return amounts, states


def _claimed(connection: Connection) -> Amounts:
    c = claim_amounts(connection).c
    statement = (
        select(c.resource_id, c.dimension, func.sum(c.amount).label("amount"))
        .where(c.resource_kind != MOVE)
        .group_by(c.resource_id, c.dimension)
    )
    found: Amounts = {}
    for row in connection.execute(statement):
        found.setdefault(row.resource_id, {})[row.dimension] = int(row.amount)
    return found
