"""A project something new may be booked on."""

from sqlalchemy import Connection

from inventory.domain.errors import Conflict, NotFound
from inventory.domain.organisation import Project
from inventory.domain.scope import Scope
from inventory.store import directory


def open_project(connection: Connection, code: str, scope: Scope, *, closed_code: str) -> Project:
    """Return an open project of the scope by code or id.

    Raises:
        NotFound: ``project.not_found``, for one outside the scope too.
        Conflict: ``closed_code``.
    """
    for project in directory.projects(connection):
        if code in (project.code, project.id) and scope.allows(project.department_id):
            if not project.is_open:
                raise Conflict(closed_code, project=project.code)
            return project
    raise NotFound("project.not_found", project=code)
