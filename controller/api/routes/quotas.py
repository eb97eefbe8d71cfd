"""Limits: shown, set, recounted."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import (
    AfterPair,
    IfMatch,
    Limit,
    as_read,
    content_tag,
    json_answer,
    page_answer,
    required,
    whole_answer,
)
from controller.api.routes.systems import Department, narrowed
from controller.workflows import quota

router = APIRouter(route_class=GuardedRoute, tags=["quotas"])

_REPAIR = "Put the counters right; without it they are only compared."


@router.get("/v1/quotas", response_model=schemas.QuotaPage)
def list_quotas(call: TheCall, limit: Limit = 100, after: AfterPair = "", department: Department = "") -> Response:
    """List limits and use of departments and their projects."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    found = quota.show(call.platform, scope, limit=limit + 1, after=after)
    return page_answer(found, limit, views.quota_level, lambda x: f"{x['scope_id']} {x['dimension']}")


@router.get("/v1/quotas/{scope}/{dimension}", response_model=schemas.QuotaLevel)
def get_quota(call: TheCall, scope: str, dimension: str) -> Response:
    """Show what a department or project (id or code) says of one dimension."""
    return _one(quota.level(call.platform, scope, dimension, call.caller.scope))


@router.put("/v1/quotas/{scope}/{dimension}", response_model=schemas.QuotaLevel)
def set_quota(
    call: TheCall, scope: str, dimension: str, body: Annotated[schemas.QuotaIn, Body()], if_match: IfMatch = None
) -> Response:
    """Set what a department or project (id or code) says of one dimension; what it said before must have been read."""
    check = as_read(required(if_match, f"{scope} {dimension}"), f"{scope} {dimension}", _said)
    return _one(quota.set_limit(call.platform, scope, dimension, body.mode, body.limit, call.caller, check))


def _one(level: Mapping[str, Any]) -> Response:
    return json_answer(views.quota_level(level), headers={"ETag": content_tag(_said(level))})


def _said(level: Mapping[str, Any]) -> dict[str, Any]:
    """Return what people set: what is used changes all the time."""
    return {name: level[name] for name in ("scope_id", "dimension", "mode", "limit")}


@router.post("/v1/quotas/audit", response_model=schemas.DriftPage)
def audit_quotas(call: TheCall, repair: Annotated[bool, Query(description=_REPAIR)] = False) -> Response:
    """Recount every counter from the claims; list what differs (or, with `repair`, what was put right)."""
    return whole_answer(quota.repair(call.platform, call.caller) if repair else quota.audit(call.platform))
