"""Periods, statements, lines and corrections."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from sqlalchemy import Connection
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import Call, TheCall, WorkId
from controller.api.paging import After, Limit, json_answer, page_answer, whole_answer
from controller.api.problems import told
from controller.workflows import corrections, periods
from inventory.domain.errors import Conflict, NotFound
from inventory.domain.ids import DepartmentId
from inventory.store import directory
from metering import period_store
from metering.adjustments import Adjustment
from metering.rating import yuan
from metering.reports.words import priced_texts

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_FIRST = "The `next` of the page before."


@router.get("/v1/periods", response_model=schemas.PeriodPage)
def list_periods(call: TheCall) -> Response:
    """List every month from the first usage on, with how far its closing is."""
    # One a month.
    return whole_answer([_period(p) for p in periods.listed(call.platform)])


@router.get("/v1/periods/{period}", response_model=schemas.Period)
def get_period(call: TheCall, period: str) -> Response:
    """Show one month."""
    return json_answer(_period(periods.show(call.platform, period)))


@router.post("/v1/periods/{period}/closing", response_model=schemas.Period)
def begin_closing(call: TheCall, period: str) -> Response:
    """Begin to close a month that is over."""
    return json_answer(_period(periods.begin_closing(call.platform, period, call.caller)))


@router.post("/v1/periods/{period}/review", response_model=schemas.Period)
def review_period(call: TheCall, period: str, work: WorkId = None) -> Response:
    """Rate a month and write its statements; again where word of it came since."""
    with call.noted(work) as progress:
        return json_answer(_period(periods.review(call.platform, period, call.caller, progress)))


@router.post("/v1/periods/{period}/close", response_model=schemas.Period)
def close_period(call: TheCall, period: str, work: WorkId = None) -> Response:
    """Close a reviewed month for good; the reviewer cannot."""
    with call.noted(work) as progress:
        return json_answer(_period(periods.close(call.platform, period, call.caller, progress)))


@router.post("/v1/periods/{period}/reopen", response_model=schemas.Period)
def reopen_period(call: TheCall, period: str) -> Response:
    """Say that a closed month never opens again, and what to do instead."""
    found = periods.show(call.platform, period)
    raise Conflict("period.never_reopens", period=period, state=found["state"])


@router.post("/v1/periods/{period}/verify", response_model=schemas.PeriodProof)
def verify_period(call: TheCall, period: str, work: WorkId = None) -> Response:
    """Derive a closed month again from the journal and compare every byte."""
    with call.noted(work) as progress:
        found = periods.verify(call.platform, period, progress)
    return json_answer({**found, "faults": [told(fault, call.language) for fault in found["faults"]]})


@router.get("/v1/periods/{period}/statements", response_model=schemas.StatementPage)
def list_statements(call: TheCall, period: str) -> Response:
    """List the statements of a reviewed or closed month."""
    found = periods.statements(call.platform, period, call.caller.scope)
    # One for each department.
    return whole_answer([statement_summary(s) for s in found])


@router.get("/v1/periods/{period}/statements/{department}", response_model=schemas.StatementWithRows)
def get_statement(call: TheCall, period: str, department: str) -> Response:
    """Show a department's statement: as it was written, or, of an open month, as it stands now."""
    with call.platform.db.read() as connection:
        department_id = _department(connection, call, department)
    return json_answer(with_rows(periods.statement(call.platform, period, department_id)))


@router.post("/v1/periods/{period}/statements/{department}/acknowledge", response_model=schemas.StatementWithRows)
def acknowledge_statement(call: TheCall, period: str, department: str) -> Response:
    """Say, for the department, that its statement of a closed month was seen."""
    with call.platform.db.read() as connection:
        department_id = _department(connection, call, department)
    return json_answer(with_rows(periods.acknowledge(call.platform, period, department_id, call.caller)))


@router.get("/v1/periods/{period}/statements/{department}/lines", response_model=schemas.LinePage)
def list_lines(
    call: TheCall,
    period: str,
    department: str,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=64, description=_FIRST)] = "",
) -> Response:
    """List the rated lines of a department's statement, by id."""
    with call.platform.db.read() as connection:
        department_id = _department(connection, call, department)
        begin = corrections.line_id_of(after) if after else b""
        found = list(period_store.lines(connection, period, department_id=department_id, after=begin, limit=limit + 1))
    return page_answer(found, limit, lambda x: corrections.line_to_json(*x), lambda x: x[0].hex())


@router.get("/v1/lines/{line}", response_model=schemas.LineTrace)
def trace_line(call: TheCall, line: str) -> Response:
    """Show a line with the journal rows, the price and the approvals it came from."""
    found = corrections.trace(call.platform, line, call.caller.scope)
    return json_answer({**found, "period": _period(found["period"])})


@router.post("/v1/adjustments", response_model=schemas.Adjustment, status_code=201)
def add_adjustment(call: TheCall, body: Annotated[schemas.AdjustmentIn, Body()]) -> Response:
    """Enter a credit or debit for a line of a closed month; it counts when a second person has agreed."""
    return json_answer(_adjustment(corrections.adjust(call.platform, body.line, body.yuan, body.reason, call.caller)), status=201)


@router.get("/v1/adjustments", response_model=schemas.AdjustmentPage)
def list_adjustments(call: TheCall, limit: Limit = 100, after: After = "") -> Response:
    """List corrections by hand, oldest first."""
    found = corrections.listed(call.platform, limit=limit + 1, after=after)
    return page_answer(found, limit, _adjustment, lambda a: a.id)


@router.post("/v1/adjustments/{adjustment}/approve", response_model=schemas.Adjustment)
def approve_adjustment(call: TheCall, adjustment: str) -> Response:
    """Agree to a correction that is not one's own; it stands in the first month that is not reviewed."""
    return json_answer(_adjustment(corrections.decide(call.platform, adjustment, call.caller, "approved")))


@router.post("/v1/adjustments/{adjustment}/reject", response_model=schemas.Adjustment)
def reject_adjustment(call: TheCall, adjustment: str) -> Response:
    """Turn a correction down."""
    return json_answer(_adjustment(corrections.decide(call.platform, adjustment, call.caller, "rejected")))


def _department(connection: Connection, call: Call, code: str) -> DepartmentId:
    """Return the id of a department the caller may see.

    Raises:
        NotFound: ``department.not_found``, for one outside the scope too.
    """
    found = directory.department_by_code(connection, code)
    if not call.caller.scope.allows(found.id):
        raise NotFound("department.not_found", department=code)
    return found.id


def _period(period: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(period)
    micro, fen = out.pop("micro_yuan", None), out.pop("fen", None)
    is_rated = out["state"] in ("reviewed", "closed")
    return {
        **out,
        "yuan": yuan(micro) if is_rated and micro is not None else None,
        "payable_yuan": _fen(fen) if is_rated and fen is not None else None,
    }


def _fen(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def statement_summary(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement as it is sent, without its rows."""
    out = dict(statement)
    return {
        **{
            name: out[name]
            for name in ("period_id", "department_id", "department_code", "department_name", "line_count", "billing", "seal")
        },
        "acknowledged_by": out["acknowledged_by"],
        "acknowledged_at_s": out["acknowledged_at_s"],
        "list_yuan": yuan(out["list_micro_yuan"]),
        "yuan": yuan(out["micro_yuan"]),
        "billed_yuan": yuan(out["billed_micro_yuan"]),
        "payable_yuan": _fen(out["fen"]),
        "rounding_yuan": yuan(out["rounding_micro_yuan"]),
    }


def with_rows(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement as it is sent, with its rows."""
    rows = [
        {
            **{
                name: r[name]
                for name in ("project_code", "project_name", "budget_code", "meter", "kind", "billing", "unit", "quantity")
            },
            "list_yuan": yuan(r["list_micro_yuan"]),
            "yuan": yuan(r["micro_yuan"]),
            "payable_yuan": _fen(r["fen"]),
            **priced_texts(r),
        }
        for r in statement["rows"]
    ]
    extra = {name: statement[name] for name in ("period_state", "until_s", "late_word_count")} | {"rows": rows}
    return {**statement_summary(statement), **extra}


def _adjustment(adjustment: Adjustment) -> dict[str, Any]:
    out = asdict(adjustment)
    micro = out.pop("micro_yuan")
    return {**out, "line_id": adjustment.line_id.hex(), "yuan": yuan(micro)}
