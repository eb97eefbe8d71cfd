"""The document of budgets (``kind: Budgets``): bytes in, the terms of budgets out, or everything that is wrong at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.importers.amounts import MONEY, nearest_first
from inventory.importers.document import excerpt, refuse
from inventory.importers.kinds import entry as _f
from inventory.importers.kinds import head, read
from inventory.importers.shapes import Decimal, ListOf, Prose, Record, Whole

#: More than this for a year is a slip of the pen (micro-yuan): ten thousand million yuan.
_LIMIT_MAX = 10**16
_PERCENT_MAX = 1000


_BUDGET = Record(
    fields=[
        _f("project", Prose(max_length=64), "项目", required=True),
        _f("year", Whole(minimum=2000, maximum=2199), "年度", required=True),
        _f("amount", Decimal(places=6, maximum=_LIMIT_MAX, units=MONEY), "金额", required=True),
        _f("approval-over", Whole(minimum=0, maximum=_PERCENT_MAX), "审批比例"),
        _f("block-over", Whole(minimum=0, maximum=_PERCENT_MAX), "禁止比例"),
    ]
)
BUDGETS = Record(
    fields=[
        *head("Budgets", "预算"),
        _f("budgets", ListOf(item=_BUDGET, minimum=1, maximum=5000), "预算", required=True),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a document says of one budget."""

    project_id: str
    year: int
    limit_micro_yuan: int
    approval_over: int | None
    block_over: int | None


def read_budgets(data: bytes, *, projects: Mapping[str, str]) -> list[Terms]:
    """Read budgets; ``projects`` are ids by code.

    Raises:
        Invalid: with every problem that was found.
    """
    values, reading, _ = read(BUDGETS, data, unknown_field="budget.unknown_field")
    found: dict[tuple[str, int], Terms] = {}
    for number, one in enumerate(values["budgets"]):
        project_id = projects.get(one["project"])
        where = reading.places.get(f"budgets.{number}.project")
        if project_id is None:
            suggestion, offered = nearest_first(one["project"], sorted(projects))
            params = {"written": excerpt(one["project"]), "suggestion": suggestion, "offered": offered}
            reading.fail("budget.project_unknown", where, **params)
            continue
        if (project_id, one["year"]) in found:
            reading.fail("budget.twice", where, project=one["project"], year=one["year"])
        found[project_id, one["year"]] = Terms(
            project_id=project_id,
            year=one["year"],
            limit_micro_yuan=one["amount"],
            approval_over=one.get("approval-over"),
            block_over=one.get("block-over"),
        )
    if reading.problems:
        raise refuse(reading.problems)
    return list(found.values())
