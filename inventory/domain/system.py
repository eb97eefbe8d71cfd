"""Systems: what a department runs, as wanted (``SystemSpec``, the normal form of a ticket) and as stored (``System``).

A spec is complete: every default is filled in, every unit resolved, every name checked. Equal specs mean the same thing,
so their canonical JSON is what revisions and no-ops are decided on.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from inventory.domain.ids import DepartmentId, ProjectId, SystemId
from inventory.domain.layout import NO_LAYOUT, Layout


class SpreadLevel(StrEnum):
    """The failure domain that a rule of one group speaks of, the finest first."""

    NONE = "none"
    HOST = "host"
    RACK = "rack"
    ROOM = "room"
    SITE = "site"


class SystemState(StrEnum):
    """Life of a system."""

    ABSENT = "absent"
    BUILDING = "building"
    ACTIVE = "active"
    DEGRADED = "degraded"
    RELEASING = "releasing"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpec:
    """A data disk of every server in a group."""

    name: str
    size_gib: int
    disk_class: str = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """A group of ``count`` equal servers; member *i* (from 1) is called ``<name>-<i>``, whatever the count.

    So a machine keeps its name, and with it its identity, when the count of its group changes.
    """

    name: str
    count: int
    vcpu_count: int
    memory_mib: int
    #: The catalogue size it was asked as; empty for an exact size.
    size: str
    image: str
    root_disk_gib: int
    root_disk_class: str = "standard"
    disks: tuple[DiskSpec, ...] = ()
    spread: SpreadLevel = SpreadLevel.NONE
    #: A soft spread is a wish, a hard one a condition.
    spread_is_hard: bool = True
    #: Servers of the group that may share one domain; says nothing where they stand together.
    spread_max: int = 1
    #: Together in one domain instead of apart.
    is_together: bool = False
    networks: tuple[str, ...] = ("default",)
    #: ``any`` or an architecture.
    arch: str = "any"
    user_data: str = ""
    ssh_keys: tuple[str, ...] = ()
    #: What the size asks of the cells of a host.
    layout: Layout = NO_LAYOUT
    #: What a host must have by name: asked for by the size or the ticket.
    traits: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the canonical form; what nobody asked for is left out."""
        data = {**_flat(self), "disks": [_flat(d) for d in self.disks]}
        data["layout"] = self.layout.to_json()
        for name, is_asked in (("layout", self.layout), ("traits", self.traits)):
            if not is_asked:
                del data[name]
        return data

    def spread_word(self) -> str:
        """Return the rule as the ticket language writes it, for example ``soft-same-rack``."""
        if self.spread is SpreadLevel.NONE:
            return self.spread.value
        return ("" if self.spread_is_hard else "soft-") + ("same-" if self.is_together else "") + self.spread.value

    def member_names(self) -> tuple[str, ...]:
        """Return the names of the machines of this group, in order."""
        return tuple(f"{self.name}-{i}" for i in range(1, self.count + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSpec:
    """Everything a department wants of one system."""

    name: str
    title: str
    #: Codes, as in the directory.
    department: str
    project: str
    zone: str
    mlps_level: int
    #: ``production`` | ``test`` | ``development``.
    environment: str
    #: Last day of the lease, ISO date; it ends at the end of that day in the platform's time zone.
    lease_end: str
    owner: str
    contact_name: str
    contact_phone: str = ""
    contact_email: str = ""
    servers: tuple[ServerSpec, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the canonical form as JSON values."""
        # Level by level: ``asdict`` copies every value deeply, and a submission asks for this form several times.
        return {**_flat(self), "servers": [s.to_json() for s in self.servers], "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SystemSpec":
        """Read the canonical form back."""
        servers = tuple(
            ServerSpec(
                **{
                    **server,
                    "disks": tuple(DiskSpec(**disk) for disk in server["disks"]),
                    "spread": SpreadLevel(server["spread"]),
                    "networks": tuple(server["networks"]),
                    "ssh_keys": tuple(server["ssh_keys"]),
                    "layout": Layout(**server.get("layout", {})),
                    "traits": tuple(server.get("traits", ())),
                }
            )
            for server in data["servers"]
        )
        return cls(**{**data, "servers": servers, "labels": dict(data["labels"])})

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON: equal digests mean the same wishes."""
        return digest_of(self.to_json())


def digest_of(spec: Mapping[str, Any]) -> str:
    """Return the digest of a spec in its canonical form."""
    return digest_of_text(_CANONICAL.encode(spec))


def digest_of_text(text: str) -> str:
    """Return the digest of a spec that is in its canonical form already."""
    return hashlib.sha256(text.encode()).hexdigest()


#: Made once: ``json.dumps`` makes a new one for every call with these arguments.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _flat(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A stored system."""

    id: SystemId
    name: str
    department_id: DepartmentId
    project_id: ProjectId
    state: SystemState
    #: Counts accepted specs; a change names the revision it was written against.
    revision: int
    spec: SystemSpec
    #: Epoch s; the end of the lease's last day.
    lease_end_s: int
