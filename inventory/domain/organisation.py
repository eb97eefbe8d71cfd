"""Who asks and who pays: departments in a tree, and the approved projects they charge to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from inventory.domain.ids import DepartmentId, ProjectId

#: What a back end's own place of a department (a project in a region) is called by: this before its code.
PLACE_PREFIX = "allotment-"


def place_name(department_code: str) -> str:
    """Return what the place of a department in a back end is called."""
    return PLACE_PREFIX + department_code


class Billing(StrEnum):
    """What becomes of what a department's use costs."""

    #: It is charged.
    CHARGEBACK = "chargeback"
    #: It is shown, and nothing is charged.
    SHOWBACK = "showback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Department:
    """A tenant: city > bureau > office."""

    id: DepartmentId
    #: Stable code, unique on the platform, for example ``civil-affairs``.
    code: str
    #: Display name, usually Chinese.
    name: str
    parent_id: DepartmentId | None
    #: None: as the department above, at the top as the platform.
    billing: Billing | None = None


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


def billing_of(departments: Iterable[Department], default: Billing) -> dict[DepartmentId, Billing]:
    """Return what holds for every department: its own word, else that of the nearest one above that has any, else ``default``."""
    by_id: Mapping[DepartmentId, Department] = {d.id: d for d in departments}
    found: dict[DepartmentId, Billing] = {}
    for department in by_id.values():
        here: Department | None = department
        way: list[DepartmentId] = []
        while here is not None and here.billing is None and here.id not in found and len(way) <= len(by_id):
            way.append(here.id)
            here = by_id.get(here.parent_id) if here.parent_id is not None else None
        held = default if here is None else found.get(here.id) or here.billing or default
        found |= dict.fromkeys((department.id, *way), held)
    return found
