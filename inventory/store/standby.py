"""The reserve of pools (N+1) in the database: who stands by, renewed with every change of what there is to cover.

Whoever changes a pool's reserve, the state or the capacity of its hosts, or what foreign guests use, calls ``renew`` in the same
transaction. Placement needs nothing of it but the guard of ``hosts.try_use``: a held amount is never given out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select, update

from inventory.domain.host import AdminState, Host, Pool, Reachability, ReserveLevel
from inventory.domain.ids import HostId, PoolId
from inventory.domain.mates import Bans, Mates, bans, places
from inventory.domain.resources import DISK_PREFIX
from inventory.domain.standby import Kind, PoolHost, Shape, Standby, choose_standby, is_enough, shape, uncovered
from inventory.store import changes, directory, hosts, mates
from inventory.store import tables as t
from inventory.store.hosts import InventoryRow

#: Hosts in these states hold no machines, and none can come while they last.
_OUT = frozenset({AdminState.ENROLLED, AdminState.RETIRED})
#: A host that was chosen and found in use by then: choose again, this often.
_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveState:
    """How a pool with a reserve stands."""

    pool: Pool
    #: Hosts that stand by, by name.
    standby: tuple[str, ...]
    #: Failure domains whose loss might not be survived now; empty when the reserve is whole.
    uncovered: tuple[str, ...]
    #: False: somebody changed what there is to cover and did not ``renew``.
    is_kept: bool


def renew(connection: Connection, pool_ids: Sequence[PoolId] | None = None) -> None:
    """Have the right hosts stand by, in these pools or in all."""
    pools = [p for p in directory.pools(connection) if pool_ids is None or p.id in pool_ids]
    for pool in sorted(pools, key=lambda p: p.id):
        if pool.reserve.level is not ReserveLevel.NONE or _standing_by(connection, pool.id):
            _renew_pool(connection, pool)


def set_free(connection: Connection, pool_id: PoolId) -> list[HostId]:
    """Let go of what stands by in a pool, because what it stands by for came to pass; returns who did.

    ``renew`` follows in the same transaction.
    """
    connection.execute(select(t.pools.c.id).where(t.pools.c.id == pool_id).with_for_update())
    i = t.inventories.c
    held = select(i.host_id).join(t.hosts, t.hosts.c.id == i.host_id).where(t.hosts.c.pool_id == pool_id, i.held_reserve > 0)
    standing = {HostId(host_id) for host_id in connection.execute(held.distinct()).scalars()}
    if standing:
        _let_go(connection, standing)
    return sorted(standing)


def standing_by(connection: Connection) -> set[HostId]:
    """Return the hosts of all pools that stand by."""
    i = t.inventories.c
    return {HostId(host_id) for host_id in connection.execute(select(i.host_id).where(i.held_reserve > 0).distinct()).scalars()}


def states(connection: Connection) -> list[ReserveState]:
    """Return how the reserve of every pool that has one stands."""
    found = []
    reserved = [p for p in directory.pools(connection) if p.reserve.level is not ReserveLevel.NONE]
    groups = mates.groups(connection) if reserved else []
    for pool in reserved:
        own = _pool_hosts(connection, pool, groups)
        standby = frozenset(h.domain for h in own if h.is_standby)
        names = hosts.names(connection, [h.id for h in own if h.is_standby])
        found.append(
            ReserveState(
                pool=pool,
                standby=tuple(sorted(names.values())),
                uncovered=uncovered(own, standby, pool.reserve),
                is_kept=is_enough(own, standby, pool.reserve),
            )
        )
    return found


def reserved_without(connection: Connection, leaving: Mapping[tuple[str, str], int]) -> list[tuple[Pool, list[PoolHost]]]:
    """Return the pools with a reserve and their hosts as they would be if these amounts (by provider and dimension) were gone.

    Nothing is asked of where the machines of a host may go: that is another question without them.
    """
    reserved = [p for p in directory.pools(connection) if p.reserve.level is not ReserveLevel.NONE]
    return [(pool, _pool_hosts(connection, pool, leaving=leaving)) for pool in reserved]


def _renew_pool(connection: Connection, pool: Pool) -> None:
    # One at a time: two choices made side by side would not know of each other.
    connection.execute(select(t.pools.c.id).where(t.pools.c.id == pool.id).with_for_update())
    for _ in range(_TRIES):
        own = _pool_hosts(connection, pool, mates.groups(connection))
        chosen = choose_standby(own, pool.reserve) if pool.reserve.level is not ReserveLevel.NONE else Standby()
        standing = {h.id for h in own if h.domain in chosen.domains}
        expected_empty = {h.id for h in own if h.id in standing and h.is_empty}
        before = {h.id for h in own if h.is_standby}
        if standing == before and not _outdated(connection, standing):
            return
        _hold(connection, standing)
        _let_go(connection, before - standing)
        # The rows are locked now. What a ticket took while we waited for one may speak for another host.
        now_empty = {h.id for h in _pool_hosts(connection, pool) if h.id in standing and h.is_empty}
        if now_empty == expected_empty:
            return


def _standing_by(connection: Connection, pool_id: PoolId) -> bool:
    i = t.inventories.c
    statement = select(i.host_id).join(t.hosts, t.hosts.c.id == i.host_id).where(t.hosts.c.pool_id == pool_id, i.held_reserve > 0)
    return connection.execute(statement.limit(1)).first() is not None


def _outdated(connection: Connection, standing: set[HostId]) -> bool:
    """Tell whether a stand-by host has another capacity than the one that is held."""
    i = t.inventories.c
    statement = select(i.host_id).where(i.host_id.in_(sorted(standing)), i.held_reserve != i.capacity)
    return connection.execute(statement.limit(1)).first() is not None


def _hold(connection: Connection, host_ids: set[HostId]) -> None:
    _lock(connection, host_ids)
    before = changes.amounts_of(connection, host_ids, "held_reserve")
    i = t.inventories.c
    connection.execute(update(t.inventories).where(i.host_id.in_(sorted(host_ids))).values(held_reserve=i.capacity))
    changes.note(connection, None, changes.since_then(connection, host_ids, "held_reserve", before))


def _let_go(connection: Connection, host_ids: set[HostId]) -> None:
    _lock(connection, host_ids)
    before = changes.amounts_of(connection, host_ids, "held_reserve")
    connection.execute(update(t.inventories).where(t.inventories.c.host_id.in_(sorted(host_ids))).values(held_reserve=0))
    changes.note(connection, None, changes.since_then(connection, host_ids, "held_reserve", before))


def _lock(connection: Connection, host_ids: set[HostId]) -> None:
    """Lock rows in the order in which commits take them."""
    i = t.inventories.c
    order = select(i.provider_id).where(i.host_id.in_(sorted(host_ids))).order_by(i.provider_id, i.dimension)
    connection.execute(order.with_for_update()).all()


def _pool_hosts(
    connection: Connection, pool: Pool, groups: Sequence[Mates] = (), leaving: Mapping[tuple[str, str], int] | None = None
) -> list[PoolHost]:
    every = hosts.hosts(connection)
    members = [h for h in every if h.pool_id == pool.id]
    rows = hosts.inventories_of(connection, [h.id for h in members])
    counted = [h for h in members if h.admin_state not in _OUT or any(r.used or r.held for r in rows[h.id])]
    domains = {h.id: _domain(h, pool.reserve.level) for h in members}
    of_loss = bans(groups, {h.id: h for h in every}, domains, pool.reserve.level)
    left = {h.id: _left(rows[h.id], leaving or {}) for h in counted}
    return [_pool_host(h, left[h.id], pool, of_loss.get(domains[h.id], Bans())) for h in counted]


def _left(rows: Sequence[InventoryRow], leaving: Mapping[tuple[str, str], int]) -> list[InventoryRow]:
    return [replace(r, used=r.used - leaving.get((r.provider_id, r.dimension), 0)) for r in rows]


def _pool_host(host: Host, rows: Sequence[InventoryRow], pool: Pool, of_loss: Bans) -> PoolHost:
    return PoolHost(
        id=host.id,
        domain=_domain(host, pool.reserve.level),
        load=_shape(host, rows, {}),
        room=_shape(host, rows, {(r.provider_id, r.dimension): r.foreign_used for r in rows}),
        is_ready=host.admin_state is AdminState.ACTIVE and host.reachability is Reachability.REACHABLE,
        is_empty=not any(r.used or r.held_reservations for r in rows),
        is_standby=any(r.held_reserve for r in rows),
        places=places(host),
        shuns=frozenset(of_loss.shuns),
        needs=frozenset(of_loss.needs),
    )


def _domain(host: Host, level: ReserveLevel) -> str:
    if level is ReserveLevel.RACK:
        return "/".join((host.site, host.room, host.rack))
    return "/".join((host.site, host.room)) if level is ReserveLevel.ROOM else host.name


def _shape(host: Host, rows: Sequence[InventoryRow], less: Mapping[tuple[str, str], int]) -> Shape:
    facts = host.facts
    kind: Kind = (facts.arch, facts.virtualisation, facts.numa_nodes) if facts else ("", "", 0)
    left = {(r.provider_id, r.dimension): r.capacity - less.get((r.provider_id, r.dimension), 0) for r in rows}
    amounts = {d: amount for (_, d), amount in left.items() if not d.startswith(DISK_PREFIX)}
    storage = [(d.removeprefix(DISK_PREFIX), amount) for (_, d), amount in left.items() if d.startswith(DISK_PREFIX)]
    return shape(kind, amounts, storage)
