"""``meter efficiency``: how well systems use what they hold, drafts of tickets, answers, and the rules."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import typer

from controller.cli.client import segment
from controller.cli.commands import commands
from controller.cli.replacing import replace
from controller.cli.session import session_of

efficiency = commands()
_MONTH = typer.Argument(..., metavar="MONTH")
_SYSTEM = typer.Argument(..., metavar="SYSTEM")


class Answer(StrEnum):
    """What a department says."""

    KEEP = "keep"
    WILL_CHANGE = "will-change"


@efficiency.command("show")
def show(ctx: typer.Context, month: str = _MONTH, department: str = typer.Option("", "--department")) -> None:
    """Show how well systems and classes of zones used what they hold."""
    from controller.cli.output import Column

    session = session_of(ctx)
    out = session.out
    found = session.api.get(f"/v1/periods/{segment(month)}/efficiency", department=department)

    def of(value: Mapping[str, Any]) -> None:
        used = [
            Column("cli.column.machines", "machines", is_number=True),
            Column("cli.column.coverage", "coverage_percent", is_number=True),
            Column("cli.column.cpu_average", "cpu_average_percent", is_number=True),
            Column("cli.column.cpu_p95", "cpu_p95_percent", is_number=True),
            Column("cli.column.cpu_peak", "cpu_peak_percent", is_number=True),
            Column("cli.column.memory_p95", "memory_p95_percent", is_number=True),
            Column("cli.column.memory_peak", "memory_peak_percent", is_number=True),
        ]
        tail = [
            Column("cli.column.per_vcpu_hour", "yuan_per_vcpu_hour", is_number=True),
            Column("cli.column.saving_per_year", "saving_yuan_per_year", is_number=True),
        ]
        finding = Column("cli.column.finding", lambda s: out.say(f"cli.word.finding_{s['finding']}"))
        answered = Column("cli.column.answer", lambda s: out.say(f"cli.word.answer_{s['answer']}") if s["answer"] else "")
        heads = [Column("cli.column.department", "department_code"), Column("cli.column.system", "system")]
        out.line("cli.say.efficiency", start=out.moment(value["start_s"]), end=out.moment(value["until_s"]))
        out.rows(value["systems"], [*heads, *used, finding, *tail, answered], name="system_id")
        if value["classes"]:
            head = Column("cli.column.network_class", "network_class")
            target = Column("cli.column.use_target", _target)
            is_met = Column("cli.column.target_met", lambda c: out.say(f"cli.word.{c['target_met']}") if c["target_met"] else "")
            out.rows(value["classes"], [head, *used, target, is_met, *tail], name="network_class")

    out.value(found, of)


def _target(found: Mapping[str, Any]) -> str:
    cpu, memory = found["target_cpu_percent"], found["target_memory_percent"]
    return "" if cpu is None else f"{cpu} / {memory}"


@efficiency.command("draft")
def draft(ctx: typer.Context, month: str = _MONTH, system: str = _SYSTEM) -> None:
    """Print the ticket that would give back what a system does not use."""
    session = session_of(ctx)
    out = session.out
    found = session.api.get(f"/v1/periods/{segment(month)}/efficiency/{segment(system)}/draft")
    # A comment of the document, so that what is printed can be kept as a file and handed in.
    saving = found["saving_yuan_per_year"] or "?"
    said = out.say("cli.say.efficiency_draft", finding=out.say(f"cli.word.finding_{found['finding']}"), saving=saving)
    out.value(found, lambda value: typer.echo(f"# {said}\n{value['ticket']}", nl=False))


@efficiency.command("answer")
def answer(
    ctx: typer.Context,
    month: str = _MONTH,
    system: str = _SYSTEM,
    given: Answer = typer.Argument(..., metavar="keep|will-change"),
    reason: str = typer.Option(..., "--reason"),
) -> None:
    """Answer what was found of a system."""
    session = session_of(ctx)
    out = session.out
    body = {"answer": given.value.replace("-", "_"), "reason": reason}
    found = session.api.post(f"/v1/periods/{segment(month)}/efficiency/{segment(system)}/answer", body)
    out.value(found, lambda value: out.line("cli.say.efficiency_answered", system=value["system"]))


@efficiency.command("rules")
def rules(ctx: typer.Context) -> None:
    """Show what counts as idle and too large, and the declared targets."""
    session = session_of(ctx)
    session.out.value(session.api.get("/v1/efficiency-rules"), lambda value: _show_rules(ctx, value))


@efficiency.command("import")
def import_(ctx: typer.Context, file: str) -> None:
    """Set the rules from a document."""
    session = session_of(ctx)
    found = replace(session, "/v1/efficiency-rules", file, look="allot meter efficiency rules")
    session.out.value(found, lambda value: _show_rules(ctx, value))


def _show_rules(ctx: typer.Context, found: Mapping[str, Any]) -> None:
    from controller.cli.output import Column

    out = session_of(ctx).out
    out.fields([(f"cli.column.rule_{name}", str(value)) for name, value in found.items() if name != "targets"])
    if found["targets"]:
        columns = [
            Column("cli.column.network_class", "network_class"),
            Column("cli.column.cpu_average", "cpu_percent", is_number=True),
            Column("cli.column.memory_average", "memory_percent", is_number=True),
        ]
        out.rows(found["targets"], columns, name="network_class")
