"""Machines moved live between two hypervisors of a region: by a plan of the platform's, and cut, refused and taken back."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import OutcomeUnknown, Permanent, StaleFence
from drivers.openstack.driver import OpenStackDriver
from drivers.powers import SnapshotRequest
from drivers.protocol import Capability, MigrationRequest
from inventory.domain.errors import CapabilityMissing
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from inventory.store import journal
from metering.intervals import intervals
from tests.openstack.cloud import TICKET_S, City, city_of_two
from tests.openstack.harness import STORAGE_POOL, Behind, driver_of, new_id
from tests.openstack.proxy import Lose, Pass, Proxies, once_each, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.wish import Wish, assert_made_once, assert_nothing_left, wish_on
from tests.support.libvirtd import until

#: A compute service that takes nothing is what other tests would see too.
pytestmark = [pytest.mark.openstack, pytest.mark.alone, pytest.mark.timeout(1500)]

HYPERVISORS = ("hv-006", "hv-007")
HERE, THERE = "host_moved_from", "host_moved_to"
ASK, FENCE, LATER = "os-migrateLive", 20, 30
MOVED_S = 200


@pytest.fixture
def town(region: Region, behind: Behind, tmp_path: Path) -> Iterator[City]:
    """A city on two hypervisors with one running machine."""
    with city_of_two(tmp_path / "town", region, behind, HYPERVISORS, "mover") as found:
        yield found


def _planned(town: City, source: str) -> str:
    """Plan to empty a host, have the plan run, and return its id."""
    plan = town.controller.ok("plan-moves", "drain", source, "-o", "json").json
    assert [(s["source"], s["target"]) for s in plan["steps"]] == [(source, _other(source))], plan
    town.controller.ok("plan-moves", "run", plan["id"])
    return str(plan["id"])


def _other(hypervisor: str) -> str:
    return next(h for h in HYPERVISORS if h != hypervisor)


def _show(town: City, plan_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = town.controller.ok("plan-moves", "show", plan_id, "-o", "json").json
    return shown


def _live_migrations(behind: Behind, server_id: str) -> int:
    return sum(a.action == "live-migration" for a in behind.cloud.compute.server_actions(server_id))


def _owner_of(made: list[tuple[str, Any]]) -> set[str]:
    """Return whose the machine and its disks are by their marks."""
    return {x.metadata["allotment_host"] for kind, x in made if kind in ("server", "volume")}


def test_a_plan_empties_a_hypervisor_and_the_machine_keeps_card_disks_and_bill(town: City, behind: Behind) -> None:
    before = town.only()
    [old] = town.servers().values()
    [port] = behind.cloud.network.ports(device_id=old.id)
    plan_id = _planned(town, before["host"])
    until(lambda: _show(town, plan_id)["state"] == "done", TICKET_S, "the plan is done")
    after = town.only()
    [new] = town.servers().values()
    assert (after["id"], after["host"], after["observed"]) == (before["id"], _other(before["host"]), "running")
    assert after["nics"] == before["nics"], "address and MAC are the same"
    assert (new.id, new.hypervisor_hostname, new.status) == (old.id, after["host"], "ACTIVE")
    assert new.launched_at == old.launched_at, "it was not started anew"
    assert {d["id"] for d in new.attached_volumes} == {d["id"] for d in old.attached_volumes}
    [now] = behind.cloud.network.ports(device_id=new.id)
    assert (now.id, now.fixed_ips, now.mac_address) == (port.id, port.fixed_ips, port.mac_address)
    assert now.binding_host_id == after["host"]
    assert len(_owner_of(town.made())) == 1, "machine and disks are one host's"
    assert _live_migrations(behind, new.id) == 1
    _is_billed_without_a_gap(town, ResourceId(after["id"]))
    assert town.controller.ok("get", "findings", "-o", "json").json == []


def _is_billed_without_a_gap(town: City, machine_id: ResourceId) -> None:
    with town.controller.read() as connection:
        rows = journal.of_resource(connection, machine_id)
    found = sorted({(i.start_s, i.end_s) for i in intervals(rows, 0, int(time.time()))})
    assert [r.state for r in rows][-2:] == ["running", "running"], "it ran before, and there"
    assert rows[-1].host_id != rows[-2].host_id
    assert all(a[1] == b[0] for a, b in pairwise(found)), found


def test_a_controller_killed_while_nova_moves_the_machine_ends_the_move(town: City, behind: Behind) -> None:
    before = town.only()
    [server] = town.servers().values()
    plan_id = _planned(town, before["host"])
    until(lambda: _live_migrations(behind, server.id) == 1, TICKET_S, "Nova was asked")
    town.controller.kill()
    town.controller.start()
    until(lambda: _show(town, plan_id)["state"] == "done", TICKET_S, "the plan is done")
    after = town.only()
    assert (after["host"], after["observed"], after["nics"]) == (_other(before["host"]), "running", before["nics"])
    assert _live_migrations(behind, server.id) == 1


def test_a_plan_to_a_hypervisor_that_takes_nothing_stops_and_the_machine_runs_on(town: City, behind: Behind) -> None:
    before = town.only()
    marks = _owner_of(town.made())
    with _closed(behind, _other(before["host"])):
        plan_id = _planned(town, before["host"])
        until(lambda: _show(town, plan_id)["state"] == "stopped", TICKET_S, "the plan has stopped")
    shown = _show(town, plan_id)
    assert [s["problem"]["code"] for s in shown["steps"]] == ["openstack.migration_failed"]
    after = town.only()
    [server] = town.servers().values()
    assert (after["host"], after["observed"], after["nics"]) == (before["host"], "running", before["nics"])
    assert (server.hypervisor_hostname, server.status) == (before["host"], "ACTIVE")
    assert _owner_of(town.made()) == marks
    assert {kind for kind, _ in town.made()} == {"server", "volume", "port", "network", "group"}


@contextmanager
def _closed(behind: Behind, hypervisor: str) -> Iterator[None]:
    """Have a hypervisor take no machine: its compute service is disabled, and reports in."""
    compute = behind.cloud.compute
    service = next(s for s in compute.services(binary="nova-compute") if s.host == hypervisor)
    compute.disable_service(service)
    try:
        yield
    finally:
        compute.enable_service(service)


@pytest.fixture
def proxies(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies in front of the region's services."""
    with proxies_before(region.layout, tmp_path, monkeypatch, wait_s=60) as found:
        yield found


def _driver(hypervisor: str, host_id: str) -> OpenStackDriver:
    driver = driver_of(f"openstack://proxied/{hypervisor}", host_id)
    assert isinstance(driver, OpenStackDriver)
    return driver


@pytest.fixture
def target(proxies: Proxies) -> Iterator[OpenStackDriver]:
    """Where the machine is to go."""
    driver = _driver(HYPERVISORS[1], THERE)
    yield driver
    driver.close()


@pytest.fixture
def wish(proxies: Proxies, target: OpenStackDriver, behind: Behind, tmp_path: Path) -> Iterator[Wish]:
    """A running machine; at the end it is taken away where it is, and nothing of it may be left."""
    found = wish_on(_driver(HYPERVISORS[0], HERE), tmp_path)
    found.make()
    here = found.driver
    yield found
    proxies.treat = lambda _asked: Pass()
    found.fence = 1000
    for driver in (here, target):
        found.driver = driver
        found.have(lambda: found.driver.ensure_absent(found.request.instance_id, STORAGE_POOL, found.fence))
        found.have(lambda: found.driver.ensure_volume_absent(found.data.volume_id, STORAGE_POOL, found.fence))
    found.have(lambda: here.ensure_segment_absent(found.segment.segment_id, found.fence))
    here.close()
    assert_nothing_left(behind, found)


def _asked(wish: Wish) -> MigrationRequest:
    connection = f"openstack://proxied/{HYPERVISORS[1]}"
    return MigrationRequest(machine=wish.request, volumes=(wish.data,), target_connection=connection, target_id=THERE)


def _assert_there(wish: Wish, target: OpenStackDriver, behind: Behind) -> None:
    seen = target.observe_instance(wish.request.instance_id)
    assert seen is not None
    assert (seen.state, seen.volume_ids) == (Observed.RUNNING, (wish.data.volume_id,))
    assert wish.driver.observe_instance(wish.request.instance_id) is None
    assert {wish.request.instance_id, wish.data.volume_id} <= target.observe().volume_ids
    assert not {wish.request.instance_id, wish.data.volume_id} & wish.driver.observe().volume_ids
    [server] = behind.servers(wish.request.instance_id)
    assert (server.hypervisor_hostname, _live_migrations(behind, server.id)) == (HYPERVISORS[1], 1)
    assert_made_once(behind, wish)


def test_a_lost_answer_at_every_call_of_a_move_moves_the_machine_once(
    wish: Wish, target: OpenStackDriver, proxies: Proxies, behind: Behind
) -> None:
    copy = SnapshotRequest(snapshot_id=new_id("snapshot"), volume_id=wish.data.volume_id)
    wish.have(lambda: wish.driver.ensure_snapshot(copy, wish.fence))
    proxies.treat = once_each(Lose(), lambda asked: asked.method in ("POST", "PUT"))
    moved = wish.have(lambda: wish.driver.ensure_migrated(_asked(wish), FENCE))
    lost = [f for f in wish.faults if isinstance(f, OutcomeUnknown)]
    # Where it goes, Nova, and the marks of disks and copy.
    assert len(lost) >= 4, [f.problem for f in wish.faults]
    assert moved == target.observe_instance(wish.request.instance_id)
    _assert_there(wish, target, behind)
    assert [s.snapshot_id for s in target.snapshots()] == [copy.snapshot_id], "a copy goes with its disk"
    target.ensure_snapshot_absent(copy.snapshot_id, 1000)


def test_turning_back_from_a_machine_that_has_arrived_ends_the_move_forward(
    wish: Wish, target: OpenStackDriver, proxies: Proxies, behind: Behind
) -> None:
    proxies.treat = once_each(Lose(), lambda asked: asked.action == ASK)
    with pytest.raises(OutcomeUnknown):
        wish.driver.ensure_migrated(_asked(wish), FENCE)
    seen = target.observe()
    [server] = behind.servers(wish.request.instance_id)
    assert server.id not in {f.uuid for f in seen.foreign}, "one that is on its way here is no stranger"
    assert wish.have(lambda: wish.driver.ensure_not_migrating(wish.request.instance_id, LATER)) is None
    _assert_there(wish, target, behind)
    with pytest.raises(StaleFence):
        target.ensure_running(wish.request.instance_id, FENCE)


def test_a_move_cut_between_two_marks_is_finished_by_the_next(
    wish: Wish, target: OpenStackDriver, proxies: Proxies, behind: Behind
) -> None:
    proxies.treat = lambda asked: Lose() if asked.service == "cinder" and asked.method in ("POST", "PUT") else Pass()
    with pytest.raises(OutcomeUnknown):
        wish.driver.ensure_migrated(_asked(wish), FENCE)
    until(lambda: behind.servers(wish.request.instance_id)[0].hypervisor_hostname == HYPERVISORS[1], MOVED_S, "it is there")
    assert {v.metadata["allotment_host"] for v in behind.volumes(wish.request.instance_id)} == {THERE}
    assert {v.metadata["allotment_host"] for v in behind.volumes(wish.data.volume_id)} == {HERE}
    assert target.observe_instance(wish.request.instance_id) is None
    proxies.treat = lambda _asked: Pass()
    wish.driver.ensure_migrated(_asked(wish), FENCE)
    _assert_there(wish, target, behind)


def test_a_failed_migration_leaves_all_of_it_here_and_cleaning_the_target_takes_nothing(
    wish: Wish, target: OpenStackDriver, behind: Behind
) -> None:
    with _closed(behind, HYPERVISORS[1]), pytest.raises(Permanent) as failed:
        wish.driver.ensure_migrated(_asked(wish), FENCE)
    assert failed.value.problem.code == "openstack.migration_failed"
    kept = wish.driver.ensure_not_migrating(wish.request.instance_id, LATER)
    assert kept is not None
    assert (kept.state, kept.fence) == (Observed.RUNNING, LATER)
    target.ensure_absent(wish.request.instance_id, STORAGE_POOL, LATER)
    target.ensure_volume_absent(wish.data.volume_id, STORAGE_POOL, LATER)
    assert wish.driver.observe_instance(wish.request.instance_id) == kept
    assert {wish.request.instance_id, wish.data.volume_id} <= wish.driver.observe().volume_ids
    [server] = behind.servers(wish.request.instance_id)
    assert (server.hypervisor_hostname, server.metadata["allotment_going"]) == (HYPERVISORS[0], "")
    # Tried again, it goes.
    wish.driver.ensure_migrated(_asked(wish), LATER)
    assert target.observe_instance(wish.request.instance_id) is not None


def test_a_disk_is_not_brought_to_another_storage_pool(wish: Wish, behind: Behind) -> None:
    block = behind.cloud.block_storage
    other = block.create_type(name="other", extra_specs={"volume_backend_name": "standard"})
    try:
        asked = replace(_asked(wish), volumes=(replace(wish.data, storage_pool="other"),))
        with pytest.raises(Permanent) as refused:
            wish.driver.ensure_migrated(asked, FENCE)
        assert refused.value.problem.code == "openstack.migration_changes_pool"
    finally:
        block.delete_type(other)
    [server] = behind.servers(wish.request.instance_id)
    assert (server.hypervisor_hostname, _live_migrations(behind, server.id)) == (HYPERVISORS[0], 0)


def test_a_region_as_one_host_moves_nothing(region: Region) -> None:
    driver: Any = driver_of("openstack://region")
    asks: list[Callable[[], object]] = [
        lambda: driver.ensure_not_migrating(new_id("instance"), FENCE),
        lambda: driver.ensure_migrated(None, FENCE),
    ]
    assert Capability.LIVE_MIGRATION not in driver.capabilities()
    for ask in asks:
        with pytest.raises(CapabilityMissing):
            ask()
    driver.close()
