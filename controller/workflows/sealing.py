"""The last statement of a transaction that somebody asked for: who did what to what, in the audit chain."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Caller
from controller.workflows.platform import Platform
from inventory.domain.ids import DepartmentId


def seal(
    connection: Connection,
    platform: Platform,
    caller: Caller,
    action: str,
    target: str,
    detail: Mapping[str, Any],
    department_id: DepartmentId | None = None,
) -> None:
    """Write the event of what was just done (see ``audit.append`` for why it comes last)."""
    event = audit.event_by(
        caller, at_s=platform.clock(), action=action, target=target, department_id=department_id, detail=detail
    )
    audit.append(connection, event)
