"""A pool with a reserve for the tests, and what the reserve promises, looked at from outside: claims against stand-by hosts."""

from dataclasses import replace

from sqlalchemy import Connection, select

from inventory.domain.host import Reserve
from inventory.domain.ids import HostId
from inventory.domain.resources import DISK_PREFIX
from inventory.store import directory, hosts, standby
from inventory.store.claim_amounts import claim_amounts
from inventory.store.engine import Database


def set_reserve(database: Database, reserve: Reserve) -> None:
    """Give every pool this reserve, as an import does."""
    with database.write() as connection:
        for pool in directory.pools(connection):
            directory.save_pool(connection, replace(pool, reserve=reserve))
        standby.renew(connection)


def standby_hosts(connection: Connection) -> set[HostId]:
    """Return the hosts that stand by."""
    return {r.host_id for r in hosts.inventories(connection) if r.held_reserve}


def stranded(connection: Connection) -> list[str]:
    """Return hosts whose machines, moved as a whole, fit on no empty stand-by host that answers (one pool, one loss)."""
    rows = hosts.inventories(connection)
    claimed: dict[tuple[str, str], int] = {}
    c = claim_amounts(connection).c
    for claim in connection.execute(select(c.provider_id, c.dimension, c.amount)):
        claimed[claim.provider_id, claim.dimension] = claimed.get((claim.provider_id, claim.dimension), 0) + claim.amount
    load = _by_host(rows, {(r.provider_id, r.dimension): claimed.get((r.provider_id, r.dimension), 0) for r in rows})
    room = _by_host(rows, {(r.provider_id, r.dimension): r.capacity - r.foreign_used for r in rows})
    ready = {h.id for h in hosts.hosts(connection) if (h.admin_state, h.reachability) == ("active", "reachable")}
    takers = [h for h in standby_hosts(connection) & ready if not any(load[h].values())]
    return [
        host
        for host, amounts in load.items()
        if any(amounts.values()) and not any(all(amounts[d] <= room[s][d] for d in amounts) for s in takers if s != host)
    ]


def _by_host(rows: list[hosts.InventoryRow], amounts: dict[tuple[str, str], int]) -> dict[HostId, dict[str, int]]:
    found: dict[HostId, dict[str, int]] = {}
    for row in rows:
        own = found.setdefault(row.host_id, {})
        assert row.dimension not in own or not row.dimension.startswith(DISK_PREFIX), "one storage pool a class in these tests"
        own[row.dimension] = amounts[row.provider_id, row.dimension]
    return found
