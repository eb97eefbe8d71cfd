"""Hosts that are in an admin state past the time somebody said for it: told to operators, and left as they are.

``chores`` calls it every minute. The finding closes when somebody moves the host to another state.
"""

from typing import Any

from sqlalchemy import Connection

from inventory.domain.host import Host
from inventory.domain.ids import NewId
from inventory.store import findings, hosts


def report_overdue(connection: Connection, new_id: NewId, now_s: float) -> int:
    """Write a finding for each host that is overdue and close those that are not true any more; returns how many are new."""
    found = [_finding(host, new_id) for host in hosts.overdue(connection, now_s)]
    subjects = [row["subject"] for row in found]
    known = findings.open_subjects(connection, findings.HOST_STATE)
    if found:
        findings.save(connection, found, now_s)
    if known - set(subjects):
        findings.close_of_kind(connection, findings.HOST_STATE, but_subjects=subjects)
    return len(set(subjects) - known)


def _finding(host: Host, new_id: NewId) -> dict[str, Any]:
    detail = {
        "host": host.name,
        "admin_state": host.admin_state.value,
        "until_s": host.state_until_s,
        "by": host.state_by,
        "reason": host.state_reason,
    }
    # One finding for each word that was given: a host that is overdue again is found anew, with a time of its own.
    subject = f"{findings.HOST_STATE}:{host.id}:{host.revision}"
    own = {"id": new_id("finding"), "kind": findings.HOST_STATE, "host_id": host.id, "resource_id": None}
    return {**own, "subject": subject, "detail": detail, "state": "open"}
