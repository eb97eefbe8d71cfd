"""``adopt``: machines somebody else made, in the books of a department. Nothing is done to them, on adopting or later."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.session import Session, session_of

app = commands()


@app.command()
def candidates(ctx: typer.Context, pool: str, owner: str = typer.Option("", "--owner")) -> None:
    """List the machines of a pool that are not ours, and whose each seems to be."""
    session = session_of(ctx)
    _show_candidates(session, _candidates(session, pool, owner))


@app.command()
def take(
    ctx: typer.Context,
    pool: str,
    project: str = typer.Option(..., "--project"),
    system: str = typer.Option(..., "--system"),
    lease_end: str = typer.Option(..., "--lease-end"),
    owner: str = typer.Option("", "--owner"),
    machine: list[str] = typer.Option([], "--machine"),
    mlps: int = typer.Option(2, "--mlps"),
    environment: str = typer.Option("production", "--environment"),
    yes: bool = typer.Option(False, "--yes"),
) -> None:
    """Take machines into the books of a project."""
    from controller.cli.ask import agreed
    from controller.cli.mistakes import Usage

    session = session_of(ctx)
    out = session.out
    if not (owner or machine):
        raise Usage("cli.adopt_nothing_named")
    if not yes and out.is_table:
        chosen = [c for c in _candidates(session, pool, "") if c["uuid"] in machine or (owner and c["owner"] == owner)]
        _show_candidates(session, chosen)
    if not agreed(out, is_yes=yes or not out.is_table, question="cli.say.adopt_these"):
        raise typer.Exit(REFUSED)
    body = {
        "pool": pool,
        "project": project,
        "system": system,
        "mlps_level": mlps,
        "lease_end": lease_end,
        "environment": environment,
        "owner": owner,
        "machines": machine,
    }
    _show_adopted(session, session.api.post("/v1/adoptions", body)["items"])


@app.command("list")
def list_(ctx: typer.Context, department: str = typer.Option("", "--department")) -> None:
    """List adopted machines."""
    session = session_of(ctx)
    _show_adopted(session, session.api.all("/v1/adoptions", department=department))


@app.command("let-go")
def let_go(ctx: typer.Context, adoption: str) -> None:
    """Take a machine out of the books."""
    from controller.cli.client import segment

    session = session_of(ctx)
    gone = session.api.post(f"/v1/adoptions/{segment(adoption)}/let-go")
    session.out.value(gone, lambda value: session.out.line("cli.say.let_go", name=value["name"], uuid=value["uuid"]))


def _candidates(session: Session, pool: str, owner: str) -> list[Mapping[str, Any]]:
    from controller.cli.client import segment

    found = session.api.all(f"/v1/pools/{segment(pool)}/foreign")
    return [c for c in found if owner in ("", c["owner"])]


def _show_candidates(session: Session, found: Sequence[Mapping[str, Any]]) -> None:
    from controller.cli.output import Column

    out = session.out
    columns = [
        Column("cli.column.name", "name"),
        Column("cli.column.host", "host"),
        Column("cli.column.vcpu", "vcpu_count", is_number=True),
        Column("cli.column.memory_mib", "memory_mib", is_number=True),
        Column("cli.column.disk_gib", lambda r: _gib(r["disks"], is_metered=True), is_number=True),
        Column("cli.column.disk_gib_unmetered", lambda r: _gib(r["disks"], is_metered=False), is_number=True),
        Column("cli.column.running", lambda r: out.say("cli.word.yes" if r["is_running"] else "cli.word.no")),
        Column("cli.column.owner_there", "owner"),
        Column("cli.column.department", "department"),
        Column("cli.column.project", "project"),
        Column("cli.column.adopted", lambda r: r["adoption_id"] or ""),
        Column("cli.column.uuid", "uuid"),
    ]
    out.rows(found, columns, name="uuid")


def _show_adopted(session: Session, found: Sequence[Mapping[str, Any]]) -> None:
    from controller.cli.output import Column

    out = session.out
    columns = [
        Column("cli.column.name", "name"),
        Column("cli.column.system", "system"),
        Column("cli.column.department", "department"),
        Column("cli.column.project", "project"),
        Column("cli.column.host", "host"),
        Column("cli.column.vcpu", "vcpu_count", is_number=True),
        Column("cli.column.memory_mib", "memory_mib", is_number=True),
        Column("cli.column.disk_gib", lambda r: _gib(r["disks"], is_metered=True), is_number=True),
        Column("cli.column.state", lambda r: out.say(f"cli.word.{r['observed']}")),
        Column("cli.column.metered_since", lambda r: out.moment(r["since_s"])),
        Column("cli.column.id", "id"),
    ]
    out.rows(found, columns)


def _gib(disks: Sequence[Mapping[str, Any]] | None, *, is_metered: bool) -> str:
    """Return how large disks of a known class are together, or all others; nothing where nobody says what there is."""
    return "" if disks is None else str(sum(d["size_gib"] for d in disks if bool(d["disk_class"]) is is_metered))
