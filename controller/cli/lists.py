"""The columns of every list, and which address of the API each kind is read from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.cli.output import Column, Out, Row

Columns = Callable[[Out], Sequence[Column]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that can be listed."""

    path: str
    columns: Columns
    #: Field printed by ``--output name``.
    name: str = "id"
    #: Field a person calls it by.
    key: str = "name"
    #: Field by whose names people look things up: a list of it is in the order of a Chinese dictionary.
    by: str = ""
    #: The API shows one by itself.
    has_detail: bool = False


def _word(out: Out, field: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        text = out.say(f"cli.word.{row[field]}")
        return str(row[field]) if text.startswith("cli.") else text

    return cell


def _moment(out: Out, field: str) -> Callable[[Row], str]:
    return lambda row: out.moment(row[field])


def instance_columns(out: Out) -> Sequence[Column]:
    """Return the columns of machines."""
    return [
        Column("cli.column.name", "name"),
        Column("cli.column.state", _word(out, "observed")),
        Column("cli.column.phase", _word(out, "phase")),
        Column("cli.column.host", "host"),
        Column("cli.column.address", lambda r: ", ".join(n["address"] for n in r["nics"])),
        Column("cli.column.vcpu", "vcpu_count", is_number=True),
        Column("cli.column.memory_mib", "memory_mib", is_number=True),
        Column("cli.column.id", "id"),
    ]


def ticket_columns(out: Out) -> Sequence[Column]:
    """Return the columns of tickets."""
    return [
        Column("cli.column.system", "system_name"),
        Column("cli.column.action", _word(out, "action")),
        Column("cli.column.state", _word(out, "state")),
        Column("cli.column.by", "created_by"),
        Column("cli.column.created", _moment(out, "created_at_s")),
        Column("cli.column.id", "id"),
    ]


def _systems(out: Out) -> Sequence[Column]:
    return [
        Column("cli.column.name", "name"),
        Column("cli.column.state", _word(out, "state")),
        Column("cli.column.revision", "revision", is_number=True),
        # The lease ends with its last day, at the midnight after it.
        Column("cli.column.lease_end", lambda r: out.day(r["lease_end_s"] - 1)),
        Column("cli.column.id", "id"),
    ]


def _hosts(out: Out) -> Sequence[Column]:
    def capacity(dimension: str) -> Callable[[Row], str]:
        def cell(row: Row) -> str:
            found = [c for c in row["capacity"] if c["dimension"] == dimension or c["dimension"].startswith(dimension + ":")]
            return f"{sum(c['used'] for c in found)} / {sum(c['capacity'] for c in found)}"

        return cell

    def reachability(row: Row) -> str:
        # A host is silent since some moment; nobody need look at each of them to learn it.
        return " ".join(filter(None, (_word(out, "reachability")(row), out.moment(row["unreachable_since_s"]))))

    return [
        Column("cli.column.name", "name"),
        Column("cli.column.state", _word(out, "admin_state")),
        Column("cli.column.reachability", reachability),
        Column("cli.column.vcpu", capacity("vcpu"), is_number=True),
        Column("cli.column.memory_mib", capacity("memory_mib"), is_number=True),
        Column("cli.column.disk_gib", capacity("disk_gib"), is_number=True),
        Column("cli.column.place", lambda r: " ".join(filter(None, (r["site"], r["room"], r["rack"])))),
        Column("cli.column.id", "id"),
    ]


def _pools(out: Out) -> Sequence[Column]:
    def reserve(row: Mapping[str, Any]) -> str:
        level, count = row["reserve"]["level"], row["reserve"]["count"]
        return out.say(f"cli.word.reserve_{level}", count=count)

    return [
        *_plain("code", "name", "driver", "mlps_max")(out),
        Column("cli.column.reserve", reserve),
        Column("cli.column.placement", "placement"),
        Column("cli.column.id", "id"),
    ]


def _departments(out: Out) -> Sequence[Column]:
    return [
        *_plain("code", "name")(out),
        Column("cli.column.billing", lambda d: out.say(f"cli.word.billing_{d['billed_as']}")),
        Column("cli.column.id", "id"),
    ]


def _findings(out: Out) -> Sequence[Column]:
    return [
        Column("cli.column.kind", _word(out, "kind")),
        Column("cli.column.subject", "subject"),
        Column("cli.column.state", _word(out, "state")),
        Column("cli.column.first_seen", _moment(out, "first_seen_s")),
        Column("cli.column.last_seen", _moment(out, "last_seen_s")),
        Column("cli.column.id", "id"),
    ]


def _notices(out: Out) -> Sequence[Column]:
    return [
        Column("cli.column.raised", _moment(out, "at_s")),
        Column("cli.column.system", "system"),
        Column("cli.column.notice", "detail"),
        Column("cli.column.cure", "cure"),
    ]


def _plain(*fields: str, numbers: Sequence[str] = ()) -> Columns:
    return lambda _out: [Column(f"cli.column.{f}", f, is_number=f in numbers) for f in fields]


KINDS: Mapping[str, Kind] = {
    "systems": Kind("/v1/systems", _systems, has_detail=True),
    "instances": Kind("/v1/instances", instance_columns, has_detail=True),
    "notices": Kind("/v1/notices", _notices, key="id"),
    "tickets": Kind("/v1/tickets", ticket_columns, key="id", has_detail=True),
    "hosts": Kind("/v1/hosts", _hosts, has_detail=True),
    "pools": Kind("/v1/pools", _pools, key="code"),
    "zones": Kind("/v1/zones", _plain("code", "name", "network_class", "mlps_max", "address_range"), key="code"),
    "sizes": Kind(
        "/v1/sizes",
        _plain("name", "vcpu_count", "memory_mib", "root_disk_gib", numbers=("vcpu_count", "memory_mib", "root_disk_gib")),
    ),
    "images": Kind("/v1/images", _plain("name", "title", "arch", "disk_format", "virtual_size_gib", "state")),
    "departments": Kind("/v1/departments", _departments, key="code", by="name"),
    "projects": Kind("/v1/projects", _plain("code", "name", "budget_code", "id"), key="code", by="name"),
    "findings": Kind("/v1/findings", _findings, key="id"),
}


def kind_of(word: str) -> tuple[str, Kind] | None:
    """Return the kind a word names, in plural or singular."""
    for name, kind in KINDS.items():
        if word in (name, name.removesuffix("s")):
            return name, kind
    return None


def one_of(items: Sequence[Mapping[str, Any]], kind: Kind, wanted: str) -> Mapping[str, Any] | None:
    """Return the item of a short list that a person means: by id, code or name."""
    for item in items:
        if wanted in (item.get("id"), item.get(kind.key), item.get("name")):
            return item
    return None
