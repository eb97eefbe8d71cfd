"""Who runs the jobs of a host: real threads with deadlines (``HostWorkers``), or the caller itself (``Inline``).

An executor knows nothing of resources. Each host has lanes of its own with few threads each, made when there is work and
ended when there is none, so a hung host delays nobody else. A call that outlives its deadline is given up: its thread is
written off, the host's connection dropped, and what waited behind it handed back.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
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

    def stop(self, grace_s: float) -> None:
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

    def stop(self, grace_s: float) -> None:  # noqa: ARG002  nothing runs meanwhile
        """Hand everything back."""
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


@dataclass(slots=True, eq=False)
class _Busy:
    job: Job
    overdue_at: float


@dataclass(slots=True, eq=False)
class _Lane:
    """Queue and threads of one lane of one host."""

    name: str
    size: int
    queue: deque[Job] = field(default_factory=deque)
    changed: threading.Condition = field(default_factory=threading.Condition)
    #: Threads by token; one that is taken out here ends as soon as its call returns.
    threads: dict[int, _Busy | None] = field(default_factory=dict)


class HostWorkers:
    """Threads per host and lane. All methods are called by the loop's thread; ``on_bug`` is called by workers."""

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
        self._idle_s = idle_s
        self._monotonic = monotonic
        self._lanes: dict[tuple[str, str], _Lane] = {}
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
        lane = self._lane(job.host_id, job.lane)
        with lane.changed:
            lane.queue.append(job)
            idle = sum(1 for busy in lane.threads.values() if busy is None)
            if idle < len(lane.queue) and len(lane.threads) < lane.size:
                self._start(lane)
            lane.changed.notify()

    def _lane(self, host_id: str, name: str) -> _Lane:
        with self._lock:
            key = (host_id, name)
            if key not in self._lanes:
                self._lanes[key] = _Lane(name, self._lane_threads.get(name, 1))
            return self._lanes[key]

    def _start(self, lane: _Lane) -> None:
        with self._lock:
            self._tokens += 1
            token = self._tokens
        lane.threads[token] = None
        threading.Thread(target=self._work, args=(lane, token), name=f"host-{lane.name}-{token}", daemon=True).start()

    def _work(self, lane: _Lane, token: int) -> None:
        while (job := self._take(lane, token)) is not None:
            self._run(lane, token, job)

    def _take(self, lane: _Lane, token: int) -> Job | None:
        """Return the next job, or None when this thread is to end."""
        with lane.changed:
            if token not in lane.threads:
                return None
            lane.threads[token] = None
            while not lane.queue:
                if self._is_stopping or not lane.changed.wait(self._idle_s):
                    if lane.queue and not self._is_stopping:
                        break
                    lane.threads.pop(token, None)
                    return None
            job = lane.queue.popleft()
            lane.threads[token] = _Busy(job, self._monotonic() + job.deadline_s)
            return job

    def _run(self, lane: _Lane, token: int, job: Job) -> None:
        try:
            while job.advance():
                with lane.changed:
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
        with lane.changed:
            is_written_off = token not in lane.threads
        if is_written_off:
            with self._lock:
                self._written_off[job.host_id] -= 1

    def check(self) -> list[str]:
        """Give up calls that are overdue and hand back what waited on their hosts."""
        now = self._monotonic()
        hung: list[str] = []
        for (host_id, _), lane in self._all():
            # Most hosts rest: without a thread nothing can be late, and there is no lock to take.
            if not lane.threads:
                continue
            with lane.changed:
                late = [(token, busy) for token, busy in lane.threads.items() if busy is not None and busy.overdue_at < now]
                for token, _busy in late:
                    del lane.threads[token]
            for _token, busy in late:
                with self._lock:
                    self._written_off[host_id] = self._written_off.get(host_id, 0) + 1
                busy.job.give_up(is_hung=True)
                hung.append(host_id)
        for host_id in sorted(set(hung)):
            self.drain(host_id)
        self._forget_idle()
        return sorted(set(hung))

    def _all(self) -> list[tuple[tuple[str, str], _Lane]]:
        with self._lock:
            return list(self._lanes.items())

    def _forget_idle(self) -> None:
        with self._lock:
            if len(self._lanes) > 1024:
                self._lanes = {k: lane for k, lane in self._lanes.items() if lane.threads or lane.queue}

    def drain(self, host_id: str) -> None:
        """Hand back every job of a host that has not begun."""
        for (owner, _), lane in self._all():
            if owner == host_id:
                self._hand_back(lane)

    def _hand_back(self, lane: _Lane) -> None:
        with lane.changed:
            jobs = list(lane.queue)
            lane.queue.clear()
        for job in jobs:
            job.give_up(is_hung=False)

    def stop(self, grace_s: float) -> None:
        """Let running pieces end for a while, hand the rest back."""
        self._is_stopping = True
        until = self._monotonic() + grace_s
        for _, lane in self._all():
            self._hand_back(lane)
            with lane.changed:
                lane.changed.notify_all()
        while self._monotonic() < until and any(self._busy(lane) for _, lane in self._all()):
            time.sleep(0.02)

    def _busy(self, lane: _Lane) -> Iterable[_Busy]:
        with lane.changed:
            return [busy for busy in lane.threads.values() if busy is not None]

    def thread_count(self) -> int:
        """Return how many threads there are (written-off ones left out)."""
        return sum(len(lane.threads) for _, lane in self._all())
