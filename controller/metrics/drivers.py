"""Counts what is asked of back ends: ``wiring`` puts ``counting_opener`` around the way drivers are opened."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from controller.metrics.counters import DriverCounters
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.protocol import ComputeDriver
from inventory.domain.host import Host

#: Not questions to the back end; every other public method of a driver is one.
_UNCOUNTED = frozenset({"capabilities", "subscribe", "events_problem", "abandon", "look_bound_s", "close"})
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
    return cast("ComputeDriver", _class_of(type(driver))(driver, pool_id, counters))


class _Counting:
    """A driver in place of another; ``_class_of`` gives it the verbs."""

    __slots__ = ("counters", "driver", "pool_id")

    def __init__(self, driver: ComputeDriver, pool_id: str, counters: DriverCounters) -> None:
        self.driver, self.pool_id, self.counters = driver, pool_id, counters


@cache
def _class_of(kind: type) -> type[_Counting]:
    """Return a class with exactly the verbs of a kind of driver, so that the small extra protocols are still told apart.

    One class for a thousand hosts: a wrapper of each verb of each host would take megabytes.
    """
    verbs = [name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))]
    return type(f"Counting{kind.__name__}", (_Counting,), {"__slots__": (), **{name: _method(name) for name in verbs}})


def _method(verb: str) -> Callable[..., Any]:
    def passed_on(self: _Counting, *args: Any, **named: Any) -> Any:
        return getattr(self.driver, verb)(*args, **named)

    def counted(self: _Counting, *args: Any, **named: Any) -> Any:
        return _counted(getattr(self.driver, verb), verb, self.pool_id, self.counters)(*args, **named)

    return passed_on if verb in _UNCOUNTED else counted


def _counted(method: Callable[..., Any], verb: str, pool_id: str, counters: DriverCounters) -> Callable[..., Any]:
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
