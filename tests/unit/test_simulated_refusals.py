"""What is in use is not taken away and what cannot be is refused by name; once the way is free the same call does it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from drivers.faults import DriverFault, Permanent, Transient
from drivers.powers import BalancerRequest, GatewayRequest, ListenerRequest, PublicAddressRequest, SnapshotRequest, TlsRequest
from drivers.protocol import Capability, DiskRequest, LeaseEntry, MigrationRequest, NicRequest, SegmentRequest
from drivers.simulated.cloud import OUTSIDE
from drivers.simulated.driver import SimulatedDriver
from inventory.domain.errors import CapabilityMissing
from inventory.domain.ids import ResourceId
from tests.support.simulated_harness import HOST, TARGET, Bench, make_bench

CARD = "10.0.0.5"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def _id(bench: Bench, kind: str) -> ResourceId:
    return ResourceId(bench.new_id(kind))


def _refused(kind: type[DriverFault], act: Callable[[], object]) -> str:
    """Return what an act is refused with."""
    with pytest.raises(kind) as caught:
        act()
    return caught.value.problem.code


def _segment(bench: Bench) -> SegmentRequest:
    """Have a network with the address of one card."""
    lease = LeaseEntry(mac="52:54:00:00:00:01", address=CARD, hostname="web-1")
    request = replace(bench.segment(), leases=(lease,))
    bench.driver.ensure_segment(request, 1)
    return request


def _gateway(bench: Bench, segment: SegmentRequest, outside: str = OUTSIDE) -> GatewayRequest:
    return GatewayRequest(
        gateway_id=_id(bench, "gateway"), segment_id=segment.segment_id, address=segment.gateway, outside=outside
    )


def _public(bench: Bench, segment: SegmentRequest, inside: str) -> PublicAddressRequest:
    return PublicAddressRequest(
        address_id=_id(bench, "public_address"), outside=OUTSIDE, segment_id=segment.segment_id, inside=inside
    )


def _balancer(bench: Bench, segment: SegmentRequest) -> BalancerRequest:
    return BalancerRequest(
        balancer_id=_id(bench, "balancer"), title="web", segment_id=segment.segment_id, address="10.0.0.9", listeners=()
    )


def test_a_network_with_a_card_stays_until_its_machine_is_gone(bench: Bench) -> None:
    segment = _segment(bench)
    nic = NicRequest(segment_id=segment.segment_id, mac=segment.leases[0].mac, address=CARD)
    instance_id = bench.create(bench.machine(nics=(nic,)))
    remove = partial(bench.driver.ensure_segment_absent, segment.segment_id, 1)
    assert _refused(Transient, remove) == "driver.segment_in_use"
    assert segment.segment_id in bench.driver.observe().segment_ids
    bench.driver.ensure_absent(instance_id, "default", 1)
    remove()
    assert segment.segment_id not in bench.driver.observe().segment_ids


def test_a_network_with_a_load_balancer_stays_until_it_is_gone(bench: Bench) -> None:
    segment = _segment(bench)
    balancer = _balancer(bench, segment)
    bench.driver.ensure_balancer(balancer, 1)
    remove = partial(bench.driver.ensure_segment_absent, segment.segment_id, 1)
    assert _refused(Transient, remove) == "driver.segment_in_use"
    moved = replace(balancer, address="10.0.0.10")
    assert _refused(Permanent, partial(bench.driver.ensure_balancer, moved, 1)) == "driver.balancer_address_fixed"
    seen = bench.driver.observe_balancer(balancer.balancer_id)
    assert seen is not None
    assert seen.address == "10.0.0.9"
    bench.driver.ensure_balancer_absent(balancer.balancer_id, 1)
    remove()
    assert segment.segment_id not in bench.driver.observe().segment_ids


def test_a_load_balancer_shows_only_certificates_that_are_there(bench: Bench) -> None:
    segment = _segment(bench)
    known = bench.world.put_certificate(HOST, "known")
    web = ListenerRequest(port=443, protocol="http", members=(), tls=TlsRequest(certificate=known))
    balancer = replace(_balancer(bench, segment), listeners=(web,))
    bench.driver.ensure_balancer(balancer, 1)
    unknown = replace(balancer, listeners=(replace(web, tls=TlsRequest(certificate=known, others=("unknown",))),))
    with pytest.raises(Permanent) as caught:
        bench.driver.ensure_balancer(unknown, 1)
    assert (caught.value.problem.code, caught.value.problem.params) == (
        "driver.balancer_certificate_missing",
        {"reference": "unknown"},
    )
    seen = bench.driver.observe_balancer(balancer.balancer_id)
    assert seen is not None
    assert seen.listeners == (web,)


def test_tls_ends_at_listeners_of_http_only() -> None:
    with pytest.raises(ValueError, match="443"):
        ListenerRequest(port=443, protocol="tcp", members=(), tls=TlsRequest(certificate="known"))


def test_a_disk_of_a_machine_stays_until_it_is_taken_out(bench: Bench) -> None:
    volume = bench.volume()
    bench.driver.ensure_volume(volume, 1)
    request = bench.machine(disks=(DiskRequest(volume_id=volume.volume_id, storage_pool="default", slot=0),))
    instance_id = bench.create(request)
    for volume_id in (volume.volume_id, instance_id):
        remove = partial(bench.driver.ensure_volume_absent, volume_id, "default", 1)
        assert _refused(Transient, remove) == "driver.volume_in_use"
    assert {volume.volume_id, instance_id} <= bench.driver.observe().volume_ids
    bench.driver.ensure_defined(replace(request, disks=()), 1)
    bench.driver.ensure_volume_absent(volume.volume_id, "default", 1)
    assert volume.volume_id not in bench.driver.observe().volume_ids


def test_a_disk_is_never_made_smaller(bench: Bench) -> None:
    volume = bench.volume(size_gib=5)
    bench.driver.ensure_volume(volume, 1)
    smaller = replace(volume, size_gib=4)
    assert _refused(Permanent, partial(bench.driver.ensure_volume, smaller, 1)) == "driver.volume_shrink"
    assert bench.host.volumes[volume.volume_id].size_gib == 5


def test_a_disk_with_a_copy_stays_and_a_copy_that_is_gone_makes_none(bench: Bench) -> None:
    volume, other = bench.volume(), bench.volume()
    bench.driver.ensure_volume(volume, 1)
    copy = SnapshotRequest(snapshot_id=_id(bench, "snapshot"), volume_id=volume.volume_id)
    bench.driver.ensure_snapshot(copy, 1)
    remove = partial(bench.driver.ensure_volume_absent, volume.volume_id, "default", 1)
    assert _refused(Transient, remove) == "driver.volume_has_snapshots"
    bench.driver.ensure_snapshot_absent(copy.snapshot_id, 1)
    restore = partial(bench.driver.ensure_volume_of_snapshot, other, copy.snapshot_id, 1)
    assert _refused(Transient, restore) == "driver.snapshot_missing"
    remove()
    assert bench.driver.observe().volume_ids == frozenset()


def test_a_gateway_stays_while_an_address_leads_through_it(bench: Bench) -> None:
    segment = _segment(bench)
    gateway, public = _gateway(bench, segment), _public(bench, segment, CARD)
    bench.driver.ensure_gateway(gateway, 1)
    bench.driver.ensure_public_address(public, 1)
    remove = partial(bench.driver.ensure_gateway_absent, gateway.gateway_id, 1)
    assert _refused(Transient, remove) == "driver.gateway_in_use"
    bench.driver.ensure_public_address_absent(public.address_id, 1)
    remove()
    assert bench.driver.gateway_ids() == frozenset()


def test_nothing_leads_to_a_network_or_a_card_that_nobody_knows(bench: Bench) -> None:
    segment = _segment(bench)
    nowhere = _gateway(bench, segment, outside="nowhere")
    assert _refused(Permanent, partial(bench.driver.ensure_gateway, nowhere, 1)) == "driver.outside_unknown"
    stray = _public(bench, segment, "10.0.0.44")
    assert _refused(Transient, partial(bench.driver.ensure_public_address, stray, 1)) == "driver.card_missing"
    assert (bench.driver.gateway_ids(), list(bench.driver.public_addresses())) == (frozenset(), [])


def test_a_machine_that_does_not_run_has_no_screen_and_does_not_travel(bench: Bench) -> None:
    target = bench.world.add_host(TARGET)
    request = bench.machine()
    instance_id = bench.create(request)
    travel = partial(
        bench.driver.ensure_migrated,
        MigrationRequest(
            machine=request, volumes=(), target_connection=f"simulated://{bench.world.name}/{TARGET}", target_id=TARGET
        ),
        1,
    )
    bench.world.cut(TARGET)
    assert _refused(Transient, travel) == "driver.migration_target_unreachable"
    bench.world.heal(TARGET)
    bench.driver.ensure_stopped(instance_id, 1, graceful_s=0)
    assert _refused(Transient, travel) == "driver.not_running"
    assert _refused(Transient, partial(bench.driver.screen_url, instance_id)) == "driver.not_running"
    assert (instance_id in bench.host.machines, instance_id in target.machines) == (True, False)


@pytest.mark.parametrize("power", [Capability.CONSOLE_LOG, Capability.LIVE_MIGRATION, Capability.SNAPSHOTS, Capability.STATS])
def test_a_power_that_is_not_there_is_said_to_be_missing(bench: Bench, power: Capability) -> None:
    instance_id = bench.create(bench.machine())
    lesser = SimulatedDriver(bench.world, bench.world.hosts[HOST], without=power)
    acts: dict[Capability, Callable[[], object]] = {
        Capability.CONSOLE_LOG: partial(lesser.console_log, instance_id, 1),
        Capability.LIVE_MIGRATION: partial(lesser.ensure_not_migrating, instance_id, 1),
        Capability.SNAPSHOTS: lesser.snapshots,
        Capability.STATS: lesser.stats,
    }
    with pytest.raises(CapabilityMissing) as caught:
        acts[power]()
    assert (caught.value.code, caught.value.params) == ("driver.capability_missing", {"capability": str(power.name).lower()})
