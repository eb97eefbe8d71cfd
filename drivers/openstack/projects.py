"""In whose project things are made: the credential's own, or one for each department, made on first use.

A department's project carries its code and the tag ``allotment``; nobody of the department gets a credential for it here,
at most a role of a group (``department_access``).
"""

import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from drivers.faults import Permanent
from drivers.openstack import department_access, quotas
from drivers.openstack.calls import Calls
from drivers.openstack.discovery import discover
from drivers.openstack.settings import PER_DEPARTMENT, RegionSettings
from inventory.domain.organisation import place_name

TAG = "allotment"
#: Barbican's.
KEYS = "key-manager"
#: A project that is known is looked for again after this time: another controller may have taken it away, and Neutron would make
#: things of a project that is not there.
PROJECT_AGE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A department's project as it was seen last."""

    project_id: str
    seen_at_s: float
    #: How often the region had refused us by then.
    denial_count: int


class Projects:
    """The projects of one region."""

    def __init__(self, sdk: Any, calls: Calls, settings: RegionSettings) -> None:
        self._sdk = sdk
        self._calls = calls
        self._settings = settings
        self._connections: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
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
        return self._connection(department, ("compute", "block_storage") if self._settings.has_volumes else ("compute",))

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
            # First, because it may find that what is kept here is of a project that is gone.
            project = {"project_id": self._project_id(department)} if department else {}
            return self._opened(department, services, project)

    def _opened(self, department: str, services: tuple[str, ...], project: Mapping[str, str]) -> Any:
        key = (department, services)
        if key not in self._connections:
            connection = self._sdk.connect_as(**project)
            discover(connection, self._calls, services)
            self._connections[key] = connection
        return self._connections[key]

    def _octavia(self) -> Any:
        # Not of the connection others are made from: the SDK hands on the address it found, and Octavia's says no version.
        return self._opened("", ("load_balancer",), {}).load_balancer

    def forget(self, department: str) -> None:
        """Hear that a department's project is gone."""
        with self._lock:
            self._forget(department)

    def _forget(self, department: str) -> None:
        self._known.pop(department, None)
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
        denial_count, now_s = self._calls.denial_count, time.monotonic()
        known = self._known.get(department)
        if known is None or known.denial_count != denial_count or not self._is_there(known, now_s):
            self._forget(department)
            project_id = self._ensure(department)
        else:
            project_id = known.project_id
            now_s = known.seen_at_s if now_s - known.seen_at_s < PROJECT_AGE_S else now_s
        self._known[department] = _Known(project_id=project_id, seen_at_s=now_s, denial_count=denial_count)
        return project_id

    def _is_there(self, known: _Known, now_s: float) -> bool:
        if now_s - known.seen_at_s < PROJECT_AGE_S:
            return True
        return self._calls.find("project", lambda: self._sdk.identity.get_project(known.project_id)) is not None

    def _ensure(self, department: str) -> str:
        """Return the id of the department's project, made where there is none.

        Raises:
            Permanent: ``openstack.project_foreign``: one of that name is somebody else's.
        """
        identity, domain_id = self._sdk.identity, self._settings.project_domain
        name = place_name(department)
        found = self._calls.read("project", lambda: list(identity.projects(name=name, domain_id=domain_id)))
        if any(TAG not in (p.tags or ()) for p in found):
            raise Permanent("openstack.project_foreign", name=name, domain=domain_id, tag=TAG)
        project = found[0] if found else self._make(name, department)
        self._enter(project.id)
        department_access.grant(self._sdk, self._calls, self._settings, project.id, department)
        has_volumes = self._settings.has_volumes
        quotas.ensure_quotas(self._sdk, self._calls, project.id, self._octavia, has_volumes=has_volumes)
        return str(project.id)

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

    def close(self) -> None:
        """Drop the departments' connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
