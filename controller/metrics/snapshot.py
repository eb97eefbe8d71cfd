"""Collects the figures in the background and keeps them as bytes: a scrape costs one copy, whatever the platform's size.

``wiring`` makes one ``MetricsSnapshot``, runs ``run`` in a thread of its own and gives ``exposition`` to the API. The
figures of the state and those of this process are kept apart: while the database does not answer, the process still
tells how it is, and the age of the other half says how old it is.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from threading import Event
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from sqlalchemy import Connection

from controller.metrics import declared as m
from controller.metrics import state
from controller.metrics.counters import Counters
from controller.metrics.drivers import FAULT_KINDS
from controller.metrics.exposition import family, histogram, single
from controller.workflows.platform import Platform
from inventory.store import summary

T = TypeVar("T")

_LOG = structlog.get_logger(__name__)


class MetricsSnapshot:
    """See the module."""

    def __init__(
        self,
        platform: Platform,
        counters: Counters,
        *,
        interval_s: float = 15.0,
        version: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._platform = platform
        self._counters = counters
        self._interval_s = interval_s
        self._version = version
        self._monotonic = monotonic
        self._processes = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._processes)
        #: Codes of pools and their zones by id: labels of what this process counts by pool id.
        self._pools: dict[str, tuple[str, str]] = {}
        self._failures = 0
        self._duration_s = 0.0
        self._taken_at_s = 0.0
        #: Before the first collection: since this object stands.
        self._aged_from = monotonic()
        self._of_state = ""
        self._body = self._of_process().encode()

    def run(self, stop: Event) -> None:
        """Collect now and after every interval, until ``stop`` is set."""
        while not stop.is_set():
            try:
                self.refresh()
            except Exception:  # noqa: BLE001  the edge of the thread: a broken query must not end the figures for good
                _LOG.exception("the figures could not be collected")
            stop.wait(self._interval_s)

    def refresh(self) -> None:
        """Collect the figures.

        Raises:
            Unavailable: ``state.*``; the figures of the state stay as they were, the others are new.
        """
        started, begun_at_s = self._monotonic(), self._platform.clock()
        try:
            text = "".join(self._families(begun_at_s))
        except Exception:
            self._failures += 1
            raise
        else:
            self._of_state = text
            self._taken_at_s, self._aged_from = begun_at_s, started
            self._duration_s = self._monotonic() - started
        finally:
            self._body = (self._of_state + self._of_process()).encode()

    def exposition(self) -> bytes:
        """Return the last figures with their age, at once and from any thread."""
        return self._body + single(m.SNAPSHOT_AGE, max(0.0, self._monotonic() - self._aged_from)).encode()

    # -- the state ----------------------------------------------------------------------------------------------------

    def _read(self, query: Callable[[Connection], T]) -> T:
        # A transaction for each query: on SQLite a long reader would keep the writer from committing.
        with self._platform.db.read() as connection:
            return query(connection)

    def _families(self, now_s: float) -> Iterable[str]:
        self._pools = self._read(summary.pool_codes)
        for collect in state.COLLECTORS:
            yield from self._read(partial(_collected, collect, now_s))
        yield from state.resources(self._read(partial(summary.resource_counts, now_s=now_s)), self._pools)

    # -- this process -------------------------------------------------------------------------------------------------

    def _of_process(self) -> str:
        parts = (*self._reconciler(), *self._drivers(), *self._service())
        return "".join(parts) + generate_latest(self._processes).decode()

    def _reconciler(self) -> Iterable[str]:
        c = self._counters.reconcile
        yield single(m.TICKS, c.ticks)
        yield single(m.COMMITS, c.commits)
        yield single(m.CLAIMED, c.claimed)
        yield single(m.IN_FLIGHT, c.in_flight)
        yield single(m.STATE_ERRORS, c.state_errors)
        yield single(m.BUGS, c.bugs)
        # Copies: the loop adds to these tables while we read.
        yield histogram(m.STEP_DURATION, {(step,): sample for step, sample in sorted(c.steps.copy().items())})
        yield family(m.PROBLEMS, _by_key(c.problems.copy()))
        yield family(m.ENDINGS, _by_key(c.endings.copy()))
        yield family(m.OBSERVATIONS, {("ok",): c.observations, ("failed",): c.observations_failed})
        yield family(m.DRIFT, _by_key(c.drift.copy()))
        yield single(m.HOLDS_LOST, c.holds_lost)
        yield single(m.HOLDS_EXTENDED, c.holds_extended)
        yield single(m.STALE_FENCES, c.stale_fences)
        yield single(m.INVARIANT_VIOLATIONS, c.violations)
        yield single(m.INVARIANTS_AUDITED, c.audited_at_s)

    def _drivers(self) -> Iterable[str]:
        calls, faults = self._counters.drivers.calls(), self._counters.drivers.faults()
        cut = self._counters.reconcile.cut_by_pool
        called = sorted({pool_id for pool_id, _ in calls})
        # Every kind from the first call on: a rate needs a zero to start from.
        counted = {(pool_id, kind): faults.get((pool_id, kind), 0) for pool_id in called for kind in FAULT_KINDS}
        yield family(m.DRIVER_CALLS, {(self._pool(p), verb): n for (p, verb), n in sorted(calls.items())})
        yield family(m.DRIVER_FAULTS, {(self._pool(p), kind): n for (p, kind), n in counted.items()})
        yield single(m.DRIVER_HUNG, self._counters.reconcile.hung_calls)
        pools = sorted(self._pools.keys() | cut.keys())
        yield family(m.BREAKER_OPEN, {(self._pool(p),): cut.get(p, 0) for p in pools})

    def _pool(self, pool_id: str) -> str:
        return self._pools[pool_id][0] if pool_id in self._pools else pool_id

    def _service(self) -> Iterable[str]:
        http = self._counters.http
        yield histogram(m.STATE_WRITE_DURATION, {(): self._counters.state.writes})
        yield family(m.HTTP_REQUESTS, dict(sorted(http.requests.copy().items())))
        yield histogram(m.HTTP_DURATION, dict(sorted(http.durations.copy().items())))
        kind = "sqlite" if self._platform.db.is_sqlite else "postgresql"
        yield family(m.BUILD_INFO, {(self._version, kind): 1})
        yield single(m.SNAPSHOT_TIMESTAMP, self._taken_at_s)
        yield single(m.SNAPSHOT_DURATION, self._duration_s)
        yield single(m.SNAPSHOT_FAILURES, self._failures)


def _collected(collect: state.Collector, now_s: float, connection: Connection) -> list[str]:
    return list(collect(connection, now_s))


def _by_key(counts: dict[str, int]) -> dict[tuple[str, ...], float]:
    return {(key,): count for key, count in sorted(counts.items())}
