"""What the reserve of pools (N+1) means for groups with hard rules, as bits of a host: one rule for placement and for moves.

After a loss the machines of a host go to the stand-by hosts of its pool. What matters is therefore where *all* hosts of a pool
are, those among them too that a smaller picture leaves out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from controller.scheduling.columns import NO_STANDBY_BITS, STANDBY_HERE_BITS
from inventory.domain.host import Host, Pool, ReserveLevel
from inventory.domain.ids import PoolId
from inventory.domain.placement import Level
from inventory.domain.system import SpreadLevel


class Standing(NamedTuple):
    """A host, as far as the reserve is concerned."""

    host: Host
    pool: Pool
    is_standby: bool


#: How far up the loss reaches that a reserve survives, and a rule.
_HEIGHT = {ReserveLevel.HOST: 0, ReserveLevel.RACK: 1, ReserveLevel.ROOM: 2}
_RULE_HEIGHT = {SpreadLevel.RACK: 1, SpreadLevel.ROOM: 2, SpreadLevel.SITE: 3}
_DOMAIN: dict[SpreadLevel, Callable[[Host], tuple[str, ...]]] = {
    SpreadLevel.RACK: lambda h: (h.site, h.room, h.rack),
    SpreadLevel.ROOM: lambda h: (h.site, h.room),
    SpreadLevel.SITE: lambda h: (h.site,),
}


def offered_bits(hosts: Sequence[Standing]) -> list[int]:
    """Return for each host at which levels hard rules would still hold after a failure; of their pools no host is left out."""
    bits = [0] * len(hosts)
    for level, height in _RULE_HEIGHT.items():
        domains = [_DOMAIN[level](one.host) for one in hosts]
        spans: dict[PoolId, set[tuple[str, ...]]] = {}
        standing: dict[PoolId, set[tuple[str, ...]]] = {}
        for one, domain in zip(hosts, domains, strict=True):
            spans.setdefault(one.pool.id, set()).add(domain)
            if one.is_standby:
                standing.setdefault(one.pool.id, set()).add(domain)
        # Whoever is lost in a pool of one domain is moved within it.
        taking_in = {d for pool, found in standing.items() if len(spans[pool]) > 1 for d in found}
        for i, (one, domain) in enumerate(zip(hosts, domains, strict=True)):
            goes_whole = _HEIGHT.get(one.pool.reserve.level, height) >= height
            stays_inside = standing.get(one.pool.id, {domain}) == {domain}
            bits[i] |= 0 if domain in taking_in else NO_STANDBY_BITS[level]
            bits[i] |= STANDBY_HERE_BITS[level] if goes_whole or stays_inside else 0
    return bits


def asked_bits(apart: Iterable[Level], together: Iterable[Level]) -> int:
    """Return the bits that keep hard rules true after a failure, when a lost host's machines were moved to the stand-by hosts.

    Groups that stand apart stay out of domains to which machines would be moved; groups that stay together go where they
    would be moved within their domain. A rule by host asks for nothing: stand-by hosts are empty.
    """
    bits = 0
    for level in apart:
        bits |= NO_STANDBY_BITS.get(level, 0)
    for level in together:
        bits |= STANDBY_HERE_BITS.get(level, 0)
    return bits
