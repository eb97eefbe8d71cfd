"""Tickets: handed in, looked at, decided on."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import Call, TheCall
from controller.api.paging import After, Limit, etag, json_answer, page_answer
from controller.api.problems import describe
from controller.tickets import store
from controller.tickets.model import Ticket, TicketState
from controller.workflows import tickets
from controller.workflows.quote import Wish
from inventory.domain.errors import Problem
from inventory.store import resources

router = APIRouter(route_class=GuardedRoute, tags=["tickets"])

_TICKET = "A ticket of the language `allotment/v1`, at most 1 MiB."
_FINAL = {TicketState.DONE, TicketState.REFUSED, TicketState.CANCELLED}


@router.post("/v1/checks", response_model=schemas.CheckOut, openapi_extra=yaml_request(_TICKET))
def check(call: TheCall, data: YamlBody) -> Response:
    """Read a ticket against the platform; nothing is stored."""
    wish = tickets.check(call.platform, data, call.caller)
    return json_answer(
        {
            "action": wish.action,
            "system": wish.name,
            "department": wish.department.code,
            "project": wish.project.code,
            "zone": wish.zone.code,
            "base_revision": wish.current.revision if wish.current else 0,
            "is_noop": wish.is_noop,
            "notices": _notices(call, wish),
        }
    )


@router.post("/v1/plans", response_model=schemas.JsonObject, openapi_extra=yaml_request(_TICKET))
def plan(call: TheCall, data: YamlBody) -> Response:
    """Say what a ticket would do, cost and need, and where it would go; nothing is stored."""
    quote = tickets.plan(call.platform, data, call.caller)
    return json_answer({**quote.to_json(), "notices": _notices(call, quote.wish)})


@router.post(
    "/v1/tickets",
    response_model=schemas.Ticket,
    status_code=202,
    responses={200: {"model": schemas.Ticket, "description": "Nothing is left to do."}},
    openapi_extra=yaml_request(_TICKET),
)
def submit(
    call: TheCall,
    data: YamlBody,
    confirm: Annotated[str, Query(max_length=200, description="The system's name, where the plan destroys data.")] = "",
    plan_digest: Annotated[str, Query(max_length=64, description="Digest of the plan that was looked at.")] = "",
) -> Response:
    """Hand a ticket in; the same wish again gives the same ticket."""
    ticket = tickets.submit(call.platform, data, call.caller, confirm=confirm, plan_digest=plan_digest)
    return _one(call, ticket, status=200 if ticket.state in _FINAL else 202)


@router.get("/v1/tickets", response_model=schemas.TicketPage)
def list_tickets(
    call: TheCall,
    limit: Limit = 100,
    after: After = "",
    state: TicketState | None = None,
    system: Annotated[str, Query(max_length=200, description="Id or name of a system.")] = "",
) -> Response:
    """List tickets, oldest first."""
    with call.platform.db.read() as connection:
        found = store.page(
            connection, call.caller.scope, limit=limit + 1, after=after, state=state.value if state else "", system=system
        )
    return page_answer(found, limit, lambda t: views.ticket(t, call.language), lambda t: t.id)


@router.get("/v1/tickets/{ticket_id}", response_model=schemas.TicketWithApprovals)
def get_ticket(call: TheCall, ticket_id: str) -> Response:
    """Show a ticket and who decided on it."""
    with call.platform.db.read() as connection:
        ticket = store.get(connection, ticket_id, call.caller.scope)
        decided = store.approvals(connection, ticket.id)
        settled_count, resource_count = resources.settled_of_ticket(connection, ticket.id)
    counts = {"resource_count": resource_count, "settled_count": settled_count}
    body = {**views.ticket(ticket, call.language), "approvals": [views.approval(a) for a in decided], **counts}
    return json_answer(body, headers={"ETag": etag(ticket.revision)})


@router.get("/v1/tickets/{ticket_id}/events", response_model=schemas.EventPage)
def list_events(
    call: TheCall,
    ticket_id: str,
    limit: Limit = 100,
    after: Annotated[int, Query(ge=0, lt=2**31, description="The `next` of the page before: a line's number.")] = 0,
) -> Response:
    """Tell a ticket's story, from a line on."""
    with call.platform.db.read() as connection:
        ticket = store.get(connection, ticket_id, call.caller.scope)
        found = store.events(connection, ticket.id, after, limit + 1)
    return page_answer(found, limit, lambda e: views.event(e, call.language), lambda e: str(e.seq))


@router.get("/v1/events", response_model=schemas.ToldEventPage)
def list_all_events(
    call: TheCall,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=100, description="The `next` of the page before: a line's place.")] = "",
    since_s: Annotated[float, Query(ge=0, lt=2**40, description="Only lines from this second on.")] = 0,
    system: Annotated[str, Query(max_length=200, description="Id or name of a system.")] = "",
) -> Response:
    """Tell what happened to all tickets the caller may see, in the order it happened."""
    with call.platform.db.read() as connection:
        found = store.events_page(connection, call.caller.scope, limit=limit + 1, after=after, since_s=since_s, system=system)
    return page_answer(found, limit, lambda e: views.told_event(e, call.language), lambda e: e.cursor)


@router.get("/v1/tickets/{ticket_id}/explanations", response_model=schemas.ExplanationPage)
def list_explanations(call: TheCall, ticket_id: str, limit: Limit = 100, after: After = "") -> Response:
    """Say why each machine of a ticket went where it went, or nowhere."""
    with call.platform.db.read() as connection:
        ticket = store.get(connection, ticket_id, call.caller.scope)
        found = store.explanations(connection, call.caller.scope, ticket_id=ticket.id, limit=limit + 1, after=after)
    return page_answer(found, limit, lambda x: x, lambda x: str(x["id"]))


_Reason = Annotated[schemas.ReasonIn, Body()]


@router.post("/v1/tickets/{ticket_id}/approve", response_model=schemas.Ticket)
def approve(call: TheCall, ticket_id: str, body: _Reason) -> Response:
    """Agree to a waiting ticket, as a second person."""
    return _one(call, tickets.approve(call.platform, ticket_id, call.caller, body.reason))


@router.post("/v1/tickets/{ticket_id}/reject", response_model=schemas.Ticket)
def reject(call: TheCall, ticket_id: str, body: _Reason) -> Response:
    """Turn a waiting ticket down, as a second person."""
    return _one(call, tickets.reject(call.platform, ticket_id, call.caller, body.reason))


@router.post("/v1/tickets/{ticket_id}/cancel", response_model=schemas.Ticket)
def cancel(call: TheCall, ticket_id: str) -> Response:
    """Withdraw a ticket that still waits."""
    return _one(call, tickets.cancel(call.platform, ticket_id, call.caller))


@router.post("/v1/tickets/{ticket_id}/retry", response_model=schemas.Ticket)
def retry(call: TheCall, ticket_id: str) -> Response:
    """Try what failed again."""
    return _one(call, tickets.retry(call.platform, ticket_id, call.caller))


def _one(call: Call, ticket: Ticket, *, status: int = 200) -> Response:
    headers = {"ETag": etag(ticket.revision), "Location": f"/v1/tickets/{ticket.id}"}
    return json_answer(views.ticket(ticket, call.language), status=status, headers=headers)


def _notices(call: Call, wish: Wish) -> list[dict[str, Any]]:
    return [describe(Problem.from_json(n), call.language) for n in wish.notices]
