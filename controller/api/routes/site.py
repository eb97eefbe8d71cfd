"""The site document: departments, projects, zones, pools, sizes, images, quotas, prices in one file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import Call, TheCall, WorkId
from controller.api.paging import IfMatch, as_read, content_tag, json_answer
from controller.api.problems import describe
from controller.workflows import site
from controller.workflows.site import ImportPlan, Replaced

router = APIRouter(route_class=GuardedRoute, tags=["site"])

_SITE = "A document of `kind: Site`, at most 1 MiB."
BaseDir = Annotated[
    str, Query(max_length=2000, pattern="^(/.*)?$", description="Directory on the controller where relative file names start.")
]


@router.post("/v1/site/plan", response_model=schemas.ImportPlan, openapi_extra=yaml_request(_SITE))
def plan_site(call: TheCall, data: YamlBody, base_dir: BaseDir = "") -> Response:
    """Say what importing a site document would change; nothing is stored."""
    plan = site.plan_import(call.platform, data, base_dir=_directory(base_dir))
    return _plan(call, plan, plan.replaced)


@router.post("/v1/site/import", response_model=schemas.ImportPlan, openapi_extra=yaml_request(_SITE))
def import_site(call: TheCall, data: YamlBody, base_dir: BaseDir = "", if_match: IfMatch = None, work: WorkId = None) -> Response:
    """Import a site document; the same document again changes nothing. Hosts that answer are read at once.

    With the `ETag` of a plan, nothing is changed that is another than the plan showed. The answer's own `ETag` is that of a
    plan of the same document as long as it would change nothing.
    """
    with call.noted(work) as progress:
        done = site.apply_import(
            call.platform,
            data,
            call.caller,
            base_dir=_directory(base_dir),
            open_driver=call.context.drivers,
            fetch_options=call.context.fetch_options,
            as_read=as_read(if_match, "site", lambda plan: plan.replaced),
            progress=progress,
        )
    # What was replaced is gone: of the same document nothing is left to replace.
    return _plan(call, done, replaced=())


def _plan(call: Call, plan: ImportPlan, replaced: Sequence[Replaced]) -> Response:
    notices = [describe(notice, call.language) for notice in plan.notices]
    return json_answer({**plan.to_json(), "notices": notices}, headers={"ETag": content_tag(replaced)})


def _directory(text: str) -> Path | None:
    return Path(text) if text else None
