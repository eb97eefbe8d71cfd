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
#: Dimension, amount.
Share = tuple[str, int]


class Held(NamedTuple):
    """All that one resource claims, as it is stored. Resources that are alike in one place share ``amounts``: sorted."""

    resource_id: ResourceId
    resource_kind: str
    project_id: ProjectId
    amounts: Sequence[Amount]
    #: The same without the providers: resources that are alike share it wherever they are, and nothing else does.
    shares: Sequence[Share]

    @classmethod
    def of(cls, resource_id: ResourceId, resource_kind: str, project_id: ProjectId, amounts: Sequence[Amount]) -> "Held":
        """Return what a resource claims that shares nothing with others."""
        return cls(resource_id, resource_kind, project_id, amounts, shares_of(amounts))

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


def shares_of(amounts: Iterable[Amount]) -> tuple[Share, ...]:
    """Return amounts without their providers."""
    return tuple([(dimension, amount) for _, dimension, amount in amounts])


def counted_in_place(held: Iterable[Held]) -> list[tuple[Sequence[Amount], int]]:
    """Return what those claim that share their amounts, and how many they are."""
    found: dict[int, tuple[Sequence[Amount], int]] = {}
    for one in held:
        amounts, count = found.get(id(one.amounts), (one.amounts, 0))
        found[id(one.amounts)] = amounts, count + 1
    return list(found.values())


def counted_alike(held: Iterable[Held]) -> list[tuple[Held, int]]:
    """Return one of each kind that is alike wherever it is, and how many there are of it."""
    found: dict[int, tuple[Held, int]] = {}
    for one in held:
        # A resource of another kind is not alike: disks are not on the host itself.
        first, count = found.get(id(one.shares), (one, 0))
        found[id(one.shares)] = first, count + 1
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
    """What resources claim in each quota dimension; for those that are alike it is worked out once."""

    def __init__(self) -> None:
        #: By the shares, which are kept here: their identity stands for nothing else meanwhile.
        self._known: dict[int, tuple[Held, Mapping[str, int]]] = {}

    def of(self, held: Iterable[Held]) -> dict[str, int]:
        """Return what they weigh together."""
        amounts = dict.fromkeys(QUOTA_DIMENSIONS, 0)
        for one, count in counted_alike(held):
            if id(one.shares) not in self._known:
                self._known[id(one.shares)] = one, quota_amounts(one.claims())
            for dimension, amount in self._known[id(one.shares)][1].items():
                amounts[dimension] += amount * count
        return amounts
