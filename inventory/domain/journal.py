"""Journal rows: every change of a metered attribute, with the full state after it. Metering derives intervals from them."""

from collections.abc import Mapping
from dataclasses import dataclass

from inventory.domain.ids import DepartmentId, HostId, ProjectId, ResourceId, SystemId
from inventory.domain.resource import Resource

#: Of what was promised and was not there yet.
ALLOCATED = "allocated"
#: Of what its back end has no more though it is wanted: the platform's fault, and never charged.
LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """The state of one resource from ``occurred_at_s`` on."""

    resource_id: ResourceId
    #: 1, 2, 3 … per resource; (resource, revision) is unique, so replay adds nothing.
    revision: int
    #: ``instance`` | ``volume`` | ``segment``.
    resource_kind: str
    resource_name: str
    department_id: DepartmentId
    project_id: ProjectId
    system_id: SystemId
    host_id: HostId | None
    #: ``allocated`` (claimed, not yet running) | ``running`` | ``stopped`` | ``lost`` | ``released``.
    state: str
    #: Amount per meter from now on, for example ``{"vcpu": 2, "memory_mib": 4096}``; empty when released.
    amounts: Mapping[str, int]
    #: UTC epoch s: the driver's time where it has one, else the observation's.
    occurred_at_s: int
    #: UTC epoch s: when the row was written.
    recorded_at_s: int
    #: ``controller`` | ``driver`` | ``reconcile``.
    source: str
    #: It happened at most so many seconds before ``occurred_at_s``; 0: in that very second.
    uncertain_s: int = 0


def row_of(
    resource: Resource,
    revision: int,
    state: str,
    amounts: Mapping[str, int],
    *,
    at_s: int,
    now_s: int,
    source: str,
    since_s: float | None = None,
) -> JournalRow:
    """Return one line of the journal of a resource that belongs to a project.

    ``since_s`` is the earliest moment it may have happened; left out, it is known to have happened at ``at_s``.
    """
    assert resource.project_id is not None
    assert resource.system_id is not None
    return JournalRow(
        resource_id=resource.id,
        revision=revision,
        resource_kind=resource.kind.value,
        resource_name=resource.name,
        department_id=resource.department_id,
        project_id=resource.project_id,
        system_id=resource.system_id,
        host_id=resource.host_id,
        state=state,
        amounts=amounts,
        occurred_at_s=at_s,
        recorded_at_s=now_s,
        source=source,
        uncertain_s=0 if since_s is None else max(0, at_s - int(since_s)),
    )
