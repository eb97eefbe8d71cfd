"""Machines and disks of ours as a region's services tell of them, for regions that answer what they are told to."""

from pathlib import Path
from typing import Any

from drivers.openstack.driver import OpenStackDriver
from drivers.openstack.marks import Mark
from drivers.protocol import DriverContext, ImageSource
from inventory.domain.ids import ResourceId, random_ids
from tests.support.region_answers import PROJECT, Answers

HOST_ID, FENCE = "host_told", 3
NOW_S = 1_800_000_000.0
#: The region's ids of the one machine and the one disk.
SERVER, VOLUME = (kind * 8 + "-0000-4000-8000-" + kind * 12 for kind in "ab")
IMAGE = "cccccccc-0000-4000-8000-cccccccccccc"
SOURCE = ImageSource(image_id="img", sha256="0" * 64, disk_format="raw", virtual_size_gib=1, path=Path("/nowhere"))
_NEW_ID = random_ids()


def told_driver(connection: str) -> OpenStackDriver:
    """Return a driver whose clock stands still."""
    return OpenStackDriver(DriverContext(host_id=HOST_ID, host_name="told", connection=connection, clock=lambda: NOW_S))


def new_id(kind: str) -> ResourceId:
    """Return an id of ours."""
    return ResourceId(_NEW_ID(kind))


def marked(resource_id: ResourceId) -> dict[str, str]:
    """Return the metadata of what is ours."""
    return Mark(resource_id=resource_id, fence=FENCE, host_id=HOST_ID).values()


def server(instance_id: ResourceId, status: str, **more: Any) -> dict[str, Any]:
    """Return a machine as Nova tells of it."""
    return {
        "id": SERVER, "name": instance_id, "status": status, "metadata": marked(instance_id), "tenant_id": PROJECT,
        "flavor": {"vcpus": 1, "ram": 128}, "OS-EXT-STS:task_state": None, "OS-EXT-STS:power_state": 4,
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:00.000000", **more,
    }  # fmt: skip


def volume(volume_id: ResourceId, status: str, size_gib: int = 1) -> dict[str, Any]:
    """Return a disk as Cinder tells of it."""
    at = "2027-01-15T07:59:00.000000"
    return {
        "id": VOLUME, "name": volume_id, "status": status, "size": size_gib, "volume_type": "standard",
        "metadata": marked(volume_id), "attachments": [], "created_at": at, "updated_at": at,
    }  # fmt: skip


def give_one_hypervisor(answers: Answers) -> None:
    """Have a region with one hypervisor, an image, and nothing else."""
    answers.give("GET /compute/v2.1/servers/detail", {"servers": []})
    answers.give("GET /compute/v2.1/servers", {"servers": []})
    answers.give("GET /image/v2/images", {"images": [{"id": IMAGE, "name": "allotment-" + SOURCE.sha256, "status": "active"}]})
    for kind in ("networks", "ports", "security-groups"):
        answers.give(f"GET /network/v2.0/{kind}", {kind.replace("-", "_"): []})
    told = {"hypervisor_type": "QEMU", "hypervisor_version": 7, "service": {"host": "hv-1"}, "cpu_info": {}}
    up = {"id": "p1", "hypervisor_hostname": "hv-1", "state": "up", "status": "enabled"}
    answers.give("GET /compute/v2.1/os-hypervisors", {"hypervisors": [up]})
    answers.give("GET /compute/v2.1/os-hypervisors/p1", {"hypervisor": up | told})
    answers.give("GET /compute/v2.1/os-aggregates", {"aggregates": []})
    answers.give("GET /placement/resource_providers", {"resource_providers": [{"uuid": "p1", "name": "hv-1", "generation": 1}]})
    answers.give("GET /placement/resource_providers/p1/traits", {"traits": []})
    amounts = {"VCPU": (64, 4, 16.0), "MEMORY_MB": (131_072, 1_072, 1.0), "DISK_GB": (1_000, 100, 0.9)}
    inventories = {name: {"total": t, "reserved": r, "allocation_ratio": ratio} for name, (t, r, ratio) in amounts.items()}
    answers.give("GET /placement/resource_providers/p1/inventories", {"inventories": inventories})
