"""What departments choose from: sizes, images, prices."""

from dataclasses import dataclass
from enum import StrEnum

from inventory.domain.ids import ImageId, SizeId
from inventory.domain.layout import NO_LAYOUT, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A named machine shape."""

    id: SizeId
    name: str
    vcpu_count: int
    memory_mib: int
    root_disk_gib: int
    layout: Layout = NO_LAYOUT
    #: What a host must have, by name.
    traits: tuple[str, ...] = ()


class ImageState(StrEnum):
    """Only an ``active`` image may be used; a ``withdrawn`` one stays under the machines that have it."""

    IMPORTING = "importing"
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A bootable disk image, inspected and hashed before any back end sees it."""

    id: ImageId
    name: str
    arch: str
    #: ``qcow2`` | ``raw``, as the inspector found it.
    disk_format: str
    sha256: str
    size_bytes: int
    virtual_size_gib: int
    #: The controller's own copy, a path below its state directory.
    path: str
    title: str = ""
    state: ImageState = ImageState.ACTIVE
    #: Direct kernel boot (tests and appliances): paths of kernel and initrd beside the image, and the command line.
    kernel_path: str = ""
    initrd_path: str = ""
    kernel_arguments: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Price of one unit of a meter for one hour, valid from a moment until the next one of the same meter."""

    #: ``vcpu`` | ``memory_mib`` (per GiB) | ``disk_gib:<class>`` | ``address`` …; see ``metering.rating.METERS``.
    meter: str
    #: Millionths of a yuan per unit and hour.
    micro_yuan_per_unit_hour: int
    #: Epoch s.
    valid_from_s: int
