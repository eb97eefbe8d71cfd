"""Efficiency: how well systems use what they hold, drafts of tickets, and what departments answer."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import TheCall
from controller.api.paging import IfMatch, as_read, content_tag, json_answer
from controller.api.routes.systems import Department, narrowed
from controller.workflows import efficiency
from metering.efficiency import Rules

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_DOCUMENT = "A document of `kind: EfficiencyRules`, at most 256 KiB."


@router.post("/v1/efficiency-rules", response_model=schemas.EfficiencyRules, openapi_extra=yaml_request(_DOCUMENT))
def set_efficiency_rules(call: TheCall, data: YamlBody, if_match: IfMatch = None) -> Response:
    """Set what counts as idle and too large, and the declared targets; the document before holds no longer."""
    check = as_read(if_match, "efficiency-rules", asdict)
    return _rules(efficiency.set_rules(call.platform, data, call.caller, check))


@router.get("/v1/efficiency-rules", response_model=schemas.EfficiencyRules)
def get_efficiency_rules(call: TheCall) -> Response:
    """Show the rules that hold."""
    return _rules(efficiency.rules(call.platform))


def _rules(rules: Rules) -> Response:
    return json_answer(asdict(rules), headers={"ETag": content_tag(asdict(rules))})


@router.get("/v1/periods/{period}/efficiency", response_model=schemas.EfficiencyReport)
def get_efficiency(call: TheCall, period: str, department: Department = "") -> Response:
    """Show how well the systems of a month use what they hold, and the classes of zones, up to now."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    return json_answer(efficiency.show(call.platform, period, scope))


@router.get("/v1/periods/{period}/efficiency/{system}/draft", response_model=schemas.EfficiencyDraft)
def get_efficiency_draft(call: TheCall, period: str, system: str) -> Response:
    """Draft the ticket that would give back what a system does not use. Nothing is handed in."""
    return json_answer(efficiency.draft(call.platform, period, system, call.caller.scope))


@router.post("/v1/periods/{period}/efficiency/{system}/answer", response_model=schemas.EfficiencyAnswer)
def answer_efficiency(call: TheCall, period: str, system: str, body: Annotated[schemas.EfficiencyAnswerIn, Body()]) -> Response:
    """Answer what was found of a system: keep it as it is, or change it, and why."""
    return json_answer(efficiency.answer(call.platform, period, system, body.answer, body.reason, call.caller))
