"""Faults of a simulated back end: what may go wrong around one call, scripted by place or drawn from a seed.

A fault stands around the real work of a call and decides whether it happens, when, and what the caller hears.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol, TypeVar

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.simulated.host import SimulatedHost

T = TypeVar("T")
#: Verbs that change nothing: a lost answer leaves no doubt behind.
READ_VERBS = frozenset({"inspect_host", "observe", "observe_instance", "console_log", "stats"})
#: Verbs that write to a storage pool.
STORAGE_VERBS = frozenset({"ensure_image", "ensure_volume", "ensure_defined", "ensure_migrated"})

#: The deadline a simulated timeout speaks of.
DEADLINE_S = 30


class SimulatedCrash(BaseException):
    """The controller dies here. Not an ``Exception``: nothing but the simulation may catch it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a driver."""

    host: str
    verb: str
    #: The resource it is about, empty for calls about the host.
    resource_id: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a fault strikes."""

    call: Call
    host: SimulatedHost
    sleep: Callable[[float], None]

    def unknown(self) -> Exception:
        """Return what the caller hears when the answer is lost."""
        if self.call.verb in READ_VERBS:
            return self.timeout()
        return OutcomeUnknown("driver.outcome_unknown", connection=self.host.connection, verb=self.call.verb)

    def timeout(self) -> Exception:
        """Return what the caller hears when the request surely did nothing."""
        return Transient("driver.timeout", connection=self.host.connection, verb=self.call.verb, deadline_s=DEADLINE_S)


class Fault(Protocol):
    """Something that goes wrong around one call."""

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Do ``work`` or not, and answer or not."""


class FaultSource(Protocol):
    """Decides which call meets which fault."""

    def fault_for(self, call: Call) -> Fault | None:
        """Return the fault of this call, usually None."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The answer takes longer."""

    by_s: float

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Wait, then do it."""
        site.sleep(self.by_s)
        return work()


@dataclass(frozen=True, slots=True)
class LostRequest:
    """Nothing happens. The caller may know that (a timeout before sending) or not."""

    is_known: bool = False

    def around(self, site: Site, work: Callable[[], T]) -> T:  # noqa: ARG002  the point: the work is not done
        """Do nothing and say so, or leave it open."""
        raise site.timeout() if self.is_known else site.unknown()


@dataclass(frozen=True, slots=True)
class LostReply:
    """It is done, and nobody hears of it."""

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Do it and lose the answer."""
        work()
        raise site.unknown()


@dataclass(frozen=True, slots=True)
class LateEffect:
    """The caller gives up, and the request takes effect ``after_s`` later: the back end was only slow."""

    after_s: float

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Leave the work for later and lose the answer."""
        if site.call.verb not in READ_VERBS:
            with site.host.lock:
                site.host.late.append((site.host.clock() + self.after_s, work))
        raise site.unknown()


@dataclass(frozen=True, slots=True)
class Crash:
    """The controller dies just before the call, or just after it was done."""

    is_after: bool

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Die."""
        if self.is_after:
            work()
        raise SimulatedCrash(site.call)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The host cannot be reached from this call on, for a while."""

    for_s: float

    def around(self, site: Site, work: Callable[[], T]) -> T:  # noqa: ARG002  the point: the work is not done
        """Cut the host off."""
        site.host.unreachable_until_s = site.host.clock() + self.for_s
        raise Transient("driver.unreachable", connection=site.host.connection)


@dataclass(frozen=True, slots=True)
class Halfway:
    """A migration stops with half of the machine on the target, and the controller dies with it or does not know. Others pass."""

    is_crash: bool = False

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Break it off."""
        if site.call.verb != "ensure_migrated":
            return work()
        site.host.breaks_migrations = True
        try:
            return work()
        except OutcomeUnknown:
            if self.is_crash:
                raise SimulatedCrash(site.call) from None
            raise
        finally:
            site.host.breaks_migrations = False


@dataclass(frozen=True, slots=True)
class StorageFull:
    """The storage pool has no space left (ENOSPC). Calls that write no storage pass."""

    storage_pool: str = "default"

    def around(self, site: Site, work: Callable[[], T]) -> T:
        """Refuse calls that write."""
        if site.call.verb in STORAGE_VERBS:
            raise Permanent("driver.storage_full", storage_pool=self.storage_pool, available_mib=0)
        return work()


@dataclass(slots=True)
class _Line:
    verb: str
    host: str | None
    resource_id: str | None
    nth: int
    times: int
    fault: Fault
    seen: int = 0

    def strikes(self, call: Call) -> bool:
        """Count a matching call and tell whether the fault is due."""
        if self.verb not in ("*", call.verb) or self.host not in (None, call.host):
            return False
        if self.resource_id not in (None, call.resource_id):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Script:
    """Faults at named places: ``Script().on("ensure_running", host="host-1", nth=2, fault=LostReply())``."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []
        self._lock = Lock()
        #: What has struck so far.
        self.fired: list[tuple[Call, Fault]] = []

    def on(
        self,
        verb: str,
        *,
        fault: Fault,
        host: str | None = None,
        resource_id: str | None = None,
        nth: int = 1,
        times: int = 1,
    ) -> "Script":
        """Let the ``nth`` matching call (and ``times - 1`` after it) meet a fault; ``*`` is any verb, None any host."""
        self._lines.append(_Line(verb, host, resource_id, nth, times, fault))
        return self

    def fault_for(self, call: Call) -> Fault | None:
        """Return the first due fault; every line counts every call that matches it."""
        with self._lock:
            due = [line.fault for line in self._lines if line.strikes(call)]
            if not due:
                return None
            self.fired.append((call, due[0]))
            return due[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """How often a call meets each fault, as probabilities; together at most 1."""

    delay: float = 0.0
    lost_request: float = 0.0
    lost_request_known: float = 0.0
    lost_reply: float = 0.0
    late_effect: float = 0.0
    crash_before: float = 0.0
    crash_after: float = 0.0
    unreachable: float = 0.0
    storage_full: float = 0.0
    #: Calls that are no migration pass.
    halfway: float = 0.0
    halfway_crash: float = 0.0
    #: Longest delay, late effect and absence.
    delay_max_s: float = 5.0
    late_max_s: float = 60.0
    unreachable_max_s: float = 30.0


@dataclass(slots=True)
class SeededFaults:
    """Faults drawn from a seed. The same seed and the same order of calls give the same faults."""

    seed: int
    rates: FaultRates
    #: Set False for the calm end of a run in which everything must settle.
    is_active: bool = True
    struck_count: int = 0
    _random: random.Random = field(init=False)
    _table: Sequence[tuple[float, Callable[[], Fault]]] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  not a secret, must repeat
        rates = self.rates
        makers: list[tuple[float, Callable[[], Fault]]] = [
            (rates.delay, lambda: Delay(self._random.uniform(0.0, rates.delay_max_s))),
            (rates.lost_request, lambda: LostRequest(is_known=False)),
            (rates.lost_request_known, lambda: LostRequest(is_known=True)),
            (rates.lost_reply, LostReply),
            (rates.late_effect, lambda: LateEffect(self._random.uniform(0.0, rates.late_max_s))),
            (rates.crash_before, lambda: Crash(is_after=False)),
            (rates.crash_after, lambda: Crash(is_after=True)),
            (rates.unreachable, lambda: Unreachable(self._random.uniform(0.0, rates.unreachable_max_s))),
            (rates.storage_full, StorageFull),
            (rates.halfway, Halfway),
            (rates.halfway_crash, lambda: Halfway(is_crash=True)),
        ]
        if sum(rate for rate, _ in makers) > 1.0:
            raise ValueError("the rates of all faults together exceed 1")
        self._table = [(rate, make) for rate, make in makers if rate > 0]

    def fault_for(self, call: Call) -> Fault | None:  # noqa: ARG002  every call draws, so that the sequence is the seed's
        """Draw once."""
        if not self.is_active:
            return None
        point = self._random.random()
        for rate, make in self._table:
            if point < rate:
                self.struck_count += 1
                return make()
            point -= rate
        return None


class Chained:
    """Several sources; the first that has a fault for a call decides, the others still see the call."""

    def __init__(self, *sources: FaultSource) -> None:
        self._sources = sources

    def fault_for(self, call: Call) -> Fault | None:
        """Ask all."""
        found = [source.fault_for(call) for source in self._sources]
        return next((fault for fault in found if fault is not None), None)
