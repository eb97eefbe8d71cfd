"""Machines somebody else made, and the books they are in."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from controller.api.schemas.base import In, Name, Out, Page, Whole


class TheirDisk(Out):
    """A disk of a machine that is not ours."""

    #: As the back end calls it; empty for what the machine has on its host itself.
    uuid: str
    #: Name of the storage pool at the back end; empty for one that cannot be enrolled as it is.
    storage_pool: str
    size_gib: int
    #: Empty where the storage pool is not enrolled with that host: such a disk is not metered.
    disk_class: str


class Candidate(Out):
    """A machine that is not ours."""

    host_id: str
    host: str
    #: As the back end calls it.
    uuid: str
    name: str
    vcpu_count: int
    memory_mib: int
    #: Null where the back end does not say.
    disks: list[TheirDisk] | None
    is_running: bool
    #: Whose it is at the back end; empty where the back end does not say.
    owner: str
    #: Codes that the owner's name speaks of; empty where it says nothing.
    department: str
    project: str
    #: It is adopted already.
    adoption_id: str | None


class CandidatePage(Page):
    """Machines that are not ours."""

    items: list[Candidate]


class AdoptionIn(In):
    """Machines to be taken into the books of a project: all of an owner, or those named."""

    #: Code of the pool they are in.
    pool: Name
    #: Code of the project that pays for them.
    project: Name
    #: Name of the system they are shown as; made with the first of them.
    system: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
    mlps_level: Annotated[Whole, Field(ge=1, le=4)] = 2
    #: Last day of the lease.
    lease_end: Annotated[date, Field(le=date(2199, 12, 31))]
    environment: Literal["production", "test", "development"] = "production"
    #: All machines of this owner at the back end.
    owner: Annotated[str, Field(max_length=200)] = ""
    #: As the back end calls them.
    machines: Annotated[list[Name], Field(max_length=500, default_factory=list)]


class Adoption(Out):
    """An adopted machine: looked at and metered, never touched."""

    id: str
    name: str
    uuid: str
    owner: str
    system: str
    system_id: str
    department: str
    project: str
    host: str
    vcpu_count: int
    memory_mib: int
    #: Those that are metered with it.
    disks: list[TheirDisk]
    #: ``running`` | ``stopped`` | ``unknown`` (its host does not show it any more) | ``absent`` (it is over).
    observed: str
    since_s: float


class AdoptionPage(Page):
    """Adopted machines."""

    items: list[Adoption]
