"""Counts what is asked of back ends: ``wiring`` puts ``counting_opener`` around the way drivers are opened."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from controller.metrics.counters import DriverCounters
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.protocol import ComputeDriver
from inventory.domain.host import Host

#: Verbs that go to the back end; ``capabilities``, ``subscribe`` and ``close`` do not, or not as a question.
VERBS = (
    "inspect_host",
    "observe",
    "observe_instance",
    "ensure_image",
    "ensure_segment",
    "ensure_segment_absent",
    "ensure_volume",
    "ensure_volume_absent",
    "ensure_defined",
    "ensure_running",
    "ensure_stopped",
    "ensure_absent",
    "console_log",
    "reboot",
    "stats",
)
_FAULT_KINDS: tuple[tuple[type[DriverFault], str], ...] = (
    (StaleFence, "stale_fence"),
    (OutcomeUnknown, "outcome_unknown"),
    (Permanent, "permanent"),
    (Transient, "transient"),
)
#: Label values of ``allot_driver_faults_total``.
FAULT_KINDS = (*(name for _, name in _FAULT_KINDS), "other")


def counting_opener(
    open_driver: Callable[[Host, str], ComputeDriver], counters: DriverCounters
) -> Callable[[Host, str], ComputeDriver]:
    """Return an opener whose drivers count every verb and fault, by the host's pool; opening counts as ``open``."""

    def opener(host: Host, name: str) -> ComputeDriver:
        driver = _counted(open_driver, "open", host.pool_id, counters)(host, name)
        return counting(driver, host.pool_id, counters)

    return opener


def counting(driver: ComputeDriver, pool_id: str, counters: DriverCounters) -> ComputeDriver:
    """Return ``driver`` with every verb counted."""
    return cast("ComputeDriver", _Counting(driver, pool_id, counters))


class _Counting:
    """Has exactly the verbs its driver has, so that the small extra protocols are still told apart."""

    def __init__(self, driver: ComputeDriver, pool_id: str, counters: DriverCounters) -> None:
        for name in (*VERBS, "capabilities", "subscribe", "close"):
            method = getattr(driver, name, None)
            if method is not None:
                setattr(self, name, _counted(method, name, pool_id, counters) if name in VERBS else method)


def _counted(method: Callable[..., Any], verb: str, pool_id: str, counters: DriverCounters) -> Callable[..., Any]:
    @wraps(method)
    def call(*args: Any, **named: Any) -> Any:
        counters.called(pool_id, verb)
        try:
            return method(*args, **named)
        except Exception as error:
            counters.failed(pool_id, _kind_of(error))
            raise

    return call


def _kind_of(error: Exception) -> str:
    return next((name for kind, name in _FAULT_KINDS if isinstance(error, kind)), "other")
