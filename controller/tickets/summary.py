"""Sums over all tickets for the metrics room."""

from sqlalchemy import Connection, func, select

from controller.tickets import tables as t
from controller.tickets.model import TicketState
from inventory.domain.resource import Phase
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
