"""Tickets from the department's side: check, plan, apply, release, status."""

from datetime import datetime
from typing import Any

import typer

from controller.cli import documents
from controller.cli.commands import commands
from controller.cli.exit_codes import CHANGES, OK, REFUSED
from controller.cli.session import Format, Session, session_of

app = commands()


@app.command()
def check(
    ctx: typer.Context,
    file: str,
    offline: bool = typer.Option(False, "--offline"),
    fix: bool = typer.Option(False, "--fix"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Read a ticket and say everything that is wrong with it; mend slips of the pen first if asked to."""
    session = session_of(ctx)
    data = documents.read(file)
    with documents.about(file):
        if fix:
            # Mending reads the whole language: only this option needs it.
            from controller.cli.mending import mended

            data = mended(session, file, data, is_yes=yes)
        found = _check_offline(session, data) if offline else session.api.post_yaml("/v1/checks", data)
    out = session.out
    if not out.is_table:
        out.value(found, _nothing, name="system")
        return
    for notice in found["notices"]:
        out.line(notice["code"], **notice["params"])
    out.line("cli.say.check_ok_offline" if offline else "cli.say.check_ok", system=found["system"])


def _check_offline(session: Session, data: bytes) -> dict[str, Any]:
    # The reader and the schema take a moment to load: only this option needs them.
    from controller.tickets.language import parse_ticket

    document = parse_ticket(data, today=datetime.now(session.zone).date())
    return {
        "action": document.action.value,
        "system": document.name,
        "department": document.department,
        "project": document.project,
        "zone": document.zone,
        "notices": [n.to_json() for n in document.notices],
    }


def _nothing(_value: Any) -> None:
    """Print nothing: the table form has its own way."""


@app.command()
def plan(ctx: typer.Context, file: str, full: bool = typer.Option(False, "--full")) -> None:
    """Show what a ticket would do; exit 2 when it would do something, 1 when it would be refused."""
    session = session_of(ctx)
    data = documents.read(file)
    with documents.about(file):
        found = session.api.post_yaml("/v1/plans", data)
    _print_plan(session, found, is_full=full)
    if not found["is_possible"]:
        session.out.note("cli.say.plan_impossible")
        raise typer.Exit(REFUSED)
    raise typer.Exit(OK if found["is_noop"] else CHANGES)


def _print_plan(session: Session, found: dict[str, Any], *, is_full: bool) -> None:
    from controller.cli.plan_view import show_plan

    session.out.value(found, lambda value: show_plan(session.out, value, is_full=is_full), name="digest")


@app.command()
def apply(
    ctx: typer.Context,
    file: str,
    wait: bool = typer.Option(False, "--wait"),
    timeout: int = typer.Option(3600, "--timeout", min=1),
    confirm: str = typer.Option("", "--confirm"),
    yes: bool = typer.Option(False, "--yes", "-y"),
    full: bool = typer.Option(False, "--full"),
) -> None:
    """Plan a ticket, show the plan, and hand in exactly that."""
    session = session_of(ctx)
    data = documents.read(file)
    with documents.about(file):
        _apply(session, data, confirm=confirm, is_yes=yes, is_full=full, wait_s=timeout if wait else None)


@app.command()
def release(
    ctx: typer.Context,
    system: str,
    department: str = typer.Option("", "--department"),
    wait: bool = typer.Option(False, "--wait"),
    timeout: int = typer.Option(3600, "--timeout", min=1),
    confirm: str = typer.Option("", "--confirm"),
) -> None:
    """Give a whole system back: its machines, disks and addresses, and all data on them."""
    from controller.tickets.draft import head, printed

    session = session_of(ctx)
    found = session.api.get(f"/v1/systems/{_segment(system)}", department=department)
    codes = {d["id"]: d["code"] for d in session.api.all("/v1/departments")}
    data = printed(head(found["name"], "release", {"department": codes[found["department_id"]]})).encode()
    # The typed name is the agreement: a second question would add nothing.
    _apply(session, data, confirm=confirm, is_yes=True, is_full=False, wait_s=timeout if wait else None)


def _segment(text: str) -> str:
    from controller.cli.client import segment

    return segment(text)


def _apply(session: Session, data: bytes, *, confirm: str, is_yes: bool, is_full: bool, wait_s: int | None) -> None:
    from controller.cli.ask import agreed, typed_name

    out = session.out
    offer = session.api.post_yaml("/v1/plans", data)
    if out.is_table:
        _print_plan(session, offer, is_full=is_full)
    if offer["is_possible"] and not offer["is_noop"]:
        if offer["needs_confirmation"]:
            confirm = typed_name(out, given=confirm, system=offer["system"])
        elif not agreed(out, is_yes=is_yes or not out.is_table, question="cli.say.apply_this"):
            out.note("cli.say.not_applied")
            raise typer.Exit(REFUSED)
    # One that cannot be accepted is handed in all the same: the refusal is kept with its explanation.
    ticket = session.api.post_yaml("/v1/tickets", data, confirm=confirm, plan_digest=offer["digest"])
    if wait_s is None:
        _show_ticket(session, ticket, is_new=True)
        return
    _wait(session, ticket["id"], wait_s)


@app.command()
def status(
    ctx: typer.Context,
    what: str = typer.Argument(""),
    wait: bool = typer.Option(False, "--wait"),
    timeout: int = typer.Option(3600, "--timeout", min=1),
) -> None:
    """Show how far a ticket is, or the newest ticket of a system; without either, every ticket that is not over."""
    session = session_of(ctx)
    if not what:
        _show_open(session)
        return
    ticket = _find(session, what)
    if wait:
        _wait(session, ticket["id"], timeout)
        return
    _show_ticket(session, session.api.get(f"/v1/tickets/{_segment(ticket['id'])}"), is_new=False)


def _find(session: Session, what: str) -> dict[str, Any]:
    from controller.cli.client import Refused

    if what.startswith("tick_"):
        return session.api.get(f"/v1/tickets/{_segment(what)}")
    found = session.api.all("/v1/tickets", system=what)
    if not found:
        # The platform itself says that there is no such system, or that nobody asked for anything yet.
        session.api.get(f"/v1/systems/{_segment(what)}")
        raise Refused(404, {"code": "cli.no_ticket", "params": {"system": what}})
    return found[-1]


def _show_open(session: Session) -> None:
    from controller.cli.lists import ticket_columns

    states = ("awaiting_approval", "accepted", "running", "failed")
    found = [ticket for state in states for ticket in session.api.all("/v1/tickets", state=state)]
    session.out.rows(sorted(found, key=lambda t: str(t["id"])), ticket_columns(session.out))


def _show_ticket(session: Session, ticket: dict[str, Any], *, is_new: bool) -> None:
    from controller.cli.ticket_view import show_new, show_ticket

    if is_new:
        session.out.value(ticket, lambda value: show_new(session.out, value))
        return
    events = session.api.all(f"/v1/tickets/{_segment(ticket['id'])}/events") if session.out.is_table else []
    session.out.value(ticket, lambda value: show_ticket(session.out, value, events))


def _wait(session: Session, ticket_id: str, timeout_s: int) -> None:
    from controller.cli.follow import follow

    ticket = follow(session, ticket_id, timeout_s)
    if session.format is not Format.TABLE:
        session.out.value(ticket, _nothing)
    else:
        from controller.cli.ticket_view import show_end

        show_end(session, ticket)
    if ticket["state"] in ("failed", "refused", "cancelled"):
        raise typer.Exit(REFUSED)
