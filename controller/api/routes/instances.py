"""Machines of departments."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import Call, TheCall
from controller.api.paging import After, Answers, Limit, etag, json_answer, page_answer
from controller.api.routes.systems import Department, narrowed
from controller.identity.caller import Caller
from controller.tickets import store
from controller.workflows import power
from controller.workflows.platform import Platform
from inventory.domain.resource import Resource, ResourceKind
from inventory.store import hosts, resources, systems

router = APIRouter(route_class=GuardedRoute, tags=["instances"])

_MAX_CONSOLE_BYTES = 1 << 20
_CONSOLE: Answers = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The end of the serial log."}
}


@router.get("/v1/instances", response_model=schemas.InstancePage)
def list_instances(
    call: TheCall,
    limit: Limit = 100,
    after: After = "",
    department: Department = "",
    system: Annotated[str, Query(max_length=200, description="Id or name of a system.")] = "",
    host: Annotated[str, Query(max_length=200, description="Id or name of a host.")] = "",
    with_gone: bool = False,
) -> Response:
    """List machines."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
        found = resources.page(
            connection,
            scope,
            kind=ResourceKind.INSTANCE,
            limit=limit + 1,
            after=after,
            system_id=systems.get(connection, system, scope).id if system else None,
            host_id=hosts.host(connection, host).id if host else None,
            with_gone=with_gone,
        )
        names = hosts.names(connection, [r.host_id for r in found if r.host_id])
    return page_answer(found, limit, lambda r: views.instance(r, names, call.language), lambda r: r.id)


@router.get("/v1/instances/{instance_id}", response_model=schemas.Instance)
def get_instance(call: TheCall, instance_id: str) -> Response:
    """Show a machine."""
    with call.platform.db.read() as connection:
        return _one(connection, call, power.instance(connection, instance_id, call.caller))


@router.get("/v1/instances/{instance_id}/explanation", response_model=schemas.Explanation)
def explain_instance(call: TheCall, instance_id: str) -> Response:
    """Say why a machine is where it is."""
    with call.platform.db.read() as connection:
        found = power.instance(connection, instance_id, call.caller)
        return json_answer(store.explanation_of(connection, call.caller.scope, found))


@router.get("/v1/instances/{instance_id}/console", response_class=Response, responses=_CONSOLE)
def console(
    call: TheCall,
    instance_id: str,
    max_bytes: Annotated[int, Query(ge=1, le=_MAX_CONSOLE_BYTES, description="Most bytes from the end.")] = 65_536,
) -> Response:
    """Return the end of a machine's serial log."""
    with call.platform.db.read() as connection:
        found = power.instance(connection, instance_id, call.caller)
    # Guests write what they like: it leaves as plain text that no browser interprets.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment; filename=console.txt"}
    log = call.context.console(found, max_bytes)
    return Response(log, media_type="text/plain; charset=utf-8", headers=headers)


@router.post("/v1/instances/{instance_id}/screen", response_model=schemas.Screen)
def screen(call: TheCall, instance_id: str) -> Response:
    """Return an address, good for a short time, where the screen of a running machine is seen and used."""
    found = power.see_screen(call.platform, instance_id, call.caller)
    # Whoever has the address has the screen: nothing on the way may keep it.
    return json_answer({"url": call.context.screen(found)}, headers={"Cache-Control": "no-store"})


@router.post("/v1/instances/{instance_id}/start", response_model=schemas.Instance, status_code=202)
def start(call: TheCall, instance_id: str) -> Response:
    """Have a machine running."""
    return _order(call, power.start, instance_id)


@router.post("/v1/instances/{instance_id}/stop", response_model=schemas.Instance, status_code=202)
def stop(call: TheCall, instance_id: str) -> Response:
    """Have a machine stopped; it keeps its place, its disks and its addresses."""
    return _order(call, power.stop, instance_id)


@router.post("/v1/instances/{instance_id}/reboot", response_model=schemas.Instance, status_code=202)
def reboot(call: TheCall, instance_id: str) -> Response:
    """Have a running machine restarted in place, once: asked politely, then by force."""
    return _order(call, power.reboot, instance_id)


def _order(call: Call, order: Callable[[Platform, str, Caller], Resource], instance_id: str) -> Response:
    found = order(call.platform, instance_id, call.caller)
    with call.platform.db.read() as connection:
        return _one(connection, call, found, status=202)


def _one(connection: Connection, call: Call, found: Resource, *, status: int = 200) -> Response:
    names = hosts.names(connection, [found.host_id] if found.host_id else [])
    headers = {"ETag": etag(found.generation)}
    return json_answer(views.instance(found, names, call.language), status=status, headers=headers)
