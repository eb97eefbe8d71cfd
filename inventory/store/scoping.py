"""Whose rows a statement may see: the one place where a scope becomes a condition."""

from typing import Any

from sqlalchemy import ColumnElement, true

from inventory.domain.scope import Scope


def in_scope(scope: Scope, department_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a row is of a department of the scope; of the whole platform it asks nothing."""
    return true() if scope.department_ids is None else department_id.in_(sorted(scope.department_ids))
