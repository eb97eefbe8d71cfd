"""The same figures under the names of openstack-exporter and the libvirt exporters, for dashboards made for those. Pure text.

Only what the platform knows is told: promised capacity, states and counts. What those exporters measure inside guests (CPU
time, bytes of disks and networks) is theirs to tell. Their names keep their units, ``_gb`` and all.
Source: openstack-exporter (collectors nova, placement, cinder), prometheus-libvirt-exporter (domain info).
"""

from collections.abc import Iterable, Mapping, Sequence

from controller.metrics.declared import Metric, gauge
from controller.metrics.exposition import Samples, family
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.store.estate import HostSeen, MachineSeen

_HOST = ("hostname", "availability_zone")
_TENANT = ("tenant", "tenant_id")
_PLACE = ("hostname", "resourcetype")
_DOMAIN = ("domain", "host")


def _m(name: str, text: str, *labels: str) -> Metric:
    return gauge(name, text, *labels)


NOVA_UP = _m("openstack_nova_up", "1: the figures of compute are told.")
VCPUS = _m("openstack_nova_vcpus_available", "Virtual CPUs of a host that may be promised.", *_HOST)
VCPUS_USED = _m("openstack_nova_vcpus_used", "Virtual CPUs of a host that are promised.", *_HOST)
MEMORY = _m("openstack_nova_memory_available_bytes", "Memory of a host that may be promised.", *_HOST)
MEMORY_USED = _m("openstack_nova_memory_used_bytes", "Memory of a host that is promised.", *_HOST)
STORAGE = _m("openstack_nova_local_storage_available_bytes", "Disk of a host that may be promised.", *_HOST)
STORAGE_USED = _m("openstack_nova_local_storage_used_bytes", "Disk of a host that is promised.", *_HOST)
FREE_DISK = _m("openstack_nova_free_disk_bytes", "Disk of a host that is free.", *_HOST)
RUNNING = _m("openstack_nova_running_vms", "Machines of a host seen running.", *_HOST)
WORKLOAD = _m("openstack_nova_current_workload", "Always 0: the platform keeps no such figure.", *_HOST)
TOTAL = _m("openstack_nova_total_vms", "Living machines.")
AGENT = _m("openstack_nova_agent_state", "1 where a host answers.", "hostname", "service", "adminState", "zone")
STATUS = _m(
    "openstack_nova_server_status", "Status of a machine by number.", "id", "name", "status", "tenant_id", "hypervisor_hostname"
)
LIMIT_VCPUS = _m("openstack_nova_limits_vcpus_max", "Limit of a department.", *_TENANT)
LIMIT_VCPUS_USED = _m("openstack_nova_limits_vcpus_used", "Used part of it.", *_TENANT)
LIMIT_MEMORY = _m("openstack_nova_limits_memory_max", "Limit of a department (MiB).", *_TENANT)
LIMIT_MEMORY_USED = _m("openstack_nova_limits_memory_used", "Used part of it (MiB).", *_TENANT)
PLACEMENT = _m("openstack_placement_resource_total", "What a host has to give.", *_PLACE)
PLACEMENT_USED = _m("openstack_placement_resource_usage", "What of it is given.", *_PLACE)
LIBVIRT_UP = _m("libvirt_up", "1: the figures of machines are told.")
CPUS = _m("libvirt_domain_info_virtual_cpus", "Virtual CPUs of a machine.", *_DOMAIN)
MEMORY_MAX = _m("libvirt_domain_info_maximum_memory_bytes", "Memory promised to a machine.", *_DOMAIN)
MEMORY_NOW = _m("libvirt_domain_info_memory_usage_bytes", "The same: what a guest uses of it is not looked at.", *_DOMAIN)
STATE = _m("libvirt_domain_info_vstate", "1 running, 5 shut off, 0 unknown.", *_DOMAIN)
ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

#: Nova's numbers and names of what a machine is seen as.
_SERVER = {"running": ("ACTIVE", 0), "stopped": ("SHUTOFF", 10)}
_UNKNOWN = ("UNKNOWN", 14)
_VSTATE = {"running": 1, "stopped": 5}
#: department -> dimension -> (used, limit).
Limits = Mapping[str, Mapping[str, tuple[int, int]]]


def exposition(hosts: Sequence[HostSeen], machines: Sequence[MachineSeen], limits: Limits) -> str:
    """Return every family."""
    return "".join((*_compute(hosts), *_servers(machines), *_limits(limits), *_domains(machines)))


def _compute(hosts: Sequence[HostSeen]) -> Iterable[str]:
    yield family(NOVA_UP, {(): 1})
    for metric, place, unit, which in (
        (VCPUS, VCPU, 1, 0), (VCPUS_USED, VCPU, 1, 1), (MEMORY, MEMORY_MIB, 1 << 20, 0), (MEMORY_USED, MEMORY_MIB, 1 << 20, 1),
    ):  # fmt: skip
        yield family(metric, {(h.name, h.zone): h.rooms.get(place, (0, 0))[which] * unit for h in hosts})
    disks = {h.name: _disk(h) for h in hosts}
    yield family(STORAGE, {(h.name, h.zone): disks[h.name][0] << 30 for h in hosts})
    yield family(STORAGE_USED, {(h.name, h.zone): disks[h.name][1] << 30 for h in hosts})
    yield family(FREE_DISK, {(h.name, h.zone): max(0, disks[h.name][0] - disks[h.name][1]) << 30 for h in hosts})
    yield family(RUNNING, {(h.name, h.zone): h.running_count for h in hosts})
    yield family(WORKLOAD, {(h.name, h.zone): 0 for h in hosts})
    yield family(AGENT, {(h.name, "nova-compute", _admin(h), h.zone): int(h.reachability == "reachable") for h in hosts})
    rooms = {(h.name, dimension): room for h in hosts for dimension, room in _resources(h)}
    yield family(PLACEMENT, {key: room[0] for key, room in rooms.items()})
    yield family(PLACEMENT_USED, {key: room[1] for key, room in rooms.items()})


def _admin(host: HostSeen) -> str:
    return "enabled" if host.admin_state == "active" else "disabled"


def _disk(host: HostSeen) -> tuple[int, int]:
    own = [room for dimension, room in host.rooms.items() if dimension.startswith(DISK_PREFIX)]
    return sum(r[0] for r in own), sum(r[1] for r in own)


def _resources(host: HostSeen) -> Iterable[tuple[str, tuple[int, int]]]:
    yield "VCPU", host.rooms.get(VCPU, (0, 0))
    yield "MEMORY_MB", host.rooms.get(MEMORY_MIB, (0, 0))
    yield "DISK_GB", _disk(host)


def _servers(machines: Sequence[MachineSeen]) -> Iterable[str]:
    yield family(TOTAL, {(): len(machines)})
    status: Samples = {
        (m.id, m.name, _SERVER.get(m.observed, _UNKNOWN)[0], m.department, m.host): _SERVER.get(m.observed, _UNKNOWN)[1]
        for m in machines
    }
    yield family(STATUS, status)


def _limits(limits: Limits) -> Iterable[str]:
    for used, limit, dimension in ((LIMIT_VCPUS_USED, LIMIT_VCPUS, VCPU), (LIMIT_MEMORY_USED, LIMIT_MEMORY, MEMORY_MIB)):
        own = {(d, d): dimensions[dimension] for d, dimensions in limits.items() if dimension in dimensions}
        yield family(limit, {key: pair[1] for key, pair in own.items()})
        yield family(used, {key: pair[0] for key, pair in own.items()})


def _domains(machines: Sequence[MachineSeen]) -> Iterable[str]:
    yield family(LIBVIRT_UP, {(): 1})
    own = [m for m in machines if m.host]
    # Two machines of one name may stand on one host: the id tells them apart, as it does in libvirt.
    yield family(CPUS, {(m.id, m.host): m.vcpu for m in own})
    yield family(MEMORY_MAX, {(m.id, m.host): m.memory_mib << 20 for m in own})
    yield family(MEMORY_NOW, {(m.id, m.host): m.memory_mib << 20 for m in own})
    yield family(STATE, {(m.id, m.host): _VSTATE.get(m.observed, 0) for m in own})
