"""What hosts are, read again from time to time: by the loop's workers beside their looks, written where something is otherwise.

A host that grew or shrank, or that its region put into another zone, is promised and asked for as it is now. Each is read
first half an interval or more after the controller's start, at moments that are spread, so that a start asks nothing more.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from controller.reconcile.host_intervals import HostIntervals
from controller.workflows import hosts as workflow
from controller.workflows.platform import Platform
from drivers.faults import DriverFault
from drivers.protocol import ComputeDriver
from inventory.domain.errors import Invalid, NotFound

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Refresher:
    """Which hosts are due. Every method may be called by any thread."""

    platform: Platform
    #: 0: hosts are read when they are enrolled only.
    interval_s: float
    monotonic: Callable[[], float]
    _intervals: HostIntervals = field(init=False)

    def __post_init__(self) -> None:
        self._intervals = HostIntervals(
            interval_s=self.interval_s,
            monotonic=self.monotonic,
            first_after_s=lambda id_: self.interval_s * (0.5 + _share(id_) / 2),
        )

    def is_due(self, host_id: str) -> bool:
        """Tell whether a host is to be read now, and take it that it is."""
        return self._intervals.take(host_id)

    def read(self, host_id: str, open_driver: Callable[[], ComputeDriver]) -> None:
        """Read what a host is, and take it over where it is not what is known; what stands in the way is told in the log."""
        try:
            if workflow.refresh_changed(self.platform, host_id, open_driver()):
                log.info("a host is not what it was", host_id=host_id)
        except DriverFault as fault:
            # Whether it answers is for looks to say; it is read the next time too.
            log.warning("what a host is could not be read again", host_id=host_id, problem=fault.problem.code)
        except (Invalid, NotFound) as error:
            # Nothing is changed then: whoever looks after the host has to say what that means.
            log.warning("what a host is now is not taken over", host_id=host_id, problem=error.problems[0].code)


def _share(host_id: str) -> float:
    return zlib.crc32(host_id.encode()) / 0xFFFF_FFFF
