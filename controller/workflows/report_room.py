"""Where reports are made and kept for a while: a directory, who provides, how many at once. Given by ``wiring``."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from inventory.domain.errors import Unavailable

#: How many are made at one time; each may use two cores and half a gigabyte.
_AT_ONCE = 2
#: Longest one waits for its turn.
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRoom:
    """The means of making reports."""

    #: ``None``: beside the images.
    directory: Path | None = None
    #: Who provides the platform and issues its invoices, as FOCUS and printed statements name it.
    provider: str = "Allotment"
    #: How long a finished file is kept for those who come to fetch it.
    keep_s: int = 24 * 3600
    _turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_AT_ONCE))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until few enough are made.

        Raises:
            Unavailable: ``report.busy``.
        """
        if not self._turns.acquire(timeout=_PATIENCE_S):
            raise Unavailable("report.busy", retry_after_s=10)
        try:
            yield
        finally:
            self._turns.release()

    def sweep(self, directory: Path) -> None:
        """Remove files nobody came for, and what a killed process left half written."""
        # By the machine's clock, as the files' own times are.
        oldest = time.time() - self.keep_s
        for file in directory.glob("*") if directory.is_dir() else ():
            try:
                if file.is_file() and file.stat().st_mtime < oldest:
                    file.unlink()
            except OSError:
                continue
