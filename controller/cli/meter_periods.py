"""``meter periods|close|review|statement|lines|verify|trace|adjust``: months, their statements, and what they came from."""

from collections.abc import Mapping
from typing import Any

import typer

from controller.cli import meter_words
from controller.cli.client import segment
from controller.cli.commands import commands
from controller.cli.exit_codes import REFUSED
from controller.cli.output import Column, Out
from controller.cli.session import session_of
from controller.cli.working import long_work

adjust = commands()
_PERIOD = typer.Argument(..., metavar="MONTH")
_DEPARTMENT = typer.Argument(..., metavar="DEPARTMENT")
_LINE = typer.Argument(..., metavar="LINE")


def periods(ctx: typer.Context) -> None:
    """List months with how far their closing is."""
    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.period", "id"),
        Column("cli.column.state", lambda p: out.say(f"cli.word.period_{p['state']}")),
        Column("cli.column.reviewed_by", "reviewed_by"),
        Column("cli.column.closed_by_whom", "closed_by"),
        Column("cli.column.lines", "line_count", is_number=True),
        Column("cli.column.payable_yuan", "payable_yuan", is_number=True),
        Column("cli.column.seal", lambda p: p["seal"][:16]),
    ]
    out.rows(session.api.get("/v1/periods")["items"], columns)


def close(ctx: typer.Context, period: str = _PERIOD) -> None:
    """Begin to close a month that is over; once it is reviewed, close it for good."""
    session = session_of(ctx)
    state = session.api.get(f"/v1/periods/{segment(period)}")["state"]
    verb = "closing" if state == "open" else "close"
    with long_work(session, "cli.say.month_worked_on", period=period) as api:
        found = api.post(f"/v1/periods/{segment(period)}/{verb}")
    session.out.value(found, lambda v: _show_period(session.out, v))


def review(ctx: typer.Context, period: str = _PERIOD) -> None:
    """Rate a month and write its statements."""
    session = session_of(ctx)
    with long_work(session, "cli.say.month_worked_on", period=period) as api:
        found = api.post(f"/v1/periods/{segment(period)}/review")
    session.out.value(found, lambda v: _show_period(session.out, v))


def reopen_never(ctx: typer.Context, period: str = _PERIOD) -> None:
    """Say why a closed month stays closed, and what to do instead."""
    session_of(ctx).api.post(f"/v1/periods/{segment(period)}/reopen")


def verify(ctx: typer.Context, period: str = _PERIOD) -> None:
    """Derive a closed month again and compare every byte; exit 1 when it differs."""
    session = session_of(ctx)
    out = session.out
    with long_work(session, "cli.say.month_worked_on", period=period) as api:
        found = api.post(f"/v1/periods/{segment(period)}/verify")

    def show(value: Mapping[str, Any]) -> None:
        code = "cli.say.period_proven" if value["is_proven"] else "cli.say.period_not_proven"
        out.line(code, period=period, count=value["line_count"], seal=value["seal"])
        for fault in value["faults"]:
            out.console().print(fault["detail"], markup=False)
        if not value["is_sealed_in_audit"]:
            out.line("cli.say.seal_not_in_audit")

    out.value(found, show, name="seal")
    if not found["is_proven"]:
        raise typer.Exit(REFUSED)


def statement(ctx: typer.Context, period: str = _PERIOD, department: str = typer.Argument("", metavar="DEPARTMENT")) -> None:
    """Show a department's statement, or list those of a month."""
    session = session_of(ctx)
    out = session.out
    path = f"/v1/periods/{segment(period)}/statements"
    if not department:
        columns = [
            Column("cli.column.department", "department_name"),
            Column("cli.column.code", "department_code"),
            Column("cli.column.lines", "line_count", is_number=True),
            Column("cli.column.list_yuan", "list_yuan", is_number=True),
            Column("cli.column.billing", lambda s: out.say(f"cli.word.billing_{s['billing']}")),
            Column("cli.column.payable_yuan", "payable_yuan", is_number=True),
            Column("cli.column.acknowledged_by", "acknowledged_by"),
        ]
        out.rows(session.api.get(path)["items"], columns, name="department_code", by="department_name")
        return
    found = session.api.get(f"{path}/{segment(department)}")
    out.value(found, lambda v: show_statement(out, v))


def acknowledge(ctx: typer.Context, period: str = _PERIOD, department: str = _DEPARTMENT) -> None:
    """Say that your department has seen its statement."""
    session = session_of(ctx)
    path = f"/v1/periods/{segment(period)}/statements/{segment(department)}/acknowledge"
    session.out.value(session.api.post(path), lambda v: show_statement(session.out, v))


def lines(
    ctx: typer.Context,
    period: str = _PERIOD,
    department: str = _DEPARTMENT,
    limit: int = typer.Option(1000, "--limit", min=1, max=100_000),
) -> None:
    """List the rated lines of a statement."""
    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.id", "id"),
        Column("cli.column.kind", lambda x: meter_words.kind(out, x["kind"])),
        Column("cli.column.meter", lambda x: meter_words.meter(out, x["meter"])),
        Column("cli.column.resource", "resource_id"),
        Column("cli.column.amount", "amount", is_number=True),
        Column("cli.column.unit", lambda x: meter_words.base_unit(out, x["meter"])),
        Column("cli.column.from", lambda x: out.moment(x["start_s"])),
        Column("cli.column.until", lambda x: out.moment(x["end_s"])),
        Column("cli.column.list_yuan", "list_yuan", is_number=True),
        Column("cli.column.yuan", "yuan", is_number=True),
    ]
    path = f"/v1/periods/{segment(period)}/statements/{segment(department)}/lines"
    found, has_more = session.api.first(path, limit)
    out.rows(found, columns, has_more=has_more)


def trace(ctx: typer.Context, line: str = _LINE) -> None:
    """Show what a line came from: journal rows, price, approvals."""
    session = session_of(ctx)
    out = session.out
    found = session.api.get(f"/v1/lines/{segment(line)}")

    def show(value: Mapping[str, Any]) -> None:
        its, price, by_hand = value["line"], value["price"] or {}, value["by_hand"] or {}
        out.fields(
            [
                ("cli.column.period", f"{value['period']['id']} ({out.say('cli.word.period_' + value['period']['state'])})"),
                ("cli.column.kind", meter_words.kind(out, its["kind"])),
                ("cli.column.resource", its["resource_id"]),
                ("cli.column.meter", _held(out, its)),
                ("cli.column.from", out.moment(its["start_s"])),
                ("cli.column.until", out.moment(its["end_s"])),
                ("cli.column.opened_by", _row(out, value["opened_by"])),
                ("cli.column.closed_by", _row(out, value["closed_by"])),
                ("cli.column.list_yuan", its["list_yuan"]),
                ("cli.column.yuan", its["yuan"]),
                ("cli.column.billing", out.say(f"cli.word.billing_{its['billing']}")),
                ("cli.column.price_book", _book(price) if price else ""),
                ("cli.column.sha256", price.get("sha256", "")),
                ("cli.column.approvals", ", ".join(price.get("approved_by", ()))),
                *(("cli.column.late_word", _row(out, row)) for row in value["late_words"]),
                *(("cli.column.price_book", _book(book)) for book in value["prices"]),
                ("cli.column.corrects", its["reference"]),
                ("cli.column.reason", by_hand.get("reason", its["reason"])),
                ("cli.column.entered_by", by_hand.get("entered_by", "")),
                ("cli.column.agreed_by", by_hand.get("decided_by", "")),
            ]
        )
        if value["counted"]:
            columns = [
                Column("cli.column.from", lambda day: out.moment(day["start_s"])),
                Column("cli.column.received_bytes", "received_bytes", is_number=True),
                Column("cli.column.sent_bytes", "sent_bytes", is_number=True),
                Column("cli.column.readings", lambda day: str(len(day["runs"])), is_number=True),
            ]
            out.rows(value["counted"], columns, name="start_s")

    out.value(found, show)


def _held(out: Out, line: Mapping[str, Any]) -> str:
    meter, state = line["meter"], meter_words.state(out, line["state"])
    amount = f"{line['amount']} {meter_words.base_unit(out, meter)}"
    return f"{meter_words.meter(out, meter)}: {amount}, {state}".rstrip(", ")


def _book(price: Mapping[str, Any]) -> str:
    return f"{price['name']} v{price['version']} ({price['book_id']})"


def _row(out: Out, row: Mapping[str, Any] | None) -> str:
    if row is None:
        return ""
    at_most = f", {out.say('cli.say.uncertain', seconds=row['uncertain_s'])}" if row["uncertain_s"] else ""
    moment, at = out.moment(row["occurred_at_s"]), f" @{row['host']}" if row["host"] else ""
    return f"{row['revision']}: {row['resource_name']}{at} {row['state']} {moment} ({row['source']}{at_most})"


def _show_period(out: Out, value: Mapping[str, Any]) -> None:
    out.fields(
        [
            ("cli.column.period", value["id"]),
            ("cli.column.state", out.say(f"cli.word.period_{value['state']}")),
            ("cli.column.ready", out.moment(value["ready_s"])),
            ("cli.column.reviewed_by", value["reviewed_by"]),
            ("cli.column.closed_by_whom", value["closed_by"]),
            ("cli.column.lines", value["line_count"] or ""),
            ("cli.column.yuan", value["yuan"]),
            ("cli.column.payable_yuan", value["payable_yuan"]),
            ("cli.column.seal", value["seal"]),
        ]
    )


def show_statement(out: Out, value: Mapping[str, Any]) -> None:
    """Print a statement with its rows."""

    def kind(row: Mapping[str, Any]) -> str:
        # Corrections are billed as the month they correct was.
        other = "" if row["billing"] == value["billing"] else f" ({out.say('cli.word.billing_' + row['billing'])})"
        return meter_words.kind(out, row["kind"]) + other

    out.fields(
        [
            ("cli.column.department", f"{value['department_name']} ({value['department_code']})"),
            ("cli.column.period", f"{value['period_id']} ({out.say('cli.word.period_' + value['period_state'])})"),
            ("cli.column.until", out.moment(value["until_s"])),
            ("cli.column.billing", out.say(f"cli.word.billing_{value['billing']}")),
        ]
    )
    columns = [
        Column("cli.column.project", "project_code"),
        Column("cli.column.budget_code", "budget_code"),
        Column("cli.column.meter", lambda r: meter_words.meter(out, r["meter"])),
        Column("cli.column.kind", kind),
        Column("cli.column.quantity", lambda r: meter_words.grouped(r["priced_quantity"]), is_number=True),
        Column("cli.column.unit", lambda r: meter_words.unit(out, r["priced_unit"])),
        Column("cli.column.list_yuan", "list_yuan", is_number=True),
        Column("cli.column.yuan", "yuan", is_number=True),
        Column("cli.column.payable_yuan", "payable_yuan", is_number=True),
    ]
    out.rows(value["rows"], columns)
    out.line(
        "cli.say.statement_total",
        yuan=value["yuan"],
        payable=value["payable_yuan"],
        rounding=value["rounding_yuan"],
        by=value["acknowledged_by"] or "-",
    )
    if value["late_word_count"]:
        out.line("cli.say.late_word_waits", count=value["late_word_count"])


@adjust.command("add")
def add_adjustment(
    ctx: typer.Context,
    line: str = _LINE,
    yuan: str = typer.Option(..., "--yuan"),
    reason: str = typer.Option(..., "--reason"),
) -> None:
    """Enter a credit or debit for a line of a closed month."""
    session = session_of(ctx)
    found = session.api.post("/v1/adjustments", {"line": line, "yuan": yuan, "reason": reason})
    session.out.value(found, lambda v: session.out.line("cli.say.adjustment_waits", id=v["id"]))


@adjust.command("list")
def list_adjustments(ctx: typer.Context) -> None:
    """List corrections by hand."""
    session = session_of(ctx)
    out = session.out
    columns = [
        Column("cli.column.id", "id"),
        Column("cli.column.state", lambda a: out.say(f"cli.word.{a['state']}")),
        Column("cli.column.corrects", "line_id"),
        Column("cli.column.period", "period_id"),
        Column("cli.column.yuan", "yuan", is_number=True),
        Column("cli.column.reason", "reason"),
        Column("cli.column.by", "entered_by"),
    ]
    out.rows(session.api.all("/v1/adjustments"), columns)


@adjust.command("approve")
def approve_adjustment(ctx: typer.Context, id_: str = typer.Argument(..., metavar="CORRECTION")) -> None:
    """Agree to a correction."""
    _decide(ctx, id_, "approve")


@adjust.command("reject")
def reject_adjustment(ctx: typer.Context, id_: str = typer.Argument(..., metavar="CORRECTION")) -> None:
    """Turn a correction down."""
    _decide(ctx, id_, "reject")


def _decide(ctx: typer.Context, id_: str, verb: str) -> None:
    session = session_of(ctx)
    found = session.api.post(f"/v1/adjustments/{segment(id_)}/{verb}")
    out = session.out
    out.value(
        found,
        lambda v: out.line(
            "cli.say.adjustment_decided", id=v["id"], state=out.say(f"cli.word.{v['state']}"), period=v["period_id"] or "-"
        ),
    )


def add_to(app: typer.Typer) -> None:
    """Put the commands of this module into ``meter``."""
    for name, command in (
        ("periods", periods),
        ("close", close),
        ("review", review),
        ("statement", statement),
        ("acknowledge", acknowledge),
        ("lines", lines),
        ("trace", trace),
        ("verify", verify),
        ("reopen-never", reopen_never),
    ):
        app.command(name)(command)
    app.add_typer(adjust, name="adjust")
