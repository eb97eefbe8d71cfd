"""In whose project things are made: the credential's own, or one for each department, made on first use.

A department's project carries its code and the tag ``allotment``; nobody of the department gets a credential for it here,
at most a role of a group (``department_access``).
"""

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from drivers.openstack import department_access
from drivers.openstack.calls import Calls
from drivers.openstack.discovery import discover
from drivers.openstack.settings import PER_DEPARTMENT, RegionSettings
from inventory.domain.organisation import place_name

TAG = "allotment"
#: Octavia's service type.
BALANCING = "load-balancer"
#: Barbican's.
KEYS = "key-manager"
#: Ceilings of a department's project by service: the platform's own quota is the one that counts, these only catch a runaway.
GUARD_RAILS: Mapping[str, Mapping[str, int]] = {
    "compute": {"cores": 20_000, "ram": 80_000_000, "instances": 5_000, "metadata_items": 128, "server_groups": 1_000},
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
    "load_balancer": {"load_balancers": 1_000, "listeners": 10_000, "pools": 10_000, "members": 50_000},
}


class Projects:
    """The projects of one region."""

    def __init__(self, sdk: Any, calls: Calls, settings: RegionSettings) -> None:
        self._sdk = sdk
        self._calls = calls
        self._settings = settings
        self._connections: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}
        #: Names of projects seen, by id; None for one nobody could tell.
        self._names: dict[str, str | None] = {}
        self._sees_all: bool | None = None

    @property
    def is_per_department(self) -> bool:
        """Whether each department has a project of its own."""
        return self._settings.projects == PER_DEPARTMENT

    def listing_scope(self) -> dict[str, bool]:
        """Return what a listing needs to see every project, where this credential may: foreign machines count too."""
        if self._sees_all is None:
            self._sees_all = self._may_see_all()
        return {"all_projects": True} if self._sees_all else {}

    def _may_see_all(self) -> bool:
        compute = self._sdk.compute
        one = self._calls.read_if_allowed("machine", lambda: list(compute.servers(all_projects=True, limit=1, paginated=False)))
        return one is not None

    def names(self, project_ids: Collection[str]) -> Mapping[str, str]:
        """Return the names of projects; one that cannot be learned is called by its id. Asked only when a new one comes."""
        with self._lock:
            new = set(project_ids) - self._names.keys()
            if new:
                self._names |= dict.fromkeys(new) | self._read_names()
            return {id_: self._names[id_] or id_ for id_ in project_ids}

    def _read_names(self) -> dict[str, str]:
        found = self._calls.read_if_allowed("project", lambda: list(self._sdk.identity.projects()))
        if found is None:
            # A plain member sees its own project only, and knows its name.
            project = self._calls.read("project", lambda: self._sdk.current_project)
            return {project.id: project.name} if project.name else {}
        return {p.id: p.name for p in found}

    def connection(self, department: str) -> Any:
        """Return a connection whose token is of the department's project.

        Raises:
            DriverFault: Keystone refused or did not answer.
        """
        if not self.is_per_department or not department:
            return self._sdk
        return self._connection(department, ("compute", "block_storage"))

    def balancing(self, department: str) -> Any:
        """Return the load balancer service on a connection of its own: where it does not answer, the others do all the same.

        Raises:
            DriverFault: Keystone or Octavia refused or did not answer.
        """
        return self._connection(department if self.is_per_department else "", ("load_balancer",)).load_balancer

    def keys(self, department: str) -> Any:
        """Return the key manager, on a connection of its own as ``balancing``.

        Raises:
            DriverFault: Keystone or Barbican refused or did not answer.
        """
        return self._connection(department if self.is_per_department else "", ("key_manager",)).key_manager

    @contextmanager
    def keys_in(self, project_id: str) -> Iterator[Any]:
        """Give the key manager in a project that is to go: nothing of it is made or mended for that but our own way in.

        Raises:
            DriverFault: Keystone or Barbican refused or did not answer.
        """
        self._enter(project_id)
        connection = self._sdk.connect_as(project_id=project_id)
        try:
            discover(connection, self._calls, ("key_manager",))
            yield connection.key_manager
        finally:
            connection.close()

    def _connection(self, department: str, services: tuple[str, ...]) -> Any:
        with self._lock:
            key = (department, services)
            if key not in self._connections:
                project = {"project_id": self._project_id(department)} if department else {}
                connection = self._sdk.connect_as(**project)
                discover(connection, self._calls, services)
                self._connections[key] = connection
            return self._connections[key]

    def forget(self, department: str) -> None:
        """Hear that a department's project is gone."""
        with self._lock:
            self._ids.pop(department, None)
            for key in [k for k in self._connections if k[0] == department]:
                self._connections.pop(key).close()

    def owner(self, department: str) -> dict[str, str]:
        """Return what says, in a request for a network or a port, whose it is to be.

        Raises:
            DriverFault: Keystone refused or did not answer.
        """
        if not self.is_per_department or not department:
            return {}
        with self._lock:
            return {"project_id": self._project_id(department)}

    def _project_id(self, department: str) -> str:
        if department not in self._ids:
            self._ids[department] = self._ensure(department).id
        return self._ids[department]

    def _ensure(self, department: str) -> Any:
        identity, domain_id = self._sdk.identity, self._settings.project_domain
        name = place_name(department)
        found = self._calls.read("project", lambda: list(identity.projects(name=name, domain_id=domain_id)))
        project = found[0] if found else self._make(name, department)
        self._enter(project.id)
        department_access.grant(self._sdk, self._calls, self._settings, project.id, department)
        self._raise_quotas(project.id)
        return project

    def _enter(self, project_id: str) -> None:
        """Have our own role in a project."""
        identity = self._sdk.identity
        role = self._calls.read("project", lambda: identity.find_role(self._settings.project_role, ignore_missing=False))
        user_id = self._calls.read("project", lambda: self._sdk.current_user_id)
        self._calls.change("project", lambda: identity.assign_project_role_to_user(project_id, user_id, role))

    def _make(self, name: str, department: str) -> Any:
        identity, domain_id = self._sdk.identity, self._settings.project_domain
        body = {"name": name, "domain_id": domain_id, "description": f"Allotment: {department}", "tags": [TAG]}
        return self._calls.change("project", lambda: identity.create_project(**body))

    def _raise_quotas(self, project_id: str) -> None:
        """Put the region's quotas of a project above ours; the defaults of a region are below what one department needs."""
        compute, block, network = self._sdk.compute, self._sdk.block_storage, self._sdk.network
        calls = {
            "compute": partial(compute.update_quota_set, project_id, **GUARD_RAILS["compute"]),
            "block_storage": partial(block.update_quota_set, project_id, **GUARD_RAILS["block_storage"]),
            "network": partial(network.update_quota, project_id, **GUARD_RAILS["network"]),
        }
        if self._calls.read("discover", lambda: self._sdk.has_service(BALANCING)):
            update = self._calls.read("discover", lambda: self._sdk.load_balancer).update_quota
            calls["load_balancer"] = partial(update, project_id, **GUARD_RAILS["load_balancer"])
        for service, call in calls.items():
            self._calls.change(f"{service} quota", call)

    def close(self) -> None:
        """Drop the departments' connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
