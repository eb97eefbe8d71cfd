"""What Nova says of machines when it does not know, keeps, refuses or holds them, one answer at a time, over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from drivers.faults import Permanent, StaleFence, Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.flavors import ensure_flavor
from drivers.openstack.server_groups import ensure_group, ensure_no_empty_group, group_name
from drivers.protocol import MachineRequest, Mates, VolumeRequest
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from tests.support.region_answers import PROJECT, Answers
from tests.support.told_things import FENCE, HOST_ID, SERVER, new_id, server, volume


def unknown(*, in_list: bool) -> dict[str, Any]:
    """What Nova says of a machine whose cell does not answer. Source: Nova, ``views/servers.py``, ``_show_from_down_cell``."""
    told = {"id": SERVER, "status": "UNKNOWN", "tenant_id": PROJECT, "created": "2026-01-01T00:00:00Z", "links": []}
    return told if in_list else {**told, "flavor": {"vcpus": 1, "ram": 128}, "OS-EXT-STS:power_state": 0}


def list_disks(region: Answers, *volumes: dict[str, Any]) -> None:
    """Answer everything an observation asks for but machines."""
    for kind in ("networks", "ports", "security-groups"):
        region.give(f"GET /network/v2.0/{kind}", {kind.replace("-", "_"): []})
    region.give("GET /volume/v3/volumes/detail", {"volumes": list(volumes)})
    region.give("GET /volume/v3/scheduler-stats/get_pools", {"pools": []})
    up = {"id": "1", "hypervisor_hostname": "hv-1", "state": "up", "status": "enabled"}
    region.give("GET /compute/v2.1/os-hypervisors", {"hypervisors": [up]})


def machine(instance_id: ResourceId, vcpu_count: int = 1, memory_mib: int = 128) -> MachineRequest:
    root = VolumeRequest(volume_id=instance_id, role="root", storage_pool="standard", size_gib=1)
    return MachineRequest(
        instance_id=instance_id, title="told", hostname="told", vcpu_count=vcpu_count, memory_mib=memory_mib, root=root
    )


def give_flavors(region: Answers, *sizes: tuple[int, int]) -> None:
    found = [{"id": f"f{v}-{m}", "name": f"f{v}-{m}", "vcpus": v, "ram": m, "disk": 0} for v, m in sizes]
    region.give("GET /compute/v2.1/flavors/detail", {"flavors": found})


def give_limits(region: Answers, **absolute: int) -> None:
    region.give("GET /compute/v2.1/limits", {"limits": {"rate": [], "absolute": absolute}})


def assert_unreachable(call: Callable[[], object]) -> None:
    with pytest.raises(Transient) as silent:
        call()
    assert silent.value.problem.code == "driver.unreachable"


def test_a_machine_whose_cell_does_not_answer_is_unknown_and_never_absent(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    list_disks(region, volume(instance_id, "in-use"))
    # A list with a tag leaves its cell out, one without a filter shows that it is there, and so does its id.
    region.give("GET /compute/v2.1/servers", {"servers": [{"id": SERVER, "status": "UNKNOWN", "links": []}]})
    region.give(f"GET /compute/v2.1/servers/{SERVER}", {"server": unknown(in_list=False)})
    for call in (
        lambda: driver.observe_instance(instance_id),
        lambda: driver.ensure_absent(instance_id, "standard", FENCE),
        lambda: driver.ensure_not_migrating(instance_id, FENCE),
        lambda: driver.ensure_abandoned(instance_id, FENCE),
    ):
        assert_unreachable(call)
    assert [a for a in region.asked if a.startswith("DELETE") or "volumes" in a] == []
    # Its id is known from before.
    region.give("GET /compute/v2.1/servers/detail", {"servers": [server(instance_id, "ACTIVE")]})
    driver.observe()
    region.give("GET /compute/v2.1/servers/detail", {"servers": []})
    assert_unreachable(lambda: driver.observe_instance(instance_id))
    # It was listed, and its id is not known any more: its root disk is there.
    driver._region.server_ids.clear()
    assert_unreachable(lambda: driver.observe_instance(instance_id))
    driver._region.touch()
    region.give("GET /compute/v2.1/servers/detail", {"servers": [unknown(in_list=True)]})
    assert_unreachable(driver.observe)
    # All cells answer: it is gone.
    region.give("GET /compute/v2.1/servers/detail", {"servers": []})
    region.give("GET /compute/v2.1/servers", {"servers": [{"id": SERVER, "name": "other", "links": []}]})
    region.give(f"GET /compute/v2.1/servers/{SERVER}", {"itemNotFound": {"code": 404, "message": "no"}}, status=404)
    assert driver.observe_instance(instance_id) is None
    assert driver.observe().instances == ()


def test_what_nova_counts_is_not_told_while_a_cell_is_left_out_of_it(region: Answers, driver: OpenStackDriver) -> None:
    entry = {
        "instance_id": SERVER, "name": "web", "vcpus": 2, "memory_mb": 1024, "started_at": "2026-11-26T08:00:00.000000",
        "ended_at": None,
    }  # fmt: skip
    region.give("GET /compute/v2.1/os-simple-tenant-usage", {"tenant_usages": [{"tenant_id": PROJECT, "server_usages": [entry]}]})
    [found] = driver.counted(1_700_000_000, 1_800_000_000)
    assert (found.uuid, found.vcpu_count) == (SERVER, 2)
    region.give("GET /compute/v2.1/servers/detail", {"servers": [{**unknown(in_list=True), "id": "another"}]})
    assert_unreachable(lambda: driver.counted(1_700_000_000, 1_800_000_000))


def test_no_second_machine_is_made_while_a_cell_does_not_answer(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    request = machine(instance_id)
    region.give("GET /compute/v2.1/servers", {"servers": [{"id": SERVER, "status": "UNKNOWN", "links": []}]})
    for status in ("in-use", "reserved"):
        region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(instance_id, status)]})
        assert_unreachable(lambda: driver.ensure_launched(request, FENCE))
    # A disk that nobody holds says that there is none: a new machine costs no call more.
    region.asked.clear()
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(instance_id, "available")]})
    give_flavors(region, (1, 128))
    region.give("POST /compute/v2.1/servers", {"badRequest": {"code": 400, "message": "as far as this test goes"}}, status=400)
    with pytest.raises(Permanent):
        driver.ensure_launched(request, FENCE)
    assert region.asked.count("GET /compute/v2.1/servers") == 0
    assert region.asked.count("POST /compute/v2.1/servers") == 1


def test_a_machine_the_region_deletes_softly_is_deleted_by_force(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    gone = ({"itemNotFound": {"code": 404, "message": "no"}}, 404)
    region.give("GET /network/v2.0/ports", {"ports": []})
    region.give("GET /compute/v2.1/servers", {"servers": []})
    region.give("GET /volume/v3/volumes/detail", {"volumes": []})
    region.give("GET /compute/v2.1/servers/detail", {"servers": [server(instance_id, "ACTIVE")]})
    region.give(f"DELETE /compute/v2.1/servers/{SERVER}", None, status=204)
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", None, status=202)
    seen = [server(instance_id, "ACTIVE"), server(instance_id, "SOFT_DELETED"), server(instance_id, "SOFT_DELETED")]
    region.given[f"GET /compute/v2.1/servers/{SERVER}"] = [*((200, {"server": s}) for s in seen), gone[::-1]]
    driver.ensure_absent(instance_id, "standard", FENCE)
    assert region.asked.count(f"POST /compute/v2.1/servers/{SERVER}/action") == 1
    # Whoever died in between finds it by its root disk: no list shows it.
    region.asked.clear()
    region.give("GET /compute/v2.1/servers/detail", {"servers": []})
    held = {**volume(instance_id, "in-use"), "attachments": [{"server_id": SERVER}]}
    region.give("GET /volume/v3/volumes/detail", {"volumes": [held]}, {"volumes": []})
    region.given[f"GET /compute/v2.1/servers/{SERVER}"] = [(200, {"server": seen[-1]}), gone[::-1]]
    driver.ensure_absent(instance_id, "standard", FENCE)
    assert region.asked.count(f"POST /compute/v2.1/servers/{SERVER}/action") == 1
    assert f"DELETE /compute/v2.1/servers/{SERVER}" not in region.asked
    # An older hold may not.
    region.give("GET /volume/v3/volumes/detail", {"volumes": [held]})
    region.give(f"GET /compute/v2.1/servers/{SERVER}", {"server": seen[-1]})
    with pytest.raises(StaleFence):
        driver.ensure_absent(instance_id, "standard", FENCE - 1)


def acts(region: Answers) -> list[Any]:
    """Return what was asked of the machine."""
    return [body for request, body in region.sent if request == f"POST /compute/v2.1/servers/{SERVER}/action"]


@pytest.mark.parametrize(
    ("status", "act"),
    [
        ("PAUSED", {"unpause": None}),
        ("SUSPENDED", {"resume": None}),
        ("RESCUE", {"unrescue": None}),
        ("SHELVED_OFFLOADED", {"unshelve": None}),
        ("SHUTOFF", {"os-start": None}),
        ("ERROR", {"reboot": {"type": "HARD"}}),
    ],
)
def test_a_machine_is_brought_out_of_each_state_by_its_own_verb_and_marked_then(
    region: Answers, driver: OpenStackDriver, status: str, act: dict[str, Any]
) -> None:
    instance_id = new_id("instance")
    region.give("GET /compute/v2.1/servers/detail", {"servers": [server(instance_id, status)]})
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", None, status=202)
    region.give(f"POST /compute/v2.1/servers/{SERVER}/metadata", {"metadata": {}})
    region.give(f"GET /compute/v2.1/servers/{SERVER}", {"server": server(instance_id, "ACTIVE")})
    seen = driver.ensure_running(instance_id, FENCE + 1)
    assert (seen.state, seen.fence) == (Observed.RUNNING, FENCE + 1)
    assert acts(region) == [act]
    assert f"POST /compute/v2.1/servers/{SERVER}/metadata" in region.asked


@pytest.mark.parametrize(
    ("status", "wake"),
    [("PAUSED", "unpause"), ("SUSPENDED", "resume"), ("RESCUE", "unrescue"), ("ERROR", ""), ("ACTIVE", "")],
)
def test_a_machine_is_stopped_from_each_state(region: Answers, driver: OpenStackDriver, status: str, wake: str) -> None:
    instance_id = new_id("instance")
    region.give("GET /compute/v2.1/servers/detail", {"servers": [server(instance_id, status)]})
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", None, status=202)
    on_the_way = [{"server": server(instance_id, "ACTIVE")}] if wake else []
    region.give(f"GET /compute/v2.1/servers/{SERVER}", *on_the_way, {"server": server(instance_id, "SHUTOFF")})
    assert driver.ensure_stopped(instance_id, FENCE, graceful_s=0).state is Observed.STOPPED
    assert acts(region) == [*([{wake: None}] if wake else []), {"os-stop": None}]


def test_a_machine_in_error_that_never_ran_is_not_rebooted(region: Answers, driver: OpenStackDriver) -> None:
    instance_id = new_id("instance")
    never = server(instance_id, "ERROR", **{"OS-SRV-USG:launched_at": None})
    region.give("GET /compute/v2.1/servers/detail", {"servers": [never]})
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", {"conflictingRequest": {"code": 409, "message": "no"}}, status=409)
    with pytest.raises(Transient):
        driver.ensure_running(instance_id, FENCE)
    assert acts(region) == [{"os-start": None}]


@pytest.mark.parametrize("is_hard", [False, True])
@pytest.mark.parametrize(("used", "code"), [(10, "openstack.quota_exceeded"), (2, "openstack.forbidden")])
def test_a_wish_gives_way_where_a_project_may_have_no_more_groups(
    driver: OpenStackDriver, region: Answers, is_hard: bool, used: int, code: str
) -> None:
    give_limits(region, maxServerGroups=10, totalServerGroupsUsed=used)
    groups = "/compute/v2.1/os-server-groups"
    region.give(f"GET {groups}", {"server_groups": []})
    full = {"forbidden": {"code": 403, "message": "Quota exceeded, too many server groups."}}
    region.give(f"POST {groups}", full, status=403)
    mates = Mates(name="portal-web", is_together=False, is_hard=is_hard)
    if not is_hard:
        assert ensure_group(driver._region, mates, HOST_ID, "") == ""
        return
    with pytest.raises(Permanent) as refused:
        ensure_group(driver._region, mates, HOST_ID, "")
    assert refused.value.problem.code == code


def test_a_group_beyond_the_first_page_is_found_and_not_made_again(driver: OpenStackDriver, region: Answers) -> None:
    mates = Mates(name="portal-web", is_together=False, is_hard=False)
    groups = "GET /compute/v2.1/os-server-groups"

    def group(name: str, number: int) -> dict[str, Any]:
        return {"id": f"{number}", "name": name, "policy": "soft-anti-affinity", "members": []}

    others = [group(f"other {n}", n) for n in range(1000)]
    region.give(groups, {"server_groups": others})
    region.give(f"{groups}?offset=1000", {"server_groups": [group(group_name(mates, HOST_ID), 1001)]})
    region.give(f"{groups}?offset=1001", {"server_groups": []})
    give_limits(region, maxServerGroupMembers=10)
    assert ensure_group(driver._region, mates, HOST_ID, "") == "1001"
    assert "POST /compute/v2.1/os-server-groups" not in region.asked
    # One that has no machine is taken away from there too, whatever the scope of the list.
    for query in ("all_projects=True", "all_projects=True&offset=1000", "all_projects=True&offset=1001"):
        plain = f"{groups}?{query}".replace("?all_projects=True&", "?").removesuffix("?all_projects=True")
        region.given[f"{groups}?{query}"] = region.given[plain]
    region.give("DELETE /compute/v2.1/os-server-groups/1001", None, status=204)
    ensure_no_empty_group(driver._region, HOST_ID)
    assert "DELETE /compute/v2.1/os-server-groups/1001" in region.asked


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"maxTotalCores": 20, "totalCoresUsed": 18}, "openstack.quota_exceeded"),
        ({"maxTotalRAMSize": 1000, "totalRAMUsed": 900}, "openstack.quota_exceeded"),
        ({"maxTotalInstances": 1, "totalInstancesUsed": 1}, "openstack.quota_exceeded"),
        ({"maxTotalInstances": -1, "totalInstancesUsed": 1}, "openstack.forbidden"),
    ],
)
def test_a_quota_of_nova_is_told_from_a_right_that_is_missing(
    driver: OpenStackDriver, region: Answers, told: dict[str, int], code: str
) -> None:
    enough = {"maxTotalCores": 20, "totalCoresUsed": 17, "maxTotalRAMSize": 1000, "totalRAMUsed": 872}
    give_limits(region, **{**enough, "maxTotalInstances": 2, "totalInstancesUsed": 1, **told})
    instance_id = new_id("instance")
    words = "Quota exceeded for cores: Requested 3, but already used 18 of 20 cores"
    region.give("POST /compute/v2.1/servers", {"forbidden": {"code": 403, "message": words}}, status=403)
    give_flavors(region, (3, 128))
    region.give("GET /volume/v3/volumes/detail", {"volumes": [volume(instance_id, "available")]})
    with pytest.raises(Permanent) as refused:
        driver.ensure_launched(machine(instance_id, vcpu_count=3), FENCE)
    assert refused.value.problem.code == code
    assert words in refused.value.problem.params["reason"]


def resizing(region: Answers, instance_id: ResourceId, *seen: dict[str, Any]) -> None:
    """Answer a resize of a stopped machine, which Nova then shows like this."""
    region.give("GET /compute/v2.1/servers/detail", {"servers": [server(instance_id, "SHUTOFF")]})
    give_flavors(region, (1, 128), (2, 256))
    region.give("GET /network/v2.0/ports", {"ports": []})
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", None, status=202)
    region.give(f"GET /compute/v2.1/servers/{SERVER}", *({"server": s} for s in seen))


def test_a_resize_the_region_has_no_room_for_is_told_with_its_words(driver: OpenStackDriver, region: Answers) -> None:
    instance_id = new_id("instance")
    at_it = server(instance_id, "RESIZE", **{"OS-EXT-STS:task_state": "resize_prep"})
    resizing(region, instance_id, at_it, server(instance_id, "SHUTOFF"))
    old, new = ({"action": "resize", "request_id": f"req-{n}", "start_time": f"2026-01-0{n}T00:00:00"} for n in (1, 2))
    acts = f"GET /compute/v2.1/servers/{SERVER}/os-instance-actions"
    region.give(acts, {"instanceActions": [new, old, {**new, "action": "stop", "start_time": "2026-01-03T00:00:00"}]})
    words = "No valid host was found. There are not enough hosts available."
    failed = {"event": "cold_migrate", "result": "Error", "details": words}
    region.give(f"{acts}/req-2", {"instanceAction": {**new, "events": [failed, {**failed, "event": "conductor_migrate_server"}]}})
    with pytest.raises(Permanent) as refused:
        driver.ensure_defined(machine(instance_id, vcpu_count=2, memory_mib=256), FENCE)
    assert refused.value.problem.code == "openstack.resize_failed"
    assert refused.value.problem.params == {"instance_id": instance_id, "reason": words}


def test_a_resize_over_the_quota_of_the_region_is_told(driver: OpenStackDriver, region: Answers) -> None:
    instance_id = new_id("instance")
    resizing(region, instance_id)
    give_limits(region, maxTotalCores=10, totalCoresUsed=10)
    region.give(f"POST /compute/v2.1/servers/{SERVER}/action", {"forbidden": {"code": 403, "message": "Quota"}}, status=403)
    with pytest.raises(Permanent) as refused:
        driver.ensure_defined(machine(instance_id, vcpu_count=2, memory_mib=256), FENCE)
    assert refused.value.problem.code == "openstack.quota_exceeded"


def test_a_resize_that_ends_in_error_and_a_way_home_without_room_are_told(driver: OpenStackDriver, region: Answers) -> None:
    instance_id = new_id("instance")
    resizing(region, instance_id, server(instance_id, "ERROR", fault={"code": 500, "message": "disk is full"}))
    with pytest.raises(Transient) as failed:
        driver.ensure_defined(machine(instance_id, vcpu_count=2, memory_mib=256), FENCE)
    assert failed.value.problem.params == {"verb": "resize", "status": "ERROR", "reason": "disk is full"}
    away = server(instance_id, "SHUTOFF", **{"OS-EXT-SRV-ATTR:hypervisor_hostname": "hv-2"})
    region.give("GET /compute/v2.1/servers/detail", {"servers": [away]})
    region.give(f"GET /compute/v2.1/servers/{SERVER}", {"server": away})
    region.give(f"GET /compute/v2.1/servers/{SERVER}/os-instance-actions", {"instanceActions": []})
    with pytest.raises(Transient) as failed:
        driver.ensure_defined(machine(instance_id), FENCE)
    assert failed.value.problem.code == "openstack.machine_failed"
    assert (failed.value.problem.params["verb"], failed.value.problem.params["status"]) == ("migrate", "SHUTOFF")


@pytest.mark.parametrize("is_race", [False, True])
def test_a_flavor_of_ours_that_somebody_changed_is_named(driver: OpenStackDriver, region: Answers, is_race: bool) -> None:
    ours = {"id": "f", "name": "allotment-2c-4096m", "vcpus": 2, "ram": 4096, "disk": 0}
    changed = {"flavors": [{**ours, "extra_specs": {"hw:cpu_policy": "dedicated"}}]}
    region.give("GET /compute/v2.1/flavors/detail", changed, {"flavors": [ours]} if is_race else changed)
    taken = {"conflictingRequest": {"code": 409, "message": "Flavor with name allotment-2c-4096m already exists."}}
    region.give("POST /compute/v2.1/flavors", taken, status=409)
    if is_race:
        assert ensure_flavor(driver._region, 2, 4096) == "f"
        return
    with pytest.raises(Permanent) as refused:
        ensure_flavor(driver._region, 2, 4096)
    assert refused.value.problem.code == "openstack.flavor_changed"
    assert refused.value.problem.params == {
        "vcpu_count": 2,
        "memory_mib": 4096,
        "disk_gib": 0,
        "name": "allotment-2c-4096m",
    }
