"""The nearest things that would fit, for a refusal. Every one is tried before it is said: ``altered`` makes the request it means.

What is tried is bounded (``MACHINES_TRIED_MAX``): of a gang of thousands less is said than of one of ten, and what is said is
true of it too, but may not be the most that fits.

Codes and parameters (texts in ``controller.texts.placement``):

``smaller``            group, dimension, asked, fits      one dimension of each machine of the group made smaller
``shape``              group, vcpu, memory_mib            both made smaller
``smaller_disk``       group, disk_class, asked, fits     disks of a class made smaller
``split``              group, asked, count, vcpu, memory_mib   twice as many machines of half the size
``fewer``              group, asked, fits                 fewer new machines in the group
``soft_spread``        group                              the spread rule of the group made a wish
``separate_networks``  group                              no network shared by machines of the group
``other_network``      group, network                     another network for the group in place of one without addresses
``wider_range``        zone                               more blocks of addresses in the zone
``without_pin``        member                             the operator moves it first, and those it shares a network with
``other_zone``         zone, zone_id                      another zone, with what addresses are left there (``Elsewhere``)
``later``              date, at_s, departments            from that day on, when reservations of these departments end
                                                          (added by ``controller.workflows.later``: the request stays)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from controller.scheduling.filters import survey
from controller.scheduling.fleet import Fleet
from controller.scheduling.gang import Attempt, tried_on
from controller.scheduling.policy import Policy
from controller.scheduling.snapshot import Snapshot
from controller.scheduling.units import Unit, units_of
from inventory.domain.ids import ZoneId
from inventory.domain.placement import AddressRoom, MemberRequest, PlacementRequest
from inventory.domain.resources import MEMORY_MIB, VCPU, Resources

PREFIX = "placement.suggest."
ZONES_TRIED_MAX = 8
#: Machines placed to try suggestions, all suggestions of a refusal together: when so many were, nothing more is tried.
MACHINES_TRIED_MAX = 6_000
#: Up to so many machines the largest size that fits is searched for; of more one guess is tried.
SEARCHED_MACHINES_MAX = 256
#: Sizes of a gang are tried in steps of this part of the size asked for.
_STEPS = 16

Suggestion = tuple[str, Mapping[str, Any]]
#: Zones a request may go to instead, with what is left of addresses there where they are short.
Elsewhere = Mapping[ZoneId, AddressRoom | None]


class _Tries:
    """Tries suggestions on what is free, as long as the bound allows."""

    def __init__(self, request: PlacementRequest, policy: Policy, untouched: Fleet, elsewhere: Elsewhere) -> None:
        self._request, self._policy, self._untouched, self._elsewhere = request, policy, untouched, elsewhere
        self._left = MACHINES_TRIED_MAX
        #: Whether there is time to look for the largest that fits.
        self.may_search = len(request.members) <= SEARCHED_MACHINES_MAX

    def is_true(self, suggestion: Suggestion) -> bool:
        """Tell whether the request it means fits; what there is no time to try is not said."""
        if self._left <= 0:
            return False
        attempt = tried_on(altered(self._request, suggestion, self._elsewhere), self._untouched, self._policy)
        self._left -= 1 + sum(len(choice.unit.members) for choice in attempt.chosen)
        return attempt.stuck is None


def suggestions(
    request: PlacementRequest, policy: Policy, attempt: Attempt, untouched: Fleet, elsewhere: Elsewhere | None = None
) -> tuple[Suggestion, ...]:
    """Return what would fit instead, each tried on the fleet as it was before the attempt.

    ``elsewhere``: the zones it may go to instead; not given, any, and addresses are plenty there.
    """
    zones = dict.fromkeys(untouched.snapshot.zone_ids) if elsewhere is None else elsewhere
    tries = _Tries(request, policy, untouched, zones)
    # What takes one try each comes before what is searched for, and what has twice the machines last.
    rules = list(filter(tries.is_true, _fewer_rules(request, attempt)))
    other_zone = list(filter(tries.is_true, _other_zone(request, untouched.snapshot, zones)))
    smaller = list(_smaller(request, attempt, tries))
    fewer = list(_fewer(request, attempt, tries))
    split = filter(tries.is_true, _split(request, attempt))
    return (*smaller, *split, *_smaller_disk(request, attempt, tries), *fewer, *rules, *other_zone)


def altered(request: PlacementRequest, suggestion: Suggestion, elsewhere: Elsewhere = MappingProxyType({})) -> PlacementRequest:
    """Return the request that a suggestion means."""
    code, params = suggestion
    other = _ALTER[code.removeprefix(PREFIX)](request, params)
    return other if other.zone_id == request.zone_id else replace(other, addresses=elsewhere.get(other.zone_id))


def _change_group(request: PlacementRequest, group: str, change: Callable[[MemberRequest], MemberRequest]) -> PlacementRequest:
    return replace(request, members=tuple(change(m) if m.group == group else m for m in request.members))


def _alter_amounts(request: PlacementRequest, group: str, amounts: Mapping[str, int]) -> PlacementRequest:
    def change(member: MemberRequest) -> MemberRequest:
        lower = {d: min(a, amounts.get(d, a)) for d, a in member.compute.amounts}
        return replace(member, compute=Resources.of(lower))

    return _change_group(request, group, change)


def _alter_smaller(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    return _alter_amounts(request, params["group"], {params["dimension"]: params["fits"]})


def _alter_shape(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    return _alter_amounts(request, params["group"], {d: params[d] for d in (VCPU, MEMORY_MIB)})


def _alter_split(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    half = {VCPU: params[VCPU], MEMORY_MIB: params[MEMORY_MIB]}
    members: list[MemberRequest] = []
    for member in request.members:
        if member.group != params["group"] or member.is_existing:
            members.append(member)
            continue
        lower = {d: min(amount, half.get(d, amount)) for d, amount in member.compute.amounts}
        one = replace(member, compute=Resources.of(lower))
        members += [one, replace(one, name=f"{member.name}/2")]
    return replace(request, members=tuple(members))


def _alter_disk(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    def change(member: MemberRequest) -> MemberRequest:
        disks = tuple((c, min(size, params["fits"]) if c == params["disk_class"] else size) for c, size in member.disks)
        return replace(member, disks=disks)

    return _change_group(request, params["group"], change)


def _alter_count(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    new = [m.name for m in request.members if m.group == params["group"] and not m.is_existing]
    dropped = set(new[params["fits"] :])
    return replace(request, members=tuple(m for m in request.members if m.name not in dropped))


def _alter_rule(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    rules = tuple(replace(r, is_hard=False) if r.group == params["group"] else r for r in request.rules)
    return replace(request, rules=rules)


def _alter_networks(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    return _change_group(request, params["group"], lambda m: replace(m, networks=()))


def _alter_pin(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    unit = next(u for u in units_of(request) if any(request.members[m].name == params["member"] for m in u.members))
    free = {request.members[m].name for m in unit.members}
    members = (replace(m, pinned_host_id=None, held=Resources()) if m.name in free else m for m in request.members)
    return replace(request, members=tuple(members))


def _alter_zone(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    return replace(request, zone_id=params["zone_id"])


def _alter_network(request: PlacementRequest, params: Mapping[str, Any]) -> PlacementRequest:
    # A name that nobody can have given: nothing of it is there yet.
    names = {params["network"]: f"/{params['group']}/{params['network']}"}
    return _change_group(request, params["group"], lambda m: replace(m, networks=tuple(names.get(n, n) for n in m.networks)))


def _alter_range(request: PlacementRequest, _params: Mapping[str, Any]) -> PlacementRequest:
    assert request.addresses is not None, "suggested only where addresses are short"
    return replace(request, addresses=replace(request.addresses, block_count=None))


_ALTER: Mapping[str, Callable[[PlacementRequest, Mapping[str, Any]], PlacementRequest]] = {
    "smaller": _alter_smaller,
    "shape": _alter_shape,
    "smaller_disk": _alter_disk,
    "split": _alter_split,
    "later": lambda request, _params: request,
    "fewer": _alter_count,
    "soft_spread": _alter_rule,
    "separate_networks": _alter_networks,
    "other_network": _alter_network,
    "wider_range": _alter_range,
    "without_pin": _alter_pin,
    "other_zone": _alter_zone,
}


def _stuck(attempt: Attempt) -> Unit:
    assert attempt.stuck is not None, "suggestions are for refusals"
    return attempt.stuck


def _smaller(request: PlacementRequest, attempt: Attempt, tries: _Tries) -> Iterator[Suggestion]:
    need, fleet, groups = _stuck(attempt).need, attempt.fleet, attempt.groups
    member = request.members[_stuck(attempt).members[0]]
    is_found = False
    for dimension, _ in need.ask:
        hosts = survey(replace(need, ask=tuple(a for a in need.ask if a[0] != dimension)), fleet, groups)[-1][1]
        # No host is left without this dimension either, or the dimension is not what is short.
        if not hosts.size or (room := int(fleet.free_of(dimension)[hosts].max())) >= dict(need.ask)[dimension]:
            continue
        held = member.held[dimension] if member.pinned_host_id is not None else 0
        found = _largest_size(member, dimension, room + held, tries)
        if found is not None:
            is_found = True
            yield found
    if not is_found:
        yield from filter(tries.is_true, _shape(request, attempt))


def _largest_size(member: MemberRequest, dimension: str, room: int, tries: _Tries) -> Suggestion | None:
    """Return the largest size that fits: what is free on the best host, or for many machines the best of a few steps."""
    asked = member.compute[dimension]

    def of(size: int) -> Suggestion:
        return PREFIX + "smaller", {"group": member.group, "dimension": dimension, "asked": asked, "fits": size}

    if 0 < room < asked and tries.is_true(of(room)):
        return of(room)
    if not tries.may_search:
        return None
    steps = _largest(_STEPS - 1, lambda k: asked * k // _STEPS > 0 and tries.is_true(of(asked * k // _STEPS)))
    return of(asked * steps // _STEPS) if steps else None


def _shape(request: PlacementRequest, attempt: Attempt) -> Iterator[Suggestion]:
    """Yield vCPU and memory of the host that has most of both, where both are short."""
    unit, fleet, groups = _stuck(attempt), attempt.fleet, attempt.groups
    member, ask = request.members[unit.members[0]], dict(unit.need.ask)
    if len(unit.members) > 1 or not {VCPU, MEMORY_MIB} <= ask.keys() or member.is_existing:
        return
    others = tuple(a for a in unit.need.ask if a[0] not in (VCPU, MEMORY_MIB))
    hosts = survey(replace(unit.need, ask=others), fleet, groups)[-1][1]
    vcpu, memory = (fleet.free_of(d)[hosts].astype(np.int64) for d in (VCPU, MEMORY_MIB))
    if ((vcpu > 0) & (memory > 0)).any():
        # Beyond 2^40 it makes no difference which host is nearest.
        most = np.minimum(vcpu * min(ask[MEMORY_MIB], 2**30), memory * min(ask[VCPU], 2**30))
        best = int(np.argmax(np.where((vcpu > 0) & (memory > 0), most, -1)))
        shape = {VCPU: min(int(vcpu[best]), ask[VCPU]), MEMORY_MIB: min(int(memory[best]), ask[MEMORY_MIB])}
        yield PREFIX + "shape", {"group": member.group, **shape}


def _split(request: PlacementRequest, attempt: Attempt) -> Iterator[Suggestion]:
    """Yield two machines of half the size for each new one, where both halves are whole."""
    member = request.members[_stuck(attempt).members[0]]
    vcpu, memory = member.compute[VCPU], member.compute[MEMORY_MIB]
    alike = [m for m in request.members if m.group == member.group and not m.is_existing]
    is_even = vcpu > 1 and memory > 1 and vcpu % 2 == 0 and memory % 2 == 0
    if not is_even or member.is_existing or any(m.compute != member.compute for m in alike):
        return
    half = {VCPU: vcpu // 2, MEMORY_MIB: memory // 2}
    yield PREFIX + "split", {"group": member.group, "asked": len(alike), "count": 2 * len(alike), **half}


def _smaller_disk(request: PlacementRequest, attempt: Attempt, tries: _Tries) -> Iterator[Suggestion]:
    unit, fleet, groups = _stuck(attempt), attempt.fleet, attempt.groups
    member = request.members[unit.members[0]]
    if len(unit.members) > 1 or member.is_existing:
        return
    for disk_class, size in sorted({(c, max(s for k, s in member.disks if k == c)) for c, _ in member.disks}):
        hosts = survey(replace(unit.need, disks=tuple(d for d in unit.need.disks if d[0] != disk_class)), fleet, groups)[-1][1]
        known = fleet.roomiest_gib.get(disk_class)
        room = 0 if known is None else int(known[hosts].max(initial=0))
        found = (PREFIX + "smaller_disk", {"group": member.group, "disk_class": disk_class, "asked": size, "fits": room})
        if 0 < room < size and tries.is_true(found):
            yield found


def _fewer(request: PlacementRequest, attempt: Attempt, tries: _Tries) -> Iterator[Suggestion]:
    for group in sorted({request.members[m].group for m in _stuck(attempt).members}):
        asked = sum(m.group == group and not m.is_existing for m in request.members)
        placed = sum(request.members[m].group == group for choice in attempt.chosen for m in choice.unit.members)
        count = _largest_count(partial(_is_true_of, tries, partial(_of_count, group, asked)), asked, placed)
        if count:
            yield _of_count(group, asked, count)


def _largest_count(is_true: Callable[[int], bool], asked: int, placed: int) -> int:
    """Return how many of a group fit: as many as the attempt placed, unless what comes after them fits less."""
    if 0 < placed < asked and is_true(placed):
        # One more gets stuck where the attempt did, unless the group changes its place in the order.
        return placed if placed + 1 == asked or not is_true(placed + 1) else max(placed + 1, _largest(asked - 1, is_true))
    return _largest(asked - 1, is_true)


def _is_true_of(tries: _Tries, of: Callable[[int], Suggestion], count: int) -> bool:
    return tries.is_true(of(count))


def _of_count(group: str, asked: int, count: int) -> Suggestion:
    return PREFIX + "fewer", {"group": group, "asked": asked, "fits": count}


def _largest(highest: int, is_true: Callable[[int], bool]) -> int:
    """Return the largest number from 1 for which something is true that is true for all below; 0 if for none."""
    low, high = 0, highest
    while low < high:
        middle = (low + high + 1) // 2
        if is_true(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _fewer_rules(request: PlacementRequest, attempt: Attempt) -> Iterable[Suggestion]:
    unit = _stuck(attempt)
    for group, _ in unit.need.hard:
        yield PREFIX + "soft_spread", {"group": group}
    if unit.need.conflict:
        yield PREFIX + "separate_networks", {"group": unit.need.conflict}
    yield from _more_addresses(request, attempt)
    if unit.need.pins:
        pinned = next(request.members[m].name for m in unit.members if request.members[m].pinned_host_id is not None)
        yield PREFIX + "without_pin", {"member": pinned}


def _more_addresses(request: PlacementRequest, attempt: Attempt) -> Iterator[Suggestion]:
    unit = _stuck(attempt)
    cards = {(request.members[m].group, network) for m in unit.members for network in request.members[m].networks}
    for group, network in sorted(cards) if unit.need.cards else ():
        yield PREFIX + "other_network", {"group": group, "network": network}
    if unit.need.cards and attempt.groups.addresses.blocks_left is not None:
        codes = dict(zip(attempt.fleet.snapshot.zone_ids, attempt.fleet.snapshot.zone_codes, strict=True))
        yield PREFIX + "wider_range", {"zone": codes.get(request.zone_id, str(request.zone_id))}


def _other_zone(request: PlacementRequest, snapshot: Snapshot, elsewhere: Elsewhere) -> Iterator[Suggestion]:
    zones = sorted(zip(snapshot.zone_codes, snapshot.zone_ids, strict=True))
    others = [(code, zone_id) for code, zone_id in zones if zone_id != request.zone_id and zone_id in elsewhere]
    for code, zone_id in others[:ZONES_TRIED_MAX]:
        yield PREFIX + "other_zone", {"zone": code, "zone_id": zone_id}
