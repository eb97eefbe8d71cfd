"""An older hold than the one that acted last changes nothing; a newer one takes over."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from drivers.conformance.check import check
from drivers.conformance.scene import STEP, Scene, expect, expect_fault
from drivers.faults import StaleFence
from drivers.protocol import Capability, MachineRequest, Reboots
from inventory.domain.resource import Observed, ResourceKind


@check(fenced=ResourceKind.INSTANCE)
def a_stale_start_is_refused(scene: Scene) -> None:
    """An old hold does not start a machine."""
    request = scene.defined()
    _refused(scene, lambda fence: scene.driver.ensure_running(request.instance_id, fence))
    expect(scene.seen(request.instance_id).state is Observed.STOPPED, "the stale start started the machine")
    scene.driver.ensure_running(request.instance_id, scene.newer_fence())


@check(fenced=ResourceKind.INSTANCE)
def a_stale_stop_is_refused(scene: Scene) -> None:
    """An old hold does not stop a machine."""
    request = scene.running()
    _refused(scene, lambda fence: scene.driver.ensure_stopped(request.instance_id, fence, graceful_s=0))
    expect(scene.seen(request.instance_id).state is Observed.RUNNING, "the stale stop stopped the machine")
    scene.driver.ensure_stopped(request.instance_id, scene.newer_fence(), graceful_s=0)


@check(fenced=ResourceKind.INSTANCE, needs_reboot=True)
def a_stale_reboot_is_refused(scene: Scene) -> None:
    """An old hold does not reboot a machine."""
    request = scene.running()
    driver = scene.driver
    if isinstance(driver, Reboots):
        reboot = driver.reboot
        _refused(scene, lambda fence: reboot(request.instance_id, fence, graceful_s=0, number=1))


@check(fenced=ResourceKind.INSTANCE)
def a_stale_definition_is_refused(scene: Scene) -> None:
    """An old hold does not change a machine."""
    request = scene.defined()
    wanted = replace(request, vcpu_count=scene.harness.resized_vcpu_count) if scene.can(Capability.RESIZE_COLD) else request
    _refused(scene, lambda fence: scene.driver.ensure_defined(wanted, fence))
    expect(scene.seen(request.instance_id).vcpu_count == request.vcpu_count, "the stale definition changed the machine")
    scene.driver.ensure_defined(request, scene.newer_fence())
    expect(scene.seen(request.instance_id).fence == scene.fence, "the newer fence is not stored")


@check(fenced=ResourceKind.INSTANCE)
def a_stale_delete_is_refused(scene: Scene) -> None:
    """An old hold does not delete a machine; a newer one does."""
    request = scene.running()
    pool = scene.harness.storage_pool
    _refused(scene, lambda fence: scene.driver.ensure_absent(request.instance_id, pool, fence))
    expect(scene.seen(request.instance_id).state is Observed.RUNNING, "the stale delete stopped the machine")
    expect(request.instance_id in scene.driver.observe().volume_ids, "the stale delete took the root disk")
    scene.driver.ensure_absent(request.instance_id, pool, scene.newer_fence())
    expect(scene.driver.observe_instance(request.instance_id) is None, "the newer delete did not delete")


@check(fenced=ResourceKind.INSTANCE)
def every_act_stores_its_fence(scene: Scene) -> None:
    """After each act with a newer fence the fence before it is stale, also when the act changed nothing else."""
    request = scene.defined()
    driver, instance_id = scene.driver, request.instance_id
    acts: tuple[Callable[[int], object], ...] = (
        lambda fence: driver.ensure_defined(request, fence),
        lambda fence: driver.ensure_running(instance_id, fence),
        lambda fence: driver.ensure_running(instance_id, fence),
        lambda fence: driver.ensure_stopped(instance_id, fence, graceful_s=0),
        lambda fence: driver.ensure_stopped(instance_id, fence, graceful_s=0),
    )
    for act in acts:
        older = scene.fence
        act(scene.newer_fence())
        expect(scene.seen(instance_id).fence == scene.fence, "an act did not store its fence")
        expect_fault(StaleFence, partial(_touch, scene, request, older), "the fence before the last act is accepted")


@check(fenced=ResourceKind.INSTANCE)
def the_same_fence_is_not_stale(scene: Scene) -> None:
    """A hold may act many times."""
    request = scene.running()
    scene.driver.ensure_stopped(request.instance_id, scene.fence, graceful_s=0)
    _touch(scene, request, scene.fence)
    scene.make_absent(request.instance_id)


@check(fenced=ResourceKind.SEGMENT, needs=Capability.NETWORKS)
def a_stale_network_change_is_refused(scene: Scene) -> None:
    """An old hold neither changes nor removes a network."""
    segment = scene.segment()
    driver = scene.driver
    driver.ensure_segment(segment, scene.fence)
    _refused(scene, lambda fence: driver.ensure_segment(segment, fence))
    _refused(scene, lambda fence: driver.ensure_segment_absent(segment.segment_id, fence))
    expect(segment.segment_id in driver.observe().segment_ids, "the stale removal removed the network")
    driver.ensure_segment(segment, scene.newer_fence())
    expect_fault(StaleFence, lambda: driver.ensure_segment(segment, scene.fence - STEP), "the fence before the last is accepted")
    driver.ensure_segment_absent(segment.segment_id, scene.newer_fence())
    expect(segment.segment_id not in driver.observe().segment_ids, "the newer removal did not remove")


@check(fenced=ResourceKind.VOLUME)
def a_stale_disk_change_is_refused(scene: Scene) -> None:
    """An old hold neither changes nor deletes a data disk."""
    volume = scene.data_volume()
    driver, pool = scene.driver, scene.harness.storage_pool
    driver.ensure_volume(volume, scene.fence)
    _refused(scene, lambda fence: driver.ensure_volume(volume, fence))
    _refused(scene, lambda fence: driver.ensure_volume_absent(volume.volume_id, pool, fence))
    expect(volume.volume_id in driver.observe().volume_ids, "the stale delete deleted the disk")
    driver.ensure_volume(volume, scene.newer_fence())
    expect_fault(StaleFence, lambda: driver.ensure_volume(volume, scene.fence - STEP), "the fence before the last is accepted")
    driver.ensure_volume_absent(volume.volume_id, pool, scene.newer_fence())


def _touch(scene: Scene, request: MachineRequest, fence: int) -> None:
    scene.driver.ensure_defined(request, fence)


def _refused(scene: Scene, act: Callable[[int], object]) -> None:
    expect_fault(StaleFence, lambda: act(scene.fence - 1), "a stale fence was accepted")


CHECKS = (
    a_stale_start_is_refused,
    a_stale_stop_is_refused,
    a_stale_reboot_is_refused,
    a_stale_definition_is_refused,
    a_stale_delete_is_refused,
    every_act_stores_its_fence,
    the_same_fence_is_not_stale,
    a_stale_network_change_is_refused,
    a_stale_disk_change_is_refused,
)
