"""Observations tell the truth: all of ours, none of others', and a fault where nothing can be known."""

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect, expect_fault
from drivers.faults import DriverFault, Transient
from drivers.protocol import Capability, ObservedForeign
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed


@check()
def the_host_is_described(scene: Scene) -> None:
    """Facts are plausible and name the storage pool in use."""
    facts = scene.driver.inspect_host()
    expect(facts.cpu_count > 0 and facts.memory_mib > 0, "no CPU or no memory")
    expect(bool(facts.arch and facts.hostname and facts.virtualisation), "arch, hostname or virtualisation is empty")
    expect(scene.harness.storage_pool in {s.name for s in facts.storage}, "the storage pool is not among the facts")


@check()
def observe_shows_what_was_made_and_only_that(scene: Scene) -> None:
    """The difference of two observations is what was made in between; afterwards all is as before."""
    before = scene.driver.observe()
    data = scene.data_volume()
    segment = scene.segment() if scene.can(Capability.NETWORKS) else None
    if segment is not None:
        scene.driver.ensure_segment(segment, scene.fence)
    scene.driver.ensure_volume(data, scene.fence)
    request = scene.with_disks(scene.machine(segment), data)
    scene.define(request)
    seen = scene.driver.observe()
    made = {i.instance_id for i in seen.instances} - {i.instance_id for i in before.instances}
    expect(made == {request.instance_id}, f"machines that appeared: {sorted(made)}")
    volumes = seen.volume_ids - before.volume_ids
    expect(volumes == {request.instance_id, data.volume_id}, f"disks that appeared: {sorted(volumes)}")
    networks = seen.segment_ids - before.segment_ids
    expect(networks == ({segment.segment_id} if segment else set()), f"networks that appeared: {sorted(networks)}")
    expect({f.uuid for f in seen.foreign} == {f.uuid for f in before.foreign}, "our machine is listed as foreign")
    expect(scene.harness.storage_pool in seen.storage_available_gib, "the storage pool is not observed")
    expect(seen.storage_foreign_gib == before.storage_foreign_gib, "our disks are counted as those of others")


@check()
def one_look_and_the_whole_look_agree(scene: Scene) -> None:
    """``observe_instance`` and ``observe`` say the same of a machine."""
    instance_id = scene.running().instance_id
    listed = [i for i in scene.driver.observe().instances if i.instance_id == instance_id]
    expect(listed == [scene.seen(instance_id)], f"observe says {listed}, observe_instance {scene.seen(instance_id)}")


@check()
def a_second_connection_sees_the_same(scene: Scene) -> None:
    """What was made is at the back end, not in the driver's memory."""
    instance_id = scene.running().instance_id
    expect(scene.seen(instance_id).state is Observed.RUNNING, "the first connection does not see it running")
    other = scene.harness.open_driver()
    found = other.observe_instance(instance_id)
    expect(found is not None and found.state is Observed.RUNNING and found.fence == scene.fence, f"it sees {found}")
    other.ensure_stopped(instance_id, scene.newer_fence(), graceful_s=0)
    other.close()
    expect(scene.seen(instance_id).state is Observed.STOPPED, "the first connection still sees it running")


@check()
def none_means_absent_and_nothing_else(scene: Scene) -> None:
    """None before it is made and after it is deleted, never in between."""
    request = scene.machine()
    driver, instance_id = scene.driver, request.instance_id
    expect(driver.observe_instance(instance_id) is None, "a machine that was never made is observed")
    scene.define(request)
    scene.seen(instance_id)
    driver.ensure_running(instance_id, scene.fence)
    scene.seen(instance_id)
    scene.make_absent(instance_id)
    expect(driver.observe_instance(instance_id) is None, "a deleted machine is observed")


@check(probes=("open_unreachable",))
def an_unreachable_host_is_a_fault_never_an_answer(scene: Scene) -> None:
    """No verb turns "I cannot know" into "there is none" or "it is done"."""
    opener = scene.harness.open_unreachable
    if opener is None:
        return
    instance_id, pool = scene.instance_id(), scene.harness.storage_pool
    for name, act in {
        "observe": lambda: opener().observe(),
        "observe_instance": lambda: opener().observe_instance(instance_id),
        "ensure_absent": lambda: opener().ensure_absent(instance_id, pool, scene.fence),
        "ensure_volume_absent": lambda: opener().ensure_volume_absent(instance_id, pool, scene.fence),
    }.items():
        expect_fault(Transient, act, f"{name} answered for a host that does not")


@check(probes=("lose_next_request",))
def a_lost_request_is_never_a_success(scene: Scene) -> None:
    """When the request got lost, the verb raises, or it has looked and done it again; it never just returns."""
    lose = scene.harness.lose_next_request
    if lose is None:
        return
    volume = scene.data_volume()
    lose()
    try:
        scene.driver.ensure_volume(volume, scene.fence)
    except DriverFault:
        scene.driver.ensure_volume(volume, scene.fence)
    expect(volume.volume_id in scene.driver.observe().volume_ids, "the verb reported a disk that is not there")


@check()
def a_foreign_machine_is_listed_and_left_alone(scene: Scene) -> None:
    """A machine we did not make is foreign before, during and after our work, unchanged, and no instance of ours."""
    uuid = scene.harness.make_foreign()
    try:
        before = _foreign(scene, uuid)
        request = scene.running()
        ours = scene.driver.observe().instances
        expect(all(uuid.replace("-", "") not in i.instance_id for i in ours), "the foreign machine is listed as ours")
        scene.make_absent(request.instance_id)
        scene.make_absent(ResourceId("inst_" + uuid.replace("-", "")))
        expect(_foreign(scene, uuid) == before, "the foreign machine was changed")
    finally:
        scene.harness.remove_foreign(uuid)


def _foreign(scene: Scene, uuid: str) -> ObservedForeign:
    found = [f for f in scene.driver.observe().foreign if f.uuid == uuid]
    expect(len(found) == 1, f"the foreign machine {uuid} is not listed as foreign exactly once")
    expect(found[0].is_running, "the foreign machine does not run")
    return found[0]


CHECKS = (
    the_host_is_described,
    observe_shows_what_was_made_and_only_that,
    one_look_and_the_whole_look_agree,
    a_second_connection_sees_the_same,
    none_means_absent_and_nothing_else,
    an_unreachable_host_is_a_fault_never_an_answer,
    a_lost_request_is_never_a_success,
    a_foreign_machine_is_listed_and_left_alone,
)
