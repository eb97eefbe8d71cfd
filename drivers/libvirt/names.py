"""How things of ours are called at a libvirt host. Names carry our id, so that what we made is recognised without a list.

Pure. A root disk carries the id of its instance; an image is named by the hash of its bytes.
"""

import re

from inventory.domain.ids import ResourceId, is_id, uuid_of

#: Kernel limit of an interface name.
INTERFACE_NAME_MAX = 15
#: All bridges of ours begin with it, so that one firewall rule of a host can name them all.
BRIDGE_PREFIX = "allot"
#: End of the name of the empty file that says: this one was read back whole.
VERIFIED = ".ok"
_IMAGE_FILE = re.compile(r"img-[0-9a-f]{64}\.")


def volume_name(volume_id: ResourceId) -> str:
    """Return the file name of a disk: the root disk for the id of an instance, a data disk for the id of a volume."""
    role = "root" if is_id(volume_id, "instance") else "data"
    return f"{volume_id}.{role}.qcow2"


def seed_name(instance_id: ResourceId, digest: str) -> str:
    """Return the file name of a NoCloud seed with these contents."""
    return f"{instance_id}.seed-{digest[:16]}.iso"


def is_seed_of(name: str, instance_id: ResourceId) -> bool:
    """Tell whether a file is a seed of the instance, with whatever contents."""
    return name.startswith(f"{instance_id}.seed-") and name.endswith(".iso")


def console_name(instance_id: ResourceId) -> str:
    """Return the file name of the serial log."""
    return f"{instance_id}.console.log"


def fence_name(resource_id: ResourceId, fence: int) -> str:
    """Return the name of the empty volume that records the fence of a disk (a volume holds no metadata)."""
    return f"{resource_id}.fence-{fence}"


def fence_in(name: str, resource_id: ResourceId) -> int | None:
    """Return the fence a volume name records for ``resource_id``."""
    head, _, tail = name.rpartition("-")
    return int(tail) if head == f"{resource_id}.fence" and tail.isdecimal() else None


def image_prefix(sha256: str) -> str:
    """Return what the names of all files of an image begin with."""
    return f"img-{sha256}."


def is_ours(name: str) -> bool:
    """Tell whether a file in a storage pool is ours: of an instance or a volume, or of an image."""
    return owner_of(name) is not None or _IMAGE_FILE.match(name) is not None


def image_name(sha256: str, disk_format: str) -> str:
    """Return the file name of an image."""
    return image_prefix(sha256) + disk_format


def kernel_name(sha256: str) -> str:
    """Return the file name of the kernel that boots an image directly."""
    return image_prefix(sha256) + "kernel"


def initrd_name(sha256: str) -> str:
    """Return the file name of the first file system that goes with the kernel."""
    return image_prefix(sha256) + "initrd"


def verified_name(name: str) -> str:
    """Return the name of the marker that says ``name`` was read back and its hash was right."""
    return name + VERIFIED


def owner_of(name: str) -> ResourceId | None:
    """Return the instance or volume a file belongs to, None for images and for what is not ours."""
    head, dot, _ = name.partition(".")
    return ResourceId(head) if dot and (is_id(head, "instance") or is_id(head, "volume")) else None


def disk_owner(name: str) -> ResourceId | None:
    """Return whose disk a file is: like ``owner_of``, but None for seeds, logs and fences."""
    owner = owner_of(name)
    return owner if owner is not None and name == volume_name(owner) else None


def bridge_name(segment_id: ResourceId) -> str:
    """Return the bridge of a segment: the tail of a UUIDv7 is random, ten digits of it are unique on a host."""
    return BRIDGE_PREFIX + uuid_of(segment_id).hex[-(INTERFACE_NAME_MAX - len(BRIDGE_PREFIX)) :]


def filter_name(segment_id: ResourceId) -> str:
    """Return the name of the packet filter on every card of a segment."""
    return f"allotment-{segment_id}"
