"""``capacity``: what-if questions; nothing is changed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import typer

from controller.cli.client import segment
from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.mistakes import Usage
from controller.cli.session import Session, session_of

if TYPE_CHECKING:
    from controller.cli.output import Out

app = commands()


@app.command()
def fit(
    ctx: typer.Context,
    size: str = typer.Argument(""),
    vcpu: int = typer.Option(0, "--vcpu"),
    memory_mib: int = typer.Option(0, "--memory-mib"),
    disk_gib: int | None = typer.Option(None, "--disk-gib"),
    disk_class: str = typer.Option("standard", "--disk-class"),
    arch: str = typer.Option("any", "--arch"),
    pool: str = typer.Option("", "--pool"),
    zone: str = typer.Option("", "--zone"),
    spread: str = typer.Option("none", "--spread"),
    department: str = typer.Option("", "--department"),
    network: str = typer.Option("default", "--network"),
    system: str = typer.Option("", "--system"),
) -> None:
    """Count how many more machines of a size, or of a system's groups, fit."""
    from controller.cli.output import Column
    from controller.cli.plan_view import dimension

    session = session_of(ctx)
    out = session.out
    if system:
        is_own = (spread, network, arch) != ("none", "default", "any")
        if size or vcpu or memory_mib or disk_gib is not None or pool or zone or is_own:
            raise Usage("cli.fit_of_system")
        _fit_of_system(session, system, department)
        return
    asked: dict[str, Any] = {
        "size": size,
        "vcpu_count": vcpu,
        "memory_mib": memory_mib,
        "disk_class": disk_class,
        "arch": arch,
        "pool": pool,
        "zone": zone,
        "spread": spread,
        "department": department,
        "network": network,
    }
    found = session.api.get("/v1/capacity", **asked, **({} if disk_gib is None else {"disk_gib": disk_gib}))

    def show(value: Mapping[str, Any]) -> None:
        columns = [
            Column("cli.column.pool", "pool"),
            Column("cli.column.zone", "zone"),
            Column("cli.column.mlps_max", "mlps_max", is_number=True),
            Column("cli.column.fit", "count", is_number=True),
            Column("cli.column.fit_pooled", "pooled_count", is_number=True),
            Column("cli.column.fit_limit", lambda row: dimension(out, row["limit"]) if row["limit"] else ""),
        ]
        out.rows(value["pools"], columns)
        whose = "cli.capacity.of_network" if value["department"] else "cli.capacity.of_new_networks"
        out.line(whose, department=value["department"], network=value["network"])
        out.heading("cli.capacity.levels")
        levels = [Column("cli.column.zone", "zone"), Column("cli.column.mlps_level", "mlps_level", is_number=True)]
        out.rows(value["levels"], [*levels, Column("cli.column.fit", "count", is_number=True)])

    out.value(found, show)


def _fit_of_system(session: Session, system: str, department: str) -> None:
    found = session.api.get(f"/v1/capacity/systems/{segment(system)}", department=department)
    session.out.value(found, lambda value: show_groups(session.out, value), name="system")


def show_groups(out: "Out", value: Mapping[str, Any]) -> None:
    """Print how many more machines each server group of a system could get, and why there are no more."""
    from controller.cli.explain_view import show_explanation
    from controller.cli.output import Column

    columns = [
        Column("cli.column.server_group", "server"),
        Column("cli.column.spread", _spread),
        Column("cli.column.networks", lambda row: ", ".join(row["networks"])),
        Column("cli.column.count", "have", is_number=True),
        Column("cli.column.fit", "count", is_number=True),
    ]
    out.rows(value["servers"], columns)
    for row in value["servers"]:
        if row["explanation"]:
            out.line("cli.capacity.why_no_more", server=row["server"], count=row["count"] + 1)
            show_explanation(out, row["explanation"])


def _spread(row: Mapping[str, Any]) -> str:
    return str(row["spread"]) if row["spread"] == "none" else f"{row['spread']} ≤ {row['spread_max']}"


@app.command()
def forecast(ctx: typer.Context, pool: str = typer.Option("", "--pool")) -> None:
    """Say when pools are full at the present trend."""
    from controller.cli.output import Column
    from controller.cli.plan_view import dimension

    session = session_of(ctx)
    out = session.out
    found = session.api.get("/v1/capacity/forecast", pool=pool)

    def date(name: str) -> Any:
        def shown(row: Mapping[str, Any]) -> str:
            if row["is_full"]:
                return out.say("cli.capacity.full_now")
            return (row[name] or out.say("cli.capacity.never")) if row["is_enough"] else "—"

        return shown

    def show(value: Mapping[str, Any]) -> None:
        columns = [
            Column("cli.column.pool", "pool"),
            Column("cli.column.full_p10", date("p10")),
            Column("cli.column.full_p50", date("p50")),
            Column("cli.column.full_p90", date("p90")),
            Column("cli.column.dimension", lambda r: dimension(out, r["dimension"]) if r["dimension"] else ""),
        ]
        out.rows(value["pools"], columns)
        for row in value["pools"]:
            if not row["is_enough"] and not row["is_full"]:
                out.line("cli.capacity.no_trend", days=row["history_days"], least=row["history_days_needed"])
                break

    out.value(found, show)


@app.command()
def failure(ctx: typer.Context, hosts: list[str]) -> None:
    """Say what would become of what is promised on hosts that fail; exit 1 when some of it would be placed or held nowhere."""
    from controller.cli.fates_view import show_fates, show_slot_fates

    session = session_of(ctx)
    found = session.api.get(f"/v1/capacity/failure?{urlencode([('host', name) for name in hosts])}")
    out, lost = session.out, [m for m in found["machines"] if not m["to_host"]]
    ends = "cli.capacity.not_placed" if lost else "cli.capacity.all_placed"

    def show(value: Mapping[str, Any]) -> None:
        show_fates(out, value["machines"], ends)
        show_slot_fates(out, value["reservations"])

    out.value(found, show)
    if lost or any(r["left_count"] for r in found["reservations"]):
        raise typer.Exit(REFUSED)


@app.command()
def hosts(
    ctx: typer.Context,
    files: list[str],
    vcpu: int = typer.Option(..., "--vcpu"),
    memory_mib: int = typer.Option(..., "--memory-mib"),
    disk: list[str] = typer.Option([], "--disk"),
    arch: str = typer.Option("x86_64", "--arch"),
    per_rack: int = typer.Option(1, "--per-rack"),
    survive: str = typer.Option("", "--survive"),
) -> None:
    """Say how many hosts of a shape a list of tickets needs."""
    from controller.cli import documents
    from controller.cli.output import Column

    session = session_of(ctx)
    body = {
        "tickets": [documents.read(file).decode("utf-8", "replace") for file in files],
        "vcpu_count": vcpu,
        "memory_mib": memory_mib,
        "disks_gib": _disks(disk),
        "arch": arch,
        "per_rack": per_rack,
        **({"reserve": _reserve(survive)} if survive else {}),
    }
    found = session.api.post("/v1/capacity/hosts-needed", body)
    columns = [
        Column("cli.column.zone", "zone"),
        Column("cli.column.hosts_needed", "host_count", is_number=True),
        Column("cli.column.standby_hosts", "standby_count", is_number=True),
        Column("cli.column.lower_bound", "lower_bound", is_number=True),
        Column("cli.column.machines", "machine_count", is_number=True),
    ]
    session.out.value(found, lambda value: session.out.rows(value["zones"], columns))


def _reserve(written: str) -> dict[str, Any]:
    from controller.cli.whole_numbers import whole_number

    level, colon, written_count = written.partition(":")
    count = whole_number(written_count) if colon else 1
    if level not in ("host", "rack") or not count:
        raise Usage("cli.survive_unreadable", written=written)
    return {"survive": level, "count": count}


def _disks(written: list[str]) -> dict[str, int]:
    from controller.cli.whole_numbers import whole_number

    found = {}
    for text in written:
        disk_class, _, written_gib = text.rpartition(":")
        amount = whole_number(written_gib)
        if not disk_class or amount is None:
            raise Usage("cli.disk_unreadable", written=text)
        found[disk_class] = amount
    return found
