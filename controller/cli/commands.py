"""Commands that belong together: what every module of the command line begins with."""

import typer


def commands() -> typer.Typer:
    """Return an empty group; one with a single command stays a group."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.callback()
    def group() -> None:
        """Hold the commands together."""

    return app
