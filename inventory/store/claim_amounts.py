"""What claims hold, one row for each amount: for recounts and audits, which ask by provider, dimension or project."""

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Subquery, Text, cast, column, func, select, true, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from inventory.store import bulk
from inventory.store import tables as t


def claim_amounts(connection: Connection) -> Subquery:
    """Return rows of resource_id, resource_kind, project_id, provider_id, dimension and amount, to be selected from."""
    return _claim_amounts(is_postgresql=bulk.is_postgresql(connection))


@cache
def _claim_amounts(*, is_postgresql: bool) -> Subquery:
    c = t.claims.c
    amounts = type_coerce(c.amounts, Text)
    each: Any
    fields: list[Any]
    if is_postgresql:
        each = func.jsonb_array_elements(cast(amounts, JSONB)).table_valued(column("value", JSONB), name="each_amount")
        fields = [each.c.value[n].astext for n in range(3)]
    else:
        each = func.json_each(amounts).table_valued("value", name="each_amount")
        # An expression without an affinity is never looked up in an index, not even one SQLite makes for the query.
        fields = [cast(func.json_extract(each.c.value, f"$[{n}]"), Text) for n in range(3)]
    provider, dimension, amount = fields
    return (
        select(
            c.resource_id,
            c.resource_kind,
            c.project_id,
            provider.label("provider_id"),
            dimension.label("dimension"),
            cast(amount, BigInteger).label("amount"),
        )
        .select_from(t.claims.join(each, true()))
        .subquery("claim_amounts")
    )
