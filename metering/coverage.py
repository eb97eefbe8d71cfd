"""What a commitment covers: at every second up to its amount, the longest-held first. Pure."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
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
    sweep = _Sweep([pieces[n].amount for n in order], amount)
    #: Moment -> places in the order that begin, and that end, then.
    begin: dict[int, list[int]] = {}
    end: dict[int, list[int]] = {}
    for place, n in enumerate(order):
        since_s, until_s = max(pieces[n].from_s, first_s), min(pieces[n].to_s, last_s)
        if since_s < until_s:
            begin.setdefault(since_s, []).append(place)
            end.setdefault(until_s, []).append(place)
    for at_s in sorted(begin.keys() | end.keys()):
        sweep.step(at_s, begin.get(at_s, ()), end.get(at_s, ()))
    place_of = {n: place for place, n in enumerate(order)}
    covered: list[Piece] = []
    rest: list[Piece] = []
    for n, piece in enumerate(pieces):
        rest += _outside(piece, first_s, last_s)
        for since_s, until_s, taken in sweep.shares[place_of[n]]:
            if taken:
                covered.append(piece._replace(from_s=since_s, to_s=until_s, amount=taken))
            if taken < piece.amount:
                rest.append(piece._replace(from_s=since_s, to_s=until_s, amount=piece.amount - taken))
    return covered, rest


class _Sweep:
    """Goes through time; only what a change moves over the edge of what is covered is looked at.

    Before the edge everything is covered whole, behind it nothing. What is held is summed up in a Fenwick tree, so that the
    edge is found in as many steps as the number of pieces has digits.
    """

    def __init__(self, amounts: Sequence[int], amount: int) -> None:
        self._amounts, self._amount = amounts, amount
        self._sums = [0] * (len(amounts) + 1)
        #: Places that are held now, in order; since when so much of each is covered.
        self._held: list[int] = []
        self._since: dict[int, tuple[int, int]] = {}
        self._edge = 0
        #: By place: (from, to, covered amount), in order of time.
        self.shares: list[list[tuple[int, int, int]]] = [[] for _ in amounts]

    def step(self, at_s: int, begin: Sequence[int], end: Sequence[int]) -> None:
        """Take what begins and ends at a moment."""
        for place in end:
            since_s, taken = self._since.pop(place)
            self.shares[place].append((since_s, at_s, taken))
            self._held.pop(bisect_left(self._held, place))
            self._add(place, -self._amounts[place])
        for place in begin:
            insort(self._held, place)
            self._add(place, self._amounts[place])
        before, (self._edge, left) = self._edge, self._found_edge()
        low, high = min(before, self._edge), max(before, self._edge)
        moved = self._held[bisect_left(self._held, low) : bisect_right(self._held, high)]
        for place in dict.fromkeys((*moved, *begin)):
            taken = self._amounts[place] if place < self._edge else left if place == self._edge else 0
            self._set(place, at_s, taken)

    def _set(self, place: int, at_s: int, taken: int) -> None:
        known = self._since.get(place)
        if known is None:
            self._since[place] = (at_s, taken)
        elif known[1] != taken:
            self.shares[place].append((known[0], at_s, known[1]))
            self._since[place] = (at_s, taken)

    def _add(self, place: int, amount: int) -> None:
        place += 1
        while place < len(self._sums):
            self._sums[place] += amount
            place += place & -place

    def _found_edge(self) -> tuple[int, int]:
        """Return the first place that is not covered whole, and what is left for it."""
        place, left = 0, self._amount
        for bit in range(len(self._sums).bit_length() - 1, -1, -1):
            after = place + (1 << bit)
            if after < len(self._sums) and self._sums[after] <= left:
                place, left = after, left - self._sums[after]
        return place, left


def _outside(piece: Piece, first_s: int, last_s: int) -> list[Piece]:
    before = piece._replace(to_s=min(piece.to_s, first_s))
    after = piece._replace(from_s=max(piece.from_s, last_s))
    return [p for p in (before, after) if p.from_s < p.to_s]
