"""Lanes of hosts over one crew of threads: used again, never shared with what hangs, written off when overdue."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from controller.reconcile.workers import WRITTEN_OFF_MAX, Crew, HostWorkers, Job

_WAIT_S = 30.0


@dataclass(eq=False)
class Piece:
    """A job of one piece that does what it is told and remembers its thread."""

    host_id: str
    work: Callable[[], None] = lambda: None
    lane: str = "observe"
    deadline_s: float = 1.0
    done: threading.Event = field(default_factory=threading.Event)
    thread: int = 0
    given_up: list[bool] = field(default_factory=list)

    def advance(self) -> bool:
        self.thread = threading.get_ident()
        try:
            self.work()
        finally:
            self.done.set()
        return False

    def give_up(self, *, is_hung: bool) -> None:
        self.given_up.append(is_hung)


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def _workers(clock: Clock, bugs: list[Exception] | None = None) -> HostWorkers:
    def on_bug(_job: Job, error: Exception) -> None:
        assert bugs is not None, error
        bugs.append(error)

    return HostWorkers(on_bug=on_bug, idle_s=_WAIT_S, monotonic=clock)


def _until_free(workers: HostWorkers) -> None:
    # The worker has told that it is done and is on its way out of the lane.
    pause = threading.Event()
    for _ in range(1000):
        if not workers.thread_count():
            return
        pause.wait(0.01)
    pytest.fail("a thread did not leave its lane")


def test_one_thread_serves_one_host_after_another() -> None:
    workers, threads = _workers(Clock()), set()
    for number in range(20):
        piece = Piece(f"host-{number}")
        workers.submit(piece)
        assert piece.done.wait(_WAIT_S)
        threads.add(piece.thread)
        _until_free(workers)
    # The thread may still be on its way back to the crew when the next job comes: then a second one is made, no more.
    assert len(threads) < 10


def test_hosts_that_hang_delay_no_other_and_are_written_off_when_overdue() -> None:
    clock, let_go = Clock(), threading.Event()
    workers = _workers(clock)
    started = threading.Semaphore(0)

    def hang() -> None:
        started.release()
        let_go.wait(_WAIT_S)

    hung = [Piece(f"hung-{number}", hang) for number in range(12)]
    behind = Piece("hung-0")
    for piece in [*hung, behind]:
        workers.submit(piece)
    for _ in hung:
        assert started.acquire(timeout=_WAIT_S)
    good = Piece("good")
    workers.submit(good)
    assert good.done.wait(_WAIT_S)

    assert workers.check() == []
    clock.now = 2.0
    assert workers.check() == sorted(p.host_id for p in hung)
    assert [p.given_up for p in hung] == [[True]] * len(hung)
    assert behind.given_up == [False]
    let_go.set()
    again = Piece("hung-0")
    workers.submit(again)
    assert again.done.wait(_WAIT_S)


def test_a_host_that_hangs_too_many_threads_gets_no_more_until_one_returns() -> None:
    clock, let_go = Clock(), threading.Event()
    workers = _workers(clock)
    hung = []

    def hang() -> None:
        let_go.wait(_WAIT_S)

    for _ in range(WRITTEN_OFF_MAX):
        piece = Piece("host", hang)
        workers.submit(piece)
        hung.append(piece)
        clock.now += 2.0
        while not workers.check():
            clock.now += 2.0
    refused = Piece("host")
    workers.submit(refused)
    assert refused.given_up == [True]
    let_go.set()
    for piece in hung:
        assert piece.done.wait(_WAIT_S)


def test_a_bug_in_a_job_ends_neither_thread_nor_lane() -> None:
    bugs: list[Exception] = []
    workers = _workers(Clock(), bugs)

    def fail() -> None:
        raise ZeroDivisionError

    broken, next_ = Piece("host", fail), Piece("host")
    workers.submit(broken)
    workers.submit(next_)
    assert next_.done.wait(_WAIT_S)
    assert [type(b) for b in bugs] == [ZeroDivisionError]


def test_what_waits_is_handed_back_at_the_stop() -> None:
    let_go, started = threading.Event(), threading.Event()
    workers = _workers(Clock())

    def hold() -> None:
        started.set()
        let_go.wait(_WAIT_S)

    running, waiting = Piece("host", hold), Piece("host")
    workers.submit(running)
    workers.submit(waiting)
    assert started.wait(_WAIT_S)
    workers.stop(0.0)
    assert waiting.given_up == [False]
    late = Piece("host")
    workers.submit(late)
    assert late.given_up == [False]
    let_go.set()


def test_a_free_thread_that_gets_no_work_ends() -> None:
    before = threading.active_count()
    crew, done = Crew(idle_s=0.01), threading.Event()
    crew.run(done.set)
    assert done.wait(_WAIT_S)
    pause = threading.Event()
    for _ in range(1000):
        if threading.active_count() <= before:
            return
        pause.wait(0.01)
    pytest.fail("the thread lives on")
