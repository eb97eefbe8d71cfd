"""Limits for people: shown, set, audited. The API and ``allot quota`` call it; every result is JSON-able."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import NotFound
from inventory.domain.ids import DepartmentId
from inventory.domain.scope import Scope
from inventory.store import directory
from quotas import store
from quotas.limits import Level, Mode, ScopeKind


def show(platform: Platform, scope: Scope, *, limit: int | None = None, after: str = "") -> list[dict[str, Any]]:
    """Return the levels of the departments in ``scope`` and of their projects: all, or some behind a scope and dimension."""
    with platform.db.read() as connection:
        return [to_json(level) for level in store.page(connection, scope, limit=limit, after=after)]


def level(platform: Platform, scope: str, dimension: str, caller_scope: Scope) -> dict[str, Any]:
    """Return what a department or project (id or code) says of one dimension.

    Raises:
        NotFound: ``quota.scope_unknown``, for what is outside ``caller_scope`` too.
        Invalid: ``quota.dimension_unknown``.
    """
    with platform.db.read() as connection:
        kind, id_, department_id = find_scope(connection, scope)
        if not caller_scope.allows(department_id):
            raise NotFound("quota.scope_unknown", scope=scope)
        return to_json(store.level(connection, kind, id_, dimension))


def set_limit(
    platform: Platform,
    scope: str,
    dimension: str,
    mode: Mode | str,
    limit: int | None,
    caller: Caller,
    as_read: Callable[[dict[str, Any]], None] = lambda _level: None,
) -> dict[str, Any]:
    """Set what a department or project (id or code) says of one dimension. Below what is used it only stops growth.

    ``as_read`` is shown the level as it is, locked, and raises where it is not what the caller decided on.

    Raises:
        NotFound: ``quota.scope_unknown``.
        Invalid: ``quota.dimension_unknown``, ``quota.limit_invalid``.
    """

    def unit(connection: Connection) -> Level:
        kind, id_, department_id = find_scope(connection, scope)
        as_read(to_json(store.level(connection, kind, id_, dimension, lock=True)))
        found = store.set_limit(connection, kind, id_, dimension, Mode(mode), limit)
        seal(connection, platform, caller, "quota.set", id_, to_json(found), department_id)
        return found

    return to_json(platform.db.run(unit))


def audit(platform: Platform) -> list[dict[str, Any]]:
    """Recount every counter from the claims and return what differs; changes nothing."""
    with platform.db.read() as connection:
        return [drift_to_json(d) for d in store.recount(connection)]


def repair(platform: Platform, caller: Caller) -> list[dict[str, Any]]:
    """Set every counter to what the claims add up to; returns what was put right. An audited act."""

    def unit(connection: Connection) -> list[dict[str, Any]]:
        found = [drift_to_json(d) for d in store.repair(connection)]
        seal(connection, platform, caller, "quota.audit", "quotas", {"repaired": found})
        return found

    return platform.db.run(unit)


def find_scope(connection: Connection, scope: str) -> tuple[ScopeKind, str, DepartmentId]:
    """Return kind, id and department of a department or project, by id or code.

    Raises:
        NotFound: ``quota.scope_unknown``.
    """
    for department in directory.departments(connection):
        if scope in (department.id, department.code):
            return ScopeKind.DEPARTMENT, department.id, department.id
    for project in directory.projects(connection):
        if scope in (project.id, project.code):
            return ScopeKind.PROJECT, project.id, project.department_id
    raise NotFound("quota.scope_unknown", scope=scope)


def to_json(level: Level) -> dict[str, Any]:
    """Return a level as it is sent."""
    out = asdict(level)
    return {**out, "scope_kind": level.scope_kind.value, "mode": level.mode.value, "limit": out.pop("limit_amount")}


def drift_to_json(drift: store.Drift) -> dict[str, Any]:
    """Return a drift as it is sent."""
    return {**asdict(drift), "scope_kind": drift.scope_kind.value}
