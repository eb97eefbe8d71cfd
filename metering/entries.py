"""Services and labour entered by hand: with a reason, decided by a second person, never changed afterwards."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, select

from inventory.domain.errors import Conflict, NotFound
from inventory.domain.scope import Scope
from inventory.store.scoping import in_scope
from metering.book_tables import usage_entries as table


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One service or piece of labour of a project."""

    id: str
    #: ``pending`` | ``approved`` | ``rejected``.
    state: str
    department_id: str
    project_id: str
    meter: str
    #: In the base unit of the meter.
    amount: int
    start_s: int
    #: ``None`` for what was done once.
    end_s: int | None
    reason: str
    entered_by: str
    entered_at_s: float
    decided_by: str | None = None
    decided_at_s: float | None = None


_FIELDS = tuple(f.name for f in fields(Entry))


def add(connection: Connection, entry: Entry) -> None:
    """Add an entry that waits for its second person."""
    connection.execute(table.insert().values(**asdict(entry)))


def get(connection: Connection, id_: str) -> Entry:
    """Return one entry.

    Raises:
        NotFound: ``entry.not_found``.
    """
    row = connection.execute(select(table).where(table.c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("entry.not_found", entry=id_)
    return Entry(**row._mapping)


def decide(connection: Connection, id_: str, decision: Mapping[str, object]) -> None:
    """Write who decided what.

    Raises:
        Conflict: ``entry.decided``: somebody was faster.
    """
    done = connection.execute(table.update().where(table.c.id == id_, table.c.state == "pending").values(**decision))
    if done.rowcount != 1:
        raise Conflict("entry.decided", entry=id_)


def page(connection: Connection, scope: Scope, *, limit: int, after: str = "") -> list[Entry]:
    """Return entries of the departments in ``scope``, oldest first."""
    statement = select(table).where(table.c.id > after, in_scope(scope, table.c.department_id)).order_by(table.c.id).limit(limit)
    return [Entry(**r._mapping) for r in connection.execute(statement)]
