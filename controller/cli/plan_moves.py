"""``plan-moves``: plans that move machines, computed, looked at, run and cancelled."""

from collections.abc import Mapping
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import Session, session_of

app = commands()
_PATH = "/v1/move-plans"


@app.command()
def drain(
    ctx: typer.Context,
    host: str,
    moves_most: int = typer.Option(1000, "--moves-most", min=1),
    memory_most_mib: int | None = typer.Option(None, "--memory-most-mib", min=1),
    dry_run: bool = typer.Option(False, "--dry-run"),
) -> None:
    """Plan to empty a host."""
    bounds = {"moves_most": moves_most, "memory_most_mib": memory_most_mib}
    _make(ctx, {"kind": "drain", "host": host, **bounds, "dry_run": dry_run})


@app.command()
def rebalance(
    ctx: typer.Context,
    moves_most: int = typer.Option(1000, "--moves-most", min=1),
    memory_most_mib: int | None = typer.Option(None, "--memory-most-mib", min=1),
    dry_run: bool = typer.Option(False, "--dry-run"),
) -> None:
    """Plan to even out the load."""
    _make(ctx, {"kind": "rebalance", "moves_most": moves_most, "memory_most_mib": memory_most_mib, "dry_run": dry_run})


@app.command()
def repair(
    ctx: typer.Context,
    moves_most: int = typer.Option(1000, "--moves-most", min=1),
    memory_most_mib: int | None = typer.Option(None, "--memory-most-mib", min=1),
    dry_run: bool = typer.Option(False, "--dry-run"),
) -> None:
    """Plan to put broken rules right, and nothing else."""
    _make(ctx, {"kind": "repair", "moves_most": moves_most, "memory_most_mib": memory_most_mib, "dry_run": dry_run})


@app.command()
def consolidate(
    ctx: typer.Context,
    moves_most: int = typer.Option(1000, "--moves-most", min=1),
    memory_most_mib: int | None = typer.Option(None, "--memory-most-mib", min=1),
    horizon_h: int = typer.Option(24, "--horizon-h", min=1),
    saving_least_wh_per_gib: int = typer.Option(5, "--saving-least-wh-per-gib", min=0),
    moves_each_most: int | None = typer.Option(None, "--moves-each-most", min=1),
    fill_most_permille: int = typer.Option(1000, "--fill-most-permille", min=1, max=1000),
    dry_run: bool = typer.Option(False, "--dry-run"),
) -> None:
    """Plan to free whole hosts for power-off."""
    body = {"kind": "consolidate", "moves_most": moves_most, "memory_most_mib": memory_most_mib, "dry_run": dry_run}
    body |= {"horizon_h": horizon_h, "saving_least_wh_per_gib": saving_least_wh_per_gib}
    _make(ctx, {**body, "moves_each_most": moves_each_most, "fill_most_permille": fill_most_permille})


@app.command("make-room")
def make_room(
    ctx: typer.Context,
    size: str,
    count: int = typer.Option(1, "--count", min=1, max=1000),
    zone: str | None = typer.Option(None, "--zone"),
    mlps_level: int = typer.Option(1, "--mlps-level", min=1, max=5),
    disk_class: str = typer.Option("standard", "--disk-class"),
    moves_most: int = typer.Option(1000, "--moves-most", min=1),
    memory_most_mib: int | None = typer.Option(None, "--memory-most-mib", min=1),
    dry_run: bool = typer.Option(False, "--dry-run"),
) -> None:
    """Plan to make room for machines that no host has room for."""
    room = {"size": size, "count": count, "zone": zone, "mlps_level": mlps_level, "disk_class": disk_class}
    body = {"kind": "make-room", "room": room, "moves_most": moves_most, "memory_most_mib": memory_most_mib, "dry_run": dry_run}
    _make(ctx, body)


@app.command()
def run(ctx: typer.Context, plan: str) -> None:
    """Let a plan begin."""
    _act(ctx, plan, "run")


@app.command()
def cancel(ctx: typer.Context, plan: str) -> None:
    """End a plan at any point."""
    _act(ctx, plan, "cancel")


@app.command()
def show(ctx: typer.Context, plan: str) -> None:
    """Show a plan with its steps."""
    from controller.cli.client import segment

    session = session_of(ctx)
    _print(session, session.api.get(f"{_PATH}/{segment(plan)}"))


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List plans, oldest first."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.kind", "kind"),
        Column("cli.column.state", "state"),
        Column("cli.column.moves", lambda r: r["summary"]["moves"], is_number=True),
        Column("cli.column.done", lambda r: r["steps_by_state"].get("done", 0), is_number=True),
        Column("cli.column.by", "created_by"),
        Column("cli.column.created", lambda r: out.moment(r["created_at_s"])),
        Column("cli.column.id", "id"),
    ]
    out.rows(session.api.all(_PATH), columns)


def _make(ctx: typer.Context, body: Mapping[str, Any]) -> None:
    session = session_of(ctx)
    plan = session.api.post(_PATH, {name: value for name, value in body.items() if value is not None})
    _print(session, plan)
    if plan["steps"]:
        session.out.note("cli.moves.dry_run" if body["dry_run"] else "cli.moves.planned", plan=plan["id"])


def _act(ctx: typer.Context, plan: str, what: str) -> None:
    from controller.cli.client import segment

    session = session_of(ctx)
    _print(session, session.api.post(f"{_PATH}/{segment(plan)}/{what}"))


def _print(session: Session, plan: Mapping[str, Any]) -> None:
    from controller.cli.moves_view import show_plan

    session.out.value(plan, lambda value: show_plan(session.out, value))
