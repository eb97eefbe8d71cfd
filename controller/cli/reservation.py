"""``reservation``: capacity held for a project for a time."""

from collections.abc import Mapping
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import Session, session_of

app = commands()


@app.command()
def create(
    ctx: typer.Context,
    name: str,
    project: str = typer.Option(..., "--project"),
    zone: str = typer.Option(..., "--zone"),
    until: str = typer.Option(..., "--until"),
    start: str = typer.Option("", "--from"),
    size: str = typer.Option("", "--size"),
    vcpu: int = typer.Option(0, "--vcpu"),
    memory_mib: int = typer.Option(0, "--memory-mib"),
    disk_gib: int | None = typer.Option(None, "--disk-gib"),
    disk_class: str = typer.Option("standard", "--disk-class"),
    arch: str = typer.Option("any", "--arch"),
    count: int = typer.Option(1, "--count"),
    mlps: int = typer.Option(2, "--mlps"),
    spread: str = typer.Option("none", "--spread"),
) -> None:
    """Hold capacity for a project until a deadline."""
    from controller.cli.moments import moment_s

    session = session_of(ctx)
    body: dict[str, Any] = {
        "name": name,
        "project": project,
        "zone": zone,
        "size": size,
        "vcpu_count": vcpu,
        "memory_mib": memory_mib,
        "disk_gib": disk_gib,
        "disk_class": disk_class,
        "arch": arch,
        "count": count,
        "mlps_level": mlps,
        "spread": spread,
        "ends_s": moment_s(session, until),
    }
    if start:
        body["starts_s"] = moment_s(session, start)
    _print(session, session.api.post("/v1/reservations", body))


@app.command("list")
def list_(
    ctx: typer.Context,
    department: str = typer.Option("", "--department"),
    all_: bool = typer.Option(False, "--all"),
) -> None:
    """List reservations."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.name", "name"),
        Column("cli.column.project", "project"),
        Column("cli.column.state", lambda r: out.say(f"cli.word.reservation_{r['state']}")),
        Column("cli.column.left", "left_count", is_number=True),
        Column("cli.column.count", "count", is_number=True),
        Column("cli.column.vcpu", "vcpu_count", is_number=True),
        Column("cli.column.memory_mib", "memory_mib", is_number=True),
        Column("cli.column.starts", lambda r: out.moment(r["starts_s"])),
        Column("cli.column.ends", lambda r: out.moment(r["ends_s"])),
        Column("cli.column.id", "id"),
    ]
    out.rows(session.api.all("/v1/reservations", department=department, with_ended=all_), columns)


@app.command()
def show(ctx: typer.Context, reservation: str) -> None:
    """Show a reservation whole."""
    session = session_of(ctx)
    _print(session, session.api.get(f"/v1/reservations/{_segment(reservation)}"))


@app.command()
def release(ctx: typer.Context, reservation: str) -> None:
    """Give a reservation up before its deadline."""
    session = session_of(ctx)
    _print(session, session.api.post(f"/v1/reservations/{_segment(reservation)}/release", {}))


def _print(session: Session, found: Mapping[str, Any]) -> None:
    from controller.cli.catalogue_view import how_it_lies

    out = session.out

    def show_fields(value: Mapping[str, Any]) -> None:
        out.fields(
            [
                ("cli.column.name", value["name"]),
                ("cli.column.id", value["id"]),
                ("cli.column.state", out.say(f"cli.word.reservation_{value['state']}")),
                ("cli.column.department", value["department"]),
                ("cli.column.project", value["project"]),
                ("cli.column.zone", value["zone"]),
                ("cli.column.mlps_level", value["mlps_level"]),
                ("cli.column.count", value["count"]),
                ("cli.column.left", value["left_count"]),
                ("cli.column.vcpu", value["vcpu_count"]),
                ("cli.column.memory_mib", value["memory_mib"]),
                ("cli.column.disk_gib", value["disk_gib"]),
                ("cli.column.disk_class", value["disk_class"] if value["disk_gib"] else ""),
                *how_it_lies(out, value),
                ("cli.column.starts", out.moment(value["starts_s"])),
                ("cli.column.ends", out.moment(value["ends_s"])),
                ("cli.column.by", value["created_by"]),
            ]
        )
        if value["astray_count"]:
            out.line("cli.reservation.astray", count=value["astray_count"], left=value["left_count"])
        if value["no_address_count"]:
            out.line("cli.reservation.no_address", count=value["no_address_count"], left=value["left_count"])

    out.value(found, show_fields)


def _segment(text: str) -> str:
    from controller.cli.client import segment

    return segment(text)
