"""What this process counts outside the reconciler: calls to back ends, writes to the state, HTTP requests.

Filled by the driver wrapper, the database and the HTTP middleware; read by the snapshot. ``wiring`` makes one of each.
"""

from dataclasses import dataclass, field
from threading import Lock

from controller.reconcile.counters import Histogram, ReconcileCounters
from controller.reconcile.ledger import LedgerCounters
from controller.reconcile.sampling import SampleCounters


class DriverCounters:
    """Calls to back ends by pool id; many worker threads write."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[tuple[str, str], int] = {}
        self._faults: dict[tuple[str, str], int] = {}

    def called(self, pool_id: str, verb: str) -> None:
        """Count a call that is being made."""
        with self._lock:
            self._calls[pool_id, verb] = self._calls.get((pool_id, verb), 0) + 1

    def failed(self, pool_id: str, kind: str) -> None:
        """Count a call that ended in a fault."""
        with self._lock:
            self._faults[pool_id, kind] = self._faults.get((pool_id, kind), 0) + 1

    def calls(self) -> dict[tuple[str, str], int]:
        """Return how many calls by (pool id, verb)."""
        with self._lock:
            return dict(self._calls)

    def faults(self) -> dict[tuple[str, str], int]:
        """Return how many faults by (pool id, kind)."""
        with self._lock:
            return dict(self._faults)


class StateCounters:
    """Durations of write transactions; given to ``Database.on_write``."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.writes = Histogram()

    def wrote(self, took_s: float) -> None:
        """Count a committed transaction; any thread."""
        with self._lock:
            self.writes.observe(took_s)


class HttpCounters:
    """Requests by method, route template and status; written on the event loop only."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, str], int] = {}
        self.durations: dict[tuple[str, str], Histogram] = {}

    def answered(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count an answer."""
        key = (method, route, str(status))
        self.requests[key] = self.requests.get(key, 0) + 1
        self.durations.setdefault((method, route), Histogram()).observe(took_s)


@dataclass(frozen=True, slots=True)
class Counters:
    """All counters of a process."""

    reconcile: ReconcileCounters = field(default_factory=ReconcileCounters)
    drivers: DriverCounters = field(default_factory=DriverCounters)
    state: StateCounters = field(default_factory=StateCounters)
    http: HttpCounters = field(default_factory=HttpCounters)
    ledger: LedgerCounters = field(default_factory=LedgerCounters)
    samples: SampleCounters = field(default_factory=SampleCounters)
