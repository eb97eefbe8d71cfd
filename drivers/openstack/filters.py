"""What may come into a department network from beyond it: rules of its security group, ours by their description."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from drivers.faults import Transient
from drivers.openstack import networks
from drivers.openstack.mapping import RULE_TEXT
from drivers.openstack.region import Region
from drivers.openstack.segment_rules import GroupReading
from drivers.powers import RuleEntry
from inventory.domain.ids import ResourceId


def read_rules(region: Region, segment_id: ResourceId) -> dict[RuleEntry, str]:
    """Return the rules with their ids in the region.

    Raises:
        Transient: ``driver.segment_missing``.
    """
    rules = _group(region, segment_id).rules
    return {rule_of(rule): rule["id"] for rule in rules if rule.get("description") == RULE_TEXT}


def ensure_rules(region: Region, segment_id: ResourceId, rules: Sequence[RuleEntry], fence: int) -> None:
    """Let in exactly this.

    Raises:
        StaleFence: a newer hold has acted on the network.
        Transient: ``driver.segment_missing``.
    """
    network = networks.find_network(region, segment_id)
    if network is None:
        raise Transient("driver.segment_missing", segment_id=segment_id)
    networks.take_fence(region, network, fence)
    group_id, present, neutron = _group(region, segment_id).group_id, read_rules(region, segment_id), region.sdk.network
    for entry in sorted(present.keys() - set(rules), key=str):
        region.calls.change("rule", partial(neutron.delete_security_group_rule, present[entry]))
    owner = region.projects.owner(network.mark.department)
    missing = [{**rule_body(entry, group_id), **owner} for entry in sorted(set(rules) - present.keys(), key=str)]
    if missing:
        region.calls.change("rule", lambda: list(neutron.create_security_group_rules(missing)))


def _group(region: Region, segment_id: ResourceId) -> GroupReading:
    groups = networks.groups_of(region, segment_id)
    if not groups:
        raise Transient("driver.segment_missing", segment_id=segment_id)
    return groups[0]


def rule_body(entry: RuleEntry, group_id: str) -> dict[str, Any]:
    """Return what a rule is asked for with. Pure."""
    body: dict[str, Any] = {
        "security_group_id": group_id,
        "direction": "ingress",
        "ether_type": "IPv4",
        "protocol": entry.protocol,
        "remote_ip_prefix": entry.cidr,
        "description": RULE_TEXT,
    }
    if entry.protocol != "icmp":
        body |= {"port_range_min": entry.first_port, "port_range_max": entry.last_port}
    return body


def rule_of(rule: Mapping[str, Any]) -> RuleEntry:
    """Read a rule. Pure."""
    return RuleEntry(
        protocol=rule["protocol"],
        first_port=rule["port_range_min"] or 0,
        last_port=rule["port_range_max"] or 0,
        cidr=rule["remote_ip_prefix"],
    )
