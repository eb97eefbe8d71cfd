"""Submissions: tickets that wait for their turn are decided and accepted together, in one transaction.

Each is still accepted whole or refused whole by itself. A ticket that meets an old picture, a limit or a full host among
others is taken out of the group and decided again alone, a bounded number of times, and never holds its neighbours up. While
they wait nothing is explained: who was refused has that done when others have the turn (``explained``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from controller.identity import audit
from controller.identity.caller import Caller
from controller.tickets import store
from controller.tickets.language import TicketDocument
from controller.tickets.model import Action, Ticket, TicketState
from controller.workflows.acceptance import (
    Accepting,
    accept_new,
    accept_stored,
    check_offer,
    explanation_rows,
    new_ticket,
)
from controller.workflows.commit import Stale, StalePicture
from controller.workflows.decided_again import decided_again
from controller.workflows.failpoints import failpoint
from controller.workflows.obligation import growth
from controller.workflows.platform import Platform
from controller.workflows.quote import Decider, Quote, Wish, decide_afresh, quota_growth, quote
from controller.workflows.reading import Reader
from controller.workflows.segments import AddressesTaken
from controller.workflows.wish import parse, read_wish
from inventory.domain.errors import AllotError, Problem, QuotaExceeded, Unplaceable
from inventory.domain.ids import SystemId, TicketId
from inventory.domain.placement import Placement, PlacementRequest, Refusal
from inventory.domain.scope import PLATFORM
from inventory.domain.system import SystemState
from inventory.store.collector import put_off

T = TypeVar("T")

#: Fresh pictures tried before a busy platform is said to be busy. Whenever a host fills up or gets its first machine, all but
#: one of the controllers that chose it must look again.
_COMMIT_TRIES = 16
#: Turns a ticket takes that was refused and fits when that is to be explained: room came free in between.
TURNS = 2
#: Somebody else took the capacity, the address or the name first: look again and decide again.
_DECIDE_AGAIN = (StalePicture, AddressesTaken)


@dataclass(slots=True, eq=False, kw_only=True)
class Submission:
    """A ticket on its way in, and what became of it."""

    data: bytes
    document: TicketDocument
    caller: Caller
    confirm: str = ""
    plan_digest: str = ""
    ticket: Ticket | None = None
    error: BaseException | None = None
    #: Set with ``error`` where the refusal is to be explained and kept.
    refusal: QuotaExceeded | Unplaceable | None = None

    @property
    def name(self) -> str:
        """Return the name of its system: two tickets for one system are decided one after the other."""
        return self.document.name

    @property
    def weight(self) -> int:
        """Return how many machines it asks for."""
        return sum(server.count or 1 for server in self.document.servers)

    @property
    def is_alone(self) -> bool:
        """Tell whether it changes what exists, or uses a reservation up: neither can be left out of a group again."""
        return self.document.action is not Action.CREATE or self.document.reservation is not None

    @property
    def is_done(self) -> bool:
        """Tell whether it was accepted or refused."""
        return self.ticket is not None or self.error is not None

    def outcome(self) -> Ticket:
        """Return the ticket, or raise what it was refused for."""
        if self.error is not None:
            raise self.error
        assert self.ticket is not None
        return self.ticket


def submit(platform: Platform, data: bytes, caller: Caller, *, confirm: str = "", plan_digest: str = "") -> Ticket:
    """Accept a ticket: commit it, or have it wait for its approvals. The same bytes again give the same ticket.

    Raises:
        Invalid: with every problem of the document, or ``ticket.confirmation_missing``.
        Conflict: ``plan.changed``: the plan the caller looked at is not what would happen now.
        QuotaExceeded: the refused ticket is stored; ``details`` name it and every overrun.
        Unplaceable: the refused ticket is stored with the explanation.
        Unavailable: ``ticket.too_busy`` after a bounded number of tries.
    """
    document = parse(platform, data)
    for turn in range(1, TURNS + 1):
        submission = Submission(data=data, document=document, caller=caller, confirm=confirm, plan_digest=plan_digest)
        platform.turns.take(submission, partial(lead, platform))
        if submission.refusal is None or explained(platform, submission, submission.refusal, is_last=turn == TURNS):
            break
    return submission.outcome()


def lead(platform: Platform, group: Sequence[Submission]) -> None:
    """Give every submission of a group its outcome."""
    platform.placing.groups += 1
    with put_off():
        if len(group) > 1:
            _together(platform, group)
        for submission in group:
            if not submission.is_done:
                _alone(platform, submission)


def _together(platform: Platform, group: Sequence[Submission]) -> None:
    """Decide and accept what can be in one transaction; what is left over has no outcome yet."""
    try:
        done = _accepting(platform, lambda connection: _unit(connection, platform, group))
    except Exception:  # noqa: BLE001  whatever one of them met, none of it is written: each is decided again by itself
        platform.placing.groups_broken += 1
        return
    platform.picture.committed()
    for submission, outcome in done:
        if isinstance(outcome, Ticket):
            submission.ticket = outcome
        else:
            submission.error = outcome
    platform.placing.shared += len(done)


def _unit(
    connection: Connection, platform: Platform, group: Sequence[Submission]
) -> list[tuple[Submission, Ticket | AllotError]]:
    """One transaction of many submissions; returns the outcomes that hold once it is committed."""
    intake = _Intake(connection, platform)
    intake.expect(group)
    done: list[tuple[Submission, Ticket | AllotError]] = []
    for submission in group:
        try:
            twin = intake.decide(submission)
        except (QuotaExceeded, Unplaceable):
            # It may have been refused for the sake of a neighbour that does not come to be.
            continue
        except AllotError as error:
            done.append((submission, error))
        else:
            done += [(submission, twin)] if twin is not None else []
    return done + list(intake.write().items())


def _alone(platform: Platform, submission: Submission) -> None:
    """Decide and accept one submission, on a fresh picture each time it met an old one."""
    try:
        _accept(platform, submission)
    except (QuotaExceeded, Unplaceable) as refusal:
        submission.error = submission.refusal = refusal
    except Exception as error:  # noqa: BLE001  handed to the one who waits
        submission.error = error


def _accept(platform: Platform, submission: Submission) -> None:
    submission.ticket = with_fresh_pictures(
        platform, lambda connection: _unit_of_one(connection, platform, submission), host_name=platform.picture.host_name
    )
    platform.picture.committed()


def _unit_of_one(connection: Connection, platform: Platform, submission: Submission) -> Ticket:
    intake = _Intake(connection, platform)
    return intake.decide(submission) or intake.write_one()[1]


def with_fresh_pictures(
    platform: Platform, once: Callable[[Connection], Ticket], *, host_name: Callable[[str], str] = lambda _: ""
) -> Ticket:
    """Run a unit that decides, again where its decision met an old picture.

    ``host_name`` says whose capacity was gone, for the metrics: only who has the turn may ask the picture kept in memory.

    Raises:
        Unavailable: ``ticket.too_busy``.
    """

    def heard(error: Exception) -> None:
        if isinstance(error, StalePicture):
            platform.placing.rejected(error.stale, host_name)
        if not isinstance(error, StalePicture) or not error.stale.refused:
            platform.picture.addresses.doubt()

    return decided_again(lambda: _accepting(platform, once), tries=_COMMIT_TRIES, old=_DECIDE_AGAIN, heard=heard)


def _accepting(platform: Platform, once: Callable[[Connection], T]) -> T:
    """Run a unit that accepts tickets. Who dies in it has promised nothing; who dies after it, everything, and told nobody."""

    def unit(connection: Connection) -> T:
        written = once(connection)
        failpoint("accept.before")
        return written

    accepted = platform.db.run(unit)
    failpoint("accept.after")
    return accepted


class _Intake:
    """Submissions of one transaction: decided one after the other, written together."""

    def __init__(self, connection: Connection, platform: Platform) -> None:
        self._connection = connection
        self._platform = platform
        self._reader = Reader(connection, platform.lists)
        self._new: dict[TicketId, tuple[Submission, Accepting]] = {}
        self._others: list[tuple[Submission, Ticket, Quote]] = []
        platform.picture.follow(connection)

    def expect(self, group: Sequence[Submission]) -> None:
        """Look names up together when they are asked for; nobody else of a group speaks of the same."""
        departments = {s.document.department for s in group if s.document.department is not None}
        self._reader.expect(departments, {s.name for s in group})

    def decide(self, submission: Submission) -> Ticket | None:
        """Decide; returns the ticket that asked for just this before, where there is one.

        Raises:
            AllotError: as ``submit``; nothing of it is written.
        """
        platform = self._platform
        wish = read_wish(self._reader, submission.document, submission.caller)
        twin = _twin(self._reader, wish)
        if twin is not None:
            return twin
        decider = Decider(decide=self._place, addresses=platform.picture.addresses)
        offer = quote(self._reader, platform, wish, decider)
        check_offer(offer, submission.confirm, submission.plan_digest)
        ticket = new_ticket(platform, submission.caller.user_name, offer)
        if offer.approvals:
            self._others.append((submission, replace(ticket, state=TicketState.AWAITING_APPROVAL), offer))
            return None
        self._reader.plan(wish.project, quota_growth(wish.current.spec if wish.current else None, wish.wanted))
        self._reader.oblige(growth(offer.budget))
        ticket = replace(ticket, state=TicketState.ACCEPTED, accepted_at_s=ticket.created_at_s)
        if wish.current is None and offer.deltas.new:
            ticket = replace(ticket, system_id=SystemId(platform.new_id("system")))
            self._new[ticket.id] = (submission, Accepting(ticket=ticket, offer=offer, data=submission.data))
        else:
            self._others.append((submission, ticket, offer))
        return None

    def _place(self, request: PlacementRequest) -> Placement | Refusal:
        return self._platform.picture.decide(request, self._platform.policy)

    def write(self) -> dict[Submission, Ticket]:
        """Write what was decided; returns what is accepted, or waits for its approval. The others met an old picture."""
        accepted = self._write_new()
        for submission, ticket, offer in self._others:
            accepted[submission] = self._write_other(submission, ticket, offer)
        audit.append_many(self._connection, [_event(s.caller, ticket) for s, ticket in accepted.items()])
        return accepted

    def write_one(self) -> tuple[Submission, Ticket]:
        """Write the one submission that was decided.

        Raises:
            StalePicture: it met an old picture.
            QuotaExceeded: with every overrun.
        """
        if not self._new:
            return next(iter(self.write().items()))
        ((submission, accepting),) = self._new.values()
        left_out = accept_new(self._reader, self._platform, [accepting]).get(accepting.ticket.id)
        if isinstance(left_out, Stale):
            raise StalePicture(left_out)
        if left_out is not None:
            raise left_out
        self._tell_picture([accepting])
        audit.append(self._connection, _event(submission.caller, accepting.ticket))
        return submission, accepting.ticket

    def _write_new(self) -> dict[Submission, Ticket]:
        if not self._new:
            return {}
        left_out = accept_new(self._reader, self._platform, [accepting for _, accepting in self._new.values()])
        for why in left_out.values():
            if isinstance(why, Stale):
                self._platform.placing.rejected(why, self._platform.picture.host_name)
                if not why.refused:
                    self._platform.picture.addresses.doubt()
        if not self._others:
            self._tell_picture([a for _, a in self._new.values() if a.ticket.id not in left_out])
        return {s: a.ticket for ticket_id, (s, a) in self._new.items() if ticket_id not in left_out}

    def _tell_picture(self, accepted: Sequence[Accepting]) -> None:
        kept = [a.offer.decision for a in accepted if isinstance(a.offer.decision, Placement)]
        self._platform.picture.written(self._connection, kept)

    def _write_other(self, submission: Submission, ticket: Ticket, offer: Quote) -> Ticket:
        """Write a ticket that waits for its approval, or changes what exists."""
        connection = self._connection
        store.insert(connection, [(ticket, submission.data)])
        if ticket.state is TicketState.AWAITING_APPROVAL:
            store.begin_stories(connection, [(ticket.id, "step.awaiting_approval", {})], ticket.created_at_s)
            return ticket
        accept_stored(connection, self._platform, ticket, offer)
        return store.get(connection, ticket.id, PLATFORM)


def _twin(reader: Reader, wish: Wish) -> Ticket | None:
    """Return the ticket that already asked for just this, if its wish still stands."""
    if reader.is_unheard_of(wish.department.id, wish.name):
        return None
    connection = reader.connection
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


def explained(platform: Platform, submission: Submission, refusal: QuotaExceeded | Unplaceable, *, is_last: bool) -> bool:
    """Explain a refusal, and keep the refused ticket with that. False: it would fit now, and another turn may be taken.

    Explaining takes as long as it takes: nobody waits for it, neither for the turn nor for a lock of the database.
    """
    try:
        with platform.db.read(is_steady=True) as connection:
            reader = Reader(connection)
            wish = read_wish(reader, submission.document, submission.caller)
            offer = quote(reader, platform, wish, decide_afresh(connection, platform, is_explaining=True))
        offer = offer.explained()
        if isinstance(refusal, Unplaceable) and offer.is_possible and not is_last:
            return False
        ticket_id = _store_refusal(platform, submission, refusal, offer)
    except Exception as error:  # noqa: BLE001  as in the turn: handed to the one who waits
        submission.error = error
        return True
    details = refusal.details | {"explanations": offer.to_json()["explanations"], "ticket_id": ticket_id}
    submission.error = type(refusal)(refusal.code, problems=refusal.problems, details=details, **refusal.params)
    return True


def _store_refusal(platform: Platform, submission: Submission, refusal: AllotError, offer: Quote) -> TicketId:
    """Keep the refused ticket and its explanation."""
    caller = submission.caller
    ticket = new_ticket(platform, caller.user_name, offer)
    problem = Problem(refusal.code, refusal.params)
    ticket = replace(ticket, state=TicketState.REFUSED, finished_at_s=ticket.created_at_s, problem=problem)
    rows = explanation_rows(platform, ticket.id, offer.decision, offer.asked, ticket.system_id)
    event = audit.event_by(
        caller,
        at_s=ticket.created_at_s,
        action="ticket.submit",
        target=ticket.id,
        department_id=ticket.department_id,
        result=audit.Result.REFUSED,
        detail={"code": refusal.code, "system": ticket.system_name},
    )

    def once(connection: Connection) -> None:
        store.insert(connection, [(ticket, submission.data)])
        store.add_explanations(connection, rows)
        store.begin_stories(connection, [(ticket.id, "step.refused", {"code": refusal.code})], ticket.created_at_s)
        audit.append(connection, event)

    platform.db.run(once)
    return ticket.id


def facts_of(ticket: Ticket) -> dict[str, str]:
    """Return what events of the audit chain say of a ticket."""
    return {"system": ticket.system_name, "action": ticket.action.value, "state": ticket.state.value}


def _event(caller: Caller, ticket: Ticket) -> audit.AuditEvent:
    return audit.event_by(
        caller,
        at_s=ticket.created_at_s,
        action="ticket.submit",
        target=ticket.id,
        department_id=ticket.department_id,
        detail=facts_of(ticket),
    )
