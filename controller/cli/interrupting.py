"""Ctrl-C as a wish: the first one is noted and heard at the next safe point, the second one ends the command on the spot.

An exception that comes out of nowhere may hit a library while it holds a lock, and then the command hangs instead of ending.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any


class Wish:
    """Whether somebody asked for the end.

    No ``threading.Event``: its lock is not reentrant, and a signal that arrives while the main thread holds it
    would wait for itself. ``SimpleQueue.put`` may be called from a signal handler.
    """

    def __init__(self) -> None:
        self._is_made = False
        self._calls: SimpleQueue[None] = SimpleQueue()

    def is_made(self) -> bool:
        """Return whether the end was asked for."""
        return self._is_made

    def make(self) -> None:
        """Ask for the end; may be called from a signal handler."""
        self._is_made = True
        self._calls.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait for the wish, ``seconds`` at most; return whether it is made."""
        if not self._is_made:
            with suppress(Empty):
                self._calls.get(timeout=seconds)
        return self._is_made


@contextmanager
def interrupts_noted() -> Iterator[Wish]:
    """Yield what the first SIGINT makes; what stood there before holds again after it, and afterwards."""
    wish = Wish()
    # Signals are the main thread's; a command in the background of a script is none of the keyboard's.
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield wish
        return

    def note(_number: int, _frame: Any) -> None:
        wish.make()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
