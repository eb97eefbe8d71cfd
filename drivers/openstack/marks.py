"""The mark on everything we make: our id, the fence of the last act, the host it was promised on, and for whom. Pure.

Machines and volumes carry it as metadata, networks and ports in their description: both are written with the thing itself,
so nothing of ours is ever without it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.faults import StaleFence

_PREFIX = "allotment_"
_FIELDS = ("id", "fence", "host", "system", "department")
_REBOOTS = _PREFIX + "reboots"
_GOING = _PREFIX + "going"
_WORD = re.compile(r"allotment_(\w+)=(\S*)")


@dataclass(frozen=True, slots=True)
class Place:
    """A hypervisor as a host of the inventory."""

    host_id: str
    hypervisor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Who a thing is."""

    resource_id: str
    fence: int
    #: Id of the host (or region) in our inventory.
    host_id: str
    system: str = ""
    department: str = ""
    #: The last restart by order that was carried out.
    reboots: int = 0
    #: Where a machine was last asked to be moved to, until it was seen there or has stayed.
    going: Place | None = None

    def values(self) -> dict[str, str]:
        """Return the mark as metadata."""
        values = (self.resource_id, str(self.fence), self.host_id, self.system, self.department)
        return {_PREFIX + name: value for name, value in zip(_FIELDS, values, strict=True)}


def read_mark(metadata: Mapping[str, str] | None) -> Mark | None:
    """Return the mark in metadata; None for what is not ours."""
    found = metadata or {}
    reboots = found.get(_REBOOTS, "")
    resource_id, fence, host_id, system, department = (found.get(_PREFIX + name, "") for name in _FIELDS)
    if not (resource_id and fence.isdecimal() and host_id):
        return None
    return Mark(
        resource_id=resource_id,
        fence=int(fence),
        host_id=host_id,
        system=system,
        department=department,
        reboots=int(reboots) if reboots.isdecimal() else 0,
        going=_read_place(found.get(_GOING, "")),
    )


def _read_place(text: str) -> Place | None:
    host_id, _, hypervisor = text.partition(" ")
    return Place(host_id, hypervisor) if host_id and hypervisor else None


def refuse_older(fence: int, mark: Mark) -> None:
    """Refuse a hold that is older than the one that marked it.

    Raises:
        StaleFence: it is.
    """
    if mark.fence > fence:
        raise StaleFence(resource_id=mark.resource_id, given=fence, found=mark.fence)


def is_newer(fence: int, mark: Mark) -> bool:
    """Tell whether a newer hold acts now than the one that marked it.

    Raises:
        StaleFence: an older one does.
    """
    refuse_older(fence, mark)
    return mark.fence < fence


def fence_values(fence: int) -> dict[str, str]:
    """Return the metadata that records a newer fence."""
    return {_PREFIX + "fence": str(fence)}


def reboot_values(number: int) -> dict[str, str]:
    """Return the metadata that records the last restart carried out."""
    return {_REBOOTS: str(number)}


def going_values(place: Place) -> dict[str, str]:
    """Return the metadata that says of a machine where it is asked to be moved to."""
    return {_GOING: f"{place.host_id} {place.hypervisor}"}


def host_values(host_id: str, fence: int) -> dict[str, str]:
    """Return the metadata that makes a disk a host's."""
    return {_PREFIX + "host": host_id, **fence_values(fence)}


def settled_values(host_id: str, fence: int) -> dict[str, str]:
    """Return the metadata that makes a machine a host's and ends its move, in one write."""
    return {**host_values(host_id, fence), _GOING: ""}


def mark_text(mark: Mark) -> str:
    """Return the mark as a description."""
    return " ".join(f"{name}={value}" for name, value in mark.values().items())


def port_mark(resource_id: str, host_id: str) -> Mark:
    """Return the mark of a port made for a machine: always the same one, so that the port is found by its description."""
    return Mark(resource_id=resource_id, fence=0, host_id=host_id)


def parse_mark_text(description: str | None) -> Mark | None:
    """Return the mark in a description; None for what is not ours."""
    return read_mark({_PREFIX + name: value for name, value in _WORD.findall(description or "")})
