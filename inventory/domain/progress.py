"""How far long work is: what it tells of itself while it runs, whoever looks.

Kernels take a ``Progress`` as an argument and tell it their phases, and how much of a phase is done, once per portion and never
per row. Where nobody looks it is ``UNSEEN``, which costs nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")
#: Rows between two words of how far it is.
_PORTION = 2_000


class WorkPhase(StrEnum):
    """What long work does at the moment; each has its text in both languages."""

    #: Counted: nothing. Another one has the ledger, or makes a report.
    TURN = "work.phase.turn"
    #: Counted: rows of the journal that are taken into the ledger.
    JOURNAL = "work.phase.journal"
    #: Counted: intervals of the ledger that are rated.
    RATING = "work.phase.rating"
    #: Counted: statements of closed months that late word may touch.
    CORRECTING = "work.phase.correcting"
    #: Counted: rated lines that are written.
    WRITING = "work.phase.writing"
    SEALING = "work.phase.sealing"
    #: Counted: stored lines that are read, and compared with their ids.
    READING = "work.phase.reading"
    #: Counted: lines that are derived from the journal again.
    DERIVING = "work.phase.deriving"
    #: Counted: resources whose ledger is derived from the journal.
    COMPARING = "work.phase.comparing"
    #: Counted: machines, how they used what they hold.
    JUDGING = "work.phase.judging"
    #: Counted: lines or intervals that are put into a report.
    REPORTING = "work.phase.reporting"
    FILING = "work.phase.filing"
    #: Counted: bytes of an image.
    COPYING = "work.phase.copying"
    INSPECTING = "work.phase.inspecting"
    #: Counted: events of the audit chain.
    CHAIN = "work.phase.chain"


class Progress(Protocol):
    """Who is told how far work is."""

    def phase(self, phase: WorkPhase, total: Callable[[], int] | None = None) -> None:
        """Begin a phase; ``total`` counts what there is to do in it, and is called only where somebody looks."""
        ...

    def reached(self, done: int) -> None:
        """Tell how much of the phase is done."""
        ...


class _Unseen:
    """Work nobody looks at."""

    def phase(self, phase: WorkPhase, total: Callable[[], int] | None = None) -> None:
        """Tell nobody."""

    def reached(self, done: int) -> None:
        """Tell nobody."""


UNSEEN: Progress = _Unseen()


def counted(rows: Iterable[T], progress: Progress) -> Iterable[T]:
    """Return the rows; how many of them passed is told portion by portion."""
    return rows if progress is UNSEEN else _counted(rows, progress)


def _counted(rows: Iterable[T], progress: Progress) -> Iterator[T]:
    waiting, done = iter(rows), 0
    while portion := list(islice(waiting, _PORTION)):
        yield from portion
        done += len(portion)
        progress.reached(done)
