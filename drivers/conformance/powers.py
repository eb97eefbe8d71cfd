"""Powers beyond the core: what is declared works, what is not declared raises ``CapabilityMissing`` (or is not there)."""

from collections.abc import Callable
from dataclasses import replace

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, expect, expect_fault
from drivers.powers import Balances, CountsUsage, Filters, HasScreen, KeepsDepartments, ReachesOutside, Snapshots
from drivers.protocol import Capability, DriverEvent, Evacuates, HasConsole, HasEvents, HasStats, LiveMigrates
from inventory.domain.errors import CapabilityMissing
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed

_PROTOCOLS = {
    Capability.CONSOLE_LOG: HasConsole,
    Capability.STATS: HasStats,
    Capability.EVENTS: HasEvents,
    Capability.LIVE_MIGRATION: LiveMigrates,
    Capability.EVACUATION: Evacuates,
    Capability.SNAPSHOTS: Snapshots,
    Capability.OUTSIDE: ReachesOutside,
    Capability.FILTERS: Filters,
    Capability.LOAD_BALANCERS: Balances,
    Capability.BALANCER_TLS: Balances,
    Capability.SCREEN: HasScreen,
    Capability.DEPARTMENTS: KeepsDepartments,
    Capability.USAGE: CountsUsage,
}
_METHODS = {
    Capability.CONSOLE_LOG: "console_log",
    Capability.STATS: "stats",
    Capability.EVENTS: "subscribe",
    Capability.LIVE_MIGRATION: "ensure_not_migrating",
    Capability.EVACUATION: "ensure_abandoned",
    Capability.SNAPSHOTS: "snapshots",
    Capability.OUTSIDE: "public_addresses",
    Capability.FILTERS: "rules",
    Capability.LOAD_BALANCERS: "balancer_ids",
    Capability.SCREEN: "screen_url",
    Capability.DEPARTMENTS: "department_codes",
    Capability.USAGE: "counted",
}


@check()
def declared_powers_have_their_methods(scene: Scene) -> None:
    """A declared power comes with its protocol."""
    for power, protocol in _PROTOCOLS.items():
        expect(not scene.can(power) or isinstance(scene.driver, protocol), f"{power} is declared without {protocol.__name__}")


@check()
def undeclared_powers_are_refused(scene: Scene) -> None:
    """The method of a power that is not declared is not there or raises ``CapabilityMissing``."""
    instance_id = scene.instance_id()
    arguments: dict[Capability, tuple[object, ...]] = {
        Capability.CONSOLE_LOG: (instance_id, 100),
        Capability.STATS: (),
        Capability.EVENTS: (lambda _event: None,),
        Capability.LIVE_MIGRATION: (instance_id, scene.fence),
        Capability.EVACUATION: (instance_id, scene.fence),
        Capability.SNAPSHOTS: (),
        Capability.OUTSIDE: (),
        Capability.FILTERS: (ResourceId(scene.harness.new_id("segment")),),
        Capability.LOAD_BALANCERS: (),
        Capability.SCREEN: (instance_id,),
        Capability.DEPARTMENTS: (),
        Capability.USAGE: (0, 1),
    }
    for power, values in arguments.items():
        if not scene.can(power):
            _expect_refused(scene, _METHODS[power], values)


def _expect_refused(scene: Scene, method: str, values: tuple[object, ...]) -> None:
    function: Callable[..., object] | None = getattr(scene.driver, method, None)
    if function is not None:
        expect_fault(CapabilityMissing, lambda: function(*values), f"{method} works although it is not declared")


@check(lacks=Capability.NETWORKS)
def networks_are_refused_where_there_are_none(scene: Scene) -> None:
    """A driver without networks says so."""
    segment = scene.segment()
    expect_fault(CapabilityMissing, lambda: scene.driver.ensure_segment(segment, scene.fence), "a network was accepted")


@check(lacks=Capability.RESIZE_COLD)
def a_resize_is_refused_where_it_is_not_declared(scene: Scene) -> None:
    """A driver without cold resize says so."""
    request = scene.defined()
    wanted = replace(request, vcpu_count=scene.harness.resized_vcpu_count)
    expect_fault(CapabilityMissing, lambda: scene.driver.ensure_defined(wanted, scene.fence), "a resize was accepted")


@check(lacks=Capability.ATTACH_LIVE)
def a_live_attach_is_refused_where_it_is_not_declared(scene: Scene) -> None:
    """A driver without live attachment says so."""
    request, data = scene.running(), scene.data_volume()
    scene.driver.ensure_volume(data, scene.fence)
    wanted = scene.with_disks(request, data)
    expect_fault(CapabilityMissing, lambda: scene.driver.ensure_defined(wanted, scene.fence), "a live attach was accepted")


@check(needs=Capability.CONSOLE_LOG)
def the_console_shows_what_the_guest_wrote(scene: Scene) -> None:
    """There are bytes after a while, and never more than asked for: the last ones."""
    driver, instance_id = scene.driver, scene.running().instance_id
    if not isinstance(driver, HasConsole):
        return
    read = driver.console_log
    expect(scene.wait_for(lambda: len(read(instance_id, 65_536)) > 0), "the console stays empty")
    expect(len(read(instance_id, 4)) <= 4, "more bytes than asked for")
    if scene.driver.ensure_stopped(instance_id, scene.fence, graceful_s=0).state is Observed.STOPPED:
        whole = read(instance_id, 1 << 20)
        expect(read(instance_id, 4) == whole[-4:], "not the end of the log")


@check(needs=Capability.STATS)
def stats_are_of_running_machines_only(scene: Scene) -> None:
    """One entry for each running machine of ours, none for stopped ones."""
    driver = scene.driver
    running, stopped = scene.running().instance_id, scene.defined().instance_id
    if not isinstance(driver, HasStats):
        return
    found = [s.instance_id for s in driver.stats()]
    expect(found.count(running) == 1, "no counters (or two sets) of the running machine")
    expect(stopped not in found, "counters of a stopped machine")
    expect(all((s.cpu_time_ns or 0) >= 0 for s in driver.stats()), "a negative counter")


@check(needs=Capability.EVENTS)
def events_tell_that_a_machine_moved(scene: Scene) -> None:
    """Of a few starts and stops at least one is told to another connection."""
    watcher = scene.harness.open_driver()
    told: list[DriverEvent] = []
    if isinstance(watcher, HasEvents):
        watcher.subscribe(told.append)
    instance_id = scene.defined().instance_id
    for _ in range(3):
        scene.driver.ensure_running(instance_id, scene.fence)
        scene.driver.ensure_stopped(instance_id, scene.fence, graceful_s=0)
    expect(scene.wait_for(lambda: any(e.instance_id == instance_id for e in told)), "nothing was told")
    watcher.close()


CHECKS = (
    declared_powers_have_their_methods,
    undeclared_powers_are_refused,
    networks_are_refused_where_there_are_none,
    a_resize_is_refused_where_it_is_not_declared,
    a_live_attach_is_refused_where_it_is_not_declared,
    the_console_shows_what_the_guest_wrote,
    stats_are_of_running_machines_only,
    events_tell_that_a_machine_moved,
)
