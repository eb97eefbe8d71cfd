"""Limits as values: what a scope may hold, what it holds, and where a wish would go over. Pure.

The store decides with guarded updates; this module says *why* it refused, and what a plan would leave.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class ScopeKind(StrEnum):
    """What a limit is set on."""

    DEPARTMENT = "department"
    PROJECT = "project"


class Mode(StrEnum):
    """What a scope itself says of one dimension. Whatever it says, every scope above it still counts."""

    #: Nothing of its own: the limits above alone count.
    INHERIT = "inherit"
    LIMIT = "limit"
    #: The operator's explicit word that this scope sets no bound.
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One scope and dimension: its limit, and how much everything below it holds."""

    scope_id: str
    scope_kind: ScopeKind
    dimension: str
    mode: Mode
    #: Only with ``Mode.LIMIT``.
    limit_amount: int | None
    used: int
    #: Code and name of the scope, where it is read to be shown.
    scope: str = ""
    scope_name: str = ""

    @property
    def room(self) -> int | None:
        """Return how much more fits here; ``None`` where this scope sets no bound. Never below zero."""
        return None if self.limit_amount is None else max(0, self.limit_amount - self.used)

    def has_room(self, amount: int) -> bool:
        """Tell whether so much more fits here."""
        return self.limit_amount is None or self.used + amount <= self.limit_amount


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Overrun:
    """A limit that a wish would pass."""

    scope_id: str
    dimension: str
    scope_kind: ScopeKind
    limit: int
    used: int
    asked: int


def growing(amounts: Mapping[str, int]) -> dict[str, int]:
    """Return the dimensions that grow: only these are ever checked, so giving back is never refused."""
    return {dimension: amount for dimension, amount in amounts.items() if amount > 0}


def overruns(levels: Iterable[Level], amounts: Mapping[str, int]) -> tuple[Overrun, ...]:
    """Return every limit that adding ``amounts`` would pass, by scope and dimension."""
    asked = growing(amounts)
    return tuple(
        sorted(
            Overrun(
                scope_id=level.scope_id,
                dimension=level.dimension,
                scope_kind=level.scope_kind,
                limit=level.limit_amount,
                used=level.used,
                asked=asked[level.dimension],
            )
            for level in levels
            if level.limit_amount is not None
            and level.dimension in asked
            and level.used + asked[level.dimension] > level.limit_amount
        )
    )


def after(levels: Iterable[Level], amounts: Mapping[str, int]) -> tuple[Level, ...]:
    """Return the levels as they would be with ``amounts`` (which may be negative) added: the "quota after" of a plan."""
    return tuple(replace(level, used=level.used + amounts.get(level.dimension, 0)) for level in levels)


def room(levels: Iterable[Level], dimension: str) -> int | None:
    """Return how much more of ``dimension`` fits under all of ``levels``; ``None`` is no bound."""
    rooms = [level.room for level in levels if level.dimension == dimension and level.room is not None]
    return min(rooms, default=None)
