"""Budgets of projects, and the notices about them."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, UniqueConstraint

from inventory.store.columns import Big, Seconds
from inventory.store.tables import METADATA

#: Money is micro-yuan.
budgets = Table(
    "budgets",
    METADATA,
    Column("project_id", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    #: The year in the platform's zone, as it was when the budget was set.
    Column("start_s", Big, nullable=False),
    Column("end_s", Big, nullable=False),
    Column("limit_micro_yuan", Big, nullable=False),
    #: Percent of the limit; NULL: never for this.
    Column("approval_over", Integer),
    Column("block_over", Integer),
    Column("spent_micro_yuan", Big, nullable=False),
    #: What was spent and what is held until the end of the year; the guarded counter of tickets.
    Column("obligated_micro_yuan", Big, nullable=False),
    Column("accrued_at_s", Seconds),
    CheckConstraint("limit_micro_yuan >= 0", name="limit_not_negative"),
    sqlite_strict=True,
)

budget_notices = Table(
    "budget_notices",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("project_id", Text, nullable=False),
    Column("department_id", Text, nullable=False),
    Column("year", Integer, nullable=False),
    #: ``50`` | ``80`` | ``100`` | ``forecast``.
    Column("kind", Text, nullable=False),
    #: As it all was: a raised limit is told of anew.
    Column("limit_micro_yuan", Big, nullable=False),
    Column("spent_micro_yuan", Big, nullable=False),
    Column("obligated_micro_yuan", Big, nullable=False),
    Column("at_s", Seconds, nullable=False),
    UniqueConstraint("project_id", "year", "kind", "limit_micro_yuan"),
    sqlite_strict=True,
)
Index("ix_budget_notices_page", budget_notices.c.department_id, budget_notices.c.id)
