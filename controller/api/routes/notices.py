"""What a department should know of its systems without having asked."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import After, Limit, page_answer
from controller.api.routes.systems import Department, narrowed
from inventory.store import notices, systems

router = APIRouter(route_class=GuardedRoute, tags=["notices"])


@router.get("/v1/notices", response_model=schemas.NoticePage)
def list_notices(
    call: TheCall,
    limit: Limit = 100,
    after: After = "",
    department: Department = "",
    system: Annotated[str, Query(max_length=200, description="Id or name of a system.")] = "",
) -> Response:
    """List notices in the order they were raised: a lease ends in 30, 7 or 1 days, or is over; each once."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
        system_id = systems.get(connection, system, scope).id if system else ""
        found = notices.page(connection, scope, limit=limit + 1, after=after, system_id=system_id)
    zone = call.platform.zone
    return page_answer(found, limit, lambda n: views.notice(n, zone, call.language), lambda n: str(n["id"]))
