"""CSV files with a header, read strictly: every mistake is collected with its line, nothing is guessed.

``allot simulate`` reads its two files through it. A file whose name ends in ``.gz`` is unpacked on the way.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, TypeVar

from controller.scheduling.columns import AMOUNT_MAX
from inventory.domain.errors import Invalid, Problem, Where

_T = TypeVar("_T")
#: A file with more mistakes than this is not a list of mistakes but the wrong file.
MISTAKES_MAX = 50


@dataclass(slots=True)
class Mistakes:
    """What is wrong with a file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def note(self, code: str, line: int, **params: object) -> None:
        """Take a mistake in; where there are too many, stop.

        Raises:
            Invalid: there are too many.
        """
        self.problems.append(Problem(code, {"file": self.file, "line": line, **params}, Where(line=line)))
        if len(self.problems) >= MISTAKES_MAX:
            self.refuse()

    def refuse(self) -> None:
        """Refuse the file if anything was wrong.

        Raises:
            Invalid: with all mistakes.
        """
        if self.problems:
            raise Invalid(self.problems[0].code, problems=self.problems, **dict(self.problems[0].params))


class Row:
    """One line; a cell that is wrong is noted and reads as the least value allowed."""

    def __init__(self, line: int, cells: Sequence[str], column_of: dict[str, int], mistakes: Mistakes) -> None:
        self.line, self._cells, self._column_of, self._mistakes = line, cells, column_of, mistakes

    def text(self, column: str) -> str:
        """Return a cell, empty where the column is not there."""
        index = self._column_of.get(column)
        return "" if index is None else self._cells[index].strip()

    def optional(self, column: str) -> int:
        """Return a whole number, none where the column is not there."""
        return self.number(column, 0) if column in self._column_of else 0

    def number(self, column: str, least: int, most: int = AMOUNT_MAX) -> int:
        """Return a whole number from ``least`` to ``most``."""
        written = self._cells[self._column_of[column]]
        try:
            value = int(written)
        except ValueError:
            value = least - 1
        if least <= value <= most:
            return value
        params = {"column": column, "value": written[:40], "lowest": least, "highest": most}
        self._mistakes.note("simulate.not_a_number", self.line, **params)
        return least


def read(path: Path, required: Sequence[str], take: Callable[[Iterator[Row], Mistakes], _T]) -> _T:
    """Return what ``take`` makes of the rows of a file.

    Raises:
        Invalid: the file cannot be read, lacks a column, or ``take`` noted a mistake.
    """
    mistakes = Mistakes(path.name)
    try:
        with _opened(path) as stream:
            found = take(_rows(stream, required, mistakes), mistakes)
    except (OSError, UnicodeDecodeError, EOFError, zlib.error, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Invalid("simulate.file_unreadable", file=str(path), reason=reason) from error
    mistakes.refuse()
    return found


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _rows(stream: TextIO, required: Sequence[str], mistakes: Mistakes) -> Iterator[Row]:
    lines = csv.reader(stream)
    header = [name.strip() for name in next(lines, [])]
    missing = [name for name in required if name not in header]
    if missing:
        mistakes.note("simulate.column_missing", 1, columns=", ".join(missing))
        mistakes.refuse()
    column_of = {name: index for index, name in enumerate(header)}
    for cells in lines:
        if len(cells) == len(header):
            yield Row(lines.line_num, cells, column_of, mistakes)
        else:
            mistakes.note("simulate.cells", lines.line_num, found=len(cells), expected=len(header))
