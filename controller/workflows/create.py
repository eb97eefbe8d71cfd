"""Steps that make things: disks and networks by themselves; a machine from its image, its parts and its root disk.

Source of the order: DESIGN §4. A machine waits until its volumes and networks were *seen*, then gets its root disk, its
definition, and starts.
"""

from controller.workflows.engine import Done, Ending, Fail, Flow, Next, StepContext, Wait
from drivers.protocol import DiskRequest, Launches, MachineRequest, Mates, NicRequest, SegmentRequest, VolumeRequest
from inventory.domain.errors import Problem
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Desired, InstanceSpec, Observed, Phase, Resource
from inventory.domain.system import SpreadLevel


def volume(context: StepContext) -> Flow:
    """Have the data disk, at least as big as wanted."""
    resource = context.resource
    spec = resource.volume
    request = VolumeRequest(
        volume_id=resource.id,
        role="data",
        storage_pool=context.facts.storage_pool,
        size_gib=spec.size_gib,
        department=context.facts.department,
        may_remake=resource.settled_generation == 0,
        title=title_of(context),
    )
    context.driver.ensure_volume(request, context.fence)
    context.saw(Observed.PRESENT)
    return Done(ending=Ending.SETTLED)


def segment(context: StepContext) -> Flow:
    """Have the department network with the address entries of today; one nobody uses is given up."""
    resource, facts = context.resource, context.facts
    if not facts.leases:
        return Done(ending=Ending.RETIRED)
    spec = resource.segment
    request = SegmentRequest(
        segment_id=resource.id, cidr=spec.cidr, gateway=spec.gateway, department=facts.department, leases=facts.leases
    )
    context.driver.ensure_segment(request, context.fence)
    context.saw(Observed.PRESENT)
    return Done(ending=Ending.SETTLED, detail={"leases": sorted(lease_key(e.mac, e.address) for e in facts.leases)})


def lease_key(mac: str, address: str) -> str:
    """Return how an applied address entry is remembered."""
    return f"{mac}={address}"


def image(context: StepContext) -> Flow:
    """Have the image in the storage pool."""
    source = context.facts.image
    if source is None:
        return Fail(problem=Problem("image.unknown", {"image": context.resource.instance.image_id}))
    context.driver.ensure_image(source, context.facts.storage_pool)
    return Next(step="parts")


def parts(context: StepContext) -> Flow:
    """Wait until every data disk and every network of the machine was seen, its own address entries included."""
    missing, lost = missing_parts(context)
    if lost is not None:
        problem = lost.problem or Problem("step.part_failed", {"name": lost.name})
        if context.resource.settled_generation > 0:
            return Fail(problem=problem)
        return Next(step="clear", problem=problem)
    if missing:
        return Wait(delay_s=context.settings.parts_s, step="parts", wake=missing)
    return Next(step="root_disk")


def missing_parts(context: StepContext) -> tuple[tuple[ResourceId, ...], Resource | None]:
    """Return the parts that are not there yet, and one that will never be."""
    facts, missing = context.facts, []
    for disk in context.resource.instance.disks:
        found = facts.volumes.get(disk.volume_id)
        if found is None or found.observed is not Observed.PRESENT:
            if found is not None and (found.step == "hopeless" or found.phase is Phase.FAILED):
                return (), found
            missing.append(disk.volume_id)
    for nic in context.resource.instance.nics:
        network = facts.segments.get(nic.segment_id)
        if network is not None and network.step == "hopeless":
            return (), network
        if network is None or not _serves(network, nic.mac, nic.address):
            missing.append(nic.segment_id)
    return tuple(dict.fromkeys(missing)), None


def _serves(network: Resource, mac: str, address: str) -> bool:
    is_there = network.observed is Observed.PRESENT and network.desired is Desired.PRESENT
    return is_there and lease_key(mac, address) in network.detail.get("leases", ())


def root_disk(context: StepContext) -> Flow:
    """Have the root disk, an overlay of the image."""
    context.driver.ensure_volume(root_request(context), context.fence)
    return Next(step="define")


def define(context: StepContext) -> Flow:
    """Have the definition, complete: shape, disks, cards, seed; running at once where the back end starts what it makes.

    A machine that is left running or standing still as somebody had it only gets its definition.
    """
    driver, request = context.driver, machine_request(context)
    if context.found is not None and context.leaves_run(context.found):
        driver.ensure_defined(request, context.fence)
        return Done(ending=Ending.SETTLED)
    if isinstance(driver, Launches) and context.resource.desired is Desired.RUNNING:
        launched = driver.ensure_launched(request, context.fence)
        if context.found is None:
            context.saw_machine(launched)
            context.is_launched = True
    else:
        driver.ensure_defined(request, context.fence)
    return Next(step="start" if context.resource.desired is Desired.RUNNING else "halt")


def start(context: StepContext) -> Flow:
    """Have it running. What ran before is not restarted by it: an ordered restart is still to come.

    What this run made, and saw running at once, is not asked for again.
    """
    if context.is_launched:
        return Done(ending=Ending.SETTLED)
    ran_before = context.found is not None and context.found.state is Observed.RUNNING
    context.saw_machine(context.driver.ensure_running(context.resource.id, context.fence))
    if ran_before and context.resource.is_reboot_due:
        return Next(step="reboot")
    return Done(ending=Ending.SETTLED)


def root_request(context: StepContext) -> VolumeRequest:
    """Return the request for the root disk."""
    spec = context.resource.instance
    return VolumeRequest(
        volume_id=context.resource.id,
        role="root",
        storage_pool=context.facts.storage_pool,
        size_gib=spec.root_disk_gib,
        image=context.facts.image,
        department=context.facts.department,
        may_remake=context.resource.settled_generation == 0,
        title=title_of(context),
    )


def title_of(context: StepContext) -> str:
    """Return what a person calls a machine or a disk."""
    name, system = context.resource.name, context.facts.system
    return f"{system}-{name}" if system else name


def machine_request(context: StepContext) -> MachineRequest:
    """Return the complete definition of a machine."""
    resource, facts = context.resource, context.facts
    spec = resource.instance
    disks = [DiskRequest(volume_id=d.volume_id, storage_pool=facts.volume_pools[d.volume_id], slot=d.slot) for d in spec.disks]
    return MachineRequest(
        instance_id=resource.id,
        title=title_of(context),
        hostname=resource.name,
        vcpu_count=spec.vcpu_count,
        memory_mib=spec.memory_mib,
        root=root_request(context),
        disks=tuple(disks),
        nics=tuple(NicRequest(segment_id=n.segment_id, mac=n.mac, address=n.address) for n in spec.nics),
        user_data=spec.user_data,
        ssh_keys=spec.ssh_keys,
        seat=spec.seat,
        shared_cpus="" if spec.seat else facts.confined_to,
        system=facts.system,
        department=facts.department,
        mates=mates_of(spec, facts.system),
    )


def mates_of(spec: InstanceSpec, system: str) -> Mates | None:
    """Return who shares a rule with a machine that a host cannot be trusted to keep by itself, being many.

    A hard rule that keeps machines apart was kept already: no host, whatever is behind it, was given more than it says.
    """
    if not spec.spread or spec.spread == SpreadLevel.HOST.value:
        return None
    is_hard = not spec.spread.startswith("soft-")
    return Mates(name=f"{system}-{spec.group}", is_together="same-" in spec.spread, is_hard=is_hard)
