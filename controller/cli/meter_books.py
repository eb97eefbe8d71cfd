"""``meter book`` and ``meter entry``: price books, and services and labour entered by hand."""

from collections.abc import Mapping
from typing import Any

import typer

from controller.cli.client import segment
from controller.cli.commands import commands
from controller.cli.output import Column, Out
from controller.cli.session import session_of

book = commands()
entry = commands()
_BOOK = typer.Argument(..., metavar="BOOK")
_ENTRY = typer.Argument(..., metavar="ENTRY")


@book.command("check")
def check_book(ctx: typer.Context, file: str) -> None:
    """Read a price book and list everything that is wrong with it."""
    from controller.cli import documents

    session = session_of(ctx)
    data = documents.read(file)
    with documents.about(file):
        found = session.api.post_yaml("/v1/price-book-checks", data)
    session.out.value(
        found,
        lambda v: session.out.line(
            "cli.say.book_good",
            name=v["name"],
            rates=v["rate_count"],
            discounts=v["discount_count"],
            commitments=v["commitment_count"],
        ),
        name="sha256",
    )


@book.command("submit")
def submit_book(ctx: typer.Context, file: str) -> None:
    """Hand in a price book as a draft."""
    from controller.cli import documents

    session = session_of(ctx)
    data = documents.read(file)
    with documents.about(file):
        found = session.api.post_yaml("/v1/price-books", data)
    session.out.value(found, lambda v: _show(session.out, v))


@book.command("list")
def list_books(ctx: typer.Context) -> None:
    """List versions of price books."""
    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.id", "id"),
        Column("cli.column.name", "name"),
        Column("cli.column.version", "version", is_number=True),
        Column("cli.column.state", lambda b: out.say(f"cli.word.book_{b['state']}")),
        Column("cli.column.from", lambda b: out.day(b["from_s"])),
        Column("cli.column.until", lambda b: out.day(b["to_s"])),
        Column("cli.column.by", "created_by"),
    ]
    out.rows(session.api.all("/v1/price-books"), columns)


@book.command("show")
def show_book(ctx: typer.Context, id_: str = _BOOK) -> None:
    """Show a version with its document and who decided on it."""
    session = session_of(ctx)
    found = session.api.get(f"/v1/price-books/{segment(id_)}")

    def show(value: Mapping[str, Any]) -> None:
        _show(session.out, value)
        typer.echo(value["document"])

    session.out.value(found, show)


@book.command("approve")
def approve_book(ctx: typer.Context, id_: str = _BOOK, reason: str = typer.Option("", "--reason")) -> None:
    """Agree to a draft."""
    _decide(ctx, id_, "approve", reason)


@book.command("reject")
def reject_book(ctx: typer.Context, id_: str = _BOOK, reason: str = typer.Option(..., "--reason")) -> None:
    """Turn a draft down."""
    _decide(ctx, id_, "reject", reason)


def _decide(ctx: typer.Context, id_: str, verb: str, reason: str) -> None:
    session = session_of(ctx)
    found = session.api.post(f"/v1/price-books/{segment(id_)}/{verb}", {"reason": reason})
    session.out.value(found, lambda v: _show(session.out, v))


def _show(out: Out, value: Mapping[str, Any]) -> None:
    decisions = ", ".join(f"{a['decided_by']} ({out.say('cli.word.' + a['decision'])})" for a in value["approvals"])
    out.fields(
        [
            ("cli.column.id", value["id"]),
            ("cli.column.name", value["name"]),
            ("cli.column.version", value["version"]),
            ("cli.column.state", out.say(f"cli.word.book_{value['state']}")),
            ("cli.column.from", out.moment(value["from_s"])),
            ("cli.column.until", out.moment(value["to_s"])),
            ("cli.column.replaces", value["replaces"]),
            ("cli.column.by", value["created_by"]),
            ("cli.column.approvals", decisions),
            ("cli.column.sha256", value["sha256"]),
        ]
    )


@entry.command("add")
def add_entry(
    ctx: typer.Context,
    project: str,
    meter: str,
    amount: int = typer.Argument(..., min=1),
    reason: str = typer.Option(..., "--reason"),
    start: str = typer.Option(..., "--from"),
    end: str = typer.Option("", "--to"),
) -> None:
    """Enter a service or labour."""
    session = session_of(ctx)
    body = {"project": project, "meter": meter, "amount": amount, "start": start, "end": end or None, "reason": reason}
    found = session.api.post("/v1/usage-entries", body)
    session.out.value(found, lambda v: session.out.line("cli.say.entry_waits", id=v["id"]))


@entry.command("list")
def list_entries(ctx: typer.Context, department: str = typer.Option("", "--department")) -> None:
    """List services and labour."""
    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.id", "id"),
        Column("cli.column.state", lambda e: out.say(f"cli.word.{e['state']}")),
        Column("cli.column.meter", "meter"),
        Column("cli.column.amount", "amount", is_number=True),
        Column("cli.column.from", lambda e: out.moment(e["start_s"])),
        Column("cli.column.until", lambda e: out.moment(e["end_s"])),
        Column("cli.column.reason", "reason"),
        Column("cli.column.by", "entered_by"),
    ]
    out.rows(session.api.all("/v1/usage-entries", department=department), columns)


@entry.command("approve")
def approve_entry(ctx: typer.Context, id_: str = _ENTRY) -> None:
    """Agree to an entry."""
    _decide_entry(ctx, id_, "approve")


@entry.command("reject")
def reject_entry(ctx: typer.Context, id_: str = _ENTRY) -> None:
    """Turn an entry down."""
    _decide_entry(ctx, id_, "reject")


def _decide_entry(ctx: typer.Context, id_: str, verb: str) -> None:
    session = session_of(ctx)
    found = session.api.post(f"/v1/usage-entries/{segment(id_)}/{verb}")
    out = session.out
    out.value(found, lambda v: out.line("cli.say.entry_decided", id=v["id"], state=out.say(f"cli.word.{v['state']}")))
