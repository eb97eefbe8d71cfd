"""The platform's hosts as an inventory of Ansible."""

import json
from typing import Any

import pytest

from inventory.importers.dynamic import dynamic_inventory

POOLS = [
    {"id": "pool_1", "code": "gov-a", "driver": "libvirt", "zone_id": "zone_1"},
    {"id": "pool_2", "code": "region", "driver": "openstack", "zone_id": "zone_1"},
]
ZONES = [{"id": "zone_1", "code": "gov-public"}]
HERE = "controller-1"


def host(name: str, connection: str, **changes: Any) -> dict[str, Any]:
    texts = {"site": "一号 {{ 楼 }}", "room": "", "rack": "A03", "vendor": "", "owner": "", "warranty_until": ""}
    states = {"admin_state": "active", "reachability": "reachable"}
    facts = {"hostname": f"{name}.example", "arch": "x86_64"}
    return {
        "id": f"host_{name}",
        "name": name,
        "pool_id": "pool_1",
        "connection": connection,
        "facts": facts,
        "traits": ["ssd"],
        **texts,
        **states,
        **changes,
    }


def found(*hosts: dict[str, Any]) -> dict[str, Any]:
    inventory, left_out = dynamic_inventory(hosts, POOLS, ZONES, here=HERE)
    assert left_out == []
    return inventory


@pytest.mark.parametrize(
    ("connection", "reach"),
    [
        ("qemu+ssh://ops@rack3-07.example:2222/system", ("rack3-07.example", "ops", 2222)),
        ("qemu+ssh://rack3-07.example/system", ("rack3-07.example", None, None)),
        ("qemu+tls://10.0.8.37:16514/system", ("10.0.8.37", None, None)),
        ("qemu+ssh://root@[fd00::7]/system", ("fd00::7", "root", None)),
        ("qemu:///system", ("h.example", None, None)),
    ],
)
def test_a_host_is_reached_where_its_connection_leads(connection: str, reach: tuple[str, str | None, int | None]) -> None:
    known = found(host("h", connection))["_meta"]["hostvars"]["h"]
    assert tuple(known.get(f"ansible_{name}") for name in ("host", "user", "port")) == reach
    assert "ansible_connection" not in known


def test_only_the_machine_ansible_runs_on_is_local() -> None:
    mine = host("h", "qemu:///system", facts={"hostname": HERE, "arch": "x86_64"})
    assert found(mine)["_meta"]["hostvars"]["h"]["ansible_connection"] == "local"


def test_a_host_that_was_never_seen_is_called_by_its_name() -> None:
    assert found(host("h", "qemu:///system", facts=None))["_meta"]["hostvars"]["h"]["ansible_host"] == "h"


def test_hosts_are_grouped_by_pool_zone_state_and_reachability() -> None:
    groups = found(
        host("b", "qemu+ssh://b/system", admin_state="maintenance"), host("a", "qemu+ssh://a/system", reachability="unreachable")
    )
    del groups["_meta"]
    assert {name: group["hosts"] for name, group in groups.items()} == {
        "allot": ["a", "b"],
        "allot_pool_gov_a": ["a", "b"],
        "allot_zone_gov_public": ["a", "b"],
        "allot_state_active": ["a"],
        "allot_state_maintenance": ["b"],
        "allot_reachability_reachable": ["b"],
        "allot_reachability_unreachable": ["a"],
    }


def test_retired_hosts_and_those_of_other_drivers_are_not_in_it() -> None:
    gone = host("gone", "qemu+ssh://gone/system", admin_state="retired")
    far = host("far", "openstack://city/far", pool_id="pool_2")
    assert found(gone, far) == {"allot": {"hosts": []}, "_meta": {"hostvars": {}}}


def test_words_of_people_are_no_templates() -> None:
    known = found(host("h", "qemu+ssh://h/system"))["_meta"]["hostvars"]["h"]
    assert known["allot_site"] == {"__ansible_unsafe": "一号 {{ 楼 }}"}
    assert known["allot_traits"] == [{"__ansible_unsafe": "ssd"}]


@pytest.mark.parametrize(
    "strange",
    [
        host("-oProxyCommand=x", "qemu+ssh://h/system"),
        host("h", "qemu+ssh://-oProxyCommand=x/system"),
        host("h", "qemu+ssh://{{x}}@h/system"),
        host("h", "qemu:///system", facts={"hostname": "{{ lookup('pipe', 'id') }}", "arch": ""}),
    ],
)
def test_what_could_be_an_option_or_a_template_is_left_out_and_named(strange: dict[str, Any]) -> None:
    inventory, left_out = dynamic_inventory([strange], POOLS, ZONES, here=HERE)
    assert (inventory["allot"]["hosts"], inventory["_meta"]["hostvars"], left_out) == ([], {}, [strange["name"]])


def test_the_same_hosts_give_the_same_text_in_whatever_order_they_come() -> None:
    some = [host(name, f"qemu+ssh://{name}/system") for name in "cab"]
    assert json.dumps(found(*some)) == json.dumps(found(*reversed(some)))
