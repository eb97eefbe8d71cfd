"""What giving something back would save in a year, at the prices that hold. Pure.

Of a price with steps the lowest step counts: a saving is never promised higher than it may be. Where something has no price
the saving is not known, and not zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from inventory.domain.errors import Conflict
from inventory.domain.money import rounded
from inventory.domain.resources import MEMORY_MIB, VCPU
from metering.books import Books, discounted
from metering.charging import segments
from metering.efficiency import Machine
from metering.ledger import LedgerInterval

YEAR_S = 365 * 86_400


@dataclass(slots=True)
class Savings:
    """Prices of one moment."""

    books: Books
    at_s: int
    _prices: dict[tuple[str, str, str], tuple[int, int] | None] = field(default_factory=dict)

    def yearly(self, interval: LedgerInterval, amount: int) -> int | None:
        """Return what ``amount`` of what an interval holds comes to in a year, in micro-yuan; ``None``: it has no price."""
        key = (interval.department_id, interval.meter, interval.state)
        if key not in self._prices:
            self._prices[key] = self._price(*key)
        price = self._prices[key]
        return None if price is None else rounded(amount * price[0] * YEAR_S, price[1])

    def _price(self, department_id: str, meter: str, state: str) -> tuple[int, int] | None:
        try:
            found = segments(self.books, department_id, meter, state, self.at_s, self.at_s + 1)
        except Conflict:
            return None
        if not found:
            # Not charged in this state.
            return 0, 1
        lowest = min(step.micro_yuan for step in found[0].rate.steps)
        return discounted(lowest, found[0].over, found[0].basis_points)

    def of_system(self, machines: Iterable[Machine], held: Iterable[LedgerInterval], *, is_released: bool) -> int | None:
        """Return what a system would save: all it holds, or what its idle and too large machines would give back."""
        by_id = {m.instance_id: m for m in machines}
        total = 0
        for interval in held:
            machine = by_id.get(interval.resource_id)
            amount = interval.amount if is_released else _given_back(machine, interval)
            if amount:
                saved = self.yearly(interval, amount)
                if saved is None:
                    return None
                total += saved
        return total


def _given_back(machine: Machine | None, interval: LedgerInterval) -> int:
    if machine is None:
        return 0
    if machine.finding.is_unused:
        return interval.amount
    proposed = {VCPU: machine.proposed_vcpu, MEMORY_MIB: machine.proposed_memory_mib}
    return max(0, interval.amount - proposed.get(interval.meter, interval.amount))
