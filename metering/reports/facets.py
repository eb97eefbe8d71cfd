"""What many lines have in common is made once: whose they are, and what price and kind they are of. Pure.

Lines come as columns and leave as columns, with the numbers of the three tables they are joined with; none is looked at alone
but those that are not plain usage.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metering import exact_sums
from metering.books import Books, BookVersion, EntryRate, Rate
from metering.charging import HOUR_S
from metering.line_columns import AMOUNT, BILLED, CLOSED, END, LISTED, OPENED, POINTS, START, UNIT_PRICE, LineColumns
from metering.lines import CHARGED, Kind, Line
from metering.meters import Counting, meter_of
from metering.reports.columns import neutral
from metering.reports.tables import Chunk, Columns, Texts, texts

_COLUMNS = (
    "id_high", "id_low", "has_id", "owner", "price", "resource", "amount", "factor", "seconds", "start_s", "end_s", "opened_by",
    "closed_by", "listed", "billed", "is_small",
)  # fmt: skip
CORRECTIONS = (Kind.ADJUSTMENT, Kind.CORRECTION)


#: Base units × seconds below which 64 bits are enough: a priced unit is an hour of one at least, of entries one.
_SMALL = float(1 << 38)


class Extra:
    """Kinds of rows that reports have beside those of lines."""

    #: What a department pays for a commitment; the used and unused parts say what became of it.
    COMMITMENT_FEE = "commitment_fee"
    #: What rounding a statement to fen gave or took.
    ROUNDING = "rounding"


class Owner(NamedTuple):
    """Whose a line is."""

    department_id: str
    project_id: str
    system_id: str


class PriceKey(NamedTuple):
    """What kind of line it is, and at which price."""

    kind: str
    meter: str
    state: str
    book_id: str
    micro_yuan: int
    points: int
    #: Of a commitment.
    name: str = ""
    #: The kind the statement counts it as, where that is another one.
    statement_kind: str = ""
    #: Id (hex) of the line that is corrected.
    reference: str = ""
    #: What a person wrote to it.
    note: str = ""
    billing: str = CHARGED


_PRICE_TEXTS = ("way", "reference", "note")
_RESOURCE_TEXTS = ("resource_id", "resource_kind", "resource_name")
_NOBODY = ("", "")
ROUNDING_KEY = PriceKey(Extra.ROUNDING, "-", "", "", 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What ids are called."""

    #: id -> (code, name).
    departments: Mapping[str, tuple[str, str]]
    #: id -> (code, name, budget code).
    projects: Mapping[str, tuple[str, str, str]]
    systems: Mapping[str, str]
    #: id -> (kind, name).
    resources: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """How the price of a kind of line is counted."""

    #: ``flat``: the price of the line; ``steps``: what it comes to for a unit; ``none``: the line has no price of its own.
    way: str
    #: Base units × seconds (or base units) in one priced unit.
    over: int
    #: ``vCPU-Hours``; empty: nothing is counted.
    unit: str
    #: ``vCPU-Seconds``; empty: nothing is consumed.
    base_unit: str
    #: Whether time counts, or the amount alone.
    is_timed: bool
    #: The service code the operator gave the price; empty: none.
    code: str = ""


def priced(key: PriceKey, books: Mapping[str, BookVersion], period_s: int) -> Priced:
    """Return how the price of lines of a key is counted, with its service code."""
    return replace(_priced(key, books, period_s), code=_code(key, books))


def _code(key: PriceKey, books: Mapping[str, BookVersion]) -> str:
    version = books.get(key.book_id)
    if version is None:
        return ""
    rates: tuple[Rate | EntryRate, ...] = (*version.rates, *version.entry_rates)
    return next((rate.code for rate in rates if rate.meter == key.meter and rate.code), "")


def _priced(key: PriceKey, books: Mapping[str, BookVersion], period_s: int) -> Priced:
    if key.kind in CORRECTIONS or key.kind == Extra.ROUNDING:
        return Priced(way="none", over=1, unit="", base_unit="", is_timed=False)
    meter = meter_of(key.meter)
    if meter.counting is Counting.ENTRY:
        version = books.get(key.book_id)
        rate = None if version is None else version.entry_rate(key.meter)
        if rate is not None and rate.per == "month":
            over = meter.base_per_unit * period_s
            unit, base = f"{meter.unit.capitalize()}-Months", f"{meter.base_unit.capitalize()}-Seconds"
            return Priced(way="flat", over=over, unit=unit, base_unit=base, is_timed=True)
        unit, base = f"{meter.unit.capitalize()}s", f"{meter.base_unit.capitalize()}s"
        return Priced(way="flat", over=meter.base_per_unit, unit=unit, base_unit=base, is_timed=False)
    unit, base = (u if u[:1] in "vGM" else u.capitalize() for u in (meter.unit, meter.base_unit))
    if meter.counting is Counting.COUNT:
        way = "steps" if not key.micro_yuan and _has_steps(key, books) else "flat"
        return Priced(way=way, over=meter.base_per_unit, unit=unit, base_unit=f"{base}s", is_timed=False)
    has_steps = key.kind in (Kind.USAGE, Kind.ENTRY) and not key.micro_yuan and _has_steps(key, books)
    is_timed = key.kind not in (Kind.COMMITMENT_UNUSED, Extra.COMMITMENT_FEE)
    way = "steps" if has_steps else "flat"
    return Priced(
        way=way, over=HOUR_S * meter.base_per_unit, unit=f"{unit}-Hours", base_unit=f"{base}-Seconds", is_timed=is_timed
    )


def _has_steps(key: PriceKey, books: Mapping[str, BookVersion]) -> bool:
    version = books.get(key.book_id)
    rate = None if version is None else version.rate(key.meter, key.state)
    return rate is not None and len(rate.steps) > 1


class _Numbered(dict[Any, int]):
    """Numbers keys as they come, and keeps the new ones."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[Any] = []

    def __missing__(self, key: Any) -> int:
        self[key] = number = len(self)
        self.new.append(key)
        return number

    def taken(self) -> list[Any]:
        """Return the keys that are new since the last time."""
        found, self.new = self.new, []
        return found


@dataclass(slots=True)
class Totals:
    """What a file comes to."""

    rows: int = 0
    list_micro_yuan: int = 0
    micro_yuan: int = 0
    #: Of it what is charged.
    billed_micro_yuan: int = 0


#: (owner, key) -> what its cells are.
OwnerCells = Callable[[Owner, Subjects], Mapping[str, str | None]]
PriceCells = Callable[[PriceKey, Priced], Mapping[str, str | None]]


@dataclass(slots=True)
class Chunks:
    """Makes columns of lines, for one file."""

    subjects: Subjects
    books: Books
    period_s: int
    owner_cells: OwnerCells
    price_cells: PriceCells
    #: Whether texts are made harmless for spreadsheets.
    is_neutral: bool
    #: Whether commitments and rounding get rows of their own.
    has_extras: bool = False
    totals: Totals = field(default_factory=Totals)
    #: (owner, key of the fee) -> [quantity, micro-yuan, first, last].
    fees: dict[tuple[Owner, PriceKey], list[int]] = field(default_factory=dict)
    _owners: _Numbered = field(default_factory=_Numbered)
    _prices: _Numbered = field(default_factory=_Numbered)
    _resources: _Numbered = field(default_factory=_Numbered)
    _versions: dict[str, BookVersion] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._versions = {v.id: v for v in self.books.versions}

    def of(self, lines: LineColumns) -> Chunk:
        """Return the columns of some lines."""
        figures, owners, resources = lines.figures, self._owners, self._resources
        kept = list(lines.owners)
        owner = _int([owners[Owner(*key[:3])] for key in kept])[lines.owner_of]
        resource = _int([resources[key.resource_id] for key in kept])[lines.owner_of]
        factor, seconds = figures[AMOUNT].copy(), figures[END] - figures[START]
        price = self._prices_of(lines)
        kinds = [of.kind for of in lines.whats]
        is_special = np.array([kind != Kind.USAGE for kind in kinds], dtype=bool)[lines.what_of]
        places = np.flatnonzero(is_special)
        for n, (_, line) in zip(places.tolist(), lines.part(places).rows(), strict=True):
            key, factor[n] = self._special(line)
            price[n] = self._prices[key]
            if not _priced(key, self._versions, self.period_s).is_timed:
                seconds[n] = 1
        self.totals.rows += len(lines)
        self.totals.list_micro_yuan += exact_sums.total(figures[LISTED])
        self.totals.micro_yuan += exact_sums.total(figures[BILLED])
        is_charged = np.array([of.billing == CHARGED for of in lines.whats], dtype=bool)[lines.what_of]
        self.totals.billed_micro_yuan += exact_sums.total(figures[BILLED][is_charged])
        high, low = np.ascontiguousarray(lines.ids).view(">u8").astype(np.uint64).T
        return self._chunk(
            {
                "id_high": np.ascontiguousarray(high), "id_low": np.ascontiguousarray(low),
                "has_id": np.ones(len(lines), dtype=bool),
                "owner": owner, "price": price, "resource": resource, "amount": figures[AMOUNT], "factor": factor,
                "seconds": seconds, "start_s": figures[START], "end_s": figures[END], "opened_by": figures[OPENED],
                "closed_by": figures[CLOSED], "listed": figures[LISTED], "billed": figures[BILLED],
            }
        )  # fmt: skip

    def _prices_of(self, lines: LineColumns) -> NDArray[np.int64]:
        """Return the number of each line's price, as plain usage has it."""
        whats, distinct = list(lines.whats), lines.what_of
        for figure in (UNIT_PRICE, POINTS):
            values, places = np.unique(lines.figures[figure], return_inverse=True)
            distinct = distinct * len(values) + places
        _, firsts, places = np.unique(distinct, return_index=True, return_inverse=True)
        units, points = lines.figures[UNIT_PRICE][firsts].tolist(), lines.figures[POINTS][firsts].tolist()
        numbers = []
        for of, unit, less in zip(lines.what_of[firsts].tolist(), units, points, strict=True):
            kind, meter, state, book, _, _, billing = whats[of]
            # Others than usage get a key of their own.
            key = PriceKey(kind, meter, state, book, unit, less, billing=billing)
            numbers.append(self._prices[key] if kind == Kind.USAGE else 0)
        return _int(numbers)[places]

    def extras(self, statements: Iterable[Mapping[str, Any]], start_s: int, end_s: int) -> Chunk | None:
        """Return the rows that are of no line: fees of commitments, and what rounding to fen gave or took."""
        rows: list[tuple[Owner, PriceKey, int, int, int, int]] = []
        for (owner, key), (quantity, micro, first, last) in sorted(self.fees.items()):
            rows.append((owner, key, quantity, micro, first, last))
        for statement in statements:
            if statement["rounding_micro_yuan"]:
                owner = Owner(statement["department_id"], "", "")
                rows.append((owner, ROUNDING_KEY, 0, statement["rounding_micro_yuan"], start_s, end_s))
        if not rows:
            return None
        owners, keys, quantities, micro_yuan, firsts, lasts = zip(*rows, strict=True)
        self.totals.rows += len(rows)
        # A fee is what its used and unused parts share: it is counted once, and they as nothing billed.
        rounding = sum(r[3] for r in rows if r[1].kind == Extra.ROUNDING)
        self.totals.micro_yuan += rounding
        self.totals.billed_micro_yuan += rounding
        nothing = np.zeros(len(rows), dtype=np.int64)
        no_id = {"id_high": nothing.astype(np.uint64), "id_low": nothing.astype(np.uint64), "has_id": nothing.astype(bool)}
        return self._chunk(
            {
                **no_id, "owner": _int([self._owners[o] for o in owners]), "price": _int([self._prices[k] for k in keys]),
                "resource": nothing + self._resources[""], "amount": nothing, "factor": _int(quantities), "seconds": nothing + 1,
                "start_s": _int(firsts), "end_s": _int(lasts), "opened_by": nothing, "closed_by": nothing, "listed": nothing,
                "billed": _int(micro_yuan),
            }
        )  # fmt: skip

    def none(self) -> Chunk:
        """Return no rows at all, with their columns."""
        empty, words = _int([]), texts([])
        owners = {"owner": empty} | dict.fromkeys(self.owner_cells(Owner("", "", ""), self.subjects), words)
        key = PriceKey(Kind.ADJUSTMENT, "", "", "", 0, 0)
        prices = dict.fromkeys(("price", "micro", "points", "over"), empty) | dict.fromkeys(_PRICE_TEXTS, words)
        prices |= dict.fromkeys(self.price_cells(key, priced(key, {}, 1)), words)
        resources = {"resource": empty} | dict.fromkeys(_RESOURCE_TEXTS, words)
        unsigned = {
            "id_high": empty.astype(np.uint64),
            "id_low": empty.astype(np.uint64),
            "has_id": empty.astype(bool),
            "is_small": empty.astype(bool),
        }
        columns = dict.fromkeys(_COLUMNS, empty) | unsigned
        return Chunk(columns=columns, facets={"owners": owners, "prices": prices, "resources": resources})

    def _special(self, line: Line) -> tuple[PriceKey, int]:
        """Return price and factor of a line that is not plain usage."""
        key = PriceKey(
            line.kind, line.meter, line.state, line.book_id, line.micro_yuan_per_unit, line.basis_points, billing=line.billing
        )
        if line.kind not in (Kind.COMMITMENT_USED, Kind.COMMITMENT_UNUSED):
            note = neutral(line.reason) if self.is_neutral else line.reason
            return key._replace(reference=line.reference, note=note), line.amount
        is_used = line.kind == Kind.COMMITMENT_USED
        quantity = line.amount * (line.end_s - line.start_s) if is_used else line.amount
        key = key._replace(name=line.reason if is_used else line.resource_id, reference=line.reference)
        if self.has_extras:
            self._count_fee(line, key, quantity)
        return key, line.amount

    def _count_fee(self, line: Line, key: PriceKey, quantity: int) -> None:
        fee = key._replace(kind=Extra.COMMITMENT_FEE, state="", statement_kind=key.kind)
        owner = Owner(line.department_id, line.project_id, "")
        found = self.fees.setdefault((owner, fee), [0, 0, line.start_s, line.end_s])
        found[0] += quantity
        found[1] += line.micro_yuan
        found[2:] = min(found[2], line.start_s), max(found[3], line.end_s)

    def _chunk(self, columns: Mapping[str, NDArray[Any]]) -> Chunk:
        facets: dict[str, Columns] = {}
        new_owners, new_prices, new_resources = self._owners.taken(), self._prices.taken(), self._resources.taken()
        if new_owners:
            numbers = {"owner": _int(self._owners[k] for k in new_owners)}
            facets["owners"] = numbers | _cells([self.owner_cells(Owner(*k), self.subjects) for k in new_owners])
        if new_prices:
            facets["prices"] = self._price_facets(new_prices)
        if new_resources:
            called = [self.subjects.resources.get(id_, _NOBODY) for id_ in new_resources]
            facets["resources"] = {
                "resource": _int(self._resources[k] for k in new_resources),
                "resource_id": texts(new_resources),
                "resource_kind": texts(kind for kind, _ in called),
                "resource_name": texts(name for _, name in called),
            }
        return Chunk(columns={**columns, "is_small": _is_small(columns)}, facets=facets)

    def _price_facets(self, new: Sequence[Any]) -> dict[str, NDArray[Any] | Texts]:
        keys = [PriceKey(*k) for k in new]
        counted = [priced(k, self._versions, self.period_s) for k in keys]
        numbers = {
            "price": _int(self._prices[k] for k in new),
            "micro": _int(k.micro_yuan for k in keys),
            "points": _int(k.points for k in keys),
            "over": _int(p.over for p in counted),
        }
        fixed = {
            "way": texts(p.way for p in counted),
            "reference": texts(k.reference for k in keys),
            "note": texts(k.note or None for k in keys),
        }
        return numbers | fixed | _cells([self.price_cells(k, p) for k, p in zip(keys, counted, strict=True)])


def _int(values: Iterable[int]) -> NDArray[np.int64]:
    # Raises where a number does not fit; arithmetic beyond 64 bits is left to DuckDB, which raises too.
    return np.array(values if isinstance(values, list | tuple) else list(values), dtype=np.int64)


def _cells(rows: Sequence[Mapping[str, str | None]]) -> dict[str, NDArray[Any] | Texts]:
    return {name: texts(row[name] for row in rows) for name in rows[0]}


def _is_small(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Tell where 64 bits are enough for quantities: the number of priced units, times ten million, and all on the way."""
    found: NDArray[np.bool_] = columns["factor"].astype(float) * columns["seconds"].astype(float) < _SMALL
    return found
