"""Steps for what already exists: look first, then change or repair it.

What happened behind our back is repaired, or only reported where the policy of the pool says so; then nothing is done until a
person asks something of the machine. The repairs: a stopped machine is started again and reported, one that should stand
still is stopped; a definition that vanished is made again when the root disk is still there; a vanished disk is never made
anew, the resource fails and a person decides; an edited machine is put right at once where that needs no stop (``shape``),
and reported; the rest is put right when the machine stops next.
"""

from controller.workflows.engine import Done, Ending, Fail, Flow, Next, StepContext, Wait
from controller.workflows.shape import Differences, differences, has_shape
from drivers.protocol import Capability, ObservedInstance, Reboots
from inventory.domain.drift import DriftKind, drift_of_run
from inventory.domain.errors import Problem
from inventory.domain.resource import Desired, Observed


def look(context: StepContext) -> Flow:
    """See what the machine is now and choose the road from there."""
    resource = context.resource
    found = context.driver.observe_instance(resource.id)
    if found is None:
        return Next(step="vanished" if resource.settled_generation > 0 else "image")
    context.saw_machine(found)
    if found.state.value == resource.desired.value and not _differences(context, found):
        return _rest(context)
    if resource.generation != resource.settled_generation:
        return _change(context, found)
    return _repair(context, found)


def _differences(context: StepContext, found: ObservedInstance) -> Differences:
    return differences(context.resource, found, can_plug=Capability.ATTACH_LIVE in context.driver.capabilities())


def _change(context: StepContext, found: ObservedInstance) -> Flow:
    if found.state is not Observed.STOPPED and not has_shape(context.resource.instance, found):
        return Next(step="resize_stop")
    return Next(step="parts" if context.resource.settled_generation > 0 else "image")


def _repair(context: StepContext, found: ObservedInstance) -> Flow:
    resource = context.resource
    differs, is_left = _differences(context, found), context.leaves(DriftKind.EDITED)
    if differs:
        state = "open" if differs.waiting or is_left else "repaired"
        context.report("edited", state=state, is_left=is_left and bool(differs.at_once), **differs.detail)
    is_mended = bool(differs.at_once) and not is_left
    if found.state.value == resource.desired.value:
        return Next(step="parts") if is_mended else _rest(context)
    kind, is_left = drift_of_run(found.state).value, context.leaves_run(found)
    context.report(kind, state="open" if is_left else "repaired", is_left=is_left, reason=found.reason, since_s=found.since_s)
    if is_left:
        return Next(step="parts") if is_mended else Done(ending=Ending.SETTLED)
    if resource.desired is Desired.STOPPED:
        return Next(step="halt")
    return Next(step="parts" if is_mended else "start")


def _rest(context: StepContext) -> Flow:
    return Next(step="reboot") if context.resource.is_reboot_due else Done(ending=Ending.SETTLED)


def vanished(context: StepContext) -> Flow:
    """Find out whether only the definition is gone, or the root disk with it."""
    resource = context.resource
    observation = context.driver.observe()
    if any(i.instance_id == resource.id for i in observation.instances):
        return Wait(delay_s=context.settings.backoff_first_s, step="", is_failure=True)
    context.saw(Observed.ABSENT, has_shape=False)
    if resource.id in observation.volume_ids:
        if context.leaves(DriftKind.MISSING):
            context.report("missing", is_left=True, what="definition")
            return Done(ending=Ending.SETTLED)
        context.report("missing", state="repaired", what="definition")
        return Next(step="parts")
    context.report("missing", what="root_disk")
    return Fail(problem=Problem("instance.disk_lost", {"name": resource.name, "host": context.host_name}))


def resize_stop(context: StepContext) -> Flow:
    """Stop it for a cold resize."""
    resource = context.resource
    found = context.driver.ensure_stopped(resource.id, context.fence, graceful_s=context.settings.graceful_s)
    context.saw_machine(found)
    return Next(step="parts")


def reboot(context: StepContext) -> Flow:
    """Have it restarted in place, because a person ordered it; the order's number makes it happen once."""
    resource, driver, settings = context.resource, context.driver, context.settings
    if isinstance(driver, Reboots):
        number = resource.reboots_wanted
        context.saw_machine(driver.reboot(resource.id, context.fence, graceful_s=settings.graceful_s, number=number))
        return Done(ending=Ending.SETTLED)
    context.saw_machine(driver.ensure_stopped(resource.id, context.fence, graceful_s=settings.graceful_s))
    return Next(step="start")


def halt(context: StepContext) -> Flow:
    """Have it stopped, because that is what is wanted."""
    resource = context.resource
    found = context.driver.ensure_stopped(resource.id, context.fence, graceful_s=context.settings.graceful_s)
    context.saw_machine(found)
    return Done(ending=Ending.SETTLED)


def volume_look(context: StepContext) -> Flow:
    """See whether a disk that was there still is: a lost one is never replaced by an empty one."""
    resource = context.resource
    if resource.id in context.driver.observe().volume_ids:
        if resource.generation != resource.settled_generation:
            return Next(step="volume")
        context.saw(Observed.PRESENT)
        return Done(ending=Ending.SETTLED)
    context.saw(Observed.ABSENT)
    context.report("missing", what="data_disk")
    return Fail(problem=Problem("volume.disk_lost", {"name": resource.name, "host": context.host_name}))
