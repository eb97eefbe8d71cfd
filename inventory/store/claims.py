"""Claims: the truth of what is promised. Written and released only together with their caches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from inventory.domain.claim import MOVE, Amount, Claim, Held, Share, counted_alike, counted_in_place
from inventory.domain.ids import HostId, ProjectId, ResourceId, TicketId
from inventory.domain.resources import ADDRESS
from inventory.store import bulk, changes, hosts
from inventory.store import tables as t
from inventory.store.columns import encoded


def hold(connection: Connection, amounts: Mapping[hosts.ProviderDimension, int]) -> list[hosts.ProviderDimension]:
    """Promise what claims add up to (``totals``) by guarded updates, in one order everywhere (no deadlocks).

    Returns what refused, in order; after a refusal nothing is promised.
    """
    return hosts.try_use(connection, amounts)


def hold_orders(
    connection: Connection, orders: Mapping[TicketId, Mapping[hosts.ProviderDimension, int]]
) -> list[hosts.ProviderDimension]:
    """Promise what several orders add up to at once, by name, as ``hold``; it can be told later what each found."""
    sums: dict[hosts.ProviderDimension, int] = {}
    for amounts in orders.values():
        for key, amount in amounts.items():
            sums[key] = sums.get(key, 0) + amount
    return hosts.try_use(connection, sums, changes.used_by(orders))


def insert(connection: Connection, claims: Iterable[Claim]) -> None:
    """Write claims whose capacity is promised (addresses have no guarded provider), all of a resource at once."""
    amounts: dict[tuple[ResourceId, str, ProjectId], list[Amount]] = {}
    for claim in claims:
        key = claim.resource_id, claim.resource_kind, claim.project_id
        amounts.setdefault(key, []).append((claim.provider_id, claim.dimension, claim.amount))
    insert_held(connection, [Held.of(*key, sorted(own)) for key, own in amounts.items()])


def insert_held(connection: Connection, held: Sequence[Held]) -> None:
    """Write what resources claim whose capacity is promised."""
    if held:
        bulk.insert_batches(connection, [rows(connection, held)])


def rows(connection: Connection, held: Sequence[Held]) -> bulk.Batch:
    """Return the rows of what resources claim whose capacity is promised."""
    for one, _ in counted_alike(held):
        assert all(amount > 0 for _, amount in one.shares), f"a claim of nothing: {one}"
    own = dict(zip(Held._fields, zip(*held, strict=True), strict=True))
    columns = {name: own[name] for name in ("resource_id", "resource_kind", "project_id")}
    return bulk.batch(connection, t.claims, {**columns, "amounts": bulk.Fit(_texts(held))})


def _texts(held: Sequence[Held]) -> list[str]:
    """Return amounts as they are stored: of those that are alike only the providers differ."""
    moulds: dict[int, str] = {}
    texts: dict[int, str] = {}
    for one in held:
        if id(one.amounts) not in texts:
            mould = moulds.get(id(one.shares)) or moulds.setdefault(id(one.shares), _mould(one.shares))
            texts[id(one.amounts)] = mould % tuple([provider_id for provider_id, _, _ in one.amounts])
    return [texts[id(one.amounts)] for one in held]


def _mould(shares: Sequence[Share]) -> str:
    """Return the stored form of amounts with a gap for each provider: nothing in an id needs to be escaped."""
    each = [f'["%s",{encoded(dimension).replace("%", "%%")},{amount}]' for dimension, amount in shares]
    return f"[{','.join(each)}]"


def grow(connection: Connection, growth: Sequence[Claim]) -> None:
    """Add to claims that exist, after ``hold`` promised the difference."""
    for more in growth:
        _change(connection, more.resource_id, (more.provider_id, more.dimension), more.amount)


def shrink(connection: Connection, resource_id: ResourceId, provider_id: str, dimension: str, amount: int) -> None:
    """Give back a part of a claim (after a machine was seen smaller); the rest stays."""
    _change(connection, resource_id, (provider_id, dimension), -amount)
    hosts.give_back(connection, {(provider_id, dimension): amount})


def _change(connection: Connection, resource_id: ResourceId, key: hosts.ProviderDimension, more: int) -> None:
    """Add to one amount of what a resource claims where it is; its row is locked. What becomes nothing is claimed no more."""
    c = t.claims.c
    own = (c.resource_id == resource_id) & (c.resource_kind != MOVE)
    row = connection.execute(select(t.claims).where(own).with_for_update()).one()
    held = {(provider_id, dimension): amount for provider_id, dimension, amount in row.amounts}
    held[key] = held.get(key, 0) + more
    assert held[key] >= 0, f"a claim below nothing: {resource_id} {key}"
    written = sorted([*where, amount] for where, amount in held.items() if amount)
    connection.execute(update(t.claims).where(own).values(amounts=written))


def totals(claims: Iterable[Claim]) -> dict[tuple[str, str], int]:
    """Return the sum by provider and dimension, without addresses (their guard is the primary key of ``addresses``)."""
    sums: dict[tuple[str, str], int] = {}
    for claim in claims:
        if claim.dimension != ADDRESS:
            key = (claim.provider_id, claim.dimension)
            sums[key] = sums.get(key, 0) + claim.amount
    return sums


def totals_held(held: Iterable[Held]) -> dict[tuple[str, str], int]:
    """Return the same of what resources claim."""
    sums: dict[tuple[str, str], int] = {}
    for amounts, count in counted_in_place(held):
        for provider_id, dimension, amount in amounts:
            if dimension != ADDRESS:
                key = provider_id, dimension
                sums[key] = sums.get(key, 0) + amount * count
    return sums


def of_resources(connection: Connection, ids: Sequence[ResourceId]) -> list[Claim]:
    """Return every claim of these resources."""
    if not ids:
        return []
    statement = select(t.claims).where(t.claims.c.resource_id.in_(list(ids)))
    return [claim for row in connection.execute(statement) for claim in _claims(row)]


def _claims(row: Row[Any]) -> Iterator[Claim]:
    return Held.of(ResourceId(row.resource_id), row.resource_kind, row.project_id, row.amounts).claims()


def release(connection: Connection, *resource_ids: ResourceId) -> list[Claim]:
    """End every claim of these resources and give the capacity back; returns what was held, empty when run twice."""
    statement = delete(t.claims).where(t.claims.c.resource_id.in_(resource_ids)).returning(t.claims)
    return _given_back(connection, statement)


def give_up_move(connection: Connection, ids: Sequence[ResourceId]) -> list[Claim]:
    """End what is held on the target for these resources; returns what was held."""
    c = t.claims.c
    return _given_back(
        connection, delete(t.claims).where(c.resource_id.in_(list(ids)), c.resource_kind == MOVE).returning(t.claims)
    )


def take_over_move(connection: Connection, kinds: Mapping[ResourceId, str], target_id: HostId) -> list[Claim]:
    """End what these resources claim where they were, and make what is held on the target theirs; returns what was held."""
    c = t.claims.c
    old = delete(t.claims).where(c.resource_id.in_(list(kinds)), c.resource_kind != MOVE).returning(t.claims)
    held = _given_back(connection, old)
    for resource_id, kind in sorted(kinds.items()):
        connection.execute(update(t.claims).where(c.resource_id == resource_id).values(resource_kind=kind))
    # As much is promised there as before, and none of it for something on its way: who writes down rooms has to look.
    changes.note(connection, [target_id], changes.used({}))
    return held


def _given_back(connection: Connection, statement: Any) -> list[Claim]:
    held = [claim for row in connection.execute(statement) for claim in _claims(row)]
    hosts.give_back(connection, totals(held))
    return held
