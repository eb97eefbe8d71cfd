"""Decisions on a ticket: approve, reject, cancel, retry."""

from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

app = commands()


@app.command()
def approve(ctx: typer.Context, ticket: str, reason: str = typer.Option("", "--reason")) -> None:
    """Agree to a ticket that waits, as a second person."""
    _decide(ctx, ticket, "approve", {"reason": reason})


@app.command()
def reject(ctx: typer.Context, ticket: str, reason: str = typer.Option("", "--reason")) -> None:
    """Turn a ticket that waits down, as a second person."""
    _decide(ctx, ticket, "reject", {"reason": reason})


@app.command()
def cancel(ctx: typer.Context, ticket: str) -> None:
    """Withdraw a ticket that still waits."""
    _decide(ctx, ticket, "cancel", {})


@app.command()
def retry(ctx: typer.Context, ticket: str) -> None:
    """Try what failed again."""
    _decide(ctx, ticket, "retry", {})


def _decide(ctx: typer.Context, ticket: str, verb: str, body: dict[str, Any]) -> None:
    from controller.cli.client import segment
    from controller.cli.ticket_view import show_ticket

    session = session_of(ctx)
    found = session.api.post(f"/v1/tickets/{segment(ticket)}/{verb}", body)
    session.out.value(found, lambda value: show_ticket(session.out, value, []))
