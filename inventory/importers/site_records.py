"""What a site document says, as values: the records an import compares with what is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from inventory.domain.errors import Problem, Where
from inventory.domain.host import NO_LOSS_POLICY, NO_RESERVE, LossPolicy, Reserve
from inventory.domain.layout import NO_LAYOUT, Layout
from inventory.domain.organisation import Billing

#: ``unlimited`` and ``inherit`` are words, never numbers.
Limit = int | Literal["unlimited", "inherit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDepartment:
    """A department and the one above it."""

    code: str
    name: str
    #: Code of the department above; empty at the top.
    parent: str = ""
    #: None: as the department above.
    billing: Billing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteProject:
    """An approved project."""

    code: str
    name: str
    department: str
    budget_code: str
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteZone:
    """A network and security policy area."""

    code: str
    name: str
    network_class: str
    mlps_max: int
    address_range: str
    segment_prefix: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePool:
    """Hosts of one driver in one zone."""

    code: str
    name: str
    zone: str
    driver: str
    mlps_max: int
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)
    reserve: Reserve = NO_RESERVE
    placement: str = ""
    drift: Mapping[str, str] = field(default_factory=dict)
    loss: LossPolicy = NO_LOSS_POLICY


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteStorage:
    """A storage pool of a host and the class of disk it holds."""

    name: str
    disk_class: str
    path: str = ""
    overcommit_permille: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHost:
    """A host to enrol, with what only the operator knows of it."""

    name: str
    pool: str
    connection: str
    site: str = ""
    room: str = ""
    rack: str = ""
    vendor: str = ""
    owner: str = ""
    #: ISO date.
    warranty_until: str = ""
    #: What it draws with no load and with all of it, W; 0: not known.
    watts_idle: int = 0
    watts_most: int = 0
    reserved: Mapping[str, int] = field(default_factory=dict)
    capacity_override: Mapping[str, int] = field(default_factory=dict)
    overcommit_permille: Mapping[str, int] = field(default_factory=dict)
    storage: tuple[SiteStorage, ...] = ()
    #: Sets of processors (``0-3,8``): given to one machine each, and shared by ordinary machines.
    dedicated_cpus: str = ""
    shared_cpus: str = ""
    #: What it has, by name; sorted.
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSize:
    """A named machine shape."""

    name: str
    vcpu_count: int
    memory_mib: int
    root_disk_gib: int
    layout: Layout = NO_LAYOUT
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteImage:
    """An image to import, from a file beside the document or from a URL."""

    name: str
    title: str
    arch: str
    file: str = ""
    url: str = ""
    #: Required of a URL.
    sha256: str = ""
    kernel: str = ""
    initrd: str = ""
    kernel_arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteQuota:
    """Limits of a department or a project, by quota dimension."""

    #: ``department`` | ``project``.
    scope_kind: str
    scope_code: str
    limits: Mapping[str, Limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePrice:
    """Price of a meter from a day on."""

    #: ``vcpu`` | ``memory_gib`` | ``disk_gib:<class>`` | ``address``.
    meter: str
    micro_yuan_per_unit_hour: int
    valid_from: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDocument:
    """Everything a site document says, in an order in which it can be stored (departments: parents first)."""

    departments: tuple[SiteDepartment, ...]
    projects: tuple[SiteProject, ...]
    zones: tuple[SiteZone, ...]
    pools: tuple[SitePool, ...]
    hosts: tuple[SiteHost, ...]
    sizes: tuple[SiteSize, ...]
    images: tuple[SiteImage, ...]
    quotas: tuple[SiteQuota, ...]
    prices: tuple[SitePrice, ...]
    #: Of the bytes as submitted.
    sha256: str
    #: Place of every value by its path, for example ``hosts.0.connection``.
    places: Mapping[str, Where]
    notices: tuple[Problem, ...]
