"""Price books in the database. A version that was handed in never changes; the database itself refuses it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select

from inventory.domain.errors import NotFound
from inventory.store import bulk
from metering.book_tables import price_books as table
from metering.books import BookVersion

#: Advisory lock of those who decide on versions: whether two overlap is asked of all of them together.
_LOCK = 0x70726963657331
_SUMMARY = [c for c in table.c if c.name not in ("document", "body")]
Row = Mapping[str, Any]


def lock(connection: Connection) -> None:
    """Let one decision on price books at a time be made."""
    bulk.lock(connection, _LOCK)


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    """Add a draft and return its number among the versions of its name."""
    last = connection.execute(select(func.max(table.c.version)).where(table.c.name == values["name"])).scalar_one()
    version = (last or 0) + 1
    connection.execute(table.insert().values(**values, version=version, state="draft"))
    return version


def get(connection: Connection, id_: str) -> Row:
    """Return one version whole.

    Raises:
        NotFound: ``book.not_found``.
    """
    row = connection.execute(select(table).where(table.c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("book.not_found", book=id_)
    return dict(row._mapping)


def same_document(connection: Connection, sha256: str) -> str | None:
    """Return the id of a version of the very same bytes that was not rejected."""
    statement = select(table.c.id).where(table.c.sha256 == sha256, table.c.state != "rejected")
    return connection.execute(statement.order_by(table.c.created_at_s).limit(1)).scalar_one_or_none()


def page(connection: Connection, *, limit: int, after: str = "") -> list[Row]:
    """Return versions without their documents, oldest first."""
    statement = select(*_SUMMARY).where(table.c.id > after).order_by(table.c.id).limit(limit)
    return [dict(r._mapping) for r in connection.execute(statement)]


def approved(connection: Connection) -> list[BookVersion]:
    """Return every approved version as it holds, by its first second."""
    statement = select(table.c.body, table.c.to_s).where(table.c.state == "approved").order_by(table.c.from_s)
    return [replace(BookVersion.from_json(r.body), to_s=r.to_s) for r in connection.execute(statement)]


def decide(connection: Connection, id_: str, state: str, at_s: float) -> None:
    """Approve or reject a draft."""
    values = {"state": state, "approved_at_s": at_s if state == "approved" else None}
    done = connection.execute(table.update().where(table.c.id == id_, table.c.state == "draft").values(**values))
    assert done.rowcount == 1, "decided under the lock"


def end(connection: Connection, id_: str, at_s: int) -> None:
    """Have an approved version end where its successor begins."""
    connection.execute(table.update().where(table.c.id == id_).values(to_s=at_s))
