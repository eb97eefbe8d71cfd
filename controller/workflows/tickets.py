"""The life of a ticket up to acceptance: check, plan, submit, approve. What comes after is the reconciler's.

Each function is one request of the API. A ticket is accepted whole in one transaction (``commit``) or refused whole with
its explanation stored; a decision made on an old picture is made again, a bounded number of times.
"""

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.tickets import store
from controller.tickets.model import Approval, Ticket, TicketState
from controller.workflows.acceptance import accept_stored
from controller.workflows.platform import Platform
from controller.workflows.quote import Quote, Wish, decide_afresh, quote
from controller.workflows.reading import Reader
from controller.workflows.sealing import seal
from controller.workflows.submission import TURNS, facts_of, submit, with_fresh_pictures
from controller.workflows.wish import parse, read_wish
from inventory.domain.errors import Conflict, Forbidden, Problem, Unplaceable
from inventory.domain.ids import TicketId
from inventory.store import resources

__all__ = ["approve", "cancel", "check", "plan", "reject", "retry", "submit"]


def check(platform: Platform, data: bytes, caller: Caller) -> Wish:
    """Read a ticket against the platform as it is; nothing is stored.

    Raises:
        Invalid: with every problem of the document.
    """
    with platform.db.read() as connection:
        return read_wish(Reader(connection), parse(platform, data), caller)


def plan(platform: Platform, data: bytes, caller: Caller) -> Quote:
    """Say what a ticket would do, cost and need; nothing is stored.

    Raises:
        Invalid: with every problem of the document.
    """
    with platform.db.read() as connection:
        reader = Reader(connection)
        wish = read_wish(reader, parse(platform, data), caller)
        offer = quote(reader, platform, wish, decide_afresh(connection, platform, is_explaining=True))
    return offer.explained()


def approve(platform: Platform, ticket_id: str, caller: Caller, reason: str) -> Ticket:
    """Agree to a waiting ticket as a second person; with the last stage it is committed.

    Raises:
        NotFound: ``ticket.not_found``.
        Unplaceable: it fits no more; with the explanation. The ticket waits on, and nothing was agreed to.
        Forbidden: ``approval.own_ticket``.
        Conflict: ``ticket.state_forbids``; ``plan.changed``: what it would do now is not what was handed in.
    """

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        now_s = platform.clock()
        _decide_stage(connection, platform, ticket, caller, "approved", reason)
        data = store.submitted_bytes(connection, ticket.id)
        reader = Reader(connection)
        wish = read_wish(reader, parse(platform, data), caller)
        offer = quote(reader, platform, wish, decide_afresh(connection, platform))
        if wish.spec_digest != ticket.spec_digest or not offer.is_as_told(ticket.plan):
            raise Conflict("plan.changed", system=ticket.system_name)
        accepted = store.move(connection, ticket, TicketState.ACCEPTED, now_s=now_s)
        accept_stored(connection, platform, accepted, offer)
        _seal(connection, platform, caller, accepted, "ticket.approve")
        return store.get(connection, ticket_id, caller.scope)

    for turn in range(1, TURNS + 1):
        try:
            return with_fresh_pictures(platform, once)
        except Unplaceable as refusal:
            offer = _explained(platform, ticket_id, caller)
            if not offer.is_possible or turn == TURNS:
                raise Unplaceable(refusal.code, details=offer.to_json(), **refusal.params) from refusal
    raise AssertionError("the last turn has an outcome")


def _explained(platform: Platform, ticket_id: str, caller: Caller) -> Quote:
    """Say what would fit instead of a ticket that was possible when it was handed in; outside of the transaction."""
    with platform.db.read(is_steady=True) as connection:
        reader = Reader(connection)
        wish = read_wish(reader, parse(platform, store.submitted_bytes(connection, TicketId(ticket_id))), caller)
        offer = quote(reader, platform, wish, decide_afresh(connection, platform, is_explaining=True))
    return offer.explained()


def reject(platform: Platform, ticket_id: str, caller: Caller, reason: str) -> Ticket:
    """Turn a waiting ticket down; as ``approve``, by a second person only."""

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        _decide_stage(connection, platform, ticket, caller, "rejected", reason)
        problem = Problem("approval.rejected", {"by": caller.user_name, "reason": reason})
        moved = store.move(connection, ticket, TicketState.REFUSED, now_s=platform.clock(), problem=problem)
        _seal(connection, platform, caller, moved, "ticket.reject")
        return moved

    return platform.db.run(once)


def cancel(platform: Platform, ticket_id: str, caller: Caller) -> Ticket:
    """Withdraw a ticket that still waits; one that was accepted is undone by a release or a change."""

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        moved = store.move(connection, ticket, TicketState.CANCELLED, now_s=platform.clock())
        _seal(connection, platform, caller, moved, "ticket.cancel")
        return moved

    return platform.db.run(once)


def retry(platform: Platform, ticket_id: str, caller: Caller) -> Ticket:
    """Have the reconciler try a failed ticket's resources again.

    Raises:
        Conflict: ``ticket.state_forbids``.
    """

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        if ticket.state is not TicketState.FAILED:
            # One that was only accepted may go there too, but by the hand of who works on it.
            raise Conflict("ticket.state_forbids", ticket=ticket.id, state=ticket.state.value, wanted=TicketState.RUNNING.value)
        now_s = platform.clock()
        moved = store.move(connection, ticket, TicketState.RUNNING, now_s=now_s)
        resources.retry_failed(connection, ticket.id, now_s)
        _seal(connection, platform, caller, moved, "ticket.retry")
        return moved

    return platform.db.run(once)


def _decide_stage(connection: Connection, platform: Platform, ticket: Ticket, caller: Caller, decision: str, reason: str) -> None:
    if ticket.state is not TicketState.AWAITING_APPROVAL:
        raise Conflict("ticket.state_forbids", ticket=ticket.id, state=ticket.state.value, wanted=decision)
    if caller.user_name == ticket.created_by:
        raise Forbidden("approval.own_ticket", ticket=ticket.id)
    approval = Approval(
        id=platform.new_id("approval"),
        subject_kind="ticket",
        subject_id=ticket.id,
        stage=ticket.plan["approvals"][0],
        decided_by=caller.user_name,
        decision=decision,
        reason=reason,
        at_s=platform.clock(),
    )
    store.add_approval(connection, approval)


def _seal(connection: Connection, platform: Platform, caller: Caller, ticket: Ticket, action: str) -> None:
    seal(connection, platform, caller, action, ticket.id, facts_of(ticket), ticket.department_id)
