"""What departments used, to the second, and what it costs."""

from datetime import datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import MAX_LIMIT, After, json_answer
from controller.api.routes.systems import Department, narrowed
from inventory.domain.errors import Invalid
from metering.usage import usage

router = APIRouter(route_class=GuardedRoute, tags=["usage"])

#: How a moment of a window is written.
MOMENT = "Epoch seconds, or an ISO date or time; a date begins in the platform's time zone."


@router.get("/v1/usage", response_model=schemas.Usage)
def get_usage(
    call: TheCall,
    start: Annotated[str, Query(alias="from", min_length=1, max_length=40, description=f"First moment. {MOMENT}")],
    end: Annotated[str, Query(alias="to", min_length=1, max_length=40, description=f"First moment after. {MOMENT}")],
    department: Department = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Most resources of one page.")] = 100,
    after: After = "",
) -> Response:
    """Return seconds by resource and meter, with their price, of the window from `from` up to (not including) `to`.

    Totals are of the whole window; the first page tells them.
    """
    platform = call.platform
    start_s, end_s = moment_s(start, "from", platform.zone), moment_s(end, "to", platform.zone)
    with platform.db.read() as connection:
        scope, now_s = narrowed(connection, call, department), platform.clock()
        page = usage(connection, scope, start_s, end_s, now_s, limit=limit, after=after)
        if after:
            return json_answer(page.page_to_json())
        whole = usage(connection, scope, start_s, end_s, now_s) if page.following else page
    return json_answer({**whole.to_json(), **{name: page.page_to_json()[name] for name in ("lines", "next")}})


def moment_s(text: str, field: str, zone: tzinfo) -> int:
    """Return a moment as epoch seconds.

    Raises:
        Invalid: ``usage.moment_unreadable``.
    """
    try:
        if text.isascii() and text.isdigit() and len(text) <= 11:
            return int(text)
        found = datetime.fromisoformat(text)
        at_s = int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        at_s = -1
    if at_s < 0:
        # Before 1970 nothing was metered, and some of it has no date in another zone.
        raise Invalid("usage.moment_unreadable", field=field, text=text)
    return at_s
