"""Corrections by hand in the database: entered by one, decided by another, never changed afterwards."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from inventory.domain.errors import Conflict, NotFound
from metering.period_tables import adjustments as table


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A credit or debit for one line of a closed period."""

    id: str
    #: ``pending`` | ``approved`` | ``rejected``.
    state: str
    line_period_id: str
    line_id: bytes
    #: The period it stands in; ``None`` before it was agreed to.
    period_id: str | None
    micro_yuan: int
    reason: str
    entered_by: str
    entered_at_s: float
    decided_by: str | None = None
    decided_at_s: float | None = None


def add(connection: Connection, adjustment: Adjustment) -> None:
    """Add a correction that waits for its second person."""
    connection.execute(table.insert().values(**asdict(adjustment)))


def get(connection: Connection, id_: str) -> Adjustment:
    """Return one correction.

    Raises:
        NotFound: ``adjustment.not_found``.
    """
    row = connection.execute(select(table).where(table.c.id == id_)).one_or_none()
    if row is None:
        raise NotFound("adjustment.not_found", adjustment=id_)
    return _read(dict(row._mapping))


def decide(connection: Connection, id_: str, values: Mapping[str, object]) -> None:
    """Write who decided what.

    Raises:
        Conflict: ``adjustment.decided``: somebody was faster.
    """
    done = connection.execute(table.update().where(table.c.id == id_, table.c.state == "pending").values(**values))
    if done.rowcount != 1:
        raise Conflict("adjustment.decided", adjustment=id_)


def page(connection: Connection, *, limit: int, after: str = "") -> list[Adjustment]:
    """Return corrections, oldest first."""
    statement = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    return [_read(dict(r._mapping)) for r in connection.execute(statement)]


def _read(row: Mapping[str, Any]) -> Adjustment:
    values = dict(row)
    line_id = values.pop("line_id")
    assert isinstance(line_id, bytes | memoryview)
    return Adjustment(**values, line_id=bytes(line_id))
