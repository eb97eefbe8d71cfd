"""How a ticket is shown to people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from controller.cli.client import segment
from controller.cli.failures import refusal_lines
from controller.cli.follow import event_line
from controller.cli.output import Out

if TYPE_CHECKING:
    from controller.cli.session import Session

Json = Mapping[str, Any]


def show_new(out: Out, ticket: Json) -> None:
    """Say what became of a ticket that was just handed in."""
    state = ticket["state"]
    code = {"awaiting_approval": "cli.say.ticket_waits", "done": "cli.say.ticket_done"}.get(state, "cli.say.ticket_accepted")
    out.line(code, ticket=ticket["id"], system=ticket["system_name"], state=out.say(f"cli.word.{state}"))


def show_ticket(out: Out, ticket: Json, events: Sequence[Json]) -> None:
    """Print a ticket with its story and its decisions."""
    out.fields(
        [
            ("cli.column.ticket", ticket["id"]),
            ("cli.column.system", ticket["system_name"]),
            ("cli.column.action", out.say(f"cli.word.{ticket['action']}")),
            ("cli.column.state", out.say(f"cli.word.{ticket['state']}")),
            ("cli.column.by", ticket["created_by"]),
            ("cli.column.created", out.moment(ticket["created_at_s"])),
            ("cli.column.accepted", out.moment(ticket["accepted_at_s"])),
            ("cli.column.finished", out.moment(ticket["finished_at_s"])),
        ]
    )
    if ticket["problem"]:
        _show_problem(out, ticket["problem"])
    for approval in ticket.get("approvals", []):
        out.line(
            "cli.say.decision",
            at=out.moment(approval["at_s"]),
            by=approval["decided_by"],
            decision=out.say(f"cli.word.{approval['decision']}"),
            reason=approval["reason"],
        )
    if events:
        out.heading("cli.column.story")
        for event in events:
            out.console().print("  " + event_line(out, dict(event)), markup=False)


def show_end(session: "Session", ticket: Json) -> None:
    """Say how a ticket ended, and show the machines it leaves."""
    from controller.cli.lists import instance_columns

    out = session.out
    state = ticket["state"]
    out.line(f"cli.say.end_{state}", ticket=ticket["id"], system=ticket["system_name"])
    if ticket["problem"]:
        _show_problem(out, ticket["problem"])
    if state == "done" and ticket["action"] in ("create", "change") and ticket["system_id"]:
        system = session.api.get(f"/v1/systems/{segment(ticket['system_id'])}")
        out.rows(system["instances"], instance_columns(out))


def _show_problem(out: Out, problem: Json) -> None:
    for line in refusal_lines(problem, out.language, ""):
        out.console().print(line, markup=False)
