"""Hosts, what they may be asked, and what was found on them that nobody asked for."""

from pydantic import Field

from controller.api.schemas.base import In, JsonObject, Name, Out, Page, Whole, Words
from inventory.domain.host import AdminState, Reachability


class Capacity(Out):
    """What may be promised, and what is, in one dimension of one provider."""

    provider_id: str
    dimension: str
    capacity: int
    total: int
    used: int
    foreign_used: int
    held_reserve: int
    held_reservations: int


class Cell(Out):
    """A NUMA cell of a host: sets of processors, and what is promised of its memory."""

    id: int
    shared_cpus: str
    dedicated_cpus: str
    dedicated_free: str
    #: Ordinary memory, and that of machines that ask for a cell.
    memory_mib: int
    memory_used_mib: int
    huge_pages: list["HugePages"]


class HugePages(Out):
    """Huge pages of one size in a cell."""

    page_kib: int
    total_mib: int
    used_mib: int


class Host(Out):
    """A physical server."""

    id: str
    name: str
    pool_id: str
    connection: str
    admin_state: AdminState
    reachability: Reachability
    state_reason: str
    state_by: str
    state_until_s: int | None
    facts: JsonObject | None
    site: str
    room: str
    rack: str
    vendor: str
    owner: str
    warranty_until: str
    watts_idle: int
    watts_most: int
    reserved: dict[str, int]
    capacity_override: dict[str, int]
    overcommit_permille: dict[str, int]
    dedicated_cpus: str
    shared_cpus: str
    traits: list[str]
    observed_at_s: int | None
    unreachable_since_s: float | None
    revision: int
    capacity: list[Capacity]
    cells: list[Cell]


class Foreign(Out):
    """A guest we did not make."""

    host_id: str
    uuid: str
    name: str
    vcpu_count: int
    memory_mib: int
    is_running: bool
    #: Whose it is at the back end; empty where the back end does not say.
    owner: str


class Finding(Out):
    """What the reconciler found and nobody asked for."""

    id: str
    kind: str
    host_id: str | None
    resource_id: str | None
    subject: str
    detail: JsonObject
    #: What ``detail`` says, in the caller's language and in both.
    text: str
    text_zh: str
    text_en: str
    first_seen_s: float
    last_seen_s: float
    state: str


class ReasonIn(In):
    """Why."""

    reason: Words = ""


class HostStateIn(In):
    """Where a host shall go."""

    to: AdminState
    reason: Words = ""
    until_s: Whole | None = Field(default=None, ge=0, lt=2**53)


class HostLostIn(In):
    """Which host is off for good, typed once more, and why."""

    confirm: Words = ""
    reason: Words = ""


class StorageIn(In):
    """A storage pool of a host to be enrolled."""

    name: Name
    disk_class: Name = "standard"
    overcommit_permille: Whole = Field(default=1000, ge=1, le=100_000)


class HostIn(In):
    """A host to be enrolled."""

    name: Name
    #: Code of the pool.
    pool: Name
    connection: Name
    site: Words = ""
    room: Words = ""
    rack: Words = ""
    vendor: Words = ""
    owner: Words = ""
    warranty_until: Words = ""
    watts_idle: Whole = Field(default=0, ge=0, le=100_000, description="What it draws with no load (W); 0: not known.")
    watts_most: Whole = Field(default=0, ge=0, le=100_000, description="What it draws with all of its load (W).")
    reserved: dict[Name, Whole] = Field(default_factory=dict, max_length=16)
    capacity_override: dict[Name, Whole] = Field(default_factory=dict, max_length=16)
    overcommit_permille: dict[Name, Whole] = Field(default_factory=dict, max_length=16)
    storage: list[StorageIn] = Field(default_factory=list, max_length=32)
    dedicated_cpus: Words = Field(default="", description="Processors given to one machine each, for example `4-15,20-31`.")
    shared_cpus: Words = Field(default="", description="Processors that ordinary machines share; by default all others.")
    traits: list[Name] = Field(default_factory=list, max_length=16, description="What it has, by name; tickets may ask for it.")


class HostPage(Page):
    """Hosts."""

    items: list[Host]


class ForeignPage(Page):
    """Foreign guests."""

    items: list[Foreign]


class FindingPage(Page):
    """Findings."""

    items: list[Finding]
