"""Budgets: set from a document, shown, and what was told about them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import TheCall
from controller.api.paging import After, IfMatch, Limit, as_read, content_tag, page_answer, whole_answer
from controller.api.problems import describe
from controller.api.routes.systems import Department, narrowed
from controller.workflows import budgets
from inventory.domain.errors import Problem
from metering.rating import yuan

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_DOCUMENT = "A document of `kind: Budgets`, at most 256 KiB."


@router.post("/v1/budgets", response_model=schemas.BudgetPage, openapi_extra=yaml_request(_DOCUMENT))
def set_budgets(call: TheCall, data: YamlBody, if_match: IfMatch = None) -> Response:
    """Set the budgets of a document, all or none; what was spent is kept."""
    done, terms = budgets.import_(call.platform, data, call.caller, as_read(if_match, "budgets"))
    return whole_answer([_budget(b) for b in done], headers=_tag(terms))


@router.get("/v1/budgets", response_model=schemas.BudgetPage)
def list_budgets(
    call: TheCall,
    department: Department = "",
    year: Annotated[int | None, Query(ge=2000, le=2199, description="Of this year only.")] = None,
) -> Response:
    """List budgets with what was spent, what is obligated until the year ends, and what happens where."""
    # Before the rows: a tag may be too old, never too new for what is shown.
    tag = _tag(budgets.set_terms(call.platform))
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    # One for each project and year, written in one document.
    return whole_answer([_budget(b) for b in budgets.show(call.platform, scope, year)], headers=tag)


def _tag(terms: Sequence[budgets.SetTerms]) -> dict[str, str]:
    """Return the tag of all that is set, whatever part of it is shown: a document may set any of it."""
    return {"ETag": content_tag(terms)}


@router.get("/v1/budget-notices", response_model=schemas.BudgetNoticePage)
def list_budget_notices(call: TheCall, limit: Limit = 100, after: After = "", department: Department = "") -> Response:
    """List notices about budgets in the order they were raised: 50, 80, 100 percent spent, or not enough; each once."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    found = budgets.notices(call.platform, scope, limit=limit + 1, after=after)
    return page_answer(found, limit, lambda n: _notice(n, call.language), lambda n: str(n["id"]))


def _budget(budget: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(budget)
    limit, spent, obligated = (out.pop(f"{name}_micro_yuan") for name in ("limit", "spent", "obligated"))
    return {
        **out,
        "limit_yuan": yuan(limit),
        "spent_yuan": yuan(spent),
        "obligated_yuan": yuan(obligated),
        "spent_percent": _percent(spent, limit),
        "obligated_percent": _percent(obligated, limit),
    }


def _percent(part: int, whole: int) -> int:
    """Return whole percent; of nothing, anything is all of it."""
    return part * 100 // whole if whole else (100 if part > 0 else 0)


def _notice(notice: Mapping[str, Any], language: str) -> dict[str, Any]:
    code = "notice.budget_forecast" if notice["kind"] == "forecast" else "notice.budget_spent"
    params = {
        "project": notice["project"],
        "year": notice["year"],
        "percent": notice["kind"],
        "limit": yuan(notice["limit_micro_yuan"]),
        "spent": yuan(notice["spent_micro_yuan"]),
        "obligated": yuan(notice["obligated_micro_yuan"]),
    }
    sentences = describe(Problem(code, params), language)
    told = ("code", "detail", "cure", "detail_zh", "detail_en", "cure_zh", "cure_en")
    own = ("id", "at_s", "kind", "project", "project_id", "department_id", "year")
    return {**{name: notice[name] for name in own}, **{name: sentences[name] for name in told}}
