"""The regions in use in this process: opened with their first user, closed with the last.

A region is opened outside the book's lock, so that one whose services are dark keeps nobody from another one. Those who want
a region that is being opened wait a little, and one that could not be opened is not tried by each of its hosts in turn.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.faults import DriverFault, Transient
from drivers.openstack.region import Region, config_of
from drivers.openstack.translate_errors import UNREACHABLE_DELAY_S

#: Longest that one user waits while another opens the region; below the bound of a look (``observe_deadline_s``).
OTHERS_WAIT_S = 10.0
#: A failed opening is remembered for as long as it took, and no longer than this.
LONGEST_MEMORY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """An opening that failed: true for a while, unless the cloud is described otherwise now."""

    fault: DriverFault
    config: Mapping[str, Any]
    until_s: float


@dataclass(slots=True)
class _Entry:
    """One cloud."""

    #: Held by whoever opens it.
    opening: threading.Lock = field(default_factory=threading.Lock)
    region: Region | None = None
    failure: _Failure | None = None


class RegionBook:
    """The regions in use, by name of the cloud, and how many use each."""

    def __init__(self, *, others_wait_s: float = OTHERS_WAIT_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._others_wait_s = others_wait_s
        self._monotonic = monotonic
        #: Never held while a region is asked for anything.
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._users: dict[Region, int] = {}

    def take(self, cloud: str, clock: Callable[[], float]) -> Region:
        """Return the region, opened with its first user.

        Raises:
            Permanent: ``openstack.cloud_unknown``, ``openstack.settings_invalid``, ``openstack.project_missing``.
            Transient: ``driver.unreachable``: it could not be opened just now, or another user has been opening it for long.
        """
        with self._lock:
            entry = self._entries.setdefault(cloud, _Entry())
            if entry.region is not None:
                return self._count(entry.region)
        if not entry.opening.acquire(timeout=self._others_wait_s):
            raise Transient("driver.unreachable", delay_s=UNREACHABLE_DELAY_S, connection=f"openstack://{cloud}")
        try:
            return self._take_or_open(cloud, entry, clock)
        finally:
            entry.opening.release()

    def _take_or_open(self, cloud: str, entry: _Entry, clock: Callable[[], float]) -> Region:
        with self._lock:
            if entry.region is not None:
                return self._count(entry.region)
        config = config_of(cloud)
        began_s, failure = self._monotonic(), entry.failure
        if failure is not None and began_s < failure.until_s and failure.config == config.config:
            raise _again(failure.fault)
        described = dict(config.config)
        try:
            region = Region(cloud, config, clock)
        except DriverFault as fault:
            ended_s = self._monotonic()
            until_s = ended_s + min(ended_s - began_s, LONGEST_MEMORY_S)
            entry.failure = _Failure(fault=_again(fault), config=described, until_s=until_s)
            raise
        with self._lock:
            entry.region, entry.failure = region, None
            return self._count(region)

    def _count(self, region: Region) -> Region:
        self._users[region] = self._users.get(region, 0) + 1
        return region

    def peek(self, cloud: str) -> Region | None:
        """Return the region where it is open already."""
        entry = self._entries.get(cloud)
        return None if entry is None else entry.region

    def discard(self, region: Region) -> None:
        """Hear that a region hangs: who takes it from now on is given a new connection. It is closed with its last user."""
        with self._lock:
            entry = self._entries[region.cloud]
            if entry.region is region:
                entry.region = None

    def is_current(self, region: Region) -> bool:
        """Tell whether a region is still the one that others are given."""
        return self.peek(region.cloud) is region

    def give_back(self, region: Region) -> None:
        """Hear that one user is gone; the last one closes the region."""
        with self._lock:
            self._users[region] -= 1
            if self._users[region]:
                return
            del self._users[region]
            entry = self._entries[region.cloud]
            if entry.region is region:
                entry.region = None
        region.close()


def _again(fault: DriverFault) -> DriverFault:
    """Return the same fault anew: one that was raised carries where."""
    more = {"delay_s": fault.delay_s} if isinstance(fault, Transient) else {}
    return type(fault)(fault.problem.code, internal=fault.internal, **more, **fault.problem.params)


BOOK = RegionBook()
