"""What becomes of the machines of a host that fails, asked what if or done, and of what is reserved there."""

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


def show_slot_fates(out: Out, reservations: Sequence[Mapping[str, Any]]) -> None:
    """Print where reserved room would be held, and why some of it nowhere; nothing where none is reserved."""
    if not reservations:
        return
    out.heading("cli.capacity.reserved")
    columns = [
        Column("cli.column.project", "project"),
        Column("cli.column.name", "reservation"),
        Column("cli.column.count", "count", is_number=True),
        Column("cli.column.from_host", lambda r: ", ".join(r["from_hosts"])),
        Column("cli.column.to_host", lambda r: ", ".join(r["to_hosts"]) or "—"),
        Column("cli.column.not_held", "left_count", is_number=True),
    ]
    out.rows(reservations, columns)
    for one in reservations:
        if one["left_count"]:
            out.line("cli.capacity.not_held", reservation=one["reservation"], left=one["left_count"], count=one["count"])
            show_explanation(out, one["explanation"])
