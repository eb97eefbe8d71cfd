"""Departments and projects, and what an import of the site changes."""

from typing import Literal

from controller.api.schemas.base import JsonObject, Out, Page
from controller.api.schemas.problems import ProblemOut


class Department(Out):
    """A tenant."""

    id: str
    code: str
    name: str
    parent_id: str | None
    #: Its own word; null: as the department above, at the top as the platform.
    billing: Literal["chargeback", "showback"] | None
    #: What holds for it.
    billed_as: Literal["chargeback", "showback"]


class Project(Out):
    """An approved project."""

    id: str
    code: str
    name: str
    department_id: str
    budget_code: str
    is_open: bool


class ImportChange(Out):
    """One record an import would make or change."""

    verb: Literal["create", "update", "none"]
    kind: str
    name: str
    before: JsonObject | None
    after: JsonObject | None


class ImportPlan(Out):
    """What an import changes, record by record."""

    has_changes: bool
    counts: dict[str, int]
    changes: list[ImportChange]
    notices: list[ProblemOut]


class DepartmentPage(Page):
    """Departments."""

    items: list[Department]


class ProjectPage(Page):
    """Projects."""

    items: list[Project]
