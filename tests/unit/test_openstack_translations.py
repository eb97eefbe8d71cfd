"""OpenStack: pure translations. What we ask for is held by golden files, what we read is compared by hand."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.faults import OutcomeUnknown, Permanent, Transient
from drivers.openstack.address import Address, parse_address
from drivers.openstack.department_access import people_of
from drivers.openstack.facts import UNBOUNDED_GIB, capacity_gib, foreign_storage, host_facts, storage_facts
from drivers.openstack.inventory import Hypervisor, Provider, provider_of, traits_told
from drivers.openstack.mapping import (
    LONGEST_TAG,
    METADATA_ADDRESS,
    RULE_TEXT,
    NetworkReading,
    Parts,
    PortReading,
    ServerReading,
    VolumeReading,
    hold_body,
    moment_s,
    network_body,
    observed_of,
    oldest_of,
    port_body,
    rules_inside,
    server_body,
    state_of,
    subnet_body,
    user_data_text,
    volume_body,
)
from drivers.openstack.marks import Mark, mark_text, parse_mark_text, port_mark, read_mark
from drivers.openstack.segment_rules import GroupReading, loose_segments, missing_rules, read_group, strange_rules
from drivers.openstack.server_groups import group_name, policy_of
from drivers.openstack.settings import read_settings
from drivers.openstack.translate_errors import LONGEST_DELAY_S, delay_of, fault_of
from drivers.protocol import (
    DiskRequest,
    DriverContext,
    ImageSource,
    LeaseEntry,
    MachineRequest,
    Mates,
    NicRequest,
    SegmentRequest,
    VolumeRequest,
)
from drivers.registry import driver_factory
from inventory.domain.ids import ResourceId
from inventory.domain.resource import Observed
from tests.support.golden import assert_golden

INSTANCE = ResourceId("inst_" + "a" * 32)
VOLUME = ResourceId("vol_" + "b" * 32)
SEGMENT = ResourceId("seg_" + "c" * 32)
MARK = Mark(resource_id=INSTANCE, fence=7, host_id="host_1", system="sys_portal", department="civil-affairs")
ENTRY = LeaseEntry(mac="02:00:00:00:00:01", address="10.96.0.2", hostname="web-1")
NETWORK = SegmentRequest(
    segment_id=SEGMENT, cidr="10.96.0.0/26", gateway="10.96.0.1", department="civil-affairs", leases=(ENTRY,)
)


def machine(tmp_path: Any = None, **changes: Any) -> MachineRequest:
    request = MachineRequest(
        instance_id=INSTANCE,
        title="civil-affairs-portal-web-1",
        hostname="web-1",
        vcpu_count=2,
        memory_mib=4096,
        root=VolumeRequest(
            volume_id=INSTANCE, role="root", storage_pool="standard", size_gib=20, title="civil-affairs-portal-web-1"
        ),
        disks=(DiskRequest(volume_id=VOLUME, storage_pool="standard", slot=0),),
        nics=(NicRequest(segment_id=SEGMENT, mac=ENTRY.mac, address=ENTRY.address),),
        user_data="#cloud-config\npackages: [nginx]\n",
        ssh_keys=("ssh-ed25519 AAAA someone",),
        system="sys_portal",
        department="civil-affairs",
    )
    return replace(request, **changes)


def text(body: object) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def test_a_machine_is_asked_for_as_the_golden_file_says(update_golden: bool) -> None:
    parts = Parts(flavor_id="F", root_id="R", disk_ids=("D",), port_ids=("P",), hypervisor="hv-001")
    assert_golden("openstack/server.json", text(server_body(machine(), MARK, parts)), update=update_golden)


@pytest.mark.parametrize(
    ("system", "department", "tags"),
    [
        ("portal", "civil-affairs", ["system:portal", "department:civil-affairs"]),
        ("a,b/c", "", ["system:a-b-c"]),
        ("门户网站" * 20, "民政局", ["system:" + ("门户网站" * 20)[:53], "department:民政局"]),
        ("", "", []),
    ],
)
def test_a_person_finds_machines_by_tags_that_nova_takes(system: str, department: str, tags: list[str]) -> None:
    body = server_body(machine(), replace(MARK, system=system, department=department), Parts(flavor_id="F", root_id="R"))
    assert body["tags"] == ["allotment", INSTANCE, *tags]
    assert all(len(tag) <= LONGEST_TAG for tag in tags)


def test_a_machine_without_cards_gets_no_network_of_the_regions_choice() -> None:
    body = server_body(machine(nics=()), MARK, Parts(flavor_id="F", root_id="R"))
    assert body["networks"] == "none"
    assert "hypervisor_hostname" not in body


def test_a_disk_is_asked_for_as_the_golden_file_says(update_golden: bool, tmp_path: Any) -> None:
    image = ImageSource(image_id="img_x", sha256="0" * 64, disk_format="qcow2", virtual_size_gib=1, path=tmp_path / "x")
    root = replace(machine().root, image=image)
    bodies = [
        volume_body(root, MARK, image_id="I"),
        volume_body(VolumeRequest(volume_id=VOLUME, role="data", storage_pool="ssd", size_gib=5), MARK, zone="az-1"),
    ]
    assert_golden("openstack/volumes.json", text(bodies), update=update_golden)


def test_a_network_is_asked_for_as_the_golden_file_says(update_golden: bool) -> None:
    mark = replace(MARK, resource_id=SEGMENT)
    reading = NetworkReading(network_id="N", subnet_id="S", mark=mark, revision=1)
    bodies = {
        "network": network_body(NETWORK, mark),
        "subnet": subnet_body(NETWORK, "N"),
        "rules": rules_inside(NETWORK.cidr),
        "port": port_body(ENTRY, reading, "G", mark),
    }
    assert_golden("openstack/network.json", text(bodies), update=update_golden)


def test_no_rule_of_a_segment_lets_the_world_in_or_out() -> None:
    for rule in rules_inside(NETWORK.cidr):
        assert rule["remote_ip_prefix"] in ("10.96.0.0/26", "169.254.169.254/32")


def rules_of(*changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rules Neutron tells of a group that is right, and one more for each change of its first."""
    told = [{"id": f"R{n}", "ethertype": b["ether_type"], **b} for n, b in enumerate(rules_inside(NETWORK.cidr))]
    return told + [{**told[0], "id": f"S{n}", **change} for n, change in enumerate(changes)]


@pytest.mark.parametrize(
    ("change", "is_strange"),
    [
        ({"remote_ip_prefix": "0.0.0.0/0"}, True),
        ({"ethertype": "IPv6", "remote_ip_prefix": None}, True),
        ({"direction": "egress", "remote_ip_prefix": METADATA_ADDRESS}, True),
        ({"remote_group_id": "G2", "remote_ip_prefix": None}, True),
        ({"remote_ip_prefix": "0.0.0.0/0", "description": RULE_TEXT, "direction": "egress"}, True),
        ({"remote_ip_prefix": None, "description": RULE_TEXT}, True),
        ({"remote_ip_prefix": "0.0.0.0/0", "description": RULE_TEXT}, False),
        ({}, False),
    ],
)
def test_a_rule_nobody_asked_for_is_told_from_what_was_let_in(change: Mapping[str, Any], is_strange: bool) -> None:
    rules = rules_of(change)
    assert [r["id"] for r in strange_rules(rules, NETWORK.cidr)] == (["S0"] if is_strange else [])
    assert missing_rules(rules, NETWORK.cidr) == []
    group = GroupReading(group_id="G", segment_id=SEGMENT, rules=tuple(rules))
    assert loose_segments({SEGMENT: NETWORK.cidr}, [group]) == ({SEGMENT} if is_strange else frozenset())


def test_a_rule_that_is_gone_is_missed_and_so_is_the_whole_group() -> None:
    for gone in range(3):
        rules = [r for n, r in enumerate(rules_of()) if n != gone]
        assert missing_rules(rules, NETWORK.cidr) == [rules_inside(NETWORK.cidr)[gone]]
        group = GroupReading(group_id="G", segment_id=SEGMENT, rules=tuple(rules))
        assert loose_segments({SEGMENT: NETWORK.cidr}, [group]) == {SEGMENT}
    assert loose_segments({SEGMENT: NETWORK.cidr}, []) == {SEGMENT}


def test_of_two_groups_of_one_network_the_older_counts() -> None:
    older, newer = (GroupReading(group_id=g, segment_id=SEGMENT, rules=(), created_at=at) for g, at in (("B", "1"), ("A", "2")))
    right = tuple(rules_of())
    assert loose_segments({SEGMENT: NETWORK.cidr}, [newer, replace(older, rules=right)]) == frozenset()
    assert loose_segments({SEGMENT: NETWORK.cidr}, [replace(newer, rules=right), older]) == {SEGMENT}


def test_a_group_without_our_mark_is_not_ours_whatever_it_is_called() -> None:
    told = SimpleNamespace(id="G", name=SEGMENT, description="", created_at=None, security_group_rules=[])
    assert read_group(told) is None
    told.description = mark_text(replace(MARK, resource_id=SEGMENT))
    assert read_group(told) == GroupReading(group_id="G", segment_id=SEGMENT, rules=())


def test_keys_and_user_data_both_reach_the_guest() -> None:
    whole = user_data_text(machine())
    assert whole.startswith("Content-Type: multipart/mixed")
    assert whole.count("Content-Type: text/cloud-config") == 2
    assert user_data_text(machine(ssh_keys=())) == "#cloud-config\npackages: [nginx]\n"
    assert user_data_text(machine(user_data="")).startswith("#cloud-config\n{")
    assert user_data_text(machine(user_data="", ssh_keys=())) == ""


def test_the_same_wish_gives_the_same_bytes() -> None:
    assert user_data_text(machine()) == user_data_text(machine())


def test_a_mark_survives_both_ways_it_is_kept() -> None:
    assert read_mark(MARK.values()) == MARK
    assert parse_mark_text(mark_text(MARK)) == MARK
    assert parse_mark_text("put up by hand " + mark_text(MARK)) == MARK


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"allotment_id": INSTANCE},
        {"allotment_id": INSTANCE, "allotment_fence": "x", "allotment_host": "h"},
        {"name": "x"},
    ],
)
def test_what_does_not_bear_the_whole_mark_is_not_ours(metadata: dict[str, str] | None) -> None:
    assert read_mark(metadata) is None


@pytest.mark.parametrize(
    ("connection", "address"),
    [
        ("openstack://City-One/hv-001", Address("City-One", "hv-001")),
        ("openstack://city", Address("city", "")),
        ("openstack://city/", Address("city", "")),
        ("openstack://city?zone=az-1", Address("city", "", "az-1")),
        ("openstack://city?zone=%E4%B8%9C+1", Address("city", "", "东 1")),
    ],
)
def test_an_address_names_a_region_one_zone_or_one_hypervisor(connection: str, address: Address) -> None:
    assert parse_address(connection) == address
    assert parse_address(address.text) == address


NO_ADDRESSES = (
    "", "city", "qemu:///system", "openstack://", "openstack://a/b/c", "openstack://a/b?c=d", "openstack://a?zone=", "openstack://a?zone",
    "openstack://a?zone=x&zone=y", "openstack://a/hv?zone=x", "openstack://a?zone=x#y",
)  # fmt: skip


@pytest.mark.parametrize("connection", NO_ADDRESSES)
def test_what_is_no_address_is_refused(connection: str) -> None:
    with pytest.raises(Permanent) as refused:
        parse_address(connection)
    assert refused.value.problem.code == "openstack.address_invalid"


def test_the_port_of_a_machine_is_found_by_a_text_that_never_changes() -> None:
    text_of_port = mark_text(port_mark(INSTANCE, "host_1"))
    assert text_of_port == mark_text(port_mark(INSTANCE, "host_1"))
    assert parse_mark_text(text_of_port) == Mark(resource_id=INSTANCE, fence=0, host_id="host_1")


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(Permanent) as refused:
        read_settings({"wait_s": "soon", "attempts": -1, "projects": "many", "colour": "red"})
    assert refused.value.problem.code == "openstack.settings_invalid"
    assert sorted(str(refused.value.problem.params["names"]).split(", ")) == ["attempts", "colour", "projects", "wait_s"]
    assert read_settings({"wait_s": "5"}).wait_s == 5.0


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, ""),
        ({"department_group": "auditors", "department_role": "member", "department_group_missing": "make"}, ""),
        ({"department_role": "admin"}, "department_role"),
        ({"department_role": " Admin"}, "department_role"),
        ({"department_role": "service"}, "department_role"),
        ({"department_group": "{code}-operators"}, "department_group"),
        ({"projects": "one"}, "department_group"),
        ({"department_group_missing": "perhaps"}, "department_group_missing"),
    ],
)
def test_a_department_is_never_given_a_role_of_administrators(changes: dict[str, str], wrong: str) -> None:
    section = {"projects": "per-department", "department_group": "{department}-operators", **changes}
    if not wrong:
        assert people_of(read_settings(section), "finance") in ("finance-operators", "auditors")
        return
    with pytest.raises(Permanent) as refused:
        read_settings(section)
    assert (refused.value.problem.code, refused.value.problem.params["names"]) == ("openstack.settings_invalid", wrong)


@pytest.mark.parametrize(
    ("status", "changes", "kind", "code"),
    [
        (0, False, Transient, "driver.unreachable"),
        (0, True, OutcomeUnknown, "driver.outcome_unknown"),
        (500, False, Transient, "driver.unreachable"),
        (503, True, OutcomeUnknown, "driver.outcome_unknown"),
        (504, True, OutcomeUnknown, "driver.outcome_unknown"),
        (429, True, Transient, "openstack.too_many_calls"),
        (404, True, Transient, "openstack.call_failed"),
        (409, True, Transient, "openstack.call_failed"),
        (400, True, Permanent, "openstack.refused"),
        (401, False, Permanent, "openstack.access_denied"),
        (403, True, Permanent, "openstack.forbidden"),
        (413, True, Permanent, "openstack.quota_exceeded"),
        (418, True, Permanent, "openstack.refused"),
    ],
)
def test_a_status_is_told_as_what_it_means_for_the_next_try(status: int, changes: bool, kind: type, code: str) -> None:
    fault = fault_of(status, connection="openstack://x", verb="v", changes=changes, internal="i")
    assert type(fault) is kind
    assert fault.problem.code == code


def test_a_quota_is_told_from_a_conflict_by_its_type_and_not_by_its_sentence() -> None:
    def fault(kind: str) -> str:
        body = {"NeutronError": {"type": kind, "message": "Quota exceeded for resources"}}
        return fault_of(409, connection="c", verb="v", changes=True, internal="", body=body).problem.code

    assert fault("OverQuota") == "openstack.quota_exceeded"
    assert fault("IpAddressInUse") == "openstack.call_failed"


def test_the_time_a_service_asks_for_is_kept_and_bounded() -> None:
    fault = fault_of(429, connection="c", verb="v", changes=True, internal="", headers={"Retry-After": "7"})
    assert isinstance(fault, Transient)
    assert fault.delay_s == 7
    assert delay_of({"Retry-After": "999999"}) == LONGEST_DELAY_S
    at = {"Date": "Wed, 21 Oct 2026 07:27:15 GMT"}
    assert delay_of({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", **at}) == 45
    assert delay_of({"Retry-After": "Thu, 22 Oct 2026 07:28:00 GMT", **at}) == LONGEST_DELAY_S
    assert delay_of({"Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT", **at}) == 0
    assert delay_of({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}) == 0, "since when is not known"
    assert delay_of({"Retry-After": "soon", **at}) == 0
    assert delay_of(None) == 0


def server(**changes: Any) -> ServerReading:
    known = ServerReading(
        server_id="S", name="n", mark=MARK, status="ACTIVE", task=None, vcpu_count=2, memory_mib=4096, volume_ids=("R", "D", "X")
    )
    return replace(known, **changes)


@pytest.mark.parametrize(
    ("status", "power", "state"),
    [
        ("ACTIVE", 1, Observed.RUNNING),
        ("REBOOT", 1, Observed.RUNNING),
        ("SHUTOFF", 4, Observed.STOPPED),
        ("SHELVED_OFFLOADED", 4, Observed.STOPPED),
        ("VERIFY_RESIZE", 4, Observed.STOPPED),
        ("VERIFY_RESIZE", 1, Observed.RUNNING),
        ("VERIFY_RESIZE", None, Observed.UNKNOWN),
        ("BUILD", 0, Observed.UNKNOWN),
        ("ERROR", 1, Observed.UNKNOWN),
        ("PAUSED", 3, Observed.UNKNOWN),
        ("NEVER_HEARD_OF", None, Observed.UNKNOWN),
    ],
)
def test_a_status_of_the_region_is_a_state_of_ours_or_unknown(status: str, power: int | None, state: Observed) -> None:
    assert state_of(server(status=status, power=power)) is state


def test_only_data_disks_of_ours_are_observed_as_attached() -> None:
    seen = observed_of(server(), {"R": INSTANCE, "D": VOLUME})
    assert seen.volume_ids == (VOLUME,)
    assert (seen.instance_id, seen.fence, seen.state) == (INSTANCE, 7, Observed.RUNNING)


def test_a_machine_with_a_task_is_not_at_rest() -> None:
    assert server().is_at_rest
    assert not server(task="powering-off").is_at_rest
    assert not server(status="BUILD").is_at_rest


@pytest.mark.parametrize(
    ("status", "is_markable"),
    [("ACTIVE", True), ("SHUTOFF", True), ("BUILD", False), ("ERROR", False), ("VERIFY_RESIZE", False), ("SHELVED", False)],
)
def test_a_machine_takes_a_mark_only_in_the_states_nova_lists(status: str, is_markable: bool) -> None:
    assert server(status=status).is_markable is is_markable


def test_of_two_machines_of_one_wish_the_older_is_kept() -> None:
    older, newer = (
        server(server_id="A", created_at="2026-01-01T00:00:00Z"),
        server(server_id="B", created_at="2026-01-01T00:00:01Z"),
    )
    assert oldest_of([newer, older]) == older
    assert oldest_of([]) is None


def test_a_moment_is_read_or_said_to_be_unknown() -> None:
    assert moment_s("2026-01-01T00:00:01Z", 5.0) == 1767225601.0
    assert moment_s("", 5.0) == 5.0


def test_what_the_region_holds_back_is_not_capacity() -> None:
    inventories = {"MEMORY_MB": {"total": 1000, "reserved": 100, "allocation_ratio": 1.5}}
    provider = provider_of(SimpleNamespace(id="P", name="hv", generation=5), inventories, ["HW_CPU_X86_AVX"])
    assert (provider.amounts, provider.allocation_permille, provider.generation) == ({"MEMORY_MB": 900}, {"MEMORY_MB": 1500}, 5)
    assert (provider.provider_id, provider.name, provider.traits) == ("P", "hv", frozenset({"HW_CPU_X86_AVX"}))


def test_traits_are_told_of_each_provider_in_a_listing_of_candidates() -> None:
    candidates = {"allocation_requests": [], "provider_summaries": {"P": {"traits": ["A", "B"]}, "Q": {"traits": []}}}
    assert traits_told(candidates) == {"P": {"A", "B"}, "Q": frozenset()}


def test_shared_storage_is_never_promised_twice() -> None:
    types = {"standard": {"volume_backend_name": "a"}, "fast": {"volume_backend_name": "b"}, "__DEFAULT__": {}}
    pools = [
        {"volume_backend_name": "a", "total_capacity_gb": "1000.5", "free_capacity_gb": 700},
        {"volume_backend_name": "a", "total_capacity_gb": 10, "free_capacity_gb": 10},
        {"volume_backend_name": "b", "total_capacity_gb": 90, "free_capacity_gb": 30},
    ]
    found = {s.name: (s.capacity_gib, s.available_gib) for s in storage_facts(types, pools, 3)}
    assert found == {"standard": (336, 236), "fast": (30, 10)}
    assert [capacity_gib(v) for v in ("infinite", "unknown", "12.9", None)] == [UNBOUNDED_GIB, UNBOUNDED_GIB, 12, UNBOUNDED_GIB]


def test_volumes_of_others_are_shared_out_like_the_storage_they_take() -> None:
    types = {"standard": {"volume_backend_name": "a"}, "cold": {"volume_backend_name": "a"}, "fast": {"volume_backend_name": "b"}}
    mark = Mark(host_id="host_1", resource_id="vol_1", fence=1)

    def volume(size_gib: int, storage_pool: str, mark: Mark | None = None) -> VolumeReading:
        return VolumeReading(
            volume_id="v", name="n", mark=mark, role="", status="in-use", size_gib=size_gib, storage_pool=storage_pool
        )

    there = [volume(10, "standard"), volume(5, "cold"), volume(100, "standard", mark), volume(4, "fast"), volume(9, "")]
    assert foreign_storage(types, [], there, 3) == {"standard": 5, "cold": 5, "fast": 2}
    assert foreign_storage({"any": {}, "__DEFAULT__": {}}, [], there, 1) == {"any": 28}
    assert foreign_storage(types, [], [], 3) == {"standard": 0, "cold": 0, "fast": 0}
    assert foreign_storage(types, None, there, 3) == {}, "whoever may not look says nothing"


def test_a_region_is_the_sum_of_its_hypervisors() -> None:
    hypervisors = [
        Hypervisor(name=n, provider_id=p, kind="QEMU", version="7", is_alive=True)
        for n, p in (("a", "P1"), ("b", "P2"), ("c", "P3"))
    ]
    amounts = {"VCPU": 8, "MEMORY_MB": 100}
    ratios = {"P1": {"VCPU": 4000, "MEMORY_MB": 1000}, "P2": {"VCPU": 2500, "DISK_GB": 1000}}
    providers = {
        p: Provider(provider_id=p, name=p, generation=1, amounts=amounts, allocation_permille=permille)
        for p, permille in ratios.items()
    }
    facts = host_facts("city", hypervisors, providers, (), arch="aarch64", service_versions=("compute 2.93",))
    assert (facts.cpu_count, facts.memory_mib, facts.virtualisation, facts.arch) == (16, 200, "kvm", "aarch64")
    assert facts.service_versions == ("compute 2.93",)
    # More than the strictest of them takes is refused by Placement.
    assert facts.overcommit_most_permille == {"vcpu": 2500, "memory_mib": 1000}


def test_a_controller_without_a_region_never_imports_the_sdk() -> None:
    imports = "import sys, controller.wiring, controller.local.serve, drivers.registry"
    code = f"{imports}; print(sorted({{'openstack', 'keystoneauth1'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert driver_factory("openstack").__module__ == "drivers.openstack.driver"


def test_a_cloud_that_no_file_describes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text("clouds: {gov: {auth: {auth_url: http://127.0.0.1:9}}}\n", encoding="utf-8")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    context = DriverContext(host_id="host_1", host_name="n1", connection="openstack://nowhere", clock=time.time)
    with pytest.raises(Permanent) as refused:
        driver_factory("openstack")(context).observe()
    assert (refused.value.problem.code, refused.value.problem.params) == ("openstack.cloud_unknown", {"cloud": "nowhere"})


NIC = NicRequest(segment_id=ResourceId("seg"), mac="02:00:00:00:00:01", address="10.0.0.9")


def port(**changes: Any) -> PortReading:
    known = PortReading(
        port_id="P", mark=None, entry=LeaseEntry(mac=NIC.mac, address=NIC.address, hostname="h"), device_id="S", group_ids=("G",)
    )
    return replace(known, subnet_id="N", **changes)


@pytest.mark.parametrize(
    ("loosened", "put_right"),
    [
        ({}, {}),
        ({"has_port_security": False}, {"is_port_security_enabled": True}),
        ({"group_ids": ()}, {"security_groups": ["G"]}),
        ({"group_ids": ("G", "H")}, {"security_groups": ["G"]}),
        ({"has_address_pairs": True}, {"allowed_address_pairs": []}),
        ({"address_count": 2}, {"fixed_ips": [{"subnet_id": "N", "ip_address": "10.0.0.9"}]}),
    ],
)
def test_of_the_port_of_a_card_only_what_is_loose_is_changed(loosened: dict[str, Any], put_right: dict[str, Any]) -> None:
    assert hold_body(port(**loosened), NIC, "G") == put_right


def test_a_port_that_may_send_as_others_is_not_guarded() -> None:
    assert port().is_guarded
    assert not port(has_port_security=False).is_guarded
    assert not port(has_address_pairs=True).is_guarded
    assert not port(address_count=2).is_guarded


@pytest.mark.parametrize(
    ("is_together", "is_hard", "policy"),
    [
        (False, False, "soft-anti-affinity"),
        (False, True, "anti-affinity"),
        (True, False, "soft-affinity"),
        (True, True, "affinity"),
    ],
)
def test_a_rule_between_machines_is_a_policy_of_nova(is_together: bool, is_hard: bool, policy: str) -> None:
    mates = Mates(name="portal-web", is_together=is_together, is_hard=is_hard)
    assert (group_name(mates, "host_1"), policy_of(mates)) == ("allotment portal-web host_1", policy)


def test_a_machine_joins_its_group_as_it_is_made() -> None:
    parts = Parts(flavor_id="F", root_id="R")
    assert not {"scheduler_hints", "availability_zone"} & server_body(machine(), MARK, parts).keys()
    assert server_body(machine(), MARK, replace(parts, zone="az-1"))["availability_zone"] == "az-1"
    assert server_body(machine(), MARK, replace(parts, group_id="G"))["scheduler_hints"] == {"group": "G"}
