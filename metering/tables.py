"""Prices."""

from sqlalchemy import CheckConstraint, Column, Table, Text

from inventory.store.columns import Big
from inventory.store.tables import METADATA

#: Price of one unit of a meter for one hour from a moment on; the next row of the same meter ends it.
prices = Table(
    "prices",
    METADATA,
    Column("meter", Text, primary_key=True),
    Column("valid_from_s", Big, primary_key=True),
    Column("micro_yuan_per_unit_hour", Big, nullable=False),
    CheckConstraint("micro_yuan_per_unit_hour >= 0", name="price_not_negative"),
    sqlite_strict=True,
)
