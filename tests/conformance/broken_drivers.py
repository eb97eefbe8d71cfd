"""Drivers that break the protocol, each in one way somebody has really broken it. The suite must fail every one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from drivers.faults import DriverFault, OutcomeUnknown, Permanent, StaleFence, Transient
from drivers.protocol import (
    DriverEvent,
    HostObservation,
    ImageSource,
    InstanceStats,
    MachineRequest,
    ObservedInstance,
    SegmentRequest,
    VolumeRequest,
)
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.host import HostFacts
from inventory.domain.ids import ResourceId, is_id
from inventory.domain.resource import Observed

NEWEST = 1 << 40


class ForgetsFenceOnStart(SimulatedDriver):
    """Starts for anybody."""

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        machine = self.host.machines.get(instance_id)
        return super().ensure_running(instance_id, max(fence, machine.fence if machine else fence))


class ForgetsFenceOnDelete(SimulatedDriver):
    """Deletes for anybody."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        super().ensure_absent(instance_id, storage_pool, NEWEST)


class ForgetsFenceOfNetworks(SimulatedDriver):
    """Stores the fence of a network once and never again."""

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        known = self.host.segments.get(request.segment_id)
        super().ensure_segment(request, fence)
        if known is not None:
            known.fence = min(known.fence, 10)


class StoresFenceOnlyAtCreation(SimulatedDriver):
    """Keeps the fence a machine was made with, so that an old hold comes back in."""

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        machine = self.host.machines.get(instance_id)
        before = machine.fence if machine else fence
        found = super().ensure_running(instance_id, fence)
        if machine is not None:
            machine.fence = before
        return found


class CreateIsNotIdempotent(SimulatedDriver):
    """Fails when the disk is already there."""

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        if request.volume_id in self.host.volumes:
            raise Permanent("driver.already_exists", resource_id=request.volume_id)
        super().ensure_volume(request, fence)


class DeleteIsNotIdempotent(SimulatedDriver):
    """Fails when the machine is already gone."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        if instance_id not in self.host.machines:
            raise Permanent("driver.instance_missing", instance_id=instance_id)
        super().ensure_absent(instance_id, storage_pool, fence)


class RestartsOnEveryStart(SimulatedDriver):
    """Boots a machine that runs already."""

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        super().ensure_running(instance_id, fence)
        number = self.host.machines[instance_id].reboots + 1
        return self.reboot(instance_id, fence, graceful_s=0, number=number)


class DeletesForeign(SimulatedDriver):
    """Clears the host of what it does not know."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        super().ensure_absent(instance_id, storage_pool, fence)
        self.host.foreign.clear()


class ListsForeignAsOurs(SimulatedDriver):
    """Takes every machine on the host for its own."""

    def observe(self) -> HostObservation:
        seen = super().observe()
        taken = tuple(
            ObservedInstance(
                instance_id=ResourceId("inst_" + f.uuid.replace("-", "")),
                state=Observed.RUNNING,
                fence=0,
                vcpu_count=f.vcpu_count,
                memory_mib=f.memory_mib,
            )
            for f in seen.foreign
        )
        return replace(seen, instances=seen.instances + taken, foreign=())


class HidesForeign(SimulatedDriver):
    """Shows ours only, so that foreign machines eat capacity unseen."""

    def observe(self) -> HostObservation:
        return replace(super().observe(), foreign=())


class ReportsNoneOnError(SimulatedDriver):
    """Says "there is none" when it cannot know."""

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        try:
            return super().observe_instance(instance_id)
        except Transient:
            return None


class ReportsEmptyOnError(SimulatedDriver):
    """Shows an empty host when it cannot know."""

    def observe(self) -> HostObservation:
        try:
            return super().observe()
        except Transient:
            return HostObservation(instances=(), foreign=(), volume_ids=frozenset(), segment_ids=frozenset(), observed_at_s=0.0)


class CallsUnreachableAbsent(SimulatedDriver):
    """Takes a host that does not answer for one that has nothing."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        try:
            super().ensure_absent(instance_id, storage_pool, fence)
        except Transient:
            return


class AbsentLeavesTheRootDisk(SimulatedDriver):
    """Removes the definition only."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        root = self.host.volumes.get(instance_id)
        super().ensure_absent(instance_id, storage_pool, fence)
        if root is not None:
            self.host.volumes[instance_id] = root


class AbsentLeavesTheSeed(SimulatedDriver):
    """Leaves a file with the department's user data behind."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        seed = self.host.seeds.get(instance_id)
        super().ensure_absent(instance_id, storage_pool, fence)
        if seed is not None:
            self.host.seeds[instance_id] = seed


class AbsentWithoutDefinitionDoesNothing(SimulatedDriver):
    """Takes "no definition" for "nothing to do": the disk of a create that died stays."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        if instance_id in self.host.machines:
            super().ensure_absent(instance_id, storage_pool, fence)


class AbsentTakesDataDisks(SimulatedDriver):
    """Deletes data nobody asked to delete."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        machine = self.host.machines.get(instance_id)
        super().ensure_absent(instance_id, storage_pool, fence)
        for volume_id in machine.disks if machine else ():
            self.host.erase_volume(volume_id)


class DeletesDisksInUse(SimulatedDriver):
    """Pulls a data disk out of the machine it is in."""

    def ensure_volume_absent(self, volume_id: ResourceId, storage_pool: str, fence: int) -> None:
        try:
            super().ensure_volume_absent(volume_id, storage_pool, fence)
        except StaleFence:
            raise
        except Transient:
            if self.host.unreachable_until_s:
                raise
            self.host.erase_volume(volume_id)


class ResizeAdds(SimulatedDriver):
    """Adds the wished memory to what is there."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        known = self.host.machines.get(request.instance_id)
        if known is not None and request.memory_mib != known.memory_mib:
            request = replace(request, memory_mib=known.memory_mib + request.memory_mib)
        super().ensure_defined(request, fence)


class ResizeIsForgotten(SimulatedDriver):
    """Defines a machine once and believes that was it."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        known = self.host.machines.get(request.instance_id)
        if known is not None:
            request = replace(request, vcpu_count=known.vcpu_count, memory_mib=known.memory_mib)
        super().ensure_defined(request, fence)


class StopLies(SimulatedDriver):
    """Reports the wish, not what it saw."""

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        seen = self.observe_instance(instance_id)
        if seen is None:
            return super().ensure_stopped(instance_id, fence, graceful_s=graceful_s)
        return replace(seen, state=Observed.STOPPED)


class StartLies(SimulatedDriver):
    """Reports running before anything runs."""

    def ensure_running(self, instance_id: ResourceId, fence: int) -> ObservedInstance:
        seen = self.observe_instance(instance_id)
        if seen is None:
            return super().ensure_running(instance_id, fence)
        return replace(seen, state=Observed.RUNNING)


class SwallowsOutcomeUnknown(SimulatedDriver):
    """Takes silence for success."""

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        try:
            super().ensure_volume(request, fence)
        except OutcomeUnknown:
            return


class DoesNotVerifyImages(SimulatedDriver):
    """Believes the hash it was told."""

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        self._call("ensure_image", image.image_id, lambda: self.host.put_image(image, storage_pool, lambda _image: True))


class KeepsCorruptImages(SimulatedDriver):
    """Refuses the image, and leaves its bytes in the pool."""

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        try:
            super().ensure_image(image, storage_pool)
        except Permanent:
            self.host.images.add((storage_pool, image.sha256))
            raise


class UploadsEveryTime(SimulatedDriver):
    """Sends the image for every machine."""

    def ensure_image(self, image: ImageSource, storage_pool: str) -> None:
        self.host.images.discard((storage_pool, image.sha256))
        super().ensure_image(image, storage_pool)


class UsesAnotherPool(SimulatedDriver):
    """Puts a disk into the default pool when the one asked for is not there."""

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        super().ensure_volume(replace(request, storage_pool="default"), fence)


class OnlyAddsLeases(SimulatedDriver):
    """Never takes an address entry away."""

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        known = self.host.segments.get(request.segment_id)
        macs = {entry.mac for entry in request.leases}
        kept = tuple(e for e in known.leases if e.mac not in macs) if known else ()
        addresses = {entry.address for entry in request.leases}
        kept = tuple(e for e in kept if e.address not in addresses)
        super().ensure_segment(replace(request, leases=request.leases + kept), fence)


class NeverDetaches(SimulatedDriver):
    """Adds disks and never takes one out."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        super().ensure_defined(request, fence)
        machine = self.host.machines[request.instance_id]
        kept = self.host.seeds.get(ResourceId(request.instance_id + "/disks"), 0)
        machine.seen = None
        if len(machine.disks) < kept:
            machine.disks += tuple(v for v in self.host.volumes if self.host.volumes[v].role == "data" and v not in machine.disks)
        self.host.seeds[ResourceId(request.instance_id + "/disks")] = max(kept, len(machine.disks))


class CountsStoppedMachines(SimulatedDriver):
    """Gives counters of machines that do not run."""

    def stats(self) -> Sequence[InstanceStats]:
        return [*super().stats(), *(InstanceStats(instance_id=m) for m, x in self.host.machines.items() if not x.is_running)]


class IgnoresMaxBytes(SimulatedDriver):
    """Sends the whole console log."""

    def console_log(self, instance_id: ResourceId, max_bytes: int) -> bytes:
        return super().console_log(instance_id, max(max_bytes, 1 << 20))


class TellsNothing(SimulatedDriver):
    """Accepts listeners and forgets them."""

    def subscribe(self, listener: Callable[[DriverEvent], None]) -> None:
        return


class RemembersInsteadOfLooking(SimulatedDriver):
    """Answers from what it did itself, not from the back end."""

    def observe_instance(self, instance_id: ResourceId) -> ObservedInstance | None:
        if instance_id not in _REMEMBERED.setdefault(id(self), {}):
            found = super().observe_instance(instance_id)
            if found is None:
                return None
            _REMEMBERED[id(self)][instance_id] = found
        return _REMEMBERED[id(self)][instance_id]

    def close(self) -> None:
        _REMEMBERED.pop(id(self), None)
        super().close()


#: The driver has slots, so its broken memory lives here.
_REMEMBERED: dict[int, dict[ResourceId, ObservedInstance]] = {}


class MissesNetworks(SimulatedDriver):
    """Observes machines and disks only."""

    def observe(self) -> HostObservation:
        return replace(super().observe(), segment_ids=frozenset())


class InventsMissingMachines(SimulatedDriver):
    """Calls a machine that is not there stopped."""

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        try:
            return super().ensure_stopped(instance_id, fence, graceful_s=graceful_s)
        except StaleFence:
            raise
        except DriverFault:
            return ObservedInstance(instance_id=instance_id, state=Observed.STOPPED, fence=fence, vcpu_count=0, memory_mib=0)


class ShrinksDisks(SimulatedDriver):
    """Answers a smaller size with success."""

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        known = self.host.volumes.get(request.volume_id)
        super().ensure_volume(replace(request, size_gib=max(request.size_gib, known.size_gib if known else 0)), fence)


class CallsEveryStopAShutdown(SimulatedDriver):
    """Writes the reason it hoped for."""

    def ensure_stopped(self, instance_id: ResourceId, fence: int, *, graceful_s: float) -> ObservedInstance:
        return replace(super().ensure_stopped(instance_id, fence, graceful_s=graceful_s), reason="shutdown")


class StartsWhatItDefines(SimulatedDriver):
    """Creates and starts in one go."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        super().ensure_defined(request, fence)
        super().ensure_running(request.instance_id, fence)


class LeavesNetworks(SimulatedDriver):
    """Never removes a network."""

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        return


class NetworkDeleteIsNotIdempotent(SimulatedDriver):
    """Fails when the network is already gone."""

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        if segment_id not in self.host.segments:
            raise Permanent("driver.segment_missing", segment_id=segment_id)
        super().ensure_segment_absent(segment_id, fence)


class NeverMakesAnIdAgain(SimulatedDriver):
    """Refuses an id that was deleted once."""

    def ensure_volume(self, request: VolumeRequest, fence: int) -> None:
        if request.volume_id in self.host.gone:
            raise Permanent("driver.volume_missing", volume_id=request.volume_id)
        super().ensure_volume(request, fence)


class RebootsForAnybody(SimulatedDriver):
    """Looks at no fence."""

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        machine = self.host.machines[instance_id]
        self.host.boot(machine)
        return self.host.look(machine)


class RebootLies(SimulatedDriver):
    """Calls a machine rebooted that does not run."""

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        machine = self.host.machines[instance_id]
        return replace(self.host.look(machine), state=Observed.RUNNING)


class RebootOnlyStops(SimulatedDriver):
    """Forgets the second half of a reboot."""

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        return super().ensure_stopped(instance_id, fence, graceful_s=graceful_s)


class RebootsOnEveryAsking(SimulatedDriver):
    """Keeps no number of the last restart."""

    def reboot(self, instance_id: ResourceId, fence: int, *, graceful_s: float, number: int) -> ObservedInstance:
        self.host.machines[instance_id].reboots = number - 1
        return super().reboot(instance_id, fence, graceful_s=graceful_s, number=number)


class ResizesWhatRuns(SimulatedDriver):
    """Changes the size below a running guest."""

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        machine = self.host.machines.get(request.instance_id)
        if machine is not None and machine.is_running:
            machine.vcpu_count, machine.memory_mib = request.vcpu_count, request.memory_mib
        super().ensure_defined(request, fence)


class RemovesNetworksInUse(SimulatedDriver):
    """Cuts the wire of machines that run."""

    def ensure_segment_absent(self, segment_id: ResourceId, fence: int) -> None:
        segment = self.host.segments.get(segment_id)
        if segment is not None:
            segment.cards.clear()
        super().ensure_segment_absent(segment_id, fence)


class HasNoStats(SimulatedDriver):
    """Declares counters and has none."""

    stats: Any = None


class LooksTwoWays(SimulatedDriver):
    """Leaves the fence out of the big observation."""

    def observe(self) -> HostObservation:
        seen = super().observe()
        return replace(seen, instances=tuple(replace(i, fence=0) for i in seen.instances))


class KnowsNothingOfItsStorage(SimulatedDriver):
    """Describes a host without storage pools."""

    def inspect_host(self) -> HostFacts:
        return replace(super().inspect_host(), storage=())


class MakesRootsThatGoWithTheirMachines(SimulatedDriver):
    """Calls its storage one whose root disks come and go with their machines, and has them before."""

    def inspect_host(self) -> HostFacts:
        facts = super().inspect_host()
        return replace(facts, storage=tuple(replace(s, roots_only=True) for s in facts.storage))


class ShowsNoRootWithoutItsMachine(SimulatedDriver):
    """Has root disks that stay, and shows none whose machine is not there: nobody would clear it away."""

    def observe(self) -> HostObservation:
        seen = super().observe()
        machines = {i.instance_id for i in seen.instances}
        return replace(seen, volume_ids=frozenset(v for v in seen.volume_ids if v in machines or not is_id(v, "instance")))


#: Broken driver -> a check that must fail because of it (others may fail too).
BROKEN: dict[type[SimulatedDriver], str] = {
    ForgetsFenceOnStart: "a_stale_start_is_refused",
    ForgetsFenceOnDelete: "a_stale_delete_is_refused",
    ForgetsFenceOfNetworks: "a_stale_network_change_is_refused",
    StoresFenceOnlyAtCreation: "every_act_stores_its_fence",
    CreateIsNotIdempotent: "every_ensure_may_run_twice",
    DeleteIsNotIdempotent: "absent_of_what_never_existed",
    RestartsOnEveryStart: "the_whole_create_may_run_twice",
    DeletesForeign: "a_foreign_machine_is_listed_and_left_alone",
    ListsForeignAsOurs: "a_foreign_machine_is_listed_and_left_alone",
    HidesForeign: "a_foreign_machine_is_listed_and_left_alone",
    ReportsNoneOnError: "an_unreachable_host_is_a_fault_never_an_answer",
    ReportsEmptyOnError: "an_unreachable_host_is_a_fault_never_an_answer",
    CallsUnreachableAbsent: "an_unreachable_host_is_a_fault_never_an_answer",
    AbsentLeavesTheRootDisk: "absent_when_it_runs",
    AbsentLeavesTheSeed: "absent_leaves_no_file_behind",
    AbsentWithoutDefinitionDoesNothing: "absent_when_there_is_only_a_root_disk",
    AbsentTakesDataDisks: "a_data_disk_survives_its_machine",
    DeletesDisksInUse: "a_disk_in_use_is_not_deleted",
    ResizeAdds: "a_cold_resize_changes_what_is_observed",
    ResizeIsForgotten: "a_cold_resize_changes_what_is_observed",
    StopLies: "what_a_verb_returns_is_what_is_observed",
    StartLies: "what_a_verb_returns_is_what_is_observed",
    SwallowsOutcomeUnknown: "a_lost_request_is_never_a_success",
    DoesNotVerifyImages: "a_corrupt_image_is_refused",
    KeepsCorruptImages: "a_corrupt_image_leaves_nothing",
    UploadsEveryTime: "an_image_is_uploaded_once",
    UsesAnotherPool: "an_unknown_storage_pool_is_refused",
    OnlyAddsLeases: "address_entries_are_exactly_those_named",
    NeverDetaches: "a_data_disk_is_attached_and_detached_while_it_runs",
    CountsStoppedMachines: "stats_are_of_running_machines_only",
    IgnoresMaxBytes: "the_console_shows_what_the_guest_wrote",
    TellsNothing: "events_tell_that_a_machine_moved",
    RemembersInsteadOfLooking: "a_second_connection_sees_the_same",
    MissesNetworks: "observe_shows_what_was_made_and_only_that",
    ShrinksDisks: "a_disk_is_never_shrunk",
    CallsEveryStopAShutdown: "a_forced_stop_is_not_called_a_shutdown",
    StartsWhatItDefines: "a_machine_is_stopped_until_it_is_started",
    LeavesNetworks: "a_network_goes_away",
    NetworkDeleteIsNotIdempotent: "absent_of_a_network_that_never_existed",
    NeverMakesAnIdAgain: "a_removed_machine_can_be_made_again",
    RebootsForAnybody: "a_stale_reboot_is_refused",
    RebootOnlyStops: "a_reboot_ends_running",
    RebootsOnEveryAsking: "an_ordered_reboot_happens_once",
    RebootLies: "a_reboot_of_a_stopped_machine_tells_the_truth",
    ResizesWhatRuns: "a_running_machine_is_not_resized",
    RemovesNetworksInUse: "a_network_in_use_is_not_removed",
    HasNoStats: "declared_powers_have_their_methods",
    LooksTwoWays: "one_look_and_the_whole_look_agree",
    KnowsNothingOfItsStorage: "the_host_is_described",
    MakesRootsThatGoWithTheirMachines: "absent_when_there_is_only_a_root_disk",
    ShowsNoRootWithoutItsMachine: "absent_when_there_is_only_a_root_disk",
    InventsMissingMachines: "starting_a_removed_machine_is_transient",
}


class LiesAboutPowers(SimulatedDriver):
    """Does what it says it cannot: the planner would never have checked its limits."""

    def stats(self) -> Sequence[InstanceStats]:
        return []

    def ensure_segment(self, request: SegmentRequest, fence: int) -> None:
        return

    def ensure_defined(self, request: MachineRequest, fence: int) -> None:
        with self.host.lock:
            self.host.define(request, fence)
