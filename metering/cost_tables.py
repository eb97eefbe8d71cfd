"""What hosts had over time, and what the platform costs."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text

from inventory.store.columns import Big, Json, Seconds
from inventory.store.tables import METADATA

#: One row for each host, meter and stretch of time in which nothing of it changed.
host_rooms = Table(
    "host_rooms",
    METADATA,
    Column("host_id", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("start_s", Big, primary_key=True, autoincrement=False),
    #: NULL: still so.
    Column("end_s", Big),
    #: As it was called then.
    Column("host", Text, nullable=False),
    Column("capacity", Big, nullable=False),
    #: Not for departments: foreign guests, the reserve (and hosts out of service), reservations.
    Column("foreign_used", Big, nullable=False),
    Column("reserve", Big, nullable=False),
    Column("reserved", Big, nullable=False),
    #: Held a second time for machines on their way here.
    Column("transfer", Big, nullable=False, server_default=text("0")),
    CheckConstraint("end_s > start_s", name="not_empty"),
    sqlite_strict=True,
)
Index("ix_host_rooms_end", host_rooms.c.end_s)

#: Documents of cost pools, newest last; the newest holds.
cost_documents = Table(
    "cost_documents",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("body", Json, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at_s", Seconds, nullable=False),
    sqlite_strict=True,
)
