"""A role of a department's people in the department's own project, where ``clouds.yaml`` names a group of theirs.

The group is the region's (often one of a directory): it is found, and made only where that is asked for. The platform gives it
one role in the project, on first use, and never one that is an administrator's. The role goes with the project.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from openstack import exceptions as sdk_errors

from drivers.faults import Permanent
from drivers.openstack.calls import Calls
from drivers.openstack.settings import DEPARTMENT_MARK, MAKE, RegionSettings, is_strong_role


def people_of(settings: RegionSettings, department: str) -> str:
    """Return the name of a department's group; empty where none is given a role. Pure."""
    return settings.department_group.replace(DEPARTMENT_MARK, department)


def grant(sdk: Any, calls: Calls, settings: RegionSettings, project_id: str, department: str) -> None:
    """Have the department's group hold its role in the project.

    Raises:
        Permanent: ``openstack.group_missing``, ``openstack.role_missing``, ``openstack.role_too_strong``.
        DriverFault: Keystone refused or did not answer.
    """
    name = people_of(settings, department)
    if not name:
        return
    role_id = _role_id(sdk, calls, settings.department_role)
    group = _find(sdk, calls, settings, name)
    if group is None and settings.department_group_missing != MAKE:
        raise Permanent("openstack.group_missing", group=name, domain=settings.department_group_domain)
    group_id = group.id if group is not None else _make(sdk, calls, settings, name, department)
    path = f"/projects/{project_id}/groups/{group_id}/roles/{role_id}"
    calls.change("department group", partial(_answered, sdk.identity.put, path))


def withdraw(sdk: Any, calls: Calls, settings: RegionSettings, department: str) -> None:
    """Have no group of a department that we made; the project is gone, and the role with it. One with other roles stays."""
    name = people_of(settings, department)
    group = _find(sdk, calls, settings, name) if name else None
    if group is None or group.description != _description(department):
        return
    held = calls.read("department group", lambda: list(sdk.identity.role_assignments(group_id=group.id)))
    if not held:
        calls.change("department group", partial(sdk.identity.delete_group, group.id))


def _find(sdk: Any, calls: Calls, settings: RegionSettings, name: str) -> Any:
    query = {"name": name, "domain_id": settings.department_group_domain}
    return next(iter(calls.read("department group", lambda: list(sdk.identity.groups(**query)))), None)


def _make(sdk: Any, calls: Calls, settings: RegionSettings, name: str, department: str) -> str:
    body = {"name": name, "domain_id": settings.department_group_domain, "description": _description(department)}
    return str(calls.change("department group", lambda: sdk.identity.create_group(**body)).id)


def _description(department: str) -> str:
    return f"Allotment: {department}"


def _role_id(sdk: Any, calls: Calls, name: str) -> str:
    """Return the id of a role that neither is nor implies an administrator's."""
    roles: dict[str, str] = {role.id: role.name for role in calls.read("role", lambda: list(sdk.identity.roles()))}
    role_id: str | None = next((id_ for id_, own in roles.items() if own == name), None)
    if role_id is None:
        raise Permanent("openstack.role_missing", role=name, known=", ".join(sorted(roles.values())))
    inferences = calls.read("role", partial(_answered, sdk.identity.get, "/role_inferences"))["role_inferences"]
    implied = {i["prior_role"]["id"]: [r["id"] for r in i["implies"]] for i in inferences}
    strong = sorted(roles[r] for r in _all_implied(role_id, implied) if is_strong_role(roles.get(r, "")))
    if strong:
        raise Permanent("openstack.role_too_strong", role=name, implied=", ".join(strong))
    return role_id


def _all_implied(role_id: str, implied: dict[str, list[str]]) -> Iterable[str]:
    """Return a role and all it implies, directly or not. Pure; ends on circles too."""
    found, waiting = {role_id}, [role_id]
    while waiting:
        new = set(implied.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found


def _answered(verb: Any, path: str) -> Any:
    answer = verb(path)
    sdk_errors.raise_from_response(answer)
    return answer.json() if answer.content else {}
