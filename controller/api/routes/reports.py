"""Reports of a month as files: made whole, then fetched, whole or from where a fetch broke off."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import FileResponse, Response

from controller.api import schemas
from controller.api.auth import GuardedRoute
from controller.api.context import TheCall, WorkId
from controller.api.paging import Answers, json_answer
from controller.api.routes.systems import Department, narrowed
from controller.api.routes.usage import moment_s
from controller.workflows import reports
from controller.workflows.reports import MEDIA_TYPES, Wanted
from inventory.store import directory
from metering.reports.tables import TextOptions

router = APIRouter(route_class=GuardedRoute, tags=["metering"])

_FILE: Answers = {
    200: {
        "description": "The file; `ETag` is its SHA-256. A `Range` gets a part of it (206).",
        "content": {media.partition(";")[0]: {"schema": {"type": "string"}} for media in MEDIA_TYPES.values()},
    },
    206: {"description": "The part of the file that was asked for."},
    416: {"description": "The file has no such part."},
}
FormatName = Annotated[Literal["", "csv", "json", "parquet", "xlsx", "html", "pdf"], Query(alias="format")]
AsOf = Annotated[str, Query(max_length=40, description="Of an open month: up to when it is told; now, if left out.")]
Bom = Annotated[bool, Query(description="CSV in UTF-8: begin with a byte order mark, for spreadsheets.")]
Encoding = Annotated[Literal["utf-8", "gb18030"], Query(description="Of CSV.")]
Headings = Annotated[
    Literal["names", "words"], Query(description="Of CSV: the columns' names, or words in the reader's language.")
]


def _wanted(
    call: TheCall,
    period: str,
    dataset: str,
    format_: FormatName = "",
    department: Department = "",
    as_of: AsOf = "",
    bom: Bom = False,
    encoding: Encoding = "utf-8",
    headings: Headings = "names",
) -> Wanted:
    with call.platform.db.read() as connection:
        scope = narrowed(connection, call, department)
        # By its code from here on, however it was called.
        code = directory.department_by_code(connection, department).code if department else ""
    return Wanted(
        period=period,
        dataset=dataset,
        format=format_,
        scope=scope,
        department=code,
        as_of_s=moment_s(as_of, "as_of", call.platform.zone) if as_of else None,
        text=TextOptions(has_bom=bom, encoding=encoding),
        language=call.language,
        has_words=headings == "words",
    )


#: What report is asked for, by path and query.
TheWanted = Annotated[Wanted, Depends(_wanted)]


@router.get("/v1/periods/{period}/reports/{dataset}/manifest", response_model=schemas.ReportManifest)
def get_report_manifest(call: TheCall, wanted: TheWanted, work: WorkId = None) -> Response:
    """Make a report of a month and tell what it holds: rows, sum, bytes, hash."""
    with call.noted(work) as progress:
        made = reports.make(call.platform, wanted, is_fresh=True, progress=progress)
    return json_answer(dict(made.manifest))


@router.get("/v1/periods/{period}/reports/{dataset}", response_class=FileResponse, responses=_FILE)
def get_report(call: TheCall, wanted: TheWanted, work: WorkId = None) -> Response:
    """Fetch a report of a month: rated lines, statements, FOCUS datasets, a workbook, or a printed statement."""
    with call.noted(work) as progress:
        made = reports.make(call.platform, wanted, progress=progress)
    return FileResponse(
        made.path,
        media_type=made.media_type,
        filename=f"{wanted.period}-{wanted.dataset}.{made.manifest['format']}",
        headers={"ETag": f'"{made.manifest["sha256"]}"', "Cache-Control": "private, no-cache"},
    )
