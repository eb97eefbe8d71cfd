"""Hosts that do not answer, given up without a person's word where their pool says so: taken out of service, fenced, lost.

Nothing is made elsewhere before the means of the pool has said that the host is off. All that is remembered stands in the host's
own row, so that another controller goes on where this one was killed: cutting the power twice does no harm. A cut that fails is
tried again a bounded number of times, and then left to people.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from controller.reconcile.counters import ReconcileCounters
from controller.workflows import automatic_loss
from controller.workflows.platform import Platform
from drivers.faults import DriverFault
from inventory.domain.errors import Problem, Unavailable
from inventory.domain.host import Host, Pool
from inventory.domain.ids import HostId
from inventory.domain.loss import verdict
from inventory.store import directory, hosts

log = structlog.get_logger(__name__)

#: Times the power of one host is cut by one controller, and the rest between them.
TRIES_MAX = 10
REST_S = 60.0
#: So long after it was said a host is believed to be off.
BELIEVED_FOR_S = 60.0

#: Runs something that takes long, beside the loop.
Aside = Callable[[Callable[[], None]], None]


def on_a_thread(work: Callable[[], None]) -> None:
    """Run ``work`` on a thread of its own."""
    threading.Thread(target=work, name="fencing", daemon=True).start()


@dataclass(slots=True)
class _Tries:
    """What this controller did about one host."""

    #: Of the host when it was taken out of service: another one means that somebody decided otherwise.
    revision: int
    count: int = 0
    next_at: float = float("-inf")
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class _Answer:
    host: Host
    #: When it was given, on the monotonic clock.
    at: float
    problem: Problem | None


class LostHosts:
    """Called with every tick; looks no more often than its period."""

    def __init__(
        self,
        platform: Platform,
        counters: ReconcileCounters,
        *,
        period_s: float,
        monotonic: Callable[[], float],
        aside: Aside = on_a_thread,
    ) -> None:
        self._platform, self._counters = platform, counters
        self._period_s, self._monotonic, self._aside = period_s, monotonic, aside
        self._done_at = float("-inf")
        self._tries: dict[HostId, _Tries] = {}
        self._answers: deque[_Answer] = deque()

    def run(self) -> None:
        """Do what is due.

        Raises:
            Unavailable: the database; it is due again with the next period.
        """
        while self._answers:
            answer = self._answers.popleft()
            try:
                self._conclude(answer)
            except Unavailable:
                self._answers.appendleft(answer)
                raise
        if self._monotonic() - self._done_at < self._period_s:
            return
        self._done_at = self._monotonic()
        with self._platform.db.read() as connection:
            pools = [pool for pool in directory.pools(connection) if pool.loss.is_on]
            all_hosts = hosts.hosts(connection) if pools else []
        self._counters.loss_held_back = sum(self._look(p, [h for h in all_hosts if h.pool_id == p.id]) for p in pools)
        automatic_loss.close_findings(self._platform)

    def _look(self, pool: Pool, own: Sequence[Host]) -> bool:
        """See to the hosts of one pool; tells whether something keeps from giving up one that is due."""
        found = verdict(own, pool.loss, self._platform.clock())
        if found.is_held_back:
            log.warning("too many hosts are silent at once: none is given up", pool=pool.code, most=pool.loss.most)
        for host in found.begin:
            taken = automatic_loss.begin_loss(self._platform, host.id)
            if taken is not None:
                log.warning("a host is taken out of service to be given up", host=host.name, since_s=host.unreachable_since_s)
                self._fence(pool, taken)
        for host in found.go_on:
            self._fence(pool, host)
        return found.is_held_back

    def _fence(self, pool: Pool, host: Host) -> None:
        tries = self._tries.get(host.id)
        if tries is None or tries.revision != host.revision:
            tries = self._tries[host.id] = _Tries(revision=host.revision)
        if tries.is_running or tries.count >= TRIES_MAX or self._monotonic() < tries.next_at:
            return
        tries.count, tries.is_running = tries.count + 1, True
        self._aside(partial(self._attempt, pool.code, host))

    def _attempt(self, pool: str, host: Host) -> None:
        problem: Problem | None = None
        try:
            self._platform.fencing.power_off(pool, host)
        except DriverFault as fault:
            problem = fault.problem
        except Exception as error:  # whatever it is, the host may be on
            log.exception("fencing met a bug", host=host.name)
            problem = Problem("fencing.failed", {"host": host.name, "reason": type(error).__name__})
        self._answers.append(_Answer(host, self._monotonic(), problem))

    def _conclude(self, answer: _Answer) -> None:
        host, tries = answer.host, self._tries[answer.host.id]
        if answer.problem is not None:
            automatic_loss.note_not_fenced(self._platform, host, answer.problem)
            self._counters.add(self._counters.fencings, "failed")
            log.error("a host could not be fenced: it is not given up", host=host.name, code=answer.problem.code)
        elif self._monotonic() - answer.at > BELIEVED_FOR_S:
            # The state could not be written meanwhile, and somebody may have powered the host on.
            self._counters.add(self._counters.fencings, "outdated")
        else:
            self._lost(host)
        tries.is_running, tries.next_at = False, self._monotonic() + REST_S

    def _lost(self, host: Host) -> None:
        fates = automatic_loss.declare_fenced(self._platform, host)
        self._counters.add(self._counters.fencings, "confirmed")
        if fates is None:
            log.warning("a host was fenced, and it answers or somebody decided otherwise", host=host.name)
            return
        self._counters.hosts_lost += 1
        log.warning("a host was given up", host=host.name, machines=len(fates), placed=sum(bool(f.to_host) for f in fates))
