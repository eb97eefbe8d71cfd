"""``db``: back up, restore, check and upgrade the state, beside the service and not through it."""

from pathlib import Path

import typer

from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.session import session_of

app = commands()


@app.command()
def backup(ctx: typer.Context, file: Path, config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG")) -> None:
    """Copy the state into a file while the service runs, and check the copy."""
    from controller.settings import load_settings
    from controller.state import backup as copy

    size_bytes = copy(load_settings(config), file)
    session_of(ctx).out.line("cli.db.backed_up", path=file, size_bytes=size_bytes)


@app.command()
def restore(
    ctx: typer.Context,
    file: Path,
    config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG"),
    yes: bool = typer.Option(False, "--yes", "-y"),
) -> None:
    """Put a backup in place of the state; the service must not run."""
    from controller.cli.ask import agreed
    from controller.settings import load_settings
    from controller.state import restore as put_back

    out = session_of(ctx).out
    if not agreed(out, is_yes=yes, question="cli.db.replace_state"):
        out.note("cli.say.not_applied")
        raise typer.Exit(REFUSED)
    kept = put_back(load_settings(config), file)
    out.line("cli.db.restored", path=file)
    if kept is not None:
        out.line("cli.db.kept", path=kept)


@app.command()
def check(ctx: typer.Context, config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG")) -> None:
    """Check the state: schema, integrity, and the books against the claims; exit 1 when something is wrong."""
    from controller.local.checks import state_report
    from controller.settings import load_settings

    out = session_of(ctx).out
    report = state_report(load_settings(config))
    problems = [{**p.to_json(), "detail": out.say(p.code, **p.params)} for p in report.problems]
    value = {
        "url": report.url,
        "revision_found": report.revision_found,
        "revision_wanted": report.revision_wanted,
        "sqlite_version": report.sqlite_version,
        "journal_mode": report.journal_mode,
        "problems": problems,
    }
    told = {**value, "problems": "\n".join(str(p["detail"]) for p in problems)}
    out.value(value, lambda _: out.fields([(f"cli.db.{name}", found) for name, found in told.items()]), name="revision_found")
    if problems:
        raise typer.Exit(REFUSED)
    out.line("cli.db.fine")


@app.command()
def upgrade(ctx: typer.Context, config: Path | None = typer.Option(None, "--config", envvar="ALLOT_CONFIG")) -> None:
    """Bring the schema to what this program needs; does nothing where it is there."""
    from controller.settings import load_settings
    from controller.state import WANTED_REVISION, sole_controller
    from controller.state import upgrade as migrate
    from inventory.store.engine import open_database

    settings = load_settings(config)
    with sole_controller(settings):
        database = open_database(settings.database_url)
        try:
            migrate(database)
        finally:
            database.dispose()
    session_of(ctx).out.line("cli.db.upgraded", revision=WANTED_REVISION)
