"""Flow words, what a step may see, and the running of ONE step. The reconciler decides when; steps never touch the database.

A step is a small function ``(StepContext) -> Flow``. It calls driver verbs (each may run twice), tells what it saw through
``context.saw``, and ends in exactly one flow word. Which step comes first is decided from the row alone (``steps.first_step``),
so a worker may die between any two lines and another one goes on.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.workflows.shape import has_shape
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.protocol import ComputeDriver, ImageSource, LeaseEntry, ObservedInstance
from inventory.domain.drift import REPAIR_ALL, DriftKind, DriftPolicy, drift_of_run
from inventory.domain.errors import AllotError, Problem
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Desired, InstanceSpec, Observed, Resource

# -- what a step says -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """Go on with another step at once."""

    step: str
    #: Why we turned off the straight road, kept with the resource.
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Let go of the resource and look again after ``delay_s``."""

    delay_s: float
    step: str
    problem: Problem | None = None
    #: Resources that must be looked at for this one to get on.
    wake: tuple[ResourceId, ...] = ()
    #: Counts against the bound of attempts.
    is_failure: bool = False


class Ending(StrEnum):
    """How the work on a resource ended well."""

    SETTLED = "settled"
    #: Confirmed absent: everything promised is given back.
    GONE = "gone"
    #: A segment nobody uses any more: its wish becomes ``absent``.
    RETIRED = "retired"
    #: Confirmed absent where it was, to be placed on another host.
    CLEARED = "cleared"
    #: Seen on the host it was to move to, and nothing of it is left where it was.
    MOVED = "moved"
    #: Known to stay where it is: nothing of it is on the host it was to move to, and nothing will come there any more.
    STAYED = "stayed"
    #: The host it was to be brought back to does not take it: another one is to be asked.
    PASSED_ON = "passed_on"
    #: A leftover on a host the resource does not live on was removed.
    REAPED = "reaped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Nothing is left to do."""

    ending: Ending
    #: New entries of ``Resource.detail``.
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Give up until a person or a new wish changes something."""

    problem: Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The hold is lost: forget everything about it."""

    reason: str
    #: The fence found at the back end, where that was the reason.
    found_fence: int = 0


Flow = Next | Wait | Done | Fail | Drop


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the back end said of a resource."""

    state: Observed
    #: When the state began, where the back end knows.
    since_s: float | None = None
    reason: str = ""
    #: Whether it had the wanted shape: if not, the amounts of the journal stay what they were.
    has_shape: bool = True
    #: When it was looked at.
    at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something nobody asked for. ``subject`` makes it one and the same when seen again."""

    kind: str
    subject: str
    resource_id: str | None = None
    host_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    #: ``open`` | ``repaired``.
    state: str = "open"
    #: It could be repaired, and the policy says to leave it: told in the story of the ticket, once.
    is_left: bool = False


# -- what a step may see ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveFacts:
    """Where a machine is on its way to."""

    target_connection: str
    target_id: HostId
    #: The machine as it shall be there.
    spec: InstanceSpec
    #: Back-end names of the storage pools there: of the root disk, and of each data disk.
    storage_pool: str
    volume_pools: Mapping[ResourceId, str]
    #: Segments of its cards there.
    segments: Mapping[ResourceId, Resource]
    #: The plan was cancelled or stopped: the machine stays, unless it has arrived.
    is_called_off: bool
    #: Processors that ordinary machines keep to there; empty for all.
    confined_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the loop read beforehand for one resource, in the transaction of its claim."""

    #: Back-end name of the storage pool of the root disk or volume.
    storage_pool: str = ""
    image: ImageSource | None = None
    #: Volumes of an instance and their pools' back-end names; segments of its cards.
    volumes: Mapping[ResourceId, Resource] = field(default_factory=dict)
    volume_pools: Mapping[ResourceId, str] = field(default_factory=dict)
    segments: Mapping[ResourceId, Resource] = field(default_factory=dict)
    #: The instance of a volume.
    instance: Resource | None = None
    #: Living address entries of a segment.
    leases: tuple[LeaseEntry, ...] = ()
    system: str = ""
    department: str = ""
    move: MoveFacts | None = None
    #: Processors that ordinary machines keep to on the host; empty for all.
    confined_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSettings:
    """Bounds of steps."""

    #: How long a guest is asked politely before it is stopped by force.
    graceful_s: float = 30.0
    #: Failures on one host before a machine that never ran is placed elsewhere.
    attempts_before_clear: int = 6
    #: Failures before a change is given up; repairs and deletions go on for ever, slowly.
    attempts_before_fail: int = 12
    backoff_first_s: float = 1.0
    backoff_most_s: float = 60.0
    #: Longest time a step may take before its host's worker is given up as hung (some steps have a bound of their own).
    deadline_s: float = 120.0
    observe_deadline_s: float = 15.0
    #: How long the subnet of a removed network rests.
    subnet_rest_s: float = 30.0
    #: Pause between looks at parts that are still being made.
    parts_s: float = 2.0


@dataclass(slots=True)
class StepContext:
    """One resource under a hold, its host's driver, and what was read for it."""

    resource: Resource
    facts: Facts
    #: Reaches the back end; may fail like any verb.
    open_driver: Callable[[], ComputeDriver]
    clock: Callable[[], float]
    settings: StepSettings
    #: Delay after the n-th failure, with jitter.
    backoff_s: Callable[[int], float]
    host_name: str = ""
    #: Reaches the host a machine is on its way to.
    open_target: Callable[[], ComputeDriver] | None = None
    #: What is done about drift on the host.
    policy: DriftPolicy = REPAIR_ALL
    #: The last look at the machine in this run.
    found: ObservedInstance | None = None
    #: Whether this run made the machine and saw it running, in one act.
    is_launched: bool = False
    #: Whether the back end was called since the last step.
    has_called: bool = False
    seen: list[Seen] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def driver(self) -> ComputeDriver:
        """Return the driver of the host."""
        self.has_called = True
        return self.open_driver()

    @property
    def fence(self) -> int:
        """Return the fence every verb carries."""
        return self.resource.fence

    def saw(self, state: Observed, *, since_s: float | None = None, reason: str = "", has_shape: bool = True) -> None:
        """Note what the back end said of this resource."""
        self.seen.append(Seen(state=state, since_s=since_s, reason=reason, has_shape=has_shape, at_s=self.clock()))

    def saw_machine(self, found: ObservedInstance) -> None:
        """Note an observed machine."""
        self.found = found
        self.saw(found.state, since_s=found.since_s, reason=found.reason, has_shape=has_shape(self.resource.instance, found))

    def leaves(self, kind: DriftKind) -> bool:
        """Tell whether drift of a kind is only reported; what a person asks of the machine is done all the same."""
        resource = self.resource
        is_asked = resource.generation != resource.settled_generation or resource.is_reboot_due
        return self.policy.reports(kind) and not is_asked

    def leaves_run(self, found: ObservedInstance) -> bool:
        """Tell whether a machine that runs and should not, or the other way round, is left so."""
        return found.state.value != self.resource.desired.value and self.leaves(drift_of_run(found.state))

    def report(self, kind: str, *, state: str = "open", is_left: bool = False, **detail: Any) -> None:
        """Note a finding about this resource."""
        resource = self.resource
        self.findings.append(
            Finding(
                kind=kind,
                subject=f"{kind}:{resource.id}",
                resource_id=resource.id,
                host_id=resource.host_id,
                detail={"name": resource.name, "host": self.host_name, **detail},
                state=state,
                is_left=is_left,
            )
        )


# -- running a step ---------------------------------------------------------------------------------------------------

Step = Callable[[StepContext], Flow]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one step did."""

    step: str
    flow: Flow
    took_s: float
    seen: tuple[Seen, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: Whether the back end was called.
    has_called: bool = False
    #: For the log.
    internal: str = ""


def run_step(name: str, step: Step, context: StepContext, monotonic: Callable[[], float] = time.monotonic) -> StepResult:
    """Run one step and answer every fault with a flow word."""
    started = monotonic()
    internal = ""
    try:
        flow = step(context)
    except StaleFence as fault:
        flow, internal = Drop(reason="stale_fence", found_fence=int(fault.problem.params["found"])), str(fault)
    except DriverFault as fault:
        flow, internal = answer(fault, name, context), fault.internal
    except AllotError as error:
        flow, internal = answer(Permanent(error.code, **error.params), name, context), error.internal
    result = StepResult(
        step=name,
        flow=flow,
        took_s=monotonic() - started,
        seen=tuple(context.seen),
        findings=tuple(context.findings),
        has_called=context.has_called,
        internal=internal,
    )
    context.seen.clear()
    context.findings.clear()
    context.has_called = False
    return result


def answer(fault: DriverFault, step: str, context: StepContext) -> Flow:
    """Return what follows from a fault: try again, place elsewhere, or give up."""
    resource, settings = context.resource, context.settings
    attempts = resource.attempts + 1
    if step.startswith("move") or step == "evacuate":
        # Whatever happened, the next look at both hosts tells; giving up is a step of its own.
        return Wait(delay_s=context.backoff_s(attempts), step="", problem=fault.problem, is_failure=True)
    is_new = resource.settled_generation == 0 and resource.desired is not Desired.ABSENT and not _ever_was(context)
    is_clearing = resource.step.startswith("clear") or step.startswith("clear")
    is_permanent = isinstance(fault, Permanent)
    if is_new and not is_clearing and (is_permanent or attempts >= settings.attempts_before_clear):
        return hopeless(fault.problem, context)
    is_change = resource.desired is not Desired.ABSENT and resource.generation != resource.settled_generation
    if is_change and not is_new and (is_permanent or attempts >= settings.attempts_before_fail):
        return Fail(problem=fault.problem)
    delay_s = context.backoff_s(attempts)
    if isinstance(fault, Transient):
        delay_s = max(delay_s, fault.delay_s) if fault.delay_s else delay_s / 2
    if isinstance(fault, OutcomeUnknown):
        delay_s = min(delay_s, settings.backoff_first_s * attempts)
    # Deletion starts at the front again, a half-made machine with a look: that is what the empty name means.
    return Wait(delay_s=delay_s, step=step if is_clearing else "", problem=fault.problem, is_failure=True)


def _ever_was(context: StepContext) -> bool:
    """Tell whether somebody may already have used the machine."""
    seen = context.found.state if context.found is not None else context.resource.observed
    return context.resource.kind == "instance" and (seen is Observed.RUNNING or context.resource.observed is Observed.RUNNING)


def hopeless(problem: Problem, context: StepContext) -> Flow:
    """Return what follows when a resource that never was there cannot be made here."""
    if context.resource.kind == "instance":
        return Next(step="clear", problem=problem)
    owner = context.facts.instance
    if owner is not None and (owner.settled_generation > 0 or owner.phase == "failed" or owner.desired is Desired.ABSENT):
        return Fail(problem=problem)
    wake = (owner.id,) if owner is not None else ()
    return Wait(delay_s=context.settings.backoff_most_s, step="hopeless", problem=problem, wake=wake)
