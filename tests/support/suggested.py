"""The request of somebody who does what a suggestion says, made from its words: shares no line with the suggestions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inventory.domain.placement import MemberRequest, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources

#: More blocks than any test has use for.
_MANY_BLOCKS = 1000


def as_suggested(asked: PlacementRequest, code: str, params: Mapping[str, Any]) -> PlacementRequest:
    """Return what is asked for by who follows a suggestion; a code that is not known here has no such request."""
    word = code.rpartition(".")[2]
    if word == "soft_spread":
        return replace(asked, rules=tuple(replace(r, is_hard=r.is_hard and r.group != params["group"]) for r in asked.rules))
    if word == "wider_range":
        assert asked.addresses is not None
        return replace(asked, addresses=replace(asked.addresses, block_count=_MANY_BLOCKS))
    if word == "other_zone":
        return replace(asked, zone_id=params["zone_id"], addresses=None)
    if word == "without_pin":
        return _without_pin(asked, params["member"])
    members: list[MemberRequest] = []
    for one in asked.members:
        members += _FOLLOWED[word](one, params, members) if one.group == params["group"] else [one]
    return replace(asked, members=tuple(members))


def _sized(one: MemberRequest, **amounts: int) -> MemberRequest:
    """Return a machine of another size; who has less already keeps it, and what it did not ask for it still does not."""
    now = dict(one.compute.amounts)
    for dimension, amount in amounts.items():
        if now.get(dimension, 0) > amount:
            now[dimension] = amount
    return replace(one, compute=Resources.of(now))


def _is_new(one: MemberRequest) -> bool:
    return one.pinned_host_id is None or not one.held.amounts


def _smaller(one: MemberRequest, params: Mapping[str, Any], _before: Sequence[MemberRequest]) -> list[MemberRequest]:
    assert params["fits"] < params["asked"] == one.compute[params["dimension"]]
    return [_sized(one, **{params["dimension"]: params["fits"]})]


def _shape(one: MemberRequest, params: Mapping[str, Any], _before: Sequence[MemberRequest]) -> list[MemberRequest]:
    return [_sized(one, **{VCPU: params["vcpu"], MEMORY_MIB: params["memory_mib"]})]


def _smaller_disk(one: MemberRequest, params: Mapping[str, Any], _before: Sequence[MemberRequest]) -> list[MemberRequest]:
    sizes = [(c, params["fits"] if c == params["disk_class"] and size > params["fits"] else size) for c, size in one.disks]
    return [replace(one, disks=tuple(sizes))]


def _split(one: MemberRequest, params: Mapping[str, Any], _before: Sequence[MemberRequest]) -> list[MemberRequest]:
    if not _is_new(one):
        return [one]
    assert (one.compute[VCPU], one.compute[MEMORY_MIB]) == (2 * params["vcpu"], 2 * params["memory_mib"])
    half = _sized(one, **{VCPU: params["vcpu"], MEMORY_MIB: params["memory_mib"]})
    return [replace(half, name=f"{one.name}-{n}") for n in ("first", "second")]


def _fewer(one: MemberRequest, params: Mapping[str, Any], before: Sequence[MemberRequest]) -> list[MemberRequest]:
    """A ticket for fewer has the first ones."""
    had = sum(_is_new(other) for other in before if other.group == one.group)
    return [] if _is_new(one) and had == params["fits"] else [one]


def _separate_networks(one: MemberRequest, _params: Mapping[str, Any], _before: Sequence[MemberRequest]) -> list[MemberRequest]:
    return [replace(one, networks=tuple(f"{network} of {one.name} alone" for network in one.networks))]


def _other_network(one: MemberRequest, params: Mapping[str, Any], _before: Sequence[MemberRequest]) -> list[MemberRequest]:
    named = ("a network nobody had" if network == params["network"] else network for network in one.networks)
    return [replace(one, networks=tuple(named))]


_FOLLOWED = {
    "smaller": _smaller,
    "shape": _shape,
    "smaller_disk": _smaller_disk,
    "split": _split,
    "fewer": _fewer,
    "separate_networks": _separate_networks,
    "other_network": _other_network,
}


def _without_pin(asked: PlacementRequest, name: str) -> PlacementRequest:
    """The operator moves the machine and, one after the other, all that share a network with one of those that go."""
    going = {name}
    while True:
        networks = {network for one in asked.members if one.name in going for network in one.networks}
        more = {one.name for one in asked.members if networks & set(one.networks)} - going
        if not more:
            break
        going |= more
    free = [replace(one, pinned_host_id=None, held=Resources.of()) if one.name in going else one for one in asked.members]
    return replace(asked, members=tuple(free))
