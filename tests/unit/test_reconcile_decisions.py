"""Pure parts of the reconciler: which step is first, what a result means for a row, the journal, drift."""

from dataclasses import replace
from typing import Any

import pytest

from controller.reconcile.drift import drift, fingerprint
from controller.reconcile.outcomes import LET_GO, changes_of, journal_of, story_of, summed_up
from controller.workflows.engine import (
    Done,
    Drop,
    Ending,
    Facts,
    Fail,
    Flow,
    Next,
    Seen,
    StepContext,
    StepSettings,
    Wait,
    answer,
)
from controller.workflows.steps import STEPS, first_step
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient
from drivers.protocol import Capability, HostObservation, MachineRequest, ObservedInstance, VolumeRequest
from inventory.domain.drift import DriftAnswer, DriftPolicy
from inventory.domain.errors import Problem
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import (
    Desired,
    Observed,
    Phase,
    Resource,
)
from tests.support.reconciled_rows import HOST, MACHINE, NOW_S, SETTLED, VOLUME, held, machine, outcome, segment, settled, volume

# -- the first step ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resource", "facts", "expected"),
    [
        (machine(), Facts(), "image"),
        (machine(step="parts"), Facts(), "parts"),
        (machine(attempts=1), Facts(), "look"),
        (machine(observed=Observed.STOPPED), Facts(), "look"),
        (settled(), Facts(), "look"),
        (settled(generation=2), Facts(), "look"),
        (machine(desired=Desired.ABSENT), Facts(), "leave"),
        (settled(desired=Desired.ABSENT, generation=2), Facts(), "leave"),
        (machine(step="clear", attempts=9), Facts(), "clear"),
        (machine(step="clear_parts"), Facts(), "clear_parts"),
        (machine(step="clear", desired=Desired.ABSENT), Facts(), "leave"),
        (settled(step="clear"), Facts(), "look"),
        (volume(), Facts(instance=machine()), "volume"),
        (volume(), Facts(instance=machine(step="clear_parts")), "volume_clear"),
        (volume(settled_generation=1), Facts(instance=machine(step="clear_parts")), "volume_clear"),
        (volume(settled_generation=1), Facts(instance=settled()), "volume_look"),
        (volume(step="hopeless"), Facts(instance=machine(phase=Phase.FAILED)), "volume_give_up"),
        (volume(desired=Desired.ABSENT), Facts(instance=settled()), "volume_drop"),
        (segment(), Facts(), "segment"),
        (segment(desired=Desired.ABSENT), Facts(), "segment_drop"),
    ],
)
def test_the_first_step_follows_from_the_row_alone(resource: Resource, facts: Facts, expected: str) -> None:
    assert first_step(resource, facts) == expected
    assert expected in STEPS


# -- a restart by order -----------------------------------------------------------------------------------------------


class Restarts:
    """A host with one running machine that counts what it is asked to do."""

    def __init__(self, state: Observed = Observed.RUNNING) -> None:
        self.state = state
        self.calls: list[tuple[object, ...]] = []

    def _seen(self, state: Observed) -> ObservedInstance:
        self.state = state
        return ObservedInstance(
            instance_id=MACHINE, state=state, fence=3, vcpu_count=2, memory_mib=1024, volume_ids=(MACHINE, VOLUME)
        )

    def capabilities(self) -> Capability:
        return Capability.ATTACH_LIVE

    def observe_instance(self, _: ResourceId) -> ObservedInstance:
        return self._seen(self.state)

    def ensure_running(self, _: ResourceId, fence: int) -> ObservedInstance:
        self.calls.append(("start", fence))
        return self._seen(Observed.RUNNING)

    def ensure_stopped(self, _: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        self.calls.append(("stop", fence, graceful_s))
        return self._seen(Observed.STOPPED)


class RestartsInPlace(Restarts):
    def reboot(self, _: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        self.calls.append(("reboot", fence, graceful_s, number))
        return self._seen(Observed.RUNNING)


def steps_taken(resource: Resource, verbs: Restarts) -> list[str]:
    driver: Any = verbs
    context = StepContext(
        resource=resource,
        facts=Facts(),
        open_driver=lambda: driver,
        clock=lambda: NOW_S,
        settings=StepSettings(),
        backoff_s=float,
    )
    names = [first_step(resource, Facts())]
    while isinstance(flow := STEPS[names[-1]](context), Next):
        names.append(flow.step)
    assert flow == SETTLED
    return names


def test_an_ordered_restart_is_carried_out_under_its_number() -> None:
    driver = RestartsInPlace()
    assert steps_taken(settled(reboots_wanted=3, reboots_done=2), driver) == ["look", "reboot"]
    assert driver.calls == [("reboot", 3, StepSettings().graceful_s, 3)]


def test_a_restart_that_was_carried_out_is_not_due() -> None:
    driver = RestartsInPlace()
    assert steps_taken(settled(reboots_wanted=3, reboots_done=3), driver) == ["look"]
    assert driver.calls == []


def test_a_back_end_that_cannot_restart_in_place_stops_and_starts() -> None:
    driver = Restarts()
    assert steps_taken(settled(reboots_wanted=1), driver) == ["look", "reboot", "start"]
    assert [call[0] for call in driver.calls] == ["stop", "start"]


def test_a_machine_found_stopped_is_started_and_that_is_its_restart() -> None:
    driver = RestartsInPlace(Observed.STOPPED)
    assert steps_taken(settled(reboots_wanted=1), driver) == ["look", "start"]


def test_a_machine_that_shall_be_off_is_not_restarted() -> None:
    driver = RestartsInPlace()
    assert steps_taken(settled(reboots_wanted=1, desired=Desired.STOPPED), driver) == ["look", "halt"]
    assert [call[0] for call in driver.calls] == ["stop"]


@pytest.mark.parametrize("generation", [1, 2])
def test_what_was_settled_was_restarted_as_often_as_was_known_then(generation: int) -> None:
    claimed = settled(reboots_wanted=2, reboots_done=1)
    assert changes_of(outcome(claimed, SETTLED), held(generation=generation), NOW_S)["reboots_done"] == 2


# -- back ends that start what they make ------------------------------------------------------------------------------


class Defines:
    """Has the verb every back end has."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        assert request.root.department == request.department == "civil-affairs"
        self.calls.append(("define", fence))


class StartsWhatItMakes(Defines):
    def ensure_launched(self, _: MachineRequest, fence: int) -> ObservedInstance:
        self.calls.append(("launch", fence))
        return ObservedInstance(instance_id=MACHINE, state=Observed.RUNNING, fence=fence, vcpu_count=2, memory_mib=1024)

    def ensure_running(self, _: str, fence: int) -> ObservedInstance:
        self.calls.append(("start", fence))
        return ObservedInstance(instance_id=MACHINE, state=Observed.RUNNING, fence=fence, vcpu_count=2, memory_mib=1024)


def context_of(driver: Any, desired: Desired = Desired.RUNNING) -> StepContext:
    return StepContext(
        resource=machine(desired=desired, spec=replace(machine().instance, disks=())),
        facts=Facts(department="civil-affairs"),
        open_driver=lambda: driver,
        clock=lambda: NOW_S,
        settings=StepSettings(),
        backoff_s=float,
    )


@pytest.mark.parametrize(
    ("driver", "desired", "verb", "next_step"),
    [
        (StartsWhatItMakes(), Desired.RUNNING, "launch", "start"),
        (StartsWhatItMakes(), Desired.STOPPED, "define", "halt"),
        (Defines(), Desired.RUNNING, "define", "start"),
    ],
)
def test_a_machine_is_launched_in_one_act_only_where_that_is_wanted_and_there(
    driver: Any, desired: Desired, verb: str, next_step: str
) -> None:
    context = context_of(driver, desired)
    assert STEPS["define"](context) == Next(step=next_step)
    assert driver.calls == [(verb, 3)]
    assert [seen.state for seen in context.seen] == ([Observed.RUNNING] if verb == "launch" else [])


def test_what_was_made_and_seen_running_in_one_act_is_not_asked_for_again_unless_another_run_starts_it() -> None:
    driver: Any = StartsWhatItMakes()
    launching = context_of(driver)
    assert STEPS["define"](launching) == Next(step="start")
    assert STEPS["start"](launching) == Done(ending=Ending.SETTLED)
    assert driver.calls == [("launch", 3)]
    assert STEPS["start"](context_of(driver)) == Done(ending=Ending.SETTLED)
    assert driver.calls == [("launch", 3), ("start", 3)]


def test_what_stood_before_it_was_launched_is_looked_at_once_more() -> None:
    driver: Any = StartsWhatItMakes()
    context = context_of(driver)
    context.found = ObservedInstance(instance_id=MACHINE, state=Observed.STOPPED, fence=3, vcpu_count=1, memory_mib=512)
    assert STEPS["define"](context) == Next(step="start")
    assert STEPS["start"](context) == Done(ending=Ending.SETTLED)
    assert driver.calls == [("launch", 3), ("start", 3)]


class KeepsWishes:
    """A driver that remembers which disks it was asked for."""

    def __init__(self) -> None:
        self.wishes: list[VolumeRequest] = []

    def ensure_volume(self, request: VolumeRequest, _fence: int) -> None:
        self.wishes.append(request)


@pytest.mark.parametrize("settled_generation", [0, 1])
def test_only_a_disk_that_never_was_ready_may_be_made_anew(settled_generation: int) -> None:
    driver: Any = KeepsWishes()
    for step, resource in (("volume", volume(generation=2)), ("root_disk", machine(generation=2))):
        there = replace(resource, settled_generation=settled_generation)
        STEPS[step](replace(context_of(driver), resource=there, facts=Facts(department="civil-affairs", storage_pool="standard")))
    assert [(w.role, w.may_remake) for w in driver.wishes] == [(role, settled_generation == 0) for role in ("data", "root")]


# -- parts that failed -------------------------------------------------------------------------------------------------


def flow_of(step: str, resource: Resource, facts: Facts) -> Flow:
    return STEPS[step](
        StepContext(
            resource=resource,
            facts=facts,
            open_driver=lambda: pytest.fail("what has failed is not asked for again"),
            clock=lambda: NOW_S,
            settings=StepSettings(),
            backoff_s=float,
        )
    )


def test_a_disk_is_not_deleted_under_a_machine_that_is_stuck_with_it_and_the_reason_is_the_machines() -> None:
    full = Problem("driver.storage_full")
    for problem, code in ((full, full.code), (None, "step.part_failed")):
        stuck = settled(phase=Phase.FAILED, problem=problem)
        flow = flow_of("volume_drop", volume(desired=Desired.ABSENT), Facts(instance=stuck))
        assert isinstance(flow, Fail)
        assert flow.problem.code == code


# -- faults -----------------------------------------------------------------------------------------------------------


def answered(fault: DriverFault, resource: Resource, step: str = "define", facts: Facts | None = None) -> Flow:
    context = StepContext(
        resource=resource,
        facts=facts or Facts(),
        open_driver=lambda: pytest.fail("an answer needs no driver"),
        clock=lambda: NOW_S,
        settings=StepSettings(),
        backoff_s=float,
    )
    return answer(fault, step, context)


def test_a_new_machine_that_cannot_be_made_is_cleared_before_it_goes_elsewhere() -> None:
    flow = answered(Permanent("driver.storage_full"), machine())
    assert isinstance(flow, Next)
    assert flow.step == "clear"


def test_a_machine_that_once_worked_is_never_cleared() -> None:
    assert isinstance(answered(Permanent("driver.storage_full"), settled(generation=2)), Fail)
    flow = answered(Permanent("driver.storage_full"), settled())
    assert isinstance(flow, Wait)


def test_a_machine_seen_running_is_never_cleared_even_if_its_creation_was_not_recorded() -> None:
    flow = answered(Permanent("driver.storage_full"), machine(observed=Observed.RUNNING))
    assert not isinstance(flow, Next)


def test_a_lost_answer_leads_to_a_look_and_to_nothing_else() -> None:
    flow = answered(OutcomeUnknown("driver.outcome_unknown"), machine())
    assert isinstance(flow, Wait)
    assert first_step(machine(attempts=1, step=flow.step), Facts()) == "look"


def test_a_deletion_is_never_given_up() -> None:
    dying = settled(desired=Desired.ABSENT, generation=2, attempts=500)
    assert isinstance(answered(Permanent("driver.storage_pool_missing"), dying, "remove"), Wait)


def test_transient_faults_of_a_new_machine_are_bounded() -> None:
    flow = answered(Transient("driver.timeout"), machine(attempts=StepSettings().attempts_before_clear - 1))
    assert isinstance(flow, Next)


def test_a_disk_that_cannot_be_made_wakes_its_machine_and_fails_with_it() -> None:
    waiting = answered(Permanent("driver.storage_full"), volume(), "volume", Facts(instance=machine()))
    assert isinstance(waiting, Wait)
    assert (waiting.step, waiting.wake) == ("hopeless", (MACHINE,))
    over = answered(Permanent("driver.storage_full"), volume(), "volume", Facts(instance=machine(phase=Phase.FAILED)))
    assert isinstance(over, Fail)


# -- rows -------------------------------------------------------------------------------------------------------------


def test_a_settled_resource_lets_go_and_is_due_no_more() -> None:
    changes = changes_of(outcome(machine(), SETTLED, Seen(state=Observed.RUNNING)), held(), NOW_S)
    assert changes["phase"] == "settled"
    assert changes["next_try_s"] is None
    assert changes["observed"] == "running"
    assert LET_GO.items() <= changes.items()


def test_a_newer_wish_is_looked_at_at_once_and_what_was_reached_stays_reached() -> None:
    changes = changes_of(outcome(machine(), SETTLED), held(generation=2), NOW_S)
    assert (changes["phase"], changes["next_try_s"], changes["settled_generation"]) == ("pending", NOW_S, 1)


def test_a_look_asked_for_during_the_hold_is_not_lost() -> None:
    assert changes_of(outcome(machine(), SETTLED), held(is_woken=True), NOW_S)["next_try_s"] == NOW_S
    waiting = Wait(delay_s=60, step="parts")
    assert changes_of(outcome(machine(), waiting), held(is_woken=True), NOW_S)["next_try_s"] == NOW_S


def test_progress_keeps_the_hold() -> None:
    assert changes_of(outcome(machine(), Next(step="define")), held(), NOW_S) == {"step": "define"}


def test_a_newer_fence_at_the_back_end_raises_ours() -> None:
    changes = changes_of(outcome(machine(), Drop(reason="stale_fence", found_fence=40)), held(), NOW_S)
    assert changes["fence"] == 40


def test_what_becomes_of_a_leftover_never_changes_its_row() -> None:
    trouble = Wait(delay_s=5, step="", problem=Problem("driver.unreachable"), is_failure=True)
    gone = machine(phase=Phase.GONE)
    assert changes_of(outcome(gone, trouble, step="reap"), held(), NOW_S) == dict(LET_GO)


# -- the journal ------------------------------------------------------------------------------------------------------


def test_the_journal_takes_the_drivers_time_and_never_goes_back() -> None:
    seen = (Seen(state=Observed.RUNNING, since_s=950.7), Seen(state=Observed.STOPPED, since_s=940.0))
    lines = journal_of(outcome(machine(), SETTLED, *seen), held(), NOW_S, is_gone=False)
    assert [(x.revision, x.state, x.occurred_at_s) for x in lines] == [(2, "running", 950), (3, "stopped", 950)]
    assert lines[0].amounts == {"vcpu": 2, "memory_mib": 1024, "disk_gib:standard": 5}


def test_a_change_whose_moment_is_known_is_certain_and_any_other_since_the_look_before() -> None:
    seen = (
        Seen(state=Observed.RUNNING, since_s=950.7, at_s=960.0),
        Seen(state=Observed.STOPPED, at_s=985.5),
        Seen(state=Observed.UNKNOWN, at_s=986.0),
        Seen(state=Observed.RUNNING, at_s=999.0),
    )
    lines = journal_of(outcome(machine(), SETTLED, *seen), held(agreed_at_s=905.0), NOW_S, is_gone=False)
    assert [(x.occurred_at_s, x.source, x.uncertain_s) for x in lines] == [
        (950, "driver", 0),
        (1000, "reconcile", 40),
        (1000, "reconcile", 15),
    ]
    [only] = journal_of(outcome(machine(), SETTLED, Seen(state=Observed.RUNNING)), held(agreed_at_s=905.0), NOW_S, is_gone=False)
    assert only.uncertain_s == 95, "since its host was looked at last"


def test_a_clock_that_was_set_makes_a_moment_uncertain_by_as_much() -> None:
    back = journal_of(
        outcome(machine(), SETTLED, Seen(state=Observed.RUNNING, since_s=990.0)),
        held(last_occurred_at_s=4600),
        NOW_S,
        is_gone=False,
    )
    assert [(x.occurred_at_s, x.uncertain_s) for x in back] == [(4600, 3610)], "ours was an hour ahead, and is put right"
    ahead = Seen(state=Observed.RUNNING, since_s=NOW_S + 30)
    [theirs] = journal_of(outcome(machine(), SETTLED, ahead), held(agreed_at_s=940.0), NOW_S, is_gone=False)
    assert (theirs.occurred_at_s, theirs.uncertain_s) == (1000, 60), "the host's clock says nothing"
    [set_back] = journal_of(
        outcome(machine(), SETTLED, Seen(state=Observed.RUNNING)), held(agreed_at_s=NOW_S + 3600), NOW_S, is_gone=False
    )
    assert (set_back.occurred_at_s, set_back.uncertain_s) == (1000, 100), (
        "since what was told last, as the look before is no moment"
    )


def test_the_journal_is_not_told_the_same_twice() -> None:
    row = held(last_state="running", last_amounts={"vcpu": 2, "memory_mib": 1024, "disk_gib:standard": 5})
    assert journal_of(outcome(settled(), SETTLED, Seen(state=Observed.RUNNING)), row, NOW_S, is_gone=False) == []


def test_a_machine_of_another_shape_keeps_the_amounts_of_before() -> None:
    row = held(last_state="stopped", last_amounts={"vcpu": 1})
    seen = Seen(state=Observed.RUNNING, has_shape=False)
    (line,) = journal_of(outcome(settled(), SETTLED, seen), row, NOW_S, is_gone=False)
    assert (line.state, line.amounts) == ("running", {"vcpu": 1})


def test_the_end_is_told_with_nothing_left() -> None:
    lines = journal_of(outcome(settled(), Done(ending=Ending.GONE), Seen(state=Observed.ABSENT)), held(), NOW_S, is_gone=True)
    assert [(x.state, x.amounts) for x in lines] == [("released", {})]


def test_a_half_made_machine_stays_allocated_until_it_is_what_was_wanted() -> None:
    row, seen = held(last_amounts={"vcpu": 2}), Seen(state=Observed.STOPPED)
    assert journal_of(outcome(machine(), SETTLED, seen), row, NOW_S, is_gone=False) == []
    wanted = machine(desired=Desired.STOPPED)
    assert [x.state for x in journal_of(outcome(wanted, SETTLED, seen), row, NOW_S, is_gone=False)] == ["stopped"]
    gone = Seen(state=Observed.ABSENT, has_shape=False)
    assert journal_of(outcome(machine(), SETTLED, gone), row, NOW_S, is_gone=False) == [], "what never ran is not lost"


def test_what_its_back_end_lost_is_lost_until_it_is_there_again_and_a_released_one_its_departments() -> None:
    row, gone = held(last_state="running", last_amounts={"vcpu": 2}), Seen(state=Observed.ABSENT, has_shape=False)
    seen, released = (gone, Seen(state=Observed.STOPPED), Seen(state=Observed.RUNNING)), settled(desired=Desired.ABSENT)
    lost = journal_of(outcome(settled(), SETTLED, *seen), row, NOW_S, is_gone=False)
    assert [x.state for x in lost] == ["lost", "running"]
    assert [x.state for x in journal_of(outcome(released, SETTLED, gone), row, NOW_S, is_gone=False)] == ["stopped"]


# -- the story --------------------------------------------------------------------------------------------------------


def test_looks_at_settled_resources_are_no_news_to_a_ticket() -> None:
    assert story_of(outcome(settled(), SETTLED)) == []
    assert [code for _, code, _ in story_of(outcome(machine(), SETTLED))] == ["step.start"]


def test_a_big_tickets_story_is_summed_up_and_keeps_its_failures() -> None:
    failed = story_of(outcome(machine(), Fail(problem=Problem("driver.storage_full"))))
    lines = summed_up([*story_of(outcome(machine(), SETTLED)) * 30, *failed])
    assert [(subject, code) for subject, code, _ in lines] == [("", "step.start.many"), ("web-1", "step.failed")]
    assert lines[0][2] == {"count": 30}


# -- drift ------------------------------------------------------------------------------------------------------------


def observation(*machines: ObservedInstance, volumes: tuple[ResourceId, ...] = (MACHINE,)) -> HostObservation:
    return HostObservation(
        instances=machines, foreign=(), volume_ids=frozenset(volumes), segment_ids=frozenset(), observed_at_s=NOW_S
    )


def running(**changes: Any) -> ObservedInstance:
    return replace(
        ObservedInstance(
            instance_id=MACHINE, state=Observed.RUNNING, fence=1, vcpu_count=2, memory_mib=1024, volume_ids=(VOLUME,)
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (observation(running()), None),
        (observation(running(state=Observed.STOPPED)), "stopped"),
        (observation(), "missing"),
    ],
)
def test_drift_of_a_settled_machine_asks_for_a_look(found: HostObservation, kind: str | None) -> None:
    result = drift(HOST, found, NOW_S, [settled()], {}, NOW_S, can_plug=True)
    assert result.wake == ({MACHINE: kind} if kind else {})
    assert result.is_clean is (kind is None)


def test_a_machine_somebody_started_asks_for_a_look_until_it_is_known_and_left() -> None:
    should_stand = settled(observed=Observed.STOPPED, desired=Desired.STOPPED)
    result = drift(HOST, observation(running()), NOW_S, [should_stand], {}, NOW_S, can_plug=True)
    assert (result.wake, result.findings) == ({MACHINE: "started"}, ())
    known, left = replace(should_stand, observed=Observed.RUNNING), DriftPolicy(started=DriftAnswer.REPORT)
    result = drift(HOST, observation(running()), NOW_S, [known], {}, NOW_S, can_plug=True, policy=left)
    assert (result.wake, [(f.kind, f.is_left) for f in result.findings]) == ({}, [("started", True)])
    result = drift(HOST, observation(running()), NOW_S, [known], {}, NOW_S, can_plug=True)
    assert result.wake == {MACHINE: "started"}, "who changes the answer has it repaired"


def test_an_observation_older_than_the_last_write_proves_nothing() -> None:
    result = drift(HOST, observation(), NOW_S, [settled(observed_at_s=NOW_S + 1)], {}, NOW_S, can_plug=True)
    assert result.wake == {}
    assert not result.is_clean


def test_an_edited_machine_is_reported_and_left_running() -> None:
    result = drift(HOST, observation(running(vcpu_count=8)), NOW_S, [settled()], {}, NOW_S, can_plug=True)
    assert [f.kind for f in result.findings] == ["edited"]
    assert result.wake == {}


def test_a_leftover_is_removed_and_a_stranger_with_our_mark_only_reported() -> None:
    stranger = ResourceId("vol_" + "9" * 32)
    gone = {MACHINE: settled(phase=Phase.GONE)}
    result = drift(HOST, observation(running(), volumes=(stranger,)), NOW_S, [], gone, NOW_S, can_plug=True)
    assert result.reap == (MACHINE,)
    assert [f.kind for f in result.findings] == ["orphan"]


def test_what_left_the_host_after_it_was_asked_is_no_leftover_but_compared_again() -> None:
    moved = {MACHINE: settled(host_id=HostId("host_elsewhere"), observed_at_s=NOW_S + 1)}
    result = drift(HOST, observation(running()), NOW_S, [], moved, NOW_S + 2, can_plug=True)
    assert (result.reap, result.findings, result.is_clean) == ((), (), False)
    later = drift(HOST, observation(running()), NOW_S + 1.5, [], moved, NOW_S + 2, can_plug=True)
    assert later.reap == (MACHINE,)


def test_a_fingerprint_changes_with_what_is_there_and_not_with_time() -> None:
    first = observation(running())
    assert fingerprint(first) == fingerprint(replace(first, observed_at_s=NOW_S + 30))
    assert fingerprint(first) != fingerprint(observation(running(state=Observed.STOPPED)))
