"""One pool, zone, size, image, department, project, finding or notice shown whole: what its list shows, and the rest."""

from collections.abc import Callable, Mapping
from typing import Any

from controller.cli.lists import KINDS
from controller.cli.output import Out
from controller.cli.plan_view import dimension
from controller.cli.session import Session

Json = Mapping[str, Any]
Pairs = list[tuple[str, Any]]


def show_entry(session: Session, kind: str, value: Json) -> None:
    """Print one thing of a kind that the API lists and does not show by itself."""
    out = session.out
    listed: Pairs = [(column.title, column.text(value)) for column in KINDS[kind].columns(out)]
    titles = {title for title, _ in listed}
    out.fields(
        [*listed, *(pair for pair in [("cli.column.id", value["id"]), *_MORE[kind](session, value)] if pair[0] not in titles)]
    )


def named(session: Session, kind: str, id_: str | None) -> str:
    """Return what people call a thing: code or name, then the name; empty for none, the id where it is not to be seen."""
    entry = KINDS[kind]
    for item in session.api.all(entry.path) if id_ else ():
        if item["id"] == id_:
            key, name = str(item[entry.key]), str(item["name"])
            return key if key == name else f"{key} ({name})"
    return id_ or ""


def amounts(out: Out, table: Mapping[str, int]) -> str:
    """Return amounts by dimension in the reader's words."""
    return ", ".join(f"{dimension(out, name)} {amount}" for name, amount in table.items())


def times(out: Out, table: Mapping[str, int]) -> str:
    """Return overcommit by dimension."""
    return ", ".join(f"{dimension(out, name)} {permille / 1000:g}×" for name, permille in table.items())


def _pool(session: Session, value: Json) -> Pairs:
    loss = value["loss"]
    lost = session.out.say("cli.say.lost_hosts", minutes=loss["after_s"] // 60, most=loss["most"]) if loss["after_s"] else ""
    return [
        ("cli.column.zone", named(session, "zones", value["zone_id"])),
        ("cli.column.overcommit", times(session.out, value["overcommit_permille"])),
        ("cli.column.drift", ", ".join(f"{kind}: {answer}" for kind, answer in value["drift"].items())),
        ("cli.column.lost_hosts", lost),
    ]


def how_it_lies(out: Out, value: Json) -> Pairs:
    """Return what machines of a size or a reservation ask of their host besides amounts."""
    layout = value["layout"]
    return [
        ("cli.column.dedicated_cpus", out.say("cli.word.yes") if layout["is_dedicated"] else ""),
        ("cli.column.page_kib", layout["page_kib"] or ""),
        ("cli.column.node_count", layout["node_count"] or ""),
        ("cli.column.traits", ", ".join(value.get("traits", ()))),
    ]


def _finding(session: Session, value: Json) -> Pairs:
    return [
        ("cli.column.host", named(session, "hosts", value["host_id"])),
        ("cli.column.resource", value["resource_id"]),
        ("cli.column.detail", value["text_en" if session.out.language == "en" else "text_zh"]),
    ]


#: What a list leaves out, by kind.
_MORE: Mapping[str, Callable[[Session, Json], Pairs]] = {
    "pools": _pool,
    "zones": lambda _session, value: [("cli.column.segment_prefix", f"/{value['segment_prefix']}")],
    "sizes": lambda session, value: how_it_lies(session.out, value),
    "images": lambda _session, value: [("cli.column.sha256", value["sha256"]), ("cli.column.size_bytes", value["size_bytes"])],
    "departments": lambda session, value: [("cli.column.parent", named(session, "departments", value["parent_id"]))],
    "projects": lambda session, value: [
        ("cli.column.department", named(session, "departments", value["department_id"])),
        ("cli.column.open", session.out.say("cli.word.yes" if value["is_open"] else "cli.word.no")),
    ],
    "findings": _finding,
    "notices": lambda session, value: [("cli.column.lease_end", session.out.day(value["lease_end_s"] - 1))],
}
