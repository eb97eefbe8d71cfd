"""What a commitment covers: at every second up to its amount, the longest-held first. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from metering.ledger import LedgerInterval


class Piece(NamedTuple):
    """A part of an interval: a stretch of its time and of its amount."""

    interval: LedgerInterval
    from_s: int
    to_s: int
    amount: int
    #: The price that holds, where it is known already.
    segment: Any = None


def cover(pieces: Sequence[Piece], amount: int, first_s: int, last_s: int) -> tuple[list[Piece], list[Piece]]:
    """Return what ``amount`` covers of ``pieces`` during ``[first_s, last_s)``, and what is left of them.

    At every second the covered amounts add up to ``min(amount, all)``; covered and left add up to what was given. What
    was held first is covered first, so that a new machine never changes what an old one costs.
    """
    order = sorted(
        range(len(pieces)), key=lambda n: (pieces[n].interval.start_s, pieces[n].interval.resource_id, pieces[n].from_s)
    )
    moments = sorted({first_s, last_s, *(m for p in pieces for m in (p.from_s, p.to_s) if first_s < m < last_s)})
    #: Per piece: (from, to, covered amount) inside the window, in order of time.
    shares: dict[int, list[tuple[int, int, int]]] = {n: [] for n in order}
    for since_s, until_s in pairwise(moments):
        left = amount
        for n in order:
            if pieces[n].from_s <= since_s and until_s <= pieces[n].to_s:
                taken = min(left, pieces[n].amount)
                left -= taken
                _extend(shares[n], since_s, until_s, taken)
    covered: list[Piece] = []
    rest: list[Piece] = []
    for n, piece in enumerate(pieces):
        rest += _outside(piece, first_s, last_s)
        for since_s, until_s, taken in shares[n]:
            if taken:
                covered.append(piece._replace(from_s=since_s, to_s=until_s, amount=taken))
            if taken < piece.amount:
                rest.append(piece._replace(from_s=since_s, to_s=until_s, amount=piece.amount - taken))
    return covered, rest


def _extend(parts: list[tuple[int, int, int]], since_s: int, until_s: int, taken: int) -> None:
    """Add a stretch; one of the same amount as the one before it continues it."""
    if parts and parts[-1][1] == since_s and parts[-1][2] == taken:
        parts[-1] = (parts[-1][0], until_s, taken)
    else:
        parts.append((since_s, until_s, taken))


def _outside(piece: Piece, first_s: int, last_s: int) -> list[Piece]:
    before = piece._replace(to_s=min(piece.to_s, first_s))
    after = piece._replace(from_s=max(piece.from_s, last_s))
    return [p for p in (before, after) if p.from_s < p.to_s]
