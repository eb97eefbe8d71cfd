"""``login`` remembers a service and a token; ``whoami`` says as whom one is known there."""

import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

app = commands()


@app.command()
def login(
    ctx: typer.Context,
    server: str = typer.Argument("http://127.0.0.1:8470"),
    name: str = typer.Option("default", "--name"),
    ca_file: str = typer.Option("", "--ca-file"),
    zone: str = typer.Option("Asia/Shanghai", "--zone"),
) -> None:
    """Remember a service and the token typed in (or read from standard input, or from --token-file)."""
    from controller.cli.client import Client
    from controller.cli.contexts import ContextEntry, Target, check_url, read_token, remember

    session = session_of(ctx)
    check_url(server)
    secret = read_token(Path(session.token_file)) if session.token_file else _typed_token(session.out.say("cli.say.type_token"))
    ca_path = str(Path(ca_file).absolute()) if ca_file else ""
    # Tried before it is kept: a token that does not work is better known now.
    with closing(Client(Target(server=server, token=secret, ca_file=ca_path), session.language)) as client:
        found = client.get("/v1/whoami")
    path = remember(name, ContextEntry(server=server, ca_file=ca_path, zone=zone), secret)
    session.out.note("cli.say.logged_in", user=found["user_name"], role=found["role"], path=path)


def _typed_token(question: str) -> str:
    from controller.cli.contexts import as_token

    if not sys.stdin.isatty():
        return as_token(sys.stdin.buffer.readline(), "<stdin>")
    return as_token(str(typer.prompt(question, hide_input=True, err=True)).encode(), "<stdin>")


@app.command()
def whoami(ctx: typer.Context) -> None:
    """Show the caller as the platform sees it."""
    session = session_of(ctx)

    def show(value: Mapping[str, Any]) -> None:
        session.out.fields(
            [
                ("cli.column.user", value["user_name"]),
                ("cli.column.role", value["role"]),
                ("cli.column.department", value["department"]),
                ("cli.column.token", value["token_id"]),
                ("cli.column.source", value["source"]),
                ("cli.column.server", session.api.server),
            ]
        )

    session.out.value(session.api.get("/v1/whoami"), show, name="user_name")
