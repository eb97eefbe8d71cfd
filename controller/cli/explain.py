"""``explain``: why a machine is where it is, or why a ticket was refused."""

import typer

from controller.cli.commands import commands
from controller.cli.session import session_of

app = commands()


@app.command()
def explain(ctx: typer.Context, what: str, name: str = typer.Argument("")) -> None:
    """Say why a machine is where it is, or why a ticket found no place."""
    from controller.cli.client import Refused, segment
    from controller.cli.explain_view import places_of, show_explanation
    from controller.cli.machines import machine_id

    session = session_of(ctx)
    out = session.out
    what = _subject(what, name)
    if not what.startswith("tick_"):
        path = f"/v1/instances/{segment(machine_id(session, what))}"
        found, machine = session.api.get(f"{path}/explanation"), session.api.get(path)
        out.value(found, lambda value: show_explanation(out, value["body"]))
        if machine["host"] and machine["name"] not in places_of(found["body"]).get(machine["host"], ()):
            out.line("cli.explain.moved", name=machine["name"], host=machine["host"])
        return
    explanations = session.api.get(f"/v1/tickets/{segment(what)}/explanations")["items"]
    if not explanations:
        raise Refused(404, {"code": "cli.no_explanation", "params": {"ticket": what}})
    if not out.is_table:
        out.rows(explanations, [])
        return
    for explanation in explanations:
        show_explanation(out, explanation["body"])


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
