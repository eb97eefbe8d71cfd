"""Collects the figures in the background and keeps them as bytes: a scrape costs one copy, whatever the platform's size.

``wiring`` makes one ``MetricsSnapshot``, runs ``run`` in a thread of its own and gives ``exposition`` to the API. The
figures of the state and those of this process are kept apart: while the database does not answer, the process still
tells how it is, and the age of the other half says how old it is.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import TypeVar

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from sqlalchemy import Connection

from controller.metrics import compatibility, machines, state
from controller.metrics import declared as m
from controller.metrics.counters import Counters
from controller.metrics.drivers import FAULT_KINDS
from controller.metrics.exposition import family, histogram, single
from controller.metrics.holdings import Holdings
from controller.metrics.money import Spend
from controller.workflows.platform import Platform
from inventory.domain.errors import NotFound
from inventory.store import estate, summary
from metering import sample_store
from quotas import summary as quotas

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What is told on endpoints of its own, when asked for."""

    #: Most series of machines; 0: none are told.
    instance_series_max: int = 0
    is_compatible: bool = False


class MetricsSnapshot:
    """See the module."""

    def __init__(
        self,
        platform: Platform,
        counters: Counters,
        *,
        interval_s: float = 15.0,
        version: str = "",
        extras: Extras | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._platform = platform
        self._counters = counters
        self._interval_s = interval_s
        self._version = version
        self._extras = extras or Extras()
        self._holdings = Holdings()
        self._spend = Spend(platform)
        self._machines: bytes | None = None
        self._compatibility: bytes | None = None
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
            except Exception:  # the edge of the thread: a broken query must not end the figures for good
                log.exception("the figures could not be collected")
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
            self._take_machines()
            self._taken_at_s, self._aged_from = begun_at_s, started
            self._duration_s = self._monotonic() - started
        finally:
            self._body = (self._of_state + self._of_process()).encode()

    def exposition(self) -> bytes:
        """Return the last figures with their age, at once and from any thread."""
        return self._body + single(m.SNAPSHOT_AGE, max(0.0, self._monotonic() - self._aged_from)).encode()

    def machines(self) -> bytes:
        """Return the series of machines as they were last collected.

        Raises:
            NotFound: ``metrics.not_offered``: nobody asked for them.
        """
        return _offered(self._machines, "metrics.instance_series_max")

    def compatibility(self) -> bytes:
        """Return the figures under the names of other exporters.

        Raises:
            NotFound: ``metrics.not_offered``.
        """
        return _offered(self._compatibility, "metrics.compatibility")

    def _take_machines(self) -> None:
        budget = self._extras.instance_series_max
        if not budget and not self._extras.is_compatible:
            return
        count = self._read(estate.machine_count)
        most = count if self._extras.is_compatible else budget // machines.SERIES_PER_MACHINE
        living = self._read(lambda c: estate.machines(c, most))
        if budget:
            self._machines = machines.exposition(living, count, budget).encode()
        if self._extras.is_compatible:
            hosts, limits = self._read(estate.hosts), self._read(quotas.department_limits)
            by_department: dict[str, dict[str, tuple[int, int]]] = {}
            for department, dimension, used, limit in limits:
                by_department.setdefault(department, {})[dimension] = (used, limit)
            now_s = self._platform.clock()
            told = compatibility.Told(
                hosts=hosts, machines=living, volumes=self._read(estate.volumes), limits=by_department,
                counts=self._read(summary.resource_counts), addresses=self._read(partial(_addresses, now_s)),
                samples=self._read(sample_store.latest),
            )  # fmt: skip
            self._compatibility = compatibility.exposition(told).encode()

    # -- the state ----------------------------------------------------------------------------------------------------

    def _read(self, query: Callable[[Connection], T]) -> T:
        # A transaction for each query: on SQLite a long reader would keep the writer from committing.
        with self._platform.db.read() as connection:
            return query(connection)

    def _families(self, now_s: float) -> Iterable[str]:
        self._pools = self._read(summary.pool_codes)
        for collect in state.COLLECTORS:
            yield from self._read(partial(_collected, collect, now_s))
        yield from self._read(partial(_listed, self._holdings, self._pools))
        yield from self._spend.families(now_s)
        yield from state.resources(self._read(summary.resource_counts), self._pools)

    # -- this process -------------------------------------------------------------------------------------------------

    def _of_process(self) -> str:
        parts = (*self._placing(), *self._reconciler(), *self._ledger(), *self._drivers(), *self._service())
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
        yield family(m.FENCINGS, {(r,): c.fencings.get(r, 0) for r in ("confirmed", "failed", "outdated")})
        yield single(m.HOSTS_LOST, c.hosts_lost)
        yield single(m.LOSS_HELD_BACK, c.loss_held_back)
        yield single(m.HOLDS_LOST, c.holds_lost)
        yield single(m.HOLDS_EXTENDED, c.holds_extended)
        yield single(m.STALE_FENCES, c.stale_fences)
        yield single(m.INVARIANT_VIOLATIONS, c.violations)
        yield single(m.INVARIANTS_AUDITED, c.audited_at_s)

    def _placing(self) -> Iterable[str]:
        c = self._platform.placing
        yield single(m.COMMIT_GROUPS, c.groups)
        yield single(m.COMMIT_GROUPS_BROKEN, c.groups_broken)
        yield single(m.COMMIT_SHARED, c.shared)
        most = sorted(c.rejected_by_host.copy().items(), key=lambda item: (-item[1], item[0]))[: state.HOSTS_NAMED_MAX]
        yield family(m.PLANS_REJECTED, _by_key(dict(most)))

    def _ledger(self) -> Iterable[str]:
        c = self._counters.ledger
        yield single(m.LEDGER_TAKEN, c.taken)
        yield single(m.LEDGER_DIFFERENCES, c.difference_count)
        yield single(m.METERING_UNEXPLAINED, c.unexplained_count)
        yield single(m.LEDGER_COMPARED, c.compared_at_s)
        yield single(m.SEAL_FAULTS, c.seal_fault_count)
        yield single(m.SEALS_CHECKED, c.seals_checked_at_s)
        s = self._counters.samples
        yield family(m.SAMPLED_HOSTS, {("dropped",): s.dropped, ("failed",): s.failed, ("ok",): s.hosts - s.dropped})
        yield family(m.SAMPLES, {("ignored",): s.ignored, ("ok",): s.worked_in - s.ignored})

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
        unheard = self._counters.reconcile.unheard_by_pool
        yield family(m.EVENTS_UNHEARD, {(self._pool(p),): unheard.get(p, 0) for p in sorted(self._pools.keys() | unheard.keys())})

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


def _offered(body: bytes | None, setting: str) -> bytes:
    if body is None:
        raise NotFound("metrics.not_offered", setting=setting)
    return body


def _collected(collect: state.Collector, now_s: float, connection: Connection) -> list[str]:
    return list(collect(connection, now_s))


def _listed(holdings: Holdings, pools: dict[str, tuple[str, str]], connection: Connection) -> list[str]:
    return list(holdings.families(connection, pools))


def _addresses(now_s: float, connection: Connection) -> list[summary.AddressCount]:
    return summary.address_counts(connection, now_s)


def _by_key(counts: dict[str, int]) -> dict[tuple[str, ...], float]:
    return {(key,): count for key, count in sorted(counts.items())}
