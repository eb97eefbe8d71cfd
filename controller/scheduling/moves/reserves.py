"""Which losses the reserve of pools (N+1) would not survive for a rule of a group, with machines where a plan would have them.

Who stands by is chosen by where machines are (``standby.choose_standby``), and chosen anew when they moved: this asks what would
be chosen then. A loss that nobody is large enough for is another matter: no rule has a part in it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from controller.scheduling.moves.board import Board
from controller.scheduling.moves.cluster import ReservedPool
from inventory.domain.ids import HostId
from inventory.domain.mates import LEVELS, Bans, Mates, bans
from inventory.domain.standby import PoolHost, choose_standby, uncovered


class Exposed(NamedTuple):
    """Failure domains whose loss might not be survived."""

    #: (pool by number, domain): a rule of a group would break.
    by_rules: tuple[tuple[int, str], ...]
    #: Those too that nobody is large enough for.
    total: int


def exposed(board: Board) -> Exposed:
    """Return what would be exposed once the reserve has chosen anew."""
    by_rules, total = list[tuple[int, str]](), 0
    groups = list(_groups(board))
    for number, pool in enumerate(board.cluster.reserved):
        hosts = _hosts(board, pool, groups)
        chosen = choose_standby(hosts, pool.reserve)
        # Without what rules ask: only room counts.
        plain = [replace(h, shuns=frozenset(), needs=frozenset()) for h in hosts]
        short = uncovered(plain, chosen.domains, pool.reserve) if chosen.uncovered else ()
        by_rules += [(number, domain) for domain in chosen.uncovered if domain not in short]
        total += len(chosen.uncovered)
    return Exposed(tuple(by_rules), total)


def exposed_total(board: Board) -> int:
    """Return how many domains would be exposed, whatever the reason."""
    groups = list(_groups(board))
    return sum(len(choose_standby(_hosts(board, p, groups), p.reserve).uncovered) for p in board.cluster.reserved)


def _hosts(board: Board, pool: ReservedPool, groups: Sequence[Mates]) -> list[PoolHost]:
    """Return the hosts of a pool with the machines of the board, and what hard rules ask when each of their domains is lost."""
    index, domain_of = board.cluster.host_index, {h.id: h.domain for h in pool.hosts}
    of_loss, none = bans(groups, board.cluster.places, domain_of, pool.reserve.level), Bans()
    found = [(h, h.is_empty and board.is_empty(index[h.id]), of_loss.get(h.domain, none)) for h in pool.hosts]
    return [replace(h, is_empty=e, shuns=frozenset(ban.shuns), needs=frozenset(ban.needs)) for h, e, ban in found]


def _groups(board: Board) -> Iterator[Mates]:
    cluster = board.cluster
    on: dict[int, Counter[HostId]] = {g: Counter() for g in ruled_groups(board) if cluster.reserved}
    for machine in np.flatnonzero(np.isin(cluster.group, list(on))).tolist():
        on[int(cluster.group[machine])][cluster.host_ids[int(board.where[machine])]] += 1
    for group, hosts in on.items():
        most, is_together = cluster.group_most[group], cluster.group_is_together[group]
        yield Mates(level=cluster.group_level[group], most_per_domain=most, is_together=is_together, hosts=hosts)


def ruled_groups(board: Board) -> list[int]:
    """Return the groups with a hard rule above the host: those that a stand-by host may be beside."""
    cluster = board.cluster
    return [g for g, level in enumerate(cluster.group_level) if cluster.group_is_hard[g] and level in LEVELS]
