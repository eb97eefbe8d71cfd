"""Samples of machines: taken by the loop's workers beside their looks, written and worked in by the keeper of the ledger.

A worker that has looked at a host asks for its counters too, when the last time is long enough ago. What comes is packed and
put into a box that holds a bounded number of hosts; the keeper empties it once a minute, in one transaction for all.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from controller.reconcile.host_intervals import HostIntervals
from controller.workflows import sampled
from controller.workflows.platform import Platform
from drivers.protocol import Capability, ComputeDriver, HasStats, InstanceStats
from inventory.domain.errors import Problem
from metering.sample_store import Taken
from metering.samples import Sample, packed

log = structlog.get_logger(__name__)

#: Hosts whose samples may wait to be written; more are dropped, and the next sample of the host brings what they did.
_BOX_MOST = 20_000
#: How often what came is written.
_WRITE_S = 60.0


@dataclass(slots=True)
class SampleCounters:
    """What the sampler of this process did; read by the metrics."""

    hosts: int = 0
    failed: int = 0
    dropped: int = 0
    worked_in: int = 0
    ignored: int = 0


@dataclass(slots=True, kw_only=True)
class SampleBox:
    """Samples on their way from workers to the keeper. Every method may be called by any thread."""

    #: 0: nothing is sampled.
    interval_s: float
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    counters: SampleCounters = field(default_factory=SampleCounters)
    _intervals: HostIntervals = field(init=False)
    _waiting: list[Taken] = field(default_factory=list)
    #: Why hosts did not tell theirs last, by code.
    _told: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._intervals = HostIntervals(interval_s=self.interval_s, monotonic=self.monotonic)

    def is_due(self, host_id: str) -> bool:
        """Tell whether a host is to be asked now, and take it that it is."""
        return self._intervals.take(host_id)

    def take(self, host_id: str, driver: ComputeDriver) -> None:
        """Ask a host for its counters; one whose back end has none is left alone.

        Raises:
            DriverFault: it does not answer.
        """
        if Capability.STATS not in driver.capabilities() or not isinstance(driver, HasStats):
            return
        body = packed(map(_sample, driver.stats()))
        at_ms = int(self.clock() * 1000)
        with self._lock:
            self._told.pop(host_id, None)
            self.counters.hosts += 1
            if len(self._waiting) >= _BOX_MOST:
                self.counters.dropped += 1
            elif body:
                self._waiting.append(Taken(host_id, at_ms, body))

    def failed(self, host_id: str, problem: Problem) -> None:
        """Count a host that did not tell its counters, and say why once; it is asked again after the interval."""
        with self._lock:
            self.counters.failed += 1
            is_news = self._told.get(host_id) != problem.code
            self._told[host_id] = problem.code
        if is_news:
            params = dict(problem.params)
            log.warning("a host does not tell the counters of its machines", host_id=host_id, code=problem.code, params=params)

    def emptied(self) -> list[Taken]:
        """Return what waits; it waits no longer."""
        with self._lock:
            found, self._waiting = self._waiting, []
        return found

    def put_back(self, taken: list[Taken]) -> None:
        """Have what could not be written wait again."""
        with self._lock:
            self._waiting = (taken + self._waiting)[:_BOX_MOST]


def _sample(stats: InstanceStats) -> Sample:
    return Sample(
        stats.instance_id, stats.cpu_time_ns, stats.memory_used_mib, stats.network_received_bytes, stats.network_sent_bytes
    )


@dataclass(slots=True, kw_only=True)
class SampleKeeper:
    """The one writer of samples: called with every tick of the ledger's keeper."""

    platform: Platform
    box: SampleBox
    #: Whether bytes are meters.
    counts_bytes: bool = False
    _written_at: float = float("-inf")
    #: Whether the last portion was a full one.
    _has_more: bool = False

    def tick(self) -> None:
        """Write what came, and work in one portion of what is an hour old.

        Raises:
            Unavailable: the database; nothing is lost.
        """
        if not self.box.interval_s:
            return
        now = self.box.monotonic()
        if now - self._written_at < _WRITE_S and not self._has_more:
            return
        if now - self._written_at >= _WRITE_S:
            self._write()
            self._written_at = now
        found = sampled.work_in(self.platform, int(self.box.interval_s), counts_bytes=self.counts_bytes)
        self._has_more = found.host_count >= sampled.PORTION
        self.box.counters.worked_in += found.sample_count
        self.box.counters.ignored += found.ignored_count

    def _write(self) -> None:
        taken = self.box.emptied()
        try:
            sampled.keep(self.platform, taken)
        except Exception:
            self.box.put_back(taken)
            raise
