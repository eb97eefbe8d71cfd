"""Who runs the jobs of a host: real threads with deadlines (``HostWorkers``), or the caller itself (``Inline``).

An executor knows nothing of resources. Each host has lanes of its own, there while they have work, with few threads each;
the threads come from one crew and go back to it. Where none is free one is made, so a hung host delays nobody else. A call
that outlives its deadline is given up: its thread is written off until it returns, the host's connection dropped, and what
waited behind it handed back.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol


class Job(Protocol):
    """Work on one host, in pieces."""

    @property
    def host_id(self) -> str:
        """Return the host it works on."""

    @property
    def lane(self) -> str:
        """Return the lane its next piece runs in."""

    @property
    def deadline_s(self) -> float:
        """Return how long its next piece may take."""

    def advance(self) -> bool:
        """Do the next piece; tells whether there is more to do."""

    def give_up(self, *, is_hung: bool) -> None:
        """Hear that the job will not be run on (``is_hung``: its piece was running and its outcome is not known)."""


class Executor(Protocol):
    """Runs jobs and never blocks the loop."""

    def submit(self, job: Job) -> None:
        """Take a job."""

    def check(self) -> list[str]:
        """Give up what is overdue; returns the hosts found hung."""

    def drain(self, host_id: str) -> None:
        """Hand back every job of a host that has not begun."""

    def stop(self, grace_s: float, /) -> None:
        """Let running pieces end for a while, hand the rest back."""


#: Threads per lane of one host.
LANE_THREADS: Mapping[str, int] = {"main": 1, "bulk": 1, "patient": 8, "observe": 1}
#: A host that hangs this many threads gets no more until one of them returns.
WRITTEN_OFF_MAX = 4


class Inline:
    """Runs one piece of one job at a time, chosen by a seed: for simulations."""

    def __init__(self, chooser: random.Random) -> None:
        self._chooser = chooser
        self.jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        """Take a job."""
        self.jobs.append(job)

    def check(self) -> list[str]:
        """Nothing hangs here."""
        return []

    def drain(self, host_id: str) -> None:
        """Hand back the jobs of a host."""
        own = [j for j in self.jobs if j.host_id == host_id]
        self.jobs = [j for j in self.jobs if j.host_id != host_id]
        for job in own:
            job.give_up(is_hung=False)

    def stop(self, _grace_s: float, /) -> None:
        """Hand everything back: nothing runs meanwhile."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            job.give_up(is_hung=False)

    def run_one(self) -> bool:
        """Run one piece of some job; False when there is none."""
        if not self.jobs:
            return False
        job = self.choose()
        if not job.advance():
            self.jobs.remove(job)
        return True

    def choose(self) -> Job:
        """Return the job that goes on."""
        return self.jobs[self._chooser.randrange(len(self.jobs))]


class Crew:
    """Threads that outlive their work: one that is free is used again, a new one is made when none is free.

    Making a thread costs more than a look at a host that rests.
    """

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._lock = threading.Lock()
        #: Inboxes of free threads, the one that worked last at the end.
        self._free: list[SimpleQueue[Callable[[], None]]] = []
        self._made = 0

    def run(self, work: Callable[[], None]) -> None:
        """Run ``work`` on a thread at once."""
        with self._lock:
            inbox = self._free.pop() if self._free else None
            self._made += inbox is None
        if inbox is not None:
            inbox.put(work)
            return
        threading.Thread(target=self._live, args=(work,), name=f"host-worker-{self._made}", daemon=True).start()

    def _live(self, work: Callable[[], None]) -> None:
        inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        following: Callable[[], None] | None = work
        while following is not None:
            following()
            with self._lock:
                self._free.append(inbox)
            following = self._following(inbox)

    def _following(self, inbox: "SimpleQueue[Callable[[], None]]") -> Callable[[], None] | None:
        """Wait for more work; None when there was none for a while."""
        try:
            return inbox.get(timeout=self._idle_s)
        except Empty:
            with self._lock:
                if inbox in self._free:
                    self._free.remove(inbox)
                    return None
        # Somebody chose this thread at the last moment.
        return inbox.get()


@dataclass(slots=True, eq=False)
class _Busy:
    job: Job
    overdue_at: float


@dataclass(slots=True, eq=False)
class _Lane:
    """Queue and threads of one lane of one host; it is there while it has any."""

    host_id: str
    name: str
    size: int
    queue: deque[Job] = field(default_factory=deque)
    #: Threads by token; one that is taken out here ends as soon as its call returns.
    threads: dict[int, _Busy | None] = field(default_factory=dict)


class HostWorkers:
    """Lanes per host over one crew. All methods are called by the loop's thread; ``on_bug`` is called by workers."""

    def __init__(
        self,
        *,
        on_bug: Callable[[Job, Exception], None],
        lane_threads: Mapping[str, int] = LANE_THREADS,
        idle_s: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_bug = on_bug
        self._lane_threads = lane_threads
        self._monotonic = monotonic
        self._crew = Crew(idle_s)
        self._lanes: dict[tuple[str, str], _Lane] = {}
        #: Guards lanes, their queues and threads, and the count of written-off threads.
        self._lock = threading.Lock()
        self._tokens = 0
        #: Written-off threads that still hang, by host.
        self._written_off: dict[str, int] = {}
        self._is_stopping = False

    def submit(self, job: Job) -> None:
        """Take a job; also called by a worker whose job changes lanes."""
        if self._is_stopping or self._written_off.get(job.host_id, 0) >= WRITTEN_OFF_MAX:
            job.give_up(is_hung=not self._is_stopping)
            return
        with self._lock:
            lane = self._lane(job.host_id, job.lane)
            lane.queue.append(job)
            starting = sum(1 for busy in lane.threads.values() if busy is None)
            if starting >= len(lane.queue) or len(lane.threads) >= lane.size:
                return
            self._tokens += 1
            token = self._tokens
            lane.threads[token] = None
        self._crew.run(partial(self._work, lane, token))

    def _lane(self, host_id: str, name: str) -> _Lane:
        lane = self._lanes.get((host_id, name))
        if lane is None:
            lane = self._lanes[host_id, name] = _Lane(host_id, name, self._lane_threads.get(name, 1))
        return lane

    def _work(self, lane: _Lane, token: int) -> None:
        while (job := self._take(lane, token)) is not None:
            self._run(lane, token, job)

    def _take(self, lane: _Lane, token: int) -> Job | None:
        """Return the next job, or None when this thread is to leave the lane."""
        with self._lock:
            if token not in lane.threads:
                return None
            if lane.queue and not self._is_stopping:
                job = lane.queue.popleft()
                lane.threads[token] = _Busy(job, self._monotonic() + job.deadline_s)
                return job
            del lane.threads[token]
            self._close_if_empty(lane)
            return None

    def _close_if_empty(self, lane: _Lane) -> None:
        if not lane.threads and not lane.queue:
            self._lanes.pop((lane.host_id, lane.name), None)

    def _run(self, lane: _Lane, token: int, job: Job) -> None:
        try:
            while job.advance():
                with self._lock:
                    if token not in lane.threads:
                        break
                    if not self._is_stopping and job.lane == lane.name:
                        lane.threads[token] = _Busy(job, self._monotonic() + job.deadline_s)
                        continue
                    lane.threads[token] = None
                if self._is_stopping:
                    job.give_up(is_hung=False)
                else:
                    self.submit(job)
                return
        except Exception as error:  # noqa: BLE001  the edge of the worker: a bug must end neither the thread nor the loop
            self._on_bug(job, error)
        with self._lock:
            if token not in lane.threads:
                self._written_off[job.host_id] -= 1

    def check(self) -> list[str]:
        """Give up calls that are overdue and hand back what waited on their hosts."""
        late = self._write_off_late()
        for busy in late:
            busy.job.give_up(is_hung=True)
        hung = sorted({busy.job.host_id for busy in late})
        for host_id in hung:
            self.drain(host_id)
        return hung

    def _write_off_late(self) -> list[_Busy]:
        """Take the threads of overdue calls out of their lanes; returns the calls."""
        now, found = self._monotonic(), []
        with self._lock:
            for lane in list(self._lanes.values()):
                late = [(token, busy) for token, busy in lane.threads.items() if busy is not None and busy.overdue_at < now]
                for token, busy in late:
                    del lane.threads[token]
                    self._written_off[lane.host_id] = self._written_off.get(lane.host_id, 0) + 1
                    found.append(busy)
                self._close_if_empty(lane)
        return found

    def drain(self, host_id: str) -> None:
        """Hand back every job of a host that has not begun."""
        self._hand_back([lane for lane in self._all() if lane.host_id == host_id])

    def _all(self) -> list[_Lane]:
        with self._lock:
            return list(self._lanes.values())

    def _hand_back(self, lanes: list[_Lane]) -> None:
        jobs: list[Job] = []
        with self._lock:
            for lane in lanes:
                jobs += lane.queue
                lane.queue.clear()
                self._close_if_empty(lane)
        for job in jobs:
            job.give_up(is_hung=False)

    def stop(self, grace_s: float) -> None:
        """Let running pieces end for a while, hand the rest back."""
        self._is_stopping = True
        until = self._monotonic() + grace_s
        self._hand_back(self._all())
        while self._monotonic() < until and self.thread_count():
            time.sleep(0.02)

    def thread_count(self) -> int:
        """Return how many threads are in the lanes (written-off ones left out)."""
        return sum(len(lane.threads) for lane in self._all())
