"""Tickets as records: states, where they may go next, and approvals."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from inventory.domain.errors import Problem
from inventory.domain.ids import DepartmentId, ProjectId, SystemId, TicketId


class Action(StrEnum):
    """What a ticket asks for; the last two are not offered yet."""

    CREATE = "create"
    CHANGE = "change"
    RENEW = "renew"
    RELEASE = "release"
    ADOPT = "adopt"
    TRANSFER = "transfer"


class TicketState(StrEnum):
    """Life of a ticket (DESIGN §9)."""

    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    ACCEPTED = "accepted"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[TicketState, frozenset[TicketState]] = {
    TicketState.PLANNED: frozenset({TicketState.AWAITING_APPROVAL, TicketState.ACCEPTED, TicketState.REFUSED, TicketState.DONE}),
    TicketState.AWAITING_APPROVAL: frozenset(
        {TicketState.ACCEPTED, TicketState.REFUSED, TicketState.CANCELLED, TicketState.DONE}
    ),
    TicketState.ACCEPTED: frozenset({TicketState.RUNNING, TicketState.DONE, TicketState.FAILED}),
    TicketState.RUNNING: frozenset({TicketState.DONE, TicketState.FAILED}),
    #: A failed ticket may be tried again.
    TicketState.FAILED: frozenset({TicketState.RUNNING, TicketState.DONE}),
    TicketState.DONE: frozenset(),
    TicketState.REFUSED: frozenset(),
    TicketState.CANCELLED: frozenset(),
}

#: States in which the reconciler is at work for a ticket.
OPEN_STATES = frozenset({TicketState.ACCEPTED, TicketState.RUNNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The durable record of one requested change to one system."""

    id: TicketId
    action: Action
    state: TicketState
    system_name: str
    system_id: SystemId | None
    department_id: DepartmentId
    project_id: ProjectId | None
    #: SHA-256 of the submitted bytes.
    sha256: str
    #: Digest of the wanted spec, empty for a release.
    spec_digest: str
    plan: Mapping[str, Any]
    problem: Problem | None
    created_by: str
    created_at_s: float
    accepted_at_s: float | None = None
    finished_at_s: float | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketEvent:
    """One line of a ticket's story, as a code of the catalogue with its numbers."""

    seq: int
    at_s: float
    #: Name of the machine or disk it speaks of, empty for the ticket itself.
    subject: str
    code: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEvent:
    """A line among those of all stories, with whose it is."""

    event: TicketEvent
    ticket_id: TicketId
    department_id: DepartmentId
    system_name: str

    @property
    def cursor(self) -> str:
        """Return its place in the order of all lines: time, ticket, number."""
        return f"{self.event.at_s!r},{self.ticket_id},{self.event.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One decision of one person on one subject."""

    id: str
    #: ``ticket`` | ``price_book``.
    subject_kind: str
    subject_id: str
    stage: str
    decided_by: str
    #: ``approved`` | ``rejected``.
    decision: str
    reason: str
    at_s: float
