"""Tickets, the decisions on them, their story and the explanations of placements."""

from controller.api.schemas.base import JsonObject, Out, Page
from controller.api.schemas.problems import ProblemOut, StoredProblem
from controller.tickets.model import Action, TicketState


class CheckOut(Out):
    """What a ticket says, read against the platform."""

    action: Action
    system: str
    department: str
    project: str
    zone: str
    base_revision: int
    is_noop: bool
    notices: list[ProblemOut]


class Ticket(Out):
    """A ticket."""

    id: str
    action: Action
    state: TicketState
    system_name: str
    system_id: str | None
    department_id: str
    project_id: str | None
    sha256: str
    spec_digest: str
    plan: JsonObject
    problem: StoredProblem | None
    created_by: str
    created_at_s: float
    accepted_at_s: float | None
    finished_at_s: float | None
    revision: int


class ApprovalOut(Out):
    """One decision of one person."""

    stage: str
    decided_by: str
    decision: str
    reason: str
    at_s: float


class TicketWithApprovals(Ticket):
    """A ticket, who decided on it, and how far it is.

    `settled_count` of the `resource_count` machines, disks and networks it speaks of are as it wants them.
    """

    approvals: list[ApprovalOut]
    resource_count: int
    settled_count: int


class Event(Out):
    """One line of a ticket's story, in both languages."""

    seq: int
    at_s: float
    subject: str
    code: str
    params: JsonObject
    text: str
    text_zh: str
    text_en: str


class ToldEvent(Event):
    """A line among those of all stories."""

    ticket_id: str
    department_id: str
    system_name: str


class Explanation(Out):
    """Why a machine went where it went, or nowhere."""

    id: str
    ticket_id: str
    system_id: str | None
    kind: str
    at_s: float
    body: JsonObject


class HostVerdict(Out):
    """What was thought of one host."""

    host: str
    #: The filter it fell at, and the numbers of its text; null where the machine could have gone there.
    filter: str | None
    params: JsonObject
    #: Of a host that was left: its score, the parts that add up to it, and the policy they are of.
    score: int | None
    parts: dict[str, int] | None
    policy: str | None


class Mismatch(Out):
    """Something that is stored otherwise than it comes out when the decision is made again."""

    #: ``decision`` | ``hosts`` | ``filter`` | ``winner`` | ``score`` | ``policy``.
    what: str
    name: str
    stored: str
    derived: str


class LongExplanation(Page):
    """An explanation with every host: those that were left, best first, then the nearest misses."""

    explanation: Explanation
    #: Empty: made again on the state of then, the decision is what is stored.
    mismatches: list[Mismatch]
    items: list[HostVerdict]


class TicketPage(Page):
    """Tickets."""

    items: list[Ticket]


class EventPage(Page):
    """Lines of a story."""

    items: list[Event]


class ToldEventPage(Page):
    """Lines of all stories."""

    items: list[ToldEvent]


class ExplanationPage(Page):
    """Explanations."""

    items: list[Explanation]
