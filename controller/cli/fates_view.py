"""What becomes of the machines of a host that fails: asked what if, or done."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.cli.explain_view import show_explanation
from controller.cli.output import Column, Out


def show_fates(out: Out, machines: Sequence[Mapping[str, Any]], ends: str) -> None:
    """Print where each machine goes, a last sentence (its code) with their number, and why some go nowhere."""
    if not machines:
        out.line("cli.capacity.empty")
        return
    columns = [
        Column("cli.column.system", "system"),
        Column("cli.column.name", "machine"),
        Column("cli.column.from_host", "from_host"),
        Column("cli.column.to_host", lambda r: r["to_host"] or "—"),
    ]
    out.rows(machines, columns)
    lost = [machine for machine in machines if not machine["to_host"]]
    out.line(ends, count=len(machines), lost=len(lost))
    for machine in lost:
        if machine["explanation"]:
            show_explanation(out, machine["explanation"])
