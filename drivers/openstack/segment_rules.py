"""What the security group of a department network lets through, compared with what it is to let through. Pure.

Machines of the network talk with each other and ask for their own data; what comes in from beyond is let in by rules with our
description (``filters``), which are known to whoever asked for them. Anything else in the group somebody added by hand.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.openstack.mapping import RULE_TEXT, rules_inside
from drivers.openstack.marks import parse_mark_text
from inventory.domain.ids import ResourceId

#: What makes two rules the same, by the names Neutron tells them by.
_PARTS = (
    "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
    "remote_address_group_id",
)  # fmt: skip
#: What is read of groups.
GROUP_FIELDS = ("id", "name", "description", "created_at", "security_group_rules")

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReading:
    """The security group of a department network of ours."""

    group_id: str
    segment_id: ResourceId
    rules: tuple[Rule, ...]
    created_at: str = ""


def read_group(group: Any) -> GroupReading | None:
    """Read the SDK's group; None for one that is not ours, whatever it is called."""
    mark = parse_mark_text(group.description)
    if mark is None or group.name != mark.resource_id:
        return None
    return GroupReading(
        group_id=group.id,
        segment_id=ResourceId(group.name),
        rules=tuple(group.security_group_rules or ()),
        created_at=group.created_at or "",
    )


def strange_rules(rules: Iterable[Rule], cidr: str) -> list[Rule]:
    """Return the rules nobody asked for."""
    wanted = {_key(body) for body in rules_inside(cidr)}
    return [rule for rule in rules if not (_is_let_in(rule) or _key(rule) in wanted)]


def missing_rules(rules: Iterable[Rule], cidr: str) -> list[dict[str, Any]]:
    """Return the bodies of those that are not there."""
    present = {_key(rule) for rule in rules}
    return [body for body in rules_inside(cidr) if _key(body) not in present]


def loose_segments(cidrs: Mapping[ResourceId, str], groups: Sequence[GroupReading]) -> frozenset[ResourceId]:
    """Return the networks, of those whose addresses are known, that let through more or less than they are to."""
    oldest: dict[ResourceId, GroupReading] = {}
    for group in sorted(groups, key=lambda g: (g.created_at, g.group_id)):
        oldest.setdefault(group.segment_id, group)
    return frozenset(segment_id for segment_id, cidr in cidrs.items() if not _is_right(oldest.get(segment_id), cidr))


def _is_right(group: GroupReading | None, cidr: str) -> bool:
    return group is not None and not strange_rules(group.rules, cidr) and not missing_rules(group.rules, cidr)


def _is_let_in(rule: Rule) -> bool:
    """Tell whether a rule is one that lets something in from beyond, as we make them."""
    is_plain = bool(rule["remote_ip_prefix"]) and rule["direction"] == "ingress" and rule["ethertype"] == "IPv4"
    return is_plain and rule.get("description") == RULE_TEXT


def _key(rule: Rule) -> tuple[Any, ...]:
    # The SDK asks for ``ether_type`` what Neutron calls ``ethertype``.
    named = {"ethertype": rule.get("ether_type"), **rule}
    return tuple(named.get(part) for part in _PARTS)
