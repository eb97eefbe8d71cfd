"""Who asks and who pays: departments in a tree, and the approved projects they charge to."""

from dataclasses import dataclass

from inventory.domain.ids import DepartmentId, ProjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A tenant: city > bureau > office."""

    id: DepartmentId
    #: Stable code, unique on the platform, for example ``civil-affairs``.
    code: str
    #: Display name, usually Chinese.
    name: str
    parent_id: DepartmentId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """An approved project of a department; its code stands in every ticket."""

    id: ProjectId
    code: str
    name: str
    department_id: DepartmentId
    budget_code: str
    #: A closed project takes no new systems.
    is_open: bool = True
