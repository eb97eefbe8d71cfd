"""``get`` lists, ``describe`` shows one thing whole. ``get NAME`` of something that is no kind shows the system of that name."""

from collections.abc import Mapping
from typing import Any

import typer

from controller.cli.commands import commands
from controller.cli.session import Session, session_of

app = commands()


@app.command()
def get(
    ctx: typer.Context,
    kind: str,
    name: str = typer.Argument(""),
    department: str = typer.Option("", "--department"),
    system: str = typer.Option("", "--system"),
    host: str = typer.Option("", "--host"),
    state: str = typer.Option("", "--state"),
    with_gone: bool = typer.Option(False, "--all"),
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000),
) -> None:
    """List things of a kind."""
    from controller.cli.lists import kind_of

    session = session_of(ctx)
    found = kind_of(kind)
    if found is None:
        # What a ticket's comment and an error text recommend: `allot get NAME-OF-A-SYSTEM`.
        _describe(session, "systems", kind)
        return
    if name:
        _describe(session, found[0], name)
        return
    asked = {"department": department, "system": system, "host": host, "state": state}
    asked = {word: value for word, value in asked.items() if value and word in _FILTERS.get(found[0], ())}
    gone = {_GONE[found[0]]: True} if with_gone and found[0] in _GONE else {}
    items, has_more = session.api.first(found[1].path, limit, **asked, **gone)
    session.out.rows(items, found[1].columns(session.out), name=found[1].name, by=found[1].by, has_more=has_more)


_FILTERS: Mapping[str, tuple[str, ...]] = {
    "systems": ("department",),
    "notices": ("department", "system"),
    "instances": ("department", "system", "host"),
    "tickets": ("system", "state"),
    "findings": ("state",),
}
_GONE: Mapping[str, str] = {"systems": "with_released", "instances": "with_gone"}


@app.command()
def describe(ctx: typer.Context, kind: str, name: str) -> None:
    """Show one thing with everything the platform knows of it."""
    from controller.cli.lists import KINDS, kind_of
    from controller.cli.mistakes import Usage

    found = kind_of(kind)
    if found is None:
        raise Usage("cli.kind_unknown", kind=kind, known=", ".join(KINDS))
    _describe(session_of(ctx), found[0], name)


def _describe(session: Session, kind: str, name: str) -> None:
    from controller.cli.details import show_detail

    value = fetch(session, kind, name)
    session.out.value(value, lambda found: show_detail(session, kind, found))


def fetch(session: Session, kind: str, name: str) -> Mapping[str, Any]:
    """Return one thing by id or by what a person calls it.

    Raises:
        Refused: there is none, or the caller may not know of it.
    """
    from controller.cli.client import Refused, segment
    from controller.cli.lists import KINDS, one_of
    from controller.cli.machines import machine_id

    entry = KINDS[kind]
    if kind == "instances":
        name = machine_id(session, name)
    if entry.has_detail:
        return session.api.get(f"{entry.path}/{segment(name)}")
    found = one_of(session.api.all(entry.path), entry, name)
    if found is None:
        raise Refused(404, {"code": "cli.not_found", "params": {"kind": kind, "name": name}})
    return found
