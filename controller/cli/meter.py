"""``meter``: the catalogue of meters and the ledger of usage."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from controller.cli import meter_periods, meter_report, meter_words
from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.lazy import local_step
from controller.cli.meter_books import book, entry
from controller.cli.meter_budgets import budget
from controller.cli.meter_costs import cost
from controller.cli.meter_efficiency import efficiency
from controller.cli.output import Out
from controller.cli.session import session_of
from controller.cli.working import long_work

app = commands()
app.add_typer(book, name="book")
app.add_typer(entry, name="entry")
app.add_typer(budget, name="budget")
app.add_typer(cost, name="cost")
app.add_typer(efficiency, name="efficiency")
meter_periods.add_to(app)
app.command("report")(meter_report.report)


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List what is metered, in which unit, and what is entered by hand."""
    from controller.cli.output import Column

    out = session_of(ctx).out
    columns = [
        Column("cli.column.meter", "name"),
        Column("cli.column.name", lambda m: meter_words.meter(out, m["name"])),
        Column("cli.column.unit", "unit"),
        Column("cli.column.base_unit", "base_unit"),
        Column("cli.column.counting", lambda m: out.say(f"cli.word.{m['counting']}")),
        Column("cli.column.charged_states", lambda m: " ".join(meter_words.state(out, s) for s in m["charged_states"])),
        Column("cli.column.meter_source", lambda m: out.say("cli.word.entry" if m["is_entered"] else "cli.word.measured")),
    ]
    out.rows(session_of(ctx).api.get("/v1/meters")["items"], columns, name="name")


@app.command()
def ledger(
    ctx: typer.Context,
    resource: str = typer.Option("", "--resource"),
    department: str = typer.Option("", "--department"),
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000),
) -> None:
    """List intervals of the ledger."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.resource", "resource_name"),
        Column("cli.column.meter", lambda i: meter_words.meter(out, i["meter"])),
        Column("cli.column.state", lambda i: meter_words.state(out, i["state"])),
        Column("cli.column.amount", "amount", is_number=True),
        Column("cli.column.unit", lambda i: meter_words.base_unit(out, i["meter"])),
        Column("cli.column.from", lambda i: out.moment(i["start_s"])),
        Column("cli.column.until", lambda i: out.moment(i["end_s"])),
        Column("cli.column.id", "resource_id"),
        Column("cli.column.opened_by", "opened_by", is_number=True),
        Column("cli.column.closed_by", "closed_by", is_number=True),
        Column("cli.column.uncertain_s", lambda i: f"{i['start_uncertain_s']} / {i['end_uncertain_s']}", is_number=True),
    ]
    found, has_more = session.api.first("/v1/ledger", limit, resource=resource, department=department)
    out.rows(found, columns, name="resource_id", has_more=has_more)


@app.command()
def compare(ctx: typer.Context) -> None:
    """Derive the ledger from the journal again; exit 1 when it differs."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    with long_work(session, "cli.say.ledger_worked_on") as api:
        found = api.post("/v1/ledger/compare")

    def show(value: Mapping[str, Any]) -> None:
        code = "cli.say.ledger_equal" if value["is_equal"] else "cli.say.ledger_differs"
        out.line(code, resources=value["resource_count"], intervals=value["interval_count"], count=len(value["differences"]))
        if value["differences"]:
            columns = [
                Column("cli.column.id", "resource_id"),
                Column("cli.column.kind", "kind"),
                Column("cli.column.detail", "detail"),
            ]
            out.rows(value["differences"], columns, name="resource_id")

    out.value(found, show)
    if not found["is_equal"]:
        raise typer.Exit(REFUSED)


@app.command()
def counted(
    ctx: typer.Context,
    pool: str = typer.Argument(...),
    start: str = typer.Option(..., "--from"),
    end: str = typer.Option("", "--to"),
) -> None:
    """Print the ledger of a pool beside what its back end counts itself."""
    import time

    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    # Without an end: up to now, in whole seconds.
    until = end or str(int(time.time()))
    found = session.api.get("/v1/ledger/counted", pool=pool, **{"from": start, "to": until})

    def show(value: Mapping[str, Any]) -> None:
        out.line("cli.say.counted", start=out.moment(value["start_s"]), end=out.moment(value["end_s"]))
        for unit in ("vcpu_s", "memory_mib_s"):
            columns = [
                Column("cli.column.machine", "name"),
                Column(f"cli.column.ledger_{unit}", f"ledger_{unit}", is_number=True),
                Column(f"cli.column.counted_{unit}", f"counted_{unit}", is_number=True),
                Column(f"cli.column.difference_{unit}", f"difference_{unit}", is_number=True),
                Column("cli.column.reasons", "why"),
            ]
            out.rows([{**m, "why": _why(out, m["reasons"], unit)} for m in value["machines"]], columns, name="instance_id")
        foreign = {"vcpu_s": value["foreign_vcpu_s"], "memory_mib_s": value["foreign_memory_mib_s"]}
        out.line("cli.say.counted_foreign", count=value["foreign_count"], **foreign)

    out.value(found, show)


def _why(out: Out, reasons: Sequence[Mapping[str, Any]], unit: str) -> str:
    return ", ".join(f"{out.say('cli.word.counted.' + r['reason'])} {r[unit]:+}" for r in reasons if r[unit])


@app.command()
def rebuild(ctx: typer.Context, yes: bool = typer.Option(False, "--yes", "-y")) -> None:
    """Make the ledger again from the journal."""
    from controller.cli.ask import agreed

    session = session_of(ctx)
    out = session.out
    if not agreed(out, is_yes=yes, question="cli.say.rebuild_this"):
        raise typer.Exit(REFUSED)
    with long_work(session, "cli.say.ledger_worked_on") as api:
        found = api.post("/v1/ledger/rebuild")
    out.value(found, lambda value: out.line("cli.say.ledger_rebuilt", count=value["interval_count"]))


@app.command()
def demo(
    ctx: typer.Context,
    seed: int = typer.Option(1, "--seed", min=0),
    to: str = typer.Option("", "--to"),
) -> None:
    """Close three months of a small made-up city in a state of its own, and print the statements."""
    local_step("meter demo")(session_of(ctx).out, seed, to)
