"""Price books as values: what a unit costs, in which state, from when to when, for whom less. Pure.

A version is never edited. It holds for ``[from_s, to_s)``; two approved versions never hold at one moment, and a moment
without one has no price at all, which is an error and never zero.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from inventory.domain.catalogue import Price
from inventory.domain.errors import Conflict


class Mode(StrEnum):
    """How steps of a price are applied to a project's quantity of one period."""

    #: One price, whatever the quantity.
    FLAT = "flat"
    #: Each part of the quantity at the price of its step.
    GRADUATED = "graduated"
    #: The whole quantity at the price of the step it reaches.
    VOLUME = "volume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Up to which quantity a price holds."""

    #: Priced units × hours; ``None``: without end.
    up_to: int | None
    micro_yuan: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one unit of a meter costs for an hour in one state."""

    meter: str
    state: str
    mode: Mode
    steps: tuple[Step, ...]
    #: The operator's own or the national service code; empty: none was given.
    code: str

    @property
    def micro_yuan_per_unit_hour(self) -> int:
        """Return the price of a flat rate; of a rate with steps the dearest, which a plan may promise."""
        return max(step.micro_yuan for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRate:
    """What one unit of a service or of labour costs."""

    meter: str
    #: ``once`` | ``month``: per unit, or per unit and calendar month (prorated by true seconds).
    per: str
    micro_yuan: int
    code: str


#: Basis points of a whole price.
WHOLE_POINTS = 10_000


def discounted(value: int, over: int, basis_points: int) -> tuple[int, int]:
    """Return what is left of ``value / over`` after a discount, as numerator and denominator."""
    return value * (WHOLE_POINTS - basis_points), over * WHOLE_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """What a department pays less."""

    department_id: str
    #: Empty: of every meter.
    meter: str
    basis_points: int
    from_s: int
    to_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """An amount a department pays for whether it uses it or not, at a price of its own."""

    name: str
    department_id: str
    meter: str
    #: In base units of the meter.
    amount: int
    micro_yuan_per_unit_hour: int
    from_s: int
    to_s: int
    #: Whose budget code pays for what is not used; empty: the department's own.
    project_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookVersion:
    """One version of a price book."""

    id: str
    from_s: int
    #: ``None``: until another version replaces it.
    to_s: int | None
    rates: tuple[Rate, ...] = ()
    entry_rates: tuple[EntryRate, ...] = ()
    discounts: tuple[Discount, ...] = ()
    commitments: tuple[Commitment, ...] = ()

    def rate(self, meter: str, state: str) -> Rate | None:
        """Return the rate of a meter in a state."""
        return next((r for r in self.rates if (r.meter, r.state) == (meter, state)), None)

    def entry_rate(self, meter: str) -> EntryRate | None:
        """Return the rate of a service or of labour."""
        return next((r for r in self.entry_rates if r.meter == meter), None)

    def discount(self, department_id: str, meter: str, at_s: int) -> int:
        """Return the basis points a department pays less at a moment: of this meter, else of every meter."""
        own = (d for d in self.discounts if d.department_id == department_id)
        held = [d for d in own if d.from_s <= at_s and (d.to_s is None or at_s < d.to_s)]
        for wanted in (meter, ""):
            for discount in held:
                if discount.meter == wanted:
                    return discount.basis_points
        return 0

    def discount_cuts(self, department_id: str, meter: str) -> list[int]:
        """Return the moments at which a department's discount on a meter may change."""
        own = (d for d in self.discounts if d.department_id == department_id and d.meter in (meter, ""))
        return sorted({moment for d in own for moment in (d.from_s, d.to_s) if moment is not None})

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "BookVersion":
        """Read the stored form back."""
        return cls(
            id=data["id"],
            from_s=data["from_s"],
            to_s=data["to_s"],
            rates=tuple(_rate(r) for r in data["rates"]),
            entry_rates=tuple(EntryRate(**r) for r in data["entry_rates"]),
            discounts=tuple(Discount(**d) for d in data["discounts"]),
            commitments=tuple(Commitment(**c) for c in data["commitments"]),
        )


def _rate(data: Mapping[str, Any]) -> Rate:
    steps = tuple(Step(**step) for step in data["steps"])
    return Rate(meter=data["meter"], state=data["state"], mode=Mode(data["mode"]), steps=steps, code=data["code"])


def overlaps(one: BookVersion, other: BookVersion) -> bool:
    """Tell whether two versions would hold at one moment."""
    return (other.to_s is None or one.from_s < other.to_s) and (one.to_s is None or other.from_s < one.to_s)


class Books:
    """Every approved version, to be asked by time."""

    def __init__(self, versions: Iterable[BookVersion]) -> None:
        self.versions: Sequence[BookVersion] = sorted(versions, key=lambda v: v.from_s)

    def pieces(self, meter: str, start_s: int, end_s: int) -> Iterator[tuple[int, int, BookVersion]]:
        """Return ``[start, end)`` cut where versions change, each part with its version.

        Raises:
            Conflict: ``usage.price_gap``: no version holds at some moment.
        """
        at_s = start_s
        index = max(0, bisect_right(self.versions, start_s, key=lambda v: v.from_s) - 1)
        for version in self.versions[index:]:
            until_s = end_s if version.to_s is None else min(end_s, version.to_s)
            if until_s <= at_s:
                continue
            if version.from_s > at_s:
                break
            yield at_s, until_s, version
            at_s = until_s
            if at_s >= end_s:
                return
        gap_end_s = min([v.from_s for v in self.versions if v.from_s > at_s], default=end_s)
        raise Conflict("usage.price_gap", meter=meter, start_s=at_s, end_s=min(gap_end_s, end_s))


def planned(site_prices: Sequence[Price], versions: Iterable[BookVersion]) -> list[Price]:
    """Return the prices plans and usage are shown with: those of approved versions while they hold, else the site document's.

    A version's price is that of a running machine; of a price with steps the dearest, so that a plan never says too little.
    """
    held = sorted(versions, key=lambda v: v.from_s)
    found = {(p.meter, p.valid_from_s): p for p in site_prices if not _priced(held, p.meter, p.valid_from_s)}
    for version in held:
        for meter in sorted({rate.meter for rate in version.rates}):
            rates = [r for r in version.rates if r.meter == meter]
            shown = max(r.micro_yuan_per_unit_hour for r in rates if r.state == "running" or len(rates) == 1)
            found[meter, version.from_s] = Price(meter=meter, micro_yuan_per_unit_hour=shown, valid_from_s=version.from_s)
            if version.to_s is not None and not _priced(held, meter, version.to_s):
                before = [p for p in site_prices if p.meter == meter and p.valid_from_s <= version.to_s]
                if before:
                    found[meter, version.to_s] = replace(max(before, key=lambda p: p.valid_from_s), valid_from_s=version.to_s)
    return sorted(found.values(), key=lambda p: (p.meter, p.valid_from_s))


def _priced(versions: Sequence[BookVersion], meter: str, at_s: int) -> bool:
    held = (v for v in versions if v.from_s <= at_s and (v.to_s is None or at_s < v.to_s))
    return any(rate.meter == meter for version in held for rate in version.rates)
