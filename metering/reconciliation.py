"""Three books of one thing: what is metered, what is claimed, and what the back end was last seen to hold. Pure.

A settled resource is the same in all three. What is under way, was not looked at, or has word that the ledger has not
taken yet explains itself; everything else is a difference with its evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Observed states, and the state of the ledger that goes with each; a disk is present in any of them.
_STATES = {"running": "running", "stopped": "stopped"}
_SEEN = ("running", "stopped", "present")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the three books say of one resource."""

    resource_id: str
    #: Of the resource's row: ``settled``, ``gone``, or anything else where something is under way.
    phase: str
    #: Last word of the back end.
    observed: str
    #: Rows of the journal wait for the ledger.
    is_due: bool
    #: Open intervals: amount by meter, and their state (empty: none is open).
    metered: Mapping[str, int]
    state: str
    #: Promised capacity by dimension; room held for a move is not among it.
    claimed: Mapping[str, int]
    #: An open finding says already that the back end has it no more: it was left so.
    is_told_missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexplained:
    """A difference between the books that nothing explains."""

    resource_id: str
    #: ``metered_but_gone`` | ``claimed_but_gone`` | ``not_metered`` | ``not_claimed`` | ``amount`` | ``state`` | ``not_there``.
    kind: str
    #: What each book says.
    evidence: Mapping[str, Any]

    @property
    def subject(self) -> str:
        """Return what it is recognised by when it is met again."""
        return f"metering/{self.resource_id}/{self.kind}"


def unexplained(books: Books) -> Unexplained | None:
    """Return what nothing explains about one resource, the gravest first."""
    kind = _kind(books)
    if kind is None:
        return None
    evidence = {
        "phase": books.phase,
        "observed": books.observed,
        "state": books.state,
        "metered": dict(sorted(books.metered.items())),
        "claimed": dict(sorted(books.claimed.items())),
    }
    return Unexplained(resource_id=books.resource_id, kind=kind, evidence=evidence)


def _kind(books: Books) -> str | None:
    if books.is_due:
        return None
    if books.phase == "gone":
        return "metered_but_gone" if books.metered else "claimed_but_gone" if books.claimed else None
    if books.phase != "settled" or books.observed == "unknown":
        return None
    if books.observed not in _SEEN:
        return "not_there" if books.metered and not books.is_told_missing else None
    return _of_living(books)


def _of_living(books: Books) -> str | None:
    if not books.metered:
        return "not_metered"
    if not books.claimed:
        return "not_claimed"
    if books.metered != books.claimed:
        return "amount"
    expected = _STATES.get(books.observed)
    return "state" if expected is not None and books.state != expected else None
