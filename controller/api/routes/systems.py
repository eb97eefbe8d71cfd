"""Systems of departments."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import Call, TheCall
from controller.api.paging import After, Limit, etag, json_answer, page_answer
from inventory.domain.errors import NotFound
from inventory.domain.scope import Scope
from inventory.store import directory, hosts, resources, systems

router = APIRouter(route_class=GuardedRoute, tags=["systems"])

Department = Annotated[str, Query(max_length=200, description="Code (or name) of a department: it and those below it.")]


def narrowed(connection: Connection, call: Call, department: str) -> Scope:
    """Return the caller's scope, narrowed to a department and those below it.

    Raises:
        NotFound: ``department.not_found``, for one outside the scope too.
    """
    if not department:
        return call.caller.scope
    found = directory.department_by_code(connection, department)
    if not call.caller.scope.allows(found.id):
        raise NotFound("department.not_found", department=department)
    return directory.subtree(connection, found.id)


@router.get("/v1/systems", response_model=schemas.SystemPage)
def list_systems(
    call: TheCall, limit: Limit = 100, after: After = "", department: Department = "", with_released: bool = False
) -> Response:
    """List systems."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
        found = systems.page(connection, scope, limit=limit + 1, after=after, with_released=with_released)
    return page_answer(found, limit, views.system, lambda s: s.id)


@router.get("/v1/systems/{system}", response_model=schemas.SystemWithParts)
def get_system(call: TheCall, system: str, department: Department = "") -> Response:
    """Show a system, by id or by name, with its machines and disks; `department` tells two of one name apart."""
    with call.platform.db.read() as connection:
        found = systems.get(connection, system, narrowed(connection, call, department))
        parts = resources.of_system(connection, found.id)
        names = hosts.names(connection, [r.host_id for r in parts if r.host_id])
    body = views.system_with_parts(found, parts, names, call.language)
    return json_answer(body, headers={"ETag": etag(found.revision)})
