"""Sums over all tickets for the metrics room."""

from sqlalchemy import Connection, func, select

from controller.tickets import tables as t
from controller.tickets.model import TicketState
from inventory.domain.resource import Phase
from inventory.domain.scope import Scope
from inventory.store.scoping import in_scope
from inventory.store.tables import resources

_T = t.tickets.c
#: States a ticket does not stay in: somebody or something is to move it.
WAITING = (
    TicketState.PLANNED,
    TicketState.AWAITING_APPROVAL,
    TicketState.ACCEPTED,
    TicketState.RUNNING,
    TicketState.FAILED,
)


def state_counts(connection: Connection) -> dict[TicketState, int]:
    """Return how many tickets are in each state."""
    counts = dict.fromkeys(TicketState, 0)
    for state, count in connection.execute(select(_T.state, func.count()).group_by(_T.state)):
        counts[TicketState(state)] = count
    return counts


def endings(connection: Connection, scope: Scope, start_s: int, until_s: int) -> tuple[dict[str, int], dict[str, str]]:
    """Return how many tickets that ended in a window ended how, and the hours from accepted to done: median and P95."""
    statement = select(_T.state, _T.accepted_at_s, _T.finished_at_s)
    statement = statement.where(_T.finished_at_s >= start_s, _T.finished_at_s < until_s, in_scope(scope, _T.department_id))
    counts: dict[str, int] = {}
    took_s: list[float] = []
    for state, accepted_s, finished_s in connection.execute(statement):
        counts[state] = counts.get(state, 0) + 1
        if state == TicketState.DONE.value and accepted_s is not None:
            took_s.append(finished_s - accepted_s)
    took_s.sort()
    at = {"median_hours": len(took_s) // 2, "p95_hours": len(took_s) * 95 // 100}
    return counts, {name: f"{took_s[min(n, len(took_s) - 1)] / 3600:.2f}" for name, n in at.items()} if took_s else {}


def oldest_since_s(connection: Connection) -> dict[TicketState, float]:
    """Return since when the oldest ticket of each waiting state has been open: accepted, or else handed in."""
    statement = (
        select(_T.state, func.min(func.coalesce(_T.accepted_at_s, _T.created_at_s)))
        .where(_T.state.in_([s.value for s in WAITING]))
        .group_by(_T.state)
    )
    return {TicketState(state): since_s for state, since_s in connection.execute(statement)}


def oldest_unsettled_since_s(connection: Connection) -> float | None:
    """Return since when the oldest wish that is not reached (and not given up) has been accepted; None: all are reached."""
    r = resources.c
    statement = (
        select(func.min(func.coalesce(_T.accepted_at_s, r.created_at_s)))
        .select_from(resources.outerjoin(t.tickets, _T.id == r.ticket_id))
        .where(r.next_try_s.is_not(None), r.settled_generation != r.generation)
        .where(r.phase.not_in([Phase.FAILED.value, Phase.GONE.value]))
    )
    since_s: float | None = connection.execute(statement).scalar_one()
    return since_s
