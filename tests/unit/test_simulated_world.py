"""The world refuses what cannot be, and lets happen what people do behind our back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.faults import Permanent, Transient
from drivers.protocol import DiskRequest, DriverEvent, LeaseEntry, MachineRequest, NicRequest
from drivers.simulated.driver import SimulatedDriver
from drivers.simulated.records import ImpossibleState
from drivers.simulated.world import World, image_is_trusted
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from tests.support.simulated_harness import HOST, Bench, make_bench

NOWHERE = ResourceId("inst_" + "0" * 32)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def _disk(volume_id: ResourceId, slot: int = 0) -> DiskRequest:
    return DiskRequest(volume_id=volume_id, storage_pool="default", slot=slot)


# -- impossible states ----------------------------------------------------------------------------------------------------


def test_start_of_a_machine_never_defined_is_impossible(bench: Bench) -> None:
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_running(NOWHERE, 1)


def test_overlay_without_its_image_is_impossible(bench: Bench) -> None:
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_volume(bench.machine().root, 1)


def test_definition_without_a_root_disk_is_impossible(bench: Bench) -> None:
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_defined(bench.machine(), 1)


def test_definition_with_an_unknown_data_disk_is_impossible(bench: Bench) -> None:
    with pytest.raises(ImpossibleState):
        bench.create(bench.machine(disks=(_disk(bench.volume().volume_id),)))


def test_card_on_a_network_that_never_was_is_impossible(bench: Bench) -> None:
    nic = NicRequest(segment_id=bench.segment().segment_id, mac="52:54:00:00:00:01", address="10.0.0.5")
    with pytest.raises(ImpossibleState):
        bench.create(bench.machine(nics=(nic,)))


def test_disk_in_two_machines_is_impossible(bench: Bench) -> None:
    volume = bench.volume()
    bench.driver.ensure_volume(volume, 1)
    bench.create(bench.machine(disks=(_disk(volume.volume_id),)))
    with pytest.raises(ImpossibleState):
        bench.create(bench.machine(disks=(_disk(volume.volume_id),)))


def test_disk_twice_in_one_machine_is_impossible(bench: Bench) -> None:
    volume = bench.volume()
    bench.driver.ensure_volume(volume, 1)
    with pytest.raises(ImpossibleState):
        bench.create(bench.machine(disks=(_disk(volume.volume_id, 0), _disk(volume.volume_id, 1))))


@pytest.mark.parametrize(("mac", "address"), [("52:54:00:00:00:01", "10.0.0.6"), ("52:54:00:00:00:02", "10.0.0.5")])
def test_two_machines_with_one_mac_or_address_on_a_network_are_impossible(bench: Bench, mac: str, address: str) -> None:
    segment = bench.segment()
    bench.driver.ensure_segment(segment, 1)
    first = NicRequest(segment_id=segment.segment_id, mac="52:54:00:00:00:01", address="10.0.0.5")
    bench.create(bench.machine(nics=(first,)))
    with pytest.raises(ImpossibleState):
        bench.create(bench.machine(nics=(replace(first, mac=mac, address=address),)))


def test_address_is_free_again_after_its_machine_is_gone(bench: Bench) -> None:
    segment = bench.segment()
    bench.driver.ensure_segment(segment, 1)
    nic = NicRequest(segment_id=segment.segment_id, mac="52:54:00:00:00:01", address="10.0.0.5")
    bench.driver.ensure_absent(bench.create(bench.machine(nics=(nic,))), "default", 1)
    bench.create(bench.machine(nics=(nic,)))


def test_two_networks_with_one_range_are_impossible(bench: Bench) -> None:
    bench.driver.ensure_segment(bench.segment(), 1)
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_segment(bench.segment(), 1)


def test_network_that_changes_its_range_is_impossible(bench: Bench) -> None:
    segment = bench.segment()
    bench.driver.ensure_segment(segment, 1)
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_segment(replace(segment, cidr="10.9.0.0/26"), 1)


def test_disk_that_changes_the_image_below_it_is_impossible(bench: Bench) -> None:
    request = bench.machine()
    bench.create(request)
    other = replace(bench.image, sha256="f" * 64)
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_volume(replace(request.root, image=other), 1)


def test_two_address_entries_of_one_address_are_impossible(bench: Bench) -> None:
    leases = tuple(LeaseEntry(mac=f"52:54:00:00:00:0{n}", address="10.0.0.5", hostname="a") for n in (1, 2))
    with pytest.raises(ImpossibleState):
        bench.driver.ensure_segment(replace(bench.segment(), leases=leases), 1)


def test_lenient_world_answers_with_a_fault_instead(tmp_path: Path) -> None:
    world = World(is_strict=False)
    driver = SimulatedDriver(world, world.add_host(HOST))
    with pytest.raises(Transient) as caught:
        driver.ensure_running(NOWHERE, 1)
    assert caught.value.problem.code == "driver.instance_missing"
    with pytest.raises(Transient) as caught:
        driver.ensure_volume(make_bench(tmp_path).machine().root, 1)
    assert caught.value.problem.code == "driver.image_missing"


# -- drift ----------------------------------------------------------------------------------------------------------------


def test_drift_shows_in_the_next_observation(bench: Bench) -> None:
    instance_id = bench.create(bench.machine())
    bench.world.drift_stop(HOST, instance_id, reason="crashed")
    (seen,) = bench.driver.observe().instances
    assert (seen.state, seen.reason) == (Observed.STOPPED, "crashed")
    bench.world.drift_start(HOST, instance_id)
    bench.world.drift_edit(HOST, instance_id, memory_mib=4096)
    (seen,) = bench.driver.observe().instances
    assert (seen.state, seen.vcpu_count, seen.memory_mib) == (Observed.RUNNING, 1, 4096)


def test_detached_disk_shows_in_the_next_observation(bench: Bench) -> None:
    volume = bench.volume()
    bench.driver.ensure_volume(volume, 1)
    instance_id = bench.create(bench.machine(disks=(_disk(volume.volume_id),)))
    bench.world.drift_detach(HOST, instance_id, volume.volume_id)
    assert bench.driver.observe().instances[0].volume_ids == ()
    bench.driver.ensure_volume_absent(volume.volume_id, "default", 1)


def test_vanished_machine_is_a_fault_and_no_bug(bench: Bench) -> None:
    request = bench.machine()
    instance_id = bench.create(request)
    bench.world.drift_vanish(HOST, instance_id)
    assert bench.driver.observe_instance(instance_id) is None
    with pytest.raises(Transient):
        bench.driver.ensure_running(instance_id, 1)
    assert bench.world.hosts_with(instance_id) == [HOST], "the disk should be left"
    bench.create(request)
    bench.world.drift_vanish(HOST, instance_id, with_root_disk=True)
    assert bench.world.hosts_with(instance_id) == []
    with pytest.raises(Transient):
        bench.driver.ensure_defined(request, 1)


def test_foreign_machines_come_and_go(bench: Bench) -> None:
    uuid = bench.world.drift_foreign(HOST, "legacy-db", vcpu_count=8)
    (foreign,) = bench.driver.observe().foreign
    assert (foreign.uuid, foreign.name, foreign.vcpu_count) == (uuid, "legacy-db", 8)
    bench.world.remove_foreign(HOST, uuid)
    assert bench.driver.observe().foreign == ()


def test_power_loss_stops_everything_and_tells_nobody(bench: Bench) -> None:
    instance_id = bench.create(bench.machine())
    told: list[DriverEvent] = []
    bench.driver.subscribe(told.append)
    bench.world.crash_host(HOST, for_s=60)
    with pytest.raises(Transient):
        bench.driver.observe()
    bench.world.heal(HOST)
    seen = bench.driver.observe_instance(instance_id)
    assert seen is not None
    assert (seen.state, seen.reason, told) == (Observed.STOPPED, "crashed", [])


def test_full_storage_is_refused_for_good_and_observed(bench: Bench) -> None:
    bench.world.fill_storage(HOST, "default")
    with pytest.raises(Permanent) as caught:
        bench.driver.ensure_volume(bench.volume(), 1)
    assert caught.value.problem.code == "driver.storage_full"
    assert bench.driver.observe().storage_available_gib == {"default": 0}
    assert bench.driver.inspect_host().storage[0].available_gib == 0


# -- time -----------------------------------------------------------------------------------------------------------------


def test_polite_stop_waits_for_the_guest_and_forces_the_stubborn(bench: Bench) -> None:
    instance_id = bench.create(bench.machine())
    bench.host.shutdown_s = 3.0
    assert bench.driver.ensure_stopped(instance_id, 1, graceful_s=10).reason == "shutdown"
    bench.driver.ensure_running(instance_id, 1)
    bench.world.make_stubborn(HOST, instance_id)
    assert bench.driver.ensure_stopped(instance_id, 1, graceful_s=10).reason == "destroyed"
    assert bench.clock.slept == [3.0, 10]


def test_counters_grow_with_the_virtual_clock(bench: Bench) -> None:
    bench.create(bench.machine())
    before = bench.driver.stats()[0].cpu_time_ns
    bench.clock.now_s += 100
    after = bench.driver.stats()[0].cpu_time_ns
    assert before is not None
    assert after is not None
    assert after > before


def test_running_machine_takes_disks_and_no_other_change(bench: Bench) -> None:
    volume = bench.volume()
    bench.driver.ensure_volume(volume, 1)
    request = bench.machine()
    instance_id = bench.create(request)
    bench.driver.ensure_defined(replace(request, disks=(_disk(volume.volume_id),)), 1)
    with pytest.raises(Transient) as caught:
        bench.driver.ensure_defined(replace(request, memory_mib=1024), 1)
    assert caught.value.problem.code == "driver.must_be_stopped"
    bench.driver.ensure_stopped(instance_id, 1, graceful_s=0)
    bench.driver.ensure_defined(replace(request, memory_mib=1024), 1)
    assert bench.driver.ensure_running(instance_id, 1).memory_mib == 1024


# -- events ---------------------------------------------------------------------------------------------------------------


def test_listeners_hear_until_their_connection_closes_or_the_controller_dies(bench: Bench) -> None:
    told: list[Observed] = []
    bench.driver.subscribe(lambda event: told.append(event.state))
    instance_id = bench.create(bench.machine())
    bench.world.drift_stop(HOST, instance_id)
    assert told == [Observed.RUNNING, Observed.STOPPED]
    other = SimulatedDriver(bench.world, bench.host)
    other.subscribe(lambda event: told.append(event.state))
    bench.driver.close()
    bench.world.drift_start(HOST, instance_id)
    assert len(told) == 3
    bench.world.forget_listeners()
    bench.world.drift_stop(HOST, instance_id)
    assert len(told) == 3


def test_listener_may_call_the_driver(bench: Bench) -> None:
    seen: list[object] = []
    bench.driver.subscribe(lambda event: seen.append(bench.driver.observe_instance(event.instance_id or NOWHERE)))
    instance_id = bench.create(bench.machine())
    assert seen == [bench.driver.observe_instance(instance_id)]


def test_closed_connection_does_nothing_more(bench: Bench) -> None:
    bench.driver.close()
    bench.driver.close()
    with pytest.raises(Transient):
        bench.driver.observe()


# -- images and threads ---------------------------------------------------------------------------------------------------


def test_image_whose_file_is_gone_is_refused(bench: Bench) -> None:
    bench.image.path.unlink()
    with pytest.raises(Permanent) as caught:
        bench.driver.ensure_image(bench.image, "default")
    assert caught.value.problem.code == "driver.image_unreadable"


def test_image_that_changed_on_disk_is_refused_on_the_next_host(bench: Bench) -> None:
    bench.driver.ensure_image(bench.image, "default")
    bench.image.path.write_bytes(b"something else entirely")
    other = SimulatedDriver(bench.world, bench.world.add_host("host-2"))
    with pytest.raises(Permanent) as caught:
        other.ensure_image(bench.image, "default")
    assert caught.value.problem.code == "image.corrupt"


def test_trusting_world_needs_no_file(bench: Bench) -> None:
    bench.world.verify_image = image_is_trusted
    bench.image.path.unlink()
    bench.create(bench.machine())


def test_many_threads_share_a_host_without_losing_a_machine(bench: Bench) -> None:
    requests = [[bench.machine() for _ in range(50)] for _ in range(4)]

    def work(mine: list[MachineRequest]) -> None:
        own = replace(bench, driver=SimulatedDriver(bench.world, bench.host))
        for request in mine:
            own.create(request)
            own.driver.observe()
            own.driver.ensure_stopped(request.instance_id, 2, graceful_s=0)

    with ThreadPoolExecutor(max_workers=4) as pool:
        for done in [pool.submit(work, mine) for mine in requests]:
            done.result(timeout=60)
    seen = bench.driver.observe()
    assert len(seen.instances) == 200
    assert {i.state for i in seen.instances} == {Observed.STOPPED}
    assert bench.host.upload_count == 1


def test_equal_hosts_share_one_description() -> None:
    world = World()
    assert world.add_host("a").spec is world.add_host("b").spec
    assert world.add_host("a") is world.hosts["a"]
