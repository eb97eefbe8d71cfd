"""The life of a ticket up to acceptance: check, plan, submit, approve. What comes after is the reconciler's.

Each function is one request of the API. A ticket is accepted whole in one transaction (``commit``) or refused whole with
its explanation stored; a decision made on an old picture is made again, a bounded number of times.
"""

from collections.abc import Callable
from dataclasses import asdict, replace

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from controller.identity import audit
from controller.identity.caller import Caller
from controller.scheduling.explain import explanation_to_json
from controller.tickets import store
from controller.tickets.model import Action, Approval, Ticket, TicketState
from controller.workflows import commit as commit_module
from controller.workflows.platform import Platform
from controller.workflows.quote import Quote, Wish, lease_end_s, quote
from controller.workflows.wish import read_wish
from inventory.domain.errors import AllotError, Conflict, Forbidden, Invalid, Problem, QuotaExceeded, Unavailable, Unplaceable
from inventory.domain.ids import SystemId, TicketId
from inventory.domain.placement import Placement, Refusal
from inventory.domain.resource import Desired, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.domain.system import System, SystemState
from inventory.store import resources, systems

#: Fresh pictures tried before a busy platform is said to be busy.
_COMMIT_TRIES = 8


class _StalePicture(Exception):
    """Rolls a transaction back that found its decision out of date."""


def check(platform: Platform, data: bytes, caller: Caller) -> Wish:
    """Read a ticket against the platform as it is; nothing is stored.

    Raises:
        Invalid: with every problem of the document.
    """
    with platform.db.read() as connection:
        return read_wish(connection, platform, data, caller)


def plan(platform: Platform, data: bytes, caller: Caller) -> Quote:
    """Say what a ticket would do, cost and need; nothing is stored.

    Raises:
        Invalid: with every problem of the document.
    """
    with platform.db.read() as connection:
        return quote(connection, platform, read_wish(connection, platform, data, caller))


def submit(platform: Platform, data: bytes, caller: Caller, *, confirm: str = "", plan_digest: str = "") -> Ticket:
    """Accept a ticket: commit it, or have it wait for its approvals. The same bytes again give the same ticket.

    Raises:
        Invalid: with every problem of the document, or ``ticket.confirmation_missing``.
        Conflict: ``plan.changed``: the plan the caller looked at is not what would happen now.
        QuotaExceeded: the refused ticket is stored; ``details`` name it and every overrun.
        Unplaceable: the refused ticket is stored with the explanation.
        Unavailable: ``ticket.too_busy`` after a bounded number of tries.
    """

    def once(connection: Connection) -> Ticket:
        wish = read_wish(connection, platform, data, caller)
        twin = _twin(connection, wish)
        if twin is not None:
            return twin
        offer = quote(connection, platform, wish)
        _check_offer(offer, confirm, plan_digest)
        ticket = _new_ticket(platform, caller, offer)
        if offer.approvals and offer.is_possible:
            ticket = replace(ticket, state=TicketState.AWAITING_APPROVAL)
            store.insert(connection, ticket, data)
            store.add_events(connection, ticket.id, [("", "step.awaiting_approval", {})], ticket.created_at_s)
        else:
            ticket = replace(ticket, state=TicketState.ACCEPTED, accepted_at_s=ticket.created_at_s)
            store.insert(connection, ticket, data)
            _accept(connection, platform, ticket, offer)
            ticket = store.get(connection, ticket.id, PLATFORM)
        _audit(connection, caller, ticket, "ticket.submit", platform.clock())
        return ticket

    try:
        return _with_fresh_pictures(platform, once)
    except (QuotaExceeded, Unplaceable) as refusal:
        raise _store_refusal(platform, data, caller, refusal) from refusal


def approve(platform: Platform, ticket_id: str, caller: Caller, reason: str) -> Ticket:
    """Agree to a waiting ticket as a second person; with the last stage it is committed.

    Raises:
        NotFound: ``ticket.not_found``.
        Forbidden: ``approval.own_ticket``.
        Conflict: ``ticket.state_forbids``; ``plan.changed``: what it would do now is not what was handed in.
    """

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        now_s = platform.clock()
        _decide_stage(connection, platform, ticket, caller, "approved", reason)
        data = store.submitted_bytes(connection, ticket.id)
        wish = read_wish(connection, platform, data, caller)
        offer = quote(connection, platform, wish)
        if offer.impact.value != ticket.plan["impact"] or wish.spec_digest != ticket.spec_digest:
            raise Conflict("plan.changed", system=ticket.system_name)
        accepted = store.move(connection, ticket, TicketState.ACCEPTED, now_s=now_s)
        _accept(connection, platform, accepted, offer)
        _audit(connection, caller, accepted, "ticket.approve", now_s)
        return store.get(connection, ticket_id, caller.scope)

    return _with_fresh_pictures(platform, once)


def reject(platform: Platform, ticket_id: str, caller: Caller, reason: str) -> Ticket:
    """Turn a waiting ticket down; as ``approve``, by a second person only."""

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        _decide_stage(connection, platform, ticket, caller, "rejected", reason)
        problem = Problem("approval.rejected", {"by": caller.user_name, "reason": reason})
        moved = store.move(connection, ticket, TicketState.REFUSED, now_s=platform.clock(), problem=problem)
        _audit(connection, caller, moved, "ticket.reject", platform.clock())
        return moved

    return platform.db.run(once)


def cancel(platform: Platform, ticket_id: str, caller: Caller) -> Ticket:
    """Withdraw a ticket that still waits; one that was accepted is undone by a release or a change."""

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        moved = store.move(connection, ticket, TicketState.CANCELLED, now_s=platform.clock())
        _audit(connection, caller, moved, "ticket.cancel", platform.clock())
        return moved

    return platform.db.run(once)


def retry(platform: Platform, ticket_id: str, caller: Caller) -> Ticket:
    """Have the reconciler try a failed ticket's resources again.

    Raises:
        Conflict: ``ticket.state_forbids``.
    """

    def once(connection: Connection) -> Ticket:
        ticket = store.get(connection, ticket_id, caller.scope)
        now_s = platform.clock()
        moved = store.move(connection, ticket, TicketState.RUNNING, now_s=now_s)
        resources.retry_failed(connection, ticket.id, now_s)
        _audit(connection, caller, moved, "ticket.retry", now_s)
        return moved

    return platform.db.run(once)


def _with_fresh_pictures(platform: Platform, once: Callable[[Connection], Ticket]) -> Ticket:
    for _ in range(_COMMIT_TRIES):
        try:
            return platform.db.run(once)
        except (_StalePicture, IntegrityError):
            # Another ticket took the capacity, the address or the name first: look again and decide again.
            continue
    raise Unavailable("ticket.too_busy", tries=_COMMIT_TRIES, retry_after_s=2)


def _twin(connection: Connection, wish: Wish) -> Ticket | None:
    """Return the ticket that already asked for just this, if its wish still stands."""
    latest = store.latest_like(connection, wish.department.id, wish.name, wish.sha256, wish.spec_digest)
    if wish.is_noop:
        assert wish.current is not None
        return latest or store.latest_of_system(connection, wish.current.id)
    waits = latest is not None and latest.state is TicketState.AWAITING_APPROVAL
    releasing = (
        wish.action is Action.RELEASE
        and latest is not None
        and wish.current is not None
        and wish.current.state is SystemState.RELEASING
    )
    return latest if waits or releasing else None


def _check_offer(offer: Quote, confirm: str, plan_digest: str) -> None:
    if plan_digest and plan_digest != offer.digest():
        raise Conflict("plan.changed", system=offer.wish.name)
    if isinstance(offer.decision, Refusal):
        raise Unplaceable("placement.no_host_fits", details=offer.to_json(), system=offer.wish.name)
    _check_quota(offer)
    if offer.needs_confirmation and confirm != offer.wish.name:
        raise Invalid("ticket.confirmation_missing", system=offer.wish.name)


def _check_quota(offer: Quote) -> None:
    over = [asdict(line) | {"asked": line.asked} for line in offer.quota if line.is_over]
    if over:
        problems = [Problem("quota.exceeded", line) for line in over]
        details = offer.to_json() | {"overruns": over}
        raise QuotaExceeded("quota.exceeded", problems=problems, details=details, **over[0])


def _new_ticket(platform: Platform, caller: Caller, offer: Quote) -> Ticket:
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
        plan=_stored_plan(offer),
        problem=None,
        created_by=caller.user_name,
        created_at_s=platform.clock(),
    )


def _stored_plan(offer: Quote) -> dict[str, object]:
    """Return the plan as the ticket keeps it: explanations have a table of their own, placements follow the resources."""
    left_out = {"explanations", "placements", "spec"}
    return {name: value for name, value in offer.to_json().items() if name not in left_out}


def _accept(connection: Connection, platform: Platform, ticket: Ticket, offer: Quote) -> None:
    wish = offer.wish
    if wish.wanted is None:
        _accept_release(connection, platform, ticket, wish)
        return
    _check_offer_stands(offer)
    members = offer.decision.members if isinstance(offer.decision, Placement) else ()
    now_s = platform.clock()
    system = System(
        id=wish.current.id if wish.current else SystemId(platform.new_id("system")),
        name=wish.name,
        department_id=wish.department.id,
        project_id=wish.project.id,
        state=SystemState.ACTIVE if offer.deltas.is_empty else SystemState.BUILDING,
        revision=(wish.current.revision if wish.current else 0) + 1,
        spec=wish.wanted,
        lease_end_s=lease_end_s(wish.wanted.lease_end, platform.zone),
    )
    order = commit_module.Order(
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
    )
    if commit_module.commit(connection, order, platform.new_id) is not None:
        raise _StalePicture
    store.set_system(connection, ticket.id, system.id)
    _store_explanations(connection, platform, ticket, offer.decision, system.id)
    _after_acceptance(connection, ticket, system, now_s)


def _accept_release(connection: Connection, platform: Platform, ticket: Ticket, wish: Wish) -> None:
    assert wish.current is not None
    now_s = platform.clock()
    system = replace(wish.current, state=SystemState.RELEASING, revision=wish.current.revision + 1)
    systems.replace(connection, system, base_revision=wish.current.revision)
    living = [r.id for r in resources.of_system(connection, system.id) if r.kind is not ResourceKind.SEGMENT]
    resources.wish(connection, living, desired=Desired.ABSENT, ticket_id=ticket.id, now_s=now_s)
    _after_acceptance(connection, ticket, system, now_s)


def _after_acceptance(connection: Connection, ticket: Ticket, system: System, now_s: float) -> None:
    """Tell the story's first line; a ticket that moves nothing (a renewal) is done at once."""
    store.add_events(connection, ticket.id, [("", "step.accepted", {"system": system.name})], now_s)
    systems.refresh_state(connection, system.id)
    if not resources.any_unsettled_of_ticket(connection, ticket.id):
        current = store.get(connection, ticket.id, PLATFORM)
        store.move(connection, current, TicketState.DONE, now_s=now_s)
        store.add_events(connection, ticket.id, [("", "step.ticket_done", {})], now_s)


def _check_offer_stands(offer: Quote) -> None:
    """Refuse at approval what was possible at submission and is not any more."""
    if isinstance(offer.decision, Refusal):
        raise Unplaceable("placement.no_host_fits", details=offer.to_json(), system=offer.wish.name)


def _store_explanations(
    connection: Connection, platform: Platform, ticket: Ticket, decision: Placement | Refusal | None, system_id: SystemId | None
) -> None:
    if decision is None:
        return
    store.add_explanations(
        connection,
        [
            {
                "id": platform.new_id("explanation"),
                "ticket_id": ticket.id,
                "system_id": system_id,
                "kind": "placement" if isinstance(decision, Placement) else "refusal",
                "at_s": platform.clock(),
                "body": explanation_to_json(explanation),
            }
            for explanation in decision.explanations
        ],
    )


def _store_refusal(platform: Platform, data: bytes, caller: Caller, refusal: AllotError) -> AllotError:
    """Keep the refused ticket and its explanation; returns the refusal with the ticket's id."""

    def once(connection: Connection) -> TicketId:
        wish = read_wish(connection, platform, data, caller)
        offer = quote(connection, platform, wish)
        ticket = _new_ticket(platform, caller, offer)
        problem = Problem(refusal.code, refusal.params)
        ticket = replace(ticket, state=TicketState.REFUSED, finished_at_s=ticket.created_at_s, problem=problem)
        store.insert(connection, ticket, data)
        _store_explanations(connection, platform, ticket, offer.decision, ticket.system_id)
        store.add_events(connection, ticket.id, [("", "step.refused", {"code": refusal.code})], ticket.created_at_s)
        event = audit.event_by(
            caller,
            at_s=ticket.created_at_s,
            action="ticket.submit",
            target=ticket.id,
            department_id=ticket.department_id,
            result=audit.Result.REFUSED,
            detail={"code": refusal.code, "system": ticket.system_name},
        )
        audit.append(connection, event)
        return ticket.id

    ticket_id = platform.db.run(once)
    return type(refusal)(
        refusal.code, problems=refusal.problems, details=refusal.details | {"ticket_id": ticket_id}, **refusal.params
    )


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


def _audit(connection: Connection, caller: Caller, ticket: Ticket, action: str, now_s: float) -> None:
    """Seal what was done; the last statement of its transaction (see ``audit.append``)."""
    detail = {"system": ticket.system_name, "action": ticket.action.value, "state": ticket.state.value}
    event = audit.event_by(caller, at_s=now_s, action=action, target=ticket.id, department_id=ticket.department_id, detail=detail)
    audit.append(connection, event)
