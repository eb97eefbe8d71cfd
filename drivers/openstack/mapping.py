"""Our requests as bodies of the APIs, and their answers as what we know: pure translation, held fast by golden files."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from ipaddress import IPv4Network
from typing import Any

from drivers.openstack.marks import Mark, mark_text, parse_mark_text, read_mark
from drivers.protocol import (
    LeaseEntry,
    MachineRequest,
    NicRequest,
    ObservedForeign,
    ObservedInstance,
    ObservedNic,
    SegmentRequest,
    VolumeRequest,
)
from inventory.domain.host import ForeignDisk
from inventory.domain.ids import ResourceId, is_id
from inventory.domain.resource import Observed

CLOUD_CONFIG = "#cloud-config\n"
#: So that the same wish gives the same bytes.
_BOUNDARY = "==allotment=="
#: Where a machine asks for its own data, and how.
METADATA_ADDRESS = "169.254.169.254/32"
#: Description of the rules that let something in from beyond a department network.
RULE_TEXT = "allotment rule"
#: Nova's longest tag, and what it takes none with.
LONGEST_TAG = 60
_NOT_IN_TAGS = re.compile("[,/]")
_HTTP = {"port_range_min": 80, "port_range_max": 80}

# -- out --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Ids in the region of what a new machine is put together from."""

    flavor_id: str
    #: The volume of its root disk; of a machine whose root disk is the flavor's own, the image that is made from.
    root_id: str = ""
    image_id: str = ""
    disk_ids: tuple[str, ...] = ()
    port_ids: tuple[str, ...] = ()
    #: Name of the hypervisor, empty where the region decides.
    hypervisor: str = ""
    #: The server group, empty for none.
    group_id: str = ""
    #: The availability zone, empty where the region decides, and with a hypervisor.
    zone: str = ""


def server_body(request: MachineRequest, mark: Mark, parts: Parts) -> dict[str, Any]:
    """Return what a new machine is asked for with: from its volumes, on its ports, findable by our id as a tag."""
    root = _local_root(parts.image_id) if parts.image_id else _disk(parts.root_id, 0)
    disks = [root, *(_disk(disk_id, -1) for disk_id in parts.disk_ids)]
    body: dict[str, Any] = {
        "name": request.title,
        # Metadata and tags go with the machine; this stays in Nova's record of it and says later whose it was.
        "description": request.instance_id,
        "hostname": request.hostname,
        "flavor_id": parts.flavor_id,
        "block_device_mapping": disks,
        "networks": [{"port": port_id} for port_id in parts.port_ids] or "none",
        "metadata": mark.values(),
        "tags": ["allotment", request.instance_id, *people_tags(mark)],
        # Addresses and user data reach the guest without a DHCP or metadata service having to answer.
        "config_drive": True,
    }
    if parts.image_id:
        body["image_id"] = parts.image_id
    if text := user_data_text(request):
        body["user_data"] = base64.b64encode(text.encode()).decode()
    if parts.hypervisor:
        body["hypervisor_hostname"] = parts.hypervisor
    if parts.zone:
        body["availability_zone"] = parts.zone
    if parts.group_id:
        body["scheduler_hints"] = {"group": parts.group_id}
    return body


def people_tags(mark: Mark) -> list[str]:
    """Return what a person looks for a machine by: its system and its department.

    Nova takes no comma and no slash in a tag: its lists are split there.
    """
    named = {"system": mark.system, "department": mark.department}
    return [f"{kind}:{_NOT_IN_TAGS.sub('-', name)}"[:LONGEST_TAG] for kind, name in named.items() if name]


def _disk(volume_id: str, boot_index: int) -> dict[str, Any]:
    return {
        "uuid": volume_id,
        "source_type": "volume",
        "destination_type": "volume",
        "boot_index": boot_index,
        "delete_on_termination": False,
    }


def _local_root(image_id: str) -> dict[str, Any]:
    """Return the root disk of a machine that lies on its hypervisor: Nova has it named beside the image."""
    return {
        "uuid": image_id,
        "source_type": "image",
        "destination_type": "local",
        "boot_index": 0,
        "delete_on_termination": True,
    }


def user_data_text(request: MachineRequest) -> str:
    """Return the user data with the keys in it; both, as cloud-init's parts, where there are both."""
    keys = CLOUD_CONFIG + json.dumps({"ssh_authorized_keys": list(request.ssh_keys)}) + "\n" if request.ssh_keys else ""
    if not (keys and request.user_data):
        return request.user_data or keys
    whole = MIMEMultipart(boundary=_BOUNDARY)
    for text in (request.user_data, keys):
        kind = "cloud-config" if text.startswith(CLOUD_CONFIG.strip()) else "x-shellscript"
        whole.attach(MIMEText(text, kind, "utf-8"))
    return whole.as_string()


def volume_body(
    request: VolumeRequest, mark: Mark, *, image_id: str | None = None, snapshot_id: str | None = None, zone: str = ""
) -> dict[str, Any]:
    """Return what a new disk is asked for with; one of a snapshot is made where that is."""
    body: dict[str, Any] = {
        "name": request.volume_id,
        "description": request.title,
        "size": request.size_gib,
        "volume_type": request.storage_pool,
        "metadata": {**mark.values(), "allotment_role": request.role},
    }
    if image_id is not None:
        body["image_id"] = image_id
    if snapshot_id is not None:
        body["snapshot_id"] = snapshot_id
    elif zone:
        body["availability_zone"] = zone
    return body


def network_body(request: SegmentRequest, mark: Mark) -> dict[str, Any]:
    """Return what a department network is asked for with."""
    return {"name": request.segment_id, "description": mark_text(mark), "is_port_security_enabled": True}


def subnet_body(request: SegmentRequest, network_id: str) -> dict[str, Any]:
    """Return what its subnet is asked for with.

    Machines get the addresses we give them. The only one left to the region, for its DHCP service, is the first, which is
    nobody's in our plan: whoever plugs something in without naming an address is refused, and never given a machine's.
    """
    return {
        "name": request.segment_id,
        # The network's own says the mark, which names the department too.
        "description": request.department,
        "network_id": network_id,
        "ip_version": 4,
        "cidr": request.cidr,
        "gateway_ip": None,
        "is_dhcp_enabled": True,
        "allocation_pools": [{"start": request.gateway, "end": request.gateway}],
    }


def rules_inside(cidr: str) -> list[dict[str, Any]]:
    """Return the rules of a segment's security group: machines of the segment talk, nothing else does."""
    inside = str(IPv4Network(cidr))
    return [
        {"ether_type": "IPv4", "direction": "ingress", "remote_ip_prefix": inside},
        {"ether_type": "IPv4", "direction": "egress", "remote_ip_prefix": inside},
        {"ether_type": "IPv4", "direction": "egress", "remote_ip_prefix": METADATA_ADDRESS, "protocol": "tcp", **_HTTP},
    ]


def port_body(entry: LeaseEntry, segment: "NetworkReading", group_id: str, mark: Mark) -> dict[str, Any]:
    """Return what the port of one address is asked for with."""
    return {
        "name": entry.hostname,
        "description": mark_text(mark),
        "network_id": segment.network_id,
        "mac_address": entry.mac,
        "fixed_ips": [{"subnet_id": segment.subnet_id, "ip_address": entry.address}],
        "security_groups": [group_id],
    }


def hold_body(port: "PortReading", nic: NicRequest, group_id: str) -> dict[str, Any]:
    """Return what is changed on the port of a card so that it has its one address and is held to it; empty: nothing.

    What the region does not have (forged addresses allowed by exception) is not spoken of.
    """
    body: dict[str, Any] = {}
    if port.entry.address != nic.address or port.address_count != 1:
        body["fixed_ips"] = [{"subnet_id": port.subnet_id, "ip_address": nic.address}]
    if not port.has_port_security:
        body["is_port_security_enabled"] = True
    if port.group_ids != (group_id,):
        body["security_groups"] = [group_id]
    if port.has_address_pairs:
        body["allowed_address_pairs"] = []
    return body


def entry_of(nic: NicRequest, hostname: str) -> LeaseEntry:
    """Return the address entry of a card."""
    return LeaseEntry(mac=nic.mac, address=nic.address, hostname=hostname)


# -- in ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReading:
    """A machine of the region."""

    server_id: str
    name: str
    mark: Mark | None
    status: str
    task: str | None
    vcpu_count: int
    memory_mib: int
    #: Ids in the region of its volumes, root disk included.
    volume_ids: tuple[str, ...] = ()
    #: Name of the hypervisor it is on, where this credential may see it.
    hypervisor: str = ""
    created_at: str = ""
    updated_at: str = ""
    has_run: bool = False
    power: int | None = None
    fault: str = ""
    #: Id of the project it is in.
    project_id: str = ""
    #: The availability zone it is in; empty before it was scheduled.
    zone: str = ""
    #: Whether its root disk is the flavor's own, on the hypervisor, and how large that is; 0 where it is a volume.
    is_local: bool = False
    root_gib: int = 0
    #: All it takes of the hypervisor's disk.
    local_gib: int = 0

    @property
    def is_at_rest(self) -> bool:
        """Whether the region does nothing with it now: an accepted act shows in the task before it shows in the status."""
        return self.task is None and self.status not in _AT_WORK

    @property
    def is_in_silent_cell(self) -> bool:
        """Whether Nova knows that it is there, and no more: the cell it is in does not answer. Any other machine has a name."""
        return self.status == "UNKNOWN" and not self.name

    @property
    def is_gone(self) -> bool:
        """Whether it is no machine any more. One deleted softly is off, holds its disks and can only be restored."""
        return self.status in ("DELETED", SOFT_DELETED)

    @property
    def is_markable(self) -> bool:
        """Whether Nova takes a newer mark now; where it does not, the mark is written once the machine is out of that state."""
        return self.status not in _UNMARKABLE_STATUS


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeReading:
    """A volume of the region."""

    volume_id: str
    name: str
    mark: Mark | None
    role: str
    status: str
    size_gib: int
    storage_pool: str
    created_at: str = ""
    updated_at: str = ""
    server_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReading:
    """A department network of ours."""

    network_id: str
    subnet_id: str
    mark: Mark
    revision: int
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortReading:
    """A port."""

    port_id: str
    mark: Mark | None
    entry: LeaseEntry
    device_id: str
    device_owner: str = field(default="")
    subnet_id: str = ""
    network_id: str = ""
    address_count: int = 1
    group_ids: tuple[str, ...] = ()
    has_port_security: bool = True
    #: Whether it may send from addresses beside its own.
    has_address_pairs: bool = False

    @property
    def is_guarded(self) -> bool:
        """Whether it is held to one address and filtered at all."""
        return self.has_port_security and not self.has_address_pairs and self.address_count == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotReading:
    """A copy of a volume."""

    snapshot_id: str
    name: str
    mark: Mark | None
    volume_id: str
    status: str
    size_gib: int
    created_at: str = ""


#: Of a machine that was just made.
BUILDING = "BUILD"
#: Of one that the region does something with.
_AT_WORK = frozenset({BUILDING, "RESIZE", "REVERT_RESIZE", "REBOOT", "HARD_REBOOT", "MIGRATING"})
#: Of a machine that Nova keeps for a while after it was deleted (``reclaim_instance_interval``).
SOFT_DELETED = "SOFT_DELETED"
#: Nova takes no metadata from a machine in these states. Source: Nova, ``compute/api.py``, ``update_instance_metadata``.
_UNMARKABLE_STATUS = frozenset(
    {
        BUILDING,
        "ERROR",
        "MIGRATING",
        "VERIFY_RESIZE",
        "REVERT_RESIZE",
        "SHELVED",
        "SHELVED_OFFLOADED",
        "RESCUE",
        SOFT_DELETED,
        "DELETED",
    }
)
_RUNNING_STATUS = frozenset({"ACTIVE", "PASSWORD", "REBOOT", "HARD_REBOOT"})
_STOPPED_STATUS = frozenset({"SHUTOFF", "SHELVED", "SHELVED_OFFLOADED"})
#: Nova's power state of a machine that is off. Source: nova/compute/power_state.py.
_POWER_OFF = 4
_POWER_ON = 1


def read_server(server: Any) -> ServerReading:
    """Read the SDK's machine."""
    flavor = server.flavor or {}
    fault = server.fault or {}
    # Nova names no image of a machine that starts from a volume, and its flavor's root disk is not made.
    root_gib = int(flavor.get("disk") or 0) if server.image else 0
    # Swap is told in MiB.
    other_gib = int(flavor.get("ephemeral") or 0) - -int(flavor.get("swap") or 0) // 1024
    return ServerReading(
        server_id=server.id,
        name=server.name or "",
        mark=read_mark(server.metadata),
        status=server.status or "",
        task=server.task_state,
        vcpu_count=int(flavor.get("vcpus") or 0),
        memory_mib=int(flavor.get("ram") or 0),
        volume_ids=tuple(sorted(v["id"] for v in server.attached_volumes or ())),
        hypervisor=server.hypervisor_hostname or "",
        created_at=server.created_at or "",
        updated_at=server.updated_at or "",
        has_run=bool(server.launched_at),
        power=server.power_state,
        fault=str(fault.get("message", "")),
        project_id=server.project_id or "",
        zone=server.availability_zone or "",
        is_local=bool(server.image),
        root_gib=root_gib,
        local_gib=root_gib + other_gib,
    )


def state_of(server: ServerReading) -> Observed:
    """Return our state of a machine; what the region holds in between is unknown."""
    if server.status in _RUNNING_STATUS:
        return Observed.RUNNING
    if server.status in _STOPPED_STATUS:
        return Observed.STOPPED
    if server.status in ("VERIFY_RESIZE", "MIGRATING"):
        # A machine that is moved live runs all the while.
        return {_POWER_OFF: Observed.STOPPED, _POWER_ON: Observed.RUNNING}.get(server.power or 0, Observed.UNKNOWN)
    return Observed.UNKNOWN


def observed_of(
    server: ServerReading, disks: Mapping[str, ResourceId], nics: tuple[ObservedNic, ...] | None = None
) -> ObservedInstance:
    """Return a machine of ours; ``disks`` knows our ids of the region's volumes, ``nics`` are its cards where they were read."""
    assert server.mark is not None, "asked for a machine that is not ours"
    ours = sorted(disks[v] for v in server.volume_ids if v in disks and is_id(disks[v], "volume"))
    state = state_of(server)
    return ObservedInstance(
        instance_id=ResourceId(server.mark.resource_id),
        state=state,
        fence=server.mark.fence,
        vcpu_count=server.vcpu_count,
        memory_mib=server.memory_mib,
        volume_ids=tuple(ours),
        nics=nics,
        reason="" if state is Observed.RUNNING or server.status == "SHUTOFF" else server.status.lower(),
    )


def foreign_of(server: ServerReading, owners: Mapping[str, str], disks: tuple[ForeignDisk, ...] | None = None) -> ObservedForeign:
    """Return a machine that is not ours; ``owners`` are the names of projects by id, ``disks`` its own, where they are told."""
    return ObservedForeign(
        uuid=server.server_id,
        name=server.name,
        vcpu_count=server.vcpu_count,
        memory_mib=server.memory_mib,
        is_running=state_of(server) is Observed.RUNNING,
        owner=owners.get(server.project_id, server.project_id),
        disks=disks,
    )


def read_volume(volume: Any) -> VolumeReading:
    """Read the SDK's volume."""
    return VolumeReading(
        volume_id=volume.id,
        name=volume.name or "",
        mark=read_mark(volume.metadata),
        role=(volume.metadata or {}).get("allotment_role", ""),
        status=volume.status or "",
        size_gib=int(volume.size or 0),
        storage_pool=volume.volume_type or "",
        created_at=volume.created_at or "",
        updated_at=volume.updated_at or "",
        server_ids=tuple(sorted(a["server_id"] for a in volume.attachments or () if a.get("server_id"))),
    )


def read_network(network: Any) -> NetworkReading | None:
    """Read the SDK's network; None for one that is not ours."""
    mark = parse_mark_text(network.description)
    if mark is None or network.name != mark.resource_id or not is_id(mark.resource_id, "segment"):
        return None
    return NetworkReading(
        network_id=network.id,
        subnet_id=next(iter(network.subnet_ids or ()), ""),
        mark=mark,
        revision=int(network.revision_number or 0),
        created_at=network.created_at or "",
    )


def read_port(port: Any) -> PortReading:
    """Read the SDK's port."""
    fixed: Mapping[str, str] = next(iter(port.fixed_ips or ()), {})
    return PortReading(
        port_id=port.id,
        mark=parse_mark_text(port.description),
        entry=LeaseEntry(mac=port.mac_address, address=fixed.get("ip_address", ""), hostname=port.name or ""),
        device_id=port.device_id or "",
        device_owner=port.device_owner or "",
        subnet_id=fixed.get("subnet_id", ""),
        network_id=port.network_id or "",
        address_count=len(port.fixed_ips or ()),
        group_ids=tuple(sorted(port.security_group_ids or ())),
        # A region without that extension guards every port and does not speak of it.
        has_port_security=port.is_port_security_enabled is not False,
        has_address_pairs=bool(port.allowed_address_pairs),
    )


def read_snapshot(snapshot: Any) -> SnapshotReading:
    """Read the SDK's snapshot."""
    return SnapshotReading(
        snapshot_id=snapshot.id,
        name=snapshot.name or "",
        mark=read_mark(snapshot.metadata),
        volume_id=snapshot.volume_id or "",
        status=snapshot.status or "",
        size_gib=int(snapshot.size or 0),
        created_at=snapshot.created_at or "",
    )


def moment_s(text: str, unknown_s: float) -> float:
    """Return a moment the region writes (ISO 8601, UTC) in epoch seconds; ``unknown_s`` where it wrote none."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
        # Cinder and Nova's usage name no zone; it is UTC, whatever this machine's is.
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        return unknown_s


def oldest_of(readings: Sequence[Any]) -> Any:
    """Return the one that was made first, None of none: of two made by one wish (a lost answer) it is the one to keep."""
    return min(readings, key=lambda r: (r.created_at, str(r)), default=None)
