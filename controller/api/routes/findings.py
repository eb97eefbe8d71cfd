"""What the reconciler found and nobody asked for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.finding_view import finding
from controller.api.paging import After, Limit, page_answer
from inventory.store import findings

router = APIRouter(route_class=GuardedRoute, tags=["findings"])


@router.get("/v1/findings", response_model=schemas.FindingPage)
def list_findings(
    call: TheCall,
    limit: Limit = 100,
    after: After = "",
    state: Literal["open", "repaired", "closed"] | None = None,
    kind: Annotated[str, Query(max_length=64, description="Only this kind, for example `missing`.")] = "",
) -> Response:
    """List drift and orphans in the order they were first seen."""
    with call.platform.db.read() as connection:
        found = findings.page_by_id(connection, limit=limit + 1, after=after, state=state or "", kind=kind)
    return page_answer(found, limit, lambda f: finding(f, call.language, call.platform.zone), lambda f: str(f["id"]))
