"""Meters and the ledger of usage."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall, WorkId
from controller.api.paging import Limit, json_answer, page_answer, whole_answer
from controller.api.problems import told
from controller.api.routes.systems import Department, narrowed
from controller.api.routes.usage import MOMENT, moment_s
from controller.workflows import counted, ledger
from inventory.domain.errors import Invalid
from metering import ledger_store
from metering.meters import METERS

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_AFTER = "The `next` of the page before."


@router.get("/v1/meters", response_model=schemas.MeterPage)
def list_meters() -> Response:
    """List every meter with its unit; those whose source is not on this platform are not offered."""
    # Fixed in the program.
    return whole_answer([{**asdict(m), "charged_states": sorted(m.charged_states)} for m in METERS.values()])


@router.get("/v1/ledger", response_model=schemas.LedgerIntervalPage)
def list_intervals(
    call: TheCall,
    limit: Limit = 100,
    after: Annotated[str, Query(max_length=200, description=_AFTER)] = "",
    resource: Annotated[str, Query(max_length=64, description="Only of this resource, by id.")] = "",
    department: Department = "",
) -> Response:
    """List intervals of the ledger by resource, meter and time."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
        found = ledger_store.page(connection, scope, limit=limit + 1, after=_cursor(after), resource_id=resource)
    return page_answer(found, limit, asdict, lambda i: f"{i.resource_id}/{i.meter}/{i.start_s}")


@router.get("/v1/ledger/counted", response_model=schemas.CountedReport)
def compare_counted(
    call: TheCall,
    pool: Annotated[str, Query(min_length=1, max_length=64, description="Code of the pool.")],
    start: Annotated[str, Query(alias="from", min_length=1, max_length=40, description=f"First moment. {MOMENT}")],
    end: Annotated[str, Query(alias="to", min_length=1, max_length=40, description=f"First moment after. {MOMENT}")],
) -> Response:
    """Show the ledger of a pool beside what its back end counts itself, vCPU and memory, with the reasons of each difference."""
    zone = call.platform.zone
    start_s, end_s = moment_s(start, "from", zone), moment_s(end, "to", zone)
    report = counted.compare(call.platform, call.context.drivers, pool, start_s, end_s)
    machines = [
        {
            **asdict(found),
            "difference_vcpu_s": found.ledger_vcpu_s - found.counted_vcpu_s,
            "difference_memory_mib_s": found.ledger_memory_mib_s - found.counted_memory_mib_s,
            "reasons": [
                {"reason": r.value, "vcpu_s": found.reasons.get(r, 0), "memory_mib_s": found.memory_reasons.get(r, 0)}
                for r in sorted(found.reasons.keys() | found.memory_reasons.keys())
            ],
        }
        for found in report.machines
    ]
    return json_answer({**asdict(report), "machines": machines})


@router.post("/v1/ledger/compare", response_model=schemas.LedgerComparison)
def compare_ledger(call: TheCall, work: WorkId = None) -> Response:
    """Derive every interval from the journal again and compare it with the stored one; changes nothing."""
    with call.noted(work) as progress:
        found = ledger.compare(call.platform, progress)
    differences = [{"resource_id": d.resource_id, "kind": d.kind, **told(d.why, call.language)} for d in found.differences]
    counts = {"resource_count": found.resource_count, "interval_count": found.interval_count}
    return json_answer({"is_equal": not differences, **counts, "differences": differences})


@router.post("/v1/ledger/rebuild", response_model=schemas.LedgerRebuilt)
def rebuild_ledger(call: TheCall, work: WorkId = None) -> Response:
    """Make the ledger again from the journal."""
    with call.noted(work) as progress:
        return json_answer({"interval_count": ledger.rebuild(call.platform, call.caller, progress)})


def _cursor(text: str) -> tuple[str, str, int] | None:
    """Return the key a page begins after.

    Raises:
        Invalid: ``ledger.cursor_unreadable``.
    """
    if not text:
        return None
    parts = text.split("/")
    if len(parts) != 3 or not (parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 12):
        raise Invalid("ledger.cursor_unreadable", written=text[:60])
    return parts[0], parts[1], int(parts[2])
