"""The completed document behind ``plan --full``: everything a ticket means, in English, with where each value came from.

A normal form read as a ticket gives the same spec again, so what is shown is what is meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controller.tickets.draft import head
from controller.tickets.language import TicketDocument
from inventory.domain.system import ServerSpec, SpreadLevel, SystemSpec


class Origin(StrEnum):
    """Who decided a value."""

    #: It stands in the document.
    TICKET = "ticket"
    #: A default of the ticket language.
    LANGUAGE = "language"
    #: A default of this platform.
    PLATFORM = "platform"
    #: It follows from the size (and at least the image).
    SIZE = "size"
    #: It follows from the image.
    IMAGE = "image"
    #: It is the contact.
    CONTACT = "contact"
    #: It is the system's name.
    NAME = "name"
    #: The system had it before this change.
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class FullLine:
    """One value of the completed document."""

    #: Canonical path; servers and disks are named: ``resources.servers.web.count``.
    path: str
    value: Any
    origin: Origin


#: Who decides what a document leaves out; the rest must be written.
_DEFAULTS: Mapping[str, Origin] = {
    "metadata.title": Origin.NAME,
    "applicant.owner": Origin.CONTACT,
    "environment": Origin.PLATFORM,
    "count": Origin.LANGUAGE,
    "arch": Origin.IMAGE,
    "root-disk.size": Origin.SIZE,
    "root-disk.class": Origin.PLATFORM,
    "spread": Origin.LANGUAGE,
    "spread-max": Origin.LANGUAGE,
    "networks": Origin.PLATFORM,
    "traits": Origin.SIZE,
    "class": Origin.PLATFORM,
}


def full_document(spec: SystemSpec) -> dict[str, Any]:
    """Return the ``create`` ticket that means exactly ``spec``, with nothing left to defaults."""
    contact = {"name": spec.contact_name, "phone": spec.contact_phone, "email": spec.contact_email}
    applicant = {
        "department": spec.department,
        "owner": spec.owner,
        "contact": {key: value for key, value in contact.items() if value},
    }
    labels = {"labels": dict(spec.labels)} if spec.labels else {}
    return {
        **head(spec.name, "create", applicant, title=spec.title, **labels),
        "project": {"code": spec.project},
        "system": {"network": spec.zone, "mlps": {"level": spec.mlps_level}},
        "lease": {"end": spec.lease_end},
        "environment": spec.environment,
        "resources": {"servers": [_server(server) for server in spec.servers]},
    }


def _server(server: ServerSpec) -> dict[str, Any]:
    exact = {"cpu": server.vcpu_count, "memory": f"{server.memory_mib}MiB"}
    values: dict[str, Any] = {
        "name": server.name,
        "count": server.count,
        "size": server.size or exact,
        "image": server.image,
        "arch": server.arch,
        "root-disk": {"size": f"{server.root_disk_gib}GiB", "class": server.root_disk_class},
        "spread": server.spread_word(),
        "networks": list(server.networks),
        "disks": [{"name": d.name, "size": f"{d.size_gib}GiB", "class": d.disk_class} for d in server.disks],
    }
    if server.spread is not SpreadLevel.NONE and not server.is_together:
        values["spread-max"] = server.spread_max
    if server.traits:
        values["traits"] = list(server.traits)
    if server.user_data:
        values["user-data"] = server.user_data
    if server.ssh_keys:
        values["ssh-keys"] = list(server.ssh_keys)
    return values


def full_lines(spec: SystemSpec, document: TicketDocument) -> tuple[FullLine, ...]:
    """Return every value of the completed document, in its order, with its origin."""
    said = _said(document)
    is_create = document.action == "create"
    return tuple(
        FullLine(path, value, _origin(path, said, is_create=is_create)) for path, value in _leaves(full_document(spec), "")
    )


def _said(document: TicketDocument) -> frozenset[str]:
    """Return the paths the document says itself, with names in place of list positions."""
    paths = set()
    names = {server.path: f"resources.servers.{server.name}" for server in document.servers}
    for server in document.servers:
        names |= {disk.path: f"{names[server.path]}.disks.{disk.name}" for disk in server.disks}
    # The longest prefix first: disks stand below their server.
    ordered = sorted(names.items(), key=lambda item: -len(item[0]))
    for path in document.places:
        prefix = next(((old, new) for old, new in ordered if path == old or path.startswith(old + ".")), None)
        paths.add(prefix[1] + path.removeprefix(prefix[0]) if prefix else path)
    return frozenset(paths)


def _origin(path: str, said: frozenset[str], *, is_create: bool) -> Origin:
    if path in said:
        return Origin.TICKET
    if not is_create:
        return Origin.SYSTEM
    tail = path.split(".", 3)[3] if path.startswith("resources.servers.") else path
    # ``disks.<name>.class`` of a server is the class of a disk.
    return _DEFAULTS.get(tail.split(".", 2)[2] if tail.startswith("disks.") else tail, Origin.TICKET)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for item in value:
            rest = {key: inner for key, inner in item.items() if key != "name"}
            yield from _leaves(rest, f"{path}.{item['name']}")
    elif value != []:
        yield path, value
