"""What systems will still cost in a budget's year, at the prices known today: what tickets oblige a project to. Pure."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from inventory.domain.catalogue import Price
from inventory.domain.clock import first_second
from inventory.domain.resources import disk_dimension
from inventory.domain.system import SystemSpec
from metering import rating
from quotas.budgets import Budget, BudgetLine


def spec_amounts(spec: SystemSpec | None) -> dict[str, int]:
    """Return what a system takes, by the dimension it is metered in."""
    amounts: dict[str, int] = {}

    def add(dimension: str, amount: int) -> None:
        if amount:
            amounts[dimension] = amounts.get(dimension, 0) + amount

    for server in spec.servers if spec else ():
        add("vcpu", server.count * server.vcpu_count)
        add("memory_mib", server.count * server.memory_mib)
        add(disk_dimension(server.root_disk_class), server.count * server.root_disk_gib)
        add("address", server.count * len(server.networks))
        for disk in server.disks:
            add(disk_dimension(disk.disk_class), server.count * disk.size_gib)
    return amounts


def lease_end_s(day: str, zone: ZoneInfo) -> int:
    """Return the moment a lease ends: midnight after its last day, in the platform's zone."""
    return first_second(datetime.date.fromisoformat(day) + datetime.timedelta(days=1), zone)


def remaining(spec: SystemSpec | None, prices: Iterable[Price], zone: ZoneInfo, from_s: int, to_s: int) -> int:
    """Return what a system costs from a moment to the end of its lease, at most to ``to_s``, in micro-yuan.

    Raises:
        Conflict: ``usage.price_gap``.
    """
    if spec is None:
        return 0
    until_s = min(to_s, lease_end_s(spec.lease_end, zone))
    return rating.window_price(spec_amounts(spec), prices, from_s, until_s) if from_s < until_s else 0


def lines(
    budgets: Sequence[Budget],
    before: SystemSpec | None,
    after: SystemSpec | None,
    prices: Sequence[Price],
    zone: ZoneInfo,
    now_s: float,
) -> tuple[BudgetLine, ...]:
    """Return what a change of a system does to its project's budgets of this year and later ones.

    Raises:
        Conflict: ``usage.price_gap``.
    """
    found = []
    for budget in budgets:
        from_s = max(int(now_s), budget.start_s)
        if from_s < budget.end_s:
            old, new = (remaining(spec, prices, zone, from_s, budget.end_s) for spec in (before, after))
            found.append(BudgetLine(budget=budget, growth_micro_yuan=new - old))
    return tuple(found)


def growth(found: Iterable[BudgetLine]) -> Mapping[tuple[str, int], int]:
    """Return by how much each budget's obligations change."""
    return {(line.budget.project_id, line.budget.year): line.growth_micro_yuan for line in found}
