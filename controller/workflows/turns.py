"""One at a time, together: whoever has the turn works for all who wait, so that they share a transaction.

No thread of its own: the first of those who wait leads. While it commits, others queue up behind it and make the next
group, so groups grow with the load and a lone ticket waits for nobody. Clients who got their answers together come back
one after the other: without more ado the first of them would lead alone and every second group be of one. So whoever leads
after a crowd waits for it to come back, as long as somebody still comes.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

#: Most machines and tickets in one group: a transaction must stay short for those who wait behind its locks.
GROUP_MACHINES = 512
GROUP_TICKETS = 128
#: A crowd is over when nobody of it came for so long: a few times what reading one ticket takes.
GATHER_GAP_S = 0.005


class Entry(Protocol):
    """Something that waits for its turn."""

    @property
    def weight(self) -> int:
        """Return how many machines it asks for."""

    @property
    def name(self) -> str:
        """Return what no two entries of a group may share."""

    @property
    def is_alone(self) -> bool:
        """Tell whether it must not share a group."""

    @property
    def is_done(self) -> bool:
        """Tell whether it has its outcome."""


E = TypeVar("E", bound=Entry)


class _Seat(Generic[E]):
    """An entry in the queue, and what its thread waits for."""

    def __init__(self, entry: E) -> None:
        self.entry = entry
        self.called = threading.Event()


class Turns(Generic[E]):
    """The queue of one controller."""

    def __init__(self, gather_gap_s: float = GATHER_GAP_S) -> None:
        self._gather_gap_s = gather_gap_s
        self._guard = threading.Lock()
        #: Somebody came: told to the leader that gathers.
        self._came = threading.Condition(self._guard)
        self._waiting: deque[_Seat[E]] = deque()
        self._is_led = False
        #: How many were here together when the last group was led.
        self._crowd = 1

    def take(self, entry: E, lead: Callable[[Sequence[E]], None]) -> None:
        """Return when ``entry`` is done. ``lead`` gives every entry of the group it gets an outcome and never raises."""
        seat = _Seat(entry)
        with self._guard:
            self._waiting.append(seat)
            self._came.notify()
            must_wait, self._is_led = self._is_led, True
        if must_wait:
            # Until somebody led for it, or it is its turn to lead: nobody who is done waits for another group.
            seat.called.wait()
            if entry.is_done:
                return
        # Every group takes the longest waiting, and whoever leads is that one.
        group = self._next_group()
        try:
            lead([seat.entry for seat in group])
        finally:
            self._pass_on(group)

    def _pass_on(self, group: Sequence["_Seat[E]"]) -> None:
        """Send those who are done on their way, and call the longest waiting to lead."""
        with self._guard:
            self._crowd = len(group) + len(self._waiting)
            if self._waiting:
                self._waiting[0].called.set()
            else:
                self._is_led = False
        for seat in group:
            seat.called.set()

    def _next_group(self) -> "list[_Seat[E]]":
        """Take the longest waiting and those behind it that may share its group."""
        with self._guard:
            self._gather()
            group = [self._waiting.popleft()]
            first = group[0].entry
            names, weight = {first.name}, first.weight
            passed: list[_Seat[E]] = []
            while self._waiting and not first.is_alone and len(group) < GROUP_TICKETS:
                seat = self._waiting.popleft()
                entry = seat.entry
                if entry.is_alone or entry.name in names or weight + entry.weight > GROUP_MACHINES:
                    passed.append(seat)
                    # Whoever cannot join bars those behind it only when there is no more room: order is kept in the main.
                    if weight + entry.weight > GROUP_MACHINES:
                        break
                    continue
                group.append(seat)
                names.add(entry.name)
                weight += entry.weight
            self._waiting.extendleft(reversed(passed))
            return group

    def _gather(self) -> None:
        """Wait until those are here who were here together last, or nobody came for a while."""
        while not self._waiting[0].entry.is_alone and (here := len(self._waiting)) < min(self._crowd, GROUP_TICKETS):
            self._came.wait(self._gather_gap_s)
            if len(self._waiting) == here:
                return

    def waiting_count(self) -> int:
        """Return how many wait and are in no group yet."""
        with self._guard:
            return len(self._waiting)
