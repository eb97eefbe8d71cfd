"""What is done for each host once an interval, beside the look at it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


def _at_once(_host_id: str) -> float:
    return 0.0


@dataclass(slots=True, kw_only=True)
class HostIntervals:
    """Which hosts are due. Every method may be called by any thread."""

    #: 0: no host ever is.
    interval_s: float
    monotonic: Callable[[], float]
    #: How long after it was first asked for a host is due for the first time (s).
    first_after_s: Callable[[str], float] = _at_once
    _due_at: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, host_id: str) -> bool:
        """Tell whether a host is due now, and take it that it is served."""
        if not self.interval_s:
            return False
        now = self.monotonic()
        with self._lock:
            if host_id not in self._due_at:
                self._due_at[host_id] = now + self.first_after_s(host_id)
            if now < self._due_at[host_id]:
                return False
            self._due_at[host_id] = now + self.interval_s
        return True
