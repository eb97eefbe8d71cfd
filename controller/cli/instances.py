"""Orders to one machine: start, stop, reboot, console, screen."""

import sys
from collections.abc import Mapping
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

app = commands()


@app.command()
def start(ctx: typer.Context, instance: str) -> None:
    """Have a machine running."""
    _order(ctx, instance, "start")


@app.command()
def stop(ctx: typer.Context, instance: str) -> None:
    """Have a machine stopped; it keeps its place, disks and addresses."""
    _order(ctx, instance, "stop")


@app.command()
def reboot(ctx: typer.Context, instance: str) -> None:
    """Have a running machine restarted in place."""
    _order(ctx, instance, "reboot")


def _order(ctx: typer.Context, instance: str, verb: str) -> None:
    from controller.cli.client import segment
    from controller.cli.machines import machine_id

    session = session_of(ctx)
    found = session.api.post(f"/v1/instances/{segment(machine_id(session, instance))}/{verb}")

    def show(value: Mapping[str, Any]) -> None:
        session.out.line(f"cli.say.{verb}_ordered", name=value["name"], id=value["id"])

    session.out.value(found, show)


@app.command()
def console(ctx: typer.Context, instance: str, max_bytes: int = typer.Option(65_536, "--max-bytes", min=1, max=1 << 20)) -> None:
    """Print the end of a machine's serial log."""
    from controller.cli.client import segment
    from controller.cli.machines import machine_id

    session = session_of(ctx)
    log = session.api.get_bytes(f"/v1/instances/{segment(machine_id(session, instance))}/console", max_bytes=max_bytes)
    sys.stdout.write(printable(log))


@app.command()
def screen(ctx: typer.Context, instance: str) -> None:
    """Print an address where a machine's screen is seen."""
    from controller.cli.client import segment
    from controller.cli.machines import machine_id

    session = session_of(ctx)
    found = session.api.post(f"/v1/instances/{segment(machine_id(session, instance))}/screen")
    session.out.value(found, lambda value: session.out.console().print(value["url"], markup=False, soft_wrap=True))


def printable(log: bytes) -> str:
    """Return a guest's log without the control characters that could play tricks on a terminal."""
    text = log.decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(c if c in "\n\t" or c.isprintable() else "·" for c in text)
