"""Journal rows for tests."""

from collections.abc import Mapping

from inventory.domain.ids import DepartmentId, ProjectId, ResourceId, SystemId
from inventory.domain.journal import JournalRow


def row(
    revision: int,
    *,
    resource: str = "inst_a",
    state: str = "running",
    occurred_at_s: int = 0,
    amounts: Mapping[str, int] | None = None,
    department: str = "dept_a",
    project: str = "proj_a",
    system: str = "sys_a",
    kind: str = "instance",
) -> JournalRow:
    """Return a row; by default one running vCPU."""
    return JournalRow(
        resource_id=ResourceId(resource),
        revision=revision,
        resource_kind=kind,
        resource_name=resource.replace("inst_", "web-"),
        department_id=DepartmentId(department),
        project_id=ProjectId(project),
        system_id=SystemId(system),
        host_id=None,
        state=state,
        amounts={"vcpu": 1} if amounts is None else amounts,
        occurred_at_s=occurred_at_s,
        recorded_at_s=occurred_at_s,
        source="controller",
    )
