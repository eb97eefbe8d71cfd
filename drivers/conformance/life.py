"""From nothing to running and back: every verb may run twice and returns what was seen."""

from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect, expect_fault
from drivers.faults import DriverFault, Transient
from drivers.protocol import Capability, ObservedInstance, Reboots
from inventory.domain.resource import Observed


@check()
def every_ensure_may_run_twice(scene: Scene) -> None:
    """Each verb of a create and a stop is called twice in a row; one machine comes of it."""
    segment = scene.segment() if scene.can(Capability.NETWORKS) else None
    request = scene.machine(segment)
    driver, instance_id = scene.driver, request.instance_id
    for _ in range(2):
        if segment is not None:
            driver.ensure_segment(segment, scene.fence)
    for _ in range(2):
        scene.make_root(request)
    for _ in range(2):
        driver.ensure_defined(request, scene.fence)
    for _ in range(2):
        _expect_state(driver.ensure_running(instance_id, scene.fence), Observed.RUNNING)
    expect([i.instance_id for i in driver.observe().instances].count(instance_id) == 1, "the machine is not there exactly once")
    for _ in range(2):
        _expect_state(driver.ensure_stopped(instance_id, scene.fence, graceful_s=0), Observed.STOPPED)


@check()
def the_whole_create_may_run_twice(scene: Scene) -> None:
    """All steps of a create are repeated on a running machine: it runs on, undisturbed."""
    request = scene.running()
    before = scene.seen(request.instance_id)
    scene.define(request)
    after = scene.driver.ensure_running(request.instance_id, scene.fence)
    _expect_state(after, Observed.RUNNING)
    expect(after.since_s == before.since_s, "a repeated create restarted the machine")


@check()
def what_a_verb_returns_is_what_is_observed(scene: Scene) -> None:
    """The answers of start and stop agree with a look of its own, state, size and identity."""
    request = scene.defined()
    instance_id = request.instance_id
    started = scene.driver.ensure_running(instance_id, scene.fence)
    _expect_machine(scene, started)
    _expect_machine(scene, scene.seen(instance_id))
    _expect_state(scene.seen(instance_id), Observed.RUNNING)
    stopped = scene.driver.ensure_stopped(instance_id, scene.fence, graceful_s=0)
    _expect_state(stopped, Observed.STOPPED)
    _expect_state(scene.seen(instance_id), Observed.STOPPED)


@check()
def a_machine_is_stopped_until_it_is_started(scene: Scene) -> None:
    """A definition alone runs nothing."""
    _expect_state(scene.seen(scene.defined().instance_id), Observed.STOPPED)


@check()
def a_graceful_stop_ends_stopped(scene: Scene) -> None:
    """Asked politely, then by force when the guest does not obey: stopped either way, and it starts again."""
    instance_id = scene.running().instance_id
    _expect_state(scene.driver.ensure_stopped(instance_id, scene.fence, graceful_s=scene.harness.graceful_s), Observed.STOPPED)
    _expect_state(scene.seen(instance_id), Observed.STOPPED)
    _expect_state(scene.driver.ensure_running(instance_id, scene.fence), Observed.RUNNING)


@check()
def a_forced_stop_is_not_called_a_shutdown(scene: Scene) -> None:
    """With zero seconds of grace the machine is stopped at once, and the reason (where there is one) says so."""
    instance_id = scene.running().instance_id
    stopped = scene.driver.ensure_stopped(instance_id, scene.fence, graceful_s=0)
    _expect_state(stopped, Observed.STOPPED)
    expect(stopped.reason != "shutdown", "a forced stop reports the reason of a graceful one")


@check(needs_reboot=True)
def a_reboot_ends_running(scene: Scene) -> None:
    """A rebooted machine runs, with the same size."""
    instance_id = scene.running().instance_id
    driver = scene.driver
    if isinstance(driver, Reboots):
        _expect_state(driver.reboot(instance_id, scene.fence, graceful_s=scene.harness.graceful_s, number=1), Observed.RUNNING)
    _expect_machine(scene, scene.seen(instance_id))
    _expect_state(scene.seen(instance_id), Observed.RUNNING)


@check(needs_reboot=True, probes=("boot_count",))
def an_ordered_reboot_happens_once(scene: Scene) -> None:
    """The same order again, after a redefinition and under a newer fence too, does nothing; the next one reboots."""
    request = scene.running()
    instance_id, driver, boot_count = request.instance_id, scene.driver, scene.harness.boot_count
    if not isinstance(driver, Reboots) or boot_count is None:
        return
    before = boot_count(instance_id)
    driver.reboot(instance_id, scene.fence, graceful_s=0, number=1)
    driver.ensure_defined(request, scene.newer_fence())
    _expect_state(driver.reboot(instance_id, scene.fence, graceful_s=0, number=1), Observed.RUNNING)
    expect(boot_count(instance_id) == before + 1, "one order rebooted the machine twice, or not at all")
    driver.reboot(instance_id, scene.fence, graceful_s=0, number=2)
    expect(boot_count(instance_id) == before + 2, "the next order did not reboot the machine once")


@check(needs_reboot=True)
def a_reboot_of_a_stopped_machine_tells_the_truth(scene: Scene) -> None:
    """It is either started or refused, and what the driver says is what a look finds."""
    instance_id = scene.defined().instance_id
    driver = scene.driver
    if not isinstance(driver, Reboots):
        return
    try:
        state = driver.reboot(instance_id, scene.fence, graceful_s=0, number=1).state
    except DriverFault:
        state = Observed.STOPPED
    _expect_state(scene.seen(instance_id), state)


@check(needs=Capability.RESIZE_COLD)
def a_cold_resize_changes_what_is_observed(scene: Scene) -> None:
    """Stopped, defined with another size, started: the new size exactly, however often it was defined."""
    request = scene.running()
    harness, driver, instance_id = scene.harness, scene.driver, request.instance_id
    driver.ensure_stopped(instance_id, scene.fence, graceful_s=0)
    resized = replace(request, vcpu_count=harness.resized_vcpu_count, memory_mib=harness.resized_memory_mib)
    for _ in range(2):
        driver.ensure_defined(resized, scene.newer_fence())
    found = driver.ensure_running(instance_id, scene.fence)
    for seen in (found, scene.seen(instance_id)):
        expect(
            (seen.vcpu_count, seen.memory_mib) == (harness.resized_vcpu_count, harness.resized_memory_mib),
            f"after a resize the machine has {seen.vcpu_count} vCPU and {seen.memory_mib} MiB",
        )


@check(needs=Capability.RESIZE_COLD)
def a_running_machine_is_not_resized(scene: Scene) -> None:
    """A cold resize of a running machine is refused for now, and changes nothing."""
    request = scene.running()
    wanted = replace(request, vcpu_count=scene.harness.resized_vcpu_count)
    expect_fault(Transient, lambda: scene.driver.ensure_defined(wanted, scene.fence), "a running machine was resized")
    _expect_machine(scene, scene.seen(request.instance_id))
    _expect_state(scene.seen(request.instance_id), Observed.RUNNING)


@check()
def starting_a_removed_machine_is_transient(scene: Scene) -> None:
    """What is not there cannot be started or stopped; the caller is told to look again, for somebody may have removed it."""
    instance_id = scene.defined().instance_id
    scene.make_absent(instance_id)
    driver = scene.driver
    expect_fault(Transient, lambda: driver.ensure_running(instance_id, scene.fence), "a removed machine was started")
    expect_fault(
        Transient,
        lambda: driver.ensure_stopped(instance_id, scene.fence, graceful_s=0),
        "a removed machine was reported as stopped",
    )
    expect(driver.observe_instance(instance_id) is None, "the removed machine is back")


def _expect_state(found: ObservedInstance, state: Observed) -> None:
    expect(found.state is state, f"{found.instance_id} is {found.state} and should be {state}")


def _expect_machine(scene: Scene, found: ObservedInstance) -> None:
    expect(found.vcpu_count == scene.harness.vcpu_count, f"the machine has {found.vcpu_count} vCPU")
    expect(found.memory_mib == scene.harness.memory_mib, f"the machine has {found.memory_mib} MiB")
    expect(found.fence == scene.fence, f"the machine shows fence {found.fence} and was made with {scene.fence}")


CHECKS = (
    every_ensure_may_run_twice,
    the_whole_create_may_run_twice,
    what_a_verb_returns_is_what_is_observed,
    a_machine_is_stopped_until_it_is_started,
    a_graceful_stop_ends_stopped,
    a_forced_stop_is_not_called_a_shutdown,
    a_reboot_ends_running,
    an_ordered_reboot_happens_once,
    a_reboot_of_a_stopped_machine_tells_the_truth,
    a_cold_resize_changes_what_is_observed,
    a_running_machine_is_not_resized,
    starting_a_removed_machine_is_transient,
)
