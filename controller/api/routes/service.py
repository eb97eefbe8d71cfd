"""The service itself: health, readiness, metrics, its description, and who the caller is."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import Context, TheCall, TheContext
from controller.api.paging import Answers, json_answer
from inventory.domain.errors import NotFound
from inventory.store import directory

router = APIRouter(route_class=GuardedRoute, tags=["service"])

_EXPOSITION: Answers = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus exposition."}}
_WAITING: Answers = {503: {"model": schemas.Health, "description": "Not ready: what is waited for."}}


@router.get("/healthz", response_model=schemas.Health)
async def healthz() -> Response:
    """Say that the process answers."""
    return json_answer({"status": "ok", "waiting_for": []})


@router.get("/readyz", response_model=schemas.Health, responses=_WAITING)
def readyz(context: TheContext) -> Response:
    """Say whether the controller may take traffic, and what it waits for."""
    waiting = context.ready()
    if waiting:
        return json_answer({"status": "waiting", "waiting_for": waiting}, status=503, headers={"Retry-After": "1"})
    return json_answer({"status": "ok", "waiting_for": []})


@router.get("/metrics", response_class=Response, responses=_EXPOSITION)
async def metrics(context: TheContext) -> Response:
    """Return the metrics of the last snapshot."""
    return Response(context.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/metrics/instances", response_class=Response, responses=_EXPOSITION)
async def instance_metrics(context: TheContext) -> Response:
    """Return series of each machine, within their budget; offered by a setting."""
    return _more(context, "instances")


@router.get("/metrics/compatibility", response_class=Response, responses=_EXPOSITION)
async def compatible_metrics(context: TheContext) -> Response:
    """Return figures under the names of openstack-exporter and the libvirt exporters; offered by a setting."""
    return _more(context, "compatibility")


def _more(context: Context, name: str) -> Response:
    found = context.more_metrics.get(name)
    if found is None:
        raise NotFound("metrics.not_offered", setting=f"metrics ({name})")
    return Response(found(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/openapi.json", response_model=schemas.JsonObject)
async def description(request: Request) -> Response:
    """Return this description."""
    return json_answer(request.app.openapi())


@router.get("/v1/whoami", response_model=schemas.WhoAmI)
def whoami(call: TheCall) -> Response:
    """Show the caller as the platform sees it."""
    caller = call.caller
    with call.platform.db.read() as connection:
        codes = {d.id: d.code for d in directory.departments(connection)} if caller.department_id else {}
    return json_answer(
        {
            "token_id": caller.token_id,
            "user_name": caller.user_name,
            "role": caller.role,
            "department_id": caller.department_id,
            "department": codes.get(caller.department_id) if caller.department_id else None,
            "source": caller.source,
        }
    )
