"""Machines of a host as libvirt domains: finding ours, their fence, what they are and how they stopped."""

from dataclasses import replace
from typing import Any

import libvirt

from drivers.faults import Permanent, StaleFence
from drivers.libvirt.domain_xml import read_domain
from drivers.libvirt.marks import NAMESPACE, PREFIX, Mark, mark_text, parse_mark
from drivers.libvirt.virtualisation import PROBE_ID
from drivers.protocol import InstanceStats, ObservedForeign
from inventory.domain.ids import ResourceId, id_of, is_id, uuid_of
from inventory.domain.resource import Observed

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: Observed.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: Observed.RUNNING,
    libvirt.VIR_DOMAIN_SHUTDOWN: Observed.RUNNING,
    libvirt.VIR_DOMAIN_SHUTOFF: Observed.STOPPED,
    libvirt.VIR_DOMAIN_CRASHED: Observed.STOPPED,
}
_STOP_REASONS = {
    libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: "shutdown",
    libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED: "destroyed",
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: "migrated",
    libvirt.VIR_DOMAIN_SHUTOFF_SAVED: "saved",
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "failed",
    libvirt.VIR_DOMAIN_SHUTOFF_DAEMON: "daemon",
}
#: Held by the hypervisor: neither running nor stopped.
_HELD = {libvirt.VIR_DOMAIN_PAUSED: "paused", libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended"}

UNDEFINE_FLAGS = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def state_of(state: int, reason: int) -> tuple[Observed, str]:
    """Return our state and the reason for libvirt's pair."""
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        return Observed.STOPPED, _STOP_REASONS.get(reason, "")
    if state == libvirt.VIR_DOMAIN_CRASHED:
        return Observed.STOPPED, "crashed"
    return _STATES.get(state, Observed.UNKNOWN), _HELD.get(state, "")


def find_domain(connection: Any, instance_id: ResourceId) -> Any:
    """Return the domain of an instance; None only when libvirt says there is none, or it carries no mark of ours."""
    try:
        domain = connection.lookupByUUIDString(str(uuid_of(instance_id)))
        mark = read_mark(domain)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return None
    return domain if mark is not None and mark.resource_id == instance_id else None


def refuse_foreign(connection: Any, instance_id: ResourceId) -> None:
    """Raise where a definition of ours would replace a domain we did not make.

    Raises:
        Permanent: ``driver.not_ours``.
    """
    for look, key in ((connection.lookupByUUIDString, str(uuid_of(instance_id))), (connection.lookupByName, instance_id)):
        try:
            domain = look(key)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
            continue
        raise Permanent("driver.not_ours", kind="domain", name=domain.name())


def read_mark(domain: Any) -> Mark | None:
    """Return the mark of a domain, None for a foreign one."""
    try:
        return parse_mark(domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, NAMESPACE, 0))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
            raise
        return None


def check_fence(domain: Any, instance_id: ResourceId, fence: int) -> Mark:
    """Return the mark, or raise ``StaleFence`` if a newer hold has acted on the machine."""
    mark = read_mark(domain)
    if mark is None:
        raise Permanent("driver.not_ours", kind="domain", name=domain.name())
    if mark.fence > fence:
        raise StaleFence(resource_id=instance_id, given=fence, found=mark.fence)
    return mark


def take_fence(domain: Any, instance_id: ResourceId, fence: int) -> None:
    """Check the fence and record ours, before the act: from now on an older hold is refused."""
    mark = check_fence(domain, instance_id, fence)
    if mark.fence < fence:
        write_mark(domain, replace(mark, fence=fence))


def write_mark(domain: Any, mark: Mark) -> None:
    """Replace the mark, in the definition and, where it runs, in the running machine."""
    flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG | (libvirt.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else 0)
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, mark_text(mark), PREFIX, NAMESPACE, flags)


def foreign_of(domain: Any) -> ObservedForeign | None:
    """Return a domain we did not make; None for our own throw-away probe."""
    reading = read_domain(domain.XMLDesc())
    if reading.mark is not None and reading.mark.resource_id == PROBE_ID:
        return None
    return ObservedForeign(
        uuid=domain.UUIDString(),
        name=domain.name(),
        vcpu_count=reading.vcpu_count,
        memory_mib=reading.memory_mib,
        is_running=bool(domain.isActive()),
    )


# --- counters ------------------------------------------------------------------------------------------------------------

STATS_WANTED = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
    | libvirt.VIR_DOMAIN_STATS_BLOCK
)
#: Running machines only, and no waiting for one whose monitor is busy.
STATS_FLAGS = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_RUNNING | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


def is_named_as_ours(name: str, uuid_text: str) -> bool:
    """Tell whether name and UUID say one id of ours: enough to read counters, never to touch."""
    return is_id(name, "instance") and id_of("instance", uuid_text) == name


def stats_of(instance_id: ResourceId, record: dict[str, int]) -> InstanceStats:
    """Return the counters in one record of ``virConnectGetAllDomainStats``."""
    return InstanceStats(
        instance_id=instance_id,
        cpu_time_ns=_cpu_time_ns(record),
        memory_used_mib=_memory_used_mib(record),
        disk_read_bytes=_sum(record, "block.", ".rd.bytes"),
        disk_written_bytes=_sum(record, "block.", ".wr.bytes"),
        network_received_bytes=_sum(record, "net.", ".rx.bytes"),
        network_sent_bytes=_sum(record, "net.", ".tx.bytes"),
    )


def _cpu_time_ns(record: dict[str, int]) -> int | None:
    # Without cgroups libvirt has no total; the sum of the virtual processors is what it would be made of.
    return record.get("cpu.time", _sum(record, "vcpu.", ".time"))


def _memory_used_mib(record: dict[str, int]) -> int | None:
    # The guest's own figures come with its balloon driver, some seconds after boot.
    available, usable = record.get("balloon.available"), record.get("balloon.usable")
    return None if available is None or usable is None else (available - usable) // 1024


def _sum(record: dict[str, int], head: str, tail: str) -> int | None:
    found = [value for key, value in record.items() if key.startswith(head) and key.endswith(tail)]
    return sum(found) if found else None
