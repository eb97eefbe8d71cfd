"""A month as a workbook: summary sheets with charts, headings in the reader's language; the same bytes each time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from metering.lines import Kind
from metering.reports import source
from metering.reports.export import Asked
from metering.reports.facets import Totals
from metering.reports.files import Sink
from metering.reports.sheets import Fen, Micro, Sheets, Thousandths, chart, opened
from metering.reports.words import Say, base_unit_word, billing_word, kind_word, meter_word, priced_quantity, unit_word

Row = Mapping[str, Any]
Statements = Sequence[tuple[Row, Sequence[Row]]]
#: More lines than these are for CSV or Parquet.
LINES_MAX = 50_000
_TOP = 20
_MONTHS = 12


def write(
    connection: Connection,
    asked: Asked,
    statements: Statements,
    zone: ZoneInfo,
    say: Say,
    sink: Sink,
    progress: Progress = UNSEEN,
) -> Totals:
    """Write the workbook and return what it comes to."""
    data = BytesIO()
    sheets = opened(data, asked.period["id"], asked.provider, say)
    _summary(sheets, statements)
    _projects(sheets, statements)
    _meters(sheets, statements)
    _trend(sheets, connection, asked, statements)
    if asked.is_rated:
        _top(sheets, connection, asked)
        _lines(sheets, connection, asked, statements, zone, progress)
    _corrections(sheets, statements)
    progress.phase(WorkPhase.FILING)
    sheets.book.close()
    sink.put(data.getvalue())
    return Totals(
        rows=sum(len(rows) for _, rows in statements),
        list_micro_yuan=sum(s["list_micro_yuan"] for s, _ in statements),
        micro_yuan=sum(s["micro_yuan"] for s, _ in statements),
        billed_micro_yuan=sum(s["billed_micro_yuan"] for s, _ in statements),
    )


def _summary(sheets: Sheets, statements: Statements) -> None:
    heads = ("report.word.department", "report.word.code", "report.word.lines", "report.word.list_yuan", "report.word.exact_yuan",
             "report.word.rounding", "report.word.payable_yuan", "report.word.billing")  # fmt: skip
    sheet = sheets.add("report.word.sheet_summary", heads, (28, 18, 10, 18, 18, 14, 16, 14))
    count = sheets.rows(sheet, (
        (s["department_name"], s["department_code"], s["line_count"], Micro(s["list_micro_yuan"]), Micro(s["micro_yuan"]),
         Micro(s["rounding_micro_yuan"]), Fen(s["fen"]), billing_word(s["billing"], sheets.say))
        for s, _ in statements
    ))  # fmt: skip
    whole = [s for s, _ in statements]
    total = (
        sheets.say("report.word.total"), "", sum(s["line_count"] for s in whole),
        Micro(sum(s["list_micro_yuan"] for s in whole)),
        Micro(sum(s["micro_yuan"] for s in whole)), Micro(sum(s["rounding_micro_yuan"] for s in whole)),
        Fen(sum(s["fen"] for s in whole)),
    )  # fmt: skip
    sheets.rows(sheet, [total], count + 1)
    if count:
        chart(sheets, sheet, "bar", "report.word.sheet_summary", "report.word.payable_yuan", (1, count), (0, 6), "J2")


def _projects(sheets: Sheets, statements: Statements) -> None:
    heads = ("report.word.department", "report.word.project", "report.word.project_name", "report.word.budget_code",
             "report.word.meter", "report.word.kind", "report.word.quantity", "report.word.unit", "report.word.list_yuan",
             "report.word.exact_yuan", "report.word.payable_yuan", "report.word.billing")  # fmt: skip
    sheet = sheets.add("report.word.sheet_projects", heads, (24, 18, 24, 16, 22, 18, 18, 12, 18, 18, 16, 14))
    sheets.rows(sheet, (
        (s["department_name"], r["project_code"], r["project_name"], r["budget_code"], meter_word(r["meter"], sheets.say),
         kind_word(r["kind"], sheets.say), *_quantity(r, sheets.say), Micro(r["list_micro_yuan"]), Micro(r["micro_yuan"]),
         Fen(r["fen"]), billing_word(r["billing"], sheets.say))
        for s, rows in statements for r in rows
    ))  # fmt: skip


def _quantity(row: Row, say: Say) -> tuple[Any, str]:
    found = priced_quantity(row)
    return ("", "") if found is None else (Thousandths(found[0]), unit_word(found[1], say))


def _resource_kind(kind: str, say: Say) -> str:
    return say(f"report.word.resource_{kind}") if kind else ""


def _meters(sheets: Sheets, statements: Statements) -> None:
    sums: dict[str, int] = {}
    for _, rows in statements:
        for row in rows:
            sums[row["meter"]] = sums.get(row["meter"], 0) + row["fen"]
    sheet = sheets.add("report.word.sheet_meters", ("report.word.meter", "report.word.payable_yuan"), (26, 18))
    count = sheets.rows(sheet, ((meter_word(meter, sheets.say), Fen(fen)) for meter, fen in sorted(sums.items())))
    if count:
        chart(sheets, sheet, "pie", "report.word.sheet_meters", "report.word.payable_yuan", (1, count), (0, 1), "D2")


def _trend(sheets: Sheets, connection: Connection, asked: Asked, statements: Statements) -> None:
    months = source.month_totals(connection, asked.period["end_s"], asked.scope, _MONTHS)
    if not asked.is_rated:
        months = [*months, (asked.period["id"], sum(s["fen"] for s, _ in statements))][-_MONTHS:]
    sheet = sheets.add("report.word.sheet_trend", ("report.word.month", "report.word.payable_yuan"), (14, 18))
    count = sheets.rows(sheet, ((month, Fen(fen)) for month, fen in months))
    if count:
        chart(sheets, sheet, "line", "report.word.sheet_trend", "report.word.payable_yuan", (1, count), (0, 1), "D2")


def _top(sheets: Sheets, connection: Connection, asked: Asked) -> None:
    found = source.dearest(connection, asked.period["id"], asked.scope, _TOP)
    names = source.names_of(connection, (resource for resource, _ in found))
    heads = ("report.word.resource", "report.word.kind", "report.word.id", "report.word.exact_yuan")
    sheet = sheets.add("report.word.sheet_top", heads, (28, 14, 44, 18))
    sheets.rows(
        sheet,
        (
            (names.get(r, ("", r))[1], _resource_kind(names.get(r, ("", ""))[0], sheets.say), r, Micro(micro))
            for r, micro in found
        ),
    )


def _corrections(sheets: Sheets, statements: Statements) -> None:
    heads = ("report.word.department", "report.word.project", "report.word.meter", "report.word.kind", "report.word.exact_yuan")
    sheet = sheets.add("report.word.sheet_corrections", heads, (28, 18, 24, 18, 18))
    sheets.rows(sheet, (
        (s["department_name"], r["project_code"], meter_word(r["meter"], sheets.say), kind_word(r["kind"], sheets.say),
         Micro(r["micro_yuan"]))
        for s, rows in statements for r in rows if r["kind"] in (Kind.ADJUSTMENT, Kind.CORRECTION)
    ))  # fmt: skip


def _lines(
    sheets: Sheets, connection: Connection, asked: Asked, statements: Statements, zone: ZoneInfo, progress: Progress
) -> None:
    heads = ("report.word.id", "report.word.department", "report.word.meter", "report.word.kind", "report.word.resource",
             "report.word.amount", "report.word.unit", "report.word.from", "report.word.until",
             "report.word.exact_yuan")  # fmt: skip
    sheet = sheets.add("report.word.sheet_lines", heads, (36, 24, 22, 18, 28, 10, 8, 20, 20, 18))
    count = sum(s["line_count"] for s, _ in statements)
    if count > LINES_MAX:
        sheet.write_string(1, 0, sheets.say("report.word.too_many_lines"))
        return
    called = {s["department_id"]: s["department_name"] for s, _ in statements}
    names = source.resource_names(connection, asked.period["start_s"], asked.period["end_s"], asked.scope)
    progress.phase(WorkPhase.REPORTING, lambda: count)
    begin = 1
    for portion in source.stored(connection, asked.period["id"], asked.scope, progress):
        begin += sheets.rows(sheet, (
            (line_id.hex(), called.get(x.department_id, ""), meter_word(x.meter, sheets.say), kind_word(x.kind, sheets.say),
             names.get(x.resource_id, ("", x.resource_id))[1], x.amount, base_unit_word(x.meter, sheets.say),
             _local(x.start_s, zone), _local(x.end_s, zone), Micro(x.micro_yuan))
            for line_id, x in portion.rows()
        ), begin)  # fmt: skip


def _local(at_s: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%d %H:%M:%S")
