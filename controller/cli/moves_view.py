"""How a plan of moves is shown to people: what it gains and costs, its steps in order, and who stays."""

from collections.abc import Mapping
from typing import Any

from controller.cli.output import Column, Out

Json = Mapping[str, Any]
MICRO = 1_000_000


def show_plan(out: Out, plan: Json) -> None:
    """Print a plan."""
    summary = plan["summary"]
    out.line("cli.moves.title", kind=plan["kind"], state=plan["state"], plan=plan["id"])
    out.line(
        "cli.moves.score",
        moves=summary["moves"],
        memory_mib=summary["memory_mib"],
        before=f"{summary['score_before_micro'] / MICRO:.4f}",
        after=f"{summary['score_after_micro'] / MICRO:.4f}",
    )
    if summary["broken_before"] or summary["broken_after"]:
        out.line("cli.moves.broken", before=summary["broken_before"], after=summary["broken_after"])
    if summary["freed"]:
        kwh = f"{summary['saving_wh'] / 1000:.1f}"
        out.line("cli.moves.freed", hosts=", ".join(summary["freed"]), count=len(summary["freed"]), kwh=kwh)
    if summary["wanted"]:
        hosts = ", ".join(summary["room_on"]) or "—"
        out.line("cli.moves.room", count=len(summary["room_on"]), wanted=summary["wanted"], hosts=hosts)
    if plan["problem"]:
        out.line("cli.moves.problem", sentence=plan["problem"]["detail"])
    _show_steps(out, plan)
    for stay in plan["stays"]:
        out.line("cli.moves.stay", machine=stay["machine"], host=stay["host"], reason=stay["text"])


def _show_steps(out: Out, plan: Json) -> None:
    if not plan["steps"]:
        out.line("cli.moves.nothing")
        return
    columns = [
        Column("cli.column.number", lambda r: r["position"] + 1, is_number=True),
        Column("cli.column.machine", "machine"),
        Column("cli.column.from_host", "source"),
        Column("cli.column.to_host", "target"),
        Column("cli.column.memory_mib", "memory_mib", is_number=True),
        Column("cli.column.disk_gib", "disk_gib", is_number=True),
        Column("cli.column.state", "state"),
        Column("cli.column.problem", lambda r: r["problem"]["detail"] if r["problem"] else ""),
    ]
    out.rows(plan["steps"], columns)
