"""Price books with their versions, and services and labour entered by hand."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from inventory.store.columns import Big, Json, Seconds
from inventory.store.tables import METADATA

price_books = Table(
    "price_books",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    #: 1, 2, 3 … of this name.
    Column("version", Integer, nullable=False),
    #: ``draft`` | ``approved`` | ``rejected``.
    Column("state", Text, nullable=False),
    Column("from_s", Big, nullable=False),
    #: Where it ends: as written, or earlier where another version replaced it.
    Column("to_s", Big),
    Column("replaces", Text, nullable=False),
    #: The bytes as they were handed in, their hash, and what was read from them.
    Column("document", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("body", Json, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at_s", Seconds, nullable=False),
    Column("approved_at_s", Seconds),
    UniqueConstraint("name", "version"),
    CheckConstraint("to_s > from_s", name="window_not_empty"),
    sqlite_strict=True,
)

usage_entries = Table(
    "usage_entries",
    METADATA,
    Column("id", Text, primary_key=True),
    #: ``pending`` | ``approved`` | ``rejected``.
    Column("state", Text, nullable=False),
    Column("department_id", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    #: ``service:…`` | ``labour:…``.
    Column("meter", Text, nullable=False),
    #: In the base unit of the meter.
    Column("amount", Big, nullable=False),
    Column("start_s", Big, nullable=False),
    #: First second after a service by the month; NULL for what was done once.
    Column("end_s", Big),
    Column("reason", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("entered_at_s", Seconds, nullable=False),
    Column("decided_by", Text),
    Column("decided_at_s", Seconds),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("end_s > start_s", name="not_empty"),
    sqlite_strict=True,
)
Index("ix_usage_entries_department", usage_entries.c.department_id, usage_entries.c.start_s)
