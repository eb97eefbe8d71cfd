"""What was read of a region a moment ago, for everybody who asks for the same: one reads, the others wait for that."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Aged(Generic[T]):
    """One thing that is read again once it is older than ``max_age_s``; 0: each time."""

    def __init__(self, read: Callable[[], T], max_age_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._max_age_s = max_age_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: tuple[float, T] | None = None

    def get(self) -> T:
        """Return it, as it was at most so long ago; a fault of whoever reads it is theirs, and nothing is kept of it."""
        with self._lock:
            now_s = self._monotonic()
            if self._known is None or now_s - self._known[0] >= self._max_age_s:
                self._known = (now_s, self._read())
            return self._known[1]
