"""``allot describe``: every kind of thing whole, in the reader's words; and a host with all the operator said of it."""

import re

import pytest

from tests.support.service import ServiceUnderTest, ticket

#: A title that nobody translated, and a value as a program writes it.
_RAW = re.compile(r"^[a-z]+(_[a-z]+)+\s|[{}]|\bNone\b|\bTrue\b|\bFalse\b", re.MULTILINE)
_FACTS = (
    "--site",
    "一号楼",
    "--room",
    "三层",
    "--rack",
    "B07",
    "--vendor",
    "某厂商",
    "--owner",
    "市大数据局",
    "--warranty",
    "2029-05-31",
)
_CONNECTION = "simulated://world/host-9?cpus=8&memory_mib=8192&disk_gib=100"


@pytest.fixture(scope="module")
def portal(running: ServiceUnderTest) -> ServiceUnderTest:
    """The service with a system, and a host about which everything is known."""
    running.ok("apply", running.write("portal.yaml", ticket("portal")), "--yes", "--wait")
    means = (
        "--pool",
        "sim",
        "--connection",
        _CONNECTION,
        "--storage",
        "standard:default",
        "--reserve-cpu",
        "2",
        "--trait",
        "tpm",
    )
    running.ok("host", "enrol", "host-9", *means, *_FACTS)
    return running


SHOWN = {
    ("pool", "sim"): ("模拟", "政务外网", "vCPU 4×", "内存 MiB 1×", "无"),
    ("zone", "gov-public"): ("政务外网", "10.96.0.0/16", "/26"),
    ("size", "tiny"): ("vCPU", "128"),
    ("image", "demo-linux"): ("演示系统", "qcow2", "字节"),
    ("department", "civil-affairs"): ("市民政局", "city-hall (市政府)"),
    ("project", "P-PORTAL"): ("门户网站", "civil-affairs (市民政局)", "2080299"),
    ("system", "portal"): ("civil-affairs (市民政局)", "P-PORTAL (门户网站)", "gov-public", "020-81234567"),
    ("instance", "portal/web-1"): ("demo-linux", "tiny", "运行中"),
    ("host", "host-9"): (
        "一号楼 三层 B07",
        "某厂商",
        "市大数据局",
        "2029-05-31",
        "vCPU 2",
        "sim (模拟)",
        "路",
        "default（",
        "tpm",
    ),
}


@pytest.mark.parametrize("what", SHOWN, ids=lambda what: what[0])
def test_each_kind_is_shown_whole_and_in_words(portal: ServiceUnderTest, what: tuple[str, str]) -> None:
    told = portal.ok("--lang", "zh-CN", "describe", *what).out
    assert not _RAW.search(told), told
    for part in SHOWN[what]:
        assert part in told, (part, told)


def test_a_host_goes_through_its_states_with_who_why_and_until(portal: ServiceUnderTest) -> None:
    portal.ok("host", "activate", "host-9")
    shown = portal.ok("host", "maintain", "host-9", "--reason", "new memory", "--until", "2030-01-01").out
    assert "maintenance" in shown
    assert "new memory root" in shown
    assert "2030-01-01 00:00:00" in shown
    assert "active" in portal.ok("host", "state", "host-9", "active", "--reason", "done").out
    assert "host.until_past" in portal.allot("host", "cordon", "host-9", "--until", "2020-01-01").err
    refused = portal.allot("host", "retire", "host-9")
    assert refused.code == 1
    assert "host.state_forbids" in refused.err
    portal.ok("host", "cordon", "host-9")
    portal.ok("host", "retire", "host-9", "--reason", "sold")
    kept = portal.ok("host", "show", "host-9", "-o", "json").json
    assert (kept["admin_state"], kept["state_reason"], kept["state_by"], kept["state_until_s"]) == (
        "retired",
        "sold",
        "root",
        None,
    )


def test_a_host_with_machines_is_not_retired(portal: ServiceUnderTest) -> None:
    [machine] = portal.ok("get", "instances", "-o", "json").json
    portal.ok("host", "cordon", machine["host"])
    refused = portal.allot("host", "retire", machine["host"])
    assert refused.code == 1
    assert "host.not_empty" in refused.err
    portal.ok("host", "activate", machine["host"])


@pytest.mark.parametrize(
    ("written", "mode", "said"), [("3000", "limit", "3000"), ("unlimited", "unlimited", "不限"), ("inherit", "inherit", "继承")]
)
def test_a_limit_is_told_in_words(portal: ServiceUnderTest, written: str, mode: str, said: str) -> None:
    told = portal.ok("--lang", "zh-CN", "quota", "set", "P-PORTAL", "memory_mib", written).out
    assert "内存 MiB" in told
    assert said in told
    shown = portal.ok("quota", "show", "-o", "json").json
    assert [q["mode"] for q in shown if (q["scope"], q["dimension"]) == ("P-PORTAL", "memory_mib")] == [mode]
