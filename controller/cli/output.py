"""Printing: tables with the right width for Chinese, JSON, YAML or just names; progress and questions go to standard error."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from controller.cli.language import say
from controller.cli.session import Format
from controller.cli.whole_numbers import whole_number

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

#: Width of tables that are not shown on a terminal but read by a program.
_PIPE_WIDTH = 200
Row = Mapping[str, Any]
#: Is told what is done at the moment, and how much of how much.
Shown = Callable[[str, int, int | None], None]
Cell = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title's code and how its cells are made."""

    title: str
    cell: Cell | str
    is_number: bool = False

    def text(self, row: Row) -> str:
        """Return the cell of a row."""
        value = row.get(self.cell) if isinstance(self.cell, str) else self.cell(row)
        return "" if value is None else str(value)


class Out:
    """Standard output in the form the user asked for."""

    def __init__(self, language: str, format_: Format, zone: ZoneInfo) -> None:
        self.language = language
        self.format = format_
        self.zone = zone
        self._consoles: dict[bool, Console] = {}

    # -- answers ------------------------------------------------------------------------------------------------------

    def rows(
        self, rows: Sequence[Row], columns: Sequence[Column], *, name: str = "id", by: str = "", has_more: bool = False
    ) -> None:
        """Print a list; for people in the order of a dictionary by the Chinese names in the field ``by``, if there is one.

        ``has_more`` says, whatever the form, that these are not all.
        """
        if self.format is Format.TABLE:
            self._table(_in_order(rows, by) if by else rows, columns)
        elif self.format is Format.NAME:
            self._write("".join(f"{row.get(name, '')}\n" for row in rows))
        else:
            self._data([dict(row) for row in rows])
        if has_more:
            self.note("cli.say.more_exist", limit=len(rows))

    def value(self, value: Mapping[str, Any], show: Callable[[Mapping[str, Any]], None], *, name: str = "id") -> None:
        """Print one thing; ``show`` prints it for people."""
        if self.format is Format.TABLE:
            show(value)
        elif self.format is Format.NAME:
            self._write(f"{value.get(name, '')}\n")
        else:
            self._data(dict(value))

    def fields(self, pairs: Sequence[tuple[str, Any]]) -> None:
        """Print fields of one thing, one a line; ``pairs`` hold a title's code and a value."""
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for title, value in pairs:
            if value not in (None, "", [], {}):
                table.add_row(self.say(title), _plain(value))
        self.console().print(table)

    def _table(self, rows: Sequence[Row], columns: Sequence[Column]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        if not rows:
            self.note("cli.say.nothing")
            return
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(self.say(column.title), justify="right" if column.is_number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_plain(column.text(row)) for column in columns))
        self.console().print(table)

    def _data(self, value: Any) -> None:
        if self.format is Format.YAML:
            import yaml

            self._write(yaml.safe_dump(value, allow_unicode=True, sort_keys=False))
        else:
            self._write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)

    # -- words --------------------------------------------------------------------------------------------------------

    @property
    def is_table(self) -> bool:
        """Tell whether people read this."""
        return self.format is Format.TABLE

    def say(self, code: str, **params: Any) -> str:
        """Return a sentence."""
        return say(code, self.language, **params)

    def line(self, code: str, **params: Any) -> None:
        """Print a sentence on standard output, for people only."""
        if self.is_table:
            self.console().print(_plain(self.say(code, **params)))

    def note(self, code: str, **params: Any) -> None:
        """Print a sentence on standard error, whatever the form of the answer."""
        self.console(stderr=True).print(_plain(self.say(code, **params)))

    @contextmanager
    def working(self, code: str, **params: Any) -> Iterator[Shown | None]:
        """Show on a terminal that something is made, and what the block says of how far it is; None where nobody sees it."""
        console = self.console(stderr=True)
        if not console.is_terminal:
            yield None
            return
        from rich.progress import TaskProgressColumn, TimeElapsedColumn

        with _bar(console, self.say(code, **params), TaskProgressColumn(), TimeElapsedColumn()) as shown:
            yield shown

    @contextmanager
    def counting(self, code: str, **params: Any) -> Iterator[Shown]:
        """Show how much of how much is done: a bar on a terminal, elsewhere a line for every tenth of it."""
        console = self.console(stderr=True)
        if not console.is_terminal:
            yield Tenths(self).show
            return
        from rich.progress import MofNCompleteColumn, TaskProgressColumn

        with _bar(console, self.say(code, **params), MofNCompleteColumn(), TaskProgressColumn()) as shown:
            yield shown

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show on a terminal how many bytes of a file there are; the block says how many."""
        console = self.console(stderr=True)
        if not console.is_terminal:
            yield lambda _done: None
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=console, transient=True) as shown:
            task = shown.add_task(what, total=total)
            yield lambda done: shown.update(task, completed=done)

    def heading(self, code: str, **params: Any) -> None:
        """Print the title of a part."""
        from rich.text import Text

        self.console().print(Text("\n" + self.say(code, **params), style="bold"))

    def moment(self, at_s: float | None) -> str:
        """Return a moment in the platform's zone, empty for none."""
        if at_s is None:
            return ""
        return datetime.fromtimestamp(at_s, self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def day(self, at_s: float | None) -> str:
        """Return the day a moment falls on in the platform's zone, empty for none."""
        return self.moment(at_s)[:10]

    def console(self, *, stderr: bool = False) -> "Console":
        """Return the terminal."""
        if stderr not in self._consoles:
            from rich.console import Console

            stream = sys.stderr if stderr else sys.stdout
            width = None if stream.isatty() else whole_number(os.environ.get("COLUMNS", "")) or _PIPE_WIDTH
            self._consoles[stderr] = Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)
        return self._consoles[stderr]


class Tenths:
    """Tells where nobody sees a bar how much is done: a line when another tenth of it is, the last one with the whole."""

    def __init__(self, out: Out) -> None:
        self._out = out
        self._told = 0

    def show(self, text: str, done: int, total: int | None) -> None:
        """Tell what is new."""
        tenth = 10 * done // total if total else 0
        if total and tenth > self._told:
            self._told = tenth
            self._out.note("cli.say.progress", what=text, done=done, total=total, percent=100 * done // total)


def _in_order(rows: Sequence[Row], field: str) -> Sequence[Row]:
    # Pinyin takes a moment to load: only a list that is sorted by names needs it.
    from inventory.importers.pinyin import order

    return sorted(rows, key=lambda row: order(str(row.get(field) or "")))


def _plain(value: Any) -> Any:
    """Return a text nothing in which is taken for markup: names and reasons are written by others."""
    from rich.text import Text

    return Text(str(value))


@contextmanager
def _bar(console: "Console", what: str, *figures: "ProgressColumn") -> Iterator[Shown]:
    """Draw a bar with figures behind it; without a total it only moves."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    text = TextColumn("{task.description}", markup=False)
    with Progress(SpinnerColumn(), text, BarColumn(), *figures, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda text, done, total: bar.update(task, description=text, completed=done, total=total)
