"""Long requests that say how far they are: in this process, for those who sent them, for as long as they run and a little longer.

Whoever wants to look at its own request while it runs gives it an id. Nothing here is stored: what such a request does is in the
state, or it is not, and a controller that is started anew knows of none.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

from inventory.domain.clock import Clock
from inventory.domain.errors import NotFound
from inventory.domain.progress import UNSEEN, Progress, WorkPhase

#: How long one may ask what became of work that has ended (s).
_KEEP_S = 600.0
#: Most that is known at once: many times the requests a controller works on.
_MOST = 256


class WorkState(StrEnum):
    """Whether work goes on."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How far one request is."""

    id: str
    began_at_s: float
    phase_began_at_s: float
    state: WorkState = WorkState.RUNNING
    #: None: it has not begun its first phase.
    phase: WorkPhase | None = None
    #: Of what the phase counts.
    done: int = 0
    #: None: the phase counts nothing.
    total: int | None = None
    ended_at_s: float | None = None


class _Noted:
    """Work in hand. Written by the thread that does it; readers see one whole ``Work`` or the next."""

    def __init__(self, id_: str, clock: Clock) -> None:
        now_s = clock()
        self.work = Work(id=id_, began_at_s=now_s, phase_began_at_s=now_s)
        self._clock = clock

    def phase(self, phase: WorkPhase, total: Callable[[], int] | None = None) -> None:
        """Begin a phase."""
        self.work = replace(self.work, phase=phase, done=0, total=None, phase_began_at_s=self._clock())
        if total is not None:
            self.work = replace(self.work, total=total())

    def reached(self, done: int) -> None:
        """Tell how much of the phase is done."""
        self.work = replace(self.work, done=done)

    def end(self, state: WorkState) -> None:
        """Note how it ended."""
        self.work = replace(self.work, state=state, ended_at_s=self._clock())


@dataclass(slots=True)
class Works:
    """What is worked on for whom: bounded in number and in age, for many threads."""

    most: int = _MOST
    #: By person and id: an id of somebody else is simply not there.
    _noted: dict[tuple[str, str], _Noted] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def noted(self, owner: str, id_: str, clock: Clock) -> Iterator[Progress]:
        """Note how far the block is, for its owner; without an id nobody looks.

        An id that is used again stands for the newer work.
        """
        if not id_:
            yield UNSEEN
            return
        noted = _Noted(id_, clock)
        with self._lock:
            self._make_room(clock())
            # Put at the end, where the newest are.
            self._noted.pop((owner, id_), None)
            self._noted[owner, id_] = noted
        try:
            yield noted
        except BaseException:
            noted.end(WorkState.FAILED)
            raise
        noted.end(WorkState.DONE)

    def look(self, owner: str, id_: str, now_s: float) -> Work:
        """Return how far the owner's work is.

        Raises:
            NotFound: ``work.not_found``.
        """
        with self._lock:
            noted = self._noted.get((owner, id_))
        if noted is None or _is_old(noted.work, now_s):
            raise NotFound("work.not_found", work=id_)
        return noted.work

    def __len__(self) -> int:
        """Return how many are known."""
        return len(self._noted)

    def _make_room(self, now_s: float) -> None:
        """Forget what is old, and where that is not enough what has ended before what goes on, the oldest first."""
        for key in [key for key, noted in self._noted.items() if _is_old(noted.work, now_s)]:
            del self._noted[key]
        while len(self._noted) >= self.most:
            ended = (key for key, noted in self._noted.items() if noted.work.ended_at_s is not None)
            del self._noted[next(ended, next(iter(self._noted)))]


def _is_old(work: Work, now_s: float) -> bool:
    return work.ended_at_s is not None and now_s - work.ended_at_s > _KEEP_S
