"""What there is to choose from: zones, pools, sizes and images (short lists, sent whole), departments and projects (in pages)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body
from sqlalchemy import Connection
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import Call, TheCall, WorkId
from controller.api.paging import After, Limit, json_answer, page_answer, whole_answer
from controller.workflows import department_places
from controller.workflows import images as workflow
from inventory.domain.organisation import billing_of
from inventory.store import directory

router = APIRouter(route_class=GuardedRoute, tags=["catalogue"])


def _all(call: Call, read: Callable[[Connection], Sequence[Any]], view: Callable[[Any], dict[str, Any]] = asdict) -> Response:
    with call.platform.db.read() as connection:
        found = read(connection)
    # As many as the site document has, or the operator put into the library.
    return whole_answer([view(value) for value in found])


@router.get("/v1/zones", response_model=schemas.ZonePage)
def list_zones(call: TheCall) -> Response:
    """List zones."""
    return _all(call, directory.zones)


@router.get("/v1/pools", response_model=schemas.PoolPage)
def list_pools(call: TheCall) -> Response:
    """List pools."""
    return _all(call, directory.pools)


@router.get("/v1/pools/{pool}/departments", response_model=schemas.PlaceOfDepartmentPage)
def list_places(call: TheCall, pool: str) -> Response:
    """List the departments that have a place of their own in the pool's back end (a project in a region)."""
    found = department_places.of_pool(call.platform, call.context.drivers, pool)
    # One for each department at most.
    return whole_answer([{"department": code} for code in found])


@router.delete("/v1/pools/{pool}/departments/{department}", response_model=schemas.PlaceOfDepartment)
def remove_place(call: TheCall, pool: str, department: str) -> Response:
    """Remove a department's place from the pool's back end, where nothing of it is left; first use makes it anew."""
    department_places.remove(call.platform, call.context.drivers, pool, department, call.caller)
    return json_answer({"department": department})


@router.get("/v1/sizes", response_model=schemas.SizePage)
def list_sizes(call: TheCall) -> Response:
    """List sizes, smallest first."""
    return _all(call, directory.sizes)


@router.get("/v1/images", response_model=schemas.ImagePage)
def list_images(call: TheCall) -> Response:
    """List images."""
    return _all(call, directory.images, views.image)


@router.post("/v1/images", response_model=schemas.Image, status_code=201)
def import_image(call: TheCall, body: Annotated[schemas.ImageIn, Body()], work: WorkId = None) -> Response:
    """Take an image from a path on the controller (or a URL) into the library, inspected and hashed."""
    request = workflow.ImageRequest(
        name=body.name,
        arch=body.arch,
        source=body.source,
        sha256=body.sha256,
        title=body.title,
        kernel=Path(body.kernel) if body.kernel else None,
        initrd=Path(body.initrd) if body.initrd else None,
        kernel_arguments=body.kernel_arguments,
    )
    options = call.context.fetch_options
    with call.noted(work) as progress:
        image = workflow.register(call.platform, request, call.caller, fetch_options=options, progress=progress)
    return json_answer(views.image(image), status=201)


@router.post("/v1/images/{image}/withdraw", response_model=schemas.Image)
def withdraw_image(call: TheCall, image: str) -> Response:
    """Offer an image no more; machines that have it keep it. Taken in again, it is offered again."""
    return json_answer(views.image(workflow.withdraw(call.platform, image, call.caller)))


@router.get("/v1/departments", response_model=schemas.DepartmentPage)
def list_departments(call: TheCall, limit: Limit = 100, after: After = "") -> Response:
    """List the departments the caller may know of."""
    with call.platform.db.read() as connection:
        found = directory.departments_page(connection, call.caller.scope, limit=limit + 1, after=after)
        # How one is billed may be said far above it.
        held = billing_of(directory.departments(connection), call.platform.billing)
    return page_answer(found, limit, lambda d: {**asdict(d), "billed_as": held[d.id]}, lambda d: d.code)


@router.get("/v1/projects", response_model=schemas.ProjectPage)
def list_projects(call: TheCall, limit: Limit = 100, after: After = "") -> Response:
    """List the projects of the departments the caller may know of."""
    with call.platform.db.read() as connection:
        found = directory.projects_page(connection, call.caller.scope, limit=limit + 1, after=after)
    return page_answer(found, limit, asdict, lambda p: p.code)
