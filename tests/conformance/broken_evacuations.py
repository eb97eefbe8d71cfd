"""Drivers that break the protocol of evacuation, each in one way."""

from dataclasses import replace

from drivers.protocol import MachineRequest, ObservedInstance
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.ids import ResourceId

NEWEST = 1 << 40


class LeavesDisksBehind(SimulatedDriver):
    """Brings the machine back and forgets its data disks."""

    def ensure_evacuated(self, request: MachineRequest, fence: int) -> ObservedInstance | None:
        found = super().ensure_evacuated(request, fence)
        machine = self.host.machines.get(request.instance_id)
        if found is None or machine is None:
            return found
        for volume_id in machine.disks:
            self.host.volumes.pop(volume_id, None)
        return replace(found)


class BringsBackForAnybody(SimulatedDriver):
    """Looks at no fence."""

    def ensure_evacuated(self, request: MachineRequest, fence: int) -> ObservedInstance | None:
        return super().ensure_evacuated(request, max(fence, NEWEST))


class MakesWhatNeverWas(SimulatedDriver):
    """Makes a machine where there is none to bring back."""

    def ensure_evacuated(self, request: MachineRequest, fence: int) -> ObservedInstance | None:
        found = super().ensure_evacuated(request, fence)
        if found is None:
            if request.root.image is not None:
                self.ensure_image(request.root.image, request.root.storage_pool)
            self.ensure_volume(request.root, fence)
            self.ensure_defined(request, fence)
            return self.ensure_running(request.instance_id, fence)
        return found


class AbandonsNothing(SimulatedDriver):
    """Says that it took the machine away, and leaves all of it to the host that was lost."""

    def ensure_abandoned(self, instance_id: ResourceId, fence: int) -> None:
        return


BROKEN_EVACUATIONS = {
    LeavesDisksBehind: "a_machine_of_a_lost_host_runs_on_another_with_its_disks",
    BringsBackForAnybody: "an_older_hold_brings_nothing_back",
    MakesWhatNeverWas: "nothing_is_brought_back_where_there_was_nothing",
    AbandonsNothing: "an_abandoned_machine_leaves_disks_that_can_be_removed",
}
