"""What can be named in a ticket: pools, zones, sizes, images."""

from typing import Annotated

from pydantic import Field, StringConstraints

from controller.api.schemas.base import NO_CONTROL, In, Name, Out, Page, Words
from inventory.domain.drift import DriftAnswer, DriftKind
from inventory.domain.host import ReserveLevel


class Reserve(Out):
    """How many failure domains of which level a pool can lose (N+1)."""

    level: ReserveLevel
    count: int


class LossPolicy(Out):
    """When a host that does not answer is given up without a person's word."""

    #: 0: never.
    after_s: int
    #: Hosts of the pool that may be silent then.
    most: int


class Pool(Out):
    """Hosts of one driver in one zone."""

    id: str
    code: str
    name: str
    zone_id: str
    driver: str
    mlps_max: int
    overcommit_permille: dict[str, int]
    reserve: Reserve
    placement: str
    #: Answers of its own to kinds of drift: repair or report.
    drift: dict[DriftKind, DriftAnswer]
    loss: LossPolicy


class Zone(Out):
    """A network and security policy area."""

    id: str
    code: str
    name: str
    network_class: str
    mlps_max: int
    address_range: str
    segment_prefix: int


class Layout(Out):
    """What machines of a size ask of the NUMA cells of a host; without nodes they ask for nothing."""

    is_dedicated: bool
    #: 0: ordinary pages.
    page_kib: int
    node_count: int


class Size(Out):
    """A named machine shape."""

    id: str
    name: str
    vcpu_count: int
    memory_mib: int
    root_disk_gib: int
    layout: Layout
    traits: list[str]


class Image(Out):
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


class ImageIn(In):
    """An image to be taken into the library."""

    name: Name
    arch: Name
    #: A path on the controller, or an https URL (then with ``sha256``).
    source: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=NO_CONTROL)]
    sha256: str = Field(default="", pattern=r"^([0-9a-fA-F]{64})?$")
    title: Words = ""
    kernel: Words = ""
    initrd: Words = ""
    kernel_arguments: Words = ""


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


class PlaceOfDepartment(Out):
    """A department that has a place of its own in a back end."""

    #: Code.
    department: str


class PlaceOfDepartmentPage(Page):
    """Departments with a place of their own."""

    items: list[PlaceOfDepartment]
