"""``token``: who may call, as what, for how long."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

app = commands()


@app.command()
def create(
    ctx: typer.Context,
    user: str,
    role: str = typer.Option(..., "--role"),
    department: str = typer.Option("", "--department"),
    days: int = typer.Option(90, "--days", min=1, max=366),
    file: Path | None = typer.Option(None, "--file"),
) -> None:
    """Make a token; its secret is shown this once, or written to a private file."""
    from controller.cli.contexts import check_writable, write_private

    session = session_of(ctx)
    if file is not None:
        # Its secret is shown once: where it cannot be written no token is made.
        check_writable(file)
    body = {"user_name": user, "role": role, "department": department or None, "days": days}
    found = session.api.post_once("/v1/tokens", body)
    secret = found["token"]
    if file is not None:
        write_private(file, secret + "\n")
        found = {name: value for name, value in found.items() if name != "token"}

    def show(value: Mapping[str, Any]) -> None:
        until = session.out.moment(value["expires_at_s"])
        about = {"id": value["id"], "user": value["user_name"], "role": value["role"], "until": until}
        if file is None:
            session.out.note("cli.say.token_made", **about)
            typer.echo(secret)
        else:
            session.out.note("cli.say.token_written", **about, path=str(file))

    session.out.value(found, show)


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List tokens as recorded; secrets are not recorded."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.user", "user_name"),
        Column("cli.column.role", "role"),
        Column("cli.column.department", "department_id"),
        Column("cli.column.created", lambda r: out.moment(r["created_at_s"])),
        Column("cli.column.expires", lambda r: out.moment(r["expires_at_s"])),
        Column("cli.column.revoked", lambda r: out.moment(r["revoked_at_s"])),
        Column("cli.column.id", "id"),
    ]
    out.rows(session.api.all("/v1/tokens"), columns)


@app.command()
def revoke(ctx: typer.Context, token: str) -> None:
    """End a token now."""
    from controller.cli.client import segment

    session = session_of(ctx)
    found = session.api.delete(f"/v1/tokens/{segment(token)}")
    session.out.value(found, lambda v: session.out.line("cli.say.token_revoked", id=v["id"], user=v["user_name"]))
