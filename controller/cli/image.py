"""``image``: what machines can boot from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of
from controller.cli.working import long_work

app = commands()


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List images."""
    from controller.cli.lists import KINDS

    session = session_of(ctx)
    session.out.rows(session.api.all("/v1/images"), KINDS["images"].columns(session.out), name="name")


@app.command("import")
def import_(
    ctx: typer.Context,
    source: str,
    name: str = typer.Option(..., "--name"),
    sha256: str = typer.Option("", "--sha256"),
    arch: str = typer.Option("x86_64", "--arch"),
    title: str = typer.Option("", "--title"),
    kernel: str = typer.Option("", "--kernel"),
    initrd: str = typer.Option("", "--initrd"),
    kernel_arguments: str = typer.Option("", "--kernel-arguments"),
) -> None:
    """Take an image from a file on the controller's machine or from a URL, inspected and hashed."""
    session = session_of(ctx)
    body = {
        "name": name,
        "arch": arch,
        "source": _absolute(source),
        "sha256": sha256.removeprefix("sha256:"),
        "title": title,
        "kernel": _absolute(kernel),
        "initrd": _absolute(initrd),
        "kernel_arguments": kernel_arguments,
    }
    with long_work(session, "cli.say.image_taken_in", name=name) as api:
        found = api.post("/v1/images", body)

    def show(value: Mapping[str, Any]) -> None:
        session.out.line("cli.say.image_imported", name=value["name"], sha256=value["sha256"], gib=value["virtual_size_gib"])

    session.out.value(found, show, name="name")


@app.command("withdraw")
def withdraw(ctx: typer.Context, name: str) -> None:
    """Offer an image no more; machines that have it keep it."""
    from controller.cli.client import segment

    session = session_of(ctx)
    found = session.api.post(f"/v1/images/{segment(name)}/withdraw")
    session.out.value(found, lambda value: session.out.line("cli.say.image_withdrawn", name=value["name"]), name="name")


def _absolute(source: str) -> str:
    """Return a path as the controller on this machine sees it; a URL stays."""
    return source if not source or "://" in source else str(Path(source).absolute())
