"""``usage``: seconds by resource and meter, with their price."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from controller.cli import meter_words
from controller.cli.commands import commands
from controller.cli.output import Column, Out
from controller.cli.session import session_of

if TYPE_CHECKING:
    from controller.cli.client import Client

app = commands()


@app.command()
def usage(
    ctx: typer.Context,
    start: str = typer.Option(..., "--from"),
    end: str = typer.Option("", "--to"),
    department: str = typer.Option("", "--department"),
) -> None:
    """Print what was used from one moment up to another."""
    import time

    session = session_of(ctx)
    # Without an end: up to now, in whole seconds.
    until = end or str(int(time.time()))
    found = whole_report(session.api, department, start, until)
    session.out.value(found, lambda value: _show(session.out, value))


def whole_report(api: "Client", department: str, start: str, end: str) -> dict[str, Any]:
    """Return the report with the lines of all its pages.

    Raises:
        Invalid: ``cli.list_too_long``.
    """
    from controller.cli.client import PAGE_SIZE, PAGES_MAX
    from inventory.domain.errors import Invalid

    found = api.get("/v1/usage", department=department, limit=PAGE_SIZE, **{"from": start, "to": end})
    lines, after = found["lines"], found["next"]
    for _ in range(PAGES_MAX):
        if not after:
            # The pages are in the order of ids.
            names = ("department", "project", "system", "resource", "resource_id", "meter")
            return {**found, "next": None, "lines": sorted(lines, key=lambda line: [line[name] for name in names])}
        # Up to where the first page counted: time goes on between them.
        window = {"from": start, "to": found["end_s"]}
        page = api.get("/v1/usage", department=department, limit=PAGE_SIZE, after=after, **window)
        lines += page["lines"]
        after = page["next"]
    raise Invalid("cli.list_too_long", count=PAGES_MAX * PAGE_SIZE)


def _show(out: Out, report: Mapping[str, Any]) -> None:
    out.line("cli.usage.title", start=out.moment(report["start_s"]), end=out.moment(report["end_s"]))
    columns = [
        Column("cli.column.department", "department_name"),
        Column("cli.column.system", "system"),
        Column("cli.column.resource", "resource"),
        Column("cli.column.meter", lambda line: meter_words.meter(out, line["meter"])),
        Column("cli.column.seconds", "seconds", is_number=True),
        Column("cli.column.charged_seconds", "charged_seconds", is_number=True),
        Column("cli.column.unit_seconds", "unit_seconds", is_number=True),
        Column("cli.column.unit", "unit"),
        Column("cli.column.price_yuan", "price_yuan", is_number=True),
    ]
    out.rows(report["lines"], columns, by="department_name")
    if report["lines"]:
        out.heading("cli.usage.totals")
        out.rows(report["totals"], columns[3:])
    out.line("cli.usage.price", price=report["price_yuan"])
