"""Acceptance: a checked offer becomes promises and rows, in the caller's transaction. For submissions and approvals.

New systems are accepted many at a time, with one statement per table; everything else changes what exists and is accepted
by itself.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from controller.scheduling.asked import Asked
from controller.scheduling.explain import explanation_to_json
from controller.tickets import store
from controller.tickets.model import Ticket, TicketState
from controller.workflows import commit as commit_module
from controller.workflows.commit import LeftOut, Order, StalePicture
from controller.workflows.obligation import growth, lease_end_s
from controller.workflows.platform import Platform
from controller.workflows.quote import Quote
from controller.workflows.reading import Reader
from inventory.domain.errors import Conflict, Invalid, Problem, QuotaExceeded, Unplaceable
from inventory.domain.ids import SystemId, TicketId
from inventory.domain.placement import Placement, Refusal
from inventory.domain.resource import Desired, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.domain.system import System, SystemState
from inventory.store import bulk, resources, systems
from quotas import budget_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepting:
    """A ticket for a new system that is about to be accepted."""

    ticket: Ticket
    offer: Quote
    #: The bytes it came as.
    data: bytes


def check_offer(offer: Quote, confirm: str, plan_digest: str) -> None:
    """Refuse what is not what the caller looked at, does not fit, is over a limit, or needs a typed name.

    Raises:
        Conflict: ``plan.changed``.
        Unplaceable: ``placement.no_host_fits``, with the explanation.
        QuotaExceeded: with every overrun.
        Invalid: ``ticket.confirmation_missing``.
    """
    if plan_digest and plan_digest != offer.digest():
        raise Conflict("plan.changed", system=offer.wish.name)
    if isinstance(offer.decision, Refusal):
        raise Unplaceable("placement.no_host_fits", details=offer.to_json(), system=offer.wish.name)
    _check_quota(offer)
    _check_budget(offer)
    if offer.needs_confirmation and confirm != offer.wish.name:
        raise Invalid("ticket.confirmation_missing", system=offer.wish.name)


def _check_quota(offer: Quote) -> None:
    over = [asdict(line) | {"asked": line.asked} for line in offer.quota if line.is_over]
    if over:
        problems = [Problem("quota.exceeded", line) for line in over]
        details = offer.to_json() | {"overruns": over}
        raise QuotaExceeded("quota.exceeded", problems=problems, details=details, **over[0])


def _check_budget(offer: Quote) -> None:
    over = [line for line in offer.budget if line.is_over]
    if over:
        refusal = budget_store.exceeded(over, offer.wish.project.code)
        raise QuotaExceeded(refusal.code, problems=refusal.problems, details=offer.to_json() | refusal.details, **refusal.params)


def accept_new(reader: Reader, platform: Platform, accepting: Sequence[Accepting]) -> dict[TicketId, LeftOut]:
    """Accept tickets for new systems, each whole or not at all; returns those that were left out, and why.

    Raises:
        As ``commit.commit_many``; the caller must roll back.
    """
    orders = {a.ticket.id: _order(platform, a.ticket, a.offer) for a in accepting}
    connection = reader.connection
    with bulk.together(connection):
        left_out = commit_module.commit_many(connection, list(orders.values()), platform.new_id, reader.departments)
        held = [a for a in accepting if a.ticket.id not in left_out]
        store.insert(connection, [(a.ticket, a.data) for a in held])
        explained = [explanation_rows(platform, a.ticket.id, a.offer.decision, a.offer.asked, a.ticket.system_id) for a in held]
        store.add_explanations(connection, [row for rows in explained for row in rows])
        begun = [(a.ticket.id, "step.accepted", {"system": a.ticket.system_name}) for a in held]
        store.begin_stories(connection, begun, platform.clock())
    return left_out


def accept_stored(connection: Connection, platform: Platform, ticket: Ticket, offer: Quote) -> None:
    """Accept a ticket that is written already, whatever it asks for.

    Raises:
        StalePicture: the decision was made on an old picture.
        QuotaExceeded: as ``commit.commit``.
        Unplaceable: it does not fit any more.
    """
    wish = offer.wish
    if wish.wanted is None:
        _accept_release(connection, platform, ticket, offer)
        return
    if isinstance(offer.decision, Refusal):
        # Possible when it was handed in, and not any more.
        raise Unplaceable("placement.no_host_fits", details=offer.to_json(), system=wish.name)
    order = _order(platform, ticket, offer)
    stale = commit_module.commit(connection, order, platform.new_id)
    if stale is not None:
        raise StalePicture(stale)
    store.set_system(connection, ticket.id, order.system.id)
    store.add_explanations(connection, explanation_rows(platform, ticket.id, offer.decision, offer.asked, order.system.id))
    _after_acceptance(connection, ticket, order.system, order.now_s)


def _order(platform: Platform, ticket: Ticket, offer: Quote) -> Order:
    """Return what the commit has to write."""
    wish = offer.wish
    assert wish.wanted is not None
    members = offer.decision.members if isinstance(offer.decision, Placement) else ()
    now_s = platform.clock()
    system = System(
        id=ticket.system_id or SystemId(platform.new_id("system")),
        name=wish.name,
        department_id=wish.department.id,
        project_id=wish.project.id,
        state=SystemState.ACTIVE if offer.deltas.is_empty else SystemState.BUILDING,
        revision=(wish.current.revision if wish.current else 0) + 1,
        spec=wish.wanted,
        lease_end_s=lease_end_s(wish.wanted.lease_end, platform.zone),
    )
    return Order(
        ticket_id=ticket.id,
        system=system,
        base_revision=wish.current.revision if wish.current else 0,
        department=wish.department,
        project=wish.project,
        zone=wish.zone,
        deltas=offer.deltas,
        placements={m.name: m for m in members},
        images=wish.images,
        now_s=now_s,
        draw=offer.draw,
        obliges=growth(offer.budget),
    )


def _accept_release(connection: Connection, platform: Platform, ticket: Ticket, offer: Quote) -> None:
    wish = offer.wish
    assert wish.current is not None
    now_s = platform.clock()
    system = replace(wish.current, state=SystemState.RELEASING, revision=wish.current.revision + 1)
    systems.replace(connection, system, base_revision=wish.current.revision)
    living = [r.id for r in resources.of_system(connection, system.id) if r.kind is not ResourceKind.SEGMENT]
    resources.wish(connection, living, desired=Desired.ABSENT, ticket_id=ticket.id, now_s=now_s)
    budget_store.lower(connection, growth(offer.budget))
    _after_acceptance(connection, ticket, system, now_s)


def _after_acceptance(connection: Connection, ticket: Ticket, system: System, now_s: float) -> None:
    """Tell the story's first line; a ticket that moves nothing (a renewal) is done at once."""
    store.add_events(connection, ticket.id, [("", "step.accepted", {"system": system.name})], now_s)
    systems.refresh_state(connection, system.id)
    if not resources.any_unsettled_of_ticket(connection, ticket.id):
        current = store.get(connection, ticket.id, PLATFORM)
        store.move(connection, current, TicketState.DONE, now_s=now_s)
        store.add_events(connection, ticket.id, [("", "step.ticket_done", {})], now_s)


def new_ticket(platform: Platform, user_name: str, offer: Quote) -> Ticket:
    """Return the record of a submission, not decided yet."""
    wish = offer.wish
    return Ticket(
        id=TicketId(platform.new_id("ticket")),
        action=wish.action,
        state=TicketState.PLANNED,
        system_name=wish.name,
        system_id=wish.current.id if wish.current else None,
        department_id=wish.department.id,
        project_id=wish.project.id,
        sha256=wish.sha256,
        spec_digest=wish.spec_digest,
        plan=offer.to_stored_json(),
        problem=None,
        created_by=user_name,
        created_at_s=platform.clock(),
    )


def explanation_rows(
    platform: Platform,
    ticket_id: TicketId,
    decision: Placement | Refusal | None,
    asked: Asked | None,
    system_id: SystemId | None,
) -> list[dict[str, Any]]:
    """Return the rows of what a decision explains; what was asked stands with the first."""
    if decision is None or asked is None:
        return []
    ids = [platform.new_id("explanation") for _ in decision.explanations]
    return [
        {
            "id": id_,
            "ticket_id": ticket_id,
            "system_id": system_id,
            "kind": "placement" if isinstance(decision, Placement) else "refusal",
            "at_s": platform.clock(),
            "body": explanation_to_json(explanation),
            "decision_id": ids[0],
            "asked": asked.to_json() if id_ == ids[0] else None,
        }
        for id_, explanation in zip(ids, decision.explanations, strict=True)
    ]
