"""A small city for tests: departments in a tree, projects, one zone and pool."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from inventory.domain.ids import DepartmentId, NewId, ProjectId, seeded_ids
from inventory.domain.organisation import Department, Project
from inventory.store import directory
from inventory.store import tables as t


@dataclass(frozen=True)
class City:
    """Departments and projects by code."""

    departments: Mapping[str, Department] = field(default_factory=dict)
    projects: Mapping[str, Project] = field(default_factory=dict)

    @property
    def all_departments(self) -> list[Department]:
        """Return the departments as the directory would."""
        return sorted(self.departments.values(), key=lambda d: d.code)


#: code -> parent: two bureaus of one city, and an office in each.
TREE = {"city": None, "civil": "city", "water": "city", "civil-it": "civil", "water-it": "water"}
#: code -> department.
PROJECTS = {"P-portal": "civil-it", "P-mail": "civil", "P-gauges": "water-it"}


def build_city(connection: Connection, new_id: NewId | None = None) -> City:
    """Write the departments and projects of the small city."""
    new_id = new_id or seeded_ids(1, lambda: 1_700_000_000)
    departments: dict[str, Department] = {}
    for code, parent in TREE.items():
        above = departments[parent].id if parent else None
        departments[code] = Department(id=DepartmentId(new_id("department")), code=code, name=f"{code} 局", parent_id=above)
        directory.save_department(connection, departments[code])
    projects: dict[str, Project] = {}
    for code, home in PROJECTS.items():
        id_ = ProjectId(new_id("project"))
        projects[code] = Project(id=id_, code=code, name=code, department_id=departments[home].id, budget_code=f"B-{code}")
        directory.save_project(connection, projects[code])
    return City(departments, projects)


def add_resource(connection: Connection, project: Project, resource_id: str, kind: str = "instance") -> None:
    """Write the bare row of a resource, for claims and journal rows to refer to."""
    connection.execute(
        t.resources.insert().values(
            id=resource_id,
            kind=kind,
            name=resource_id,
            department_id=project.department_id,
            project_id=project.id,
            desired="running",
            observed="unknown",
            phase="pending",
            spec={},
            generation=1,
            settled_generation=0,
            created_at_s=0.0,
            detail={},
        )
    )
