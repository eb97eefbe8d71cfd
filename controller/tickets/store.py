"""Tickets, their events, approvals and explanations in the database."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, tuple_, update

from controller.tickets import tables as t
from controller.tickets.model import TRANSITIONS, Action, Approval, Ticket, TicketEvent, TicketState, ToldEvent
from inventory.domain.errors import Conflict, Invalid, NotFound, Problem, Unavailable
from inventory.domain.ids import DepartmentId, SystemId, TicketId, first_id
from inventory.domain.resource import Phase, Resource
from inventory.domain.scope import Scope
from inventory.domain.system import SystemState
from inventory.store import bulk, systems
from inventory.store.changes import Mark
from inventory.store.scoping import in_scope
from inventory.store.tables import resources as resource_table
from inventory.store.tables import systems as systems_table

_T = t.tickets.c
#: The place of a line among those of all stories: time, ticket, number.
_CURSOR = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?),([!-+\--~]{1,64}),([0-9]{1,9})")
_FIELDS = (
    "id",
    "action",
    "state",
    "system_name",
    "system_id",
    "department_id",
    "project_id",
    "sha256",
    "spec_digest",
    "plan",
    "problem",
    "created_by",
    "created_at_s",
    "accepted_at_s",
    "finished_at_s",
    "revision",
)
_COLUMNS = [_T[name] for name in _FIELDS]


def _ticket(row: Row[Any]) -> Ticket:
    values = dict(row._mapping)
    problem = Problem.from_json(values["problem"]) if values["problem"] else None
    return Ticket(**{**values, "action": Action(values["action"]), "state": TicketState(values["state"]), "problem": problem})


def insert(connection: Connection, new: Sequence[tuple[Ticket, bytes]]) -> None:
    """Add tickets with the bytes they came as."""
    bulk.insert_many(connection, t.tickets, [{**_values(ticket), "submitted": submitted} for ticket, submitted in new])


def _values(ticket: Ticket) -> dict[str, Any]:
    values = {name: getattr(ticket, name) for name in _FIELDS}
    return values | {
        "action": ticket.action.value,
        "state": ticket.state.value,
        "plan": dict(ticket.plan),
        "problem": ticket.problem.to_json() if ticket.problem else None,
    }


def get(connection: Connection, ticket_id: str, scope: Scope) -> Ticket:
    """Return one ticket inside the scope.

    Raises:
        NotFound: ``ticket.not_found``, for what is outside the scope too.
    """
    statement = select(*_COLUMNS).where(_T.id == ticket_id, in_scope(scope, _T.department_id))
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound("ticket.not_found", ticket=ticket_id)
    return _ticket(row)


def submitted_bytes(connection: Connection, ticket_id: TicketId) -> bytes:
    """Return the bytes as they were handed in."""
    data: bytes = connection.execute(select(_T.submitted).where(_T.id == ticket_id)).scalar_one()
    return data


def page(connection: Connection, scope: Scope, *, limit: int, after: str = "", state: str = "", system: str = "") -> list[Ticket]:
    """Return up to ``limit`` tickets with an id greater than ``after``."""
    statement = select(*_COLUMNS).where(_T.id > after, in_scope(scope, _T.department_id)).order_by(_T.id).limit(limit)
    if state:
        statement = statement.where(_T.state == state)
    if system:
        statement = statement.where((_T.system_id == system) | (_T.system_name == system))
    return [_ticket(r) for r in connection.execute(statement)]


def latest_of_system(connection: Connection, system_id: SystemId) -> Ticket | None:
    """Return the newest ticket of a system."""
    row = connection.execute(select(*_COLUMNS).where(_T.system_id == system_id).order_by(_T.id.desc()).limit(1)).first()
    return _ticket(row) if row else None


def move(
    connection: Connection, ticket: Ticket, to: TicketState, *, now_s: float, problem: Problem | None = None, **changes: Any
) -> Ticket:
    """Move a ticket to another state, guarded by the revision it was read at.

    Raises:
        Conflict: ``ticket.state_forbids``, or ``ticket.changed_meanwhile``.
    """
    if to not in TRANSITIONS[ticket.state]:
        raise Conflict("ticket.state_forbids", ticket=ticket.id, state=ticket.state.value, wanted=to.value)
    values: dict[str, Any] = {"state": to.value, "revision": ticket.revision + 1, **changes}
    if to in (TicketState.ACCEPTED, TicketState.RUNNING) and ticket.accepted_at_s is None:
        values["accepted_at_s"] = now_s
    if not TRANSITIONS[to] or to is TicketState.FAILED:
        values["finished_at_s"] = now_s
    values["problem"] = problem.to_json() if problem else None
    statement = update(t.tickets).where(_T.id == ticket.id, _T.revision == ticket.revision).values(**values)
    if connection.execute(statement).rowcount != 1:
        raise Conflict("ticket.changed_meanwhile", ticket=ticket.id)
    return get(connection, ticket.id, Scope(None))


def open_without_work(connection: Connection, limit: int = 100) -> list[TicketId]:
    """Return open tickets none of whose resources is still to be done: a later ticket took them all over."""
    r = resource_table.c
    open_phases = (Phase.PENDING.value, Phase.WORKING.value)
    works = select(r.id).where(r.ticket_id == _T.id, r.phase.in_(open_phases)).exists()
    states = (TicketState.ACCEPTED.value, TicketState.RUNNING.value)
    return list(connection.execute(select(_T.id).where(_T.state.in_(states), ~works).order_by(_T.id).limit(limit)).scalars())


def refresh_states(connection: Connection, ticket_ids: Iterable[TicketId], now_s: float) -> list[Ticket]:
    """Derive the state of open tickets from their resources and write it; returns those that moved."""
    r = resource_table.c
    wanted = sorted(set(ticket_ids))
    if not wanted:
        return []
    # Before anything is counted: another controller that ends work of the same ticket counts after this one, or before it.
    rows = connection.execute(select(*_COLUMNS).where(_T.id.in_(wanted)).order_by(_T.id).with_for_update(key_share=True)).all()
    # A segment serves machines of other tickets too: what it is about never holds a ticket up, the machines on it do.
    own = (r.ticket_id.in_(wanted), r.kind != "segment")
    statement = select(r.ticket_id, r.phase, func.count()).where(*own).group_by(r.ticket_id, r.phase)
    counts: dict[str, dict[str, int]] = {}
    for ticket_id, phase, count in connection.execute(statement):
        counts.setdefault(ticket_id, {})[phase] = count
    moved = []
    for row in rows:
        ticket = _ticket(row)
        to = _derived(ticket.state, counts.get(ticket.id, {}))
        if to is not ticket.state:
            problem = first_problem(connection, ticket.id) if to is TicketState.FAILED else None
            moved.append(move(connection, ticket, to, now_s=now_s, problem=problem))
    return moved


def _derived(state: TicketState, phases: Mapping[str, int]) -> TicketState:
    if state not in (TicketState.ACCEPTED, TicketState.RUNNING, TicketState.FAILED):
        return state
    if phases.get(Phase.PENDING.value) or phases.get(Phase.WORKING.value):
        return TicketState.RUNNING if phases.get(Phase.WORKING.value) or state is TicketState.FAILED else state
    return TicketState.FAILED if phases.get(Phase.FAILED.value) else TicketState.DONE


def first_problem(connection: Connection, ticket_id: TicketId) -> Problem | None:
    """Return the problem of the first failed resource of a ticket."""
    r = resource_table.c
    statement = select(r.problem).where(r.ticket_id == ticket_id, r.phase == Phase.FAILED.value).order_by(r.id).limit(1)
    problem = connection.execute(statement).scalar()
    return Problem.from_json(problem) if problem else None


#: Times that lines are put behind those that others wrote meanwhile.
_TELLING_TRIES = 32


def add_events(
    connection: Connection, ticket_id: TicketId, events: Sequence[tuple[str, str, Mapping[str, Any]]], at_s: float
) -> None:
    """Append lines (subject, code, params) to a ticket's story; another controller may tell of it at the same moment.

    Raises:
        Unavailable: ``state.busy``: others went on telling; the caller must roll back.
    """
    e = t.ticket_events.c
    if not events:
        return
    statement = bulk.insert(connection, t.ticket_events).on_conflict_do_nothing().returning(e.seq)
    for _ in range(_TELLING_TRIES):
        last = connection.execute(select(func.coalesce(func.max(e.seq), 0)).where(e.ticket_id == ticket_id)).scalar_one()
        rows = [
            {"ticket_id": ticket_id, "seq": last + n, "at_s": at_s, "subject": subject, "code": code, "params": dict(params)}
            for n, (subject, code, params) in enumerate(events, start=1)
        ]
        told = list(connection.execute(statement, rows).scalars())
        if len(told) == len(rows):
            return
        # Lines of a story stand in the order they happened: behind those of the other one, or not yet.
        connection.execute(delete(t.ticket_events).where(e.ticket_id == ticket_id, e.seq.in_(told)))
    raise Unavailable("state.busy", internal=f"the story of {ticket_id} is told by others")


def begin_stories(connection: Connection, first_lines: Sequence[tuple[TicketId, str, Mapping[str, Any]]], at_s: float) -> None:
    """Write the first line (code, params) of the stories of new tickets."""
    rows = [
        {"ticket_id": ticket_id, "seq": 1, "at_s": at_s, "subject": "", "code": code, "params": dict(params)}
        for ticket_id, code, params in first_lines
    ]
    bulk.insert_many(connection, t.ticket_events, rows)


def events(connection: Connection, ticket_id: TicketId | str, after_seq: int = 0, limit: int = 500) -> list[TicketEvent]:
    """Return a ticket's story after a line."""
    e = t.ticket_events.c
    statement = (
        select(e.seq, e.at_s, e.subject, e.code, e.params)
        .where(e.ticket_id == ticket_id, e.seq > after_seq)
        .order_by(e.seq)
        .limit(limit)
    )
    return [TicketEvent(**r._mapping) for r in connection.execute(statement)]


def events_page(
    connection: Connection, scope: Scope, *, limit: int, after: str = "", since_s: float = 0, system: str = ""
) -> list[ToldEvent]:
    """Return up to ``limit`` lines of all stories in ``scope``, as they happened, behind a line's cursor.

    ``system`` is an id or a name.

    Raises:
        Invalid: ``request.cursor_unreadable``.
    """
    e, x = t.ticket_events.c, t.tickets.c
    statement = (
        select(e.seq, e.at_s, e.subject, e.code, e.params, e.ticket_id, x.department_id, x.system_name)
        .join(t.tickets, x.id == e.ticket_id)
        .where(e.at_s >= since_s, in_scope(scope, x.department_id))
        .order_by(e.at_s, e.ticket_id, e.seq)
        .limit(limit)
    )
    if after:
        statement = statement.where(tuple_(e.at_s, e.ticket_id, e.seq) > tuple_(*_place(after)))
    if system:
        statement = statement.where((x.system_id == system) | (x.system_name == system))
    return [
        ToldEvent(
            event=TicketEvent(seq=r.seq, at_s=r.at_s, subject=r.subject, code=r.code, params=r.params),
            ticket_id=r.ticket_id,
            department_id=r.department_id,
            system_name=r.system_name,
        )
        for r in connection.execute(statement)
    ]


def _place(cursor: str) -> tuple[float, str, int]:
    """Read the cursor of a line."""
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise Invalid("request.cursor_unreadable", cursor=cursor)
    return float(found[1]), found[2], int(found[3])


def forget_events(connection: Connection, before_s: float, limit: int) -> int:
    """Delete up to ``limit`` lines of stories from before a moment, of tickets that are over; returns how many."""
    e, x = t.ticket_events.c, t.tickets.c
    over = select(x.id).where(x.id == e.ticket_id, x.finished_at_s.is_not(None)).exists()
    old = select(e.ticket_id, e.seq).where(e.at_s < before_s, over).limit(limit)
    return connection.execute(delete(t.ticket_events).where(tuple_(e.ticket_id, e.seq).in_(old))).rowcount


def forget_explanations(connection: Connection, before_s: float, limit: int) -> int:
    """Delete up to ``limit`` explanations from before a moment, but those of systems that live; returns how many."""
    x, s = t.explanations.c, systems_table.c
    lives = select(s.id).where(s.id == x.system_id, s.state != SystemState.RELEASED.value).exists()
    old = select(x.id).where(x.at_s < before_s, ~lives).limit(limit)
    return connection.execute(delete(t.explanations).where(x.id.in_(old))).rowcount


def add_approval(connection: Connection, approval: Approval) -> None:
    """Write a decision; the database refuses a second one by the same person at the same stage."""
    connection.execute(t.approvals.insert().values(**asdict(approval)))


def approvals(connection: Connection, subject_id: str) -> list[Approval]:
    """Return the decisions on a subject, oldest first."""
    statement = select(t.approvals).where(t.approvals.c.subject_id == subject_id).order_by(t.approvals.c.at_s)
    return [Approval(**r._mapping) for r in connection.execute(statement)]


def add_explanations(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write explanations: id, ticket_id, system_id, kind, at_s, body, decision_id, asked."""
    bulk.insert_many(connection, t.explanations, rows)


def explanations(
    connection: Connection, scope: Scope, *, ticket_id: str = "", system_id: str = "", limit: int | None = None, after: str = ""
) -> list[dict[str, Any]]:
    """Return the stored explanations of a ticket or a system inside the scope, oldest first: all, or some behind an id."""
    x = t.explanations.c
    # Ids sort by time of birth.
    statement = _explanations(scope).where(x.id > after).order_by(x.id).limit(limit)
    if ticket_id:
        statement = statement.where(x.ticket_id == ticket_id)
    if system_id:
        statement = statement.where(x.system_id == system_id)
    return [dict(r._mapping) for r in connection.execute(statement)]


def _explanations(scope: Scope) -> Select[Any]:
    x = t.explanations.c
    shown = [column for column in x if column.name not in ("decision_id", "asked")]
    return select(*shown).join(t.tickets, _T.id == x.ticket_id).where(in_scope(scope, _T.department_id))


def explanation(connection: Connection, scope: Scope, explanation_id: str) -> dict[str, Any]:
    """Return one explanation inside the scope.

    Raises:
        NotFound: ``explanation.not_found``.
    """
    row = connection.execute(_explanations(scope).where(t.explanations.c.id == explanation_id)).first()
    if row is None:
        raise NotFound("explanation.not_found", resource=explanation_id)
    return dict(row._mapping)


def asked_of(connection: Connection, explanation_id: str) -> dict[str, Any]:
    """Return what was asked when an explanation was made (``scheduling.asked``)."""
    first, own = t.explanations.alias("first"), t.explanations.c
    statement = select(first.c.asked).join(t.explanations, own.decision_id == first.c.id).where(own.id == explanation_id)
    return dict(connection.execute(statement).scalar_one())


def oldest_state(connection: Connection, since_s: float) -> Mark | None:
    """Return the state that the first decision since a moment was made on, of those that are explained."""
    x = t.explanations.c
    # Ids sort by time of birth, and they have an index.
    body = connection.execute(select(x.body).where(x.id >= first_id("explanation", since_s)).order_by(x.id).limit(1)).scalar()
    return Mark.of_text(body["state_revision"]) if body else None


def explanation_of(connection: Connection, scope: Scope, resource: Resource) -> dict[str, Any]:
    """Return the newest explanation that speaks of a machine.

    Raises:
        NotFound: ``explanation.not_found``.
    """
    rows = explanations(connection, scope, system_id=resource.system_id or "none")
    for row in reversed(rows):
        if resource.name in (row["body"].get("members") or [row["body"]["member"]]):
            return dict(row)
    raise NotFound("explanation.not_found", resource=resource.id)


def latest_like(
    connection: Connection, department_id: DepartmentId, system_name: str, sha256: str, spec_digest: str
) -> Ticket | None:
    """Return the newest ticket of a system with these bytes, or with this wish, that was not turned down."""
    values = {"department": department_id, "system": system_name, "bytes": sha256, "wish": spec_digest}
    row = connection.execute(_LATEST_LIKE, values).first()
    return _ticket(row) if row else None


#: Built once: every submission asks.
_LATEST_LIKE = (
    select(*_COLUMNS)
    .where(_T.department_id == bindparam("department"), _T.system_name == bindparam("system"))
    .where((_T.sha256 == bindparam("bytes")) | ((_T.spec_digest == bindparam("wish")) & (_T.spec_digest != "")))
    .where(_T.state.not_in((TicketState.REFUSED.value, TicketState.CANCELLED.value)))
    .order_by(_T.id.desc())
    .limit(1)
)


def heard_of(connection: Connection, department_ids: Collection[DepartmentId], names: Collection[str]) -> set[tuple[str, str]]:
    """Return which of these names living systems of these departments have, or tickets speak of: (department, name)."""
    values = {"departments": sorted(department_ids), "names": sorted(names)}
    return {(r.department_id, r.name) for r in connection.execute(_HEARD_OF, values)}


_HEARD_OF = systems.LIVING_NAMED.union(
    select(_T.department_id, _T.system_name)
    .where(_T.department_id.in_(bindparam("departments", expanding=True)))
    .where(_T.system_name.in_(bindparam("names", expanding=True)))
)


def set_system(connection: Connection, ticket_id: TicketId, system_id: SystemId) -> None:
    """Note which system a ticket made or changed."""
    connection.execute(update(t.tickets).where(_T.id == ticket_id).values(system_id=system_id))


def count_by_state(connection: Connection) -> list[tuple[str, int, float]]:
    """Return (state, count, creation time of the oldest) of all tickets."""
    statement = select(_T.state, func.count(), func.min(_T.created_at_s)).group_by(_T.state)
    return [(a, b, c) for a, b, c in connection.execute(statement)]
