"""Budgets: set from a document, shown, and kept up with what the ledger says was spent.

``controller.reconcile.ledger`` calls ``accrue`` within seconds of every change and every minute for all; tickets add to what
is obligated in their own transaction (``controller.workflows.commit``).
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.workflows import obligation
from controller.workflows.periods import names, window
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.clock import first_second
from inventory.domain.errors import Conflict
from inventory.domain.ids import DepartmentId, ProjectId
from inventory.domain.organisation import Project
from inventory.domain.scope import Scope, of_departments
from inventory.store import directory, systems
from metering import book_store, period_store, rated_period
from metering import store as price_store
from metering.books import Books
from metering.rating import Month, month_at, yuan
from quotas import budget_store
from quotas.budget_document import Terms, read_budgets
from quotas.budgets import Budget

_LOG = structlog.get_logger(__name__)
#: A year that is over is still followed for corrections.
_AFTER_S = 60 * 86_400
#: Project, year, amount in micro-yuan, percent from which a second person is asked, percent over which nothing is accepted.
SetTerms = tuple[str, int, int, int | None, int | None]


def import_(
    platform: Platform, data: bytes, caller: Caller, as_read: Callable[[list[SetTerms]], None] = lambda _terms: None
) -> tuple[list[dict[str, Any]], list[SetTerms]]:
    """Set the budgets of a document, all or none, and take at once what is spent and obligated.

    ``as_read`` is shown what was set before and raises where it is not what the caller decided on. Returned are the
    budgets of the document, and what is set of all budgets as this transaction left it: another may follow at once.

    Raises:
        Invalid: with every problem of the document.
    """

    def unit(connection: Connection) -> tuple[list[Terms], list[SetTerms]]:
        directory.lock_for_edit(connection)
        projects = {p.code: p for p in directory.projects(connection)}
        found = read_budgets(data, projects={code: p.id for code, p in projects.items()})
        as_read(_set_terms(connection))
        for terms in found:
            budget_store.save(connection, _budget(platform, terms))
        detail = {"budgets": [[t.project_id, t.year, yuan(t.limit_micro_yuan)] for t in found]}
        after = _set_terms(connection)
        seal(connection, platform, caller, "budget.set", "budgets", detail)
        return found, after

    terms, after = platform.db.run(unit)
    wanted = {t.project_id for t in terms}
    with platform.db.read() as connection:
        homes = {str(p.department_id) for p in directory.projects(connection) if p.id in wanted}
    accrue(platform, homes)
    own = {(t.project_id, t.year) for t in terms}
    return [b for b in show(platform, caller.scope) if (b["project_id"], b["year"]) in own], after


def set_terms(platform: Platform) -> list[SetTerms]:
    """Return what is set of every budget, by project and year: what a document replaces."""
    with platform.db.read() as connection:
        return _set_terms(connection)


def _set_terms(connection: Connection) -> list[SetTerms]:
    found = budget_store.of_projects(connection)
    return [(b.project_id, b.year, b.limit_micro_yuan, b.approval_over, b.block_over) for b in found]


def show(platform: Platform, scope: Scope, year: int | None = None) -> list[dict[str, Any]]:
    """Return the budgets of the projects in ``scope``, by project and year."""
    with platform.db.read() as connection:
        projects = {str(p.id): p for p in directory.projects(connection) if scope.allows(p.department_id)}
        departments = {d.id: d for d in directory.departments(connection)}
        found = budget_store.of_projects(connection, projects, year=year)
    rows = [_to_json(b, projects[b.project_id], departments[projects[b.project_id].department_id].code) for b in found]
    return sorted(rows, key=lambda b: (b["project"], b["year"]))


def notices(platform: Platform, scope: Scope, *, limit: int, after: str) -> list[dict[str, Any]]:
    """Return notices about budgets in the order they were raised."""
    with platform.db.read() as connection:
        projects = {str(p.id): p.code for p in directory.projects(connection)}
        found = budget_store.notices(connection, scope, limit=limit, after=after)
    return [{**n, "project": projects[n["project_id"]]} for n in found]


def accrue(platform: Platform, department_ids: Collection[str] | None = None) -> int:
    """Bring budgets up to now: of some departments, or of all; returns how many. Where prices are missing they wait."""
    now_s = platform.clock()
    with platform.db.read() as connection:
        budgets = [b for b in budget_store.of_projects(connection) if b.start_s <= now_s < b.end_s + _AFTER_S]
        if not budgets:
            return 0
        homes = {str(p.id): str(p.department_id) for p in directory.projects(connection)}
    # By their time, not by the year's name: a year may have begun in another month when a budget was set.
    by_home: dict[tuple[str, int, int], list[Budget]] = {}
    for budget in budgets:
        home = homes[budget.project_id]
        if department_ids is None or home in department_ids:
            by_home.setdefault((home, budget.start_s, budget.end_s), []).append(budget)
    count = 0
    for (home, *_), own in sorted(by_home.items()):
        try:
            spent = _spent(platform, home, own[0], int(now_s))
            for budget in own:
                platform.db.run(partial(_write, platform=platform, budget=budget, home=home, spent=spent, now_s=now_s))
                count += 1
        except Conflict as gap:
            _LOG.warning("budgets wait for prices", department_id=home, code=gap.code)
    return count


def _write(connection: Connection, platform: Platform, budget: Budget, home: str, spent: Mapping[str, int], now_s: float) -> None:
    """Write how one budget stands; tickets that add to it wait for this, or this for them."""
    held = budget_store.lock(connection, budget.project_id, budget.year)
    if held is None:
        return
    prices = price_store.prices(connection)
    own = spent.get(budget.project_id, 0)
    to_come = sum(
        obligation.remaining(s.spec, prices, platform.zone, int(now_s), held.end_s)
        for s in systems.living_of(connection, ProjectId(budget.project_id))
    )
    budget_store.accrue(connection, held, spent=own, obligated=own + to_come, at_s=now_s)
    current = budget_store.lock(connection, budget.project_id, budget.year)
    assert current is not None
    for kind in budget_store.tell(connection, current, home, platform.new_id, now_s):
        _LOG.info("a budget was told of", project_id=budget.project_id, year=budget.year, kind=kind)


def _spent(platform: Platform, department_id: str, budget: Budget, now_s: int) -> dict[str, int]:
    """Return what each project of a department spent from the beginning of the year to now."""
    spent: dict[str, int] = {}
    with platform.db.read() as connection:
        books, named = Books(book_store.approved(connection)), names(platform, connection)
        month, last = month_at(budget.start_s, platform.zone), month_at(min(now_s, budget.end_s - 1), platform.zone)
        while month <= last:
            for project_id, micro_yuan in _of_month(connection, platform, department_id, month, books, named, now_s):
                spent[project_id] = spent.get(project_id, 0) + micro_yuan
            month = month.next()
    return spent


def _of_month(
    connection: Connection, platform: Platform, department_id: str, month: Month, books: Books, named: Any, now_s: int
) -> list[tuple[str, int]]:
    period = period_store.get(connection, str(month))
    if period is not None and period["state"] in ("reviewed", "closed"):
        rows: Any = period_store.statement_rows(connection, str(month), of_departments(DepartmentId(department_id)))
    else:
        period = window(platform, str(month))
        until_s = max(period["start_s"], min(now_s, period["end_s"]))
        is_used = period_store.is_used(connection, period["start_s"], until_s, department_id)
        if not is_used and not period_store.approved_adjustments(connection, period["id"]):
            return []
        rows = rated_period.accrued(connection, period, books, named, department_id, until_s).rows
    return [(r["project_id"], r["micro_yuan"]) for r in rows]


def _budget(platform: Platform, terms: Terms) -> Budget:
    first = platform.fiscal_year_start_month
    start_s, end_s = (first_second(date(year, first, 1), platform.zone) for year in (terms.year, terms.year + 1))
    return Budget(
        project_id=terms.project_id,
        year=terms.year,
        start_s=start_s,
        end_s=end_s,
        limit_micro_yuan=terms.limit_micro_yuan,
        approval_over=terms.approval_over,
        block_over=terms.block_over,
        spent_micro_yuan=0,
        obligated_micro_yuan=0,
        accrued_at_s=None,
    )


def _to_json(budget: Budget, project: Project, department: str) -> dict[str, Any]:
    return {
        "project_id": budget.project_id,
        "project": project.code,
        "project_name": project.name,
        "department": department,
        "year": budget.year,
        "limit_micro_yuan": budget.limit_micro_yuan,
        "spent_micro_yuan": budget.spent_micro_yuan,
        "obligated_micro_yuan": budget.obligated_micro_yuan,
        "approval_over": budget.approval_over,
        "block_over": budget.block_over,
        "accrued_at_s": budget.accrued_at_s,
    }
