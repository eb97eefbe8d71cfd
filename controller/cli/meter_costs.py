"""``meter cost``: what the platform costs, and where cost and capacity went."""

import typer

from controller.cli.client import segment
from controller.cli.commands import commands
from controller.cli.replacing import replace
from controller.cli.session import session_of

cost = commands()
_MONTH = typer.Argument(..., metavar="MONTH")
_ROWS = ("building", "foreign", "reserve", "reserved", "transfer", "idle")


@cost.command("import")
def import_(ctx: typer.Context, file: str) -> None:
    """Set all cost pools from a document."""
    found = replace(session_of(ctx), "/v1/cost-pools", file, look="allot meter cost list")
    _pools(ctx, found["items"])


@cost.command("list")
def list_(ctx: typer.Context) -> None:
    """List the cost pools that hold."""
    _pools(ctx, session_of(ctx).api.get("/v1/cost-pools")["items"])


@cost.command("show")
def show(ctx: typer.Context, month: str = _MONTH) -> None:
    """Show where the cost of a month went."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    found = session.api.get(f"/v1/periods/{segment(month)}/costs")
    if not out.is_table:
        out.value(found, lambda _: None)
        return
    rows: list[dict[str, str]] = []
    for pool in found["pools"]:
        parts = [*pool["departments"].items(), *((out.say(f"cli.word.place_{k}"), v) for k, v in pool["platform"].items())]
        rows += [{"pool": pool["pool"], "owner": owner, "yuan": amount} for owner, amount in parts]
        rows.append({"pool": pool["pool"], "owner": out.say("cli.word.unallocated"), "yuan": pool["unallocated_yuan"]})
    columns = [
        Column("cli.column.cost_pool", "pool"),
        Column("cli.column.owner", "owner"),
        Column("cli.column.yuan", "yuan", is_number=True),
    ]
    out.rows(rows, columns, name="pool")
    out.line("cli.say.cost_total", cost=found["yuan"], charged=found["charged_yuan"], surplus=found["surplus_yuan"])


@cost.command("places")
def places(ctx: typer.Context, month: str = _MONTH) -> None:
    """Show where the capacity of every host went in a month."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    found = session.api.get(f"/v1/periods/{segment(month)}/places")
    if not out.is_table:
        out.value(found, lambda _: None)
        return
    columns = [
        Column("cli.column.host", "host"),
        Column("cli.column.meter", "meter"),
        Column("cli.column.departments", lambda p: str(sum(map(int, p["departments"].values()))), is_number=True),
        *(Column(f"cli.word.place_{row}", row, is_number=True) for row in _ROWS),
        Column("cli.column.capacity", "capacity", is_number=True),
    ]
    out.rows(found["places"], columns, name="host")
    if found["overfull"]:
        out.note("cli.say.overfull", count=len(found["overfull"]))


def _pools(ctx: typer.Context, items: list[dict[str, object]]) -> None:
    from controller.cli.output import Column

    out = session_of(ctx).out
    columns = [
        Column("cli.column.name", "name"),
        Column("cli.column.kind", lambda p: out.say(f"cli.word.cost_{p['kind']}")),
        Column("cli.column.yuan", "yuan", is_number=True),
        Column("cli.column.from", lambda p: out.day(p["from_s"])),
        Column("cli.column.until", lambda p: out.day(p["to_s"])),
        Column("cli.column.meter", "meter"),
        Column("cli.column.idle_policy", lambda p: out.say(f"cli.word.policy_{p['policy']}")),
    ]
    out.rows(items, columns, name="name")
