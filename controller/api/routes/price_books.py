"""Price books with their approvals, and services and labour entered by hand."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.responses import Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.bodies import YamlBody, yaml_request
from controller.api.context import TheCall
from controller.api.paging import After, Limit, json_answer, page_answer
from controller.api.routes.systems import Department, narrowed
from controller.api.routes.usage import moment_s
from controller.workflows import price_books
from metering.book_document import BookDocument
from metering.entries import Entry

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_BOOK = "A document of `kind: PriceBook`, at most 256 KiB."


@router.post("/v1/price-book-checks", response_model=schemas.PriceBookChecked, openapi_extra=yaml_request(_BOOK))
def check_price_book(call: TheCall, data: YamlBody) -> Response:
    """Read a price book and say whether it could hold; stores nothing."""
    return json_answer(_checked(price_books.check(call.platform, data)))


@router.post("/v1/price-books", response_model=schemas.PriceBook, status_code=201, openapi_extra=yaml_request(_BOOK))
def submit_price_book(call: TheCall, data: YamlBody) -> Response:
    """Hand in a price book as a draft; it holds when two others have agreed. The same bytes again give the same draft."""
    return json_answer(price_books.submit(call.platform, data, call.caller), status=201)


@router.get("/v1/price-books", response_model=schemas.PriceBookPage)
def list_price_books(call: TheCall, limit: Limit = 100, after: After = "") -> Response:
    """List versions without their documents, oldest first."""
    found = price_books.listed(call.platform, limit=limit + 1, after=after)
    return page_answer(found, limit, lambda b: b, lambda b: b["id"])


@router.get("/v1/price-books/{book}", response_model=schemas.PriceBook)
def get_price_book(call: TheCall, book: str) -> Response:
    """Show a version with its document and who decided on it."""
    return json_answer(price_books.show(call.platform, book))


@router.post("/v1/price-books/{book}/approve", response_model=schemas.PriceBook)
def approve_price_book(call: TheCall, book: str, body: Annotated[schemas.ReasonIn, Body()]) -> Response:
    """Agree to a draft that is not one's own; the second agreement puts it in force."""
    return json_answer(price_books.decide(call.platform, book, call.caller, "approved", body.reason))


@router.post("/v1/price-books/{book}/reject", response_model=schemas.PriceBook)
def reject_price_book(call: TheCall, book: str, body: Annotated[schemas.ReasonIn, Body()]) -> Response:
    """Turn a draft down for good."""
    return json_answer(price_books.decide(call.platform, book, call.caller, "rejected", body.reason))


@router.post("/v1/usage-entries", response_model=schemas.UsageEntry, status_code=201)
def add_usage_entry(call: TheCall, body: Annotated[schemas.UsageEntryIn, Body()]) -> Response:
    """Enter a service or labour; it is charged when a second person has agreed."""
    zone = call.platform.zone
    entry = price_books.enter(
        call.platform,
        call.caller,
        project=body.project,
        meter=body.meter,
        amount=body.amount,
        start_s=moment_s(body.start, "start", zone),
        end_s=moment_s(body.end, "end", zone) if body.end else None,
        reason=body.reason,
    )
    return json_answer(_entry(entry), status=201)


@router.get("/v1/usage-entries", response_model=schemas.UsageEntryPage)
def list_usage_entries(call: TheCall, limit: Limit = 100, after: After = "", department: Department = "") -> Response:
    """List entries, oldest first."""
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
    found = price_books.entry_page(call.platform, scope, limit=limit + 1, after=after)
    return page_answer(found, limit, _entry, lambda e: e.id)


@router.post("/v1/usage-entries/{entry}/approve", response_model=schemas.UsageEntry)
def approve_usage_entry(call: TheCall, entry: str) -> Response:
    """Agree to an entry that is not one's own."""
    return json_answer(_entry(price_books.decide_entry(call.platform, entry, call.caller, "approved")))


@router.post("/v1/usage-entries/{entry}/reject", response_model=schemas.UsageEntry)
def reject_usage_entry(call: TheCall, entry: str) -> Response:
    """Turn an entry down."""
    return json_answer(_entry(price_books.decide_entry(call.platform, entry, call.caller, "rejected")))


def _entry(entry: Entry) -> dict[str, Any]:
    return asdict(entry)


def _checked(document: BookDocument) -> dict[str, Any]:
    version = document.version
    return {
        "name": document.name,
        "sha256": document.sha256,
        "from_s": version.from_s,
        "to_s": version.to_s,
        "rate_count": len(version.rates) + len(version.entry_rates),
        "discount_count": len(version.discounts),
        "commitment_count": len(version.commitments),
    }
