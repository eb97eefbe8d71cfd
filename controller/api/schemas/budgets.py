"""Budgets of projects."""

from controller.api.schemas.base import Out, Page


class Budget(Out):
    """A project's budget of one year, and how it stands."""

    project_id: str
    project: str
    project_name: str
    department: str
    year: int
    #: Yuan with six decimals.
    limit_yuan: str
    spent_yuan: str
    #: What was spent and what the project's systems still cost until the year ends, if nothing changes.
    obligated_yuan: str
    #: Whole percent of the limit.
    spent_percent: int
    obligated_percent: int
    #: Percent of the limit from which a second person is asked, and over which tickets are refused; null: never.
    approval_over: int | None
    block_over: int | None
    #: When it was last taken from the ledger; null: not yet.
    accrued_at_s: float | None


class BudgetPage(Page):
    """Budgets."""

    items: list[Budget]


class BudgetNotice(Out):
    """Something a department should know of a budget of its own, in both languages."""

    id: str
    at_s: float
    #: ``50``, ``80``, ``100`` (percent spent) or ``forecast``.
    kind: str
    project: str
    project_id: str
    department_id: str
    year: int
    code: str
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str


class BudgetNoticePage(Page):
    """Notices about budgets."""

    items: list[BudgetNotice]
