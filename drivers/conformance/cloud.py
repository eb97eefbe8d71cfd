"""Copies of disks, ways outside, rules, and the screen: powers of a cloud."""

from dataclasses import replace
from ipaddress import ip_network

from drivers.conformance.check import check
from drivers.conformance.scene import CheckFailed, Scene, card, code_of, expect, expect_fault, lease
from drivers.faults import DriverFault, Permanent, StaleFence, Transient
from drivers.powers import (
    CountsUsage,
    Filters,
    GatewayRequest,
    HasScreen,
    KeepsDepartments,
    PublicAddressRequest,
    ReachesOutside,
    RuleEntry,
    SnapshotRequest,
    Snapshots,
)
from drivers.protocol import Capability, SegmentRequest, VolumeRequest
from inventory.domain.ids import ResourceId

NO_SUCH_NETWORK = "conformance-no-such-network"
WEB = RuleEntry(protocol="tcp", first_port=80, last_port=80, cidr="0.0.0.0/0")
NAMES = RuleEntry(protocol="udp", first_port=53, last_port=53, cidr="192.0.2.0/24")
PINGS = RuleEntry(protocol="icmp", first_port=0, last_port=0, cidr="0.0.0.0/0")


def snapshots_of(scene: Scene) -> Snapshots:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, Snapshots):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


def outside_of(scene: Scene) -> ReachesOutside:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, ReachesOutside):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


def filters_of(scene: Scene) -> Filters:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, Filters):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


def screen_of(scene: Scene) -> HasScreen:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, HasScreen):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


def departments_of(scene: Scene) -> KeepsDepartments:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, KeepsDepartments):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


def counting_of(scene: Scene) -> CountsUsage:
    """Return the driver as what it declares to be."""
    if not isinstance(scene.driver, CountsUsage):
        raise CheckFailed("the power is declared without its methods")
    return scene.driver


# -- copies of disks --------------------------------------------------------------------------------------------------


@check(needs=Capability.SNAPSHOTS)
def a_disk_is_copied_once_and_the_copy_goes(scene: Scene) -> None:
    """A copy knows its disk and size, is not taken again, and is removed as often as asked."""
    driver = snapshots_of(scene)
    request = _copied(scene, replace(scene.data_volume(), size_gib=2))
    for _ in range(2):
        seen = driver.ensure_snapshot(request, scene.newer_fence())
        found = (seen.snapshot_id, seen.volume_id, seen.size_gib, seen.fence)
        expect(found == (request.snapshot_id, request.volume_id, 2, scene.fence), f"the copy shows as {found}")
        listed = [s for s in driver.snapshots() if s.snapshot_id == request.snapshot_id]
        expect(listed == [seen], f"listed are {listed}")
    for _ in range(2):
        driver.ensure_snapshot_absent(request.snapshot_id, scene.fence)
    expect(all(s.snapshot_id != request.snapshot_id for s in driver.snapshots()), "a removed copy is listed")


@check(needs=Capability.SNAPSHOTS)
def the_disks_of_a_running_machine_are_copied(scene: Scene) -> None:
    """The root disk and a data disk are copied while they are used."""
    driver, data = snapshots_of(scene), scene.data_volume()
    scene.driver.ensure_volume(data, scene.fence)
    machine = scene.with_disks(scene.machine(), data)
    scene.define(machine)
    scene.driver.ensure_running(machine.instance_id, scene.fence)
    for volume_id in (machine.instance_id, data.volume_id):
        request = SnapshotRequest(snapshot_id=scene.snapshot_id(), volume_id=volume_id)
        expect(driver.ensure_snapshot(request, scene.fence).volume_id == volume_id, "the copy is of another disk")


@check(needs=Capability.SNAPSHOTS)
def a_copy_of_a_disk_that_is_not_there_is_transient(scene: Scene) -> None:
    """Nothing is copied, and nothing is listed."""
    driver = snapshots_of(scene)
    request = SnapshotRequest(snapshot_id=scene.snapshot_id(), volume_id=scene.data_volume().volume_id)
    expect_fault(Transient, lambda: driver.ensure_snapshot(request, scene.fence), "a copy of nothing was taken")
    expect(all(s.snapshot_id != request.snapshot_id for s in driver.snapshots()), "a copy of nothing is listed")


@check(needs=Capability.SNAPSHOTS)
def a_disk_with_copies_is_not_deleted(scene: Scene) -> None:
    """Deleting it is refused for now; when the copies are gone it goes."""
    driver, data = snapshots_of(scene), scene.data_volume()
    request = _copied(scene, data)
    driver.ensure_snapshot(request, scene.fence)
    pool = scene.harness.storage_pool
    fault = expect_fault(
        Transient, lambda: scene.driver.ensure_volume_absent(data.volume_id, pool, scene.fence), "a disk with copies was deleted"
    )
    expect(code_of(fault) == "driver.volume_has_snapshots", f"the refusal says {code_of(fault)}")
    expect(data.volume_id in scene.driver.observe().volume_ids, "a disk with copies is gone")
    driver.ensure_snapshot_absent(request.snapshot_id, scene.fence)
    scene.driver.ensure_volume_absent(data.volume_id, pool, scene.fence)
    expect(data.volume_id not in scene.driver.observe().volume_ids, "the disk stayed")


@check(needs=Capability.SNAPSHOTS)
def a_disk_is_made_of_a_copy(scene: Scene) -> None:
    """It may be larger than the copy, never smaller, and may be asked for twice."""
    driver = snapshots_of(scene)
    request = _copied(scene, replace(scene.data_volume(), size_gib=2))
    driver.ensure_snapshot(request, scene.fence)
    small, large = scene.data_volume(), replace(scene.data_volume(), size_gib=3)
    fault = expect_fault(
        Permanent,
        lambda: driver.ensure_volume_of_snapshot(small, request.snapshot_id, scene.fence),
        "a disk smaller than its copy was made",
    )
    expect(code_of(fault) == "driver.volume_shrink", f"the refusal says {code_of(fault)}")
    for _ in range(2):
        driver.ensure_volume_of_snapshot(large, request.snapshot_id, scene.newer_fence())
    expect(large.volume_id in scene.driver.observe().volume_ids, "the disk is not there")
    driver.ensure_snapshot_absent(request.snapshot_id, scene.fence)
    driver.ensure_volume_of_snapshot(large, request.snapshot_id, scene.fence)


@check(needs=Capability.SNAPSHOTS)
def a_stale_copy_is_refused(scene: Scene) -> None:
    """An old hold neither takes nor removes a copy."""
    driver = snapshots_of(scene)
    request, old = _copied(scene, scene.data_volume()), scene.fence
    driver.ensure_snapshot(request, scene.newer_fence())
    expect_fault(StaleFence, lambda: driver.ensure_snapshot(request, old), "a stale copy was accepted")
    expect_fault(StaleFence, lambda: driver.ensure_snapshot_absent(request.snapshot_id, old), "a stale removal was accepted")
    expect(any(s.snapshot_id == request.snapshot_id for s in driver.snapshots()), "the stale removal removed the copy")


def _copied(scene: Scene, data: VolumeRequest) -> SnapshotRequest:
    scene.driver.ensure_volume(data, scene.fence)
    return SnapshotRequest(snapshot_id=scene.snapshot_id(), volume_id=data.volume_id)


# -- ways outside -----------------------------------------------------------------------------------------------------


@check(needs=Capability.OUTSIDE, probes=("outside",))
def an_address_outside_leads_where_it_is_asked_to(scene: Scene) -> None:
    """It leads to a card, to another one, and nowhere; it stays the same address, and goes."""
    driver, segment = outside_of(scene), _connected(scene)
    inside = [entry.address for entry in segment.leases]
    request = _public(scene, segment, inside[0])
    address = ""
    for wanted in (inside[0], inside[0], inside[1], "", inside[0]):
        seen = driver.ensure_public_address(replace(request, inside=wanted), scene.newer_fence())
        expect((seen.inside, seen.fence) == (wanted, scene.fence), f"it leads to {seen.inside or 'nothing'}")
        expect(seen.address == (address or seen.address), "the address changed")
        address = seen.address
        listed = [a for a in driver.public_addresses() if a.address_id == request.address_id]
        expect(listed == [seen], f"listed are {listed}")
    for _ in range(2):
        driver.ensure_public_address_absent(request.address_id, scene.fence)
    expect(all(a.address_id != request.address_id for a in driver.public_addresses()), "a removed address is listed")


@check(needs=Capability.OUTSIDE, probes=("outside",))
def a_gateway_is_not_removed_while_addresses_lead_through_it(scene: Scene) -> None:
    """Neither is the network it belongs to; when they are gone, both go."""
    driver, segment = outside_of(scene), _connected(scene)
    request = _public(scene, segment, segment.leases[0].address)
    driver.ensure_public_address(request, scene.fence)
    (gateway_id,) = scene.gateways
    fault = expect_fault(Transient, lambda: driver.ensure_gateway_absent(gateway_id, scene.fence), "a gateway in use was removed")
    expect(code_of(fault) == "driver.gateway_in_use", f"the refusal says {code_of(fault)}")
    expect(gateway_id in driver.gateway_ids(), "a gateway in use is gone")
    fault = expect_fault(
        Transient,
        lambda: scene.driver.ensure_segment_absent(segment.segment_id, scene.fence),
        "a network was removed under its gateway",
    )
    expect(code_of(fault) == "driver.segment_in_use", f"the refusal says {code_of(fault)}")
    driver.ensure_public_address_absent(request.address_id, scene.fence)
    for _ in range(2):
        driver.ensure_gateway_absent(gateway_id, scene.fence)
    expect(gateway_id not in driver.gateway_ids(), "the gateway stayed")
    scene.driver.ensure_segment_absent(segment.segment_id, scene.fence)


@check(needs=Capability.OUTSIDE, probes=("outside",))
def an_unknown_network_outside_is_refused(scene: Scene) -> None:
    """A gateway to it is refused for good and not made to another one instead."""
    driver, segment = outside_of(scene), scene.segment()
    scene.driver.ensure_segment(segment, scene.fence)
    request = replace(_gateway(scene, segment), outside=NO_SUCH_NETWORK)
    fault = expect_fault(Permanent, lambda: driver.ensure_gateway(request, scene.fence), "an unknown network was accepted")
    expect(code_of(fault) == "driver.outside_unknown", f"the refusal says {code_of(fault)}")
    expect(request.gateway_id not in driver.gateway_ids(), "the gateway is there all the same")


@check(needs=Capability.OUTSIDE, probes=("outside",))
def stale_ways_outside_are_refused(scene: Scene) -> None:
    """An old hold changes neither gateway nor address."""
    driver, segment, old = outside_of(scene), _connected(scene), scene.fence
    gateway, request = replace(_gateway(scene, segment), gateway_id=scene.gateways[0]), _public(scene, segment, "")
    scene.newer_fence()
    driver.ensure_gateway(gateway, scene.fence)
    driver.ensure_public_address(request, scene.fence)
    for name, act in {
        "ensure_gateway": lambda: driver.ensure_gateway(gateway, old),
        "ensure_gateway_absent": lambda: driver.ensure_gateway_absent(gateway.gateway_id, old),
        "ensure_public_address_absent": lambda: driver.ensure_public_address_absent(request.address_id, old),
    }.items():
        expect_fault(StaleFence, act, f"a stale {name} was accepted")
    expect_fault(StaleFence, lambda: driver.ensure_public_address(request, old), "a stale address was accepted")
    expect(gateway.gateway_id in driver.gateway_ids(), "the stale removal removed the gateway")


def _connected(scene: Scene) -> SegmentRequest:
    """Make a network with two address entries and a gateway, twice."""
    segment = scene.segment()
    entries = tuple(lease(card(segment, _some_id(scene), number), f"c{number}") for number in (3, 4))
    segment = replace(segment, leases=entries)
    scene.driver.ensure_segment(segment, scene.fence)
    gateway = _gateway(scene, segment)
    for _ in range(2):
        outside_of(scene).ensure_gateway(gateway, scene.fence)
    expect(gateway.gateway_id in outside_of(scene).gateway_ids(), "the gateway is not listed")
    return segment


def _gateway(scene: Scene, segment: SegmentRequest) -> GatewayRequest:
    address, outside = str(ip_network(segment.cidr)[2]), scene.harness.outside or ""
    return GatewayRequest(
        gateway_id=scene.gateway_id(),
        segment_id=segment.segment_id,
        address=address,
        outside=outside,
        department=segment.department,
    )


def _public(scene: Scene, segment: SegmentRequest, inside: str) -> PublicAddressRequest:
    return PublicAddressRequest(
        address_id=scene.public_address_id(),
        outside=scene.harness.outside or "",
        segment_id=segment.segment_id,
        inside=inside,
        department=segment.department,
    )


def _some_id(scene: Scene) -> ResourceId:
    return ResourceId(scene.harness.new_id("instance"))


# -- rules ------------------------------------------------------------------------------------------------------------


@check(needs=Capability.FILTERS)
def exactly_the_rules_named_let_traffic_in(scene: Scene) -> None:
    """Rules come and go with each request, outlive a change of address entries, and obey the network's fence."""
    driver, segment = filters_of(scene), scene.segment()
    scene.driver.ensure_segment(segment, scene.fence)
    expect(driver.rules(segment.segment_id) == frozenset(), "a new network lets something in")
    for wanted in ((WEB,), (WEB, NAMES), (WEB, NAMES), (NAMES, PINGS), ()):
        driver.ensure_rules(segment.segment_id, wanted, scene.newer_fence())
        entry = lease(card(segment, _some_id(scene), 5), "c5")
        scene.driver.ensure_segment(replace(segment, leases=(entry,)), scene.fence)
        expect(driver.rules(segment.segment_id) == frozenset(wanted), f"let in is {driver.rules(segment.segment_id)}")
    old = scene.fence - 1
    expect_fault(StaleFence, lambda: driver.ensure_rules(segment.segment_id, (WEB,), old), "stale rules were accepted")
    expect(driver.rules(segment.segment_id) == frozenset(), "stale rules took effect")


@check(needs=Capability.FILTERS)
def rules_of_a_missing_network_are_transient(scene: Scene) -> None:
    """They are refused for now, not remembered and not ignored."""
    driver, segment = filters_of(scene), scene.segment()
    fault = expect_fault(
        DriverFault, lambda: driver.ensure_rules(segment.segment_id, (WEB,), scene.fence), "rules of no network were accepted"
    )
    expect(code_of(fault) == "driver.segment_missing", f"the refusal says {code_of(fault)}")


# -- a machine's screen -----------------------------------------------------------------------------------------------


@check(needs=Capability.SCREEN)
def the_screen_of_a_running_machine_has_an_address(scene: Scene) -> None:
    """It is an address for a browser; a stopped machine has none."""
    driver, machine = screen_of(scene), scene.running()
    url = driver.screen_url(machine.instance_id)
    expect(url.startswith(("http://", "https://")), f"the address is {url!r}")
    scene.driver.ensure_stopped(machine.instance_id, scene.fence, graceful_s=0)
    expect_fault(Transient, lambda: driver.screen_url(machine.instance_id), "a stopped machine has a screen")


# -- departments ------------------------------------------------------------------------------------------------------


@check(needs=Capability.DEPARTMENTS)
def a_departments_place_goes_when_it_is_empty(scene: Scene) -> None:
    """It comes with the first thing made for it, stays while there is one, and goes as often as asked."""
    driver, data = departments_of(scene), scene.data_volume()
    scene.driver.ensure_volume(data, scene.fence)
    expect(data.department in driver.department_codes(), "the department has no place")
    fault = expect_fault(Transient, lambda: driver.ensure_department_absent(data.department), "a place in use was removed")
    expect(code_of(fault) == "driver.department_in_use", f"the refusal says {code_of(fault)}")
    expect(data.volume_id in scene.driver.observe().volume_ids, "the disk is gone with it")
    scene.driver.ensure_volume_absent(data.volume_id, scene.harness.storage_pool, scene.fence)
    for _ in range(2):
        driver.ensure_department_absent(data.department)
    expect(data.department not in driver.department_codes(), "the place stayed")
    scene.driver.ensure_volume(data, scene.fence)
    expect(data.department in driver.department_codes(), "the place does not come again")


# -- what the back end counts -----------------------------------------------------------------------------------------


@check(needs=Capability.USAGE)
def a_machine_is_counted_from_its_start(scene: Scene) -> None:
    """One that runs is counted once, as ours, at its size, and not in a window before it."""
    driver, machine = counting_of(scene), scene.running()
    now_s = int(scene.driver.observe().observed_at_s)
    found = [m for m in driver.counted(now_s - 86_400, now_s + 86_400) if m.instance_id == machine.instance_id]
    expect(len(found) == 1, f"it is counted {len(found)} times")
    expect(found[0].vcpu_count == machine.vcpu_count and found[0].ended_s is None, f"it is counted as {found[0]}")
    expect(0 < found[0].begun_s <= now_s, f"it began at {found[0].begun_s}")
    early = driver.counted(now_s - 200_000, now_s - 100_000)
    expect(all(m.instance_id != machine.instance_id for m in early), "it is counted before it was made")


CHECKS = (
    a_disk_is_copied_once_and_the_copy_goes,
    the_disks_of_a_running_machine_are_copied,
    a_copy_of_a_disk_that_is_not_there_is_transient,
    a_disk_with_copies_is_not_deleted,
    a_disk_is_made_of_a_copy,
    a_stale_copy_is_refused,
    an_address_outside_leads_where_it_is_asked_to,
    a_gateway_is_not_removed_while_addresses_lead_through_it,
    an_unknown_network_outside_is_refused,
    stale_ways_outside_are_refused,
    exactly_the_rules_named_let_traffic_in,
    rules_of_a_missing_network_are_transient,
    the_screen_of_a_running_machine_has_an_address,
    a_departments_place_goes_when_it_is_empty,
    a_machine_is_counted_from_its_start,
)
