"""``--wait``: tell a ticket's steps as they happen until it is over. Interrupting only ends the telling.

A controller that restarts meanwhile is waited for: work goes on where it stopped, and so does the telling.
"""

import time
from typing import Any

import typer

from controller.cli.client import Refused, segment
from controller.cli.exit_codes import INTERRUPTED
from controller.cli.interrupting import Wish, interrupts_noted
from controller.cli.patience import Patience
from controller.cli.session import Session
from inventory.domain.errors import Unavailable

_OVER = ("done", "failed", "refused", "cancelled")
_POLL_S = 0.5
#: How long a service that does not answer is waited for.
_AWAY_MAX_S = 120.0


def follow(session: Session, ticket_id: str, timeout_s: float) -> dict[str, Any]:
    """Return the ticket once it is over, or waits for an approval.

    Raises:
        Unavailable: ``cli.wait_too_long``, or the service is gone for long.
        Exit: interrupted; the work goes on.
    """
    try:
        with interrupts_noted() as wish:
            ticket = _Follower(session, ticket_id, wish).until_over(time.monotonic() + timeout_s)
    except KeyboardInterrupt:
        ticket = None
    if ticket is None:
        session.out.note("cli.say.still_running", ticket=ticket_id)
        raise typer.Exit(INTERRUPTED)
    return ticket


class _Follower:
    def __init__(self, session: Session, ticket_id: str, wish: Wish) -> None:
        self._session = session
        self._ticket_id = ticket_id
        self._end = wish
        self._seq = 0
        self._patience = Patience(session.out.note, most_s=_AWAY_MAX_S)
        # The ticket came from it.
        self._patience.answered()

    def until_over(self, deadline: float) -> dict[str, Any] | None:
        """Return the ticket once it is over; None when somebody does not want to hear more."""
        with self._session.out.counting("cli.say.waiting", ticket=self._ticket_id) as shown:
            while not self._end.is_made():
                pause_s = _POLL_S
                try:
                    ticket = self._look()
                except (Refused, Unavailable) as error:
                    pause_s = self._patience.pause_s(error)
                else:
                    self._patience.answered()
                    state = self._session.out.say("cli.say.waiting_state", state=self._state(ticket))
                    # Nothing is counted of a ticket that nobody carries out: it waits for somebody, or has no resources.
                    shown(state, ticket["settled_count"], ticket["resource_count"] or None)
                    if ticket["state"] in _OVER or ticket["state"] == "awaiting_approval":
                        return ticket
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise Unavailable("cli.wait_too_long", ticket=self._ticket_id)
                self._end.wait(min(pause_s, left_s))
        return None

    def _state(self, ticket: dict[str, Any]) -> str:
        return self._session.out.say(f"cli.word.{ticket['state']}")

    def _look(self) -> dict[str, Any]:
        """Tell what is new and return the ticket."""
        # The ticket first: lines told after it was read as over are not missed.
        ticket = self._session.api.get(f"/v1/tickets/{segment(self._ticket_id)}")
        self._tell_news()
        return ticket

    def _tell_news(self) -> None:
        out = self._session.out
        while True:
            page = self._session.api.get(f"/v1/tickets/{segment(self._ticket_id)}/events", after=self._seq, limit=100)
            for event in page["items"]:
                self._seq = event["seq"]
                out.console(stderr=True).print(event_line(out, event), markup=False)
            if page["next"] is None:
                return


def event_line(out: Any, event: dict[str, Any]) -> str:
    """Return one line of a story."""
    text = event["text_en" if out.language == "en" else "text_zh"]
    return f"{out.moment(event['at_s'])[11:]}  {text}"
