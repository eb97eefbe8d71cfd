"""Steps of a machine whose disks outlived the host it was lost with: it is brought back elsewhere, and never made anew over them.

Nothing here clears anything away. A host that does not take the machine is left for another one, and what nobody takes waits.
"""

from controller.workflows.create import machine_request
from controller.workflows.engine import Done, Ending, Flow, Next, StepContext
from drivers.faults import Permanent
from drivers.protocol import Capability, Evacuates
from inventory.domain.errors import CapabilityMissing
from inventory.domain.resource import Observed

#: A host does not take a machine: another one may.
_REFUSED = "driver.evacuation_failed"


def evacuate(context: StepContext) -> Flow:
    """Have the machine here with its disks, then look what is still to be done; where there is none, see what is left of it."""
    try:
        found = _driver(context).ensure_evacuated(machine_request(context), context.fence)
    except Permanent as fault:
        if fault.problem.code != _REFUSED:
            raise
        return Next(step="pass_on", problem=fault.problem)
    if found is not None:
        context.saw_machine(found)
        return Next(step="look")
    context.saw(Observed.ABSENT, has_shape=False)
    return Next(step="vanished" if context.resource.settled_generation > 0 else "image")


def pass_on(_context: StepContext) -> Flow:
    """Have another host asked for."""
    return Done(ending=Ending.PASSED_ON)


def abandon(context: StepContext) -> Flow:
    """Have no machine where it was lost: it is not wanted any more. Its disks are removed here, as others are."""
    _driver(context).ensure_abandoned(context.resource.id, context.fence)
    return Next(step="remove")


def _driver(context: StepContext) -> Evacuates:
    driver = context.driver
    if not isinstance(driver, Evacuates) or Capability.EVACUATION not in driver.capabilities():
        raise CapabilityMissing("driver.capability_missing", capability="evacuation")
    return driver
