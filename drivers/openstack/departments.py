"""The projects of departments: which there are, and taken away again when nothing is left in them.

Only projects with our tag, in our domain and with our prefix are ours. Keystone would delete a project with machines in it
and nobody would find them again, so every service is asked first what it has of it.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from drivers.faults import Transient
from drivers.openstack import certificates, department_access
from drivers.openstack.projects import TAG
from drivers.openstack.region import Region
from inventory.domain.organisation import PLACE_PREFIX, place_name

#: Every project has this security group; it stays behind when the project goes.
_DEFAULT_GROUP = "default"


def department_codes(region: Region) -> frozenset[str]:
    """Return the departments that have a project made by us."""
    return frozenset(p.name.removeprefix(PLACE_PREFIX) for p in _projects(region))


def ensure_department_absent(region: Region, code: str) -> None:
    """Have no project of that department.

    Raises:
        Transient: ``driver.department_in_use``.
    """
    identity, neutron = region.sdk.identity, region.sdk.network
    for project in (p for p in _projects(region, name=place_name(code))):
        left = [kind for kind, listed in _contents(region, project.id).items() if _has_any(region, kind, listed)]
        if left:
            raise Transient("driver.department_in_use", department=code, resources=", ".join(left))
        # A list of one project leaves out what is in a cell that does not answer.
        region.require_all_cells()
        groups = region.calls.read("project", partial(_list, neutron.security_groups, project_id=project.id))
        region.calls.change("project", partial(identity.delete_project, project.id))
        for group in groups:
            region.calls.change("project", partial(neutron.delete_security_group, group.id))
    department_access.withdraw(region.sdk, region.calls, region.settings, code)
    region.projects.forget(code)


def _projects(region: Region, **query: str) -> list[Any]:
    domain_id = region.settings.project_domain
    found = region.calls.read("project", lambda: list(region.sdk.identity.projects(domain_id=domain_id, tags=TAG, **query)))
    return [p for p in found if p.name.startswith(PLACE_PREFIX)]


def _contents(region: Region, project_id: str) -> Mapping[str, Callable[[], Iterable[Any]]]:
    """Return what a project may have, by kind, and how it is listed."""
    compute, neutron = region.sdk.compute, region.sdk.network
    everywhere = {"all_projects": True, "project_id": project_id}
    stored: dict[str, Callable[[], Iterable[Any]]] = {}
    if region.settings.has_volumes:
        block = region.sdk.block_storage
        stored = {name: partial(getattr(block, name), details=False, **everywhere) for name in ("volumes", "snapshots")}
    kinds: dict[str, Callable[[], Iterable[Any]]] = {
        "servers": partial(compute.servers, details=False, **everywhere),
        **stored,
        "networks": partial(neutron.networks, project_id=project_id),
        "ports": partial(neutron.ports, project_id=project_id),
        "routers": partial(neutron.routers, project_id=project_id),
        "floating IPs": partial(neutron.ips, project_id=project_id),
        "security groups": lambda: (g for g in neutron.security_groups(project_id=project_id) if g.name != _DEFAULT_GROUP),
    }
    if region.has_balancers:
        kinds["load balancers"] = lambda: region.balancing().load_balancers(project_id=project_id)
    if region.has_key_manager:
        kinds["secrets of the key manager"] = lambda: certificates.list_secrets(region, project_id)
    return kinds


def _has_any(region: Region, kind: str, listed: Callable[[], Iterable[Any]]) -> bool:
    return region.calls.read(f"project {kind}", lambda: any(True for _ in listed()))


def _list(read: Callable[..., Iterable[Any]], **query: str) -> list[Any]:
    return list(read(**query))
