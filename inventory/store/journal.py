"""The journal: append-only, written in the transaction of the change it tells of. Metering reads it."""

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, select

from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow
from inventory.domain.scope import Scope
from inventory.store import tables as t

_FIELDS = tuple(f.name for f in fields(JournalRow))


def append(connection: Connection, rows: Sequence[JournalRow]) -> None:
    """Add rows; (resource, revision) is unique, so the same change cannot be told twice."""
    if rows:
        connection.execute(t.journal.insert(), [{name: getattr(r, name) for name in _FIELDS} for r in rows])


def of_resource(connection: Connection, resource_id: ResourceId) -> list[JournalRow]:
    """Return the history of one resource, oldest first."""
    statement = select(t.journal).where(t.journal.c.resource_id == resource_id).order_by(t.journal.c.revision)
    return [JournalRow(**r._mapping) for r in connection.execute(statement)]


def until(connection: Connection, scope: Scope, end_s: int) -> list[JournalRow]:
    """Return every row that occurred before ``end_s``, by resource and revision."""
    statement = select(t.journal).where(t.journal.c.occurred_at_s < end_s)
    if scope.department_ids is not None:
        statement = statement.where(t.journal.c.department_id.in_(sorted(scope.department_ids)))
    statement = statement.order_by(t.journal.c.resource_id, t.journal.c.revision)
    return [JournalRow(**r._mapping) for r in connection.execute(statement)]


def histories(connection: Connection, scope: Scope, end_s: int) -> list[JournalRow]:
    """Return the whole history of every resource that a department of ``scope`` ever held and that began before ``end_s``.

    Whole, because what ends an interval may lie after the window, in another department, or (a clock set back) before it.
    """
    born = select(t.journal.c.resource_id).where(t.journal.c.occurred_at_s < end_s)
    if scope.department_ids is not None:
        born = born.where(t.journal.c.department_id.in_(sorted(scope.department_ids)))
    statement = select(t.journal).where(t.journal.c.resource_id.in_(born)).order_by(t.journal.c.resource_id, t.journal.c.revision)
    return [JournalRow(**r._mapping) for r in connection.execute(statement)]
