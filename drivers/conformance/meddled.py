"""What somebody changed in a running machine behind our back is shown, and ``ensure_defined`` puts it right without a stop."""

from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect, expect_fault
from drivers.faults import Transient
from drivers.protocol import Capability, MachineRequest, ObservedNic
from inventory.domain.resource import Observed


@check(probes=("edit_stored",))
def an_edit_of_the_stored_definition_is_shown_and_put_right(scene: Scene) -> None:
    """The machine runs on as it was; what it will be is shown until it is what was asked for again."""
    edit = scene.harness.edit_stored
    request = scene.running()
    expect(scene.seen(request.instance_id).stored is None, "nobody edited anything, and the definition is said to differ")
    assert edit is not None
    edited_count = request.vcpu_count + 2
    edit(request.instance_id, edited_count)
    seen = scene.seen(request.instance_id)
    expect(seen.vcpu_count == request.vcpu_count, "an edit of the definition changed what runs")
    stored = seen.stored
    expect(
        stored is not None and stored.vcpu_count == edited_count, f"{edited_count} vCPU are stored, and this is shown: {stored}"
    )
    _put_right(scene, request)
    expect(scene.seen(request.instance_id).stored is None, "the definition still differs")
    scene.driver.ensure_stopped(request.instance_id, scene.fence, graceful_s=0)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    expect(scene.seen(request.instance_id).vcpu_count == request.vcpu_count, "the edit counted after a stop")


@check(needs=Capability.ATTACH_LIVE, probes=("unplug_disk",))
def a_disk_that_was_taken_out_is_missed_and_put_back(scene: Scene) -> None:
    """A data disk taken out of what runs is not observed, and comes back."""
    unplug = scene.harness.unplug_disk
    data = scene.data_volume()
    scene.driver.ensure_volume(data, scene.fence)
    request = scene.with_disks(scene.running(), data)
    scene.driver.ensure_defined(request, scene.fence)
    assert unplug is not None
    unplug(request.instance_id, data.volume_id)
    expect(data.volume_id not in scene.seen(request.instance_id).volume_ids, "a disk that is not there is observed")
    _put_right(scene, request)
    expect(data.volume_id in scene.seen(request.instance_id).volume_ids, "the disk is not back")


@check(needs=Capability.NETWORKS | Capability.ATTACH_LIVE, probes=("meddle_card",))
def a_card_without_its_filter_is_shown_and_put_right(scene: Scene) -> None:
    """Nothing would hold the guest back: the filter is back before anything else."""
    request = _with_card(scene)
    assert scene.harness.meddle_card is not None
    scene.harness.meddle_card(request.instance_id, "")
    nic = request.nics[0]
    _expect_card(scene, request, ObservedNic(mac=nic.mac, network=nic.segment_id, address=""))
    _put_right(scene, request)
    _expect_card(scene, request, _right(request))


@check(needs=Capability.NETWORKS | Capability.ATTACH_LIVE, probes=("meddle_card",))
def a_card_in_another_network_is_shown_and_put_right(scene: Scene) -> None:
    """A card plugged into another department's network comes back into its own."""
    request, other = _with_card(scene), scene.segment()
    scene.driver.ensure_segment(other, scene.fence)
    assert scene.harness.meddle_card is not None
    scene.harness.meddle_card(request.instance_id, other.segment_id)
    _expect_card(scene, request, replace(_right(request), network=other.segment_id, address=""))
    _put_right(scene, request)
    _expect_card(scene, request, _right(request))


@check(needs=Capability.NETWORKS | Capability.ATTACH_LIVE, probes=("meddle_card",))
def a_card_is_put_right_though_the_rest_waits_for_a_stop(scene: Scene) -> None:
    """Other processors cannot be had while it runs, and that is said; the card is right by then."""
    request = _with_card(scene)
    assert scene.harness.meddle_card is not None
    scene.harness.meddle_card(request.instance_id, "")
    larger = replace(request, vcpu_count=request.vcpu_count + 1)
    expect_fault(
        Transient, lambda: scene.driver.ensure_defined(larger, scene.newer_fence()), "a running machine got another processor"
    )
    _expect_card(scene, request, _right(request))


def _with_card(scene: Scene) -> MachineRequest:
    segment = scene.segment()
    scene.driver.ensure_segment(segment, scene.fence)
    request = scene.machine(segment)
    scene.define(request)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    _expect_card(scene, request, _right(request))
    return request


def _right(request: MachineRequest) -> ObservedNic:
    nic = request.nics[0]
    return ObservedNic(mac=nic.mac, network=nic.segment_id, address=nic.address)


def _expect_card(scene: Scene, request: MachineRequest, wanted: ObservedNic) -> None:
    seen = scene.seen(request.instance_id).nics
    expect(seen == (wanted,), f"the card is {wanted}, and this is shown: {seen}")


def _put_right(scene: Scene, request: MachineRequest) -> None:
    since_s = scene.seen(request.instance_id).since_s
    scene.driver.ensure_defined(request, scene.newer_fence())
    seen = scene.seen(request.instance_id)
    expect(seen.state is Observed.RUNNING and seen.since_s == since_s, "putting it right stopped the machine")


CHECKS = (
    an_edit_of_the_stored_definition_is_shown_and_put_right,
    a_disk_that_was_taken_out_is_missed_and_put_back,
    a_card_without_its_filter_is_shown_and_put_right,
    a_card_in_another_network_is_shown_and_put_right,
    a_card_is_put_right_though_the_rest_waits_for_a_stop,
)
