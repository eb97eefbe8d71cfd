"""Steps that take things away. They work from every state, before anything was made too, and free nothing: only the
record of a *confirmed* absence does.
"""

from controller.workflows.engine import Done, Ending, Fail, Flow, Next, StepContext, Wait
from inventory.domain.errors import Problem
from inventory.domain.resource import Desired, Observed, Phase


def leave(context: StepContext) -> Flow:
    """Look what there is to take away."""
    found = context.driver.observe_instance(context.resource.id)
    if found is None:
        return Next(step="remove")
    context.saw_machine(found)
    return Next(step="stop" if found.state is Observed.RUNNING else "remove")


def stop(context: StepContext) -> Flow:
    """Have it stopped, politely if it ever worked."""
    resource = context.resource
    graceful_s = context.settings.graceful_s if resource.settled_generation > 0 else 0.0
    context.saw_machine(context.driver.ensure_stopped(resource.id, context.fence, graceful_s=graceful_s))
    return Next(step="remove")


def remove(context: StepContext) -> Flow:
    """Have no machine, root disk, seed or log."""
    context.driver.ensure_absent(context.resource.id, context.facts.storage_pool, context.fence)
    return Next(step="confirm")


def confirm(context: StepContext) -> Flow:
    """Ask once more, after the last write: only now it is gone."""
    if context.driver.observe_instance(context.resource.id) is not None:
        return Wait(delay_s=context.settings.backoff_first_s, step="", is_failure=True)
    context.saw(Observed.ABSENT)
    return Done(ending=Ending.GONE)


def clear(context: StepContext) -> Flow:
    """Take a machine that never ran away from its host, before it is placed on another."""
    resource = context.resource
    driver = context.driver
    if driver.observe_instance(resource.id) is not None:
        driver.ensure_stopped(resource.id, context.fence, graceful_s=0.0)
    driver.ensure_absent(resource.id, context.facts.storage_pool, context.fence)
    if driver.observe_instance(resource.id) is not None:
        return Wait(delay_s=context.settings.backoff_first_s, step="clear", is_failure=True)
    context.saw(Observed.ABSENT)
    if not resource.instance.disks:
        return Done(ending=Ending.CLEARED)
    volumes = tuple(d.volume_id for d in resource.instance.disks)
    return Wait(delay_s=context.settings.parts_s, step="clear_parts", problem=resource.problem, wake=volumes)


def clear_parts(context: StepContext) -> Flow:
    """Wait until its data disks are away too."""
    volumes = context.facts.volumes.values()
    left = tuple(v.id for v in volumes if v.observed is not Observed.ABSENT)
    if left:
        return Wait(delay_s=context.settings.parts_s, step="clear_parts", problem=context.resource.problem, wake=left)
    return Done(ending=Ending.CLEARED)


def volume_clear(context: StepContext) -> Flow:
    """Take a data disk away whose machine is placed elsewhere; nothing was ever written to it."""
    context.driver.ensure_volume_absent(context.resource.id, context.facts.storage_pool, context.fence)
    context.saw(Observed.ABSENT)
    owner = context.facts.instance
    wake = (owner.id,) if owner is not None else ()
    return Wait(delay_s=context.settings.backoff_most_s, step="volume_clear", problem=context.resource.problem, wake=wake)


def volume_give_up(context: StepContext) -> Flow:
    """Fail together with the machine the disk was for."""
    owner = context.facts.instance
    problem = context.resource.problem or (owner.problem if owner else None)
    assert problem is not None, "a machine failed without a problem"
    return Fail(problem=problem)


def volume_drop(context: StepContext) -> Flow:
    """Delete a data disk as soon as no machine has it."""
    resource, owner = context.resource, context.facts.instance
    if owner is not None and owner.phase is not Phase.GONE:
        is_detached = (
            owner.desired is not Desired.ABSENT
            and owner.settled_generation == owner.generation
            and all(d.volume_id != resource.id for d in owner.instance.disks)
        )
        if not is_detached and owner.phase is Phase.FAILED:
            # It cannot be taken out of a machine that is stuck: both wait for a person.
            return Fail(problem=owner.problem or Problem("step.part_failed", {"name": owner.name}))
        if not is_detached:
            return Wait(delay_s=context.settings.backoff_most_s / 6, step="")
    context.driver.ensure_volume_absent(resource.id, context.facts.storage_pool, context.fence)
    context.saw(Observed.ABSENT)
    return Done(ending=Ending.GONE)


def segment_drop(context: StepContext) -> Flow:
    """Remove a department network that no machine uses, and let its subnet rest before it is given again.

    A request that comes through too late could make the network once more, under addresses that are another's by then.
    """
    context.driver.ensure_segment_absent(context.resource.id, context.fence)
    context.saw(Observed.ABSENT)
    if context.resource.step != "rest":
        return Wait(delay_s=context.settings.subnet_rest_s, step="rest")
    return Done(ending=Ending.GONE)


def reap(context: StepContext) -> Flow:
    """Remove what is left of a resource on a host it does not live on (a request that took effect too late)."""
    resource, driver = context.resource, context.driver
    if resource.kind == "instance":
        driver.ensure_absent(resource.id, context.facts.storage_pool, context.fence)
    elif resource.kind == "volume":
        driver.ensure_volume_absent(resource.id, context.facts.storage_pool, context.fence)
    else:
        driver.ensure_segment_absent(resource.id, context.fence)
    context.report("orphan", state="repaired")
    return Done(ending=Ending.REAPED)
