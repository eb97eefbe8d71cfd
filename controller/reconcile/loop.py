"""The reconciler: one thread, one tick, one transaction per tick.

A tick takes what workers reported, records it for many resources at once, takes what is due under holds and hands it to
the workers of its hosts. It is level-triggered: whatever a tick or a process forgets is found again in the rows. It may be
killed at any line and paused by an operator.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import structlog
from sqlalchemy import Connection
from tenacity import RetryCallState, Retrying, wait_exponential

from controller.moves import store as move_store
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.chores import Chores
from controller.reconcile.counters import ReconcileCounters
from controller.reconcile.facts import FactsLoader
from controller.reconcile.hosts import HostBook, HostHandle, OpenDriver, Unheard
from controller.reconcile.housekeeping import Housekeeping
from controller.reconcile.jobs import JobMeans, LookReport, Report, ResourceJob, StepReport
from controller.reconcile.looks import HostLooks, Unit
from controller.reconcile.lost_hosts import LostHosts
from controller.reconcile.outcomes import Outcome, problem_of
from controller.reconcile.recorder import Recorder, Swap, move_tickets
from controller.reconcile.refreshing import Refresher
from controller.reconcile.sampling import SampleBox
from controller.reconcile.settings import ReconcileSettings
from controller.reconcile.workers import Executor, Job
from controller.tickets import store as tickets
from controller.workflows.engine import Done, Drop, Ending, Fail, Flow, Seen, StepResult
from controller.workflows.failpoints import failpoint
from controller.workflows.moves.begin import begin_next
from controller.workflows.platform import Platform
from controller.workflows.steps import first_step
from drivers.faults import HOST_TROUBLE
from drivers.protocol import DriverEvent
from inventory.domain.errors import Problem, Unavailable
from inventory.domain.host import Reachability
from inventory.domain.ids import HostId, ResourceId, TicketId
from inventory.domain.resource import Desired, Observed, Resource
from inventory.store import hosts as host_store
from inventory.store import resources
from metering import cost_store

log = structlog.get_logger()


class Reconciler:
    """See the module. ``tick`` is called by one thread only; ``wake``, ``pause`` and ``resume`` by any."""

    def __init__(
        self,
        platform: Platform,
        *,
        owner: str,
        executor: Callable[["Reconciler"], Executor],
        open_driver: OpenDriver,
        settings: ReconcileSettings | None = None,
        swap: Swap | None = None,
        samples: SampleBox | None = None,
        chooser: random.Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.platform = platform
        self.owner = owner
        self.settings = settings or ReconcileSettings()
        self.counters = ReconcileCounters()
        self._monotonic = monotonic
        self._chooser = chooser or random.SystemRandom()
        self._reports: deque[Report] = deque()
        self._events: deque[DriverEvent] = deque(maxlen=100_000)
        self._wake = threading.Event()
        self._is_paused = False
        self.executor = executor(self)
        self._unheard = Unheard()
        self._book = HostBook(
            open_driver,
            self._heard,
            breaker=self.settings.breaker,
            clock=platform.clock,
            policy=self.settings.drift,
        )
        self._facts = FactsLoader(platform.images_dir)
        self._recorder = Recorder(owner=owner, new_id=platform.new_id, quarantine_s=platform.quarantine_s, swap=swap)
        self._means = JobMeans(
            report=self._report,
            clock=platform.clock,
            monotonic=monotonic,
            settings=self.settings.steps,
            backoff_s=self._backoff_s,
            act_for_s=self.settings.hold_s - self.settings.hold_margin_s,
            samples=samples,
            refresher=Refresher(platform=platform, interval_s=self.settings.refresh_s, monotonic=monotonic),
        )
        self._looks = HostLooks(
            owner=owner, book=self._book, facts=self._facts, means=self._means, settings=self.settings, new_id=platform.new_id
        )
        self._housekeeping = Housekeeping(platform, period_s=self.settings.sync_hosts_s, monotonic=monotonic)
        self._lost_hosts = LostHosts(platform, self.counters, period_s=self.settings.sync_hosts_s, monotonic=monotonic)
        self._jobs: dict[ResourceId, ResourceJob] = {}
        self._unrecorded: dict[ResourceJob, Outcome] = {}
        self._heard_events: dict[ResourceId, str] = {}
        self._running_tickets: set[TicketId] = set()
        self._moves_at = float("-inf")
        self._synced_at = self._progress_at = float("-inf")
        self._audited_at = monotonic()
        self._chores = Chores(platform, self.settings.retention, monotonic)

    # -- from other threads -------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Have the loop look now (something was committed)."""
        self._wake.set()

    def pause(self) -> None:
        """The off switch: nothing new is begun. What runs is recorded."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on."""
        self._is_paused = False
        self.wake()

    @property
    def is_paused(self) -> bool:
        """Tell whether the loop is switched off."""
        return self._is_paused

    def _report(self, report: Report) -> None:
        self._reports.append(report)
        # A good look can wait for the next tick.
        if isinstance(report, StepReport) or report.observation is None:
            self._wake.set()

    def _heard(self, event: DriverEvent) -> None:
        self._events.append(event)
        self._wake.set()

    def bug(self, job: Job, error: Exception) -> None:
        """Hear of an exception on a worker: a bug of ours. The resource is tried again, slowly."""
        self.counters.bugs += 1
        if isinstance(job, ResourceJob):
            job.crashed(error)
        else:
            job.give_up(is_hung=False)
        log.error("a step met a bug", host_id=job.host_id, error=repr(error), exc_info=error)

    # -- running ------------------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """Tick until ``stop`` is set, then let go of everything."""
        while not stop.is_set():
            self._wake.clear()
            try:
                did = self.tick()
            except Unavailable as error:
                log.warning("the state cannot be used now", code=error.code, internal=error.internal)
                stop.wait(1.0)
                continue
            except Exception:
                self.counters.bugs += 1
                log.exception("a tick met a bug")
                stop.wait(1.0)
                continue
            if not did:
                self._wake.wait(self.settings.idle_s)
        self.stop()

    def stop(self, grace_s: float = 5.0) -> None:
        """End cleanly: record what is done, let go of what is held."""
        self.executor.stop(grace_s)
        self._take_reports()
        try:
            if self._unrecorded:
                self._commit(may_claim=False)
            now_s = self.platform.clock()
            self.platform.db.run(lambda connection: resources.release_holds(connection, self.owner, now_s))
        except Unavailable as error:
            log.warning("holds end by themselves", code=error.code)
        for handle in self._book.all():
            handle.close()

    def tick(self) -> bool:
        """Do what is due; tells whether there was anything.

        Raises:
            Unavailable: the database; nothing reported is lost.
        """
        self.counters.ticks += 1
        for host_id in self.executor.check():
            self._hung(host_id)
        self._take_reports()
        self._take_events()
        if not self._is_paused:
            self._housekeeping.run()
            self._lost_hosts.run()
        has_something = self._has_something()
        if has_something:
            self._commit(may_claim=not self._is_paused)
            self._audit()
        did_chore = not self._is_paused and self._chores.step() > 0
        return has_something or did_chore

    def _take_reports(self) -> None:
        while self._reports:
            report = self._reports.popleft()
            if isinstance(report, StepReport):
                self._take_step(report)
            else:
                self._take_look(report)

    def _take_step(self, report: StepReport) -> None:
        job, result = report.job, report.result
        outcome = self._unrecorded.setdefault(job, Outcome(job.resource))
        outcome.results.append(result)
        self.counters.step(result.step, result.took_s)
        problem = problem_of(result)
        if problem is not None:
            self.counters.add(self.counters.problems, problem.code)
        if problem is not None and problem.code in HOST_TROUBLE:
            # A job handed back by a host that is cut already says nothing new.
            if not job.host.is_cut and job.host.failed(self.platform.clock()):
                self._cut(job.host)
        elif problem is None and result.has_called and not job.host.is_cut:
            job.host.answered(self.platform.clock())
        if isinstance(result.flow, Drop) and result.flow.found_fence:
            self.counters.stale_fences += 1
            log.warning(
                "a newer fence was found", resource_id=job.resource.id, given=job.resource.fence, found=result.flow.found_fence
            )

    def _take_look(self, report: LookReport) -> None:
        host = report.host
        if report.observation is None:
            self.counters.observations_failed += 1
            self._looks.failed(report)
            if host.failed(self.platform.clock(), is_hung=report.is_hung):
                self._cut(host)
            return
        self.counters.observations += 1
        if host.answered(self.platform.clock()):
            log.info("a host is back", host=host.name)
        if not host.is_cut:
            self._looks.add(report)

    def _cut(self, host: HostHandle) -> None:
        log.warning("a host does not answer and is left alone", host=host.name)
        self._looks.cut_news[host.id] = Reachability.UNREACHABLE
        self.executor.drain(host.id)

    def _hung(self, host_id: str) -> None:
        self.counters.hung_calls += 1
        host = self._book.known(host_id)
        if host is None:
            return
        host.drop_driver()
        if host.failed(self.platform.clock(), is_hung=True):
            self._cut(host)

    def _take_events(self) -> None:
        while self._events:
            event = self._events.popleft()
            if event.instance_id is not None and event.instance_id not in self._jobs:
                self._heard_events[event.instance_id] = event.state.value

    def _has_something(self) -> bool:
        if self._is_progress_due() or self._looks.cut_news or self._looks.suspects or self._heard_events:
            return True
        if self._is_paused:
            return False
        now_s = self.platform.clock()
        with self.platform.db.read() as connection:
            if resources.is_any_due(connection, now_s=now_s, host_ids=self._full_hosts()):
                return True
            if self._are_moves_due():
                if move_store.is_any_running(connection):
                    return True
                self._moves_at = self._monotonic()
            return self._looks.is_time() and host_store.is_any_observation_due(connection, now_s)

    def _is_progress_due(self) -> bool:
        if any(o.is_over for o in self._unrecorded.values()):
            return True
        if self._looks and self._looks.is_time():
            return True
        # Steps and looks end one by one and are in no hurry: as progress, they share a transaction.
        is_progress = bool(self._unrecorded) or self._looks.has_news
        return is_progress and self._monotonic() - self._progress_at >= self.settings.progress_s

    def _full_hosts(self) -> list[HostId]:
        most = self.settings.in_flight_per_host
        return [h.id for h in self._book.all() if h.is_cut or h.in_flight >= most]

    def _backoff_s(self, attempt: int) -> float:
        """Return the delay after the n-th failure: exponential, bounded, with jitter from half to all of it."""
        steps = self.settings.steps
        state = RetryCallState(retry_object=_NO_RETRY, fn=None, args=(), kwargs={})
        state.attempt_number = attempt
        delay_s = wait_exponential(multiplier=steps.backoff_first_s, max=steps.backoff_most_s)(state)
        return delay_s * self._chooser.uniform(0.5, 1.0)

    # -- the transaction ----------------------------------------------------------------------------------------------

    def _commit(self, *, may_claim: bool) -> None:
        over = [(job, o) for job, o in self._unrecorded.items() if o.is_over]
        rest = [(job, o) for job, o in self._unrecorded.items() if not o.is_over]
        batch = (over + rest)[: self.settings.record_most]
        outcomes = [outcome for _, outcome in batch]
        failpoint("commit.before")
        try:
            unit = self.platform.db.run(lambda connection: self._unit(connection, outcomes, may_claim=may_claim))
        except Unavailable:
            self.counters.state_errors += 1
            raise
        _pass_places("after", outcomes, unit)
        failpoint("commit.after")
        self.counters.commits += 1
        self._progress_at = self._monotonic()
        for job, outcome in batch:
            self._recorded(job, outcome, unit)
        self._after(unit)

    def _unit(self, connection: Connection, batch: Sequence[Outcome], *, may_claim: bool) -> Unit:
        """Everything one tick writes. Runs again from the start when the database asks for it: touches rows only."""
        now_s = self.platform.clock()
        unit = Unit(may_reap=not self._is_paused)
        moved_hosts: set[HostId] = set()
        if batch:
            recorded = self._recorder.record(connection, batch, now_s)
            unit.lost, unit.superseded, moved_hosts = recorded.lost, recorded.superseded, recorded.moved_hosts
        self._looks.write(connection, unit, now_s)
        if self._heard_events:
            resources.look_if_moved(connection, self._heard_events, now_s)
        self._extend(connection, unit, now_s)
        if may_claim:
            self._sync_hosts(connection)
            moved_hosts |= self._begin_moves(connection)
            self._claim(connection, unit, now_s)
            self._looks.claim(connection, unit, now_s)
        if moved_hosts:
            # Last, because whoever writes this down waits for others who do, and nobody shall wait for it with more to lock.
            cost_store.record(connection, int(now_s), moved_hosts)
        _pass_places("before", batch, unit)
        return unit

    def _sync_hosts(self, connection: Connection) -> None:
        if self._monotonic() - self._synced_at >= self.settings.sync_hosts_s:
            self._book.sync(connection)
            move_tickets(connection, tickets.open_without_work(connection), self.platform.clock())
            self._synced_at = self._monotonic()

    def _are_moves_due(self) -> bool:
        return self._monotonic() - self._moves_at >= self.settings.moves_s

    def _begin_moves(self, connection: Connection) -> set[HostId]:
        """Begin the next step of plans under way: claimed and handed out like everything else that is due."""
        if not self._are_moves_due():
            return set()
        begun = begin_next(connection, self.platform)
        self._moves_at = self._monotonic()
        return begun

    def _claim(self, connection: Connection, unit: Unit, now_s: float) -> None:
        settings = self.settings
        room = min(settings.claim_most, settings.in_flight_most - len(self._jobs))
        if room <= 0:
            return
        claimed = resources.claim_due(
            connection, owner=self.owner, now_s=now_s, hold_s=settings.hold_s, limit=room, host_ids=self._full_hosts()
        )
        if not claimed:
            return
        homeless = [_homeless(r) for r in claimed if r.host_id is None]
        if homeless:
            self._recorder.record(connection, homeless, now_s)
        facts = self._facts.load(connection, claimed)
        for resource in claimed:
            if resource.host_id is not None:
                handle = self._book.get(connection, resource.host_id)
                target = self._book.get(connection, resource.target_host_id) if resource.target_host_id is not None else None
                unit.jobs.append(
                    self._means.resource_job(
                        handle, resource, facts[resource.id], first_step(resource, facts[resource.id]), target
                    )
                )
        fresh = {r.ticket_id for r in claimed if r.ticket_id is not None and r.settled_generation != r.generation}
        move_tickets(connection, fresh - self._running_tickets, now_s)
        self._running_tickets = (self._running_tickets | fresh) if len(self._running_tickets) < 10_000 else fresh

    def _extend(self, connection: Connection, unit: Unit, now_s: float) -> None:
        """Keep the holds of work that waits or takes long."""
        half = self._monotonic() + self.settings.hold_s / 2
        old = [j for j in self._jobs.values() if j.act_until < half and not j.is_cancelled]
        if old:
            holds = [(j.resource.id, j.resource.fence) for j in old]
            unit.extended = resources.extend_holds(
                connection, self.owner, holds, now_s=now_s, until_s=now_s + self.settings.hold_s
            )

    # -- after the commit ---------------------------------------------------------------------------------------------

    def _recorded(self, job: ResourceJob, outcome: Outcome, unit: Unit) -> None:
        # Steps may have gone on meanwhile in another thread, but reports are taken by this one only.
        current = self._unrecorded.pop(job)
        assert current is outcome
        resource_id = job.resource.id
        is_ours = self._jobs.get(resource_id) is job
        if resource_id in unit.lost:
            self.counters.holds_lost += 1
            log.warning("a hold was lost, its work is dropped", resource_id=resource_id, fence=job.resource.fence)
        for result in outcome.results:
            self._count_ending(result)
        if outcome.is_over or resource_id in unit.lost or resource_id in unit.superseded:
            job.is_cancelled = True
            if is_ours:
                self._forget(job)

    def _count_ending(self, result: StepResult) -> None:
        if isinstance(result.flow, Done):
            self.counters.add(self.counters.endings, result.flow.ending.value)
        elif isinstance(result.flow, Fail):
            self.counters.add(self.counters.endings, "failed")

    def _forget(self, job: ResourceJob) -> None:
        del self._jobs[job.resource.id]
        job.host.in_flight -= 1

    def _after(self, unit: Unit) -> None:
        self._looks.committed(unit)
        self._heard_events.clear()
        for kind in unit.drifts:
            self.counters.add(self.counters.drift, kind)
        if unit.extended is not None:
            self._extended(unit.extended)
        for job in unit.jobs:
            if isinstance(job, ResourceJob):
                self._begin(job)
            self.executor.submit(job)
        self.counters.in_flight = len(self._jobs)
        cut = [h.host.pool_id for h in self._book.all() if h.is_cut]
        self.counters.hosts_unreachable = len(cut)
        self.counters.cut_by_pool = {pool_id: cut.count(pool_id) for pool_id in set(cut)}
        self.counters.unheard_by_pool = self._unheard.look(self._book.all())

    def _extended(self, kept: Iterable[ResourceId]) -> None:
        still = set(kept)
        half = self._monotonic() + self.settings.hold_s / 2
        for job in [j for j in self._jobs.values() if j.act_until < half and not j.is_cancelled]:
            if job.resource.id in still:
                job.act_until = self._monotonic() + self.settings.hold_s - self.settings.hold_margin_s
                self.counters.holds_extended += 1
            else:
                job.is_cancelled = True
                self._forget(job)

    def _begin(self, job: ResourceJob) -> None:
        old = self._jobs.get(job.resource.id)
        if old is not None:
            old.is_cancelled = True
            self._forget(old)
        self._jobs[job.resource.id] = job
        job.host.in_flight += 1
        self.counters.claimed += 1

    def _audit(self) -> None:
        if self._monotonic() - self._audited_at < self.settings.audit_s:
            return
        self._audited_at = self._monotonic()
        # Of one moment: on PostgreSQL rows of two statements may lie a whole transaction apart, and would break every rule.
        with self.platform.db.read(is_steady=True) as connection:
            violations = audit_invariants(connection, {})
        self.counters.violations = len(violations)
        self.counters.audited_at_s = self.platform.clock()
        for violation in violations:
            log.error("an invariant does not hold", rule=violation.rule, detail=violation.detail)


_NO_RETRY = Retrying()


def _pass_places(side: str, recorded: Iterable[Outcome], unit: Unit) -> None:
    """Pass the places of one transaction: the work taken and the results of steps written in it."""
    for job in unit.jobs:
        if isinstance(job, ResourceJob):
            failpoint(f"claim.{job.step}.{side}")
    for outcome in recorded:
        for result in outcome.results:
            failpoint(f"record.{result.step}.{side}")


def _homeless(resource: Resource) -> Outcome:
    """Return the end of what never got a host: nothing of it can exist anywhere."""
    if resource.desired is Desired.ABSENT:
        flow: Flow = Done(ending=Ending.GONE)
    else:
        flow = Fail(problem=Problem("step.no_host", {"name": resource.name}))
    seen = (Seen(state=Observed.ABSENT),)
    return Outcome(resource, [StepResult(step="confirm", flow=flow, took_s=0.0, seen=seen)])
