"""Reservations: made, shown, given up."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from controller.api import schemas, views
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall
from controller.api.paging import After, Limit, json_answer, page_answer
from controller.api.routes.systems import Department, narrowed
from controller.workflows import reservations
from controller.workflows.reservation_wish import ReservationWish

router = APIRouter(route_class=GuardedRoute, tags=["reservations"])


@router.post("/v1/reservations", response_model=schemas.Reservation, status_code=201)
def create_reservation(call: TheCall, body: Annotated[schemas.ReservationIn, Body()]) -> Response:
    """Hold capacity for a project from a moment until a deadline: all of it, or nothing. It counts against quota."""
    made = reservations.create(call.platform, ReservationWish(**body.model_dump()), call.caller)
    return json_answer(views.reservation(made), status=201, headers={"Location": f"/v1/reservations/{made.reservation.id}"})


@router.get("/v1/reservations", response_model=schemas.ReservationPage)
def list_reservations(
    call: TheCall,
    limit: Limit = 100,
    after: After = "",
    department: Department = "",
    with_ended: Annotated[bool, Query(description="Also those that are over.")] = False,
) -> Response:
    """List reservations in the order they were made."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    found = reservations.page(call.platform, scope, limit=limit + 1, after=after, with_ended=with_ended)
    return page_answer(found, limit, views.reservation, lambda s: s.reservation.id)


@router.get("/v1/reservations/{reservation}", response_model=schemas.Reservation)
def get_reservation(call: TheCall, reservation: str) -> Response:
    """Show a reservation, by id, or by name while it lives."""
    return json_answer(views.reservation(reservations.show(call.platform, reservation, call.caller.scope)))


@router.post("/v1/reservations/{reservation}/release", response_model=schemas.Reservation)
def release_reservation(call: TheCall, reservation: str) -> Response:
    """Give a reservation up before its deadline; what tickets drew stays theirs."""
    return json_answer(views.reservation(reservations.release(call.platform, reservation, call.caller)))
