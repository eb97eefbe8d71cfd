"""Notices to departments about the leases of their systems: each stage of each lease once, whoever looks and however often."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from inventory.domain.ids import NewId
from inventory.domain.lease import LEFT_MOST_S, lease_stage
from inventory.domain.scope import Scope
from inventory.domain.system import SystemState
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.scoping import in_scope

_N, _S = t.notices.c, t.systems.c
_OVER = (SystemState.RELEASED.value, SystemState.RELEASING.value, SystemState.ABSENT.value)


def raise_due(connection: Connection, new_id: NewId, now_s: float, *, limit: int) -> int:
    """Write the notices that are due and not written, at most ``limit`` per stage; returns how many."""
    rows: list[dict[str, Any]] = []
    nearer_s = float("-inf")
    for stage, most_s in LEFT_MOST_S:
        told = select(_N.id).where(_N.system_id == _S.id, _N.lease_end_s == _S.lease_end_s, _N.stage == stage.value)
        due = (
            select(_S.id, _S.department_id, _S.lease_end_s)
            .where(_S.state.not_in(_OVER), _S.lease_end_s <= now_s + most_s, _S.lease_end_s > now_s + nearer_s)
            .where(~told.exists())
            .order_by(_S.id)
            .limit(limit)
        )
        for row in connection.execute(due):
            assert lease_stage(row.lease_end_s, now_s) is stage
            own = {"system_id": row.id, "department_id": row.department_id, "lease_end_s": row.lease_end_s}
            rows.append({"id": new_id("notice"), "stage": stage.value, "at_s": now_s, **own})
        nearer_s = most_s
    statement = bulk.insert(connection, t.notices).on_conflict_do_nothing().returning(_N.id)
    return sum(connection.execute(statement, row).first() is not None for row in rows)


def page(connection: Connection, scope: Scope, *, limit: int, after: str = "", system_id: str = "") -> list[Mapping[str, Any]]:
    """Return up to ``limit`` notices with an id greater than ``after``, in the order they were raised, as plain values."""
    statement = (
        select(t.notices, _S.name.label("system"))
        .join(t.systems, _S.id == _N.system_id)
        .where(_N.id > after, in_scope(scope, _N.department_id))
        .order_by(_N.id)
        .limit(limit)
    )
    if system_id:
        statement = statement.where(_N.system_id == system_id)
    return [dict(r._mapping) for r in connection.execute(statement)]
