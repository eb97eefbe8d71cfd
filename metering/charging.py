"""From intervals, entries and price books to rated lines. Pure, in plain integers: what every other way is measured against.

- A line of a flat price is a difference of two rounded running totals, counted from the moment its price, its discount and
  its interval all held: cutting anywhere changes nothing (telescoping rounding).
- A price with steps counts a project's quantity of the period in order of time; each line is again a difference of two
  rounded running totals, so that the order does not change what they add up to.
- A commitment is a fee for its whole time; what is used of it and what is not share that fee exactly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from inventory.domain.errors import Conflict
from inventory.domain.journal import LOST
from inventory.domain.money import rounded
from metering.books import Books, BookVersion, Commitment, EntryRate, Mode, Rate, Step, discounted
from metering.counts import STATE, Counted
from metering.coverage import Piece, cover
from metering.entries import Entry
from metering.ledger import LedgerInterval
from metering.lines import CHARGED, Kind, Line
from metering.meters import Counting, is_timed, meter_of

HOUR_S = 3600


class Segment(NamedTuple):
    """A stretch of the period in which one department pays one price for one meter in one state."""

    from_s: int
    to_s: int
    #: Where price and discount began to hold, in the period or before.
    anchor_s: int
    book_id: str
    rate: Rate
    basis_points: int
    #: What a price per unit and hour is divided by for one base unit and second.
    over: int


def segments(books: Books, department_id: str, meter: str, state: str, start_s: int, end_s: int) -> list[Segment]:
    """Return what a department pays for a meter in a state, piece by piece; nothing where the state is not charged.

    Raises:
        Conflict: ``usage.price_gap``: at some moment no approved version prices the meter.
    """
    found: list[Segment] = []
    over = _over(meter)
    for since_s, until_s, version in books.pieces(meter, start_s, end_s):
        if not any(rate.meter == meter for rate in version.rates):
            raise Conflict("usage.price_gap", meter=meter, start_s=since_s, end_s=until_s)
        # What is lost has a line of its own that costs nothing, whatever is priced.
        rate = _nothing(meter) if state == LOST else version.rate(meter, state)
        if rate is None:
            continue
        cuts = [version.from_s, *(c for c in version.discount_cuts(department_id, meter) if c > version.from_s), until_s]
        for anchor_s, next_s in pairwise(cuts):
            first, last = max(since_s, anchor_s), min(until_s, next_s)
            if first < last:
                points = version.discount(department_id, meter, first)
                found.append(Segment(first, last, anchor_s, version.id, rate, points, over))
    return found


def _nothing(meter: str) -> Rate:
    return Rate(meter=meter, state=LOST, mode=Mode.FLAT, steps=(Step(up_to=None, micro_yuan=0),), code="")


def _over(meter: str) -> int:
    """Return what a price is divided by for one base unit (and second, where time counts)."""
    found = meter_of(meter)
    return found.base_per_unit * (1 if found.counting is Counting.COUNT else HOUR_S)


@dataclass(slots=True)
class Charging:
    """Rates one period. Feed it intervals in any order, then take what is left."""

    books: Books
    period_id: str
    start_s: int
    end_s: int
    #: Up to where it is rated: its end, or now while it is open.
    until_s: int
    #: The one department whose commitments count; empty: of all.
    department_id: str = ""
    #: Department -> ``chargeback`` | ``showback``: a mark on its lines, which changes no figure.
    billing: Mapping[str, str] = field(default_factory=dict)
    _segments: dict[tuple[str, str, str], list[Segment]] = field(default_factory=dict)
    #: What waits for the others of its project, by (department, project, meter, version).
    _stepped: dict[tuple[str, str, str, str], list[Piece]] = field(default_factory=dict)
    #: The same of what was passed, and of what people entered.
    _stepped_late: dict[tuple[str, str, str, str], list[Piece]] = field(default_factory=dict)
    #: What waits for the others of its department, by (department, meter), for every commitment that holds.
    _committed: dict[tuple[str, str], list[Piece]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for _, commitment in self._commitments():
            self._committed.setdefault((commitment.department_id, commitment.meter), [])

    def lines(self, intervals: Iterable[LedgerInterval], entries: Iterable[Entry | Counted]) -> Iterator[Line]:
        """Return every line of the period.

        Raises:
            Conflict: ``usage.price_gap``.
        """
        for interval in intervals:
            yield from self.of_interval(interval)
        yield from self.rest()
        for entry in entries:
            yield from self.of_entry(entry)
        yield from self.rest_of_entries()

    def of_interval(self, interval: LedgerInterval) -> Iterator[Line]:
        """Return the lines of one interval that need no others; the rest waits for ``rest``."""
        begins_s = interval.start_s
        first = begins_s if begins_s > self.start_s else self.start_s
        last = self.until_s if interval.end_s is None or interval.end_s > self.until_s else interval.end_s
        if first >= last:
            return
        if not self.waits(interval.department_id, interval.meter, interval.state):
            yield from self._priced(Piece(interval, first, last, interval.amount), begins_s)
            return
        waiting = self._committed[interval.department_id, interval.meter]
        for segment in self.segments_of(interval.department_id, interval.meter, interval.state):
            since_s, until_s = max(first, segment.from_s), min(last, segment.to_s)
            if since_s < until_s:
                waiting.append(Piece(interval, since_s, until_s, interval.amount))

    def rest(self) -> Iterator[Line]:
        """Return the lines of commitments and of prices with steps."""
        for (department_id, meter), pieces in sorted(self._committed.items()):
            left = pieces
            for version, commitment in self._commitments():
                if (commitment.department_id, commitment.meter) == (department_id, meter):
                    covered, left = cover(left, commitment.amount, *self._window(version, commitment))
                    yield from self._fee(version, commitment, covered)
            for piece in left:
                yield from self._priced(piece, piece.from_s)
        for key in sorted(self._stepped):
            yield from self._of_steps(self._stepped[key])

    def rest_of_entries(self) -> Iterator[Line]:
        """Return the lines of what ``of_entry`` was told of at prices with steps: when it was told all of it."""
        for key in sorted(self._stepped_late):
            yield from self._of_steps(self._stepped_late[key])

    # -- flat prices --------------------------------------------------------------------------------------------------

    def _priced(self, piece: Piece, opened_s: int) -> Iterator[Line]:
        interval = piece.interval
        for segment in self.segments_of(interval.department_id, interval.meter, interval.state):
            first, last = max(piece.from_s, segment.from_s), min(piece.to_s, segment.to_s)
            if first >= last:
                continue
            if segment.rate.mode is not Mode.FLAT:
                group = (interval.department_id, interval.project_id, interval.meter, segment.book_id)
                self._stepped.setdefault(group, []).append(Piece(interval, first, last, piece.amount, segment))
                continue
            yield self._flat(interval, segment, first, last, piece.amount, max(opened_s, segment.anchor_s))

    def waits(self, department_id: str, meter: str, state: str) -> bool:
        """Tell whether usage of a meter may be covered by a commitment, so that each interval needs the others."""
        return state != LOST and (department_id, meter) in self._committed

    def billing_of(self, department_id: str) -> str:
        """Return how what a department uses is billed."""
        return self.billing.get(department_id, CHARGED)

    def segments_of(self, department_id: str, meter: str, state: str) -> list[Segment]:
        """Return what a department pays for a meter in a state during the period.

        Raises:
            Conflict: ``usage.price_gap``.
        """
        key = (department_id, meter, state)
        found = self._segments.get(key)
        if found is None:
            found = self._segments[key] = segments(self.books, *key, self.start_s, self.until_s)
        return found

    def _flat(self, interval: LedgerInterval, segment: Segment, first: int, last: int, amount: int, anchor_s: int) -> Line:
        micro = segment.rate.steps[0].micro_yuan
        # The same numerators and denominators wherever the interval is cut: counted from where everything held.
        over = segment.over
        value = amount * micro
        listed = billed = rounded(value * (last - anchor_s), over) - rounded(value * (first - anchor_s), over)
        if segment.basis_points:
            value, over = discounted(value, over, segment.basis_points)
            billed = rounded(value * (last - anchor_s), over) - rounded(value * (first - anchor_s), over)
        return self._line(_kind_of(interval.meter), interval, segment, first, last, amount, listed, billed, micro)

    def _line(
        self,
        kind: str,
        i: LedgerInterval,
        segment: Segment,
        first: int,
        last: int,
        amount: int,
        listed: int,
        billed: int,
        micro: int,
    ) -> Line:
        return Line(
            kind, i.department_id, i.project_id, i.system_id, i.resource_id, i.meter, i.state, amount, first, last,
            i.opened_by, self._closed_by(i, last), segment.book_id, micro, segment.basis_points, listed, billed,
            # What was entered has no name but its reason.
            reason=i.resource_name if kind == Kind.ENTRY else "", billing=self.billing_of(i.department_id),
        )  # fmt: skip

    def _closed_by(self, interval: LedgerInterval, last: int) -> int:
        """Return what closed an interval where it ended inside the period: what ends it later is no business of this one."""
        ends_here = interval.end_s == last and last < self.until_s
        return interval.closed_by if ends_here and interval.closed_by is not None else 0

    # -- prices with steps --------------------------------------------------------------------------------------------

    def _of_steps(self, pieces: Sequence[Piece]) -> Iterator[Line]:
        over = pieces[0].segment.over
        ordered = sorted(pieces, key=lambda p: (p.from_s, p.interval.resource_id, p.interval.opened_by, p.to_s, p.amount))
        rate = ordered[0].segment.rate
        steps = rate.steps
        if rate.mode is Mode.VOLUME:
            total = sum(map(_quantity, ordered))
            reached = next(s for s in steps if s.up_to is None or total <= s.up_to * over)
            steps = (Step(up_to=None, micro_yuan=reached.micro_yuan),)
        quantity = billed_sum = worth = 0
        for piece in ordered:
            quantity += _quantity(piece)
            before, worth = worth, worth_of(quantity, steps, over)
            listed = rounded(worth, over) - rounded(before, over)
            net, net_over = discounted(worth - before, over, piece.segment.basis_points)
            billed = rounded(billed_sum + net, net_over) - rounded(billed_sum, net_over)
            billed_sum += net
            micro = price_between(quantity - _quantity(piece), quantity, steps, over)
            yield self._line(
                _kind_of(piece.interval.meter),
                piece.interval,
                piece.segment,
                piece.from_s,
                piece.to_s,
                piece.amount,
                listed,
                billed,
                micro,
            )

    # -- commitments --------------------------------------------------------------------------------------------------

    def _commitments(self) -> Iterator[tuple[BookVersion, Commitment]]:
        """Return the commitments that hold at some moment of the period."""
        for version in self.books.versions:
            for commitment in version.commitments:
                first, last = self._window(version, commitment)
                if first < last and self.department_id in ("", commitment.department_id):
                    yield version, commitment

    def _window(self, version: BookVersion, commitment: Commitment) -> tuple[int, int]:
        ends_s = commitment.to_s if version.to_s is None else min(commitment.to_s, version.to_s)
        return max(commitment.from_s, self.start_s), min(ends_s, self.until_s)

    def _fee(self, version: BookVersion, commitment: Commitment, covered: Sequence[Piece]) -> Iterator[Line]:
        first, last = self._window(version, commitment)
        over = HOUR_S * meter_of(commitment.meter).base_per_unit
        value = commitment.amount * commitment.micro_yuan_per_unit_hour
        fee = rounded(value * (last - commitment.from_s), over) - rounded(value * (first - commitment.from_s), over)
        whole = commitment.amount * (last - first)
        ordered = sorted(covered, key=lambda p: (p.from_s, p.interval.resource_id, p.interval.opened_by, p.to_s))
        taken = 0
        for piece in ordered:
            before, taken = taken, taken + piece.amount * (piece.to_s - piece.from_s)
            billed = fee * taken // whole - fee * before // whole
            yield self._used(version, commitment, piece, billed)
        unused = whole - taken
        if unused:
            yield Line(
                Kind.COMMITMENT_UNUSED, commitment.department_id, commitment.project_id, "", commitment.name, commitment.meter,
                "", unused, first, last, 0, 0, version.id, commitment.micro_yuan_per_unit_hour, 0,
                0, fee - fee * taken // whole, "", "", self.billing_of(commitment.department_id),
            )  # fmt: skip

    def _used(self, version: BookVersion, commitment: Commitment, piece: Piece, billed: int) -> Line:
        i = piece.interval
        return Line(
            Kind.COMMITMENT_USED, i.department_id, i.project_id, i.system_id, i.resource_id, i.meter, i.state, piece.amount,
            piece.from_s, piece.to_s, i.opened_by, self._closed_by(i, piece.to_s), version.id,
            commitment.micro_yuan_per_unit_hour, 0, billed, billed, "", commitment.name, self.billing_of(i.department_id),
        )  # fmt: skip

    # -- services and labour ------------------------------------------------------------------------------------------

    def of_entry(self, entry: Entry | Counted) -> Iterator[Line]:
        """Return the lines of one approved entry in this period, or of what one machine passed.

        Raises:
            Conflict: ``usage.price_gap``.
        """
        if isinstance(entry, Counted):
            yield from self._of_count(entry)
            return
        first = max(entry.start_s, self.start_s)
        # What was done once is of the second it was done in.
        last = min(entry.start_s + 1 if entry.end_s is None else entry.end_s, self.until_s)
        if first >= last:
            return
        if is_timed(entry.meter):
            yield from self._of_held(entry, first, last)
            return
        for since_s, until_s, version in self.books.pieces(entry.meter, first, last):
            rate = version.entry_rate(entry.meter)
            if rate is None or (rate.per == "month") != (entry.end_s is not None):
                raise Conflict("usage.price_gap", meter=entry.meter, start_s=since_s, end_s=until_s)
            cuts = (c for c in version.discount_cuts(entry.department_id, entry.meter) if since_s < c < until_s)
            for part in pairwise((since_s, *cuts, until_s)):
                yield self._of_service(entry, version, rate, part)

    def _of_held(self, entry: Entry, first_s: int, last_s: int) -> Iterator[Line]:
        """Return the lines of what was held by what people say: priced as what is measured, each second of it."""
        assert entry.end_s is not None, "what is held has an end"
        interval = LedgerInterval(
            resource_id=entry.id, meter=entry.meter, start_s=entry.start_s, end_s=entry.end_s, amount=entry.amount, state=STATE,
            opened_by=0, closed_by=None, resource_kind="usage_entry", resource_name=entry.reason,
            department_id=entry.department_id, project_id=entry.project_id, system_id="", host_id=None,
        )  # fmt: skip
        for segment in segments(self.books, entry.department_id, entry.meter, STATE, first_s, last_s):
            if segment.rate.mode is Mode.FLAT:
                anchor_s = max(entry.start_s, segment.anchor_s)
                yield self._flat(interval, segment, segment.from_s, segment.to_s, entry.amount, anchor_s)
                continue
            group = (entry.department_id, entry.project_id, entry.meter, segment.book_id)
            piece = Piece(interval, segment.from_s, segment.to_s, entry.amount, segment)
            self._stepped_late.setdefault(group, []).append(piece)

    def _of_service(self, entry: Entry, version: BookVersion, rate: EntryRate, part: tuple[int, int]) -> Line:
        since_s, until_s = part
        points = version.discount(entry.department_id, entry.meter, since_s)
        value, over = entry.amount * rate.micro_yuan, meter_of(entry.meter).base_per_unit
        if rate.per == "month":
            # A part of the month, in its true seconds.
            value, over = value * (until_s - since_s), over * (self.end_s - self.start_s)
        listed, billed = rounded(value, over), rounded(*discounted(value, over, points))
        return Line(
            Kind.ENTRY, entry.department_id, entry.project_id, "", entry.id, entry.meter, "", entry.amount,
            since_s, until_s, 0, 0, version.id, rate.micro_yuan, points, listed, billed, "", entry.reason,
            self.billing_of(entry.department_id),
        )  # fmt: skip

    def _of_count(self, counted: Counted) -> Iterator[Line]:
        """Return the lines of what was passed: one for each price, over the days it held."""
        first_s, meter = counted.days[0][0], counted.meter
        for segment in self._segments_from(counted.department_id, meter, first_s):
            days = [d for d in counted.days if segment.from_s <= d[0] < segment.to_s]
            if not days:
                continue
            amount, last_s = sum(d[2] for d in days), min(days[-1][1], self.until_s)
            interval = LedgerInterval(
                resource_id=counted.resource_id, meter=meter, start_s=days[0][0], end_s=last_s, amount=amount, state=STATE,
                opened_by=0, closed_by=None, resource_kind="instance", resource_name="", department_id=counted.department_id,
                project_id=counted.project_id, system_id=counted.system_id, host_id=None,
            )  # fmt: skip
            if segment.rate.mode is not Mode.FLAT:
                group = (counted.department_id, counted.project_id, meter, segment.book_id)
                piece = Piece(interval, interval.start_s, last_s, amount, segment)
                self._stepped_late.setdefault(group, []).append(piece)
                continue
            micro = segment.rate.steps[0].micro_yuan
            listed = rounded(amount * micro, segment.over)
            billed = rounded(*discounted(amount * micro, segment.over, segment.basis_points))
            yield self._line(Kind.COUNTED, interval, segment, interval.start_s, last_s, amount, listed, billed, micro)

    def _segments_from(self, department_id: str, meter: str, first_s: int) -> list[Segment]:
        """Return what a department pays for what was passed since a day: before it nothing has to have a price."""
        key = (department_id, meter, str(first_s))
        found = self._segments.get(key)
        if found is None:
            found = self._segments[key] = segments(self.books, department_id, meter, STATE, first_s, self.until_s)
        return found


def _kind_of(meter: str) -> str:
    """Return the kind of lines of a meter that is priced by what was held or passed."""
    found = meter_of(meter)
    if found.is_entered:
        return Kind.ENTRY
    return Kind.COUNTED if found.counting is Counting.COUNT else Kind.USAGE


def _quantity(piece: Piece) -> int:
    """Return what counts for steps: time too, but for what was passed."""
    return piece.amount * (piece.to_s - piece.from_s if is_timed(piece.interval.meter) else 1)


def price_between(before: int, after: int, steps: Sequence[Step], over: int) -> int:
    """Return the price of the one step a part of a quantity lies in, 0 where it lies in several: the book then says it."""
    begun = 0
    for step in steps:
        end = after if step.up_to is None else step.up_to * over
        if begun <= before < end:
            return step.micro_yuan if after <= end else 0
        begun = end
    return 0


def worth_of(quantity: int, steps: Sequence[Step], over: int) -> int:
    """Return what a quantity is worth by graduated steps, as the numerator over ``over``.

    ``quantity`` is in base units × seconds; a step of N ends at N × ``over``.
    """
    worth = begun = 0
    for step in steps:
        end = quantity if step.up_to is None else min(quantity, step.up_to * over)
        if end > begun:
            worth += (end - begun) * step.micro_yuan
            begun = end
    return worth
