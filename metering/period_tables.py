"""Periods, their rated lines and statements, corrections by hand, and word that came late."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from inventory.store.columns import Big, Seconds
from inventory.store.tables import METADATA

periods = Table(
    "periods",
    METADATA,
    #: ``2026-12``.
    Column("id", Text, primary_key=True),
    Column("zone", Text, nullable=False),
    Column("start_s", Big, nullable=False),
    Column("end_s", Big, nullable=False),
    #: ``closing`` | ``reviewed`` | ``closed``; a month without a row is open.
    Column("state", Text, nullable=False),
    Column("closing_by", Text, nullable=False),
    Column("closing_at_s", Seconds, nullable=False),
    Column("reviewed_by", Text),
    Column("reviewed_at_s", Seconds),
    Column("closed_by", Text),
    Column("closed_at_s", Seconds),
    Column("line_count", Big, nullable=False),
    Column("micro_yuan", Big, nullable=False),
    Column("fen", Big, nullable=False),
    #: Over everything of the period and the seal before it; written at the review, final when it is closed.
    Column("seal", Text, nullable=False),
    Column("previous_seal", Text, nullable=False),
    CheckConstraint("end_s > start_s", name="not_empty"),
    UniqueConstraint("start_s"),
    sqlite_strict=True,
)

#: Rated lines, many in a row, column by column (``metering.line_columns``): a sixth of what they take line by line.
line_blocks = Table(
    "line_blocks",
    METADATA,
    #: Of a period that is not closed: the database's own triggers see to it.
    Column("period_id", Text, primary_key=True),
    Column("department_id", Text, primary_key=True),
    #: From 0; the lines of a statement lie in the order of their ids.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("line_count", Big, nullable=False),
    Column("first_id", LargeBinary, nullable=False),
    Column("last_id", LargeBinary, nullable=False),
    #: Kinds of lines in it, each once, with commas between.
    Column("kinds", Text, nullable=False),
    #: Ids of its lines, 16 bytes each: a line is found without reading the others.
    Column("ids", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_strict=True,
)

statements = Table(
    "statements",
    METADATA,
    Column("period_id", Text, ForeignKey("periods.id"), primary_key=True),
    Column("department_id", Text, primary_key=True),
    #: As they were called when the period was reviewed.
    Column("department_code", Text, nullable=False),
    Column("department_name", Text, nullable=False),
    Column("line_count", Big, nullable=False),
    #: ``chargeback`` | ``showback``, as it was then.
    Column("billing", Text, nullable=False),
    Column("list_micro_yuan", Big, nullable=False),
    #: What use cost; of it what is charged.
    Column("micro_yuan", Big, nullable=False),
    Column("billed_micro_yuan", Big, nullable=False),
    Column("fen", Big, nullable=False),
    #: ``fen`` × 10 000 − ``billed_micro_yuan``: booked, so that nothing is lost between the two.
    Column("rounding_micro_yuan", Big, nullable=False),
    #: SHA-256 over the rows of the statement and the sorted ids of its lines.
    Column("seal", Text, nullable=False),
    Column("acknowledged_by", Text),
    Column("acknowledged_at_s", Seconds),
    sqlite_strict=True,
)

statement_rows = Table(
    "statement_rows",
    METADATA,
    Column("period_id", Text, ForeignKey("periods.id"), primary_key=True),
    Column("department_id", Text, primary_key=True),
    Column("project_id", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    #: ``chargeback`` | ``showback``: corrections keep that of the month they correct.
    Column("billing", Text, primary_key=True),
    Column("project_code", Text, nullable=False),
    Column("project_name", Text, nullable=False),
    Column("budget_code", Text, nullable=False),
    Column("unit", Text, nullable=False),
    #: Base units × seconds (entries: base units); a decimal integer, which may be larger than 64 bits.
    Column("quantity", Text, nullable=False),
    Column("list_micro_yuan", Big, nullable=False),
    Column("micro_yuan", Big, nullable=False),
    Column("fen", Big, nullable=False),
    sqlite_strict=True,
)

adjustments = Table(
    "adjustments",
    METADATA,
    Column("id", Text, primary_key=True),
    #: ``pending`` | ``approved`` | ``rejected``.
    Column("state", Text, nullable=False),
    #: The line that is corrected, of a closed period.
    Column("line_period_id", Text, nullable=False),
    Column("line_id", LargeBinary, nullable=False),
    #: The period that was open when it was agreed to; NULL before.
    Column("period_id", Text),
    Column("micro_yuan", Big, nullable=False),
    Column("reason", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("entered_at_s", Seconds, nullable=False),
    Column("decided_by", Text),
    Column("decided_at_s", Seconds),
    CheckConstraint("micro_yuan <> 0", name="not_nothing"),
    sqlite_strict=True,
)
Index("ix_adjustments_period", adjustments.c.period_id)

#: Journal rows that were taken after the time they tell of was reviewed or closed.
late_rows = Table(
    "late_rows",
    METADATA,
    Column("resource_id", Text, primary_key=True),
    Column("revision", Big, primary_key=True),
    #: From when the row counts.
    Column("since_s", Big, nullable=False),
    #: Up to when everything was reviewed or closed as it was taken.
    Column("frozen_until_s", Big, nullable=False),
    #: The period in which it was corrected; NULL: not yet.
    Column("corrected_in", Text),
    sqlite_strict=True,
)
