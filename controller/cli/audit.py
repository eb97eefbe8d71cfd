"""``audit``: the chain of who did what."""

import typer

from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.session import session_of

app = commands()


@app.command("list")
def list_(
    ctx: typer.Context,
    action: str = typer.Option("", "--action"),
    actor: str = typer.Option("", "--actor"),
    after: int = typer.Option(0, "--after", min=0),
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000),
) -> None:
    """List events, oldest first."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    found, has_more = session.api.first("/v1/audit", limit, action=action, actor=actor, after=after)
    columns = [
        Column("cli.column.seq", "seq", is_number=True),
        Column("cli.column.at", lambda r: out.moment(r["at_s"])),
        Column("cli.column.actor", "actor"),
        Column("cli.column.action", "action"),
        Column("cli.column.target", "target"),
        Column("cli.column.result", "result"),
        Column("cli.column.source", "source"),
    ]
    out.rows(found, columns, name="seq", has_more=has_more)


@app.command()
def verify(ctx: typer.Context, head: str = typer.Option("", "--head")) -> None:
    """Recompute the whole chain; ``--head SEQ:HASH`` kept elsewhere finds a chain cut off at its end. Exit 1 when broken."""
    from controller.cli.failures import refusal_lines
    from controller.cli.mistakes import Usage
    from controller.cli.whole_numbers import whole_number
    from controller.cli.working import long_work

    session = session_of(ctx)
    out = session.out
    body: dict[str, object] = {}
    if head:
        written, _, digest = head.partition(":")
        seq = whole_number(written)
        if seq is None or len(digest) != 64:
            raise Usage("cli.head_unreadable", written=head)
        body["head"] = {"seq": seq, "hash": digest}
    with long_work(session, "cli.say.chain_worked_on") as api:
        found = api.post("/v1/audit/verify", body)
    if not out.is_table:
        out.value(found, lambda _value: None)
    else:
        code = "cli.say.chain_intact" if found["is_intact"] else "cli.say.chain_broken"
        out.line(code, count=found["checked_count"])
        for problem in found["breaks"]:
            for line in refusal_lines(problem, out.language, ""):
                out.console().print(line, markup=False)
        out.line("cli.say.chain_head", seq=found["head"]["seq"], hash=found["head"]["hash"])
    if not found["is_intact"]:
        raise typer.Exit(REFUSED)
