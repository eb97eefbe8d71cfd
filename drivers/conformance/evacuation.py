"""Evacuation: what a lost host ran is had by another one, once, with its disks, and nothing is left when the host returns."""

from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect, expect_fault
from drivers.faults import StaleFence
from drivers.protocol import Capability, Evacuates, MachineRequest, VolumeRequest
from inventory.domain.resource import Observed

_PROBES = ("open_target", "lose_host", "return_host")


def _heir(scene: Scene) -> Evacuates:
    target = scene.target
    assert isinstance(target, Evacuates), "a check of evacuation ran without the power"
    return target


def _lose(scene: Scene) -> None:
    assert scene.harness.lose_host is not None, "a check used a probe it did not ask for"
    scene.harness.lose_host()


def _return(scene: Scene) -> None:
    assert scene.harness.return_host is not None, "a check used a probe it did not ask for"
    scene.harness.return_host()


def _lost(scene: Scene) -> tuple[MachineRequest, VolumeRequest]:
    """Make a running machine with a data disk, and let its host fail."""
    data = scene.data_volume()
    scene.driver.ensure_volume(data, scene.fence)
    request = scene.with_disks(scene.machine(), data)
    scene.define(request)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    _lose(scene)
    return request, data


def _expect_nothing_here(scene: Scene, request: MachineRequest, data: VolumeRequest) -> None:
    seen = scene.driver.observe()
    expect(request.instance_id not in {i.instance_id for i in seen.instances}, "the host that returned has the machine too")
    expect(not {request.instance_id, data.volume_id} & seen.volume_ids, "the host that returned has a disk of it")


@check(needs=Capability.EVACUATION, probes=_PROBES)
def a_machine_of_a_lost_host_runs_on_another_with_its_disks(scene: Scene) -> None:
    """What is returned is what is seen there; asked twice it is the same; the host that returns has nothing of it."""
    request, data = _lost(scene)
    found = _heir(scene).ensure_evacuated(request, scene.newer_fence())
    again = _heir(scene).ensure_evacuated(request, scene.fence)
    there = scene.target.observe_instance(request.instance_id)
    expect(there is not None and there.state is Observed.RUNNING, "the machine does not run on the other host")
    expect(there == found, "another machine was returned than is observed")
    expect(again == found, "the second answer is another")
    expect(there is not None and there.volume_ids == (data.volume_id,), "the data disk is not in the machine")
    expect({data.volume_id, request.instance_id} <= scene.target.observe().volume_ids, "a disk is not on the other host")
    _return(scene)
    _expect_nothing_here(scene, request, data)


@check(needs=Capability.EVACUATION, probes=_PROBES)
def an_older_hold_brings_nothing_back(scene: Scene) -> None:
    """The machine stays where it was lost."""
    data = scene.data_volume()
    older = scene.fence
    scene.newer_fence()
    scene.driver.ensure_volume(data, scene.fence)
    request = scene.with_disks(scene.machine(), data)
    scene.define(request)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    _lose(scene)
    for verb in (
        lambda: _heir(scene).ensure_evacuated(request, older),
        lambda: _heir(scene).ensure_abandoned(request.instance_id, older),
    ):
        expect_fault(StaleFence, verb, "an older hold acted on a lost machine")
    expect(scene.target.observe_instance(request.instance_id) is None, "an older hold brought the machine back")
    _return(scene)
    expect(scene.driver.observe_instance(request.instance_id) is not None, "an older hold took the machine away")


@check(needs=Capability.EVACUATION, probes=_PROBES)
def nothing_is_brought_back_where_there_was_nothing(scene: Scene) -> None:
    """The answer is None, and nothing is made."""
    request = replace(scene.machine(), disks=())
    expect(_heir(scene).ensure_evacuated(request, scene.fence) is None, "a machine was brought back that never was")
    expect(scene.target.observe_instance(request.instance_id) is None, "a machine was made")


@check(needs=Capability.EVACUATION, probes=_PROBES)
def an_abandoned_machine_leaves_disks_that_can_be_removed(scene: Scene) -> None:
    """The machine is gone, its disks are the other host's and go as others do; the host that returns has nothing of it."""
    request, data = _lost(scene)
    _heir(scene).ensure_abandoned(request.instance_id, scene.newer_fence())
    expect(scene.target.observe_instance(request.instance_id) is None, "the machine is still there")
    expect({data.volume_id, request.instance_id} <= scene.target.observe().volume_ids, "a disk is not the other host's")
    scene.target.ensure_absent(request.instance_id, scene.harness.storage_pool, scene.fence)
    scene.target.ensure_volume_absent(data.volume_id, scene.harness.storage_pool, scene.fence)
    expect(not {request.instance_id, data.volume_id} & scene.target.observe().volume_ids, "a disk stayed")
    _return(scene)
    _expect_nothing_here(scene, request, data)


CHECKS = (
    a_machine_of_a_lost_host_runs_on_another_with_its_disks,
    an_older_hold_brings_nothing_back,
    nothing_is_brought_back_where_there_was_nothing,
    an_abandoned_machine_leaves_disks_that_can_be_removed,
)
