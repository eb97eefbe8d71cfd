"""Hosts as the reconciler knows them: connections opened when needed, and a breaker that leaves a dead host alone.

A host is cut off after several failures in a row and used again after several good answers in a row. While it is cut,
nothing on it is touched, believed or freed: its resources keep what was last seen, and the host's ``reachability`` says
that nobody knows better.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import structlog
from sqlalchemy import Connection

from drivers.protocol import (
    Abandons,
    BoundsLooks,
    Capability,
    ComputeDriver,
    DriverContext,
    DriverEvent,
    HasEvents,
    TellsWhetherHeard,
)
from drivers.registry import driver_factory
from inventory.domain.clock import Clock
from inventory.domain.drift import REPAIR_ALL, DriftPolicy
from inventory.domain.errors import Problem
from inventory.domain.host import Host, Reachability
from inventory.domain.ids import HostId
from inventory.store import directory
from inventory.store import hosts as host_store

log = structlog.get_logger()

#: Opens the driver of a host: (host, name of the driver) -> driver.
OpenDriver = Callable[[Host, str], ComputeDriver]


def registry_opener(clock: Clock) -> OpenDriver:
    """Return the opener a real process uses."""

    def open_driver(host: Host, driver: str) -> ComputeDriver:
        context = DriverContext(host_id=host.id, host_name=host.name, connection=host.connection, clock=clock)
        return driver_factory(driver)(context)

    return open_driver


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When a host is left alone, and when it is used again."""

    #: Failures in a row.
    failures_to_cut: int = 3
    #: Two failures do when nothing was heard for so long.
    silence_s: float = 40.0
    #: Good answers in a row.
    answers_to_heal: int = 2


class HostHandle:
    """One host: its connection and its breaker. Only ``driver`` is called by workers, the rest by the loop."""

    def __init__(
        self,
        host: Host,
        driver: str,
        open_driver: OpenDriver,
        on_event: Callable[[DriverEvent], None],
        *,
        breaker: Breaker,
        heard_at_s: float,
        policy: DriftPolicy = REPAIR_ALL,
    ) -> None:
        self.id = host.id
        self.name = host.name
        self.host = host
        self.driver_name = driver
        #: True: nothing is sent there but probes.
        self.is_cut = False
        self.cut_at_s = 0.0
        #: What the last compared observation looked like, while nothing was left to be done about it.
        self.clean_print: int | None = None
        #: Subjects of the findings of the last comparison.
        self.told: frozenset[str] = frozenset()
        self.foreign_print: int | None = None
        self.in_flight = 0
        #: What is done about drift here.
        self.policy = policy
        #: Whether cards and disks of its running machines can be changed; known from the first look on.
        self.can_plug = False
        #: How long its driver says that a look may take; 0 where it says nothing, and until it is open.
        self.look_bound_s = 0.0
        self._open_driver = open_driver
        self._on_event = on_event
        self._breaker = breaker
        self._heard_at_s = heard_at_s
        self._failures = 0
        self._answers = 0
        self._driver: ComputeDriver | None = None
        self._way_of_events: TellsWhetherHeard | None = None
        self._lock = Lock()

    @property
    def events_problem(self) -> Problem | None:
        """Why its events are not heard now."""
        way = self._way_of_events
        return None if way is None else way.events_problem()

    def driver(self) -> ComputeDriver:
        """Return the open driver; opens it on first use, which may take long and may fail."""
        driver = self._driver
        if driver is not None:
            return driver
        with self._lock:
            if self._driver is None:
                opened = self._open_driver(self.host, self.driver_name)
                if isinstance(opened, HasEvents) and Capability.EVENTS in opened.capabilities():
                    opened.subscribe(self._on_event)
                    self._way_of_events = opened if isinstance(opened, TellsWhetherHeard) else None
                self.can_plug = Capability.ATTACH_LIVE in opened.capabilities()
                self.look_bound_s = opened.look_bound_s() if isinstance(opened, BoundsLooks) else 0.0
                self._driver = opened
            return self._driver

    def drop_driver(self) -> None:
        """Forget the connection: the next use opens a new one. A hung one is not waited for."""
        # A call may hang inside ``driver`` with the lock held: a new lock lets the others go on.
        driver: object = self._driver
        self._driver = None
        self._lock = Lock()
        if isinstance(driver, Abandons):
            driver.abandon()

    def close(self) -> None:
        """Close the connection."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def failed(self, now_s: float, *, is_hung: bool = False) -> bool:
        """Count a failure; tells whether the host is cut off by it."""
        self._answers = 0
        self._failures += 1
        if self.is_cut or not (is_hung or self._is_dead(now_s)):
            return False
        self.is_cut, self.cut_at_s = True, now_s
        return True

    def _is_dead(self, now_s: float) -> bool:
        is_silent = now_s - self._heard_at_s >= self._breaker.silence_s
        return self._failures >= (2 if is_silent else self._breaker.failures_to_cut)

    def answered(self, now_s: float) -> bool:
        """Count a good answer; tells whether the host is back by it."""
        self._failures = 0
        self._heard_at_s = now_s
        if not self.is_cut:
            return False
        self._answers += 1
        if self._answers < self._breaker.answers_to_heal:
            return False
        self.heal()
        return True

    def heal(self) -> None:
        """Use the host again."""
        self.is_cut = False
        self._failures = self._answers = 0
        self.clean_print = None


class Unheard:
    """The ways of events that are shut: each is told of when it begins and when it is over, however many hosts share it."""

    def __init__(self) -> None:
        self._told: Mapping[str, Problem] = {}

    def look(self, handles: Iterable[HostHandle]) -> dict[str, int]:
        """Tell what changed; returns how many hosts are not heard, by pool id."""
        found = [(h.host.pool_id, problem) for h in handles if (problem := h.events_problem) is not None]
        now = {str(problem.to_json()): problem for _, problem in found}
        for key in now.keys() - self._told.keys():
            log.warning("events of hosts are not heard", code=now[key].code, **now[key].params)
        for key in self._told.keys() - now.keys():
            log.info("what kept events from being heard is over", code=self._told[key].code, **self._told[key].params)
        self._told = now
        return dict(Counter(pool_id for pool_id, _ in found))


class HostBook:
    """All hosts by id; read again when one is unknown and every now and then."""

    def __init__(
        self,
        open_driver: OpenDriver,
        on_event: Callable[[DriverEvent], None],
        *,
        breaker: Breaker,
        clock: Clock,
        policy: DriftPolicy = REPAIR_ALL,
    ) -> None:
        self._open_driver = open_driver
        self._on_event = on_event
        self._breaker = breaker
        self._clock = clock
        self._policy = policy
        self._handles: dict[HostId, HostHandle] = {}

    def sync(self, connection: Connection) -> None:
        """Take the rows as they are now: new hosts, other connections, and what other controllers saw."""
        pools = {p.id: p for p in directory.pools(connection)}
        for host in host_store.hosts(connection):
            known, pool = self._handles.get(host.id), pools[host.pool_id]
            policy = self._policy.with_own(pool.drift)
            if known is None or (known.host.connection, known.driver_name) != (host.connection, pool.driver):
                if known is not None:
                    known.drop_driver()
                self._handles[host.id] = HostHandle(
                    host,
                    pool.driver,
                    self._open_driver,
                    self._on_event,
                    breaker=self._breaker,
                    heard_at_s=self._clock(),
                    policy=policy,
                )
                continue
            if known.host.home != host.home:
                # Networks are compared on their home: what was no business of this host may be one now.
                known.clean_print = None
            known.host, known.name = host, host.name
            if known.policy != policy:
                # What was left as it is may be repaired now: the same look is compared again.
                known.policy, known.clean_print = policy, None
            is_seen = host.reachability is Reachability.REACHABLE and (host.observed_at_s or 0) > known.cut_at_s
            if known.is_cut and is_seen:
                known.heal()

    def get(self, connection: Connection, host_id: HostId) -> HostHandle:
        """Return the handle of a host that is in the database."""
        if host_id not in self._handles:
            self.sync(connection)
        return self._handles[host_id]

    def known(self, host_id: str) -> HostHandle | None:
        """Return the handle of a host if there is one."""
        return self._handles.get(HostId(host_id))

    def all(self) -> Sequence[HostHandle]:
        """Return every handle."""
        return list(self._handles.values())
