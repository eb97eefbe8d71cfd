"""A month as a workbook: summary sheets with charts, headings in the reader's language; the same bytes each time.

Amounts are numbers with as many places as they have: a cell holds a decimal text of at most fifteen digits, which every
spreadsheet keeps exactly; a longer amount is written as text.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from metering.lines import Kind
from metering.reports import source
from metering.reports.columns import neutral
from metering.reports.export import Asked
from metering.reports.facets import Totals
from metering.reports.files import Sink
from metering.reports.words import Say, billing_word, kind_word, meter_word, priced_quantity, unit_word

Row = Mapping[str, Any]
Statements = Sequence[tuple[Row, Sequence[Row]]]
#: More lines than these are for CSV or Parquet.
LINES_MAX = 50_000
_TOP = 20
_MONTHS = 12
#: Digits a spreadsheet keeps.
_EXACT = 10**15
#: Written into the file instead of the time it was made at.
_MADE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@dataclass(slots=True)
class _Sheets:
    """A workbook being written."""

    book: Any
    say: Say
    money: Any
    exact: Any
    counted: Any
    head: Any

    def add(self, title: str, heads: Sequence[str], widths: Sequence[int]) -> Any:
        """Add a sheet with its headings."""
        sheet = self.book.add_worksheet(self.say(title))
        sheet.freeze_panes(1, 0)
        for n, (head, width) in enumerate(zip(heads, widths, strict=True)):
            sheet.set_column(n, n, width)
            sheet.write_string(0, n, self.say(head), self.head)
        sheet.repeat_rows(0)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        return sheet

    def rows(self, sheet: Any, rows: Iterable[Sequence[Any]], from_: int = 1) -> int:
        """Write rows and return how many."""
        count = 0
        for count, row in enumerate(rows, 1):
            for n, cell in enumerate(row):
                self.cell(sheet, from_ + count - 1, n, cell)
        return count

    def cell(self, sheet: Any, row: int, column: int, value: Any) -> None:
        """Write one cell: texts never as formulas, money exactly."""
        if isinstance(value, _Fen):
            _amount(sheet, row, column, value.amount, 100, self.money)
        elif isinstance(value, _Micro):
            _amount(sheet, row, column, value.amount, 1_000_000, self.exact)
        elif isinstance(value, _Thousandths):
            _amount(sheet, row, column, value.amount, 1000, self.counted)
        elif isinstance(value, int):
            sheet.write_number(row, column, value)
        elif value:
            sheet.write_string(row, column, neutral(str(value)))


@dataclass(frozen=True, slots=True)
class _Fen:
    amount: int


@dataclass(frozen=True, slots=True)
class _Micro:
    amount: int


@dataclass(frozen=True, slots=True)
class _Thousandths:
    amount: int


def _amount(sheet: Any, row: int, column: int, amount: int, over: int, style: Any) -> None:
    if abs(amount) < _EXACT:
        # The nearest float of at most fifteen digits is written as those digits.
        sheet.write_number(row, column, amount / over, style)
    else:
        sign, whole, rest = "-" if amount < 0 else "", abs(amount) // over, abs(amount) % over
        sheet.write_string(row, column, f"{sign}{whole}.{rest:0{len(str(over)) - 1}d}", style)


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
    # In memory, because it is small (lines are bound): a full disk is then met in one place, where the file is written.
    data = BytesIO()
    # Loaded when used, as the other makers of files are.
    import xlsxwriter

    book = xlsxwriter.Workbook(data, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _MADE, "title": asked.period["id"], "author": asked.provider, "company": asked.provider})
    sheets = _Sheets(
        book, say, book.add_format({"num_format": "#,##0.00"}), book.add_format({"num_format": "#,##0.000000"}),
        book.add_format({"num_format": "#,##0.000"}), book.add_format({"bold": True, "bottom": 1, "text_wrap": True}),
    )  # fmt: skip
    _summary(sheets, statements)
    _projects(sheets, statements)
    _meters(sheets, statements)
    _trend(sheets, connection, asked, statements)
    if asked.is_rated:
        _top(sheets, connection, asked)
        _lines(sheets, connection, asked, statements, zone, progress)
    _corrections(sheets, statements)
    progress.phase(WorkPhase.FILING)
    book.close()
    sink.put(data.getvalue())
    return Totals(
        rows=sum(len(rows) for _, rows in statements),
        list_micro_yuan=sum(s["list_micro_yuan"] for s, _ in statements),
        micro_yuan=sum(s["micro_yuan"] for s, _ in statements),
        billed_micro_yuan=sum(s["billed_micro_yuan"] for s, _ in statements),
    )


def _summary(sheets: _Sheets, statements: Statements) -> None:
    heads = ("report.word.department", "report.word.code", "report.word.lines", "report.word.list_yuan", "report.word.exact_yuan",
             "report.word.rounding", "report.word.payable_yuan", "report.word.billing")  # fmt: skip
    sheet = sheets.add("report.word.sheet_summary", heads, (28, 18, 10, 18, 18, 14, 16, 14))
    count = sheets.rows(sheet, (
        (s["department_name"], s["department_code"], s["line_count"], _Micro(s["list_micro_yuan"]), _Micro(s["micro_yuan"]),
         _Micro(s["rounding_micro_yuan"]), _Fen(s["fen"]), billing_word(s["billing"], sheets.say))
        for s, _ in statements
    ))  # fmt: skip
    whole = [s for s, _ in statements]
    total = (
        sheets.say("report.word.total"), "", sum(s["line_count"] for s in whole),
        _Micro(sum(s["list_micro_yuan"] for s in whole)),
        _Micro(sum(s["micro_yuan"] for s in whole)), _Micro(sum(s["rounding_micro_yuan"] for s in whole)),
        _Fen(sum(s["fen"] for s in whole)),
    )  # fmt: skip
    sheets.rows(sheet, [total], count + 1)
    if count:
        _chart(sheets, sheet, "bar", "report.word.sheet_summary", "report.word.payable_yuan", (1, count), (0, 6), "J2")


def _projects(sheets: _Sheets, statements: Statements) -> None:
    heads = ("report.word.department", "report.word.project", "report.word.project_name", "report.word.budget_code",
             "report.word.meter", "report.word.kind", "report.word.quantity", "report.word.unit", "report.word.list_yuan",
             "report.word.exact_yuan", "report.word.payable_yuan", "report.word.billing")  # fmt: skip
    sheet = sheets.add("report.word.sheet_projects", heads, (24, 18, 24, 16, 22, 18, 18, 12, 18, 18, 16, 14))
    sheets.rows(sheet, (
        (s["department_name"], r["project_code"], r["project_name"], r["budget_code"], meter_word(r["meter"], sheets.say),
         kind_word(r["kind"], sheets.say), *_quantity(r, sheets.say), _Micro(r["list_micro_yuan"]), _Micro(r["micro_yuan"]),
         _Fen(r["fen"]), billing_word(r["billing"], sheets.say))
        for s, rows in statements for r in rows
    ))  # fmt: skip


def _quantity(row: Row, say: Say) -> tuple[Any, str]:
    found = priced_quantity(row)
    return ("", "") if found is None else (_Thousandths(found[0]), unit_word(found[1], say))


def _resource_kind(kind: str, say: Say) -> str:
    return say(f"report.word.resource_{kind}") if kind else ""


def _meters(sheets: _Sheets, statements: Statements) -> None:
    sums: dict[str, int] = {}
    for _, rows in statements:
        for row in rows:
            sums[row["meter"]] = sums.get(row["meter"], 0) + row["fen"]
    sheet = sheets.add("report.word.sheet_meters", ("report.word.meter", "report.word.payable_yuan"), (26, 18))
    count = sheets.rows(sheet, ((meter_word(meter, sheets.say), _Fen(fen)) for meter, fen in sorted(sums.items())))
    if count:
        _chart(sheets, sheet, "pie", "report.word.sheet_meters", "report.word.payable_yuan", (1, count), (0, 1), "D2")


def _trend(sheets: _Sheets, connection: Connection, asked: Asked, statements: Statements) -> None:
    months = source.month_totals(connection, asked.period["end_s"], asked.scope, _MONTHS)
    if not asked.is_rated:
        months = [*months, (asked.period["id"], sum(s["fen"] for s, _ in statements))][-_MONTHS:]
    sheet = sheets.add("report.word.sheet_trend", ("report.word.month", "report.word.payable_yuan"), (14, 18))
    count = sheets.rows(sheet, ((month, _Fen(fen)) for month, fen in months))
    if count:
        _chart(sheets, sheet, "line", "report.word.sheet_trend", "report.word.payable_yuan", (1, count), (0, 1), "D2")


def _top(sheets: _Sheets, connection: Connection, asked: Asked) -> None:
    found = source.dearest(connection, asked.period["id"], asked.scope, _TOP)
    names = source.names_of(connection, (resource for resource, _ in found))
    heads = ("report.word.resource", "report.word.kind", "report.word.id", "report.word.exact_yuan")
    sheet = sheets.add("report.word.sheet_top", heads, (28, 14, 44, 18))
    sheets.rows(
        sheet,
        (
            (names.get(r, ("", r))[1], _resource_kind(names.get(r, ("", ""))[0], sheets.say), r, _Micro(micro))
            for r, micro in found
        ),
    )


def _corrections(sheets: _Sheets, statements: Statements) -> None:
    heads = ("report.word.department", "report.word.project", "report.word.meter", "report.word.kind", "report.word.exact_yuan")
    sheet = sheets.add("report.word.sheet_corrections", heads, (28, 18, 24, 18, 18))
    sheets.rows(sheet, (
        (s["department_name"], r["project_code"], meter_word(r["meter"], sheets.say), kind_word(r["kind"], sheets.say),
         _Micro(r["micro_yuan"]))
        for s, rows in statements for r in rows if r["kind"] in (Kind.ADJUSTMENT, Kind.CORRECTION)
    ))  # fmt: skip


def _lines(
    sheets: _Sheets, connection: Connection, asked: Asked, statements: Statements, zone: ZoneInfo, progress: Progress
) -> None:
    heads = ("report.word.id", "report.word.department", "report.word.meter", "report.word.kind", "report.word.resource",
             "report.word.amount", "report.word.from", "report.word.until", "report.word.exact_yuan")  # fmt: skip
    sheet = sheets.add("report.word.sheet_lines", heads, (36, 24, 22, 18, 28, 10, 20, 20, 18))
    count = sum(s["line_count"] for s, _ in statements)
    if count > LINES_MAX:
        sheet.write_string(1, 0, sheets.say("report.word.too_many_lines"))
        return
    called = {s["department_id"]: s["department_name"] for s, _ in statements}
    names = source.resource_names(connection, asked.period["start_s"], asked.period["end_s"], asked.scope)
    progress.phase(WorkPhase.REPORTING, lambda: count)
    begin = 1
    for portion in source.stored(connection, asked.period["id"], asked.scope):
        begin += sheets.rows(sheet, (
            (line_id.hex(), called.get(x.department_id, ""), meter_word(x.meter, sheets.say), kind_word(x.kind, sheets.say),
             names.get(x.resource_id, ("", x.resource_id))[1], x.amount, _local(x.start_s, zone), _local(x.end_s, zone),
             _Micro(x.micro_yuan))
            for line_id, x in portion.rows()
        ), begin)  # fmt: skip
        progress.reached(begin - 1)


def _local(at_s: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%d %H:%M:%S")


def _chart(
    sheets: _Sheets, sheet: Any, type_: str, title: str, series: str, rows: tuple[int, int], columns: tuple[int, int], place: str
) -> None:
    name = sheet.get_name()
    chart = sheets.book.add_chart({"type": type_})
    (first, last), (words, values) = rows, columns
    chart.add_series(
        {
            "name": sheets.say(series),
            "categories": [name, first, words, last, words],
            "values": [name, first, values, last, values],
        }
    )
    chart.set_title({"name": sheets.say(title)})
    chart.set_size({"width": 640, "height": 360})
    sheet.insert_chart(place, chart)
