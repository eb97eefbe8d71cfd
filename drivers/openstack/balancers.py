"""Load balancers as Octavia's: looked at whole, changed part by part, and waited for after every part.

Octavia takes no change while it works on one (PENDING_*), leaves a part in error while the whole is fine, and neither
deletes nor mends by itself. So each change waits for the one before, within ``wait_s``; a part in error is made anew; a load
balancer in error that never had a part is made anew too; one that had is failed over, which a region may refuse.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from drivers.faults import Permanent, Transient
from drivers.openstack import certificates, networks
from drivers.openstack.balancer_plan import (
    ERROR,
    Act,
    BalancerReading,
    Change,
    ListenerReading,
    MemberReading,
    PoolReading,
    next_changes,
    read_health,
    read_listener,
    shown_certificates,
    wanted_certificates,
)
from drivers.openstack.mapping import moment_s, oldest_of
from drivers.openstack.marks import Mark, is_newer, mark_text, parse_mark_text, refuse_older
from drivers.openstack.region import Region
from drivers.powers import BalancerRequest, MemberRequest
from inventory.domain.ids import ResourceId

#: Listeners, pools, members: three looks make one from nothing; more mean that somebody works against us.
MAX_LOOKS = 8


def list_balancers(region: Region, **query: str) -> list[BalancerReading]:
    """Return our load balancers, without their parts."""
    sdk = region.balancing()
    found = region.calls.read("load balancer", lambda: list(sdk.load_balancers(**query)))
    return [b for b in map(_read, found) if b is not None]


def _read(lb: Any) -> BalancerReading | None:
    mark = parse_mark_text(lb.description)
    if mark is None or lb.name != mark.resource_id or lb.provisioning_status == "DELETED":
        return None
    return BalancerReading(
        lb_id=lb.id,
        mark=mark,
        status=lb.provisioning_status,
        address=lb.vip_address,
        created_at=lb.created_at or "",
        updated_at=lb.updated_at or "",
    )


def find_balancer(region: Region, balancer_id: ResourceId) -> BalancerReading | None:
    """Return our load balancer of this id; the older of two that one wish made."""
    found: BalancerReading | None = oldest_of(list_balancers(region, name=balancer_id))
    return found


def read_parts(region: Region, balancer: BalancerReading) -> BalancerReading:
    """Return it with its listeners, pools, members and health monitors."""
    sdk, read = region.balancing(), region.calls.read
    pools = read("load balancer", lambda: list(sdk.pools(loadbalancer_id=balancer.lb_id)))
    return replace(
        balancer,
        listeners=_read_listeners(region, balancer),
        pools=tuple(_read_pool(region, pool) for pool in pools),
    )


def _read_listeners(region: Region, balancer: BalancerReading) -> tuple[ListenerReading, ...]:
    sdk = region.balancing()
    found = region.calls.read("load balancer", lambda: list(sdk.listeners(load_balancer_id=balancer.lb_id)))
    return tuple(read_listener(listener) for listener in found)


def _read_pool(region: Region, pool: Any) -> PoolReading:
    sdk, read = region.balancing(), region.calls.read
    members = read("load balancer", lambda: list(sdk.members(pool.id)))
    monitor_id = pool.health_monitor_id or ""
    monitor = read("load balancer", lambda: sdk.get_health_monitor(monitor_id)) if monitor_id else None
    return PoolReading(
        pool_id=pool.id,
        listener_ids=tuple(entry["id"] for entry in pool.listeners or ()),
        algorithm=pool.lb_algorithm,
        members=tuple(
            MemberReading(
                member_id=m.id,
                member=MemberRequest(address=m.address, port=m.protocol_port, weight=m.weight),
                status=m.provisioning_status,
            )
            for m in members
        ),
        monitor_id=monitor_id,
        health=None if monitor is None else read_health(monitor),
        monitor_status="ACTIVE" if monitor is None else monitor.provisioning_status,
        status=pool.provisioning_status,
    )


def ensure_balancer(region: Region, request: BalancerRequest, mark: Mark) -> BalancerReading:
    """Have it with exactly these parts.

    Raises:
        StaleFence: a newer hold has acted on it.
        Permanent: ``driver.balancer_address_fixed``, ``openstack.balancer_failed``, ``openstack.balancer_stuck``, and what
            speaks against a certificate.
        CapabilityMissing: TLS in a region without a key manager.
        Transient: ``driver.segment_missing``, or the region is not done.
    """
    keys_url = _keys_url(region, request, mark.fence)
    network = networks.find_network(region, request.segment_id)
    if network is None or not network.subnet_id:
        raise Transient("driver.segment_missing", segment_id=request.segment_id)
    balancer = _at_rest(region, _have(region, request, mark, network.subnet_id))
    if balancer.address != request.address:
        raise Permanent("driver.balancer_address_fixed", balancer_id=request.balancer_id, address=balancer.address)
    for _ in range(MAX_LOOKS):
        seen = read_parts(region, balancer)
        changes = next_changes(seen, request, network.subnet_id, keys_url)
        if not changes:
            return seen
        for change in changes:
            _tell(region, request, change)
            balancer = _at_rest(region, balancer)
            if balancer.status == ERROR:
                raise Transient("openstack.not_ready", resource_id=request.balancer_id, verb="load balancer")
    raise Transient("openstack.not_ready", resource_id=request.balancer_id, verb="load balancer")


def _keys_url(region: Region, request: BalancerRequest, fence: int) -> str:
    """Return where the certificates lie, after a look at each: before anything is changed. Empty without TLS.

    With most changes, that of a member too, Octavia reads all certificates of a load balancer again, and hangs where one is
    not there any more (its worker gives up, and the load balancer stays PENDING).
    """
    wanted, shown = wanted_certificates(request), frozenset[str]()
    if not wanted:
        return ""
    url = certificates.key_manager_url(region, request.department)
    found = find_balancer(region, request.balancer_id)
    if found is not None:
        refuse_older(fence, found.mark)
        shown = shown_certificates(read_parts(region, found))
    certificates.require_certificates(region, request.department, wanted, shown)
    return url


def _tell(region: Region, request: BalancerRequest, change: Change) -> None:
    """Make one change.

    Raises:
        Permanent: ``driver.balancer_certificate_unreadable``: Octavia could do nothing with a certificate it was told to show.
            ``openstack.tls_needs_a_user``: with an application credential it can do nothing with any.
    """
    try:
        _carry_out(region, request.department, change)
    except Permanent as fault:
        if not change.certificates or fault.problem.code != "openstack.refused":
            raise
        # Octavia says no more than this when the key manager is away, or when a certificate has gone meanwhile.
        certificates.require_certificates(region, request.department, change.certificates, change.certificates)
        code = "openstack.tls_needs_a_user" if region.is_delegated else "driver.balancer_certificate_unreadable"
        reason = str(fault.problem.params["reason"])
        raise Permanent(code, references=", ".join(change.certificates), reason=reason) from fault


def _have(region: Region, request: BalancerRequest, mark: Mark, subnet_id: str) -> BalancerReading:
    found = find_balancer(region, request.balancer_id)
    if found is not None:
        found = _take_fence(region, _at_rest(region, found), mark.fence)
        if found.status != ERROR:
            return found
        if read_parts(region, found).listeners:
            return _take_fence(region, _fail_over(region, found), mark.fence)
        _delete(region, found)
    body = {
        "name": request.balancer_id,
        "description": mark_text(mark),
        "vip_subnet_id": subnet_id,
        "vip_address": request.address,
        "tags": ["allotment", request.title],
    }
    sdk = region.balancing(request.department)
    made = _read(region.calls.change("load balancer", lambda: sdk.create_load_balancer(**body)))
    assert made is not None, "a load balancer made with our mark carries it"
    return made


def _fail_over(region: Region, balancer: BalancerReading) -> BalancerReading:
    """Have Octavia build it anew in the same place.

    Raises:
        Permanent: ``openstack.balancer_failed``: this region does not let us, or it did not help.
    """
    sdk = region.balancing()
    failed = Permanent("openstack.balancer_failed", balancer_id=balancer.mark.resource_id)
    try:
        region.calls.change("fail over", partial(sdk.failover_load_balancer, balancer.lb_id))
    except Permanent as fault:
        raise failed from fault
    seen = _at_rest(region, balancer)
    if seen.status == ERROR:
        raise failed
    return seen


def _take_fence(region: Region, balancer: BalancerReading, fence: int) -> BalancerReading:
    if not is_newer(fence, balancer.mark) or balancer.status == ERROR:
        return balancer
    mark, sdk = replace(balancer.mark, fence=fence), region.balancing()
    region.calls.change("load balancer", partial(sdk.update_load_balancer, balancer.lb_id, description=mark_text(mark)))
    return _at_rest(region, balancer)


def _carry_out(region: Region, department: str, change: Change) -> None:
    """Make one change, in the name of the department: Octavia asks for certificates as whoever it is told by."""
    verb = getattr(region.balancing(department), change.act.value)
    arguments: dict[Act, tuple[str, ...]] = {
        Act.UPDATE_POOL: (change.part_id,),
        Act.UPDATE_MEMBER: (change.part_id, change.pool_id),
        Act.DELETE_MEMBER: (change.part_id, change.pool_id),
        Act.CREATE_MEMBER: (change.pool_id,),
    }
    given = arguments.get(change.act, (change.part_id,) if change.part_id else ())
    region.calls.change("load balancer", lambda: verb(*given, **change.body))


def _look(region: Region, lb_id: str) -> BalancerReading | None:
    sdk = region.balancing()
    found = region.calls.find("load balancer", lambda: sdk.get_load_balancer(lb_id))
    return None if found is None else _read(found)


def _at_rest(region: Region, balancer: BalancerReading) -> BalancerReading:
    """Wait until Octavia does nothing with it.

    Raises:
        Transient: ``openstack.not_ready``: it still works on it.
        Permanent: ``openstack.balancer_stuck``: it has worked on it for too long, and takes nothing from us meanwhile.
    """
    last = [balancer]

    def look() -> BalancerReading | None:
        seen = _look(region, balancer.lb_id)
        if seen is None:
            raise Transient("openstack.not_ready", resource_id=balancer.mark.resource_id, verb="load balancer")
        last[0] = seen
        return None if seen.is_pending else seen

    return region.calls.until(look, _late(region, balancer, last))


def _late(region: Region, balancer: BalancerReading, last: list[BalancerReading]) -> Callable[[], Transient | Permanent]:
    def late() -> Transient | Permanent:
        now_s = region.clock()
        if now_s - moment_s(last[0].updated_at or last[0].created_at, now_s) > region.settings.build_limit_s:
            return Permanent("openstack.balancer_stuck", balancer_id=balancer.mark.resource_id, status=last[0].status)
        return Transient("openstack.not_ready", resource_id=balancer.mark.resource_id, verb="load balancer")

    return late


def ensure_balancer_absent(region: Region, balancer_id: ResourceId, fence: int) -> None:
    """Have no such load balancer.

    Raises:
        StaleFence: a newer hold has acted on it.
        Transient: it is not gone yet.
        Permanent: ``openstack.balancer_stuck``.
    """
    while (found := find_balancer(region, balancer_id)) is not None:
        refuse_older(fence, found.mark)
        _delete(region, found)


def _end_tls(region: Region, balancer: BalancerReading) -> None:
    """Take listeners with TLS away, one by one: asked to remove all at once, Octavia reads their certificates first, and where
    it cannot, it never ends (its worker gives up in the middle). In error, Octavia takes only the removal of all."""
    for listener in _read_listeners(region, balancer) if balancer.status != ERROR else ():
        if listener.tls is not None:
            region.calls.change("load balancer", partial(region.balancing().delete_listener, listener.listener_id))
            if _at_rest(region, balancer).status == ERROR:
                return


def _delete(region: Region, balancer: BalancerReading) -> None:
    sdk, last = region.balancing(), [balancer]
    if balancer.status != "PENDING_DELETE":
        _end_tls(region, _at_rest(region, balancer))
        region.calls.change("load balancer", partial(sdk.delete_load_balancer, balancer.lb_id, cascade=True))

    def look() -> bool | None:
        seen = _look(region, balancer.lb_id)
        if seen is None:
            return True
        last[0] = seen
        if seen.status == ERROR:
            raise Transient("openstack.not_ready", resource_id=balancer.mark.resource_id, verb="delete load balancer")
        return None

    region.calls.until(look, _late(region, balancer, last))
