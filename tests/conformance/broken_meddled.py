"""Drivers that do not see, or do not put right, what somebody did to a running machine behind their back."""

from dataclasses import replace

from drivers.faults import Transient
from drivers.protocol import HostObservation, MachineRequest, ObservedInstance, SegmentRequest
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.ids import ResourceId


class ReadsOnlyWhatRuns(SimulatedDriver):
    """Never looks at the stored definition."""

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        seen = super().observe_instance(instance_id)
        return None if seen is None else replace(seen, stored=None)


class LeavesTheStoredDefinition(SimulatedDriver):
    """Changes what runs and leaves what is stored."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        machine = self.host.machines.get(request.instance_id)
        stored = machine.stored if machine else None
        super().ensure_defined(request, fence)
        if machine is not None:
            machine.stored, machine.seen = stored, None


class ShowsTheDisksItWasAskedFor(SimulatedDriver):
    """Remembers which disks it attached."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        super().ensure_defined(request, fence)
        self.asked = tuple(disk.volume_id for disk in request.disks)

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        seen = super().observe_instance(instance_id)
        return None if seen is None else replace(seen, volume_ids=getattr(self, "asked", seen.volume_ids))


class NeverLooksAtFilters(SimulatedDriver):
    """Takes every card for a filtered one."""

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        seen, machine = super().observe_instance(instance_id), self.host.machines.get(instance_id)
        if seen is None or machine is None or not machine.nics:
            return seen
        return replace(seen, nics=tuple(replace(nic, address=machine.nics[0].address) for nic in seen.nics or ()))


class LeavesCardsAlone(SimulatedDriver):
    """Never touches the card of a running machine."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        machine = self.host.machines.get(request.instance_id)
        meddled = machine.meddled_nics if machine else None
        super().ensure_defined(request, fence)
        if machine is not None:
            machine.meddled_nics, machine.seen = meddled, None


class RefusesBeforeTheCard(SimulatedDriver):
    """Says that a machine must be stopped, and leaves its card without a filter until then."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        machine = self.host.machines.get(request.instance_id)
        if machine is not None and machine.is_running and machine.vcpu_count != request.vcpu_count:
            raise Transient("driver.must_be_stopped", instance=request.instance_id)
        super().ensure_defined(request, fence)


class NeverLooksAtRules(SimulatedDriver):
    """Takes every network that is there for one that is right."""

    def observe(self) -> HostObservation:
        return replace(super().observe(), loose_segment_ids=frozenset())


class LeavesRulesAlone(SimulatedDriver):
    """Writes the entries of a network that is there, and never its rules."""

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        known = self.host.segments.get(request.segment_id)
        is_loose = known is not None and known.is_loose
        super().ensure_segment(request, fence)
        self.host.segments[request.segment_id].is_loose = is_loose


#: Broken driver -> a check that must fail because of it.
BROKEN_MEDDLED: dict[type[SimulatedDriver], str] = {
    ReadsOnlyWhatRuns: "an_edit_of_the_stored_definition_is_shown_and_put_right",
    LeavesTheStoredDefinition: "an_edit_of_the_stored_definition_is_shown_and_put_right",
    ShowsTheDisksItWasAskedFor: "a_disk_that_was_taken_out_is_missed_and_put_back",
    NeverLooksAtFilters: "a_card_without_its_filter_is_shown_and_put_right",
    LeavesCardsAlone: "a_card_in_another_network_is_shown_and_put_right",
    RefusesBeforeTheCard: "a_card_is_put_right_though_the_rest_waits_for_a_stop",
    NeverLooksAtRules: "a_network_that_lets_through_more_is_shown_and_put_right",
    LeavesRulesAlone: "a_network_that_lets_through_more_is_shown_and_put_right",
}
