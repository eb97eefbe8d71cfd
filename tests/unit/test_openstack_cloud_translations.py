"""OpenStack: translations of rules, copies, load balancers' health and what Nova counts."""

import time
from types import SimpleNamespace

import pytest

from drivers.openstack.balancer_plan import read_health
from drivers.openstack.filters import rule_body, rule_of
from drivers.openstack.mapping import RULE_TEXT, moment_s, read_snapshot, volume_body
from drivers.openstack.marks import Mark
from drivers.openstack.usage import machine_of
from drivers.powers import HealthRequest, RuleEntry
from drivers.protocol import VolumeRequest
from inventory.domain.ids import ResourceId

MARK = Mark(resource_id="vol_1", fence=3, host_id="host_1")


@pytest.mark.parametrize(
    "entry",
    [
        RuleEntry(protocol="tcp", first_port=80, last_port=443, cidr="0.0.0.0/0"),
        RuleEntry(protocol="icmp", first_port=0, last_port=0, cidr="10.0.0.0/8"),
    ],
)
def test_a_rule_is_read_as_it_was_written(entry: RuleEntry) -> None:
    body = rule_body(entry, "group-1")
    assert (body["direction"], body["description"], body["security_group_id"]) == ("ingress", RULE_TEXT, "group-1")
    answered = {"port_range_min": None, "port_range_max": None, **body}
    assert rule_of(answered) == entry


def test_a_rule_for_icmp_names_no_ports() -> None:
    body = rule_body(RuleEntry(protocol="icmp", first_port=0, last_port=0, cidr="10.0.0.0/8"), "group-1")
    assert not {"port_range_min", "port_range_max"} & body.keys()


def test_a_disk_of_a_copy_names_the_copy_and_no_image() -> None:
    request = VolumeRequest(volume_id=ResourceId("vol_1"), role="data", storage_pool="standard", size_gib=3)
    body = volume_body(request, MARK, snapshot_id="s-1")
    assert (body["snapshot_id"], "image_id" in body) == ("s-1", False)


def test_a_copy_without_our_mark_is_not_ours() -> None:
    found = read_snapshot(
        SimpleNamespace(id="s-1", name="theirs", metadata={}, volume_id="v-1", status="available", size=2, created_at="")
    )
    assert found.mark is None


@pytest.mark.parametrize(
    ("kind", "path", "expected"), [("HTTP", "/", ""), ("HTTP", "/health", "/health"), ("TCP", None, ""), ("TCP", "/", "")]
)
def test_health_is_read_without_a_path_nobody_asked_for(kind: str, path: str | None, expected: str) -> None:
    monitor = SimpleNamespace(type=kind, delay=5, timeout=3, max_retries=2, url_path=path)
    assert read_health(monitor) == HealthRequest(kind=kind.lower(), interval_s=5, timeout_s=3, count=2, path=expected)


def test_what_nova_counts_begins_with_the_first_start() -> None:
    entry = {
        "instance_id": "u-1", "name": "web-1", "vcpus": 2, "memory_mb": 1024, "local_gb": 0,
        "started_at": "2026-11-26T08:00:00.000000", "ended_at": None,
    }  # fmt: skip
    found = machine_of(entry, {"u-1": "inst_1"})
    assert found is not None
    assert (found.instance_id, found.vcpu_count, found.memory_mib, found.ended_s) == ("inst_1", 2, 1024, None)
    ended = machine_of({**entry, "ended_at": "2026-11-26T08:01:00.000000"}, {})
    assert ended is not None
    assert (ended.instance_id, (ended.ended_s or 0) - ended.begun_s) == ("", 60)
    assert machine_of({**entry, "started_at": None}, {}) is None


def test_a_moment_without_a_zone_is_in_utc_wherever_the_controller_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        moments = {moment_s(text, 0.0) for text in ("2026-11-26T08:00:00.000000", "2026-11-26T08:00:00Z")}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert moments == {1_795_680_000.0}
