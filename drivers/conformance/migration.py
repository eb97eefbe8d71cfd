"""Live migration: the machine is in one place at any moment, older holds move nothing, and what fails leaves it running."""

from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect, expect_fault
from drivers.faults import DriverFault, Permanent, StaleFence
from drivers.protocol import Capability, LiveMigrates, MachineRequest, MigrationRequest, ObservedInstance, VolumeRequest
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

_PROBES = ("open_target",)


def _mover(scene: Scene) -> LiveMigrates:
    driver = scene.driver
    assert isinstance(driver, LiveMigrates), "a check of migration ran without the power"
    return driver


def _ready(scene: Scene, machine: MachineRequest, *volumes: VolumeRequest) -> MigrationRequest:
    """Have the image on the target, and ask for the machine there."""
    scene.target.ensure_image(scene.harness.image, scene.harness.storage_pool)
    harness = scene.harness
    return MigrationRequest(
        machine=machine, volumes=volumes, target_connection=harness.target_connection, target_id=harness.target_id
    )


def _with_disk(scene: Scene) -> tuple[MachineRequest, VolumeRequest]:
    """Make a running machine with a data disk."""
    data = scene.data_volume()
    scene.driver.ensure_volume(data, scene.fence)
    request = scene.with_disks(scene.machine(), data)
    scene.define(request)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    return request, data


def _runs(found: ObservedInstance | None) -> bool:
    return found is not None and found.state is Observed.RUNNING


def _expect_only_here(scene: Scene, instance_id: ResourceId) -> None:
    expect(_runs(scene.driver.observe_instance(instance_id)), "the machine does not run where it was any more")
    expect(not _runs(scene.target.observe_instance(instance_id)), "the machine runs on the target")


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def a_migrated_machine_runs_there_and_not_here(scene: Scene) -> None:
    """What is returned is what is seen on the target, with disks, shape and fence, and this host shows no such machine."""
    machine, data = _with_disk(scene)
    found = _mover(scene).ensure_migrated(_ready(scene, machine, data), scene.newer_fence())
    there = scene.target.observe_instance(machine.instance_id)
    expect(_runs(there), "the machine does not run on the target")
    expect(there == found, "another machine was returned than is observed on the target")
    expect(scene.driver.observe_instance(machine.instance_id) is None, "the machine is still shown here")
    expect(found.fence == scene.fence, "the fence did not go with the machine")
    expect(found.vcpu_count == machine.vcpu_count and found.memory_mib == machine.memory_mib, "another shape arrived")


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def a_migrated_machine_keeps_its_data_disks(scene: Scene) -> None:
    """The disks are on the target and in the machine."""
    machine, data = _with_disk(scene)
    _mover(scene).ensure_migrated(_ready(scene, machine, data), scene.fence)
    there = scene.target.observe_instance(machine.instance_id)
    expect(there is not None and data.volume_id in there.volume_ids, "the data disk is not in the machine")
    expect({data.volume_id, machine.instance_id} <= scene.target.observe().volume_ids, "a disk is not on the target")


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def a_migration_may_be_asked_for_twice(scene: Scene) -> None:
    """The second time there is nothing to do."""
    machine = scene.running()
    request = _ready(scene, machine)
    first = _mover(scene).ensure_migrated(request, scene.fence)
    second = _mover(scene).ensure_migrated(request, scene.fence)
    expect(first.state is second.state, "the second answer is another")
    expect(_runs(scene.target.observe_instance(machine.instance_id)), "the machine does not run on the target")


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def a_stale_migration_is_refused(scene: Scene) -> None:
    """An older hold moves nothing."""
    machine = scene.running()
    old, request = scene.fence, _ready(scene, machine)
    scene.driver.ensure_running(machine.instance_id, scene.newer_fence())
    expect_fault(StaleFence, lambda: _mover(scene).ensure_migrated(request, old), "an older hold moved the machine")
    _expect_only_here(scene, machine.instance_id)


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def holding_a_machine_back_refuses_older_migrations(scene: Scene) -> None:
    """After ``ensure_not_migrating`` a migration that comes late has no effect."""
    machine = scene.running()
    old, request = scene.fence, _ready(scene, machine)
    found = _mover(scene).ensure_not_migrating(machine.instance_id, scene.newer_fence())
    expect(_runs(found), "the machine was not seen here")
    expect_fault(StaleFence, lambda: _mover(scene).ensure_migrated(request, old), "a late migration took the machine away")
    _expect_only_here(scene, machine.instance_id)


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def holding_back_a_machine_that_left_says_so(scene: Scene) -> None:
    """Where the machine has gone already, the answer is None."""
    machine = scene.running()
    _mover(scene).ensure_migrated(_ready(scene, machine), scene.fence)
    found = _mover(scene).ensure_not_migrating(machine.instance_id, scene.newer_fence())
    expect(found is None, "a machine that left is said to be here")


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def a_stopped_machine_is_not_migrated(scene: Scene) -> None:
    """There is nothing live to move, and starting it there is not what was asked."""
    machine = scene.defined()
    request = _ready(scene, machine)
    expect_fault(DriverFault, lambda: _mover(scene).ensure_migrated(request, scene.fence), "a stopped machine was moved")
    expect(scene.seen(machine.instance_id).state is Observed.STOPPED, "the machine is not where and as it was")


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def a_migration_that_cannot_be_leaves_the_machine_running(scene: Scene) -> None:
    """Without its storage pool on the target the machine stays."""
    machine = scene.running()
    request = _ready(scene, machine)
    nowhere = replace(machine, root=replace(machine.root, storage_pool="no-such-pool"))
    bad = replace(request, machine=nowhere)
    expect_fault(Permanent, lambda: _mover(scene).ensure_migrated(bad, scene.fence), "a pool was made up")
    _expect_only_here(scene, machine.instance_id)


@check(needs=Capability.LIVE_MIGRATION, probes=_PROBES)
def what_is_left_here_is_removed_without_touching_the_target(scene: Scene) -> None:
    """Removing the machine here after it left takes the old disks away and leaves it running there."""
    machine, data = _with_disk(scene)
    _mover(scene).ensure_migrated(_ready(scene, machine, data), scene.fence)
    scene.make_absent(machine.instance_id)
    scene.driver.ensure_volume_absent(data.volume_id, scene.harness.storage_pool, scene.fence)
    left = scene.driver.observe().volume_ids
    expect(not {machine.instance_id, data.volume_id} & left, "old disks are still here")
    expect(_runs(scene.target.observe_instance(machine.instance_id)), "the machine on the target was removed")
    expect({machine.instance_id, data.volume_id} <= scene.target.observe().volume_ids, "disks on the target were removed")


CHECKS = (
    a_migrated_machine_runs_there_and_not_here,
    a_migrated_machine_keeps_its_data_disks,
    a_migration_may_be_asked_for_twice,
    a_stale_migration_is_refused,
    holding_a_machine_back_refuses_older_migrations,
    holding_back_a_machine_that_left_says_so,
    a_stopped_machine_is_not_migrated,
    a_migration_that_cannot_be_leaves_the_machine_running,
    what_is_left_here_is_removed_without_touching_the_target,
)
