"""``explain``: why a machine is where it is, or why a ticket was refused."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

if TYPE_CHECKING:
    from controller.cli.session import Session

app = commands()
#: Hosts of one page, as many as the service gives.
_PAGE = 500


@app.command()
def explain(
    ctx: typer.Context,
    what: str,
    name: str = typer.Argument(""),
    long: bool = typer.Option(False, "--long"),
    host: str = typer.Option(""),
) -> None:
    """Say why a machine is where it is, or why a ticket found no place; with every host, or one."""
    from controller.cli.client import Refused, segment
    from controller.cli.explain_view import places_of, show_explanation
    from controller.cli.machines import machine_id

    session = session_of(ctx)
    out = session.out
    what = _subject(what, name)
    if what.startswith("tick_"):
        found = session.api.all(f"/v1/tickets/{segment(what)}/explanations")
        if not found:
            raise Refused(404, {"code": "cli.no_explanation", "params": {"ticket": what}})
    else:
        path = f"/v1/instances/{segment(machine_id(session, what))}"
        found = [session.api.get(f"{path}/explanation")]
    if long or host:
        for explanation in found:
            _show_long(session, explanation["id"], host)
    elif not what.startswith("tick_"):
        out.value(found[0], lambda value: show_explanation(out, value["body"]))
        machine = session.api.get(path)
        if machine["host"] and machine["name"] not in places_of(found[0]["body"]).get(machine["host"], ()):
            out.line("cli.explain.moved", name=machine["name"], host=machine["host"])
    elif out.is_table:
        for explanation in found:
            show_explanation(out, explanation["body"])
    else:
        out.rows(found, [])


def _show_long(session: "Session", explanation_id: str, host: str) -> None:
    from controller.cli.explain_view import show_long

    out, pages = session.out, _pages(session, explanation_id, host)
    if out.is_table:
        show_long(out, pages)
    else:
        out.rows([verdict for page in pages for verdict in page["items"]], [], name="host")


def _pages(session: "Session", explanation_id: str, host: str) -> Iterator[Mapping[str, Any]]:
    """Yield every host, page after page: there may be ten thousand."""
    from controller.cli.client import segment

    query = {"form": "long", "limit": _PAGE, "host": host}
    after: str | None = "0"
    while after is not None:
        page = session.api.get(f"/v1/explanations/{segment(explanation_id)}", **query, after=after)
        yield page
        after = page["next"]


def _subject(what: str, name: str) -> str:
    """Return the machine or ticket that is meant: ``explain placement MACHINE``, ``explain refusal TICKET`` or just its name."""
    from controller.cli.mistakes import Usage

    if what not in ("placement", "refusal"):
        if name:
            raise Usage("cli.explain_kind", written=what)
        return what
    if not name or (what == "refusal" and not name.startswith("tick_")):
        raise Usage("cli.explain_subject", kind=what)
    return name
