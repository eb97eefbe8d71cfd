"""Ctrl-C as a wish: the first one is noted and heard at the next safe point, the second one ends the command on the spot.

An exception that comes out of nowhere may hit a library while it holds a lock, and then the command hangs instead of ending.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_noted() -> Iterator[threading.Event]:
    """Yield what is set by the first SIGINT; what stood there before holds again after it, and afterwards."""
    wished = threading.Event()
    # Signals are the main thread's; a command in the background of a script is none of the keyboard's.
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield wished
        return

    def note(_number: int, _frame: Any) -> None:
        wished.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield wished
    finally:
        signal.signal(signal.SIGINT, before)
