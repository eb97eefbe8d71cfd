"""What the results of steps mean for a row: pure. ``recorder`` writes it, many resources in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controller.workflows.engine import Done, Drop, Ending, Fail, Flow, Next, Seen, StepResult, Wait
from inventory.domain.errors import Problem
from inventory.domain.ids import ResourceId
from inventory.domain.journal import ALLOCATED, LOST, JournalRow, row_of
from inventory.domain.resource import Desired, Observed, Phase, Resource, ResourceKind
from inventory.domain.resources import ADDRESS, MEMORY_MIB, VCPU, disk_dimension
from inventory.store.resources import HeldRow

RUNNING, STOPPED, RELEASED = "running", "stopped", "released"


@dataclass(slots=True)
class Outcome:
    """Results of steps of one resource that are not recorded yet."""

    #: As it was claimed.
    resource: Resource
    results: list[StepResult] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Tell whether the last step ended the work."""
        return not isinstance(self.results[-1].flow, Next)


#: The step that removes leftovers elsewhere: whatever becomes of it, the row stays as it is.
REAP = "reap"
#: The step that brings a machine back from a lost host.
EVACUATE = "evacuate"
#: Lets go of the hold; the fence stays raised.
LET_GO: Mapping[str, Any] = {"owner": "", "hold_until_s": 0.0}


def changes_of(outcome: Outcome, row: HeldRow, now_s: float) -> dict[str, Any]:
    """Return the new values of the row's columns. A newer wish is looked at at once, whatever the old one led to."""
    resource, flow = outcome.resource, outcome.results[-1].flow
    if outcome.results[-1].step == REAP:
        return dict(LET_GO)
    if isinstance(flow, Drop):
        return {**LET_GO, "next_try_s": now_s, "fence": max(resource.fence, flow.found_fence)}
    seen = {**observation_of(outcome, now_s), **_back(outcome)}
    if row.generation != resource.generation:
        return {**seen, **LET_GO, **_superseded(resource, flow, now_s)}
    if isinstance(flow, Next):
        noted = {"problem": flow.problem.to_json()} if flow.problem else {}
        return {**seen, **noted, "step": flow.step}
    if isinstance(flow, Wait) and flow.step.startswith("clear") and flow.problem is None:
        flow = replace(flow, problem=cause_of(outcome, row))
    return {**seen, **LET_GO, **_ended(resource, flow, row, now_s)}


def _back(outcome: Outcome) -> Mapping[str, Any]:
    """Return what is true once a lost machine is on its new host, or nothing of it is left to be brought there."""
    ended = [r.flow for r in outcome.results if r.step == EVACUATE]
    return {"lost_host_id": None} if any(isinstance(flow, Next) and flow.problem is None for flow in ended) else {}


def cause_of(outcome: Outcome, row: HeldRow) -> Problem | None:
    """Return why a machine is cleared away: its row, or the step that failed in the same go and is not in the row yet."""
    found = [problem for problem in map(problem_of, outcome.results) if problem is not None]
    return found[-1] if found else row.problem


def _superseded(resource: Resource, flow: Flow, now_s: float) -> dict[str, Any]:
    # What was reached stays reached: a machine that once worked is never taken for a half-made one.
    was_settled = isinstance(flow, Done) and flow.ending is Ending.SETTLED
    reached = _reached(resource) if was_settled else {}
    return {**reached, "next_try_s": now_s, "phase": Phase.PENDING.value, "step": _kept_step(flow)}


def _reached(resource: Resource) -> dict[str, Any]:
    """Return what is true once the wish of the claimed row was reached: every way there restarts what was to be restarted."""
    back = {} if resource.lost_host_id is None else {"lost_host_id": None}
    return {"settled_generation": resource.generation, "reboots_done": resource.reboots_wanted, **back}


def _ended(resource: Resource, flow: Wait | Done | Fail, row: HeldRow, now_s: float) -> dict[str, Any]:
    if isinstance(flow, Wait):
        return _waiting(resource, flow, row, now_s)
    if isinstance(flow, Fail):
        return {"phase": Phase.FAILED.value, "problem": flow.problem.to_json(), "next_try_s": None, "step": ""}
    return _done(resource, flow, row, now_s)


def _kept_step(flow: object) -> str:
    # A machine that is being taken off its host must not be forgotten there.
    return flow.step if isinstance(flow, Next | Wait) and flow.step.startswith("clear") else ""


def _waiting(resource: Resource, flow: Wait, row: HeldRow, now_s: float) -> dict[str, Any]:
    is_quiet = resource.phase is Phase.SETTLED and not flow.is_failure
    return {
        "step": flow.step,
        "attempts": resource.attempts + 1 if flow.is_failure else resource.attempts,
        "problem": flow.problem.to_json() if flow.problem else None,
        "next_try_s": now_s if row.is_woken and not flow.is_failure else now_s + flow.delay_s,
        "phase": Phase.SETTLED.value if is_quiet else Phase.PENDING.value,
    }


def _done(resource: Resource, flow: Done, row: HeldRow, now_s: float) -> dict[str, Any]:
    over = {"step": "", "attempts": 0, "problem": None}
    if flow.ending is Ending.SETTLED:
        detail = {"detail": {**resource.detail, **flow.detail}} if flow.detail else {}
        next_try_s = now_s if row.is_woken else None
        return {**over, **detail, **_reached(resource), "phase": Phase.SETTLED.value, "next_try_s": next_try_s}
    if flow.ending is Ending.GONE:
        return {**over, "phase": Phase.GONE.value, "settled_generation": resource.generation, "next_try_s": None}
    if flow.ending is Ending.RETIRED:
        wish = {"desired": Desired.ABSENT.value, "generation": resource.generation + 1, "phase": Phase.PENDING.value}
        return {**over, **wish, "next_try_s": now_s}
    raise AssertionError(f"{flow.ending} does not come here")


def observation_of(outcome: Outcome, now_s: float) -> Mapping[str, Any]:
    """Return the columns that keep the last thing seen."""
    seen = [s for result in outcome.results for s in result.seen]
    return {"observed": seen[-1].state.value, "observed_at_s": now_s, "agreed_at_s": None} if seen else {}


# -- the journal ------------------------------------------------------------------------------------------------------


def journal_of(outcome: Outcome, row: HeldRow, now_s: float, *, is_gone: bool) -> list[JournalRow]:
    """Return a journal row for every metered change that was seen, in order, never going back in time.

    Where the back end does not know since when, it was at some moment since the look before.
    """
    resource = outcome.resource
    if resource.project_id is None or resource.system_id is None:
        return []
    lines: list[JournalRow] = []
    state, amounts, host_id, at_s = row.last_state, dict(row.last_amounts), row.last_host_id, row.last_occurred_at_s
    seen = [s for result in outcome.results for s in result.seen]
    for number, (one, known_s) in enumerate(zip(seen, _known_before(row, seen), strict=True), start=1):
        is_end = is_gone and number == len(seen)
        new_state = RELEASED if is_end else metered_state(resource, one.state, state)
        new_amounts = {} if is_end else _amounts(resource, one, new_state, amounts)
        if (new_state, new_amounts, resource.host_id) == (state, amounts, host_id):
            continue
        state, amounts, host_id = new_state, new_amounts, resource.host_id
        since_s = _earliest(one, resource, known_s if known_s <= now_s else min(at_s, now_s), now_s)
        at_s = max(at_s, _occurred(one, resource, now_s))
        revision, source = row.revision + len(lines) + 1, "driver" if one.since_s is not None else "reconcile"
        lines.append(row_of(resource, revision, state, amounts, at_s=at_s, now_s=int(now_s), source=source, since_s=since_s))
    return lines


def _known_before(row: HeldRow, seen: Sequence[Seen]) -> list[float]:
    """Return, for each look of this go, when it was known last how things were before it."""
    known = [row.agreed_at_s]
    for one in seen:
        known.append(known[-1] if one.at_s is None or one.state is Observed.UNKNOWN else one.at_s)
    return known[:-1]


def metered_state(resource: Resource, observed: Observed, before: str) -> str:
    """Return the metered state an observation means. What was only promised stays so until it is what was wanted.

    What is wanted and its back end has no more is lost until it is there again: a department pays for nothing of it, neither
    processor nor disk, and the ledger shows the time in a row of its own.
    """
    is_missing = observed is Observed.ABSENT and resource.desired is not Desired.ABSENT
    if is_missing and before not in (ALLOCATED, RELEASED):
        return LOST
    if observed in (Observed.RUNNING, Observed.PRESENT):
        return RUNNING
    is_wanted = observed is Observed.STOPPED and resource.desired is Desired.STOPPED
    if observed is Observed.UNKNOWN or (before in (ALLOCATED, LOST) and not is_wanted):
        return before
    return STOPPED


def _amounts(resource: Resource, seen: Seen, state: str, before: Mapping[str, int]) -> dict[str, int]:
    return metered_amounts(resource) if seen.has_shape and state in (RUNNING, STOPPED) else dict(before)


def metered_amounts(resource: Resource) -> dict[str, int]:
    """Return what a resource weighs on each meter."""
    if resource.kind is ResourceKind.VOLUME:
        return {disk_dimension(resource.volume.disk_class): resource.volume.size_gib}
    spec = resource.instance
    amounts = {
        VCPU: spec.vcpu_count,
        MEMORY_MIB: spec.memory_mib,
        disk_dimension(spec.root_disk_class): spec.root_disk_gib,
        ADDRESS: len(spec.nics),
    }
    return {name: amount for name, amount in amounts.items() if amount}


def _occurred(seen: Seen, resource: Resource, now_s: float) -> int:
    if seen.since_s is None:
        return int(now_s)
    return int(min(max(seen.since_s, resource.created_at_s), now_s))


def _earliest(seen: Seen, resource: Resource, known_s: float, now_s: float) -> float:
    """Return the earliest moment a change may have happened that was known last not to have happened at ``known_s``."""
    # A back end whose clock is ahead of ours does not say when it was.
    since_s = known_s if seen.since_s is None or seen.since_s > now_s else seen.since_s
    return max(resource.created_at_s, since_s)


# -- the story of a ticket --------------------------------------------------------------------------------------------

#: Steps people are told of when they are done.
TOLD = frozenset(
    {"image", "root_disk", "define", "start", "volume", "segment", "halt", "resize_stop", "stop", "remove", "clear", EVACUATE}
)
Line = tuple[str, str, Mapping[str, Any]]


def story_of(outcome: Outcome) -> list[Line]:
    """Return (subject, code, parameters) of what is worth telling; looks at settled resources are not."""
    resource = outcome.resource
    is_settled = resource.generation == resource.settled_generation and resource.lost_host_id is None
    if is_settled or resource.ticket_id is None or outcome.results[-1].step == REAP:
        return []
    lines: list[Line] = []
    for result in outcome.results:
        problem = problem_of(result)
        if isinstance(result.flow, Fail):
            lines.append(_told(resource, "step.failed", result, problem))
        elif problem is not None and (resource.attempts == 0 or isinstance(result.flow, Next)):
            lines.append(_told(resource, "step.trouble", result, problem))
        elif problem is None and result.step in TOLD:
            lines.append(_told(resource, f"step.{result.step}", result))
        if isinstance(result.flow, Done) and result.flow.ending is Ending.GONE:
            lines.append(_told(resource, "step.gone", result))
    return lines


def problem_of(result: StepResult) -> Problem | None:
    """Return what went wrong in a step, if anything."""
    return result.flow.problem if isinstance(result.flow, Next | Wait | Fail) else None


def _told(resource: Resource, code: str, result: StepResult, problem: Problem | None = None) -> Line:
    params: dict[str, Any] = {"name": resource.name, "took_s": round(result.took_s, 3)}
    if problem is not None:
        params |= {"problem": problem.to_json(), "step": result.step}
    return (resource.name, code, params)


def summed_up(lines: Sequence[Line]) -> list[Line]:
    """Return one line per code and kind of event, with a count: for tickets of many machines. Failures stay single."""
    single = [line for line in lines if line[1] == "step.failed"]
    counts: dict[str, int] = {}
    for _, code, _ in lines:
        if code != "step.failed":
            counts[code] = counts.get(code, 0) + 1
    return [*(("", f"{code}.many", {"count": count}) for code, count in counts.items()), *single[:20]]


def parts_to_wake(outcome: Outcome) -> tuple[ResourceId, ...]:
    """Return the volumes of a machine that ended: they wait for its end."""
    resource, flow = outcome.resource, outcome.results[-1].flow
    if resource.kind is not ResourceKind.INSTANCE:
        return ()
    is_end = isinstance(flow, Fail) or (isinstance(flow, Done) and flow.ending is Ending.GONE)
    return tuple(d.volume_id for d in resource.instance.disks) if is_end else ()
