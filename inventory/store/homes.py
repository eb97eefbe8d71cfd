"""Homes of network fabrics: hosts of one pool that share a fabric share the segments that stand on one of them, their home.

A home is a host like the others: the reconciler makes and removes segments through it. Where it answers no more, or is
retired, another one takes over with every segment that stands on it.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, func, or_, select, update

from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, PoolId
from inventory.domain.resource import Phase, ResourceKind
from inventory.store import changes, hosts
from inventory.store import tables as t

_H = t.hosts.c
_R = t.resources.c


def home_for(known: Sequence[Host], pool_id: PoolId, network_scope: str) -> HostId | None:
    """Return the home of the fabric that a new host of a pool shares; nothing where it is the first of its fabric."""
    if not network_scope:
        return None
    shared = (h for h in known if h.pool_id == pool_id and h.facts is not None and h.facts.network_scope == network_scope)
    return next((h.home for h in shared if h.admin_state is not AdminState.RETIRED), None)


def home_joined(connection: Connection, host: Host) -> HostId | None:
    """Return the home of a host that was read again: one that has no networks yet joins the fabric it names."""
    scope = host.facts.network_scope if host.facts is not None else ""
    if host.home_id is not None or not scope:
        return host.home_id
    is_home = connection.execute(select(_H.id).where(_H.home_id == host.id).limit(1)).first() is not None
    standing = (_R.host_id == host.id) & (_R.kind == ResourceKind.SEGMENT.value) & (_R.phase != Phase.GONE.value)
    has_networks = connection.execute(select(_R.id).where(standing).limit(1)).first() is not None
    others = [h for h in hosts.hosts(connection) if h.id != host.id]
    return None if is_home or has_networks else home_for(others, host.pool_id, scope)


def home_of(connection: Connection, host_id: HostId) -> HostId:
    """Return the home of a host as it is now."""
    return HostId(connection.execute(select(func.coalesce(_H.home_id, _H.id)).where(_H.id == host_id)).scalar_one())


def homes(connection: Connection) -> dict[HostId, HostId]:
    """Return the home of every host that has another one."""
    return {HostId(r.id): HostId(r.home_id) for r in connection.execute(select(_H.id, _H.home_id).where(_H.home_id.is_not(None)))}


def are_homes(connection: Connection, host_ids: Collection[HostId]) -> bool:
    """Tell whether these hosts are homes, and have them stay it to the end of the transaction."""
    statement = select(_H.id).where(_H.id.in_(sorted(host_ids)), _H.home_id.is_(None)).order_by(_H.id)
    return len(connection.execute(statement.with_for_update(read=True)).all()) == len(set(host_ids))


def hand_on(connection: Connection, pool_ids: Collection[PoolId], now_s: float) -> list[tuple[HostId, HostId]]:
    """Give the segments of homes that cannot serve any more to other hosts of their fabrics; returns (old home, new home)."""
    shared = select(_H.home_id).where(_H.pool_id.in_(sorted(pool_ids)), _H.home_id.is_not(None)).distinct()
    homes_ = list(connection.execute(shared).scalars())
    if not homes_:
        return []
    # Locked by id: whoever else hands on, or takes an address there, waits.
    statement = select(_H.id).where(or_(_H.id.in_(homes_), _H.home_id.in_(homes_))).order_by(_H.id).with_for_update()
    locked = set(connection.execute(statement).scalars())
    fabrics: dict[HostId, list[Host]] = defaultdict(list)
    for host in hosts.hosts(connection):
        if host.id in locked:
            fabrics[host.home].append(host)
    handed = []
    for home_id, members in sorted(fabrics.items()):
        heir = _heir(home_id, members)
        if heir is not None:
            _hand_over(connection, members, home_id, heir.id, now_s)
            handed.append((home_id, heir.id))
    return handed


def _heir(home_id: HostId, members: Sequence[Host]) -> Host | None:
    """Return the host that takes over, nothing where the home serves on or no other one can."""
    serving = [h for h in members if h.admin_state is not AdminState.RETIRED and h.reachability is not Reachability.UNREACHABLE]
    if any(h.id == home_id for h in serving):
        return None
    return next((h for h in serving if h.reachability is Reachability.REACHABLE), None)


def _hand_over(connection: Connection, members: Sequence[Host], old: HostId, new: HostId, now_s: float) -> None:
    for host in members:
        connection.execute(update(t.hosts).where(_H.id == host.id).values(home_id=None if host.id == new else new))
    before = {h.id: {"home_id": h.home_id} for h in members}
    changes.note(connection, None, {"rows": {"hosts": before}})
    # Whoever is at one through the old home has lost it: the next one acts through the new home, under a higher fence.
    standing = (_R.host_id == old) & (_R.kind == ResourceKind.SEGMENT.value) & (_R.phase != Phase.GONE.value)
    connection.execute(update(t.resources).where(standing).values(host_id=new, owner="", hold_until_s=0.0, next_try_s=now_s))
