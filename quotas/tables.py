"""The table of limits."""

from sqlalchemy import CheckConstraint, Column, Table, Text, text

from inventory.store.columns import Big
from inventory.store.tables import METADATA

#: One row per scope (department or project) and dimension; ``used`` counts everything below the scope.
quotas = Table(
    "quotas",
    METADATA,
    Column("scope_id", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    #: ``department`` | ``project``.
    Column("scope_kind", Text, nullable=False),
    #: ``inherit`` (the parent's limit alone counts) | ``limit`` | ``unlimited``.
    Column("mode", Text, nullable=False),
    Column("limit_amount", Big),
    Column("used", Big, nullable=False, server_default=text("0")),
    CheckConstraint("used >= 0", name="used_not_negative"),
    CheckConstraint("(mode = 'limit') = (limit_amount IS NOT NULL)", name="limit_has_amount"),
    sqlite_strict=True,
)
