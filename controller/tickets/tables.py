"""Tickets, what happened to them, who approved, and the stored explanations."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from inventory.store.columns import Big, Json, Seconds
from inventory.store.tables import METADATA

tickets = Table(
    "tickets",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("system_name", Text, nullable=False),
    Column("system_id", Text, index=True),
    Column("department_id", Text, ForeignKey("departments.id"), nullable=False),
    Column("project_id", Text),
    #: The bytes as they were handed in, and their hash.
    Column("submitted", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    #: Digest of the wanted spec: what a repeated submission is recognised by.
    Column("spec_digest", Text, nullable=False),
    Column("plan", Json, nullable=False),
    Column("problem", Json),
    Column("created_by", Text, nullable=False),
    Column("created_at_s", Seconds, nullable=False),
    Column("accepted_at_s", Seconds),
    Column("finished_at_s", Seconds),
    Column("revision", Big, nullable=False),
    sqlite_strict=True,
)
Index("ix_tickets_page", tickets.c.department_id, tickets.c.id)
Index("ix_tickets_state", tickets.c.state)
#: What was asked for a system before, the newest first: every submission looks.
Index("ix_tickets_system_name", tickets.c.department_id, tickets.c.system_name, tickets.c.id)

#: Steps as people see them.
ticket_events = Table(
    "ticket_events",
    METADATA,
    Column("ticket_id", Text, ForeignKey("tickets.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at_s", Seconds, nullable=False),
    #: Name of the resource it speaks of, empty for the ticket itself.
    Column("subject", Text, nullable=False),
    #: A code of the catalogue.
    Column("code", Text, nullable=False),
    Column("params", Json, nullable=False),
    sqlite_strict=True,
)
#: All stories in the order they happened.
Index("ix_ticket_events_at", ticket_events.c.at_s, ticket_events.c.ticket_id, ticket_events.c.seq)

approvals = Table(
    "approvals",
    METADATA,
    Column("id", Text, primary_key=True),
    #: What is decided on: ``ticket`` | ``price_book``.
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    #: ``approved`` | ``rejected``.
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_s", Seconds, nullable=False),
    UniqueConstraint("subject_id", "stage", "decided_by"),
    sqlite_strict=True,
)

explanations = Table(
    "explanations",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("ticket_id", Text, ForeignKey("tickets.id"), nullable=False, index=True),
    Column("system_id", Text, index=True),
    #: ``placement`` | ``refusal``.
    Column("kind", Text, nullable=False),
    Column("at_s", Seconds, nullable=False),
    Column("body", Json, nullable=False),
    #: The first explanation of the same decision, and what was asked, which stands with that one (``scheduling.asked``).
    Column("decision_id", Text, nullable=False),
    Column("asked", Json),
    sqlite_strict=True,
)
