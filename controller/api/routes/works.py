"""How far a long request is that was sent with an id of its own."""

from dataclasses import asdict

from fastapi import APIRouter
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import json_answer
from controller.texts import catalogue
from controller.workflows.works import Work

router = APIRouter(route_class=GuardedRoute, tags=["service"])


@router.get("/v1/works/{work}", response_model=schemas.Work)
def get_work(call: TheCall, work: str) -> Response:
    """Show how far a long request of yours is; known only to the controller that works on it, until ten minutes after its end."""
    return json_answer(_shown(call.platform.works.look(call.caller.user_name, work, call.platform.clock())))


def _shown(work: Work) -> dict[str, object]:
    code = work.phase.value if work.phase else ""
    zh, en = (catalogue.say(code, {}, language) if code else "" for language in catalogue.LANGUAGES)
    # Where more came than was counted at first, all of what is known now is done.
    done = work.done if work.total is None else min(work.done, work.total)
    return {**asdict(work), "phase": code, "text_zh": zh, "text_en": en, "done": done}
