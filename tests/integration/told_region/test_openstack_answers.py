"""What a region's services answer when they fail at something, one answer at a time, over HTTP: each becomes an error of ours."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Permanent, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.inventory import DESCRIBED_AGE_S, Inventory
from drivers.openstack.mapping import rules_inside
from drivers.openstack.marks import Mark, mark_text
from drivers.powers import SnapshotRequest
from drivers.protocol import SegmentRequest, VolumeRequest
from inventory.domain.ids import ResourceId
from tests.support.region_answers import Answers, answering
from tests.support.told_things import FENCE, HOST_ID, SERVER, VOLUME, marked, new_id, server, told_driver, volume

SNAPSHOT = "cccccccc-0000-4000-8000-cccccccccccc"
NETWORK, SUBNET, GROUP = "the-network", "the-subnet", "the-group"
#: What Neutron says nothing of in a rule, it says so.
RULE_PARTS = ("protocol", "port_range_min", "port_range_max")


def snapshot(snapshot_id: ResourceId, status: str) -> dict[str, Any]:
    return {
        "id": SNAPSHOT, "name": snapshot_id, "status": status, "size": 1, "volume_id": VOLUME, "metadata": marked(snapshot_id)
    }  # fmt: skip


def wish(volume_id: ResourceId, size_gib: int = 1) -> VolumeRequest:
    return VolumeRequest(volume_id=volume_id, role="data", storage_pool="standard", size_gib=size_gib)


def test_a_hypervisor_the_region_does_not_have_is_refused_with_those_it_has(region: Answers, driver: OpenStackDriver) -> None:
    others = [{"id": f"{n}", "hypervisor_hostname": f"hv-{n}", "state": "up", "status": "enabled"} for n in (7, 8)]
    region.give("GET /compute/v2.1/os-hypervisors", {"hypervisors": others})
    with pytest.raises(Permanent) as refused:
        driver.inspect_host()
    assert refused.value.problem.code == "openstack.hypervisor_unknown"
    assert refused.value.problem.params == {"name": "hv-1", "known": "hv-7, hv-8"}


def test_a_machine_that_shows_an_error_instead_of_starting_is_told_with_the_regions_words(
    region: Answers, driver: OpenStackDriver
) -> None:
    instance_id = new_id("instance")
    off = server(instance_id, "SHUTOFF")
    broken = server(instance_id, "ERROR", fault={"code": 500, "message": "no room for its memory"})
    region.give("GET /compute/v2.1/servers/detail", {"servers": [off]})
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", None, status=202)
    region.give(f"GET /compute/v2.1/servers/{SERVER}", {"server": broken})
    with pytest.raises(Transient) as failed:
        driver.ensure_running(instance_id, FENCE)
    assert failed.value.problem.code == "openstack.machine_failed"
    assert failed.value.problem.params == {"verb": "start", "status": "ERROR", "reason": "no room for its memory"}
    assert region.asked.count(f"POST /compute/v2.1/servers/{SERVER}/action") == 1


def test_a_new_disk_the_region_fails_to_make_is_told(region: Answers, driver: OpenStackDriver) -> None:
    volume_id = new_id("volume")
    region.give("GET /volume/v3/volumes/detail", {"volumes": []})
    region.give("POST /volume/v3/volumes", {"volume": volume(volume_id, "creating")}, status=202)
    region.give(f"GET /volume/v3/volumes/{VOLUME}", {"volume": volume(volume_id, "error")})
    with pytest.raises(Transient) as failed:
        driver.ensure_volume(wish(volume_id), FENCE)
    assert failed.value.problem.code == "openstack.volume_failed"
    assert failed.value.problem.params == {"volume_id": volume_id, "status": "error"}


def test_a_disk_the_region_fails_to_grow_is_told_and_kept_however_often_it_is_tried(
    region: Answers, driver: OpenStackDriver
) -> None:
    volume_id = new_id("volume")
    failed_to_grow = volume(volume_id, "error_extending", 2)
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(volume_id, "available")]}, {"volumes": [failed_to_grow]})
    region.give(f"POST /volume/v3/volumes/{VOLUME}/action", None, status=202)
    region.give(f"GET /volume/v3/volumes/{VOLUME}", {"volume": failed_to_grow})
    # Even of one that was never used as far as is known: Cinder says so only of a disk that was ready.
    for may_remake in (False, True, True):
        with pytest.raises(Transient) as failed:
            driver.ensure_volume(replace(wish(volume_id, 2), may_remake=may_remake), FENCE)
        assert failed.value.problem.code == "openstack.volume_kept"
        assert failed.value.problem.params == {"volume_id": volume_id, "status": "error_extending"}
    assert not _made_or_deleted(region)


@pytest.mark.parametrize("status", ["error", "error_deleting", "error_restoring", "creating"])
def test_a_disk_that_may_hold_data_is_kept_whatever_the_region_shows(
    region: Answers, driver: OpenStackDriver, status: str
) -> None:
    volume_id = new_id("volume")
    shown = {**volume(volume_id, status), "updated_at": "2027-01-15T07:00:00.000000"}  # an hour ago
    region.give("GET /volume/v3/volumes/detail", {"volumes": [shown]})
    for _ in range(2):
        with pytest.raises(Transient) as failed:
            driver.ensure_volume(wish(volume_id), FENCE)
        assert failed.value.problem.code == "openstack.volume_kept"
        assert failed.value.problem.params == {"volume_id": volume_id, "status": status}
    assert not _made_or_deleted(region)


def test_a_disk_that_failed_before_anybody_used_it_is_made_anew(region: Answers, driver: OpenStackDriver) -> None:
    volume_id = new_id("volume")
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(volume_id, "error")]})
    region.give(f"DELETE /volume/v3/volumes/{VOLUME}", None, status=202)
    region.give("POST /volume/v3/volumes", {"volume": volume(volume_id, "available")}, status=202)
    driver.ensure_volume(replace(wish(volume_id), may_remake=True), FENCE)
    assert _made_or_deleted(region) == [f"DELETE /volume/v3/volumes/{VOLUME}", "POST /volume/v3/volumes"]


def _made_or_deleted(region: Answers) -> list[str]:
    return [a for a in region.asked if a.startswith("DELETE") or a == "POST /volume/v3/volumes"]


def test_a_disk_the_region_fails_to_delete_is_told(region: Answers, driver: OpenStackDriver) -> None:
    volume_id = new_id("volume")
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(volume_id, "available")]})
    region.give(f"DELETE /volume/v3/volumes/{VOLUME}", None, status=202)
    region.give(f"GET /volume/v3/volumes/{VOLUME}", {"volume": volume(volume_id, "error_deleting")})
    with pytest.raises(Transient) as failed:
        driver.ensure_volume_absent(volume_id, "standard", FENCE)
    assert failed.value.problem.params == {"volume_id": volume_id, "status": "error_deleting"}


def test_a_copy_the_region_fails_to_make_or_to_delete_is_told(region: Answers, driver: OpenStackDriver) -> None:
    volume_id, snapshot_id = new_id("volume"), new_id("snapshot")
    request = SnapshotRequest(snapshot_id=snapshot_id, volume_id=volume_id)
    region.give("GET /volume/v3/snapshots/detail", {"snapshots": []})
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(volume_id, "in-use")]})
    region.give("POST /volume/v3/snapshots", {"snapshot": snapshot(snapshot_id, "creating")}, status=202)
    region.give(f"GET /volume/v3/snapshots/{SNAPSHOT}", {"snapshot": snapshot(snapshot_id, "error")})
    with pytest.raises(Transient) as failed:
        driver.ensure_snapshot(request, FENCE)
    assert failed.value.problem.code == "openstack.volume_failed"
    assert failed.value.problem.params == {"volume_id": snapshot_id, "status": "error"}
    region.give("GET /volume/v3/snapshots/detail", {"snapshots": [snapshot(snapshot_id, "available")]})
    region.give(f"DELETE /volume/v3/snapshots/{SNAPSHOT}", None, status=202)
    region.give(f"GET /volume/v3/snapshots/{SNAPSHOT}", {"snapshot": snapshot(snapshot_id, "error_deleting")})
    with pytest.raises(Transient) as failed:
        driver.ensure_snapshot_absent(snapshot_id, FENCE)
    assert failed.value.problem.params == {"volume_id": snapshot_id, "status": "error_deleting"}


def providers(count: int, generation: int) -> list[dict[str, Any]]:
    return [{"uuid": f"hv-{n}", "name": f"hv-{n}", "generation": generation} for n in range(count)]


def have_hypervisors(region: Answers, count: int) -> None:
    """Have so many hypervisors, each with its provider and 8 processors."""
    listed = [{"id": f"hv-{n}", "hypervisor_hostname": f"hv-{n}", "state": "up", "status": "enabled"} for n in range(count)]
    region.give("GET /compute/v2.1/os-hypervisors", {"hypervisors": listed})
    region.give("GET /compute/v2.1/os-aggregates", {"aggregates": []})
    region.give("GET /placement/resource_providers", {"resource_providers": providers(count, generation=1)})
    told = {h["id"]: {"traits": ["HW_CPU_X86_AVX"]} for h in listed}
    region.give("GET /placement/allocation_candidates", {"allocation_requests": [], "provider_summaries": told})
    for h in listed:
        region.give(f"GET /compute/v2.1/os-hypervisors/{h['id']}", {"hypervisor": {**h, "hypervisor_type": "QEMU"}})
        amounts = {"VCPU": {"total": 8, "reserved": 0, "allocation_ratio": 4.0}}
        region.give(f"GET /placement/resource_providers/{h['id']}/inventories", {"inventories": amounts})
    region.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
    region.give("GET /volume/v3/scheduler-stats/get_pools", {"pools": []})


def port(port_id: str, mark: str, **more: Any) -> dict[str, Any]:
    number = int(port_id[0], 16)
    return {
        "id": port_id, "name": "", "network_id": NETWORK, "mac_address": f"02:00:00:00:00:{number:02x}", "description": mark,
        "fixed_ips": [{"subnet_id": SUBNET, "ip_address": f"10.1.0.{number}"}], "device_id": "", "device_owner": "", **more,
    }  # fmt: skip


def have_segment(region: Answers, segment_id: ResourceId, ports: list[dict[str, Any]]) -> None:
    """Have a department network of ours, whole, with these ports on it, each of which may be deleted."""
    text = mark_text(Mark(resource_id=segment_id, fence=FENCE, host_id=HOST_ID))
    network = {"id": NETWORK, "name": segment_id, "description": text, "subnets": [SUBNET], "revision_number": 1}
    rules = [
        {"id": f"rule-{n}", "remote_group_id": None, "ethertype": body.pop("ether_type"), **dict.fromkeys(RULE_PARTS), **body}
        for n, body in enumerate(rules_inside("10.1.0.0/26"))
    ]
    region.give("GET /network/v2.0/networks", {"networks": [network]})
    group = {"id": GROUP, "name": segment_id, "description": text, "security_group_rules": rules}
    region.give("GET /network/v2.0/security-groups", {"security_groups": [group]})
    region.give("GET /network/v2.0/ports", {"ports": ports})
    for path in (f"networks/{NETWORK}", f"security-groups/{GROUP}", *(f"ports/{p['id']}" for p in ports)):
        region.give(f"DELETE /network/v2.0/{path}", None, status=204)


def deleted(region: Answers) -> set[str]:
    return {a.rpartition("/")[2] for a in region.asked if a.startswith("DELETE")}


def test_a_port_that_is_not_ours_stays_in_a_network_of_ours_though_nothing_is_plugged_in(
    region: Answers, driver: OpenStackDriver
) -> None:
    segment_id, instance_id = new_id("segment"), new_id("instance")
    ours = mark_text(Mark(resource_id=segment_id, fence=FENCE, host_id=HOST_ID))
    machines = mark_text(Mark(resource_id=instance_id, fence=0, host_id="host_other"))
    gateways = mark_text(Mark(resource_id=new_id("gateway"), fence=0, host_id=HOST_ID))
    ports = [
        port("2-entry", ours), port("3-card", machines), port("4-bare", ""), port("5-octavia", "", device_owner="Octavia"),
        port("6-plugged", ours, device_id=SERVER), port("7-gateway", gateways),
    ]  # fmt: skip
    have_segment(region, segment_id, ports)
    request = SegmentRequest(segment_id=segment_id, cidr="10.1.0.0/26", gateway="10.1.0.1", department="", leases=())
    driver.ensure_segment(request, FENCE)
    assert deleted(region) == {"2-entry", "3-card"}


def test_a_network_with_a_port_that_is_not_ours_is_in_use(region: Answers, driver: OpenStackDriver) -> None:
    segment_id = new_id("segment")
    ours = port("2-entry", mark_text(Mark(resource_id=segment_id, fence=FENCE, host_id=HOST_ID)))
    dhcp = port("9-dhcp", "", device_owner="network:dhcp", device_id="dhcp")
    have_segment(region, segment_id, [ours, dhcp, port("4-bare", "")])
    with pytest.raises(Transient) as refused:
        driver.ensure_segment_absent(segment_id, FENCE)
    assert (refused.value.problem.code, deleted(region)) == ("driver.segment_in_use", set())
    have_segment(region, segment_id, [ours, dhcp])
    driver.ensure_segment_absent(segment_id, FENCE)
    assert deleted(region) == {"2-entry", NETWORK, GROUP}


def have_project(region: Answers, project_id: str, *tags: str) -> None:
    """Have a project of department ``civil``, to which every service grants what we need."""
    project = {"id": project_id, "name": "allotment-civil", "domain_id": "default", "tags": list(tags)}
    region.give("GET /identity/v3/projects", {"projects": [project]})
    region.give(f"GET /identity/v3/projects/{project_id}", {"project": project})
    region.give("GET /identity/v3/roles", {"roles": [{"id": "member", "name": "member"}]})
    region.give(f"PUT /identity/v3/projects/{project_id}/users/u/roles/member", None, status=204)
    for way in ("compute/v2.1/os-quota-sets", "volume/v3/os-quota-sets"):
        region.give(f"GET /{way}/{project_id}", {"quota_set": {"cores": -1, "volumes": -1}})
    region.give(f"GET /network/v2.0/quotas/{project_id}", {"quota": {"network": -1}})


@pytest.fixture
def departments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    with answering(tmp_path, monkeypatch, projects="per-department") as answers:
        yield answers


def test_what_is_known_of_projects_is_forgotten_when_a_token_is_no_longer_believed(departments: Answers) -> None:
    driver = told_driver("openstack://told/hv-1")
    volume_id, made = new_id("volume"), "POST /volume/v3/volumes"
    departments.give("GET /compute/v2.1/servers/detail", {"servers": []})
    departments.give("GET /volume/v3/types", {"volume_types": [{"id": "standard", "name": "standard"}]})
    departments.give("GET /volume/v3/volumes/detail", {"volumes": []})
    have_project(departments, "first", "allotment")
    departments.give(made, {"error": {"code": 401}}, status=401)
    request = replace(wish(volume_id), department="civil")
    try:
        with pytest.raises(Permanent) as denied:
            driver.ensure_volume(request, FENCE)
        assert denied.value.problem.code == "openstack.access_denied"
        assert driver._region.projects.owner("civil") == {"project_id": "first"}
        departments.give(made, {"error": {"code": 401}}, status=401)
        with pytest.raises(Permanent):
            driver.ensure_volume(request, FENCE)
        # Meanwhile another controller took it away and made it anew.
        have_project(departments, "second", "allotment")
        departments.give(made, {"volume": volume(volume_id, "available")}, status=202)
        driver.ensure_volume(request, FENCE)
        assert driver._region.projects.owner("civil") == {"project_id": "second"}
    finally:
        driver.close()


def test_a_project_of_a_departments_name_without_our_tag_is_refused_before_anything_of_it_is_changed(
    departments: Answers,
) -> None:
    driver = told_driver("openstack://told/hv-1")
    have_project(departments, "theirs", "somebody")
    try:
        departments.asked.clear()
        with pytest.raises(Permanent) as refused:
            driver._region.projects.owner("civil")
        assert refused.value.problem.code == "openstack.project_foreign"
        assert refused.value.problem.params == {"name": "allotment-civil", "domain": "default", "tag": "allotment"}
        changing = [a for a in departments.asked if not a.startswith("GET") and "auth/tokens" not in a]
        assert changing == []
    finally:
        driver.close()


def test_hosts_of_a_region_that_are_read_in_one_moment_ask_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count, now = 40, [0.0]
    with answering(tmp_path, monkeypatch, observe_max_age_s=5) as region:
        have_hypervisors(region, count)
        drivers = [told_driver(f"openstack://told/hv-{n}") for n in range(count)]
        ours = drivers[0]._region
        ours.inventory = Inventory(ours.sdk, ours.calls, max_age_s=ours.settings.observe_max_age_s, monotonic=lambda: now[0])

        def read_all() -> int:
            region.asked.clear()
            with ThreadPoolExecutor(8) as crew:
                facts = list(crew.map(lambda d: d.inspect_host(), drivers))
            assert [(f.hostname, f.cpu_count) for f in facts] == [(f"hv-{n}", 8) for n in range(count)]
            return len(region.asked)

        try:
            # Hypervisors, aggregates, providers, traits of all, volume types, pools; each one's inventories and details.
            assert read_all() == 6 + 2 * count
            assert read_all() == 0, "it was read a moment ago"
            now[0] = 6.0
            assert read_all() == 3, "hypervisors, aggregates, providers: nothing of them has changed"
            region.give("GET /placement/resource_providers", {"resource_providers": providers(count, generation=2)})
            now[0] = 12.0
            # Machines came: what their hypervisors are was told, and is the same.
            assert read_all() == 3 + 1 + count
            now[0] = 12.0 + DESCRIBED_AGE_S
            assert read_all() == 3 + count, "each is described once a day"
            ours.inventory.describe(ours.inventory.hypervisors()[0])
            now[0] += 6.0
            assert read_all() == 3, "what somebody asked for himself changes nothing"
            now[0] += DESCRIBED_AGE_S
            asked = len(region.asked)
            with ThreadPoolExecutor(8) as crew:
                list(crew.map(lambda _: drivers[0].inspect_host(), range(8)))
            assert len(region.asked) - asked == 3 + 1, "hosts that ask at once wait for the one that reads"
        finally:
            for driver in drivers:
                driver.close()
