"""The door of the ticket language: submitted bytes in, a typed ``TicketDocument`` out, or every problem at once.

What a document says is complete here; what it means on a platform (names, sizes, limits of zones) is ``resolve``'s work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from controller.tickets.model import Action
from controller.tickets.schema import OUT_OF_PLACE, REQUIRED, TICKET, field_at
from controller.tickets.secrets import find_secrets, is_ssh_public_key, user_data_problem
from controller.tickets.units import LeaseEnd, latest_lease_end, lease_end
from inventory.domain.errors import Problem, Where
from inventory.importers.document import Document, excerpt, read_document, refuse
from inventory.importers.shapes import Reading, both_spellings

#: A ticket for more machines than this is surely a slip.
MAX_MACHINES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPatch:
    """What a document says of one data disk; None is not said."""

    name: str
    #: Path of this item, the key to its places.
    path: str
    is_absent: bool = False
    size_gib: int | None = None
    disk_class: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPatch:
    """What a document says of one group of servers; None is not said."""

    name: str
    path: str
    is_absent: bool = False
    count: int | None = None
    #: Name of a catalogue size, or an exact size in the two fields after it.
    size: str | None = None
    vcpu_count: int | None = None
    memory_mib: int | None = None
    image: str | None = None
    arch: str | None = None
    traits: tuple[str, ...] | None = None
    root_disk_gib: int | None = None
    root_disk_class: str | None = None
    disks: tuple[DiskPatch, ...] = ()
    #: A word of ``aliases.SPREADS``.
    spread: str | None = None
    spread_max: int | None = None
    networks: tuple[str, ...] | None = None
    user_data: str | None = None
    ssh_keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDocument:
    """A ticket as written, typed; None is not said."""

    action: Action
    name: str
    title: str | None
    labels: Mapping[str, str] | None
    department: str | None
    owner: str | None
    contact_name: str | None
    contact_phone: str | None
    contact_email: str | None
    project: str | None
    #: Name or id of a reservation of the project to draw on.
    reservation: str | None
    zone: str | None
    mlps_level: int | None
    lease: LeaseEnd | None
    environment: str | None
    #: Revision a change is written against.
    base: int | None
    servers: tuple[ServerPatch, ...]
    notes: str
    #: Of the bytes as submitted.
    sha256: str
    #: Place of every value by its canonical path, for example ``resources.servers.0.size``.
    places: Mapping[str, Where]
    notices: tuple[Problem, ...]

    def where(self, path: str) -> Where | None:
        """Return the place of the value at ``path``, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places.get(path)


def parse_ticket(data: bytes, *, today: date) -> TicketDocument:
    """Read a ticket.

    Args:
        data: the bytes as submitted.
        today: first day of leases that are written as a time from today.

    Raises:
        Invalid: with every problem that was found.
    """
    document = read_document(data)
    reading = Reading(unknown_field="ticket.unknown_field", not_offered="ticket.not_offered")
    reading.places[""] = document.root.where
    reading.problems += find_secrets(document.root)
    values = TICKET.read(document.root, "", reading) or {}
    _check_action(values, reading)
    lease = _read_lease(values, today, reading)
    _check_servers(_get(values, "resources.servers") or [], _get(values, "metadata.action"), reading)
    if reading.problems:
        raise refuse(_without_echoes(reading.problems))
    return _build(values, lease, document, reading)


def _get(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _without_echoes(problems: Sequence[Problem]) -> list[Problem]:
    """Leave out that a field is unknown where it is refused for a better reason."""
    refused = {p.where for p in problems if p.code in ("ticket.secret_refused", "ticket.not_offered")}
    return [p for p in problems if p.code != "ticket.unknown_field" or p.where not in refused]


def _check_action(values: Mapping[str, Any], reading: Reading) -> None:
    action = _get(values, "metadata.action")
    if action is None:
        return
    for path in REQUIRED[action]:
        if path not in reading.places and not _is_unreadable(path.rpartition(".")[0], values, reading):
            _missing(path, reading)
    for path in OUT_OF_PLACE[action]:
        if path in reading.places:
            reading.fail("ticket.field_out_of_place", reading.places[path], field=path, action=action)
    if action == "create" and _get(values, "resources.servers") == []:
        reading.fail("document.empty_list", reading.places["resources.servers"], field="resources.servers")


def _is_unreadable(path: str, values: Mapping[str, Any], reading: Reading) -> bool:
    """Tell whether ``path`` was written but could not be read: what is missing in it has been said in another way."""
    return path in reading.places and path != "" and not isinstance(_get(values, path), Mapping)


def _missing(path: str, reading: Reading) -> None:
    around = path
    while around not in reading.places:
        around = around.rpartition(".")[0]
    near = reading.places[around]
    rest = path.removeprefix(around).lstrip(".").replace(".", "/")
    spellings = field_at(path).spellings()
    place = Where(near.line, near.column, f"{near.pointer}/{rest}")
    reading.fail("document.missing_field", place, field=path, spelling=both_spellings(spellings[0], spellings[-1]))


def _read_lease(values: Mapping[str, Any], today: date, reading: Reading) -> LeaseEnd | None:
    text = _get(values, "lease.end")
    if text is None:
        return None
    where = reading.places["lease.end"]
    lease = lease_end(text, today)
    latest = latest_lease_end(today)
    if lease is None:
        reading.fail("document.not_a_date", where, field="lease.end", written=excerpt(text))
    elif lease.day < today:
        reading.fail("ticket.lease_in_past", where, date=lease.day.isoformat(), today=today.isoformat())
    elif lease.day > latest:
        reading.fail("ticket.lease_too_far", where, date=lease.day.isoformat(), latest=latest.isoformat())
    elif lease.is_relative:
        params = {"written": excerpt(text), "date": lease.day.isoformat()}
        reading.notices.append(Problem("ticket.lease_resolved", params, where))
    return lease


def _check_servers(servers: Sequence[Mapping[str, Any]], action: str | None, reading: Reading) -> None:
    for index, server in enumerate(servers):
        # Items that could not be read at all are not in the list; their problems are known, places may shift but exist.
        path = f"resources.servers.{index}"
        _check_absent(server, path, action, reading)
        for number, disk in enumerate(server.get("disks", ())):
            _check_absent(disk, f"{path}.disks.{number}", action, reading)
        _check_login(server, path, reading)
    total = sum(server.get("count", 1) for server in servers)
    if total > MAX_MACHINES:
        reading.fail("ticket.too_many_machines", reading.places["resources.servers"], count=total, maximum=MAX_MACHINES)


def _check_absent(item: Mapping[str, Any], path: str, action: str | None, reading: Reading) -> None:
    if "state" not in item:
        return
    where = reading.places.get(f"{path}.state")
    if action == "create":
        reading.fail("ticket.absent_only_in_change", where, field=f"{path}.state")
    elif item.keys() - {"name", "state"}:
        extra = ", ".join(sorted(item.keys() - {"name", "state"}))
        reading.fail("ticket.absent_with_fields", where, name=item.get("name", ""), fields=extra)


def _check_login(server: Mapping[str, Any], path: str, reading: Reading) -> None:
    if "user-data" in server:
        wrong = user_data_problem(server["user-data"])
        if wrong is not None:
            code, params = wrong
            reading.fail(code, reading.places.get(f"{path}.user-data"), **params)
    for number, key in enumerate(server.get("ssh-keys", ())):
        if not is_ssh_public_key(key):
            reading.fail("ticket.bad_ssh_key", reading.places.get(f"{path}.ssh-keys.{number}"), written=excerpt(key))


def _build(values: Mapping[str, Any], lease: LeaseEnd | None, document: Document, reading: Reading) -> TicketDocument:
    servers = _get(values, "resources.servers") or []
    return TicketDocument(
        action=Action(values["metadata"]["action"]),
        name=values["metadata"]["name"],
        title=_get(values, "metadata.title"),
        labels=_get(values, "metadata.labels"),
        department=_get(values, "applicant.department"),
        owner=_get(values, "applicant.owner"),
        contact_name=_get(values, "applicant.contact.name"),
        contact_phone=_get(values, "applicant.contact.phone"),
        contact_email=_get(values, "applicant.contact.email"),
        project=_get(values, "project.code"),
        reservation=_get(values, "project.reservation"),
        zone=_get(values, "system.network"),
        mlps_level=_get(values, "system.mlps.level"),
        lease=lease,
        environment=_get(values, "environment"),
        base=_get(values, "base"),
        servers=tuple(_server(server, f"resources.servers.{index}") for index, server in enumerate(servers)),
        notes=_get(values, "notes") or "",
        sha256=document.sha256,
        places=reading.places,
        notices=(*document.notices, *reading.notices),
    )


def _server(values: Mapping[str, Any], path: str) -> ServerPatch:
    size = values.get("size")
    exact = size if isinstance(size, Mapping) else {}
    disks = values.get("disks", ())
    return ServerPatch(
        name=values["name"],
        path=path,
        is_absent=values.get("state") == "absent",
        count=values.get("count"),
        size=size if isinstance(size, str) else None,
        vcpu_count=exact.get("cpu"),
        memory_mib=exact.get("memory"),
        image=values.get("image"),
        arch=values.get("arch"),
        traits=None if "traits" not in values else tuple(values["traits"]),
        root_disk_gib=_get(values, "root-disk.size"),
        root_disk_class=_get(values, "root-disk.class"),
        disks=tuple(_disk(disk, f"{path}.disks.{number}") for number, disk in enumerate(disks)),
        spread=values.get("spread"),
        spread_max=values.get("spread-max"),
        networks=tuple(values["networks"]) if "networks" in values else None,
        user_data=values.get("user-data"),
        ssh_keys=tuple(values["ssh-keys"]) if "ssh-keys" in values else None,
    )


def _disk(values: Mapping[str, Any], path: str) -> DiskPatch:
    return DiskPatch(
        name=values["name"],
        path=path,
        is_absent=values.get("state") == "absent",
        size_gib=values.get("size"),
        disk_class=values.get("class"),
    )
