"""``version`` and ``schema``: what this program is, and the JSON Schema of tickets."""

import typer

from controller.cli.commands import commands

app = commands()


@app.command()
def version() -> None:
    """Print the version."""
    from controller.version import version as found

    typer.echo(f"allot {found()}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the ticket language, for editors."""
    from controller.tickets.schema import schema_text

    typer.echo(schema_text(), nl=False)
