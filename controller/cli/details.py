"""One thing shown whole: the fields people ask for first by name, then the parts."""

from collections.abc import Mapping
from typing import Any

from controller.cli.catalogue_view import amounts, named, show_entry, times
from controller.cli.failures import refusal_lines
from controller.cli.lists import instance_columns
from controller.cli.output import Column, Out
from controller.cli.plan_view import dimension
from controller.cli.session import Session
from controller.cli.ticket_view import show_ticket

Json = Mapping[str, Any]


def show_detail(session: Session, kind: str, value: Json) -> None:
    """Print one thing of a kind."""
    out = session.out
    if kind == "tickets":
        show_ticket(out, value, session.api.all(f"/v1/tickets/{value['id']}/events"))
    elif kind == "systems":
        _system(session, value)
    elif kind == "instances":
        _instance(session, value)
    elif kind == "hosts":
        _host(session, value)
    else:
        show_entry(session, kind, value)


def _system(session: Session, value: Json) -> None:
    out, spec = session.out, value["spec"]
    contact = (spec.get("contact_name"), spec.get("contact_phone"), spec.get("contact_email"))
    out.fields(
        [
            ("cli.column.name", value["name"]),
            ("cli.column.id", value["id"]),
            ("cli.column.title", spec.get("title")),
            ("cli.column.state", _word(out, value["state"])),
            ("cli.column.revision", value["revision"]),
            ("cli.column.department", named(session, "departments", value["department_id"])),
            ("cli.column.project", named(session, "projects", value["project_id"])),
            ("cli.column.zone", spec.get("zone")),
            ("cli.column.mlps_level", spec.get("mlps_level")),
            ("cli.column.environment", spec.get("environment")),
            ("cli.column.lease_end", out.day(value["lease_end_s"] - 1)),
            ("cli.column.owner", spec.get("owner")),
            ("cli.column.contact", " ".join(filter(None, contact))),
        ]
    )
    out.heading("cli.column.instances")
    out.rows(value["instances"], instance_columns(out))
    if value["volumes"]:
        out.heading("cli.column.volumes")
        columns = [
            Column("cli.column.name", "name"),
            Column("cli.column.state", lambda r: _word(out, r["observed"])),
            Column("cli.column.disk_gib", "size_gib", is_number=True),
            Column("cli.column.disk_class", "disk_class"),
            Column("cli.column.host", "host"),
            Column("cli.column.id", "id"),
        ]
        out.rows(value["volumes"], columns)


def _instance(session: Session, value: Json) -> None:
    out = session.out
    out.fields(
        [
            ("cli.column.name", value["name"]),
            ("cli.column.id", value["id"]),
            ("cli.column.desired", _word(out, value["desired"])),
            ("cli.column.state", _word(out, value["observed"])),
            ("cli.column.phase", _word(out, value["phase"])),
            ("cli.column.step", value["step"]),
            ("cli.column.host", value["host"]),
            ("cli.column.size", value["size"]),
            ("cli.column.image", named(session, "images", value["image_id"])),
            ("cli.column.vcpu", value["vcpu_count"]),
            ("cli.column.memory_mib", value["memory_mib"]),
            (
                "cli.column.seat",
                "; ".join(_node(value["seat"]["page_kib"], n) for n in value["seat"]["nodes"]) if value["seat"] else "",
            ),
            ("cli.column.root_disk_gib", f"{value['root_disk_gib']} ({value['root_disk_class']})"),
            ("cli.column.address", ", ".join(f"{n['address']} ({n['network']}, {n['mac']})" for n in value["nics"])),
            ("cli.column.disks", ", ".join(f"{d['name']} ({d['volume_id']})" for d in value["disks"])),
            ("cli.column.ticket", value["ticket_id"]),
            ("cli.column.created", out.moment(value["created_at_s"])),
            ("cli.column.observed_at", out.moment(value["observed_at_s"] or None)),
        ]
    )
    if value["problem"]:
        for line in refusal_lines(value["problem"], out.language, ""):
            out.console().print(line, markup=False)


def _node(page_kib: int, node: Json) -> str:
    """Return one node of a machine: cell, processors, memory and the size of its pages."""
    cpus = ",".join(map(str, node["cpus"])) or f"({node['shared']})"
    pages = f" / {page_kib} KiB" if page_kib else ""
    return f"{node['cell']}: {cpus}, {node['memory_mib']} MiB{pages}"


def _host(session: Session, value: Json) -> None:
    out = session.out
    facts = value["facts"] or {}
    out.fields(
        [
            ("cli.column.name", value["name"]),
            ("cli.column.id", value["id"]),
            ("cli.column.state", _word(out, value["admin_state"])),
            ("cli.column.reason", " ".join(filter(None, (value["state_reason"], value["state_by"])))),
            ("cli.column.until", out.moment(value["state_until_s"])),
            ("cli.column.reachability", _word(out, value["reachability"])),
            ("cli.column.unreachable_since", out.moment(value["unreachable_since_s"])),
            ("cli.column.pool", named(session, "pools", value["pool_id"])),
            ("cli.column.connection", value["connection"]),
            ("cli.column.place", " ".join(filter(None, (value["site"], value["room"], value["rack"])))),
            ("cli.column.vendor", value["vendor"]),
            ("cli.column.owner", value["owner"]),
            ("cli.column.warranty", value["warranty_until"]),
            ("cli.column.watts", f"{value['watts_idle']}–{value['watts_most']}" if value["watts_most"] else ""),
            ("cli.column.arch", facts.get("arch")),
            ("cli.column.virtualisation", facts.get("virtualisation")),
            ("cli.column.hypervisor", facts.get("hypervisor_version")),
            ("cli.column.service_versions", ", ".join(facts.get("service_versions", ()))),
            ("cli.column.lacks", ", ".join(facts.get("lacks", ()))),
            ("cli.column.sizes_made", "; ".join(f"{v} vCPU, {m} MiB, {d} GiB" for v, m, d in facts.get("sizes") or ())),
            ("cli.column.machine_types", ", ".join(facts.get("machine_types", ()))),
            ("cli.column.cpu_count", facts.get("cpu_count")),
            ("cli.column.topology", out.say("cli.say.topology", **facts) if facts else ""),
            ("cli.column.memory_mib", facts.get("memory_mib")),
            ("cli.column.storage", "; ".join(out.say("cli.say.storage", **pool) for pool in facts.get("storage", ()))),
            ("cli.column.traits", ", ".join([*value["traits"], *facts.get("places", ()), *facts.get("traits", ())])),
            ("cli.column.reserved", amounts(out, value["reserved"])),
            ("cli.column.capacity_override", amounts(out, value["capacity_override"])),
            ("cli.column.overcommit", times(out, value["overcommit_permille"])),
            ("cli.column.observed_at", out.moment(value["observed_at_s"])),
        ]
    )
    out.heading("cli.column.capacity")
    columns = [
        Column("cli.column.dimension", lambda r: dimension(out, r["dimension"])),
        Column("cli.column.used", "used", is_number=True),
        Column("cli.column.foreign", "foreign_used", is_number=True),
        Column("cli.column.held_reserve", "held_reserve", is_number=True),
        Column("cli.column.held_reservations", "held_reservations", is_number=True),
        Column("cli.column.capacity", "capacity", is_number=True),
        Column("cli.column.total", "total", is_number=True),
    ]
    out.rows(value["capacity"], columns)
    if value["cells"]:
        _cells(out, value["cells"])


def _cells(out: Out, cells: list[Json]) -> None:
    def pages(cell: Json) -> str:
        return ", ".join(f"{p['page_kib']} KiB: {p['used_mib']}/{p['total_mib']}" for p in cell["huge_pages"])

    out.rows(
        cells,
        [
            Column("cli.column.cell", "id", is_number=True),
            Column("cli.column.shared_cpus", "shared_cpus"),
            Column("cli.column.dedicated_cpus", "dedicated_cpus"),
            Column("cli.column.dedicated_free", "dedicated_free"),
            Column("cli.column.memory_mib", "memory_mib", is_number=True),
            Column("cli.column.huge_pages", pages),
        ],
    )


def _word(out: Out, value: str) -> str:
    text = out.say(f"cli.word.{value}")
    return value if text.startswith("cli.") else text
