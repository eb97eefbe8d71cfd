"""Money a project may oblige itself to in a year, and what that allows. Pure, in whole micro-yuan.

``obligated`` is what was spent since the year began and what its systems will still cost until it ends, if nothing changes:
the forecast. A ticket raises it by what it adds; time alone does not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Percent of the limit at which somebody is told.
NOTIFY = (50, 80, 100)
#: Kind of the notice that the year will not be enough.
FORECAST = "forecast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One project's budget of one year, and how it stands."""

    project_id: str
    year: int
    #: The year in the platform's zone.
    start_s: int
    end_s: int
    limit_micro_yuan: int
    #: Percent of the limit from which a ticket that adds to it needs a second person; ``None``: never for this.
    approval_over: int | None
    #: Percent of the limit over which a ticket that adds to it is refused; ``None``: never for this.
    block_over: int | None
    spent_micro_yuan: int
    obligated_micro_yuan: int
    #: When both were last taken from the ledger; ``None``: not yet.
    accrued_at_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """What a ticket does to a budget."""

    budget: Budget
    #: What it adds to (or takes from) what is obligated.
    growth_micro_yuan: int

    @property
    def after_micro_yuan(self) -> int:
        """Return what is obligated afterwards."""
        return self.budget.obligated_micro_yuan + self.growth_micro_yuan

    @property
    def is_over(self) -> bool:
        """Tell whether the ticket would be refused (only what grows is judged)."""
        return self._passes(self.budget.block_over)

    @property
    def needs_approval(self) -> bool:
        """Tell whether a second person is asked."""
        return self._passes(self.budget.approval_over)

    def _passes(self, percent: int | None) -> bool:
        limit = self.budget.limit_micro_yuan
        return self.growth_micro_yuan > 0 and percent is not None and self.after_micro_yuan * 100 > limit * percent


def crossed(budget: Budget, told: Sequence[str]) -> Iterator[str]:
    """Return the notices that are due: each percentage spent once, and once that the year will not be enough."""
    for percent in NOTIFY:
        is_reached = budget.spent_micro_yuan * 100 >= budget.limit_micro_yuan * percent
        if is_reached and budget.spent_micro_yuan and str(percent) not in told:
            yield str(percent)
    if budget.obligated_micro_yuan > budget.limit_micro_yuan and FORECAST not in told:
        yield FORECAST
