"""Systems with their machines and disks."""

from controller.api.schemas.base import JsonObject, Out, Page
from controller.api.schemas.problems import StoredProblem
from inventory.domain.lease import LeaseStage
from inventory.domain.resource import Desired, Observed, Phase
from inventory.domain.system import SystemState


class ResourceOut(Out):
    """What machines and disks have in common."""

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


class Nic(Out):
    """A network card."""

    network: str
    segment_id: str
    mac: str
    address: str


class Disk(Out):
    """An attached data disk."""

    volume_id: str
    name: str
    slot: int


class NodeSeat(Out):
    """One NUMA node of a machine on a cell of its host."""

    cell: int
    vcpu_count: int
    memory_mib: int
    #: The host's processor of each virtual one; empty where they run on the shared ones.
    cpus: list[int]
    shared: str


class Seat(Out):
    """Where a machine lies on the NUMA cells of its host."""

    #: 0: ordinary pages.
    page_kib: int
    nodes: list[NodeSeat]


class Screen(Out):
    """Where the screen of a machine is seen: a secret, good for a short time."""

    url: str


class Instance(ResourceOut):
    """A virtual machine."""

    vcpu_count: int
    memory_mib: int
    image_id: str
    root_disk_gib: int
    root_disk_class: str
    size: str
    group: str
    #: A restart was ordered and is still to come.
    is_reboot_due: bool
    #: For a machine whose size asks for it.
    seat: Seat | None
    nics: list[Nic]
    disks: list[Disk]


class Volume(ResourceOut):
    """A data disk."""

    size_gib: int
    disk_class: str
    instance_id: str


class System(Out):
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

    instances: list[Instance]
    volumes: list[Volume]


class Notice(Out):
    """Something a department should know of a system of its own, in both languages."""

    id: str
    at_s: float
    stage: LeaseStage
    system: str
    system_id: str
    department_id: str
    lease_end_s: int
    code: str
    params: JsonObject
    detail: str
    cure: str
    detail_zh: str
    detail_en: str
    cure_zh: str
    cure_en: str


class NoticePage(Page):
    """Notices."""

    items: list[Notice]


class SystemPage(Page):
    """Systems."""

    items: list[System]


class InstancePage(Page):
    """Machines."""

    items: list[Instance]
