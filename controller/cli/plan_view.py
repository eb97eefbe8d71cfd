"""How a plan is shown to people: changes by impact, price, quota, approvals, and where it would go or why not."""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.cli.explain_view import places_of, show_explanation
from controller.cli.output import Column, Out, Row
from controller.texts import catalogue

Json = Mapping[str, Any]
#: Lines of changes shown unless ``--full`` is asked for.
_CHANGES_MAX = 20
#: Hosts shown, and machines named of each, unless ``--full`` is asked for.
_HOSTS_MAX = 10
_NAMES_MAX = 8
_SIGNS = {"create": "+", "attach": "+", "delete": "-", "resize": "~", "renew": "~", "update": "~"}
_STYLES = {"none": "green", "restart": "yellow", "downtime": "yellow", "data_loss": "bold red"}


def show_plan(out: Out, plan: Json, *, is_full: bool = False) -> None:
    """Print a plan."""
    out.line(
        "cli.plan.title_same" if plan["is_noop"] else "cli.plan.title",
        action=out.say(f"cli.word.{plan['action']}"),
        system=plan["system"],
        department=plan["department"]["name"],
        project=plan["project"],
        zone=plan["zone"]["name"],
    )
    for notice in plan["notices"]:
        out.console().print("  " + out.say(notice["code"], **notice.get("params", {})), markup=False)
    if plan["is_noop"]:
        out.line("cli.plan.noop", revision=plan["base_revision"])
        return
    _show_changes(out, plan["changes"], is_full=is_full)
    _show_price(out, plan)
    _show_quota(out, plan["quota"], is_full=is_full)
    _show_budget(out, plan["budget"])
    if plan["approvals"]:
        out.line("cli.plan.approvals", stages=", ".join(out.say(f"cli.word.{s}") for s in plan["approvals"]))
    _show_places(out, plan, is_full=is_full)


def _show_changes(out: Out, changes: Sequence[Json], *, is_full: bool) -> None:
    from rich.text import Text

    out.heading("cli.plan.changes", count=len(changes))
    shown = changes if is_full else changes[:_CHANGES_MAX]
    for change in shown:
        impact = change["impact"]
        words = [
            f"  {_SIGNS[change['verb']]} {out.say('cli.word.kind_' + change['kind'])} {change['member']}",
            described(out, change["before"], change["after"]),
            "" if impact == "none" else f"[{out.say('cli.word.impact_' + impact)}]",
        ]
        out.console().print(Text("  ".join(w for w in words if w), style=_STYLES[impact]))
    if len(changes) > len(shown):
        out.line("cli.plan.more", count=len(changes) - len(shown))


def described(out: Out, before: Json, after: Json) -> str:
    """Return what differs, in a few words."""
    parts = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        label = out.say(f"cli.field.{name}")
        label = name if label.startswith("cli.field.") else label
        parts.append(f"{label} {_short(old)} → {_short(new)}" if before and after else f"{label} {_short(new if after else old)}")
    return ", ".join(part for part in parts if not part.endswith(" "))


def _short(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, Mapping):
        text = " ".join(f"{k}={v}" for k, v in value.items())
    elif isinstance(value, Sequence):
        text = "+".join(_short(v) for v in value)
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _show_price(out: Out, plan: Json) -> None:
    out.heading("cli.plan.price", month=plan["month"])
    out.line("cli.plan.price_line", before=plan["month_price_before_yuan"], after=plan["month_price_after_yuan"])


def _show_quota(out: Out, lines: Sequence[Json], *, is_full: bool) -> None:
    shown = [line for line in lines if is_full or line["limit"] is not None]
    if not shown:
        return
    out.heading("cli.plan.quota")
    no_limit, over = out.say("cli.word.no_limit"), out.say("cli.word.over")

    def limit(row: Row) -> str:
        return no_limit if row["limit"] is None else str(row["limit"])

    out.rows(
        shown,
        [
            Column("cli.column.scope", "scope"),
            Column("cli.column.dimension", lambda r: dimension(out, r["dimension"])),
            Column("cli.column.used", "used", is_number=True),
            Column("cli.column.after", "after", is_number=True),
            Column("cli.column.limit", limit, is_number=True),
            Column("cli.column.blank", lambda r: over if r["is_over"] else ""),
        ],
    )


def _show_budget(out: Out, lines: Sequence[Json]) -> None:
    if not lines:
        return
    out.heading("cli.plan.budget")
    over, approval = out.say("cli.word.over"), out.say("cli.plan.budget_approval")
    columns = [
        Column("cli.column.year", "year", is_number=True),
        Column("cli.column.spent", "spent_yuan", is_number=True),
        Column("cli.column.obligated", "obligated_yuan", is_number=True),
        Column("cli.column.after", "after_yuan", is_number=True),
        Column("cli.column.budget_limit", "limit_yuan", is_number=True),
        Column("cli.column.blank", lambda r: over if r["is_over"] else approval if r["needs_approval"] else ""),
    ]
    out.rows(lines, columns)


def dimension(out: Out, name: str) -> str:
    """Return a dimension in the reader's words."""
    return catalogue.dimension(name, out.language)


def _show_places(out: Out, plan: Json, *, is_full: bool) -> None:
    explanations = plan["explanations"]
    refused = [e for e in explanations if not e["is_placed"]]
    if refused:
        out.heading("cli.plan.does_not_fit")
        for explanation in refused:
            show_explanation(out, explanation)
        return
    hosts = {p["member"]: p["host_id"] for p in plan["placements"]}
    if hosts:
        on = len(set(hosts.values()))
        one_host = "cli.plan.fits.one" if len(hosts) == 1 else "cli.plan.fits.one_host"
        out.line(one_host if on == 1 else "cli.plan.fits", count=len(hosts), hosts=on)
    if is_full:
        for explanation in explanations:
            show_explanation(out, explanation)
    else:
        _show_hosts(out, explanations)


def _show_hosts(out: Out, explanations: Sequence[Json]) -> None:
    there: dict[str, list[str]] = {}
    for explanation in explanations:
        for host, names in places_of(explanation).items():
            there.setdefault(host, []).extend(names)
    for host, names in list(there.items())[:_HOSTS_MAX]:
        more = f" … ({len(names)})" if len(names) > _NAMES_MAX else ""
        out.line("cli.plan.place", host=host, members=", ".join(names[:_NAMES_MAX]) + more)
    if len(there) > _HOSTS_MAX:
        out.line("cli.plan.more", count=len(there) - _HOSTS_MAX)
