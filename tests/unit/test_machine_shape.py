"""What a machine is made of against what it should be: what is put right at once, what waits, and what the loop does about it."""

import re
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest

from controller.api.finding_view import sentence
from controller.reconcile.drift import drift
from controller.workflows.change import look
from controller.workflows.engine import Done, Ending, Facts, Next, StepContext, StepSettings
from controller.workflows.shape import Differences, differences
from drivers.protocol import Capability, HostObservation, ObservedInstance, ObservedNic, ObservedShape
from inventory.domain.ids import ResourceId
from inventory.domain.layout import NodeSeat, Seat
from inventory.domain.resource import (
    Desired,
    Nic,
    Observed,
    Resource,
)
from tests.support.reconciled_rows import HOST, MACHINE, NOW_S, VOLUME, machine, settled

STRANGER = ResourceId("vol_" + "2" * 32)
SEGMENT = ResourceId("seg_" + "1" * 32)
OTHER = ResourceId("seg_" + "2" * 32)
MAC, ADDRESS = "52:54:00:00:00:01", "10.96.0.10"
NIC = ObservedNic(mac=MAC, network=SEGMENT, address=ADDRESS)
ROW = settled(
    spec=replace(machine().instance, nics=(Nic(network="default", segment_id=SEGMENT, mac=MAC, address=ADDRESS),)),
)
AS_WANTED = ObservedInstance(
    instance_id=MACHINE,
    state=Observed.RUNNING,
    fence=1,
    vcpu_count=2,
    memory_mib=1024,
    volume_ids=(VOLUME,),
    nics=(NIC,),
    seat="",
)
STORED = ObservedShape(vcpu_count=2, memory_mib=1024, volume_ids=(VOLUME,), nics=(NIC,), seat="")


def found(**changes: Any) -> ObservedInstance:
    return replace(AS_WANTED, **changes)


def compared(row: Resource, seen: ObservedInstance) -> Differences:
    return differences(row, seen, can_plug=True)


#: What somebody did, and what of it is put right while the machine runs.
AT_ONCE = [
    (found(volume_ids=()), {"disks_missing": ["data"]}),
    (found(volume_ids=(VOLUME, STRANGER)), {"disks_added": [STRANGER]}),
    (found(nics=(replace(NIC, address=""),)), {"cards": {ADDRESS: {"network": SEGMENT, "filtered": ""}}}),
    (found(nics=(replace(NIC, address="10.96.0.11"),)), {"cards": {ADDRESS: {"network": SEGMENT, "filtered": "10.96.0.11"}}}),
    (found(nics=(replace(NIC, network=OTHER, address=""),)), {"cards": {ADDRESS: {"network": OTHER, "filtered": ""}}}),
    (found(nics=()), {"cards": {ADDRESS: None}}),
    (found(stored=replace(STORED, vcpu_count=4)), {"stored": {"vcpu_count": 4}}),
    (found(stored=replace(STORED, volume_ids=())), {"stored": {"disks_missing": ["data"]}}),
    (found(stored=replace(STORED, strange_disks=("/tmp/x.img",))), {"stored": {"strange_disks": ["/tmp/x.img"]}}),
    (
        found(stored=replace(STORED, nics=(replace(NIC, address=""),))),
        {"stored": {"cards": {ADDRESS: {"network": SEGMENT, "filtered": ""}}}},
    ),
    (found(is_stored=False), {"stored": "none"}),
]
WAITING = [
    (found(vcpu_count=8), {"vcpu_count": 8}),
    (found(memory_mib=2048), {"memory_mib": 2048}),
    (found(seat="0:0-1"), {"seat": "0:0-1"}),
    (found(strange_disks=("/tmp/x.img",)), {"strange_disks": ["/tmp/x.img"]}),
    (found(nics=(NIC, replace(NIC, mac="52:54:00:00:00:99", network="br0"))), {"strange_cards": ["52:54:00:00:00:99"]}),
]


@pytest.mark.parametrize("detail", [detail for _, detail in (*AT_ONCE, *WAITING)])
def test_what_differs_is_told_in_both_languages(detail: dict[str, Any]) -> None:
    zh, en = (sentence(detail, language, UTC) for language in ("zh-CN", "en"))
    assert zh != en
    # Chinese beside ids and paths, and no words of English but units.
    assert re.search("[\u4e00-\u9fff]", zh)
    assert set(re.findall("[a-z]{3,}", zh.replace(SEGMENT, "").replace(OTHER, "").replace(STRANGER, "").lower())) <= {
        "vcpu", "mib", "data", "tmp", "img",
    }  # fmt: skip
    assert "finding." not in zh + en
    assert "{" not in zh + en


def test_a_machine_that_is_as_wanted_differs_in_nothing() -> None:
    assert not compared(ROW, AS_WANTED)
    assert not compared(ROW, found(nics=None, seat=None)), "a back end that cannot say is believed"
    assert not compared(ROW, found(nics=(replace(NIC, address=None),))), "a back end without filters has none to lose"
    assert not compared(ROW, found(stored=STORED))


@pytest.mark.parametrize(("seen", "detail"), AT_ONCE)
def test_what_needs_no_stop_is_put_right_at_once(seen: ObservedInstance, detail: dict[str, Any]) -> None:
    assert compared(ROW, seen) == Differences(at_once=detail)


@pytest.mark.parametrize(("seen", "detail"), WAITING)
def test_what_needs_a_stop_waits_for_one(seen: ObservedInstance, detail: dict[str, Any]) -> None:
    assert compared(ROW, seen) == Differences(waiting=detail)
    stopped = replace(seen, state=Observed.STOPPED)
    assert compared(ROW, stopped) == Differences(at_once=detail), "and then all of it is put right"


def test_beside_other_processors_only_the_filter_is_put_right_at_once() -> None:
    seen = found(vcpu_count=8, volume_ids=(), nics=(replace(NIC, address=""),), stored=replace(STORED, vcpu_count=8))
    differs = compared(ROW, seen)
    assert set(differs.at_once) == {"cards"}
    assert set(differs.waiting) == {"vcpu_count", "disks_missing"}


@pytest.mark.parametrize("seen", [found(volume_ids=()), found(nics=(replace(NIC, address=""),)), found(vcpu_count=8, nics=())])
def test_where_nothing_can_be_plugged_into_a_running_machine_all_of_it_waits(seen: ObservedInstance) -> None:
    edited = replace(seen, stored=replace(STORED, vcpu_count=4))
    differs = differences(ROW, edited, can_plug=False)
    assert differs.at_once == {}
    assert differs.waiting == compared(ROW, replace(seen, state=Observed.STOPPED)).at_once
    result = drift(HOST, seen_on_host(edited), NOW_S, [ROW], {}, NOW_S, can_plug=False)
    assert not result.wake, "nobody is sent to do what cannot be done"
    assert [f.kind for f in result.findings] == ["edited"]


def test_the_definition_alone_can_be_put_right_wherever_the_machine_runs() -> None:
    edited = found(stored=replace(STORED, vcpu_count=4))
    assert differences(ROW, edited, can_plug=False) == Differences(at_once={"stored": {"vcpu_count": 4}})


def test_a_seat_that_was_lost_is_seen() -> None:
    seat = Seat(page_kib=0, nodes=(NodeSeat(cell=0, vcpu_count=2, memory_mib=1024, cpus=(0, 1)),))
    row = replace(ROW, spec=replace(ROW.instance, seat=seat))
    assert compared(row, found(seat="")).waiting == {"seat": ""}
    assert not compared(row, found(seat=seat.text))


# -- what the loop does about it --------------------------------------------------------------------------------------


def seen_on_host(machine: ObservedInstance) -> HostObservation:
    disks = frozenset({MACHINE})
    return HostObservation(instances=(machine,), foreign=(), volume_ids=disks, segment_ids=frozenset(), observed_at_s=NOW_S)


@pytest.mark.parametrize(("seen", "_detail"), AT_ONCE)
def test_the_loop_wakes_a_machine_that_can_be_put_right(seen: ObservedInstance, _detail: object) -> None:
    result = drift(HOST, seen_on_host(seen), NOW_S, [ROW], {}, NOW_S, can_plug=True)
    assert (result.wake, result.findings, result.is_clean) == ({MACHINE: "edited"}, (), False)


@pytest.mark.parametrize(("seen", "detail"), WAITING)
def test_the_loop_reports_once_what_has_to_wait(seen: ObservedInstance, detail: dict[str, Any]) -> None:
    result = drift(HOST, seen_on_host(seen), NOW_S, [ROW], {}, NOW_S, can_plug=True)
    assert [(f.kind, f.detail) for f in result.findings] == [("edited", {"name": "web-1", **detail})]
    assert result.wake == {}
    assert result.is_clean, "the same look need not be compared again"


class Shows:
    """A driver that shows one machine, and must not be asked for more."""

    def __init__(self, machine: ObservedInstance) -> None:
        self.machine = machine

    def capabilities(self) -> Capability:
        return Capability.ATTACH_LIVE

    def observe_instance(self, _instance_id: ResourceId) -> ObservedInstance:
        return self.machine


def context_of(row: Resource, seen: ObservedInstance) -> StepContext:
    driver: Any = Shows(seen)
    return StepContext(
        resource=row,
        facts=Facts(),
        open_driver=lambda: driver,
        clock=lambda: NOW_S,
        settings=StepSettings(),
        backoff_s=lambda _attempts: 1.0,
    )


@pytest.mark.parametrize(
    ("desired", "seen", "flow", "said"),
    [
        (Desired.RUNNING, AS_WANTED, Done(ending=Ending.SETTLED), []),
        (Desired.RUNNING, found(volume_ids=()), Next(step="parts"), [("edited", "repaired")]),
        (Desired.RUNNING, found(vcpu_count=8), Done(ending=Ending.SETTLED), [("edited", "open")]),
        (Desired.RUNNING, found(vcpu_count=8, nics=()), Next(step="parts"), [("edited", "open")]),
        (
            Desired.RUNNING,
            found(vcpu_count=8, state=Observed.STOPPED),
            Next(step="parts"),
            [("edited", "repaired"), ("stopped", "repaired")],
        ),
        (
            Desired.RUNNING,
            found(vcpu_count=8, state=Observed.UNKNOWN),
            Next(step="start"),
            [("edited", "open"), ("stopped", "repaired")],
        ),
        (Desired.STOPPED, found(state=Observed.STOPPED), Done(ending=Ending.SETTLED), []),
        (Desired.STOPPED, found(vcpu_count=8, state=Observed.STOPPED), Next(step="parts"), [("edited", "repaired")]),
        (Desired.STOPPED, found(vcpu_count=8), Next(step="halt"), [("edited", "open"), ("started", "repaired")]),
    ],
)
def test_the_look_chooses_the_road(desired: Desired, seen: ObservedInstance, flow: object, said: list[tuple[str, str]]) -> None:
    context = context_of(replace(ROW, desired=desired), seen)
    assert look(context) == flow
    assert [(f.kind, f.state) for f in context.findings] == said


@pytest.mark.parametrize(
    ("state", "step"), [(Observed.RUNNING, "resize_stop"), (Observed.UNKNOWN, "resize_stop"), (Observed.STOPPED, "parts")]
)
def test_a_machine_of_another_size_is_changed_at_rest(state: Observed, step: str) -> None:
    """One that somebody paused too: a back end changes nothing of what is paused."""
    wanted = replace(ROW, generation=ROW.settled_generation + 1)
    assert look(context_of(wanted, found(vcpu_count=8, state=state))) == Next(step=step)
