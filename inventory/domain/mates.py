"""Where the machines of a lost failure domain may not be put because a hard rule of their group would break there. Pure.

A stand-by domain is empty, so machines that may not share a *host* are safe on it. Those that may not share a rack (room,
site) may have a mate beside it, and those that stay together there would be torn apart by it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from inventory.domain.host import Host, ReserveLevel
from inventory.domain.ids import HostId
from inventory.domain.system import SpreadLevel

#: Level and name of a failure domain above the host.
Place = tuple[str, ...]
#: How far up the loss reaches that a reserve survives, and a rule.
_HEIGHT = {ReserveLevel.HOST: 0, ReserveLevel.RACK: 1, ReserveLevel.ROOM: 2}
_RULE_HEIGHT = {SpreadLevel.RACK: 1, SpreadLevel.ROOM: 2, SpreadLevel.SITE: 3}
#: The levels of rules this is about.
LEVELS = tuple(_RULE_HEIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mates:
    """A group with a hard rule above the host, and how many of its machines are on each host."""

    level: SpreadLevel
    most_per_domain: int
    is_together: bool
    hosts: Mapping[HostId, int]


@dataclass(slots=True)
class Bans:
    """Where the machines of a lost domain may not go, and where they have to."""

    shuns: set[Place] = field(default_factory=set)
    needs: set[Place] = field(default_factory=set)


def place(host: Host, level: SpreadLevel) -> Place:
    """Return the failure domain of a host at a level above it."""
    return (level.value, *(host.site, host.room, host.rack)[: 4 - _RULE_HEIGHT[level]])


def places(host: Host) -> frozenset[Place]:
    """Return all failure domains above a host."""
    return frozenset(place(host, level) for level in LEVELS)


def goes_whole(survived: ReserveLevel, rule: SpreadLevel) -> bool:
    """Tell whether the loss that a reserve survives takes the whole domain of a rule; without a reserve nothing is moved."""
    return _HEIGHT.get(survived, _RULE_HEIGHT[rule]) >= _RULE_HEIGHT[rule]


def bans(
    groups: Iterable[Mates], hosts: Mapping[HostId, Host], domain_of: Mapping[HostId, str], survived: ReserveLevel
) -> dict[str, Bans]:
    """Return what hard rules ask when a domain of a pool is lost, by its name; ``domain_of`` are the hosts of the pool."""
    found: dict[str, Bans] = {}
    for group in groups:
        counts: Counter[Place] = Counter()
        lost: dict[str, Counter[Place]] = {}
        for host_id, count in group.hosts.items():
            where = place(hosts[host_id], group.level)
            counts[where] += count
            if host_id in domain_of:
                lost.setdefault(domain_of[host_id], Counter())[where] += count
        for name, own in lost.items():
            ban = found.setdefault(name, Bans())
            if not group.is_together:
                ban.shuns |= {where for where in counts if _is_crowded(counts, own, where, group.most_per_domain)}
            elif not goes_whole(survived, group.level):
                ban.needs |= {where for where, count in own.items() if counts[where] > count}
    return found


def _is_crowded(counts: Counter[Place], own: Counter[Place], where: Place, most: int) -> bool:
    """Tell whether too many would be in a place if those of a lost domain came from elsewhere."""
    coming = max((count for other, count in own.items() if other != where), default=0)
    return coming > 0 and counts[where] - own[where] + coming > most
