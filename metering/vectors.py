"""The fast way to rated lines: flat prices of many intervals at once, in 64-bit integers that cannot overflow unseen.

``metering.rated_period`` writes months with it. Whatever it cannot do exactly (steps, commitments, figures near 2**63)
it leaves to ``metering.charging``, the plain integer kernel it is proven against line by line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metering import exact_sums
from metering.books import Mode, discounted
from metering.charging import Charging, Segment
from metering.counts import Counted
from metering.entries import Entry
from metering.exact_sums import SAFE, Ints
from metering.ledger import of_row
from metering.line_columns import AMOUNT, BILLED, END, LISTED, START, Legend, LineColumns, Numbers, WhatKey, joined
from metering.lines import FIGURES, ID_BYTES, Kind, Line
from metering.statements import Summing

#: A row of the ledger as its table has it.
LedgerRow = Sequence[Any]
#: Later than any interval ends.
_OPEN = (1 << 62) - 1


@dataclass(slots=True)
class Engine:
    """Rates one period: feed it rows of the ledger in portions and in any order, then the rest, then take what it comes to."""

    charging: Charging
    summing: Summing
    #: Whether the lines themselves are wanted, or only what they come to.
    makes_lines: bool = True
    _groups: "_Groups | None" = None
    _legend: Legend = field(init=False)
    _parts: list[LineColumns] = field(default_factory=list)
    _others: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._legend = Legend(self.summing.period_id)

    def take(self, rows: Sequence[LedgerRow]) -> None:
        """Rate rows of the ledger as far as they need no others.

        Raises:
            Conflict: ``usage.price_gap``.
        """
        if not rows:
            return
        if self._groups is None:
            self._groups = _Groups(self.charging, self._legend)
        portion = _Portion(self._groups, tuple(zip(*rows, strict=True)))
        parts = list(portion.parts())
        slow, columns = portion.slow, portion.columns
        # A row with one figure that is too large is rated in the plain kernel, whole.
        self._more(line for n in np.flatnonzero(slow).tolist() for line in self.charging.of_interval(of_row(rows[n])))
        owner_of = self._legend.owners_of(zip(*self._owners(columns), strict=True))
        self._parts += [self._columns(portion, part.without(slow), owner_of) for part in parts]

    def rest(self, entries: Iterable[Entry | Counted], others: Iterable[Line] = ()) -> None:
        """Rate commitments, prices with steps and entries, and add lines that are complete.

        Raises:
            Conflict: ``usage.price_gap``.
        """
        of_entries = chain.from_iterable(self.charging.of_entry(entry) for entry in entries)
        self._more(chain(self.charging.rest(), of_entries))
        self._more(chain(self.charging.rest_of_entries(), others))

    def finished(self) -> LineColumns:
        """Return all lines, in no order; they are counted now."""
        fast = joined(self._parts, self._legend)
        self._count(fast)
        for line in self._others:
            self.summing.count(line)
        parts = [fast, self._legend.columns(self._others)] if self.makes_lines and self._others else [fast]
        self._parts, self._others = [], []
        return joined(parts, self._legend)

    def _more(self, lines: Iterable[Line]) -> None:
        self._others += lines

    def _owners(self, columns: Sequence[Sequence[Any]]) -> Sequence[Sequence[str]]:
        """Return what lines are told apart by: for sums alone not by resource, of which there are thousands."""
        nothing = ("",) * len(columns[0])
        return (columns[10], columns[11], *((columns[12], columns[0]) if self.makes_lines else (nothing, nothing)))

    def _columns(self, portion: "_Portion", part: "_Part", owner_of_row: Ints) -> LineColumns:
        figures, owner_of, what_of = part.figures(portion), owner_of_row[part.index], part.level.what_of[part.group]
        ids = self._ids(figures, owner_of, what_of) if self.makes_lines else b""
        digests = np.frombuffer(ids, dtype=np.uint8).reshape(-1, 32)
        return LineColumns(
            # A copy: the half of each hash that is no id goes.
            ids=digests[:, :ID_BYTES].copy(), figures=figures, owner_of=owner_of, what_of=what_of,
            owners=self._legend.owners, whats=self._legend.whats,
        )  # fmt: skip

    def _ids(self, figures: Ints, owner_of: Ints, what_of: Ints) -> bytes:
        """Return the hash of each line: what ``Line.id_in`` is the beginning of."""
        block, size = figures.T.astype(">i8").tobytes(), FIGURES.size
        owners = map(self._legend.digests.__getitem__, owner_of.tolist())
        whats = map(self._legend.tails.__getitem__, what_of.tolist())
        begins = range(0, len(block), size)
        return b"".join([sha256(o + block[at : at + size] + w).digest() for o, at, w in zip(owners, begins, whats, strict=True)])

    def _count(self, lines: LineColumns) -> None:
        """Count lines of usage by (department, project, meter, billing)."""
        numbers: Numbers[tuple[str, str]] = Numbers()
        party = numbers.of((owner.department_id, owner.project_id) for owner in lines.owners)
        parties, whats = list(numbers), [(of.meter, of.billing) for of in lines.whats]
        if not len(lines):
            return
        found, own = np.unique(party[lines.owner_of] * len(whats) + lines.what_of, return_inverse=True)
        counts = np.bincount(own).tolist()
        amounts, seconds = lines.figures[AMOUNT], lines.figures[END] - lines.figures[START]
        quantity = exact_sums.products_by_group(amounts, seconds, own, len(found))
        listed, billed = (exact_sums.by_group(lines.figures[n], own, len(found)) for n in (LISTED, BILLED))
        for key, count, *sums in zip(found.tolist(), counts, quantity, listed, billed, strict=True):
            (department, project), (meter, billing) = parties[key // len(whats)], whats[key % len(whats)]
            self.summing.more((department, project, meter, Kind.USAGE, billing), count, *sums)


@dataclass(slots=True)
class _Part:
    """Lines of one segment for each group: which rows they are of, and their figures."""

    level: "_Level"
    index: Ints
    group: Ints
    amount: Ints
    from_s: Ints
    to_s: Ints
    listed: Ints
    billed: Ints

    def without(self, slow: NDArray[np.bool_]) -> "_Part":
        """Return the part of it that is of other rows."""
        kept = ~slow[self.index]
        columns = (self.index, self.group, self.amount, self.from_s, self.to_s, self.listed, self.billed)
        return _Part(self.level, *(column[kept] for column in columns))

    def figures(self, portion: "_Portion") -> Ints:
        """Return its figures as a line has them."""
        # Named as closed only where it ended inside the period: what ends it later is no business of this one.
        ends = (portion.ends[self.index] == self.to_s) & (self.to_s < portion.until_s)
        closing = np.where(ends, portion.closed_by[self.index], 0)
        micro, points = self.level.listing.micro_yuan[self.group], self.level.points[self.group]
        opening = portion.opened_by[self.index]
        return np.stack([self.amount, self.from_s, self.to_s, opening, closing, micro, points, self.listed, self.billed])


class _Portion:
    """Some rows of the ledger as columns."""

    def __init__(self, groups: "_Groups", columns: Sequence[Sequence[Any]]) -> None:
        self.columns = columns
        self.start_s, self.until_s = groups.charging.start_s, groups.charging.until_s
        self.begins, self.amounts, self.opened_by = (np.array(columns[n], dtype=np.int64) for n in (2, 4, 6))
        self.ends = np.array([_OPEN if end is None else end for end in columns[3]], dtype=np.int64)
        self.closed_by = np.array([0 if by is None else by for by in columns[7]], dtype=np.int64)
        self.group_of = groups.of(columns)
        #: Rows that are not for here; more of them as figures are found too large.
        self.slow: NDArray[np.bool_] = np.array([found is None for found in groups.segments], dtype=bool)[self.group_of]
        self._levels = groups.levels()

    def parts(self) -> Iterator[_Part]:
        """Return the lines of the first segment of every group, then of the second, and so on."""
        first, last = np.maximum(self.begins, self.start_s), np.minimum(self.ends, self.until_s)
        for level in self._levels:
            from_s = np.maximum(first, level.since_s[self.group_of])
            to_s = np.minimum(last, level.until_s[self.group_of])
            which = np.flatnonzero(from_s < to_s)
            if len(which):
                yield self._priced(level, which, from_s[which], to_s[which])

    def _priced(self, level: "_Level", which: Ints, from_s: Ints, to_s: Ints) -> _Part:
        own, amount = self.group_of[which], self.amounts[which]
        anchor_s = np.maximum(self.begins[which], level.anchor_s[own])
        times = (own, from_s - anchor_s, to_s - anchor_s)
        listed, sound = _telescoped(amount, level.listing, *times)
        billed, sound_too = _telescoped(amount, level.billing, *times)
        self.slow[which[~(sound & sound_too)]] = True
        return _Part(level, which, own, amount, from_s, to_s, listed, billed)


class _Groups:
    """What each department pays for each meter in each state, as columns: made once, looked up for every portion."""

    def __init__(self, charging: Charging, legend: Legend) -> None:
        self.charging, self.legend = charging, legend
        self.numbers: Numbers[tuple[str, str, str]] = Numbers()
        #: The segments of each, ``None`` where its usage is not for here.
        self.segments: list[list[Segment] | None] = []
        self._levels: list[_Level] = []

    def of(self, columns: Sequence[Sequence[Any]]) -> Ints:
        """Return the number of each row's group."""
        numbers, known = self.numbers, len(self.numbers)
        of_row = numbers.of(zip(columns[10], columns[1], columns[5], strict=True))
        for department_id, meter, state in islice(numbers, known, None):
            waits = self.charging.waits(department_id, meter, state)
            found = None if waits else self.charging.segments_of(department_id, meter, state)
            is_flat = found is not None and all(s.rate.mode is Mode.FLAT for s in found)
            self.segments.append(found if is_flat else None)
            self._levels = []
        return of_row

    def levels(self) -> "list[_Level]":
        """Return the first segments of all groups, the second ones, and so on."""
        if not self._levels:
            depth = max((len(found) for found in self.segments if found is not None), default=0)
            for nth in range(depth):
                held = [found[nth] if found is not None and nth < len(found) else None for found in self.segments]
                self._levels.append(_Level(held, list(self.numbers), self.legend, self.charging))
        return self._levels


class _Level:
    """One segment of each group; where a group has none, one that holds at no moment."""

    def __init__(
        self, held: Sequence[Segment | None], keys: Sequence[tuple[str, str, str]], legend: Legend, charging: Charging
    ) -> None:
        gross = [(s.rate.steps[0].micro_yuan, s.over, s.basis_points) if s else (0, 1, 0) for s in held]
        self.since_s, self.until_s, self.anchor_s = (
            np.array([getattr(s, name) if s else 0 for s in held], dtype=np.int64) for name in ("from_s", "to_s", "anchor_s")
        )
        self.listing = _Price([price[:2] for price in gross])
        self.billing = _Price([discounted(*price) for price in gross])
        self.points = np.array([points for _, _, points in gross], dtype=np.int64)
        self.what_of: Ints = np.array(
            [
                legend.what_of(WhatKey(Kind.USAGE, meter, state, s.book_id if s else "", "", "", charging.billing_of(department)))
                for (department, meter, state), s in zip(keys, held, strict=True)
            ],
            dtype=np.int64,
        )


class _Price:
    """A price of each group, and what it is divided by for one base unit and second."""

    def __init__(self, prices: Sequence[tuple[int, int]]) -> None:
        self.fits: NDArray[np.bool_] = np.array([m < 1 << 61 for m, _ in prices], dtype=bool)
        self.micro_yuan: Ints = np.array([m if m < 1 << 61 else 0 for m, _ in prices], dtype=np.int64)
        self.over: Ints = np.array([over for _, over in prices], dtype=np.int64)


def _telescoped(amounts: Ints, price: _Price, own: Ints, before_s: Ints, after_s: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return ``rounded(value × after) − rounded(value × before)``, and where no step of it came near the end of 64 bits.

    With value = q × over + r, rounded(value × s / over) is q × s + rounded(r × s / over): the products stay small.
    """
    micro, over, length = price.micro_yuan[own], price.over[own], after_s.astype(float)
    value = amounts.astype(float) * micro.astype(float)
    # Both parts of the sum, each at its largest.
    sound = price.fits[own] & (value < SAFE) & (value / over * length < SAFE) & ((2 * length + 1) * over < SAFE)
    whole, rest = np.divmod(np.where(sound, amounts, 0) * micro, over)
    after_s, before_s = np.where(sound, after_s, 0), np.where(sound, before_s, 0)
    found = whole * (after_s - before_s)
    found += (2 * rest * after_s + over) // (2 * over) - (2 * rest * before_s + over) // (2 * over)
    return found, sound
