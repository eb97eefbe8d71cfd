"""The ledger of usage: intervals, how far each resource was taken, and what the database itself refuses."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text

from inventory.store.columns import Big
from inventory.store.tables import METADATA

intervals = Table(
    "usage_intervals",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("start_s", Big, primary_key=True, autoincrement=False),
    #: NULL: still so.
    Column("end_s", Big),
    #: In the base unit of the meter.
    Column("amount", Big, nullable=False),
    #: ``allocated`` | ``running`` | ``stopped``.
    Column("state", Text, nullable=False),
    #: Revisions of the journal rows of this resource.
    Column("opened_by", Big, nullable=False),
    Column("closed_by", Big),
    #: As they were then; nothing here points to rows that may be renamed or deleted.
    Column("resource_kind", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("department_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("system_id", Text, nullable=False),
    Column("host_id", Text),
    #: How much earlier it may have begun and ended.
    Column("start_uncertain_s", Big, nullable=False, server_default=text("0")),
    Column("end_uncertain_s", Big, nullable=False, server_default=text("0")),
    CheckConstraint("end_s > start_s", name="not_empty"),
    CheckConstraint("amount > 0", name="amount_positive"),
    sqlite_strict=True,
)
#: What rating needs, in the order ``metering.ledger.of_row`` reads it: no price depends on how well a moment is known.
RATED = tuple(c for c in intervals.c if c.name not in ("start_uncertain_s", "end_uncertain_s"))
#: What ended long ago is not looked at again.
Index("ix_usage_intervals_department", intervals.c.department_id, intervals.c.end_s)
#: What is open is closed by resource.
Index(
    "ix_usage_intervals_open",
    intervals.c.resource_id,
    sqlite_where=intervals.c.end_s.is_(None),
    postgresql_where=intervals.c.end_s.is_(None),
)

positions = Table(
    "usage_positions",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    Column("revision", Big, nullable=False),
    Column("since_s", Big, nullable=False),
    sqlite_strict=True,
)
