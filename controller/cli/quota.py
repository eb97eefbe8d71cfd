"""``quota``: limits shown, set and audited."""

import typer

from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.session import session_of

app = commands()


@app.command()
def show(ctx: typer.Context, department: str = typer.Option("", "--department")) -> None:
    """Show limits and what is used of them."""
    from controller.cli.output import Column
    from controller.cli.plan_view import dimension

    session = session_of(ctx)
    out = session.out

    def limit(row: object) -> str:
        assert isinstance(row, dict)
        return str(row["limit"]) if row["mode"] == "limit" else out.say(f"cli.word.{row['mode']}")

    columns = [
        Column("cli.column.scope", "scope"),
        Column("cli.column.name", "scope_name"),
        Column("cli.column.dimension", lambda r: dimension(out, r["dimension"])),
        Column("cli.column.used", "used", is_number=True),
        Column("cli.column.limit", limit, is_number=True),
    ]
    out.rows(session.api.all("/v1/quotas", department=department), columns, name="scope", by="scope_name")


@app.command("set")
def set_(ctx: typer.Context, scope: str, dimension: str, limit: str) -> None:
    """Set a limit: an amount, ``unlimited`` or ``inherit``."""
    from controller.cli.client import segment
    from controller.cli.mistakes import Usage
    from controller.cli.plan_view import dimension as dimension_
    from controller.cli.replacing import changes_told
    from controller.cli.whole_numbers import whole_number

    session = session_of(ctx)
    if limit in ("unlimited", "inherit"):
        body: dict[str, object] = {"mode": limit}
    elif (amount := whole_number(limit)) is not None:
        body = {"mode": "limit", "limit": amount}
    else:
        raise Usage("cli.limit_unreadable", written=limit)
    path = f"/v1/quotas/{segment(scope)}/{segment(dimension)}"
    session.api.get(path)
    with changes_told("allot quota show"):
        found = session.api.put(path, body, tag=session.api.tag)
    out = session.out
    said = out.say(f"cli.word.{limit}") if found["mode"] != "limit" else limit
    out.value(
        found,
        lambda v: out.line(
            "cli.say.quota_set", scope=v["scope"], dimension=dimension_(out, v["dimension"]), limit=said, used=v["used"]
        ),
        name="scope",
    )


@app.command()
def audit(ctx: typer.Context, repair: bool = typer.Option(False, "--repair")) -> None:
    """Recount every counter from the claims; exit 1 when one was wrong."""
    from controller.cli.output import Column

    session = session_of(ctx)
    drifts = session.api.post("/v1/quotas/audit", repair=repair)["items"]
    if not drifts and session.out.is_table:
        session.out.line("cli.say.no_drift")
        return
    columns = [
        Column("cli.column.scope", "scope_id"),
        Column("cli.column.dimension", "dimension"),
        Column("cli.column.used", "used", is_number=True),
        Column("cli.column.counted", "counted", is_number=True),
    ]
    session.out.rows(drifts, columns, name="scope_id")
    if drifts:
        session.out.note("cli.say.drift_repaired" if repair else "cli.say.drift_found", count=len(drifts))
        raise typer.Exit(REFUSED)
