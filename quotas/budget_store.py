"""Budget rows: guarded writes in the commit's own transaction, accrual from the ledger, notices.

Rows are locked in one order (project, year) before they are written. What a ticket adds is judged once more in the very
statement that writes it, so that two tickets never share the last yuan.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, update

from inventory.domain.errors import Problem, QuotaExceeded
from inventory.domain.ids import NewId
from inventory.domain.money import yuan
from inventory.domain.scope import Scope
from inventory.store import bulk
from inventory.store import tables as t
from inventory.store.scoping import in_scope
from quotas.budget_tables import budget_notices, budgets
from quotas.budgets import Budget, BudgetLine, crossed

_B = budgets.c
_COLUMNS = [_B[f.name] for f in fields(Budget)]
_ALL = select(*_COLUMNS).order_by(_B.project_id, _B.year)
_OF_PROJECTS = _ALL.where(_B.project_id.in_(bindparam("projects", expanding=True)))
#: (project, year) -> micro-yuan.
Growth = Mapping[tuple[str, int], int]


def save(connection: Connection, budget: Budget) -> None:
    """Set the terms of a budget; what is spent and obligated stays."""
    values = {f.name: getattr(budget, f.name) for f in fields(Budget)}
    terms = ("start_s", "end_s", "limit_micro_yuan", "approval_over", "block_over")
    bulk.upsert(connection, budgets, [values], key=("project_id", "year"), fresh=terms)


def of_projects(connection: Connection, project_ids: Iterable[str] | None = None, *, year: int | None = None) -> list[Budget]:
    """Return budgets by project and year: of some projects, or of all."""
    statement, values = _ALL, {}
    if project_ids is not None:
        statement, values = _OF_PROJECTS, {"projects": sorted(project_ids)}
    if year is not None:
        statement = statement.where(_B.year == year)
    return [Budget(**r._mapping) for r in connection.execute(statement, values)]


def department_ratios(connection: Connection, now_s: float) -> list[tuple[str, float, float]]:
    """Return (department code, spent ratio, obligated ratio) of every budget of the year that runs; none without a limit."""
    statement = (
        select(t.departments.c.code, _B.spent_micro_yuan, _B.obligated_micro_yuan, _B.limit_micro_yuan)
        .select_from(budgets.join(t.projects, t.projects.c.id == _B.project_id).join(t.departments))
        .where(_B.start_s <= int(now_s), _B.end_s > int(now_s), _B.limit_micro_yuan > 0)
        .order_by(t.departments.c.code)
    )
    return [(code, spent / limit, held / limit) for code, spent, held, limit in connection.execute(statement)]


class Obligations:
    """What several promises of one transaction add to budgets: locked together, judged one by one, written at once."""

    def __init__(self, connection: Connection, asked: Sequence[Growth]) -> None:
        """Lock every budget the promises touch, in the one order of all."""
        self._connection = connection
        self._taken: dict[tuple[str, int], int] = {}
        projects = sorted({project for growth in asked for project, _ in growth})
        self._budgets: dict[tuple[str, int], Budget] = {}
        if projects:
            statement = select(*_COLUMNS).where(_B.project_id.in_(projects)).order_by(_B.project_id, _B.year)
            for row in connection.execute(statement.with_for_update()):
                self._budgets[row.project_id, row.year] = Budget(**row._mapping)

    def take_all(self, asked: Iterable[Growth]) -> bool:
        """Take all these promises where they fit together: then each would. False: nothing is taken."""
        sums: dict[tuple[str, int], int] = {}
        for growth in asked:
            for key, amount in growth.items():
                sums[key] = sums.get(key, 0) + amount
                if amount < 0:
                    return False
        if any(line is not None and line.is_over for line in (self._line(key, amount) for key, amount in sums.items())):
            return False
        self.take(sums)
        return True

    def take(self, growth: Growth) -> None:
        """Judge one promise after those taken before it, and take it.

        Raises:
            QuotaExceeded: ``budget.exceeded``; nothing is taken.
        """
        over = [line for key, amount in sorted(growth.items()) if (line := self._line(key, amount)) is not None and line.is_over]
        if over:
            raise exceeded(over, self._code(over[0].budget.project_id))
        for key, amount in growth.items():
            if key in self._budgets:
                self._taken[key] = self._taken.get(key, 0) + amount

    def _code(self, project_id: str) -> str:
        statement = select(t.projects.c.code).where(t.projects.c.id == project_id)
        return str(self._connection.execute(statement).scalar_one())

    def _line(self, key: tuple[str, int], amount: int) -> BudgetLine | None:
        budget = self._budgets.get(key)
        if budget is None:
            return None
        before = replace(budget, obligated_micro_yuan=budget.obligated_micro_yuan + self._taken.get(key, 0))
        return BudgetLine(budget=before, growth_micro_yuan=amount)

    def write(self) -> None:
        """Write what was taken; every row is guarded once more."""
        rows = [{"project": p, "of": y, "more": amount} for (p, y), amount in sorted(self._taken.items()) if amount]
        for row in rows:
            done = self._connection.execute(_ADD, row)
            assert done.rowcount == 1, "a locked budget changed between check and write"


def _add() -> Any:
    grown = _B.obligated_micro_yuan + bindparam("more")
    # The rule of ``BudgetLine`` without a product that could pass 64 bits.
    hundreds, rest = _B.limit_micro_yuan // 100, _B.limit_micro_yuan % 100
    most = hundreds * _B.block_over + rest * _B.block_over // 100
    fits = or_(bindparam("more") <= 0, _B.block_over.is_(None), grown <= most)
    chosen = (_B.project_id == bindparam("project")) & (_B.year == bindparam("of"))
    return update(budgets).where(chosen, fits).values(obligated_micro_yuan=grown)


_ADD = _add()


def lower(connection: Connection, growth: Growth) -> None:
    """Take from what is obligated: for what is given back."""
    obligations = Obligations(connection, [growth])
    obligations.take(growth)
    obligations.write()


def exceeded(over: Sequence[BudgetLine], project: str) -> QuotaExceeded:
    """Return the refusal with every budget of a project (its code) that is not enough."""
    listed: list[dict[str, Any]] = [
        {
            "project": project,
            "year": line.budget.year,
            "limit_yuan": yuan(line.budget.limit_micro_yuan),
            "obligated_yuan": yuan(line.budget.obligated_micro_yuan),
            "asked_yuan": yuan(line.growth_micro_yuan),
            "percent": line.budget.block_over,
        }
        for line in over
    ]
    problems = [Problem("budget.exceeded", entry) for entry in listed]
    return QuotaExceeded("budget.exceeded", problems=problems, details={"budgets": listed}, **listed[0])


def lock(connection: Connection, project_id: str, year: int) -> Budget | None:
    """Return a budget, kept as it is for others until the end of the transaction."""
    statement = select(*_COLUMNS).where(_B.project_id == project_id, _B.year == year).with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else Budget(**row._mapping)


def accrue(connection: Connection, budget: Budget, *, spent: int, obligated: int, at_s: float) -> None:
    """Write how a locked budget stands."""
    chosen = (_B.project_id == budget.project_id) & (_B.year == budget.year)
    values = {"spent_micro_yuan": spent, "obligated_micro_yuan": obligated, "accrued_at_s": at_s}
    connection.execute(update(budgets).where(chosen).values(**values))


def tell(connection: Connection, budget: Budget, department_id: str, new_id: NewId, at_s: float) -> list[str]:
    """Write the notices that are due and were not written; returns their kinds."""
    n = budget_notices.c
    own = (n.project_id == budget.project_id, n.year == budget.year, n.limit_micro_yuan == budget.limit_micro_yuan)
    told = list(connection.execute(select(n.kind).where(*own)).scalars())
    due = list(crossed(budget, told))
    statement = bulk.insert(connection, budget_notices).on_conflict_do_nothing()
    for kind in due:
        row = {
            "id": new_id("notice"), "project_id": budget.project_id, "department_id": department_id, "year": budget.year,
            "kind": kind, "limit_micro_yuan": budget.limit_micro_yuan, "spent_micro_yuan": budget.spent_micro_yuan,
            "obligated_micro_yuan": budget.obligated_micro_yuan, "at_s": at_s,
        }  # fmt: skip
        connection.execute(statement, row)
    return due


def notices(connection: Connection, scope: Scope, *, limit: int, after: str = "") -> list[dict[str, Any]]:
    """Return notices in the order they were raised."""
    n = budget_notices.c
    statement = select(budget_notices).where(n.id > after, in_scope(scope, n.department_id)).order_by(n.id).limit(limit)
    return [dict(r._mapping) for r in connection.execute(statement)]
