"""Root disks on hypervisors, in regions with and without volumes: what is asked of the services, one answer at a time."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import DriverFault, Permanent, StaleFence, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.marks import mark_text, port_mark
from drivers.powers import SnapshotRequest
from drivers.protocol import Capability, DiskRequest, MachineRequest, MigrationRequest, VolumeRequest
from inventory.domain.errors import CapabilityMissing
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from tests.support.region_answers import Answers, answering
from tests.support.told_things import (
    FENCE,
    HOST_ID,
    IMAGE,
    SERVER,
    SOURCE,
    VOLUME,
    give_one_hypervisor,
    new_id,
    server,
    told_driver,
    volume,
)

SERVERS, ONE = "GET /compute/v2.1/servers/detail", f"GET /compute/v2.1/servers/{SERVER}"
MAKE, ACT = "POST /compute/v2.1/servers", f"POST /compute/v2.1/servers/{SERVER}/action"
GONE = (404, {"itemNotFound": {"code": 404, "message": "no"}})
ROOT_GIB = 40


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """A region with volumes, and local disks."""
    with answering(tmp_path, monkeypatch, local_storage="local") as answers:
        give_one_hypervisor(answers)
        answers.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
        answers.give("GET /volume/v3/volumes/detail", {"volumes": []})
        answers.give("GET /volume/v3/scheduler-stats/get_pools", {"pools": []})
        yield answers


@pytest.fixture
def driver(region: Answers) -> Iterator[OpenStackDriver]:
    with closing(told_driver("openstack://told/hv-1")) as found:
        yield found


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """A region that has no Cinder in its catalogue."""
    with answering(tmp_path, monkeypatch, local_storage="local", volumes="none") as answers:
        give_one_hypervisor(answers)
        token = answers.given["POST /identity/v3/auth/tokens"][0][1]["token"]
        token["catalog"] = [service for service in token["catalog"] if service["type"] != "block-storage"]
        answers.given = {asked: told for asked, told in answers.given.items() if "/volume" not in asked}
        yield answers


@pytest.fixture
def bare_driver(bare: Answers) -> Iterator[OpenStackDriver]:
    with closing(told_driver("openstack://told/hv-1")) as found:
        yield found


def _running(answers: Answers) -> ResourceId:
    """Have a machine with a root disk on its hypervisor."""
    instance_id = new_id("instance")
    answers.give(SERVERS, {"servers": [local(instance_id)]})
    answers.give(ONE, {"server": local(instance_id)})
    return instance_id


def machine(instance_id: ResourceId, *, root_gib: int = ROOT_GIB, **more: Any) -> MachineRequest:
    root = VolumeRequest(volume_id=instance_id, role="root", storage_pool="local", size_gib=root_gib, image=SOURCE)
    shape = {"vcpu_count": 1, "memory_mib": 128, **more}
    return MachineRequest(instance_id=instance_id, title="told", hostname="told", root=root, **shape)


def local(instance_id: ResourceId, status: str = "ACTIVE", root_gib: int = ROOT_GIB, **more: Any) -> dict[str, Any]:
    """Return a machine on a local disk as Nova tells of it."""
    flavor = {"vcpus": 1, "ram": 128, "disk": root_gib, "ephemeral": 0, "swap": 0, "extra_specs": {}}
    there = {"OS-EXT-SRV-ATTR:hypervisor_hostname": "hv-1", "image": {"id": IMAGE}}
    return server(instance_id, status, **{"flavor": flavor, **there, **more})


def give_flavors(region: Answers, *sizes: tuple[int, int, int]) -> None:
    found = [{"id": f"f{v}-{m}-{d}", "name": f"f{v}-{m}-{d}", "vcpus": v, "ram": m, "disk": d} for v, m, d in sizes]
    region.give("GET /compute/v2.1/flavors/detail", {"flavors": found})


def code_of(caught: pytest.ExceptionInfo[Any]) -> str:
    code: str = caught.value.problem.code
    return code


def assert_refused(kind: type[Exception], code: str, *calls: Callable[[], object]) -> None:
    """Check that each call is refused so; a fault without a code has none here."""
    for call in calls:
        with pytest.raises(kind) as refused:
            call()
        assert not code or code_of(refused) == code


def test_the_hosts_own_disk_is_a_storage_pool_that_takes_root_disks_only(region: Answers, driver: OpenStackDriver) -> None:
    other = {**local(new_id("instance")), "id": "other", "metadata": {}}
    from_volume = {**other, "id": "from a volume", "image": ""}
    swapping = {**from_volume, "id": "swapping", "flavor": {"vcpus": 1, "ram": 1, "disk": 9, "ephemeral": 5, "swap": 1025}}
    region.give(SERVERS, {"servers": [local(new_id("instance")), other, from_volume, swapping]})
    region.give("GET /identity/v3/projects", {"projects": []})
    pools = {s.name: s for s in driver.inspect_host().storage}
    # 900 GiB, of which Placement gives nine tenths; two root disks, 5 GiB beside one and more than a GiB of swap.
    found = pools["local"]
    assert (found.capacity_gib, found.available_gib, found.roots_only) == (810, 810 - 80 - 7, True)
    assert not pools["standard"].roots_only
    seen = driver.observe()
    assert seen.storage_available_gib["local"] == 723
    assert seen.storage_foreign_gib["local"] == ROOT_GIB + 7


def test_a_volume_type_of_that_name_is_refused(region: Answers, driver: OpenStackDriver) -> None:
    region.give("GET /volume/v3/types", {"volume_types": [{"id": "local", "name": "local"}]})
    for look in (driver.inspect_host, driver.observe):
        with pytest.raises(Permanent) as refused:
            look()
        assert code_of(refused) == "openstack.settings_invalid"
        assert refused.value.problem.params["names"] == "local_storage"


def test_a_machine_is_made_of_its_image_with_a_flavor_of_its_disk_and_no_volume(region: Answers, driver: OpenStackDriver) -> None:
    instance_id, data_id = new_id("instance"), new_id("volume")
    request = replace(machine(instance_id), disks=(DiskRequest(volume_id=data_id, storage_pool="standard", slot=0),))
    give_flavors(region, (1, 128, 0), (1, 128, 80), (1, 128, ROOT_GIB))
    driver.ensure_volume(request.root, FENCE)
    assert instance_id not in driver.observe().volume_ids
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(data_id, "available")]})
    region.give(MAKE, {"server": {"id": SERVER}}, status=202)
    region.give(ONE, {"server": local(instance_id)})
    assert driver.ensure_launched(request, FENCE).state is Observed.RUNNING
    [body] = [sent["server"] for asked, sent in region.sent if asked == MAKE]
    assert (body["imageRef"], body["flavorRef"]) == (IMAGE, f"f1-128-{ROOT_GIB}")
    root, data = body["block_device_mapping_v2"]
    assert (root["source_type"], root["destination_type"], root["uuid"], root["boot_index"]) == ("image", "local", IMAGE, 0)
    assert root["delete_on_termination"]
    assert (data["source_type"], data["uuid"], data["delete_on_termination"]) == ("volume", VOLUME, False)
    assert "POST /volume/v3/volumes" not in region.asked
    # It is there with its machine.
    region.give(SERVERS, {"servers": [local(instance_id)]})
    driver._region.touch()
    assert instance_id in driver.observe().volume_ids


def test_a_flavor_of_the_disks_size_is_made_where_there_is_none(region: Answers, driver: OpenStackDriver) -> None:
    give_flavors(region, (1, 128, 0))
    region.give("POST /compute/v2.1/flavors", {"flavor": {"id": "new"}}, status=200)
    region.give(MAKE, {"badRequest": {"code": 400, "message": "as far as this test goes"}}, status=400)
    with pytest.raises(Permanent):
        driver.ensure_defined(machine(new_id("instance")), FENCE)
    [made] = [sent["flavor"] for asked, sent in region.sent if asked == "POST /compute/v2.1/flavors"]
    assert (made["name"], made["disk"]) == ("allotment-1c-128m-40g", ROOT_GIB)
    region.give("POST /compute/v2.1/flavors", {"forbidden": {"code": 403, "message": "no"}}, status=403)
    with pytest.raises(Permanent) as refused:
        driver.ensure_defined(machine(new_id("instance"), root_gib=41), FENCE)
    assert code_of(refused) == "openstack.flavor_missing"
    assert refused.value.problem.params["disk_gib"] == 41


def test_no_image_no_disk(region: Answers, driver: OpenStackDriver) -> None:
    region.give("GET /image/v2/images", {"images": []})
    with pytest.raises(Transient) as refused:
        driver.ensure_volume(machine(new_id("instance")).root, FENCE)
    assert code_of(refused) == "driver.image_missing"


def test_a_disk_that_outlives_its_machine_is_never_local(region: Answers, driver: OpenStackDriver) -> None:
    request = VolumeRequest(volume_id=new_id("volume"), role="data", storage_pool="local", size_gib=1)
    assert_refused(
        Permanent,
        "openstack.data_disk_local",
        lambda: driver.ensure_volume(request, FENCE),
        lambda: driver.ensure_volume_of_snapshot(request, new_id("snapshot"), FENCE),
    )
    assert "POST /volume/v3/volumes" not in region.asked


def test_no_second_machine_is_made_while_a_cell_does_not_answer(region: Answers, driver: OpenStackDriver) -> None:
    driver.observe()
    region.give("GET /compute/v2.1/servers", {"servers": [{"id": SERVER, "status": "UNKNOWN", "links": []}]})
    instance_id = new_id("instance")
    assert_refused(
        Transient,
        "driver.unreachable",
        lambda: driver.ensure_launched(machine(instance_id), FENCE),
        lambda: driver.observe_instance(instance_id),
        lambda: driver.ensure_volume(machine(instance_id).root, FENCE),
        lambda: driver.ensure_absent(instance_id, "local", FENCE),
    )
    assert MAKE not in region.asked


def test_the_disk_goes_with_its_machine_and_not_without_it(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = _running(region)
    with pytest.raises(Transient) as held:
        driver.ensure_volume_absent(instance_id, "local", FENCE)
    assert code_of(held) == "driver.volume_in_use"
    assert_refused(
        StaleFence,
        "",
        lambda: driver.ensure_volume_absent(instance_id, "local", FENCE - 1),
        lambda: driver.ensure_volume(machine(instance_id).root, FENCE - 1),
    )
    region.give(f"DELETE /compute/v2.1/servers/{SERVER}", None, status=204)
    region.given[ONE] = [(200, {"server": local(instance_id)}), GONE]
    driver.ensure_absent(instance_id, "local", FENCE)
    region.give(SERVERS, {"servers": []})
    driver.ensure_volume_absent(instance_id, "local", FENCE)
    assert instance_id not in driver.observe().volume_ids


def test_a_machine_deleted_softly_by_others_is_found_by_its_ports(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    text = mark_text(port_mark(instance_id, HOST_ID))
    port = {"id": "port", "description": text, "device_id": SERVER, "mac_address": "02:00:00:00:00:01", "fixed_ips": []}
    region.give("GET /network/v2.0/ports", {"ports": [port]})
    region.give("DELETE /network/v2.0/ports/port", None, status=204)
    region.give(ACT, None, status=202)
    region.given[ONE] = [(200, {"server": local(instance_id, "SOFT_DELETED")}), GONE]
    driver.ensure_absent(instance_id, "local", FENCE)
    assert region.asked.count(ACT) == 1
    assert [sent for asked, sent in region.sent if asked == ACT] == [{"forceDelete": None}]


def _stopped(region: Answers, instance_id: ResourceId, *seen: dict[str, Any]) -> None:
    region.give(SERVERS, {"servers": [local(instance_id, "SHUTOFF")]})
    region.give(ONE, *({"server": s} for s in (seen or (local(instance_id, "SHUTOFF"),))))
    region.give(ACT, None, status=202)
    give_flavors(region, (1, 128, ROOT_GIB), (1, 128, ROOT_GIB + 1), (2, 128, 0), (2, 128, ROOT_GIB))


@pytest.mark.parametrize(("vcpu_count", "root_gib"), [(2, ROOT_GIB), (1, ROOT_GIB + 1)])
def test_it_is_resized_with_a_flavor_of_its_disk_and_grows_by_a_larger_one(
    region: Answers, driver: OpenStackDriver, vcpu_count: int, root_gib: int
) -> None:
    instance_id = new_id("instance")
    flavor = {"vcpus": vcpu_count, "ram": 128, "disk": root_gib}
    before, done = local(instance_id, "SHUTOFF"), local(instance_id, "SHUTOFF", flavor=flavor)
    _stopped(region, instance_id, before, {**done, "status": "VERIFY_RESIZE"}, done)
    request = machine(instance_id, root_gib=root_gib, vcpu_count=vcpu_count)
    driver.ensure_volume(request.root, FENCE)
    driver.ensure_defined(request, FENCE)
    asked = [sent for name, sent in region.sent if name == ACT]
    assert asked == [{"resize": {"flavorRef": f"f{vcpu_count}-128-{root_gib}"}}, {"confirmResize": None}]


def test_it_never_becomes_smaller(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    _stopped(region, instance_id)
    request = machine(instance_id, root_gib=ROOT_GIB - 1)
    calls = (lambda: driver.ensure_volume(request.root, FENCE), lambda: driver.ensure_defined(request, FENCE))
    assert_refused(Permanent, "driver.volume_shrink", *calls)
    assert ACT not in region.asked


def test_it_is_not_copied(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = _running(region)
    with pytest.raises(Permanent) as refused:
        driver.ensure_snapshot(SnapshotRequest(snapshot_id=new_id("snapshot"), volume_id=instance_id), FENCE)
    assert code_of(refused) == "openstack.local_disk_not_copied"


def test_a_move_that_would_change_what_its_disk_lies_on_is_refused(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = _running(region)
    request = machine(instance_id)
    on_volume = replace(request, root=replace(request.root, storage_pool="standard"))
    move = MigrationRequest(machine=on_volume, volumes=(), target_connection="openstack://told/hv-2", target_id="host_2")
    with pytest.raises(Permanent) as refused:
        driver.ensure_migrated(move, FENCE)
    assert code_of(refused) == "openstack.migration_changes_pool"
    with pytest.raises(Permanent) as refused:
        driver.ensure_evacuated(on_volume, FENCE)
    assert code_of(refused) == "driver.evacuation_failed"
    assert ACT not in region.asked


def test_a_region_without_volumes_makes_and_observes_machines_on_local_disks(bare: Answers, bare_driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    facts = bare_driver.inspect_host()
    assert [s.name for s in facts.storage] == ["local"]
    assert not [v for v in facts.service_versions if v.startswith("block")]
    assert Capability.SNAPSHOTS not in bare_driver.capabilities()
    give_flavors(bare, (1, 128, ROOT_GIB))
    bare.give(MAKE, {"server": {"id": SERVER}}, status=202)
    bare.give(ONE, {"server": local(instance_id)})
    request = machine(instance_id)
    bare_driver.ensure_volume(request.root, FENCE)
    assert bare_driver.ensure_launched(request, FENCE).state is Observed.RUNNING
    bare.give(SERVERS, {"servers": [local(instance_id)]})
    seen = bare_driver.observe()
    assert [i.instance_id for i in seen.instances] == [instance_id]
    assert seen.volume_ids == {instance_id}
    assert set(seen.storage_available_gib) == {"local"}
    bare.give(f"DELETE /compute/v2.1/servers/{SERVER}", None, status=204)
    bare.given[ONE] = [(200, {"server": local(instance_id)}), GONE]
    bare_driver.ensure_absent(instance_id, "local", FENCE)
    assert not [asked for asked in bare.asked if "/volume" in asked]


def test_a_region_without_volumes_takes_no_others_and_copies_nothing(bare: Answers, bare_driver: OpenStackDriver) -> None:
    request = VolumeRequest(volume_id=new_id("volume"), role="data", storage_pool="standard", size_gib=1)
    with pytest.raises(Permanent) as refused:
        bare_driver.ensure_volume(request, FENCE)
    assert code_of(refused) == "driver.storage_pool_missing"
    snapshot_id = new_id("snapshot")
    assert_refused(
        CapabilityMissing,
        "",
        bare_driver.snapshots,
        lambda: bare_driver.ensure_snapshot(SnapshotRequest(snapshot_id=snapshot_id, volume_id=request.volume_id), FENCE),
        lambda: bare_driver.ensure_snapshot_absent(snapshot_id, FENCE),
        lambda: bare_driver.ensure_volume_of_snapshot(request, snapshot_id, FENCE),
    )


def test_a_catalogue_that_lost_its_volumes_is_no_region_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(tmp_path, monkeypatch, local_storage="local") as answers:
        give_one_hypervisor(answers)
        token = answers.given["POST /identity/v3/auth/tokens"][0][1]["token"]
        token["catalog"] = [service for service in token["catalog"] if service["type"] != "block-storage"]
        driver = told_driver("openstack://told/hv-1")
        with pytest.raises(DriverFault):
            driver.observe()
        driver.close()
