"""``pool``: what a pool's back end keeps for departments beside their machines."""

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

app = commands()


@app.command()
def departments(ctx: typer.Context, pool: str) -> None:
    """List the departments that have a place of their own in the pool's back end."""
    from controller.cli.client import segment
    from controller.cli.output import Column

    session = session_of(ctx)
    found = session.api.get(f"/v1/pools/{segment(pool)}/departments")["items"]
    session.out.rows(found, [Column("cli.column.department", "department")], name="department")


@app.command("drop-department")
def drop_department(ctx: typer.Context, pool: str, department: str) -> None:
    """Remove a department's place from the pool's back end."""
    from controller.cli.client import segment

    session = session_of(ctx)
    gone = session.api.delete(f"/v1/pools/{segment(pool)}/departments/{segment(department)}")
    session.out.value(gone, lambda value: session.out.line("cli.say.department_left", pool=pool, **value))
