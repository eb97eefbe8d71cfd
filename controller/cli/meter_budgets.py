"""``meter budget``: budgets of projects."""

import typer

from controller.cli.commands import commands
from controller.cli.replacing import replace
from controller.cli.session import session_of

budget = commands()


@budget.command("import")
def import_(ctx: typer.Context, file: str) -> None:
    """Set the budgets of a document."""
    found = replace(session_of(ctx), "/v1/budgets", file, look="allot meter budget show")
    _rows(ctx, found["items"])


@budget.command("show")
def show(
    ctx: typer.Context,
    department: str = typer.Option("", "--department"),
    year: int = typer.Option(0, "--year"),
) -> None:
    """List budgets, what was spent and what is obligated."""
    asked: dict[str, object] = {"department": department} | ({"year": year} if year else {})
    _rows(ctx, session_of(ctx).api.get("/v1/budgets", **asked)["items"])


@budget.command("notices")
def notices(ctx: typer.Context, department: str = typer.Option("", "--department")) -> None:
    """List what was told about budgets."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.at", lambda n: out.moment(n["at_s"])),
        Column("cli.column.project", "project"),
        Column("cli.column.year", "year", is_number=True),
        Column("cli.column.detail", "detail"),
    ]
    out.rows(session.api.all("/v1/budget-notices", department=department), columns)


def _rows(ctx: typer.Context, items: list[dict[str, object]]) -> None:
    from controller.cli.output import Column

    out = session_of(ctx).out

    def percent(name: str) -> Column:
        return Column("cli.column.percent", lambda b: f"{b[name]} %", is_number=True)

    columns = [
        Column("cli.column.project", "project"),
        Column("cli.column.year", "year", is_number=True),
        Column("cli.column.budget_limit", "limit_yuan", is_number=True),
        Column("cli.column.spent", "spent_yuan", is_number=True),
        percent("spent_percent"),
        Column("cli.column.obligated", "obligated_yuan", is_number=True),
        percent("obligated_percent"),
    ]
    out.rows(items, columns, name="project")
