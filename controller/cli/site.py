"""``import``: a site document shown as a plan, then applied."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from controller.cli import documents
from controller.cli.commands import commands
from controller.cli.exit_codes import CHANGES, OK, REFUSED
from controller.cli.output import Out
from controller.cli.replacing import changes_told
from controller.cli.session import session_of
from controller.cli.working import long_work

app = commands()


@app.command("import")
def import_(
    ctx: typer.Context,
    file: str,
    yes: bool = typer.Option(False, "--yes", "-y"),
    dry_run: bool = typer.Option(False, "--dry-run"),
) -> None:
    """Bring departments, zones, pools, sizes, images, quotas and prices to what a document says."""
    from controller.cli.ask import agreed

    session = session_of(ctx)
    out = session.out
    data = documents.read(file)
    # Image files are named beside the document; the controller reads them where it runs.
    base_dir = str(Path.cwd() if file == "-" else Path(file).absolute().parent)
    with documents.about(file):
        planned = session.api.post_yaml("/v1/site/plan", data, base_dir=base_dir)
        shown = session.api.tag
        changes = [c for c in planned["changes"] if c["verb"] != "none"]
        if out.is_table:
            _show(out, planned["changes"])
        if dry_run or not changes:
            if not out.is_table:
                out.value(planned, lambda _value: None)
            raise typer.Exit(CHANGES if dry_run and changes else OK)
        if not agreed(out, is_yes=yes or not out.is_table, question="cli.say.apply_this"):
            out.note("cli.say.not_applied")
            raise typer.Exit(REFUSED)
        with changes_told(f"allot import {file} --dry-run"), long_work(session, "cli.say.site_imported") as api:
            applied = api.post_yaml("/v1/site/import", data, tag=shown, base_dir=base_dir)
    done = sum(1 for c in applied["changes"] if c["verb"] != "none")
    out.value(applied, lambda _value: out.line("cli.say.imported", count=done))


def _show(out: Out, changes: Sequence[Mapping[str, Any]]) -> None:
    from rich.text import Text

    from controller.cli.plan_view import described

    unchanged = sum(1 for c in changes if c["verb"] == "none")
    for change in changes:
        if change["verb"] == "none":
            continue
        sign, style = ("+", "green") if change["verb"] == "create" else ("~", "yellow")
        text = f"{sign} {change['kind']} {change['name']}  {described(out, change['before'] or {}, change['after'] or {})}"
        out.console().print(Text(text.rstrip(), style=style))
    out.line("cli.say.import_plan", count=len(changes) - unchanged, unchanged=unchanged)
