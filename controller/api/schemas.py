"""Wire models. Bodies that come in are read through them; answers only say in the description what they look like.

Answers are written from plain values (``views``), because building a model per row would be most of the time of a list;
the tests hold every answer against these models.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from controller.identity.caller import Role
from controller.tickets.model import Action, TicketState
from inventory.domain.host import AdminState, Reachability
from inventory.domain.resource import Desired, Observed, Phase
from inventory.domain.system import SystemState

_NO_CONTROL = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Words = Annotated[str, StringConstraints(max_length=500, pattern=_NO_CONTROL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROL)]
JsonObject = dict[str, Any]
#: A whole number as JSON has it: neither ``true`` nor ``"1"``.
Whole = Annotated[int, Field(strict=True)]


class _In(BaseModel):
    """A body that comes in: unknown members are mistakes."""

    model_config = ConfigDict(extra="forbid")


class _Out(BaseModel):
    """An answer: nothing undocumented leaves."""

    model_config = ConfigDict(extra="forbid")


class ProblemOut(_Out):
    """One thing that is wrong, in both languages, with its place in the document."""

    code: str
    params: JsonObject
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str
    line: int | None
    column: int | None
    pointer: str


class ProblemDocument(BaseModel):
    """RFC 9457; further members belong to the code (the overruns of a quota, the explanation of a refusal)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str
    problems: list[ProblemOut]


class StoredProblem(_Out):
    """Why something failed."""

    code: str
    params: JsonObject
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str
    line: int | None
    column: int | None
    pointer: str


class CheckOut(_Out):
    """What a ticket says, read against the platform."""

    action: Action
    system: str
    department: str
    project: str
    zone: str
    base_revision: int
    is_noop: bool
    notices: list[ProblemOut]


class Ticket(_Out):
    """A ticket."""

    id: str
    action: Action
    state: TicketState
    system_name: str
    system_id: str | None
    department_id: str
    project_id: str | None
    sha256: str
    spec_digest: str
    plan: JsonObject
    problem: StoredProblem | None
    created_by: str
    created_at_s: float
    accepted_at_s: float | None
    finished_at_s: float | None
    revision: int


class ApprovalOut(_Out):
    """One decision of one person."""

    stage: str
    decided_by: str
    decision: str
    reason: str
    at_s: float


class TicketWithApprovals(Ticket):
    """A ticket and who decided on it."""

    approvals: list[ApprovalOut]


class Event(_Out):
    """One line of a ticket's story, in both languages."""

    seq: int
    at_s: float
    subject: str
    code: str
    params: JsonObject
    text: str
    text_zh: str
    text_en: str


class Explanation(_Out):
    """Why a machine went where it went, or nowhere."""

    id: str
    ticket_id: str
    system_id: str | None
    kind: str
    at_s: float
    body: JsonObject


class System(_Out):
    """A system as stored."""

    id: str
    name: str
    department_id: str
    project_id: str
    state: SystemState
    revision: int
    lease_end_s: int
    spec: JsonObject


class SystemWithParts(System):
    """A system with its machines and disks."""

    instances: list["Instance"]
    volumes: list["Volume"]


class Nic(_Out):
    """A network card."""

    network: str
    segment_id: str
    mac: str
    address: str


class Disk(_Out):
    """An attached data disk."""

    volume_id: str
    name: str
    slot: int


class _Resource(_Out):
    id: str
    name: str
    department_id: str
    project_id: str | None
    system_id: str | None
    host_id: str | None
    host: str | None
    desired: Desired
    observed: Observed
    phase: Phase
    generation: int
    settled_generation: int
    ticket_id: str | None
    step: str
    attempts: int
    problem: StoredProblem | None
    revision: int
    created_at_s: float
    observed_at_s: float


class Instance(_Resource):
    """A virtual machine."""

    vcpu_count: int
    memory_mib: int
    image_id: str
    root_disk_gib: int
    root_disk_class: str
    size: str
    group: str
    nics: list[Nic]
    disks: list[Disk]


class Volume(_Resource):
    """A data disk."""

    size_gib: int
    disk_class: str
    instance_id: str


class Capacity(_Out):
    """What may be promised, and what is, in one dimension of one provider."""

    provider_id: str
    dimension: str
    capacity: int
    total: int
    used: int
    foreign_used: int


class Host(_Out):
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
    reserved: dict[str, int]
    capacity_override: dict[str, int]
    overcommit_permille: dict[str, int]
    observed_at_s: int | None
    revision: int
    capacity: list[Capacity]


class Foreign(_Out):
    """A guest we did not make."""

    host_id: str
    uuid: str
    name: str
    vcpu_count: int
    memory_mib: int
    is_running: bool


class Pool(_Out):
    """Hosts of one driver in one zone."""

    id: str
    code: str
    name: str
    zone_id: str
    driver: str
    mlps_max: int
    overcommit_permille: dict[str, int]


class Zone(_Out):
    """A network and security policy area."""

    id: str
    code: str
    name: str
    network_class: str
    mlps_max: int
    address_range: str
    segment_prefix: int


class Size(_Out):
    """A named machine shape."""

    id: str
    name: str
    vcpu_count: int
    memory_mib: int
    root_disk_gib: int


class Image(_Out):
    """A bootable disk image."""

    id: str
    name: str
    title: str
    arch: str
    disk_format: str
    sha256: str
    size_bytes: int
    virtual_size_gib: int
    state: str


class Department(_Out):
    """A tenant."""

    id: str
    code: str
    name: str
    parent_id: str | None


class Project(_Out):
    """An approved project."""

    id: str
    code: str
    name: str
    department_id: str
    budget_code: str
    is_open: bool


class Finding(_Out):
    """What the reconciler found and nobody asked for."""

    id: str
    kind: str
    host_id: str | None
    resource_id: str | None
    subject: str
    detail: JsonObject
    first_seen_s: float
    last_seen_s: float
    state: str


class QuotaLevel(_Out):
    """What one scope says of one dimension, and how much of it is used."""

    scope_id: str
    scope_kind: str
    scope: str
    scope_name: str
    dimension: str
    mode: Literal["inherit", "limit", "unlimited"]
    limit: int | None
    used: int


class QuotaDrift(_Out):
    """A counter that was not what the claims add up to."""

    scope_id: str
    scope_kind: str
    dimension: str
    used: int
    counted: int


class UsageLine(_Out):
    """One meter of one resource."""

    department: str
    department_name: str
    project: str
    system: str
    resource_id: str
    resource_kind: str
    resource: str
    meter: str
    unit: str
    seconds: int
    state_seconds: dict[str, int]
    charged_seconds: int
    unit_seconds: int
    #: Decimal yuan.
    price_yuan: str


class UsageTotal(_Out):
    """One meter of everything in the answer."""

    meter: str
    unit: str
    seconds: int
    charged_seconds: int
    unit_seconds: int
    price_yuan: str


class Usage(_Out):
    """What was used from ``start_s`` up to ``end_s``."""

    start_s: int
    end_s: int
    lines: list[UsageLine]
    totals: list[UsageTotal]
    price_yuan: str


class AuditEvent(_Out):
    """One event of the chain."""

    seq: int
    at_s: int
    actor: str
    role: str
    on_behalf_of: str
    source: str
    action: str
    target: str
    department_id: str | None
    result: str
    detail: JsonObject
    previous_hash: str
    hash: str


class ChainHead(_In):
    """The end of the chain at some moment; keep it elsewhere."""

    seq: Whole = Field(ge=0, lt=2**63)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class VerifyIn(_In):
    """What to compare the chain with."""

    head: ChainHead | None = None


class VerifyOut(_Out):
    """What the check of the chain found."""

    is_intact: bool
    checked_count: int
    was_head_given: bool
    head: ChainHead
    breaks: list[ProblemOut]


class TokenOut(_Out):
    """A token as recorded."""

    id: str
    user_name: str
    role: Role
    department_id: str | None
    created_at_s: float
    expires_at_s: float
    revoked_at_s: float | None


class TokenIssued(TokenOut):
    """A new token with its secret: shown this once."""

    token: str


class TokenIn(_In):
    """Who gets a token, as what, for how long."""

    user_name: Name
    role: Role
    #: Code of the department; for department roles only.
    department: Name | None = None
    days: Whole = Field(default=90, ge=1, le=366)


class WhoAmI(_Out):
    """The caller as the platform sees it."""

    token_id: str
    user_name: str
    role: Role
    department_id: str | None
    department: str | None
    source: str


class ReasonIn(_In):
    """Why."""

    reason: Words = ""


class HostStateIn(_In):
    """Where a host shall go."""

    to: AdminState
    reason: Words = ""
    until_s: Whole | None = Field(default=None, ge=0, lt=2**53)


class StorageIn(_In):
    """A storage pool of a host to be enrolled."""

    name: Name
    disk_class: Name = "standard"
    overcommit_permille: Whole = Field(default=1000, ge=1, le=100_000)


class HostIn(_In):
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
    reserved: dict[Name, Whole] = Field(default_factory=dict, max_length=16)
    capacity_override: dict[Name, Whole] = Field(default_factory=dict, max_length=16)
    overcommit_permille: dict[Name, Whole] = Field(default_factory=dict, max_length=16)
    storage: list[StorageIn] = Field(default_factory=list, max_length=32)


class ImageIn(_In):
    """An image to be taken into the library."""

    name: Name
    arch: Name
    #: A path on the controller, or an https URL (then with ``sha256``).
    source: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=_NO_CONTROL)]
    sha256: str = Field(default="", pattern=r"^([0-9a-fA-F]{64})?$")
    title: Words = ""
    kernel: Words = ""
    initrd: Words = ""
    kernel_arguments: Words = ""


class ImportChange(_Out):
    """One record an import would make or change."""

    verb: Literal["create", "update", "none"]
    kind: str
    name: str
    before: JsonObject | None
    after: JsonObject | None


class ImportPlan(_Out):
    """What an import changes, record by record."""

    has_changes: bool
    counts: dict[str, int]
    changes: list[ImportChange]
    notices: list[ProblemOut]


class QuotaIn(_In):
    """What a scope shall say of one dimension."""

    mode: Literal["inherit", "limit", "unlimited"]
    limit: Whole | None = Field(default=None, ge=0, le=10**12)


class Page(_Out):
    """A page; ``next`` is the ``after`` of the following one, null at the end."""

    next: str | None


class TicketPage(Page):
    """Tickets."""

    items: list[Ticket]


class EventPage(Page):
    """Lines of a story."""

    items: list[Event]


class ExplanationPage(Page):
    """Explanations."""

    items: list[Explanation]


class SystemPage(Page):
    """Systems."""

    items: list[System]


class InstancePage(Page):
    """Machines."""

    items: list[Instance]


class HostPage(Page):
    """Hosts."""

    items: list[Host]


class ForeignPage(Page):
    """Foreign guests."""

    items: list[Foreign]


class PoolPage(Page):
    """Pools."""

    items: list[Pool]


class ZonePage(Page):
    """Zones."""

    items: list[Zone]


class SizePage(Page):
    """Sizes."""

    items: list[Size]


class ImagePage(Page):
    """Images."""

    items: list[Image]


class DepartmentPage(Page):
    """Departments."""

    items: list[Department]


class ProjectPage(Page):
    """Projects."""

    items: list[Project]


class FindingPage(Page):
    """Findings."""

    items: list[Finding]


class QuotaPage(Page):
    """Limits and use."""

    items: list[QuotaLevel]


class DriftPage(Page):
    """Counters that were put right."""

    items: list[QuotaDrift]


class AuditPage(Page):
    """Events of the chain."""

    items: list[AuditEvent]


class TokenPage(Page):
    """Tokens."""

    items: list[TokenOut]


class Health(_Out):
    """Alive or ready, and what is missing."""

    status: Literal["ok", "waiting"]
    waiting_for: list[str]
