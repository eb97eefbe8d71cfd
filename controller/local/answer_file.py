"""Files of CSV that local commands answer with: opened before the work begins, written whole or not at all."""

import csv
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from inventory.domain.errors import Invalid

#: What these lead to has no name of its own, or is open already.
_OPEN_ALREADY = ("/dev/std", "/dev/fd/", "/proc/")


class AnswerFile:
    """One file: written beside its place, then put there; a link keeps pointing to it.

    What is no regular file, such as a pipe or ``/dev/null``, is never replaced but written straight into.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; it is opened by ``with``."""
        self._path, self._target = path, Path(os.path.realpath(path))
        self._is_straight = str(path).startswith(_OPEN_ALREADY) or (path.exists() and not path.is_file())
        self._written = path if self._is_straight else self._target.with_name(f".{self._target.name}.{os.getpid()}")

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            Invalid: ``simulate.file_is_directory``, ``simulate.file_unwritable``.
        """
        if self._path.is_dir():
            raise Invalid("simulate.file_is_directory", file=str(self._path))
        try:
            self._stream = self._written.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise self._refusal(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it; nothing is left of what was not finished."""
        if not self._stream.closed:
            self._abandon()

    def is_same(self, other: "AnswerFile") -> bool:
        """Tell whether one of the two would replace the other."""
        return not self._is_straight and self._target == other._target

    def write(self, rows: Iterable[Sequence[object]]) -> None:
        """Write all lines, and put the file in its place.

        Raises:
            Invalid: ``simulate.file_unwritable``.
        """
        try:
            csv.writer(self._stream, lineterminator="\n").writerows(rows)
            self._stream.close()
            if not self._is_straight:
                self._written.replace(self._target)
        except OSError as error:
            self._abandon()
            raise self._refusal(error) from error

    def _abandon(self) -> None:
        # What was still held back finds no room either where the rest found none: the file is given up anyhow.
        with suppress(OSError):
            self._stream.close()
        if not self._is_straight:
            self._written.unlink(missing_ok=True)

    def _refusal(self, error: OSError) -> Invalid:
        return Invalid("simulate.file_unwritable", file=str(self._path), reason=error.strerror or str(error))
