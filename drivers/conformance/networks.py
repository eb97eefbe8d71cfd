"""Department networks and their address entries."""

from dataclasses import replace
from functools import partial

from drivers.conformance.check import check
from drivers.conformance.scene import Scene, card, expect, expect_fault, lease
from drivers.faults import Transient
from drivers.protocol import Capability, LeaseEntry
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed


@check(needs=Capability.NETWORKS, probes=("leases_of",))
def address_entries_are_exactly_those_named(scene: Scene) -> None:
    """Entries come, change and go with each request, in any order, also when nothing changed."""
    segment = scene.segment()
    entries = [lease(card(segment, _some_id(scene), number), f"c{number}") for number in (3, 4, 5)]
    moved = replace(entries[0], address=entries[2].address)
    for wanted in ((), entries[:2], entries[:2], entries[1:], [entries[1], moved], []):
        scene.driver.ensure_segment(replace(segment, leases=tuple(wanted)), scene.newer_fence())
        found = _leases(scene, segment.segment_id)
        expect(found == set(wanted), f"the network has {sorted(e.address for e in found)}")


@check(needs=Capability.NETWORKS)
def two_networks_do_not_disturb_each_other(scene: Scene) -> None:
    """Removing one network leaves the other."""
    first, second = scene.segment(), scene.segment()
    for segment in (first, second):
        scene.driver.ensure_segment(segment, scene.fence)
    scene.driver.ensure_segment_absent(first.segment_id, scene.fence)
    found = scene.driver.observe().segment_ids
    expect(second.segment_id in found and first.segment_id not in found, "the wrong network is gone")


@check(needs=Capability.NETWORKS)
def a_machine_runs_on_its_network_while_entries_change(scene: Scene) -> None:
    """Entries are added to a network in use without a stop of its machines."""
    segment = scene.segment()
    request = scene.machine(segment)
    entry = lease(request.nics[0], request.hostname)
    scene.driver.ensure_segment(replace(segment, leases=(entry,)), scene.fence)
    scene.define(request)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    other = lease(card(segment, _some_id(scene), 5), "other")
    scene.driver.ensure_segment(replace(segment, leases=(entry, other)), scene.newer_fence())
    expect(scene.seen(request.instance_id).state is Observed.RUNNING, "the machine stopped")
    expect(segment.segment_id in scene.driver.observe().segment_ids, "the network is gone")


@check(needs=Capability.NETWORKS)
def a_network_in_use_is_not_removed(scene: Scene) -> None:
    """While a machine runs on it, the network stays; when the machine is gone, it goes."""
    segment = scene.segment()
    request = scene.machine(segment)
    scene.driver.ensure_segment(segment, scene.fence)
    scene.define(request)
    scene.driver.ensure_running(request.instance_id, scene.fence)
    remove = partial(scene.driver.ensure_segment_absent, segment.segment_id, scene.fence)
    expect_fault(Transient, remove, "a network in use was removed")
    expect(segment.segment_id in scene.driver.observe().segment_ids, "a network in use is gone")
    scene.make_absent(request.instance_id)
    remove()
    expect(segment.segment_id not in scene.driver.observe().segment_ids, "the removed network is still there")


@check(needs=Capability.NETWORKS, probes=("meddle_rules",))
def a_network_that_lets_through_more_is_shown_and_put_right(scene: Scene) -> None:
    """What somebody lets through beside what is asked for is seen by looking, and taken back; the network stays."""
    first, second = scene.segment(), scene.segment()
    for segment in (first, second):
        scene.driver.ensure_segment(segment, scene.fence)
    expect(not scene.driver.observe().loose_segment_ids, "nobody changed anything, and a network is said to be loose")
    assert scene.harness.meddle_rules is not None
    scene.harness.meddle_rules(first.segment_id)
    seen = scene.driver.observe()
    expect(seen.loose_segment_ids == {first.segment_id}, f"these are shown as loose: {sorted(seen.loose_segment_ids)}")
    expect(first.segment_id in seen.segment_ids, "a loose network counts as gone")
    scene.driver.ensure_segment(first, scene.newer_fence())
    expect(not scene.driver.observe().loose_segment_ids, "the network is still loose")


def _some_id(scene: Scene) -> ResourceId:
    return ResourceId(scene.harness.new_id("instance"))


def _leases(scene: Scene, segment_id: ResourceId) -> set[LeaseEntry]:
    probe = scene.harness.leases_of
    return set() if probe is None else set(probe(segment_id))


CHECKS = (
    address_entries_are_exactly_those_named,
    two_networks_do_not_disturb_each_other,
    a_machine_runs_on_its_network_while_entries_change,
    a_network_in_use_is_not_removed,
    a_network_that_lets_through_more_is_shown_and_put_right,
)
