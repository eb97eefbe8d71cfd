"""What the platform costs, and to whom that cost goes. Pure, in whole micro-yuan: every split adds up to what was split.

A pool of cost (machines written off, power, licences, staff) is spread over its time by true seconds, then over where the
capacity of its meter went. What stood idle, in reserve or in the platform's own hands are rows of their own; a policy may
hand them on to departments, and never changes the total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inventory.domain.money import rounded
from metering.places import Place

#: Rows that are of no department.
PLATFORM_ROWS = ("building", "foreign", "reserve", "reserved", "transfer", "idle")


class Policy(StrEnum):
    """What becomes of the cost of what no department used."""

    #: It is shown as it is.
    SHOW = "show"
    #: Departments share it as they share what is used.
    PROPORTIONAL = "proportional"
    #: Departments that used anything share it alike.
    EVEN = "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPool:
    """Something that costs money for a time."""

    name: str
    #: ``hardware`` | ``power`` | ``licences`` | ``staff`` | ``other``.
    kind: str
    micro_yuan: int
    from_s: int
    to_s: int
    #: By which capacity it is spread.
    meter: str
    #: Names of the hosts it is for; empty: all.
    hosts: tuple[str, ...]
    policy: Policy

    def share(self, start_s: int, end_s: int) -> int:
        """Return what of it falls into ``[start_s, end_s)``: parts of a time add up to the whole."""
        whole = self.to_s - self.from_s
        first, last = (min(max(at_s, self.from_s), self.to_s) - self.from_s for at_s in (start_s, end_s))
        return rounded(self.micro_yuan * last, whole) - rounded(self.micro_yuan * first, whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostShare:
    """Where the cost of one pool went in a time."""

    pool: str
    kind: str
    meter: str
    micro_yuan: int
    departments: Mapping[str, int]
    #: Of ``PLATFORM_ROWS``, by name; what a policy handed on is no longer among them.
    platform: Mapping[str, int]
    #: Of no capacity at all: nothing was recorded for its hosts in that time.
    unallocated: int


def shared(pool: CostPool, places: Sequence[Place], start_s: int, end_s: int) -> CostShare:
    """Return where the cost of a pool goes in ``[start_s, end_s)``."""
    total = pool.share(start_s, end_s)
    own = [p for p in places if p.meter == pool.meter and (not pool.hosts or p.host in pool.hosts)]
    weights: dict[str, int] = {f"+{row}": sum(getattr(p, row) for p in own) for row in PLATFORM_ROWS}
    for place in own:
        for department_id, amount in place.departments.items():
            weights[department_id] = weights.get(department_id, 0) + amount
    # Idle below zero is a fault that is told of elsewhere; no cost is negative.
    parts = split(total, {name: max(0, weight) for name, weight in weights.items()})
    platform = {row: parts.get(f"+{row}", 0) for row in PLATFORM_ROWS}
    departments = {name: amount for name, amount in parts.items() if not name.startswith("+")}
    if departments and pool.policy is not Policy.SHOW:
        basis = {d: 1 if pool.policy is Policy.EVEN else weights[d] for d in departments}
        for name, more in split(sum(platform.values()), basis).items():
            departments[name] += more
        platform = dict.fromkeys(PLATFORM_ROWS, 0)
    unallocated = total - sum(departments.values()) - sum(platform.values())
    return CostShare(
        pool=pool.name, kind=pool.kind, meter=pool.meter, micro_yuan=total, departments=departments, platform=platform,
        unallocated=unallocated,
    )  # fmt: skip


def split(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Split an amount by weights so that the parts add up to it; nothing where all weights are zero.

    Source: Hamilton's method of largest remainders; ties by name.
    """
    whole = sum(weights.values())
    if not whole:
        return {}
    sign, amount = (-1 if total < 0 else 1), abs(total)
    parts = {name: amount * weight // whole for name, weight in weights.items() if weight}
    order = sorted(parts, key=lambda name: (-(amount * weights[name] % whole), name))
    for name in order[: amount - sum(parts.values())]:
        parts[name] += 1
    return {name: sign * part for name, part in parts.items()}
