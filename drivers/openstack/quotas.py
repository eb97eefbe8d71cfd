"""A region's own quotas of a department's project: never below what the platform needs there, and never lowered.

The platform's own quota is the one that counts; what a region holds a new project to by default is below what one department
needs. Somebody who gave a project more, or no bound at all, keeps that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from drivers.openstack.calls import Calls

#: Octavia's service type.
BALANCING = "load-balancer"
#: No bound, in every service.
UNBOUNDED = -1
#: The least a department's project may have, by service: these only catch a runaway. Nova bounds machines of one group too.
GUARD_RAILS: Mapping[str, Mapping[str, int]] = {
    "compute": {
        "cores": 20_000,
        "ram": 80_000_000,
        "instances": 5_000,
        "metadata_items": 128,
        "server_groups": 1_000,
        "server_group_members": 5_000,
    },
    "block_storage": {"volumes": 10_000, "gigabytes": 5_000_000, "snapshots": 10_000},
    "network": {
        "networks": 1_000,
        "subnets": 1_000,
        "ports": 20_000,
        "routers": 1_000,
        "floating_ips": 5_000,
        "security_groups": 2_000,
        "security_group_rules": 20_000,
    },
    "load_balancer": {
        "load_balancers": 1_000,
        "listeners": 10_000,
        "pools": 10_000,
        "members": 50_000,
        "health_monitors": 10_000,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How one service is asked and told."""

    read: Callable[[], Any]
    write: Callable[..., Any]


def raised(theirs: Mapping[str, int | None], ours: Mapping[str, int]) -> dict[str, int]:
    """Return what is to be written so that nothing is below ours. Pure. What a service does not speak of it does not bound."""
    told = {name: theirs.get(name) for name in ours}
    return {name: ours[name] for name, bound in told.items() if bound is not None and bound != UNBOUNDED and bound < ours[name]}


def ensure_quotas(sdk: Any, calls: Calls, project_id: str, balancing: Callable[[], Any], *, has_volumes: bool = True) -> None:
    """Have the region's quotas of a project at ours or above; ``balancing`` is asked for Octavia where the region has it.

    Raises:
        DriverFault: a service refused or did not answer.
    """
    for service, way in _ways(sdk, calls, project_id, balancing, has_volumes=has_volumes).items():
        verb, ours = f"{service} quota", GUARD_RAILS[service]
        found = calls.read(verb, way.read)
        wanted = raised({name: getattr(found, name, None) for name in ours}, ours)
        if wanted:
            calls.change(verb, partial(way.write, **wanted))


def _ways(sdk: Any, calls: Calls, project_id: str, balancing: Callable[[], Any], *, has_volumes: bool) -> Mapping[str, _Way]:
    sets = {"compute": sdk.compute} | ({"block_storage": sdk.block_storage} if has_volumes else {})
    plain = {"network": sdk.network}
    if calls.read("discover", lambda: sdk.has_service(BALANCING)):
        plain["load_balancer"] = balancing()
    asked_of_sets = {
        name: _Way(read=partial(p.get_quota_set, project_id), write=partial(p.update_quota_set, project_id))
        for name, p in sets.items()
    }
    asked = {
        name: _Way(read=partial(p.get_quota, project_id), write=partial(p.update_quota, project_id)) for name, p in plain.items()
    }
    return asked_of_sets | asked
