"""``init``: directories, schema and the first operator's token. Running it again changes nothing."""

import getpass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from controller.cli.commands import commands
from controller.cli.session import Session, session_of

if TYPE_CHECKING:
    from controller.settings import Settings
    from inventory.store.engine import Database

app = commands()
_DAYS = 365


@app.command()
def init(
    ctx: typer.Context,
    config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG"),
    new_token: bool = typer.Option(False, "--new-token"),
    user: str = typer.Option("", "--user"),
) -> None:
    """Make the state and the first operator token."""
    from controller.settings import load_settings
    from controller.state import sole_controller, upgrade
    from inventory.store.engine import open_database

    session = session_of(ctx)
    settings = load_settings(config)
    make_directories(settings)
    database = open_database(settings.database_url)
    try:
        if database.schema_revision() is None:
            with sole_controller(settings):
                upgrade(database)
            session.out.note("cli.init.made", state=database.engine.url.render_as_string(hide_password=True))
        else:
            session.out.note("cli.init.there", state=database.engine.url.render_as_string(hide_password=True))
        protect(settings)
        _first_token(session, settings, database, user=user or getpass.getuser(), is_wanted=new_token)
    finally:
        database.dispose()


def make_directories(settings: "Settings") -> None:
    """Make the directories of the state, readable by the service alone.

    Raises:
        Invalid: ``cli.init_directory_failed``.
    """
    from inventory.domain.errors import Invalid

    for path in (settings.state.directory, settings.images_dir):
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.chmod(0o700)
        except OSError as error:
            raise Invalid("cli.init_directory_failed", path=str(path), reason=error.strerror or str(error)) from error


def protect(settings: "Settings") -> None:
    """Let nobody but the service read the embedded state."""
    from controller.state import sqlite_path

    path = sqlite_path(settings)
    if path.exists():
        path.chmod(0o600)


def _first_token(session: Session, settings: "Settings", database: "Database", *, user: str, is_wanted: bool) -> None:
    """Give the operator a token, if nobody has one yet or a new one is asked for: it is printed this once."""
    import time

    from controller.cli.contexts import DEFAULT_CONTEXT, ContextEntry, remember
    from controller.identity import audit, tokens
    from controller.identity.caller import Role, local_operator
    from inventory.domain.ids import random_ids

    now_s = time.time()
    with database.write() as connection:
        if not is_wanted and any(t.role is Role.OPERATOR for t in tokens.page(connection, limit=1000)):
            session.out.note("cli.init.token_there")
            return
        token, secret = tokens.issue(
            connection,
            new_id=random_ids(),
            user_name=user,
            role=Role.OPERATOR,
            department_id=None,
            now_s=now_s,
            days=_DAYS,
        )
        detail = {"user_name": user, "role": Role.OPERATOR.value, "days": _DAYS}
        event = audit.event_by(local_operator(user), at_s=now_s, action="token.create", target=token.id, detail=detail)
        audit.append(connection, event)
    entry = ContextEntry(server=server_url(settings), zone=settings.time.zone)
    path = remember(session.context or DEFAULT_CONTEXT, entry, secret)
    session.out.note("cli.init.token_kept", path=path, days=_DAYS, user=user)
    typer.echo(secret)


def server_url(settings: "Settings") -> str:
    """Return the address clients on this machine use."""
    scheme = "https" if settings.server.tls_certificate else "http"
    host = "127.0.0.1" if _is_everywhere(settings.server.host) else settings.server.host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.server.port}"


def _is_everywhere(host: str) -> bool:
    """Tell whether an address to listen at means every address of this machine."""
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False
