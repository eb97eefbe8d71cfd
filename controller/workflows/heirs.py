"""Which hosts can be given what a lost host had: those that its disks and networks are the same for."""

from sqlalchemy import Connection

from inventory.domain.host import Host
from inventory.domain.ids import HostId
from inventory.store import hosts


def keeps_disks(host: Host) -> bool:
    """Tell whether the disks of a host's machines outlive it, but for those of its fleeting storage. Pure."""
    return bool(_scope(host))


def fleeting_storage(connection: Connection, host: Host) -> frozenset[str]:
    """Return the ids of the storage pools whose disks are lost with a host, whatever outlives it: root disks of its own."""
    return frozenset(s.id for s in hosts.storage_pools(connection, host.id) if s.roots_only)


def heirs_of(connection: Connection, host: Host) -> tuple[HostId, ...]:
    """Return the hosts that its machines can be brought back on, by id; itself, which takes none, where there is no other.

    Nowhere would mean anywhere to the scheduler.
    """
    assert host.facts is not None, "a host nothing is known of keeps nothing"
    found = [h.id for h in hosts.hosts(connection) if h.id != host.id and is_kin(h, host)]
    return tuple(sorted(found)) or (host.id,)


def is_kin(one: Host, other: Host) -> bool:
    """Tell whether two hosts can be given each other's machines, one pool's prices and rules included. Pure."""
    is_known = one.facts is not None and other.facts is not None
    return is_known and one.pool_id == other.pool_id and _scope(one) == _scope(other)


def _scope(host: Host) -> str:
    return host.facts.disk_scope if host.facts is not None else ""
