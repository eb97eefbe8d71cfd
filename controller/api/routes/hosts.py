"""Hosts: enrolled, looked at, moved between admin states."""

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import Call, TheCall
from controller.api.paging import After, AfterPair, Limit, check_revision, etag, json_answer, page_answer
from controller.workflows import hosts as workflow
from controller.workflows import loss
from drivers.protocol import DriverContext
from inventory.domain.host import Host
from inventory.domain.ids import HostId
from inventory.store import directory, foreign, hosts

router = APIRouter(route_class=GuardedRoute, tags=["hosts"])


@router.get("/v1/hosts", response_model=schemas.HostPage)
def list_hosts(
    call: TheCall,
    limit: Limit = 100,
    after: After = "",
    pool: Annotated[str, Query(max_length=64, description="Id of a pool.")] = "",
) -> Response:
    """List hosts with what may be promised on them."""
    with call.platform.db.read() as connection:
        found = hosts.page(connection, limit=limit + 1, after=after, pool_id=pool)
        capacity = hosts.inventories_of(connection, [h.id for h in found])
    return page_answer(found, limit, lambda h: views.host(h, capacity[h.id]), lambda h: h.id)


@router.get("/v1/hosts/{host}", response_model=schemas.Host)
def get_host(call: TheCall, host: str) -> Response:
    """Show a host, by id or name."""
    with call.platform.db.read() as connection:
        found = hosts.host(connection, host)
    return _one(call, found)


@router.get("/v1/hosts/{host}/foreign", response_model=schemas.ForeignPage)
def list_foreign(call: TheCall, host: str, limit: Limit = 100, after: AfterPair = "") -> Response:
    """List the guests on a host that are not ours: counted, never touched."""
    with call.platform.db.read() as connection:
        found = foreign.page(connection, [hosts.host(connection, host).id], limit=limit + 1, after=after)
    return page_answer(found, limit, dataclasses.asdict, foreign.place)


@router.post("/v1/hosts", response_model=schemas.Host, status_code=201)
def enrol(call: TheCall, body: Annotated[schemas.HostIn, Body()]) -> Response:
    """Read a host through its pool's driver and take it into the inventory; it gets guests once it is set `active`."""
    platform = call.platform
    with platform.db.read() as connection:
        pool = workflow.pool_by_code(directory.pools(connection), body.pool)
    storage = [workflow.StorageRequest(**s.model_dump()) for s in body.storage]
    host_id = HostId(platform.new_id("host"))
    request = workflow.EnrolRequest(**{**body.model_dump(), "storage": storage, "host_id": host_id})
    context = DriverContext(host_id=host_id, host_name=body.name, connection=body.connection, clock=platform.clock)
    driver = call.context.drivers(pool.driver, context)
    try:
        return _one(call, workflow.enrol(platform, request, driver, call.caller), status=201)
    finally:
        driver.close()


@router.post("/v1/hosts/{host}/state", response_model=schemas.Host)
def set_state(
    call: TheCall,
    host: str,
    body: Annotated[schemas.HostStateIn, Body()],
    if_match: Annotated[str | None, Header(max_length=64, description="The `ETag` of the host as it was read.")] = None,
) -> Response:
    """Move a host to another admin state."""
    with call.platform.db.read() as connection:
        known = hosts.host(connection, host)
    check_revision(if_match, known.revision, known.name)
    found = workflow.set_state(
        call.platform,
        known.id,
        body.to,
        call.caller,
        reason=body.reason,
        until_s=body.until_s,
        base_revision=known.revision,
    )
    return _one(call, found)


@router.post("/v1/hosts/{host}/lost", response_model=schemas.Failure)
def lose(call: TheCall, host: str, body: Annotated[schemas.HostLostIn, Body()]) -> Response:
    """Give up what is on a host that is off, as a second person: its machines are made anew on others, with empty disks."""
    found = loss.declare_lost(call.platform, host, call.caller, confirm=body.confirm, reason=body.reason)
    return json_answer({"machines": [dataclasses.asdict(fate) for fate in found]})


def _one(call: Call, found: Host, *, status: int = 200) -> Response:
    with call.platform.db.read() as connection:
        capacity = hosts.inventories_of(connection, [found.id])
    headers = {"ETag": etag(found.revision), "Location": f"/v1/hosts/{found.id}"}
    return json_answer(views.host(found, capacity[found.id]), status=status, headers=headers)
