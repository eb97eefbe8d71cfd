"""Claims: capacity promised to a resource. They are the truth; every ``used`` column is their guarded cache."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inventory.domain.ids import ProjectId, ResourceId
from inventory.domain.resources import ADDRESS, DISK_PREFIX, MEMORY_MIB, QUOTA_DIMENSIONS, VCPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """``amount`` of ``dimension`` at ``provider_id`` (a host, storage pool or segment) promised to one resource."""

    resource_id: ResourceId
    #: ``instance`` | ``volume``.
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
        counted[claim.resource_kind].add(claim.resource_id)
        if claim.dimension in (VCPU, MEMORY_MIB):
            amounts[claim.dimension] += claim.amount
        elif claim.dimension.startswith(DISK_PREFIX):
            amounts["disk_gib"] += claim.amount
        elif claim.dimension == ADDRESS:
            amounts["addresses"] += claim.amount
    amounts["instances"] = len(counted["instance"])
    amounts["volumes"] = len(counted["volume"])
    return amounts
