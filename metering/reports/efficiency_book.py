"""Efficiency and the yearly assessment as workbooks: what the tables hold, in sheets, words and charts for people.

The tables give every cell as text; here decimals and counts become numbers again, exactly, and codes become words.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from itertools import groupby
from typing import Any

from metering.reports import efficiency
from metering.reports.columns import Column, Dataset, Type
from metering.reports.files import Sink
from metering.reports.sheets import Sheets, chart, opened
from metering.reports.words import Say

Row = Mapping[str, Any]
_DEAREST = 20
#: More machines than these are for CSV or Parquet.
_MACHINES_MAX = 50_000
#: Columns whose cells are codes -> what their words begin with.
_CODED = {"finding": "report.word.finding_", "answer": "cli.word.answer_", "target_met": "cli.word."}
_WIDE = {"department_name": 24, "system": 26, "machine": 26, "system_id": 38, "instance_id": 38, "answer_reason": 40}


def write_efficiency(
    systems: Sequence[Row], classes: Sequence[Row], machines: Sequence[Row], title: str, provider: str, say: Say, sink: Sink
) -> None:
    """Write systems, what would save most, classes of zones and machines, a sheet each."""
    data = BytesIO()
    sheets = opened(data, title, provider, say)
    _table(sheets, "report.word.sheet_systems", efficiency.SYSTEMS, systems)
    _savings(sheets, systems)
    sheet = _table(sheets, "report.word.sheet_classes", efficiency.CLASSES, classes)
    if classes:
        place = _place(efficiency.CLASSES, "cpu_average_percent")
        chart(sheets, sheet, "column", "report.word.sheet_classes", "report.head.cpu_average_percent", (1, len(classes)),
              (0, place), f"A{len(classes) + 4}")  # fmt: skip
    is_short = len(machines) <= _MACHINES_MAX
    sheet = _table(sheets, "report.word.sheet_machines", efficiency.MACHINES, machines if is_short else ())
    if not is_short:
        sheet.write_string(1, 0, say("report.word.too_many_machines"))
    sheets.book.close()
    sink.put(data.getvalue())


def _table(sheets: Sheets, title: str, dataset: Dataset, rows: Iterable[Row]) -> Any:
    columns = dataset.columns
    widths = [_WIDE.get(c.name, 14) for c in columns]
    sheet = sheets.add(title, [f"report.head.{c.name}" for c in columns], widths)
    sheets.rows(sheet, ([_cell(c, row[c.name], sheets.say) for c in columns] for row in rows))
    return sheet


def _cell(column: Column, value: Any, say: Say) -> Any:
    if value is None or value == "":
        return None
    if column.name in _CODED:
        return say(f"{_CODED[column.name]}{value}")
    return _number(str(value)) if column.type in (Type.DECIMAL, Type.INTEGER) else str(value)


def _number(text: str) -> Decimal | int:
    return Decimal(text) if "." in text else int(text)


def _place(dataset: Dataset, name: str) -> int:
    return next(n for n, column in enumerate(dataset.columns) if column.name == name)


def _savings(sheets: Sheets, systems: Sequence[Row]) -> None:
    """Write the systems whose ticket would save most, with what was found of them."""
    saving = "saving_yuan_per_year"
    found = [s for s in systems if s[saving] is not None and Decimal(s[saving])]
    found = sorted(found, key=lambda s: (-Decimal(s[saving]), s["system_id"]))[:_DEAREST]
    names = ("department_name", "system", "finding", saving, "answer")
    sheet = sheets.add("report.word.sheet_savings", [f"report.head.{n}" for n in names], (28, 28, 16, 20, 16))
    columns = [next(c for c in efficiency.SYSTEMS.columns if c.name == name) for name in names]
    count = sheets.rows(sheet, ([_cell(c, row[c.name], sheets.say) for c in columns] for row in found))
    if count:
        chart(sheets, sheet, "bar", "report.word.sheet_savings", f"report.head.{saving}", (1, count), (1, 3), "G2")


def write_assessment(rows: Sequence[Row], title: str, provider: str, say: Say, sink: Sink) -> None:
    """Write a sheet for each section of the assessment, and the fees of all departments by month."""
    data = BytesIO()
    sheets = opened(data, title, provider, say)
    sections = {name: list(own) for name, own in groupby(rows, key=lambda row: str(row["section"]))}
    for section in ("utilisation", "fees", "capability", "quality"):
        heads = [f"report.head.{name}" for name in ("subject", "month", "figure", "value", "unit")]
        sheet = sheets.add(f"report.word.sheet_{section}", heads, (26, 12, 34, 18, 12))
        own = sections.get(section, [])
        sheets.rows(sheet, (
            (_named(f"report.word.subject_{row['subject']}", row["subject"], say), row["month"], _figure(row, say),
             _value(row, sheets.say), _named(f"report.unit.{row['unit']}", row["unit"], say))
            for row in own
        ))  # fmt: skip
        if section == "fees":
            _months(sheets, own)
    sheets.book.close()
    sink.put(data.getvalue())


def _figure(row: Row, say: Say) -> str:
    figure = str(row["figure"])
    if row["section"] == "quality":
        # How tickets ended, and kinds of findings, are words of the lists that show them.
        return _named(f"cli.word.{figure}", _named(f"report.head.{figure}", figure, say), say)
    return _named(f"report.head.{figure}", figure, say)


def _value(row: Row, say: Say) -> Any:
    value, coded = row["value"], _CODED.get(str(row["figure"]))
    if value is None:
        return None
    return say(f"{coded}{value}") if coded else _number(str(value))


def _named(code: str, name: str, say: Say) -> str:
    """Return a word; what an operator named has none, and stays as it is."""
    found = say(code)
    return name if found == code else found


def _months(sheets: Sheets, fees: Sequence[Row]) -> None:
    sums: dict[str, Decimal] = {}
    for row in fees:
        if row["figure"] == "payable_yuan":
            sums[row["month"]] = sums.get(row["month"], Decimal("0.00")) + Decimal(row["value"])
    sheet = sheets.add("report.word.sheet_trend", ("report.head.month", "report.head.payable_yuan"), (14, 20))
    count = sheets.rows(sheet, sorted(sums.items()))
    if count:
        chart(sheets, sheet, "line", "report.word.sheet_trend", "report.head.payable_yuan", (1, count), (0, 1), "D2")
