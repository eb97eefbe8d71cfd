"""The site document: departments, projects, zones, pools, sizes, images, quotas, prices in one file."""

from fastapi import APIRouter
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import TheCall
from controller.api.paging import json_answer
from controller.workflows import site

router = APIRouter(route_class=GuardedRoute, tags=["site"])

_SITE = "A document of `kind: Site`, at most 1 MiB."


@router.post("/v1/site/plan", response_model=schemas.ImportPlan, openapi_extra=yaml_request(_SITE))
def plan_site(call: TheCall, data: YamlBody) -> Response:
    """Say what importing a site document would change; nothing is stored."""
    return json_answer(site.plan_import(call.platform, data).to_json())


@router.post("/v1/site/import", response_model=schemas.ImportPlan, openapi_extra=yaml_request(_SITE))
def import_site(call: TheCall, data: YamlBody) -> Response:
    """Import a site document; the same document again changes nothing."""
    return json_answer(site.apply_import(call.platform, data, call.caller).to_json())
