"""Reservations."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from controller.api.schemas.base import NO_CONTROL, In, Name, Out, Page, Whole
from controller.api.schemas.catalogue import Layout
from inventory.domain.reservation import ReservationState
from inventory.domain.system import SpreadLevel

_Code = Annotated[str, StringConstraints(max_length=64, pattern=NO_CONTROL)]
_Amount = Annotated[Whole, Field(ge=-(2**40), lt=2**40)]


class ReservationIn(In):
    """What is to be reserved: a size, or vCPUs and memory; how often; from when until when (epoch seconds)."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    project: Name
    zone: Name
    size: _Code = ""
    vcpu_count: _Amount = 0
    memory_mib: _Amount = 0
    disk_gib: _Amount | None = None
    disk_class: _Code = "standard"
    count: _Amount = 1
    mlps_level: Annotated[Whole, Field(ge=1, le=5)] = 2
    arch: Literal["any", "x86_64", "aarch64"] = "any"
    spread: SpreadLevel = SpreadLevel.NONE
    starts_s: Whole | None = Field(default=None, ge=0, lt=2**53)
    ends_s: Whole = Field(ge=0, lt=2**53)


class Reservation(Out):
    """Capacity promised to a project for a time.

    `no_address_count`: machines of those left for which there is no address now; null in lists. `astray_count`: machines of
    those left whose place is no good any more (host lost, taken out of service, or overfull), and that have no other one yet.
    """

    id: str
    name: str
    department: str
    project: str
    zone: str
    mlps_level: int
    vcpu_count: int
    memory_mib: int
    disk_gib: int
    disk_class: str
    count: int
    left_count: int
    no_address_count: int | None
    astray_count: int
    arch: str
    spread: SpreadLevel
    starts_s: int
    ends_s: int
    state: ReservationState
    created_by: str
    created_at_s: float
    layout: Layout
    traits: list[str]


class ReservationPage(Page):
    """Reservations."""

    items: list[Reservation]
