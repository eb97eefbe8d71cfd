"""Claims: capacity promised to a resource. They are the truth; every ``used`` column is their guarded cache."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


#: Provider, dimension, amount.
Amount = tuple[str, str, int]


class Held(NamedTuple):
    """All that one resource claims, as it is stored. Resources that are alike in one place share ``amounts``: sorted."""

    resource_id: ResourceId
    resource_kind: str
    project_id: ProjectId
    amounts: Sequence[Amount]

    def claims(self) -> Iterator[Claim]:
        """Yield each of them."""
        for provider_id, dimension, amount in self.amounts:
            yield Claim(
                resource_id=self.resource_id,
                resource_kind=self.resource_kind,
                project_id=self.project_id,
                provider_id=provider_id,
                dimension=dimension,
                amount=amount,
            )


def counted_alike(held: Iterable[Held]) -> list[tuple[Held, int]]:
    """Return one of each kind that share their amounts, and how many there are of it."""
    found: dict[int, tuple[Held, int]] = {}
    for one in held:
        # A resource of another kind shares no amounts: disks are not on the host itself.
        first, count = found.get(id(one.amounts), (one, 0))
        found[id(one.amounts)] = first, count + 1
    return list(found.values())


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


class Weights:
    """What resources claim in each quota dimension; for those that share their amounts it is worked out once."""

    def __init__(self) -> None:
        #: By the amounts that are shared, which are kept here: their identity stands for nothing else meanwhile.
        self._known: dict[int, tuple[Held, Mapping[str, int]]] = {}

    def of(self, held: Iterable[Held]) -> dict[str, int]:
        """Return what they weigh together."""
        amounts = dict.fromkeys(QUOTA_DIMENSIONS, 0)
        for one, count in counted_alike(held):
            if id(one.amounts) not in self._known:
                self._known[id(one.amounts)] = one, quota_amounts(one.claims())
            for dimension, amount in self._known[id(one.amounts)][1].items():
                amounts[dimension] += amount * count
        return amounts
