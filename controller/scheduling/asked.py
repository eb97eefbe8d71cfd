"""What was asked of the scheduler, in the form that is stored with its answer: asked again, it answers the same.

Machines that are alike and follow each other are written once, with all their names; what says nothing is left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from inventory.domain.ids import HostId, ZoneId
from inventory.domain.layout import NO_LAYOUT, Layout, Seat
from inventory.domain.placement import AddressRoom, GroupRule, MemberRequest, PlacementRequest
from inventory.domain.resources import Resources
from inventory.domain.system import SpreadLevel

#: Provider, dimension, amount.
Amount = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, and how the picture it was decided on differed from the platform as it was."""

    request: PlacementRequest
    #: Hosts that were shown as having no room, and the only ones that were shown as having some.
    without: tuple[HostId, ...] = ()
    only: tuple[HostId, ...] = ()
    #: What was held for the reservation it draws on, and was free to it.
    drawn: tuple[Amount, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        request = self.request
        data: dict[str, Any] = {
            "zone_id": request.zone_id,
            "mlps_level": request.mlps_level,
            "members": list(_members_to_json(request.members)),
            "rules": [_rule_to_json(rule) for rule in request.rules],
            "network_hosts": dict(request.network_hosts),
            "addresses": _addresses_to_json(request.addresses) if request.addresses is not None else None,
            "without": list(self.without),
            "only": list(self.only),
            "drawn": [list(amount) for amount in self.drawn],
        }
        return _told(data)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Asked":
        """Read the stored form back."""
        request = PlacementRequest(
            zone_id=ZoneId(data["zone_id"]),
            mlps_level=data.get("mlps_level", 0),
            members=tuple(member for alike in data["members"] for member in _members(alike)),
            rules=tuple(_rule(rule) for rule in data.get("rules", ())),
            network_hosts={name: HostId(host) for name, host in data.get("network_hosts", {}).items()},
            addresses=_addresses(data["addresses"]) if "addresses" in data else None,
        )
        drawn = tuple((provider, dimension, amount) for provider, dimension, amount in data.get("drawn", ()))
        return cls(request=request, without=tuple(data.get("without", ())), only=tuple(data.get("only", ())), drawn=drawn)


def _addresses_to_json(room: AddressRoom) -> dict[str, Any]:
    segments = {network: dict(free) for network, free in room.segments.items()}
    return {"segments": segments, "segment_size": room.segment_size, "block_count": room.block_count}


def _addresses(data: Mapping[str, Any]) -> AddressRoom:
    segments = {name: {HostId(h): n for h, n in free.items()} for name, free in data["segments"].items()}
    return AddressRoom(segments=segments, segment_size=data["segment_size"], block_count=data["block_count"])


def _told(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value not in (None, "", 0, [], {}, False)}


def _members_to_json(members: Iterable[MemberRequest]) -> Iterator[dict[str, Any]]:
    # Members of a group share their values, so that nearly all of these comparisons are of a thing with itself.
    for nameless, alike in groupby(members, key=lambda member: replace(member, name="")):
        yield {"names": [member.name for member in alike], **_member_to_json(nameless)}


def _member_to_json(member: MemberRequest) -> dict[str, Any]:
    return _told(
        {
            "group": member.group,
            "compute": dict(member.compute.amounts),
            "disks": [list(disk) for disk in member.disks],
            "arch": member.arch,
            "networks": list(member.networks),
            "pinned": member.pinned_host_id,
            "held": dict(member.held.amounts),
            "traits": list(member.traits),
            "layout": member.layout.to_json() if member.layout else None,
            "seat": member.seat.to_json() if member.seat else None,
        }
    )


def _members(data: Mapping[str, Any]) -> Iterator[MemberRequest]:
    first = MemberRequest(
        name="",
        group=data.get("group", ""),
        compute=Resources.of(data.get("compute", {})),
        disks=tuple((disk_class, size_gib) for disk_class, size_gib in data.get("disks", ())),
        arch=data.get("arch", ""),
        networks=tuple(data.get("networks", ())),
        pinned_host_id=data.get("pinned"),
        held=Resources.of(data.get("held", {})),
        traits=tuple(data.get("traits", ())),
        layout=Layout(**data["layout"]) if "layout" in data else NO_LAYOUT,
        seat=Seat.from_json(data["seat"]) if "seat" in data else None,
    )
    return (replace(first, name=name) for name in data["names"])


def _rule_to_json(rule: GroupRule) -> dict[str, Any]:
    return {
        "group": rule.group,
        "spread": rule.spread.value,
        "is_hard": rule.is_hard,
        "existing": list(rule.existing_host_ids),
        "most": rule.max_per_domain,
        "is_affinity": rule.is_affinity,
    }


def _rule(data: Mapping[str, Any]) -> GroupRule:
    return GroupRule(
        group=data["group"],
        spread=SpreadLevel(data["spread"]),
        is_hard=data["is_hard"],
        existing_host_ids=tuple(HostId(host) for host in data["existing"]),
        max_per_domain=data["most"],
        is_affinity=data["is_affinity"],
    )


def drawn_between(held: Mapping[tuple[str, str], int], reserved: Mapping[tuple[str, str], int]) -> Sequence[Amount]:
    """Return what is held for reservations beyond ``reserved``."""
    more = ((*key, amount - reserved.get(key, 0)) for key, amount in sorted(held.items()))
    return [amount for amount in more if amount[2]]
