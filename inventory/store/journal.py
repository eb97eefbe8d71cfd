"""The journal: append-only, written in the transaction of the change it tells of. Metering reads it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, select

from inventory.domain.ids import ResourceId
from inventory.domain.journal import JournalRow
from inventory.domain.resource import NewResource
from inventory.domain.scope import Scope
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.scoping import in_scope

_FIELDS = tuple(f.name for f in fields(JournalRow))


def append(connection: Connection, rows: Sequence[JournalRow]) -> None:
    """Add rows, due for the ledger; (resource, revision) is unique, so the same change cannot be told twice."""
    bulk.insert_records(connection, t.journal, _FIELDS, rows)
    bulk.insert_records(connection, t.journal_due, ("resource_id", "revision"), rows)


def first_rows(connection: Connection, born: Sequence[NewResource], amounts: Sequence[Mapping[str, int]]) -> Iterator[bulk.Batch]:
    """Return the first row of new resources, with what each takes (allocated, not yet running), and that it is due."""
    own = dict(zip(NewResource._fields, zip(*born, strict=True), strict=True))
    told_at_s = [int(at_s) for at_s in own["created_at_s"]]
    due: dict[str, Sequence[Any] | bulk.Same] = {"resource_id": own["id"], "revision": bulk.Same(1)}
    columns = {
        **due,
        "resource_kind": [kind.value for kind in own["kind"]],
        "resource_name": own["name"],
        **{name: own[name] for name in ("department_id", "project_id", "system_id", "host_id")},
        "state": bulk.Same("allocated"),
        "amounts": amounts,
        "occurred_at_s": told_at_s,
        "recorded_at_s": told_at_s,
        "source": bulk.Same("controller"),
    }
    yield bulk.batch(connection, t.journal, columns)
    yield bulk.batch(connection, t.journal_due, due)


def last_of(connection: Connection, resource_id: ResourceId) -> JournalRow:
    """Return the last line of a resource that has a journal."""
    statement = select(t.journal).where(t.journal.c.resource_id == resource_id).order_by(t.journal.c.revision.desc()).limit(1)
    return JournalRow(**connection.execute(statement).one()._mapping)


def of_resource(connection: Connection, resource_id: ResourceId) -> list[JournalRow]:
    """Return the history of one resource, oldest first."""
    statement = select(t.journal).where(t.journal.c.resource_id == resource_id).order_by(t.journal.c.revision)
    return [JournalRow(**r._mapping) for r in connection.execute(statement)]


def until(connection: Connection, scope: Scope, end_s: int) -> list[JournalRow]:
    """Return every row that occurred before ``end_s``, by resource and revision."""
    statement = select(t.journal).where(t.journal.c.occurred_at_s < end_s, in_scope(scope, t.journal.c.department_id))
    statement = statement.order_by(t.journal.c.resource_id, t.journal.c.revision)
    return [JournalRow(**r._mapping) for r in connection.execute(statement)]


def histories(connection: Connection, scope: Scope, end_s: int, *, limit: int | None = None, after: str = "") -> list[JournalRow]:
    """Return the whole history of every resource that a department of ``scope`` ever held and that began before ``end_s``.

    Whole, because what ends an interval may lie after the window, in another department, or (a clock set back) before it.
    Of up to ``limit`` resources, with an id greater than ``after``.
    """
    c = t.journal.c
    began = (c.occurred_at_s < end_s, in_scope(scope, c.department_id), c.resource_id > after)
    born = select(c.resource_id).where(*began)
    if limit is not None:
        born = born.distinct().order_by(c.resource_id).limit(limit)
    statement = select(t.journal).where(t.journal.c.resource_id.in_(born)).order_by(t.journal.c.resource_id, t.journal.c.revision)
    return [JournalRow(**r._mapping) for r in connection.execute(statement)]
