"""The two kinds of jobs: the steps of one resource, and a look at a whole host. They run on workers and report to the loop."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from controller.reconcile.hosts import HostHandle
from controller.reconcile.refreshing import Refresher
from controller.reconcile.sampling import SampleBox
from controller.workflows.engine import (
    Drop,
    Facts,
    Flow,
    Next,
    StepContext,
    StepResult,
    StepSettings,
    Wait,
    run_step,
)
from controller.workflows.failpoints import failpoint
from controller.workflows.steps import DEADLINES_S, LANES, MAIN_LANE, STEPS
from drivers.faults import DriverFault, OutcomeUnknown
from drivers.protocol import HostObservation
from inventory.domain.clock import Clock
from inventory.domain.errors import AllotError, Problem
from inventory.domain.resource import Resource


@dataclass(frozen=True, slots=True)
class StepReport:
    """A step of a resource is done."""

    job: "ResourceJob"
    result: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class LookReport:
    """A host was looked at, or could not be."""

    host: HostHandle
    started_at_s: float
    observation: HostObservation | None
    problem: Problem | None = None
    is_hung: bool = False


Report = StepReport | LookReport


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMeans:
    """What all jobs of one controller share."""

    report: Callable[[Report], None]
    clock: Clock
    monotonic: Callable[[], float]
    settings: StepSettings
    backoff_s: Callable[[int], float]
    #: How long after its claim a job may begin something new.
    act_for_s: float
    #: Where looks leave the counters of machines.
    samples: SampleBox | None = None
    #: Reads what hosts are again.
    refresher: Refresher | None = None

    def resource_job(
        self, host: HostHandle, resource: Resource, facts: Facts, step: str, target: HostHandle | None = None
    ) -> "ResourceJob":
        """Return the job of a resource that was claimed just now."""
        act_until = self.monotonic() + self.act_for_s
        return ResourceJob(means=self, host=host, resource=resource, facts=facts, step=step, act_until=act_until, target=target)


@dataclass(slots=True, eq=False)
class ResourceJob:
    """Steps of one resource under one hold, one after another, without waiting for their record."""

    means: JobMeans
    host: HostHandle
    resource: Resource
    facts: Facts
    step: str
    #: Monotonic time after which nothing new may be begun; moved on by the loop when it extends the hold.
    act_until: float
    #: The host it is on its way to.
    target: HostHandle | None = None
    is_cancelled: bool = False
    _context: StepContext | None = None
    _is_over: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def host_id(self) -> str:
        """Return the host."""
        return self.host.id

    @property
    def lane(self) -> str:
        """Return the lane of the next step."""
        return LANES.get(self.step, MAIN_LANE)

    @property
    def deadline_s(self) -> float:
        """Return the bound of the next step."""
        return DEADLINES_S.get(self.step, self.means.settings.deadline_s)

    def advance(self) -> bool:
        """Run the next step."""
        if self.is_cancelled or self.means.monotonic() >= self.act_until:
            self._end(Drop(reason="cancelled" if self.is_cancelled else "hold_expired"))
            return False
        if self.host.is_cut:
            self.give_up(is_hung=False)
            return False
        name = self.step
        failpoint(f"step.{name}.before")
        result = self._run(name)
        failpoint(f"step.{name}.after")
        flow = result.flow
        if isinstance(flow, Next):
            self.step = flow.step
        return self._tell(result) and isinstance(flow, Next)

    def _run(self, name: str) -> StepResult:
        if self._context is None:
            self._context = StepContext(
                resource=self.resource,
                facts=self.facts,
                open_driver=self.host.driver,
                clock=self.means.clock,
                settings=self.means.settings,
                backoff_s=self.means.backoff_s,
                host_name=self.host.name,
                open_target=self.target.driver if self.target is not None else None,
                policy=self.host.policy,
            )
        return run_step(name, STEPS[name], self._context, self.means.monotonic)

    def give_up(self, *, is_hung: bool) -> None:
        """Hear that nobody will run on: look again later."""
        if is_hung:
            fault = OutcomeUnknown("driver.timeout", connection=self.host.name, verb=self.step, deadline_s=int(self.deadline_s))
        else:
            fault = OutcomeUnknown("driver.unreachable", connection=self.host.name)
        kept = self.step if self.step.startswith("clear") else ""
        delay_s = self.means.settings.backoff_first_s
        self._end(Wait(delay_s=delay_s, step=kept, problem=fault.problem, is_failure=is_hung))

    def crashed(self, error: Exception) -> None:
        """Hear that a step met a bug of ours."""
        problem = Problem("step.bug", {"step": self.step, "name": self.resource.name})
        flow = Wait(delay_s=self.means.settings.backoff_most_s, step="", problem=problem, is_failure=True)
        self._tell(StepResult(step=self.step, flow=flow, took_s=0.0, internal=repr(error)))

    def _end(self, flow: Flow) -> None:
        self._tell(StepResult(step=self.step, flow=flow, took_s=0.0))

    def _tell(self, result: StepResult) -> bool:
        """Report once until the end; what a written-off thread says later is not heard."""
        with self._lock:
            if self._is_over:
                return False
            self._is_over = not isinstance(result.flow, Next)
            self.means.report(StepReport(self, result))
            return True


@dataclass(slots=True, eq=False)
class LookJob:
    """One observation of a whole host; where they are due, its machines' counters after it, and what the host is."""

    means: JobMeans
    host: HostHandle
    lane: str = "observe"
    _is_open: bool = False
    _has_looked: bool = False
    #: What is still to be done after the look, one piece after another.
    _rest: list[Callable[[], None]] = field(default_factory=list)
    _started_at_s: float = 0.0
    _is_over: bool = False
    _lock: Lock = field(default_factory=Lock)

    @property
    def host_id(self) -> str:
        """Return the host."""
        return self.host.id

    @property
    def deadline_s(self) -> float:
        """Return the bound of the look, or a longer one that the driver says."""
        return max(self.means.settings.observe_deadline_s, self.host.look_bound_s)

    def advance(self) -> bool:
        """Look; as pieces of their own, open the driver before it, and after it ask for counters and read what the host is."""
        if self._has_looked:
            self._rest.pop()()
            return bool(self._rest)
        self._started_at_s = self.means.clock()
        try:
            driver = self.host.driver()
            if not self._is_open:
                # Only an open driver says how long a look may take.
                self._is_open = True
                return True
            self._has_looked = True
            self._tell(driver.observe(), None)
        except DriverFault as fault:
            self._tell(None, fault.problem)
        except AllotError as error:
            self._tell(None, error.problems[0])
        else:
            self._rest = self._due()
        return bool(self._rest)

    def _due(self) -> list[Callable[[], None]]:
        means, host_id = self.means, self.host.id
        is_sampled = means.samples is not None and means.samples.is_due(host_id)
        is_read = means.refresher is not None and means.refresher.is_due(host_id)
        return [piece for piece, is_due in ((self._read_again, is_read), (self._sample, is_sampled)) if is_due]

    def _read_again(self) -> None:
        refresher = self.means.refresher
        assert refresher is not None
        refresher.read(self.host.id, self.host.driver)

    def _sample(self) -> None:
        samples = self.means.samples
        assert samples is not None
        try:
            samples.take(self.host.id, self.host.driver())
        # The look has told how the host is; counters go on, and the next sample brings what this one would have.
        except DriverFault as fault:
            samples.failed(self.host.id, fault.problem)
        except AllotError as error:
            samples.failed(self.host.id, error.problems[0])

    def give_up(self, *, is_hung: bool) -> None:
        """Hear that the host does not answer."""
        problem = Problem("driver.timeout", {"connection": self.host.name, "verb": "observe", "deadline_s": int(self.deadline_s)})
        self._tell(None, problem, is_hung=is_hung)

    def _tell(self, observation: HostObservation | None, problem: Problem | None, *, is_hung: bool = False) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        # What a host was shown may be what another one looked at before: then it is no younger than that.
        seen_at_s = self._started_at_s if observation is None else min(self._started_at_s, observation.observed_at_s)
        self.means.report(
            LookReport(
                host=self.host,
                started_at_s=seen_at_s,
                observation=observation,
                problem=problem,
                is_hung=is_hung,
            )
        )
