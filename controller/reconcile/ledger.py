"""The thread that keeps the ledger of usage up with the journal, brings budgets up to it, compares the two
every night, and checks seals.

``wiring`` makes one ``LedgerKeeper`` and runs it. On PostgreSQL every controller has one; the ledger's lock lets one at a
time take rows, and a second look at the same rows changes nothing.
"""

from dataclasses import dataclass, field
from threading import Event

import structlog

from controller.reconcile.sampling import SampleKeeper
from controller.workflows import budgets, costs, ledger, reconciliation, seals
from controller.workflows.platform import Platform
from inventory.domain.clock import is_due
from inventory.domain.errors import Unavailable

log = structlog.get_logger(__name__)
#: How old what a budget says may be where nothing changed: time alone costs.
_ACCRUAL_S = 60.0
#: How late a change of what hosts have may be written down.
_ROOMS_S = 30.0


@dataclass(slots=True)
class LedgerCounters:
    """What the keeper of this process did; read by the metrics."""

    taken: int = 0
    difference_count: int = 0
    #: Resources whose books differ, and nothing explains it.
    unexplained_count: int = 0
    #: 0: not yet.
    compared_at_s: float = 0.0
    #: Closed months that are not what was sealed, at the last check.
    seal_fault_count: int = 0
    #: 0: not yet.
    seals_checked_at_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class LedgerKeeper:
    """See the module."""

    platform: Platform
    #: How often due rows are looked for.
    interval_s: float
    #: How often the ledger is compared with the journal.
    compare_interval_s: float
    #: How often what is metered is compared with what is claimed and what back ends hold.
    reconcile_interval_s: float = 300.0
    #: Writes what back ends count of machines; none: nobody samples.
    samples: SampleKeeper | None = None
    counters: LedgerCounters = field(default_factory=LedgerCounters)
    #: When all budgets were last brought up to now.
    _accrued_at_s: float = float("-inf")
    _reconciled_at_s: float = float("-inf")
    _recorded_at_s: float = float("-inf")
    #: What the last look could not explain.
    _met: set[str] = field(default_factory=set)
    _rooms: costs.RoomRecorder = field(init=False)

    def __post_init__(self) -> None:
        self._rooms = costs.RoomRecorder(self.platform)

    def run(self, stop: Event) -> None:
        """Keep up until ``stop`` is set."""
        while not stop.is_set():
            try:
                self.tick()
            except Unavailable as error:
                log.warning("the ledger waits for the state", code=error.code, reason=error.internal)
            except Exception:  # the edge of the thread: whatever it is, the ledger must go on
                log.exception("the ledger could not be kept")
            stop.wait(self.interval_s)

    def tick(self) -> None:
        """Write down what hosts have, take what is due, bring budgets up to it; compare when a comparison is due."""
        began_s = self.platform.clock()
        if is_due(began_s, self._recorded_at_s, _ROOMS_S):
            self._rooms.record()
            self._recorded_at_s = began_s
        touched: set[str] = set()
        self.counters.taken += ledger.catch_up(self.platform, touched)
        now_s = self.platform.clock()
        if is_due(now_s, self._accrued_at_s, _ACCRUAL_S):
            budgets.accrue(self.platform)
            self._accrued_at_s = now_s
        elif touched:
            budgets.accrue(self.platform, touched)
        if self.samples is not None:
            self.samples.tick()
        if is_due(now_s, self._reconciled_at_s, self.reconcile_interval_s):
            self._reconcile(now_s)
        if not self.counters.compared_at_s:
            # A start is no reason to read the whole journal: the first comparison comes after a whole interval.
            self.counters.compared_at_s = now_s
        elif is_due(now_s, self.counters.compared_at_s, self.compare_interval_s):
            self._compare(now_s)
            self._check_seals(now_s)

    def _check_seals(self, now_s: float) -> None:
        faults = seals.check_all(self.platform, int(now_s // 86_400))
        self.counters.seals_checked_at_s, self.counters.seal_fault_count = now_s, len(faults)
        for month, fault in faults.items():
            log.error("a closed month is not what was sealed", period=month, fault=fault.code, **fault.params)

    def _reconcile(self, now_s: float) -> None:
        self._reconciled_at_s = now_s
        self._met, lasting = reconciliation.look(self.platform, self._met)
        self.counters.unexplained_count = len(lasting)
        for found in lasting:
            log.error("metered, claimed and observed differ", resource_id=found.resource_id, kind=found.kind)

    def _compare(self, now_s: float) -> None:
        found = ledger.compare(self.platform)
        self.counters.compared_at_s, self.counters.difference_count = now_s, len(found.differences)
        for difference in found.differences:
            log.error(
                "the ledger differs from the journal",
                resource_id=difference.resource_id,
                kind=difference.kind,
                why=difference.why.code,
                **difference.why.params,
            )
        log.info("the ledger was compared", resources=found.resource_count, intervals=found.interval_count)
