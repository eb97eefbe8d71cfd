"""Sheets of workbooks: headings, cells that keep what they are given, charts; the same bytes each time.

Amounts are numbers with as many places as they have: a cell holds a decimal text of at most fifteen digits, which every
spreadsheet keeps exactly; a longer amount is written as text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

from metering.reports.columns import neutral
from metering.reports.words import Say

#: Digits a spreadsheet keeps.
_EXACT = 10**15
#: Written into the file instead of the time it was made at.
_MADE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def opened(data: BytesIO, title: str, provider: str, say: Say) -> "Sheets":
    """Return a workbook to be filled; what calls it closes its book.

    In memory, because it is small (rows are bound): a full disk is then met in one place, where the file is written.
    """
    # Loaded when used, as the other makers of files are.
    import xlsxwriter

    book = xlsxwriter.Workbook(data, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _MADE, "title": title, "author": provider, "company": provider})
    return Sheets(book, say, book.add_format({"bold": True, "bottom": 1, "text_wrap": True}))


@dataclass(slots=True)
class Sheets:
    """A workbook being written."""

    book: Any
    say: Say
    head: Any
    _styles: dict[int, Any] = field(default_factory=dict)

    def style(self, places: int) -> Any:
        """Return the format of decimals with so many places."""
        if places not in self._styles:
            self._styles[places] = self.book.add_format({"num_format": f"#,##0.{'0' * places}"})
        return self._styles[places]

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
        if isinstance(value, Fen):
            _amount(sheet, row, column, value.amount, 100, self.style(2))
        elif isinstance(value, Micro):
            _amount(sheet, row, column, value.amount, 1_000_000, self.style(6))
        elif isinstance(value, Thousandths):
            _amount(sheet, row, column, value.amount, 1000, self.style(3))
        elif isinstance(value, Decimal):
            places = -int(value.as_tuple().exponent)
            _amount(sheet, row, column, int(value.scaleb(places)), 10**places, self.style(places))
        elif isinstance(value, int):
            sheet.write_number(row, column, value)
        elif value:
            sheet.write_string(row, column, neutral(str(value)))


@dataclass(frozen=True, slots=True)
class Fen:
    """Hundredths of a yuan."""

    amount: int


@dataclass(frozen=True, slots=True)
class Micro:
    """Millionths of a yuan."""

    amount: int


@dataclass(frozen=True, slots=True)
class Thousandths:
    """Of a quantity."""

    amount: int


def _amount(sheet: Any, row: int, column: int, amount: int, over: int, style: Any) -> None:
    if abs(amount) < _EXACT:
        # The nearest float of at most fifteen digits is written as those digits.
        sheet.write_number(row, column, amount / over, style)
    else:
        sign, whole, rest = "-" if amount < 0 else "", abs(amount) // over, abs(amount) % over
        sheet.write_string(row, column, f"{sign}{whole}.{rest:0{len(str(over)) - 1}d}", style)


def chart(
    sheets: Sheets, sheet: Any, type_: str, title: str, series: str, rows: tuple[int, int], columns: tuple[int, int], place: str
) -> None:
    """Put a chart beside rows: ``columns`` are that of its words and that of its values."""
    name = sheet.get_name()
    drawn = sheets.book.add_chart({"type": type_})
    (first, last), (words, values) = rows, columns
    drawn.add_series(
        {
            "name": sheets.say(series),
            "categories": [name, first, words, last, words],
            "values": [name, first, values, last, values],
        }
    )
    drawn.set_title({"name": sheets.say(title)})
    drawn.set_size({"width": 640, "height": 360})
    sheet.insert_chart(place, drawn)
