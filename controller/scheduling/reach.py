"""Machines that hang together by networks, where hosts share a home: each goes to a host of its own, all to hosts of one home.

Where no hosts share one, such machines are joined to one unit (``units``) and nothing here is asked. Where they do, each is
a unit and a rule of placement's own keeps them together: an affinity that speaks of homes. It is kept, counted and searched
like the rules of tickets, by all engines.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.scheduling.snapshot import Snapshot
from inventory.domain.ids import HostId
from inventory.domain.placement import GroupRule, MemberRequest, NetworkLevel, PlacementRequest

#: Begins the names of these rules: no group of a ticket has such a name.
_PREFIX = "/network/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What follows from shared networks for the members of a request, by index."""

    #: Member -> the rule that holds it to the home of its network; members without one are not named.
    group_of: Mapping[int, str] = field(default_factory=dict)
    rules: tuple[GroupRule, ...] = ()
    #: Members whose networks are on several homes already, or on none that is known: they fit nowhere.
    torn: Mapping[int, tuple[HostId, ...]] = field(default_factory=dict)
    #: Member -> (network, cards) of all new machines that hang together with it: they take addresses of the same segments.
    cards_of: Mapping[int, tuple[tuple[str, int], ...]] = field(default_factory=dict)


def reach_of(request: PlacementRequest, snapshot: Snapshot) -> Reach | None:
    """Return what shared networks ask of the machines of a request; nothing where machines of one network share a host."""
    if request.zone_id not in snapshot.wide_zones or not any(m.networks for m in request.members):
        return None
    group_of: dict[int, str] = {}
    rules: list[GroupRule] = []
    torn: dict[int, tuple[HostId, ...]] = {}
    cards_of: dict[int, tuple[tuple[str, int], ...]] = {}
    for members in joined(request.members):
        networks = sorted({n for m in members for n in request.members[m].networks})
        if not networks:
            continue
        given = sorted(_given(request, [request.members[m] for m in members], networks))
        homes = {_home(snapshot, host_id) for host_id in given}
        if len(homes) > 1 or None in homes:
            torn |= dict.fromkeys(members, tuple(given))
        new = [m for m in members if not request.members[m].is_existing]
        cards_of |= dict.fromkeys(members, cards([request.members[m] for m in members]))
        if given or len(new) > 1:
            name = f"{_PREFIX}{', '.join(networks)}"
            rules.append(
                GroupRule(group=name, spread=NetworkLevel.HOME, is_hard=True, is_affinity=True, existing_host_ids=tuple(given))
            )
            group_of |= dict.fromkeys(new, name)
    return Reach(group_of=group_of, rules=tuple(rules), torn=torn, cards_of=cards_of)


def _given(request: PlacementRequest, members: Sequence[MemberRequest], networks: Sequence[str]) -> Iterator[HostId]:
    """Yield the hosts on which these networks are, or on which one of the machines must stay."""
    hosts = {request.network_hosts[n] for n in networks if n in request.network_hosts}
    yield from hosts | {m.pinned_host_id for m in members if m.pinned_host_id is not None}


def _home(snapshot: Snapshot, host_id: HostId) -> int | None:
    host = snapshot.index_of.get(host_id)
    return None if host is None else int(snapshot.home_index[host])


def joined(members: Sequence[MemberRequest]) -> list[tuple[int, ...]]:
    """Join machines by shared networks (union-find; the root is the lowest index)."""
    parent = list(range(len(members)))

    def root(m: int) -> int:
        while parent[m] != m:
            parent[m] = m = parent[parent[m]]
        return m

    first: dict[str, int] = {}
    for m, member in enumerate(members):
        for network in member.networks:
            a, b = root(first.setdefault(network, m)), root(m)
            parent[max(a, b)] = min(a, b)
    found: dict[int, list[int]] = {}
    for m in range(len(members)):
        found.setdefault(root(m), []).append(m)
    return [tuple(ms) for ms in found.values()]


def cards(members: Sequence[MemberRequest]) -> tuple[tuple[str, int], ...]:
    """Return the networks of new machines, and how many cards they have on each."""
    return tuple(sorted(Counter(network for m in members if not m.is_existing for network in m.networks).items()))
