"""What the reserve of pools (N+1) means for groups with hard rules, as bits of a host: one rule for placement and for moves.

After a loss the machines of a host go to the stand-by hosts of its pool. What matters is therefore where *all* hosts of a pool
are, those among them too that a smaller picture leaves out.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from controller.scheduling.columns import NO_STANDBY_BITS, STANDBY_HERE_BITS
from inventory.domain.host import Host, Pool
from inventory.domain.ids import PoolId
from inventory.domain.mates import LEVELS, Place, goes_whole, place
from inventory.domain.placement import Level


class Standing(NamedTuple):
    """A host, as far as the reserve is concerned."""

    host: Host
    pool: Pool
    is_standby: bool


def offered_bits(hosts: Sequence[Standing]) -> list[int]:
    """Return for each host at which levels hard rules would still hold after a failure; of their pools no host is left out."""
    bits = [0] * len(hosts)
    for level in LEVELS:
        domains = [place(one.host, level) for one in hosts]
        spans: dict[PoolId, set[Place]] = {}
        standing: dict[PoolId, set[Place]] = {}
        for one, domain in zip(hosts, domains, strict=True):
            spans.setdefault(one.pool.id, set()).add(domain)
            if one.is_standby:
                standing.setdefault(one.pool.id, set()).add(domain)
        # Whoever is lost in a pool of one domain is moved within it.
        taking_in = {d for pool, found in standing.items() if len(spans[pool]) > 1 for d in found}
        for i, (one, domain) in enumerate(zip(hosts, domains, strict=True)):
            stays_inside = standing.get(one.pool.id, {domain}) == {domain}
            bits[i] |= 0 if domain in taking_in else NO_STANDBY_BITS[level]
            bits[i] |= STANDBY_HERE_BITS[level] if goes_whole(one.pool.reserve.level, level) or stays_inside else 0
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
