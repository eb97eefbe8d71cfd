"""What is still to be done to a load balancer, as a list of small changes. Pure.

A listener, its pool and the pool's members have ids only after they are made, so one look gives the changes that can be
made now; looking again gives the next ones, until there are none. A part that Octavia shows in error is made anew. Another
certificate is only told to the listener, which goes on meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drivers.openstack.marks import Mark
from drivers.openstack.tls import BY_TLS, read_tls, tls_body
from drivers.powers import (
    Algorithm,
    BalancerRequest,
    HealthRequest,
    ListenerRequest,
    MemberRequest,
    ObservedBalancer,
    TlsRequest,
)
from inventory.domain.ids import ResourceId

_PROTOCOLS = {"tcp": "TCP", "http": "HTTP"}
_ALGORITHMS = {
    Algorithm.ROUND_ROBIN: "ROUND_ROBIN",
    Algorithm.LEAST_CONNECTIONS: "LEAST_CONNECTIONS",
    Algorithm.SOURCE_ADDRESS: "SOURCE_IP",
}
_OURS = {theirs: ours for ours, theirs in _ALGORITHMS.items()}
ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberReading:
    """A member of a pool."""

    member_id: str
    member: MemberRequest
    status: str = "ACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolReading:
    """A pool."""

    pool_id: str
    #: Listeners it stands behind; none for one whose listener is gone.
    listener_ids: tuple[str, ...]
    algorithm: str
    members: tuple[MemberReading, ...] = ()
    monitor_id: str = ""
    health: HealthRequest | None = None
    monitor_status: str = "ACTIVE"
    status: str = "ACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerReading:
    """A listener."""

    listener_id: str
    port: int
    #: Octavia's word.
    protocol: str
    status: str = "ACTIVE"
    tls: TlsRequest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerReading:
    """A load balancer of ours."""

    lb_id: str
    mark: Mark
    status: str
    address: str
    created_at: str = ""
    updated_at: str = ""
    listeners: tuple[ListenerReading, ...] = ()
    pools: tuple[PoolReading, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether Octavia works on it: it takes no change meanwhile."""
        return self.status.startswith("PENDING")


class Act(StrEnum):
    """What is done to one part."""

    DELETE_MONITOR = "delete_health_monitor"
    DELETE_MEMBER = "delete_member"
    DELETE_POOL = "delete_pool"
    DELETE_LISTENER = "delete_listener"
    UPDATE_LISTENER = "update_listener"
    UPDATE_POOL = "update_pool"
    UPDATE_MEMBER = "update_member"
    CREATE_LISTENER = "create_listener"
    CREATE_POOL = "create_pool"
    CREATE_MEMBER = "create_member"
    CREATE_MONITOR = "create_health_monitor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One call: the part it is about, the pool that part belongs to, and what is sent."""

    act: Act
    part_id: str = ""
    pool_id: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    #: Certificates Octavia is told to show: it reads them before it answers.
    certificates: tuple[str, ...] = ()


def wanted_certificates(request: BalancerRequest) -> frozenset[str]:
    """Return the certificates that listeners are to show."""
    return frozenset(name for entry in request.listeners for name in _names(entry.tls))


def shown_certificates(seen: BalancerReading) -> frozenset[str]:
    """Return the certificates that listeners show."""
    return frozenset(name for listener in seen.listeners if listener.status != ERROR for name in _names(listener.tls))


def _names(tls: TlsRequest | None) -> tuple[str, ...]:
    return () if tls is None else tls.certificates


def next_changes(seen: BalancerReading, request: BalancerRequest, subnet_id: str, keys_url: str = "") -> list[Change]:
    """Return the changes that can be made now; none when it is as asked for. ``keys_url`` stands before names of certificates."""
    wanted = {entry.port: entry for entry in request.listeners}
    kept = {ls.port: ls for ls in seen.listeners if _is_right(ls, wanted.get(ls.port))}
    # Certificates first: with any other change Octavia reads those it shows, and hangs where one is not there any more.
    changes = [
        _tls_change(kept[port], entry.tls, keys_url)
        for port, entry in sorted(wanted.items())
        if port in kept and entry.tls is not None and kept[port].tls != entry.tls
    ]
    changes += _removals(seen, {ls.listener_id for ls in kept.values()})
    for port, entry in sorted(wanted.items()):
        if port not in kept:
            changes.append(_listener(seen.lb_id, entry, keys_url))
            continue
        pool = next((p for p in seen.pools if kept[port].listener_id in p.listener_ids and p.status != ERROR), None)
        changes += [_pool(kept[port].listener_id, entry)] if pool is None else _pool_changes(pool, entry, subnet_id)
    return changes


def _is_right(listener: ListenerReading, wanted: ListenerRequest | None) -> bool:
    return wanted is not None and listener.status != ERROR and listener.protocol == _protocol_of(wanted)


def _protocol_of(entry: ListenerRequest) -> str:
    return _PROTOCOLS[entry.protocol] if entry.tls is None else BY_TLS


def _removals(seen: BalancerReading, kept: set[str]) -> list[Change]:
    """Pools go before their listeners: a listener that is gone would leave its pool behind until the next look.

    Not so with TLS: to end a pool Octavia reads its listeners' certificates, and hangs where one is not there any more.
    """
    gone = [ls for ls in seen.listeners if ls.listener_id not in kept]
    pools = [p for p in seen.pools if p.status == ERROR or not kept.intersection(p.listener_ids)]
    return [
        *(_end(ls) for ls in gone if ls.tls is not None),
        *(Change(act=Act.DELETE_POOL, part_id=p.pool_id) for p in pools),
        *(_end(ls) for ls in gone if ls.tls is None),
    ]


def _end(listener: ListenerReading) -> Change:
    return Change(act=Act.DELETE_LISTENER, part_id=listener.listener_id)


def _listener(lb_id: str, entry: ListenerRequest, keys_url: str) -> Change:
    body: dict[str, Any] = {"load_balancer_id": lb_id, "name": str(entry.port), "protocol_port": entry.port}
    body |= {"protocol": _protocol_of(entry)} | ({} if entry.tls is None else tls_body(entry.tls, keys_url))
    return Change(act=Act.CREATE_LISTENER, body=body, certificates=_names(entry.tls))


def _tls_change(listener: ListenerReading, tls: TlsRequest, keys_url: str) -> Change:
    body = tls_body(tls, keys_url)
    return Change(act=Act.UPDATE_LISTENER, part_id=listener.listener_id, body=body, certificates=tls.certificates)


def read_listener(listener: Any) -> ListenerReading:
    """Read the SDK's listener."""
    return ListenerReading(
        listener_id=listener.id,
        port=listener.protocol_port,
        protocol=listener.protocol,
        status=listener.provisioning_status,
        tls=read_tls(listener),
    )


def _pool(listener_id: str, entry: ListenerRequest) -> Change:
    body = {"listener_id": listener_id, "name": str(entry.port), "protocol": _PROTOCOLS[entry.protocol]}
    return Change(act=Act.CREATE_POOL, body={**body, "lb_algorithm": _ALGORITHMS[entry.algorithm]})


def _pool_changes(pool: PoolReading, entry: ListenerRequest, subnet_id: str) -> list[Change]:
    changes = _member_changes(pool, entry, subnet_id)
    if pool.algorithm != _ALGORITHMS[entry.algorithm]:
        body = {"lb_algorithm": _ALGORITHMS[entry.algorithm]}
        changes.append(Change(act=Act.UPDATE_POOL, part_id=pool.pool_id, body=body))
    if pool.health != entry.health or (pool.monitor_id and pool.monitor_status == ERROR):
        if pool.monitor_id:
            changes.append(Change(act=Act.DELETE_MONITOR, part_id=pool.monitor_id))
        if entry.health is not None:
            changes.append(Change(act=Act.CREATE_MONITOR, body={"pool_id": pool.pool_id, **_monitor(entry.health)}))
    return changes


def _member_changes(pool: PoolReading, entry: ListenerRequest, subnet_id: str) -> list[Change]:
    wanted = {(m.address, m.port): m for m in entry.members}
    present = {(r.member.address, r.member.port): r for r in pool.members}
    changes = []
    for place, reading in sorted(present.items()):
        if place not in wanted or reading.status == ERROR:
            changes.append(Change(act=Act.DELETE_MEMBER, part_id=reading.member_id, pool_id=pool.pool_id))
        elif reading.member.weight != wanted[place].weight:
            body: dict[str, Any] = {"weight": wanted[place].weight}
            changes.append(Change(act=Act.UPDATE_MEMBER, part_id=reading.member_id, pool_id=pool.pool_id, body=body))
    for place, member in sorted(wanted.items()):
        if place not in present:
            body = {"address": member.address, "protocol_port": member.port, "weight": member.weight, "subnet_id": subnet_id}
            changes.append(Change(act=Act.CREATE_MEMBER, pool_id=pool.pool_id, body=body))
    return changes


def _monitor(health: HealthRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": _PROTOCOLS[health.kind],
        "delay": health.interval_s,
        "timeout": health.timeout_s,
        "max_retries": health.count,
        "max_retries_down": health.count,
    }
    return body | ({"url_path": health.path or "/"} if health.kind == "http" else {})


def read_health(monitor: Any) -> HealthRequest:
    """Read the SDK's health monitor."""
    kind = str(monitor.type).lower()
    path = monitor.url_path if kind == "http" and monitor.url_path != "/" else ""
    return HealthRequest(
        kind=kind, interval_s=monitor.delay, timeout_s=monitor.timeout, count=monitor.max_retries, path=path or ""
    )


def observed_balancer(seen: BalancerReading) -> ObservedBalancer:
    """Return a load balancer as the platform knows it."""
    listeners = []
    for listener in sorted(seen.listeners, key=lambda ls: ls.port):
        pool = next((p for p in seen.pools if listener.listener_id in p.listener_ids), None)
        listeners.append(
            ListenerRequest(
                port=listener.port,
                protocol="http" if listener.tls is not None else listener.protocol.lower(),
                members=()
                if pool is None
                else tuple(sorted((r.member for r in pool.members), key=lambda m: (m.address, m.port))),
                algorithm=Algorithm.ROUND_ROBIN if pool is None else _OURS.get(pool.algorithm, Algorithm.ROUND_ROBIN),
                health=None if pool is None else pool.health,
                tls=listener.tls,
            )
        )
    return ObservedBalancer(
        balancer_id=ResourceId(seen.mark.resource_id), address=seen.address, listeners=tuple(listeners), fence=seen.mark.fence
    )
