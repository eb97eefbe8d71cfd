"""A report is asked for, made beside its place, and kept for a while: the same question gets the same bytes.

Of a reviewed or closed month the seal is part of the question, so that a file made once is good for ever; of an open month
the moment up to which it is told is.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from controller.texts import catalogue
from controller.workflows import efficiency, periods
from controller.workflows.platform import Platform
from inventory.domain.errors import Invalid, NotFound, Unavailable
from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from inventory.domain.scope import Scope
from metering import book_store, period_store
from metering.books import Books
from metering.rating import yuan
from metering.reports import export, printed, tables, workbook
from metering.reports.columns import Format
from metering.reports.export import Asked
from metering.reports.facets import Totals
from metering.reports.files import Sink, whole
from metering.reports.pdf import pdf_of
from metering.reports.tables import TextOptions

#: How long a report of an open month may be fetched as it was made (s): the ledger goes on meanwhile.
_OPEN_S = 900
#: What is no table: name of the dataset -> how it is written.
WORKBOOK, STATEMENT = "workbook", "statement"
DATASETS = (*export.DATASETS, WORKBOOK, STATEMENT, *efficiency.DATASETS)
#: Cells of efficiency that people wrote.
_WRITTEN = frozenset(
    {"department_code", "department_name", "project_code", "system", "machine", "network_class", "answer_reason", "subject"}
)
#: What the codes of headings begin with.
_HEAD = "report.head."
_TABLES = tuple(f.value for f in Format)
_FORMATS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((*export.DATASETS, *efficiency.DATASETS), _TABLES),
    **dict.fromkeys(efficiency.WORKBOOKS, (*_TABLES, "xlsx")),
    WORKBOOK: ("xlsx",),
    STATEMENT: ("html", "pdf"),
}
MEDIA_TYPES: Mapping[str, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for."""

    period: str
    dataset: str
    #: Empty: the dataset's first.
    format: str
    scope: Scope
    #: Code of the department it was narrowed to; empty: all that may be seen.
    department: str
    as_of_s: int | None
    text: TextOptions
    #: Of headings for people: ``zh-CN`` or ``en``.
    language: str
    #: Whether the columns of a CSV file are headed by words, and not by their names.
    has_words: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A report that lies there to be fetched."""

    path: Path
    media_type: str
    manifest: Mapping[str, Any]


def make(platform: Platform, wanted: Wanted, *, is_fresh: bool = False, progress: Progress = UNSEEN) -> Made:
    """Make a report, or find it made; ``is_fresh``: what an open month was found to come to before does not count.

    Raises:
        Invalid: ``report.dataset_unknown``, ``report.format_unknown``, ``report.in_future``, ``report.as_of_outside`` or
            ``report.as_of_not_here``, ``report.one_department``, ``report.names_fixed``,
            ``report.encoding_fixed``, ``report.pdf_not_here``.
        Conflict: ``usage.price_gap``.
        NotFound: ``statement.not_found``.
        Unavailable: ``report.disk_full``, ``report.not_written`` or ``report.busy``.
    """
    format_ = _format(wanted)
    period = periods.show(platform, wanted.period)
    as_of_s = _as_of(platform, period, wanted)
    room = platform.reports
    directory = room.directory or platform.images_dir / ".reports"
    question = _question(platform, period, as_of_s, wanted, format_)
    name = f"{wanted.period}-{wanted.dataset}-{_digest(question)[:16]}.{format_}"
    path, beside = directory / name, directory / f"{name}.manifest"
    media_type = MEDIA_TYPES[format_]
    # What machines used goes on being put together, and is answered, after a month is closed.
    is_final = period["state"] in ("reviewed", "closed") and wanted.dataset not in efficiency.DATASETS
    if path.is_file() and beside.is_file() and (is_final or (not is_fresh and time.time() - path.stat().st_mtime < _OPEN_S)):
        return Made(path=path, media_type=media_type, manifest=json.loads(beside.read_bytes()))
    progress.phase(WorkPhase.TURN)
    with room.turn():
        room.sweep(directory)
        with platform.db.read() as connection, whole(path) as sink:
            totals = _write(connection, platform, period, as_of_s, wanted, format_, sink, progress)
        manifest = _manifest(question, wanted, period, totals, sink)
        try:
            with whole(beside) as note:
                note.put(json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        except Unavailable:
            # Without its manifest a file is of no use, and the disk is full.
            path.unlink(missing_ok=True)
            raise
    return Made(path=path, media_type=media_type, manifest=manifest)


def _format(wanted: Wanted) -> str:
    known = _FORMATS.get(wanted.dataset)
    if known is None:
        raise Invalid("report.dataset_unknown", dataset=wanted.dataset, known=", ".join(DATASETS))
    format_ = wanted.format or known[0]
    if format_ not in known:
        raise Invalid("report.format_unknown", dataset=wanted.dataset, format=format_, known=", ".join(known))
    if wanted.has_words and (format_ != "csv" or wanted.dataset.startswith("focus")):
        raise Invalid("report.names_fixed", dataset=wanted.dataset, format=format_)
    if format_ != "csv" and (wanted.text.has_bom or wanted.text.encoding != "utf-8"):
        raise Invalid("report.encoding_fixed", format=format_)
    if wanted.dataset == STATEMENT and not wanted.department:
        raise Invalid("report.one_department")
    return format_


def _as_of(platform: Platform, period: Mapping[str, Any], wanted: Wanted) -> int:
    """Return up to when a month is told."""
    last_s = periods.told_until(platform, period)
    if period["state"] in ("reviewed", "closed"):
        if wanted.as_of_s is not None:
            raise Invalid("report.as_of_not_here", period=wanted.period, state=period["state"])
        return int(period["end_s"])
    if wanted.as_of_s is not None and not period["start_s"] <= wanted.as_of_s <= last_s:
        raise Invalid("report.as_of_outside", period=wanted.period, start_s=period["start_s"], last_s=last_s)
    return last_s if wanted.as_of_s is None else wanted.as_of_s


def _question(platform: Platform, period: Mapping[str, Any], as_of_s: int, wanted: Wanted, format_: str) -> dict[str, Any]:
    """Return everything the bytes depend on."""
    ids = wanted.scope.department_ids
    return {
        "period": wanted.period,
        "state": period["state"],
        "seal": period["seal"],
        "as_of_s": as_of_s,
        "dataset": wanted.dataset,
        "format": format_,
        "departments": None if ids is None else sorted(ids),
        "department": wanted.department,
        "bom": wanted.text.has_bom,
        "encoding": wanted.text.encoding,
        "language": wanted.language if format_ in ("xlsx", "html", "pdf") or wanted.has_words else "",
        "provider": platform.reports.provider,
    }


def _digest(question: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def _write(
    connection: Connection,
    platform: Platform,
    period: Mapping[str, Any],
    as_of_s: int,
    wanted: Wanted,
    format_: str,
    sink: Sink,
    progress: Progress,
) -> Totals:
    names = periods.names(platform, connection)
    asked = Asked(
        dataset=wanted.dataset,
        format=Format(format_) if format_ in _TABLES else Format.CSV,
        period=period,
        as_of_s=as_of_s,
        scope=wanted.scope,
        provider=platform.reports.provider,
        text=replace(wanted.text, heads=_heads(wanted.language)) if wanted.has_words else wanted.text,
    )
    if wanted.dataset in efficiency.WORKBOOKS and format_ == "xlsx":
        say = _words(wanted.language)
        count = efficiency.workbook(connection, platform, wanted.dataset, period, as_of_s, wanted.scope, say, sink, progress)
        return Totals(rows=count)
    if wanted.dataset in efficiency.DATASETS:
        table, rows_ = efficiency.table(connection, platform, wanted.dataset, period, as_of_s, wanted.scope, progress)
        progress.phase(WorkPhase.FILING)
        clean = [{k: asked.neutral(v) if isinstance(v, str) and k in _WRITTEN else v for k, v in row.items()} for row in rows_]
        tables.write(table, [tables.of_rows(clean, (c.name for c in table.columns))], asked.format, sink, asked.text)
        return Totals(rows=len(rows_))
    if wanted.dataset in export.DATASETS:
        return export.write(connection, asked, names, sink, progress)
    books = Books(book_store.approved(connection))
    found = export.statements(connection, asked, names, books, progress)
    if wanted.dataset == STATEMENT:
        own = [(s, rows) for s, rows in found if s["department_code"] == wanted.department]
        if not own:
            raise NotFound("statement.not_found", period=wanted.period)
        statement, rows = own[0]
        late = 0 if asked.is_rated else period_store.late_word_count(connection, statement["department_id"])
        head = printed.Head(
            period=period, as_of_s=as_of_s, zone=platform.zone, provider=platform.reports.provider, late_word_count=late
        )
        page = printed.page(statement, rows, head, _words(wanted.language), wanted.language)
        sink.put(pdf_of(page) if format_ == "pdf" else page.encode())
        return Totals(
            rows=len(rows),
            list_micro_yuan=statement["list_micro_yuan"],
            micro_yuan=statement["micro_yuan"],
            billed_micro_yuan=statement["billed_micro_yuan"],
        )
    return workbook.write(connection, asked, found, platform.zone, _words(wanted.language), sink, progress)


def _heads(language: str) -> dict[str, str]:
    """Return what the columns of our own tables are headed by in a language."""
    found = (code for code in catalogue.all_texts() if code.startswith(_HEAD))
    return {code.removeprefix(_HEAD): catalogue.say(code, {}, language) for code in found}


def _words(language: str) -> Callable[[str], str]:
    """Return what says the headings of a language."""
    return lambda code: catalogue.say(code, {}, language)


def _manifest(
    question: Mapping[str, Any], wanted: Wanted, period: Mapping[str, Any], totals: Totals, sink: Sink
) -> dict[str, Any]:
    written = sink.written
    return {
        "period": wanted.period,
        "state": period["state"],
        "seal": period["seal"],
        "as_of_s": question["as_of_s"],
        "dataset": wanted.dataset,
        "format": question["format"],
        "department": wanted.department or None,
        "rows": totals.rows,
        "list_yuan": yuan(totals.list_micro_yuan),
        "yuan": yuan(totals.micro_yuan),
        "billed_yuan": yuan(totals.billed_micro_yuan),
        "bytes": written.byte_count,
        "sha256": written.sha256,
    }
