"""Steps that bring a machine to another host. They look at both hosts first, so any worker can go on from any line.

What holds at every line: the machine runs in at most one place; room is promised in both until one of the two endings was
*seen*; nothing is deleted on the target once the machine may have arrived there, and nothing on the source before it has.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from controller.workflows.create import machine_request, missing_parts
from controller.workflows.engine import Done, Ending, Flow, MoveFacts, Next, StepContext, Wait
from drivers.faults import HOST_TROUBLE, DriverFault, Permanent, Transient
from drivers.protocol import (
    Capability,
    ComputeDriver,
    HostObservation,
    LiveMigrates,
    MigrationRequest,
    ObservedInstance,
    VolumeRequest,
)
from inventory.domain.errors import Problem
from inventory.domain.resource import Desired, Observed

T = TypeVar("T")


def move(context: StepContext) -> Flow:
    """Look at both hosts, the target first, and choose the road from there."""
    resource = context.resource
    if _on_target(context) is not None:
        return Next(step="move_clean")
    here = context.driver.observe_instance(resource.id)
    if here is not None:
        context.saw_machine(here)
    is_wanted = resource.desired is Desired.RUNNING and resource.generation == resource.settled_generation
    is_ready = here is not None and here.state is Observed.RUNNING and is_wanted
    if not is_ready or _move(context).is_called_off:
        return Next(step="move_back")
    if resource.attempts >= context.settings.attempts_before_clear:
        return Next(step="move_back", problem=resource.problem)
    return Next(step="move_image")


def move_image(context: StepContext) -> Flow:
    """Have the image on the target: the root disk is an overlay of it there too."""
    source = context.facts.image
    if source is None:
        return Next(step="move_back", problem=Problem("image.unknown", {"image": context.resource.instance.image_id}))
    _at_target(context, lambda driver: driver.ensure_image(source, _move(context).storage_pool))
    return Next(step="move_networks")


def move_networks(context: StepContext) -> Flow:
    """Wait until the networks of its cards were seen on the target, its address entries included."""
    going = _going(context)
    bare = replace(going, resource=replace(going.resource, spec=replace(going.resource.instance, disks=())))
    missing, lost = missing_parts(bare)
    if lost is not None:
        return Next(step="move_back", problem=lost.problem)
    if missing:
        return Wait(delay_s=context.settings.parts_s, step="", wake=missing)
    return Next(step="move_over")


def move_over(context: StepContext) -> Flow:
    """Have it run on the target, and not here."""
    driver = context.driver
    if not isinstance(driver, LiveMigrates) or Capability.LIVE_MIGRATION not in driver.capabilities():
        return Next(step="move_back", problem=Problem("moves.not_offered", {"machine": context.resource.name}))
    try:
        found = driver.ensure_migrated(_request(context), context.fence)
    except Permanent as fault:
        return Next(step="move_back", problem=fault.problem)
    context.saw_machine(found)
    return Next(step="move_clean")


def move_clean(context: StepContext) -> Flow:
    """It has arrived: take away what it left here."""
    resource, facts = context.resource, context.facts
    context.driver.ensure_absent(resource.id, facts.storage_pool, context.fence)
    for volume_id, pool in facts.volume_pools.items():
        context.driver.ensure_volume_absent(volume_id, pool, context.fence)
    return Next(step="move_seen")


def move_seen(context: StepContext) -> Flow:
    """Look once more, after the last write: gone from here, and there."""
    if _has_any(context, context.driver.observe()):
        return Wait(delay_s=context.settings.backoff_first_s, step="", is_failure=True)
    found = _on_target(context)
    if found is None:
        context.saw(Observed.ABSENT, has_shape=False)
    else:
        context.saw_machine(found)
    return Done(ending=Ending.MOVED)


def move_back(context: StepContext) -> Flow:
    """Have it stay: no older request may take it away any more, and nothing of it is left on the target.

    Only after this host has said that the machine is here under the newest fence, or has its disk, is what the target has
    known to be a copy.
    """
    driver, move = context.driver, _move(context)
    if not isinstance(driver, LiveMigrates) or Capability.LIVE_MIGRATION not in driver.capabilities():
        # It cannot have been asked to move either.
        return _removed_there(context, move)
    if driver.ensure_not_migrating(context.resource.id, context.fence) is None and _has_only_copy_there(context):
        return Next(step="move_clean")
    return _removed_there(context, move)


def _removed_there(context: StepContext, move: MoveFacts) -> Flow:
    def remove(target: ComputeDriver) -> HostObservation:
        target.ensure_absent(context.resource.id, move.storage_pool, context.fence)
        for volume_id, pool in move.volume_pools.items():
            target.ensure_volume_absent(volume_id, pool, context.fence)
        return target.observe()

    if _has_any(context, _at_target(context, remove)):
        return Wait(delay_s=context.settings.backoff_first_s, step="", is_failure=True)
    return Done(ending=Ending.STAYED)


def _has_only_copy_there(context: StepContext) -> bool:
    """Tell whether a machine that is not here is on the target, or at least its disk is and this host has none."""
    resource_id = context.resource.id
    there = _at_target(context, lambda driver: driver.observe())
    if any(i.instance_id == resource_id for i in there.instances):
        return True
    return resource_id in there.volume_ids and resource_id not in context.driver.observe().volume_ids


def volume_travels(context: StepContext) -> Flow:
    """Leave a data disk alone that is on its way with its machine, or comes back with it."""
    owner = context.facts.instance
    return Wait(delay_s=2 * context.settings.parts_s, step="", wake=(owner.id,) if owner is not None else ())


def _move(context: StepContext) -> MoveFacts:
    assert context.facts.move is not None, "a machine is on its way and nobody knows where"
    return context.facts.move


def _on_target(context: StepContext) -> ObservedInstance | None:
    return _at_target(context, lambda driver: driver.observe_instance(context.resource.id))


def _at_target(context: StepContext, ask: Callable[[ComputeDriver], T]) -> T:
    """Ask the target. Its troubles are its own: this host must not be taken for the one that does not answer."""
    assert context.open_target is not None, "a machine is on its way and its target was not opened"
    try:
        return ask(context.open_target())
    except DriverFault as fault:
        if fault.problem.code in HOST_TROUBLE:
            raise Transient("driver.migration_target_unreachable", connection=_move(context).target_connection) from fault
        raise


def _has_any(context: StepContext, seen: HostObservation) -> bool:
    """Tell whether a host shows the machine or one of its disks."""
    ours = {context.resource.id, *(d.volume_id for d in context.resource.instance.disks)}
    return bool(ours & seen.volume_ids) or any(i.instance_id in ours for i in seen.instances)


def _going(context: StepContext) -> StepContext:
    """Return the context as if the machine were on the target already."""
    move = _move(context)
    facts = replace(context.facts, storage_pool=move.storage_pool, volume_pools=move.volume_pools, segments={**move.segments})
    facts = replace(facts, confined_to=move.confined_to)
    return replace(context, resource=replace(context.resource, spec=move.spec), facts=facts)


def _request(context: StepContext) -> MigrationRequest:
    move, going = _move(context), _going(context)
    volumes = tuple(
        VolumeRequest(
            volume_id=volume_id,
            role="data",
            storage_pool=move.volume_pools[volume_id],
            size_gib=context.facts.volumes[volume_id].volume.size_gib,
        )
        for volume_id in sorted(move.volume_pools)
    )
    return MigrationRequest(
        machine=machine_request(going),
        volumes=volumes,
        target_connection=move.target_connection,
        target_id=move.target_id,
    )
