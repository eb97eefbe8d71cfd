"""Claims: capacity promised to a resource. They are the truth; every ``used`` column is their guarded cache."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inventory.domain.ids import ProjectId, ResourceId
from inventory.domain.resources import ADDRESS, DISK_PREFIX, MEMORY_MIB, QUOTA_DIMENSIONS, VCPU, counted_as

#: Kind of the claims that hold room on the target of a move.
MOVE = "move"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """``amount`` of ``dimension`` at ``provider_id`` (a host, storage pool or segment) promised to one resource."""

    resource_id: ResourceId
    #: ``instance`` | ``volume`` | ``move``: room for a machine or disk on the host it is on its way to. No quota is asked for
    #: that: the project has the same machine before and after.
    resource_kind: str
    project_id: ProjectId
    provider_id: str
    dimension: str
    amount: int


def quota_amounts(claims: Iterable[Claim]) -> Mapping[str, int]:
    """Return what ``claims`` weigh in each quota dimension."""
    amounts = dict.fromkeys(QUOTA_DIMENSIONS, 0)
    counted: dict[str, set[str]] = {"instance": set(), "volume": set()}
    for claim in claims:
        if claim.resource_kind == MOVE:
            continue
        counted[claim.resource_kind].add(claim.resource_id)
        dimension = counted_as(claim.dimension)
        if dimension in (VCPU, MEMORY_MIB):
            amounts[dimension] += claim.amount
        elif dimension.startswith(DISK_PREFIX):
            amounts["disk_gib"] += claim.amount
        elif dimension == ADDRESS:
            amounts["addresses"] += claim.amount
    amounts["instances"] = len(counted["instance"])
    amounts["volumes"] = len(counted["volume"])
    return amounts
