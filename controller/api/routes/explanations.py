"""Explanations one by one, in their long form too: every host, with its score or the filter it fell at."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import Limit, json_answer
from controller.scheduling.long_form import Verdict
from controller.tickets import store
from controller.workflows.long_form import Retold

router = APIRouter(route_class=GuardedRoute, tags=["tickets"])


@router.get("/v1/explanations/{explanation_id}", response_model=schemas.LongExplanation)
def get_explanation(
    call: TheCall,
    explanation_id: str,
    form: Annotated[
        Literal["short", "long"], Query(description="`long`: every host, decided again on the state of then.")
    ] = "short",
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, lt=2**31, description="The `next` of the page before: hosts that were told of.")] = 0,
    host: Annotated[str, Query(max_length=200, description="Only the host of this name.")] = "",
) -> Response:
    """Say why a machine went where it went, or nowhere; in the long form of every host."""
    if form == "short":
        with call.platform.db.read() as connection:
            stored = store.explanation(connection, call.caller.scope, explanation_id)
        return json_answer(_answer(Retold(stored=stored, verdicts=()), limit, after, host))
    return json_answer(_answer(call.context.long_forms.get(call.platform, explanation_id, call.caller), limit, after, host))


def _answer(retold: Retold, limit: int, after: int, host: str) -> dict[str, Any]:
    wanted = [v for v in retold.verdicts if not host or v.host == host]
    shown = wanted[after : after + limit]
    return {
        "explanation": retold.stored,
        "mismatches": [{"what": m.what, "name": m.name, "stored": m.stored, "derived": m.derived} for m in retold.mismatches],
        "items": [_verdict(v) for v in shown],
        "next": str(after + limit) if len(wanted) > after + limit else None,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    found = verdict.candidate
    return {
        "host": verdict.host,
        "filter": verdict.filter or None,
        "params": dict(verdict.params),
        "score": found.score if found else None,
        "parts": dict(found.parts) if found else None,
        "policy": found.policy if found else None,
    }
