"""Drivers that break the protocol of live migration, each in one way."""

from dataclasses import replace

from drivers.faults import DriverFault, Permanent
from drivers.protocol import MigrationRequest, ObservedInstance
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.ids import ResourceId

NEWEST = 1 << 40


class CopiesInsteadOfMoving(SimulatedDriver):
    """Starts the machine on the target and forgets to end it here."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        instance_id = request.machine.instance_id
        machine = self.host.machines.get(instance_id)
        found = super().ensure_migrated(request, fence)
        if machine is not None:
            self.host.machines[instance_id] = machine
        return found


class LosesDataDisks(SimulatedDriver):
    """Brings over the root disk only."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        bare = replace(request, volumes=(), machine=replace(request.machine, disks=()))
        return super().ensure_migrated(bare, fence)


class MigratesOnce(SimulatedDriver):
    """Fails when the machine has left already."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        if request.machine.instance_id not in self.host.machines:
            raise Permanent("driver.instance_missing", instance_id=request.machine.instance_id)
        return super().ensure_migrated(request, fence)


class MigratesForAnybody(SimulatedDriver):
    """Looks at no fence."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        return super().ensure_migrated(request, NEWEST)


class HoldsNothingBack(SimulatedDriver):
    """Looks whether the machine is here, and lets the older migration come."""

    def ensure_not_migrating(self, instance_id: ResourceId, fence: int) -> ObservedInstance | None:
        return self.observe_instance(instance_id)


class RemembersWhatLeft(SimulatedDriver):
    """Answers with the machine as it was before it left."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        found = super().ensure_migrated(request, fence)
        _LEFT[request.machine.instance_id] = found
        return found

    def ensure_not_migrating(self, instance_id: ResourceId, fence: int) -> ObservedInstance | None:
        return super().ensure_not_migrating(instance_id, fence) or _LEFT.get(instance_id)


_LEFT: dict[ResourceId, ObservedInstance] = {}


class StartsWhatItMigrates(SimulatedDriver):
    """Turns a stopped machine on to move it."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        if request.machine.instance_id in self.host.machines:
            self.ensure_running(request.machine.instance_id, fence)
        return super().ensure_migrated(request, fence)


class KillsWhatItCannotMigrate(SimulatedDriver):
    """Stops the machine first and looks for its place then."""

    def ensure_migrated(self, request: MigrationRequest, fence: int) -> ObservedInstance:
        try:
            return super().ensure_migrated(request, fence)
        except DriverFault:
            machine = self.host.machines.get(request.machine.instance_id)
            if machine is not None and machine.is_running:
                self.host.halt(machine, "destroyed")
            raise


class RemovalFollowsTheMachine(SimulatedDriver):
    """Removes the machine wherever it is by now."""

    def ensure_absent(self, instance_id: ResourceId, storage_pool: str, fence: int) -> None:
        super().ensure_absent(instance_id, storage_pool, fence)
        for other in self.world.hosts.values():
            machine = other.machines.get(instance_id)
            if machine is not None:
                other.forget_machine(machine)


#: Broken driver -> a check that must fail because of it.
BROKEN_MIGRATIONS: dict[type[SimulatedDriver], str] = {
    CopiesInsteadOfMoving: "a_migrated_machine_runs_there_and_not_here",
    LosesDataDisks: "a_migrated_machine_keeps_its_data_disks",
    MigratesOnce: "a_migration_may_be_asked_for_twice",
    MigratesForAnybody: "a_stale_migration_is_refused",
    HoldsNothingBack: "holding_a_machine_back_refuses_older_migrations",
    RemembersWhatLeft: "holding_back_a_machine_that_left_says_so",
    StartsWhatItMigrates: "a_stopped_machine_is_not_migrated",
    KillsWhatItCannotMigrate: "a_migration_that_cannot_be_leaves_the_machine_running",
    RemovalFollowsTheMachine: "what_is_left_here_is_removed_without_touching_the_target",
}
