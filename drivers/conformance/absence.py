"""Delete works in every state, twice, and takes exactly what belongs to the machine."""

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect
from drivers.protocol import Capability
from inventory.domain.ids import ResourceId


@check()
def absent_of_what_never_existed(scene: Scene) -> None:
    """Absence of the unknown is already there."""
    pool = scene.harness.storage_pool
    for _ in range(2):
        scene.make_absent(scene.instance_id())
        scene.driver.ensure_volume_absent(scene.data_volume().volume_id, pool, scene.fence)


@check(needs=Capability.NETWORKS)
def absent_of_a_network_that_never_existed(scene: Scene) -> None:
    """Absence of an unknown network is already there."""
    for _ in range(2):
        scene.driver.ensure_segment_absent(scene.segment().segment_id, scene.fence)


@check()
def absent_when_there_is_only_a_root_disk(scene: Scene) -> None:
    """A create that died after the disk leaves nothing behind. Where it is there with its machine only, none is shown before."""
    request = scene.machine()
    pool = next(s for s in scene.driver.inspect_host().storage if s.name == scene.harness.storage_pool)
    scene.make_root(request)
    is_shown = request.instance_id in scene.driver.observe().volume_ids
    expect(is_shown is not pool.roots_only, "the root disk is not observed by its machine's id, or before its machine")
    _remove_twice(scene, request.instance_id)


@check()
def absent_when_it_is_only_defined(scene: Scene) -> None:
    """A create that died before the start leaves nothing behind."""
    _remove_twice(scene, scene.defined().instance_id)


@check()
def absent_when_it_runs(scene: Scene) -> None:
    """A running machine goes away."""
    _remove_twice(scene, scene.running().instance_id)


@check()
def absent_when_it_is_stopped(scene: Scene) -> None:
    """A machine that ran and was stopped goes away."""
    instance_id = scene.running().instance_id
    scene.driver.ensure_stopped(instance_id, scene.fence, graceful_s=0)
    _remove_twice(scene, instance_id)


@check(probes=("leftovers",))
def absent_leaves_no_file_behind(scene: Scene) -> None:
    """No definition, root disk, seed or log bears the id afterwards."""
    instance_id = scene.running().instance_id
    scene.make_absent(instance_id)
    probe = scene.harness.leftovers
    left = [] if probe is None else list(probe(instance_id))
    expect(not left, f"left behind: {left}")


@check()
def a_data_disk_survives_its_machine(scene: Scene) -> None:
    """Deleting a machine keeps its data disks; they are deleted on their own, twice."""
    data = scene.data_volume()
    request = scene.with_disks(scene.machine(), data)
    scene.driver.ensure_volume(data, scene.fence)
    scene.define(request)
    _remove_twice(scene, request.instance_id)
    expect(data.volume_id in scene.driver.observe().volume_ids, "the data disk went away with its machine")
    for _ in range(2):
        scene.driver.ensure_volume_absent(data.volume_id, scene.harness.storage_pool, scene.fence)
    expect(data.volume_id not in scene.driver.observe().volume_ids, "the deleted data disk is still there")


@check(needs=Capability.NETWORKS)
def a_network_goes_away(scene: Scene) -> None:
    """A network without machines is removed, twice."""
    segment = scene.segment()
    scene.driver.ensure_segment(segment, scene.fence)
    for _ in range(2):
        scene.driver.ensure_segment_absent(segment.segment_id, scene.fence)
    expect(segment.segment_id not in scene.driver.observe().segment_ids, "the removed network is still there")


@check()
def removing_one_machine_leaves_the_other(scene: Scene) -> None:
    """Two machines of one image do not share what is deleted."""
    first, second = scene.running().instance_id, scene.running().instance_id
    scene.make_absent(first)
    expect(scene.seen(second).state == "running", "the other machine stopped")
    observation = scene.driver.observe()
    expect(second in observation.volume_ids, "the root disk of the other machine is gone")
    expect(first not in observation.volume_ids, "the root disk of the removed machine is still there")


@check()
def a_removed_machine_can_be_made_again(scene: Scene) -> None:
    """The same id may be created after it was deleted."""
    request = scene.running()
    scene.make_absent(request.instance_id)
    scene.newer_fence()
    scene.define(request)
    expect(scene.driver.ensure_running(request.instance_id, scene.fence).state == "running", "it does not run again")


def _remove_twice(scene: Scene, instance_id: ResourceId) -> None:
    for _ in range(2):
        scene.make_absent(instance_id)
    expect(scene.driver.observe_instance(instance_id) is None, "the removed machine is still observed alone")
    observation = scene.driver.observe()
    expect(instance_id not in {i.instance_id for i in observation.instances}, "the removed machine is still observed")
    expect(instance_id not in observation.volume_ids, "its root disk is still there")


CHECKS = (
    absent_of_what_never_existed,
    absent_of_a_network_that_never_existed,
    absent_when_there_is_only_a_root_disk,
    absent_when_it_is_only_defined,
    absent_when_it_runs,
    absent_when_it_is_stopped,
    absent_leaves_no_file_behind,
    a_data_disk_survives_its_machine,
    a_network_goes_away,
    removing_one_machine_leaves_the_other,
    a_removed_machine_can_be_made_again,
)
