"""Machines that stand to each other by a rule, as Nova's server groups: only where the region itself decides about hypervisors.

A group carries no description: its name is its mark, ours where it ends with the id of our host. One without machines is taken
away with the next machine that goes; who wanted to join it meanwhile makes it again.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from openstack import exceptions as sdk_errors
from openstack.compute.v2.server_group import ServerGroup

from drivers.faults import Permanent, Transient
from drivers.openstack.region import Region
from drivers.openstack.region_quota import telling_quota
from drivers.protocol import Mates

T = TypeVar("T")
#: The version in which a group says its one policy.
WITH_POLICY = "2.64"
_PREFIX = "allotment "
_POLICIES = {
    (False, False): "soft-anti-affinity",
    (False, True): "anti-affinity",
    (True, False): "soft-affinity",
    (True, True): "affinity",
}


def group_name(mates: Mates, host_id: str) -> str:
    """Return the name of a group. Pure."""
    return f"{_PREFIX}{mates.name} {host_id}"


def policy_of(mates: Mates) -> str:
    """Return Nova's word for a rule. Pure."""
    return _POLICIES[mates.is_together, mates.is_hard]


def ensure_group(region: Region, mates: Mates, host_id: str, department: str) -> str:
    """Return the region's id of a group that takes one more; empty where the rule is a wish and the project may have none.

    Raises:
        Permanent: ``openstack.quota_exceeded`` or ``openstack.forbidden``: they are, and the rule is a condition.
    """
    compute = region.projects.connection(department).compute
    try:
        group = _find(region, compute, mates, host_id)
        if group is None:
            body = {"name": group_name(mates, host_id), "policy": policy_of(mates)}
            with telling_quota(region, compute, server_groups=1):
                group = region.calls.change("server group", lambda: compute.create_server_group(**body))
    except Permanent as fault:
        if mates.is_hard or fault.problem.code not in ("openstack.forbidden", "openstack.quota_exceeded"):
            raise
        return ""
    if not _is_full(region, compute, group):
        return str(group.id)
    if mates.is_hard:
        raise Permanent("openstack.quota_exceeded", connection=region.cloud, reason="server_group_members")
    return ""


def _find(region: Region, compute: Any, mates: Mates, host_id: str) -> Any:
    name, policy = group_name(mates, host_id), policy_of(mates)
    found = _list(region, compute)
    # A lost answer may have made two: all take the same one.
    return min((g for g in found if (g.name, _policy(g)) == (name, policy)), key=lambda g: str(g.id), default=None)


def _list(region: Region, compute: Any, **scope: bool) -> list[Any]:
    """Return all groups: Nova cuts the list (``max_limit``, by default 1,000), and links to no next page.

    A page is as long as Nova makes it: only one with nothing new is the last.
    """
    found: dict[str, Any] = {}
    while True:
        query = {**scope, "offset": len(found)} if found else scope
        page = region.calls.read("server group", partial(_page, compute, query))
        new = {str(group.id): group for group in page if str(group.id) not in found}
        if not new:
            return list(found.values())
        found |= new


def _page(compute: Any, query: Mapping[str, Any]) -> list[ServerGroup]:
    answer = compute.get("/os-server-groups", params=query, microversion=WITH_POLICY)
    sdk_errors.raise_from_response(answer)
    return [ServerGroup.existing(**found) for found in answer.json()["server_groups"]]


def _is_full(region: Region, compute: Any, group: Any) -> bool:
    """Tell whether a group takes no more. Nova would say so too, but keeps the machine's disks reserved for ever when it does."""
    most = region.calls.read("limits", lambda: compute.get_limits().absolute.server_group_members)
    return most is not None and 0 <= int(most) <= len(group.member_ids or ())


def _policy(group: Any) -> str:
    return str(group.policy or next(iter(group.policies or ()), ""))


def ensure_no_empty_group(region: Region, host_id: str) -> None:
    """Take our groups away that have no machine; a credential that may not see groups has made none."""
    compute, scope = region.sdk.compute, region.projects.listing_scope()
    try:
        found = _list(region, compute, **scope)
    except Permanent as fault:
        if fault.problem.code != "openstack.forbidden":
            raise
        return
    for group in found:
        if group.name.startswith(_PREFIX) and group.name.endswith(f" {host_id}") and not group.member_ids:
            region.calls.change("server group", partial(compute.delete_server_group, group.id))


def joined(region: Region, mates: Mates | None, host_id: str, department: str, make: Callable[[str], T]) -> T:
    """Make a machine in its group: ``make`` is given the id of the group, empty for none.

    Raises:
        Transient: ``openstack.not_ready``: the group went away, or was filled, meanwhile.
    """
    group_id = "" if mates is None else ensure_group(region, mates, host_id, department)
    if mates is None or not group_id:
        return make("")
    try:
        return make(group_id)
    except Permanent as fault:
        compute = region.projects.connection(department).compute
        group = _find(region, compute, mates, host_id)
        if group is None or str(group.id) != group_id or _is_full(region, compute, group):
            raise Transient("openstack.not_ready", resource_id=mates.name, verb="server group") from fault
        raise
