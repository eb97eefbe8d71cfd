"""Claims: the truth of what is promised. Written and released only together with their caches."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, select, update

from inventory.domain.claim import Claim
from inventory.domain.ids import ResourceId
from inventory.store import hosts
from inventory.store import tables as t


def hold(connection: Connection, claims: Sequence[Claim]) -> tuple[str, str] | None:
    """Promise the capacity of all ``claims`` by guarded updates, in one order everywhere (no deadlocks).

    Returns the (provider, dimension) that refused, or None when all is held; after a refusal the caller must roll back.
    """
    for (provider_id, dimension), amount in sorted(totals(claims).items()):
        if not hosts.try_use(connection, provider_id, dimension, amount):
            return provider_id, dimension
    return None


def insert(connection: Connection, claims: Sequence[Claim]) -> None:
    """Write rows whose capacity is already promised (or that have no guarded provider: addresses)."""
    fields = ("resource_id", "provider_id", "dimension", "resource_kind", "project_id", "amount")
    if claims:
        connection.execute(t.claims.insert(), [{f: getattr(c, f) for f in fields} for c in claims])


def grow(connection: Connection, growth: Sequence[Claim]) -> None:
    """Add to claims that exist, after ``hold`` promised the difference."""
    for more in growth:
        statement = (
            update(t.claims)
            .where(
                t.claims.c.resource_id == more.resource_id,
                t.claims.c.provider_id == more.provider_id,
                t.claims.c.dimension == more.dimension,
            )
            .values(amount=t.claims.c.amount + more.amount)
        )
        changed = connection.execute(statement).rowcount
        assert changed == 1, f"no claim to grow: {more}"


def shrink(connection: Connection, resource_id: ResourceId, provider_id: str, dimension: str, amount: int) -> None:
    """Give back a part of a claim (after a machine was seen smaller); the rest stays."""
    key = (t.claims.c.resource_id == resource_id) & (t.claims.c.provider_id == provider_id) & (t.claims.c.dimension == dimension)
    changed = connection.execute(update(t.claims).where(key).values(amount=t.claims.c.amount - amount)).rowcount
    assert changed == 1, f"no claim to shrink: {resource_id} {provider_id} {dimension}"
    hosts.give_back(connection, provider_id, dimension, amount)


def totals(claims: Iterable[Claim]) -> dict[tuple[str, str], int]:
    """Return the sum by provider and dimension, without addresses (their guard is the primary key of ``addresses``)."""
    sums: dict[tuple[str, str], int] = {}
    for claim in claims:
        if claim.dimension != "address":
            key = (claim.provider_id, claim.dimension)
            sums[key] = sums.get(key, 0) + claim.amount
    return sums


def of_resources(connection: Connection, ids: Sequence[ResourceId]) -> list[Claim]:
    """Return every claim of these resources."""
    if not ids:
        return []
    statement = select(t.claims).where(t.claims.c.resource_id.in_(list(ids)))
    return [Claim(**r._mapping) for r in connection.execute(statement)]


def release(connection: Connection, *resource_ids: ResourceId) -> list[Claim]:
    """End every claim of these resources and give the capacity back; returns what was held, empty when run twice."""
    statement = delete(t.claims).where(t.claims.c.resource_id.in_(resource_ids)).returning(t.claims)
    held = [Claim(**r._mapping) for r in connection.execute(statement)]
    for (provider_id, dimension), amount in sorted(totals(held).items()):
        hosts.give_back(connection, provider_id, dimension, amount)
    return held
