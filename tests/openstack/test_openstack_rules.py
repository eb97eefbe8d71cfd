"""What somebody does to the security group of a department network, with a client of Neutron: seen by a look, and put right."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.faults import Transient
from drivers.openstack.driver import OpenStackDriver
from drivers.powers import RuleEntry
from tests.openstack.harness import Behind, driver_of
from tests.openstack.proxy import Proxies, proxies_before
from tests.openstack.region.region import Region
from tests.openstack.wish import FENCE, Wish, wish_on

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900)]

HYPERVISOR = "hv-005"
LET_IN = RuleEntry(protocol="tcp", first_port=80, last_port=80, cidr="10.1.0.0/16")


@pytest.fixture
def proxies(region: Region, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxies]:
    """Proxies that count."""
    with proxies_before(region.layout, tmp_path, monkeypatch, observe_max_age_s=0) as found:
        yield found


@pytest.fixture
def wish(proxies: Proxies, tmp_path: Path) -> Iterator[Wish]:
    """A department network that is right, with something let in."""
    driver = driver_of(f"openstack://proxied/{HYPERVISOR}")
    assert isinstance(driver, OpenStackDriver)
    found = wish_on(driver, tmp_path)
    try:
        have_network(found)
        found.have(lambda: driver.ensure_rules(found.segment.segment_id, [LET_IN], FENCE))
        assert not is_loose(found)
        yield found
        assert driver.rules(found.segment.segment_id) == {LET_IN}, "what was let in by the platform stays"
    finally:
        found.have(lambda: driver.ensure_segment_absent(found.segment.segment_id, FENCE))
        driver.close()


def have_network(wish: Wish) -> None:
    wish.have(lambda: wish.driver.ensure_segment(wish.segment, FENCE))


def is_loose(wish: Wish) -> bool:
    seen = wish.driver.observe()
    assert wish.segment.segment_id in seen.segment_ids
    return wish.segment.segment_id in seen.loose_segment_ids


def group_of(wish: Wish, behind: Behind) -> Any:
    (group,) = behind.cloud.network.security_groups(name=wish.segment.segment_id, project_id=None)
    return group


def test_a_rule_somebody_adds_is_seen_and_taken_out(wish: Wish, behind: Behind) -> None:
    network, group = behind.cloud.network, group_of(wish, behind)
    other = network.create_security_group(name="other", project_id=group.project_id)
    v4: dict[str, Any] = {"direction": "ingress", "ether_type": "IPv4"}
    added: dict[str, dict[str, Any]] = {
        "a port from everywhere": {
            **v4, "protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0",
        },
        "another group": {**v4, "remote_group_id": other.id},
        "the other protocol": {**v4, "ether_type": "IPv6"},
        "all of the way out": {**v4, "direction": "egress"},
        "all ports where one is wanted": {**v4, "direction": "egress", "remote_ip_prefix": "169.254.169.254/32"},
        "one that bears our words and is none of ours": {**v4, "direction": "egress", "description": "allotment rule"},
    }  # fmt: skip
    before = behind.let_through(wish.segment.segment_id)
    try:
        for what, rule in added.items():
            network.create_security_group_rule(security_group_id=group.id, project_id=group.project_id, **rule)
            assert is_loose(wish), what
            have_network(wish)
            assert not is_loose(wish), what
            assert behind.let_through(wish.segment.segment_id) == before
    finally:
        network.delete_security_group(other)


def test_a_rule_somebody_takes_out_is_missed_and_put_back(wish: Wish, behind: Behind) -> None:
    before = behind.let_through(wish.segment.segment_id)
    own = [r for r in group_of(wish, behind).security_group_rules if r["description"] != "allotment rule"]
    assert len(own) == 3
    for rule in own:
        behind.cloud.network.delete_security_group_rule(rule["id"])
        assert is_loose(wish)
        have_network(wish)
        assert not is_loose(wish)
        assert behind.let_through(wish.segment.segment_id) == before


def test_a_group_of_others_with_the_same_name_is_not_touched(wish: Wish, behind: Behind) -> None:
    network = behind.cloud.network
    theirs = network.create_security_group(name=wish.segment.segment_id, project_id=group_of(wish, behind).project_id)
    try:
        rules = theirs.security_group_rules
        assert not is_loose(wish)
        have_network(wish)
        assert not is_loose(wish)
        assert network.get_security_group(theirs.id).security_group_rules == rules
    finally:
        network.delete_security_group(theirs)


def test_rules_cost_one_call_a_look_whatever_the_number_of_networks(
    wish: Wish, proxies: Proxies, tmp_path: Path, behind: Behind
) -> None:
    def asked() -> list[str]:
        proxies.asked.clear()
        wish.driver.observe()
        return sorted(a.path.partition("?")[0] for a in proxies.asked if "security-group" in a.path or "subnets" in a.path)

    other = wish_on(wish.driver, tmp_path)
    have_network(other)
    try:
        first, second = asked(), asked()
    finally:
        other.have(lambda: other.driver.ensure_segment_absent(other.segment.segment_id, FENCE))
    assert [path.rpartition("/")[2] for path in first] == ["security-groups", "subnets"], "a subnet that is new is read once"
    assert [path.rpartition("/")[2] for path in second] == ["security-groups"]
    assert [path.rpartition("/")[2] for path in asked()] == ["security-groups"]


def test_a_port_somebody_prepares_in_a_network_stays_and_keeps_the_network(wish: Wish, behind: Behind) -> None:
    network, driver = behind.cloud.network, wish.driver
    there = network.find_network(wish.segment.segment_id)
    # As Octavia makes those of its own machines, before it plugs them in.
    fixed = [{"subnet_id": there.subnet_ids[0], "ip_address": wish.segment.gateway.removesuffix("1") + "50"}]
    bare = network.create_port(network_id=there.id, name="prepared", fixed_ips=fixed, project_id=there.project_id)
    try:
        have_network(wish)
        assert network.find_port(bare.id) is not None
        with pytest.raises(Transient) as refused:
            driver.ensure_segment_absent(wish.segment.segment_id, FENCE)
        assert refused.value.problem.code == "driver.segment_in_use"
        assert network.find_port(bare.id) is not None
    finally:
        network.delete_port(bare.id)
