"""Data disks and storage pools."""

from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, code_of, expect, expect_fault
from drivers.faults import Permanent, Transient
from drivers.protocol import Capability, MachineRequest, VolumeRequest
from inventory.domain.resource import Observed

NO_SUCH_POOL = "conformance-no-such-pool"


@check(needs=Capability.ATTACH_LIVE)
def a_data_disk_is_attached_and_detached_while_it_runs(scene: Scene) -> None:
    """Disks of a running machine are exactly those asked for; it runs on, and a detached disk still exists."""
    request = scene.running()
    since_s = scene.seen(request.instance_id).since_s
    _attach_and_detach(scene, request)
    found = scene.seen(request.instance_id)
    expect(found.state is Observed.RUNNING and found.since_s == since_s, "attaching a disk restarted the machine")


@check()
def a_data_disk_is_attached_and_detached_while_it_is_stopped(scene: Scene) -> None:
    """Disks of a stopped machine are exactly those asked for, and a detached disk still exists."""
    _attach_and_detach(scene, scene.defined())


@check()
def a_disk_in_use_is_not_deleted(scene: Scene) -> None:
    """A data disk that a machine has is refused for now and stays."""
    data = scene.data_volume()
    request = scene.with_disks(scene.machine(), data)
    scene.driver.ensure_volume(data, scene.fence)
    scene.define(request)
    pool = scene.harness.storage_pool
    expect_fault(
        Transient,
        lambda: scene.driver.ensure_volume_absent(data.volume_id, pool, scene.fence),
        "a disk in use was deleted",
    )
    expect(data.volume_id in scene.driver.observe().volume_ids, "a disk in use is gone")


@check()
def a_disk_is_never_shrunk(scene: Scene) -> None:
    """A smaller size than the disk has is refused for good."""
    data = replace(scene.data_volume(), size_gib=2)
    scene.driver.ensure_volume(data, scene.fence)
    smaller = replace(data, size_gib=1)
    expect_fault(Permanent, lambda: scene.driver.ensure_volume(smaller, scene.fence), "a disk was shrunk, or so it says")


@check()
def an_unknown_storage_pool_is_refused(scene: Scene) -> None:
    """Neither image nor disk goes to a pool that is not there, nor to another one instead."""
    driver = scene.driver
    data = replace(scene.data_volume(), storage_pool=NO_SUCH_POOL)
    for name, act in {
        "ensure_volume": lambda: driver.ensure_volume(data, scene.fence),
        "ensure_image": lambda: driver.ensure_image(scene.harness.image, NO_SUCH_POOL),
    }.items():
        fault = expect_fault(Permanent, act, f"{name} accepted an unknown storage pool")
        expect(code_of(fault) == "driver.storage_pool_missing", f"{name} says {code_of(fault)}")
    expect(data.volume_id not in driver.observe().volume_ids, "the disk was made elsewhere")


def _attach_and_detach(scene: Scene, request: MachineRequest) -> None:
    first, second = scene.data_volume(), scene.data_volume()
    for volume in (first, second):
        scene.driver.ensure_volume(volume, scene.fence)
    wanted: tuple[tuple[VolumeRequest, ...], ...] = ((first,), (first, second), (second,), ())
    for volumes in wanted:
        for _ in range(2):
            scene.driver.ensure_defined(scene.with_disks(request, *volumes), scene.newer_fence())
        attached = set(scene.seen(request.instance_id).volume_ids) - {request.instance_id}
        expect(attached == {v.volume_id for v in volumes}, f"attached are {sorted(attached)}")
    expect({first.volume_id, second.volume_id} <= scene.driver.observe().volume_ids, "a detached disk is gone")


CHECKS = (
    a_data_disk_is_attached_and_detached_while_it_runs,
    a_data_disk_is_attached_and_detached_while_it_is_stopped,
    a_disk_in_use_is_not_deleted,
    a_disk_is_never_shrunk,
    an_unknown_storage_pool_is_refused,
)
