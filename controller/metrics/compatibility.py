"""The same figures under the names of openstack-exporter and the libvirt exporters, for dashboards made for those. Pure text.

Only what the platform knows is told: promised capacity, states, counts, and what hosts told of their machines when they were
sampled. ``docs/metrics.md`` lists what is not told, and why. Names, types and labels are theirs, ``_gb`` and all; a label the
platform has nothing for is empty, which Prometheus takes for none.
Source: openstack-exporter (exporters/nova.go, placement.go, neutron.go, cinder.go) and the libvirt exporter of Tinkoff
(libvirt_exporter.go); ``tests/support/published_exporters.py`` keeps what they declare.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from controller.metrics.declared import Kind, Metric, gauge
from controller.metrics.exposition import Samples, family
from controller.networks.address_plan import usable_count
from inventory.domain.resource import Phase
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.store.estate import HostSeen, MachineSeen, VolumeSeen
from inventory.store.summary import AddressCount, ResourceCount, living
from metering.samples import Sample

_HOST = ("hostname", "availability_zone", "aggregates")
_TENANT = ("tenant", "tenant_id")
_PLACE = ("hostname", "resourcetype")
#: Theirs is the exporter of one host; here the host is a label.
_DOMAIN = ("domain", "host")
_AGENT = ("id", "hostname", "service", "adminState", "zone", "disabledReason")
_SERVER = (
    "id", "status", "name", "tenant_id", "user_id", "address_ipv4", "address_ipv6", "host_id", "hypervisor_hostname", "uuid",
    "availability_zone", "flavor_id", "instance_libvirt",
)  # fmt: skip
_VOLUME = ("id", "name", "status", "availability_zone", "bootable", "tenant_id", "user_id", "volume_type", "server_id")
_META = (
    "domain", "uuid", "instance_name", "flavor", "user_name", "user_uuid", "project_name", "project_uuid", "root_type",
    "root_uuid", "host",
)  # fmt: skip
_NETWORK = ("network_id", "network_name", "cidr", "ip_version", "subnet_name", "project_id")
_POOL = ("name", "volume_backend_name", "vendor_name")
_CARD = ("domain", "host", "target_device")


def _m(name: str, text: str, *labels: str) -> Metric:
    return gauge(name, text, *labels)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


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
#: A counter with them, though it falls.
AGENT = _counter("openstack_nova_agent_state", "1 where a host answers.", *_AGENT)
STATUS = _m("openstack_nova_server_status", "Status of a machine by number.", *_SERVER)
LIMIT_VCPUS = _m("openstack_nova_limits_vcpus_max", "Limit of a department.", *_TENANT)
LIMIT_VCPUS_USED = _m("openstack_nova_limits_vcpus_used", "Used part of it.", *_TENANT)
LIMIT_MEMORY = _m("openstack_nova_limits_memory_max", "Limit of a department (MiB).", *_TENANT)
LIMIT_MEMORY_USED = _m("openstack_nova_limits_memory_used", "Used part of it (MiB).", *_TENANT)
LIMIT_INSTANCES = _m("openstack_nova_limits_instances_max", "Limit of a department.", *_TENANT)
LIMIT_INSTANCES_USED = _m("openstack_nova_limits_instances_used", "Used part of it.", *_TENANT)
QUOTA_CORES = _m("openstack_nova_quota_cores", "Limit of a department on virtual CPUs, and the used part.", "type", *_TENANT)
QUOTA_RAM = _m("openstack_nova_quota_ram", "The same of memory (MiB).", "type", *_TENANT)
QUOTA_INSTANCES = _m("openstack_nova_quota_instances", "The same of machines.", "type", *_TENANT)
PLACEMENT_UP = _m("openstack_placement_up", "1: the figures of placement are told.")
PLACEMENT = _m("openstack_placement_resource_total", "What a host has to give.", *_PLACE)
PLACEMENT_USED = _m("openstack_placement_resource_usage", "What of it is given.", *_PLACE)
PLACEMENT_RESERVED = _m(
    "openstack_placement_resource_reserved", "What is held: for the loss of hosts, for reservations.", *_PLACE
)
PLACEMENT_RATIO = _m("openstack_placement_resource_allocation_ratio", "Always 1: the total has it in it.", *_PLACE)
NEUTRON_UP = _m("openstack_neutron_up", "1: the figures of networks are told.")
NETWORKS = _m("openstack_neutron_networks", "Living department networks on hosts.")
SUBNETS = _m("openstack_neutron_subnets", "Subnets given to networks.")
PORTS = _m("openstack_neutron_ports", "Addresses given to network cards of machines.")
IPS_TOTAL = _m("openstack_neutron_network_ip_availabilities_total", "Addresses of a zone's range.", *_NETWORK)
IPS_USED = _m("openstack_neutron_network_ip_availabilities_used", "What of them is given or rests.", *_NETWORK)
CINDER_UP = _m("openstack_cinder_up", "1: the figures of disks are told.")
VOLUMES = _m("openstack_cinder_volumes", "Living data disks.")
VOLUME_SIZE = _m("openstack_cinder_volume_gb", "Size of a data disk (GiB).", *_VOLUME)
VOLUME_STATUS = _m("openstack_cinder_volume_status_counter", "Living data disks by status.", "status")
LIMIT_DISK = _m("openstack_cinder_limits_volume_max_gb", "Limit of a department on disk (GiB).", *_TENANT)
LIMIT_DISK_USED = _m("openstack_cinder_limits_volume_used_gb", "Used part of it.", *_TENANT)
POOL_TOTAL = _m("openstack_cinder_pool_capacity_total_gb", "Disk of one class of a host that may be promised (GiB).", *_POOL)
POOL_FREE = _m("openstack_cinder_pool_capacity_free_gb", "What of it is free.", *_POOL)
LIBVIRT_UP = _m("libvirt_up", "1: the figures of machines are told.")
META = _m("libvirt_domain_info_meta", "1, with what a machine is called and whose it is.", *_META)
CPUS = _m("libvirt_domain_info_virtual_cpus", "Virtual CPUs of a machine.", *_DOMAIN)
MEMORY_MAX = _m("libvirt_domain_info_maximum_memory_bytes", "Memory promised to a machine.", *_DOMAIN)
MEMORY_NOW = _m("libvirt_domain_info_memory_usage_bytes", "What it was seen to use; the promised, where nobody told.", *_DOMAIN)
STATE = _m("libvirt_domain_info_vstate", "1 running, 5 shut off, 0 unknown.", *_DOMAIN)
CPU_TIME = _counter("libvirt_domain_info_cpu_time_seconds_total", "Processor time of a machine, as its host told last.", *_DOMAIN)
RECEIVED = _counter("libvirt_domain_interface_stats_receive_bytes_total", "Received by all its cards, as told last.", *_CARD)
SENT = _counter("libvirt_domain_interface_stats_transmit_bytes_total", "Sent by all its cards, as told last.", *_CARD)
ALL: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

#: Nova's names and numbers of what a machine is: by what was seen, else by where it is on the way.
_SEEN = {"running": ("ACTIVE", 0), "stopped": ("SHUTOFF", 11)}
_ON_THE_WAY = {Phase.PENDING.value: ("BUILD", 1), Phase.WORKING.value: ("BUILD", 1), Phase.FAILED.value: ("ERROR", 4)}
_UNKNOWN = ("UNKNOWN", 13)
#: Every status Cinder has: dashboards ask for one by name, and a nought is an answer.
_VOLUME_STATUSES = (
    "creating", "available", "reserved", "attaching", "detaching", "in-use", "maintenance", "deleting", "awaiting-transfer",
    "error", "error_deleting", "backing-up", "restoring-backup", "error_backing-up", "error_restoring", "error_extending",
    "downloading", "uploading", "retyping", "extending",
)  # fmt: skip
_VOLUME_PHASES = {Phase.SETTLED.value: "in-use", Phase.FAILED.value: "error"}
_VSTATE = {"running": 1, "stopped": 5}
#: department -> dimension -> (used, limit).
Limits = Mapping[str, Mapping[str, tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Everything that is told under other names."""

    hosts: Sequence[HostSeen]
    machines: Sequence[MachineSeen]
    volumes: Sequence[VolumeSeen]
    limits: Limits
    counts: Sequence[ResourceCount]
    addresses: Sequence[AddressCount]
    #: By machine: what its host told last.
    samples: Mapping[str, Sample]


def exposition(told: Told) -> str:
    """Return every family."""
    parts = (
        *_compute(told.hosts), *_servers(told.machines), *_limits(told.limits), *_networks(told.counts, told.addresses),
        *_disks(told.hosts, told.volumes), *_domains(told.machines, told.samples),
    )  # fmt: skip
    return "".join(parts)


def _compute(hosts: Sequence[HostSeen]) -> Iterable[str]:
    yield family(NOVA_UP, {(): 1})
    for metric, place, unit, which in (
        (VCPUS, VCPU, 1, 0), (VCPUS_USED, VCPU, 1, 1), (MEMORY, MEMORY_MIB, 1 << 20, 0), (MEMORY_USED, MEMORY_MIB, 1 << 20, 1),
    ):  # fmt: skip
        yield family(metric, {_host(h): h.rooms.get(place, (0, 0))[which] * unit for h in hosts})
    disks = {h.name: _disk(h) for h in hosts}
    yield family(STORAGE, {_host(h): disks[h.name][0] << 30 for h in hosts})
    yield family(STORAGE_USED, {_host(h): disks[h.name][1] << 30 for h in hosts})
    yield family(FREE_DISK, {_host(h): max(0, disks[h.name][0] - disks[h.name][1]) << 30 for h in hosts})
    yield family(RUNNING, {_host(h): h.running_count for h in hosts})
    yield family(WORKLOAD, {_host(h): 0 for h in hosts})
    yield family(
        AGENT, {(h.id, h.name, "nova-compute", _admin(h), h.zone, _why(h)): int(h.reachability == "reachable") for h in hosts}
    )
    rooms: dict[tuple[str, ...], tuple[int, int]] = {
        (h.name, dimension): room for h in hosts for dimension, room in _resources(h)
    }
    yield family(PLACEMENT, {key: room[0] for key, room in rooms.items()})
    yield family(PLACEMENT_USED, {key: room[1] for key, room in rooms.items()})
    held: Samples = {(h.name, name): amount for h in hosts for name, amount in _held(h)}
    yield family(PLACEMENT_UP, {(): 1})
    yield family(PLACEMENT_RESERVED, held)
    yield family(PLACEMENT_RATIO, dict.fromkeys(rooms, 1))


def _host(host: HostSeen) -> tuple[str, str, str]:
    # What people group hosts by is a pool here.
    return host.name, host.zone, host.pool


def _why(host: HostSeen) -> str:
    return "" if host.admin_state == "active" else host.admin_state


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
        (m.id, name, m.name, m.department, "", m.address, "", "", m.host, m.id, m.zone, "", m.id): number
        for m in machines
        for name, number in [_status(m)]
    }
    yield family(STATUS, status)


def _status(machine: MachineSeen) -> tuple[str, int]:
    return _SEEN.get(machine.observed) or _ON_THE_WAY.get(machine.phase, _UNKNOWN)


def _limits(limits: Limits) -> Iterable[str]:
    for used, limit, dimension in (
        (LIMIT_VCPUS_USED, LIMIT_VCPUS, VCPU), (LIMIT_MEMORY_USED, LIMIT_MEMORY, MEMORY_MIB),
        (LIMIT_INSTANCES_USED, LIMIT_INSTANCES, "instances"), (LIMIT_DISK_USED, LIMIT_DISK, "disk_gib"),
    ):  # fmt: skip
        own = {(d, d): dimensions[dimension] for d, dimensions in limits.items() if dimension in dimensions}
        yield family(limit, {key: pair[1] for key, pair in own.items()})
        yield family(used, {key: pair[0] for key, pair in own.items()})
    for quota, dimension in ((QUOTA_CORES, VCPU), (QUOTA_RAM, MEMORY_MIB), (QUOTA_INSTANCES, "instances")):
        of = {d: dimensions[dimension] for d, dimensions in limits.items() if dimension in dimensions}
        three: dict[tuple[str, ...], float] = {}
        for department, pair in of.items():
            amounts = {"in_use": pair[0], "limit": pair[1], "reserved": 0}
            three |= {(kind, department, department): amount for kind, amount in amounts.items()}
        yield family(quota, three)


def _held(host: HostSeen) -> Iterable[tuple[str, int]]:
    yield "VCPU", host.held.get(VCPU, 0)
    yield "MEMORY_MB", host.held.get(MEMORY_MIB, 0)
    yield "DISK_GB", sum(amount for dimension, amount in host.held.items() if dimension.startswith(DISK_PREFIX))


def _networks(counts: Sequence[ResourceCount], addresses: Sequence[AddressCount]) -> Iterable[str]:
    yield family(NEUTRON_UP, {(): 1})
    yield family(NETWORKS, {(): sum(c.count for c in living(counts, "segment"))})
    yield family(SUBNETS, {(): sum(a.subnets for a in addresses)})
    yield family(PORTS, {(): sum(a.given for a in addresses)})
    # One row for a zone, in place of the thousands of its networks.
    keys = {(a.zone, a.zone, a.address_range, "4", a.zone, ""): a for a in addresses}
    yield family(IPS_TOTAL, {key: _range(a) for key, a in keys.items()})
    yield family(IPS_USED, {key: a.given + a.resting for key, a in keys.items()})


def _range(zone: AddressCount) -> int:
    length = IPv4Network(zone.address_range).prefixlen
    return (1 << max(0, zone.segment_prefix - length)) * usable_count(zone.segment_prefix)


def _disks(hosts: Sequence[HostSeen], volumes: Sequence[VolumeSeen]) -> Iterable[str]:
    statuses = dict.fromkeys(_VOLUME_STATUSES, 0)
    sizes: dict[tuple[str, ...], float] = {}
    for v in volumes:
        status = _VOLUME_PHASES.get(v.phase, "creating")
        statuses[status] += 1
        sizes[v.id, v.name, status, v.zone, "false", v.department, "", v.disk_class, v.machine] = v.size_gib
    yield family(CINDER_UP, {(): 1})
    yield family(VOLUMES, {(): len(volumes)})
    yield family(VOLUME_SIZE, sizes)
    yield family(VOLUME_STATUS, {(status,): count for status, count in statuses.items()})
    pools = {
        (f"{h.name}@{dimension.removeprefix(DISK_PREFIX)}", dimension.removeprefix(DISK_PREFIX), ""): room
        for h in hosts
        for dimension, room in h.rooms.items()
        if dimension.startswith(DISK_PREFIX)
    }
    yield family(POOL_TOTAL, {key: room[0] for key, room in pools.items()})
    yield family(POOL_FREE, {key: max(0, room[0] - room[1]) for key, room in pools.items()})


def _domains(machines: Sequence[MachineSeen], samples: Mapping[str, Sample]) -> Iterable[str]:
    yield family(LIBVIRT_UP, {(): 1})
    own = [m for m in machines if m.host]
    # Two machines of one name may stand on one host: the id tells them apart, as it does in libvirt.
    yield family(META, {(m.id, m.id, m.name, "", "", "", m.department, m.department, "", "", m.host): 1 for m in own})
    yield family(CPUS, {(m.id, m.host): m.vcpu for m in own})
    yield family(MEMORY_MAX, {(m.id, m.host): m.memory_mib << 20 for m in own})
    told = [(m, samples[m.id]) for m in own if m.id in samples]
    used = {m.id: s.memory_used_mib for m, s in told if s.memory_used_mib is not None}
    yield family(MEMORY_NOW, {(m.id, m.host): used.get(m.id, m.memory_mib) << 20 for m in own})
    yield family(STATE, {(m.id, m.host): _VSTATE.get(m.observed, 0) for m in own})
    yield family(CPU_TIME, {(m.id, m.host): s.cpu_time_ns / 1e9 for m, s in told if s.cpu_time_ns is not None})
    yield family(RECEIVED, {(m.id, m.host, "all"): s.received_bytes for m, s in told if s.received_bytes is not None})
    yield family(SENT, {(m.id, m.host, "all"): s.sent_bytes for m, s in told if s.sent_bytes is not None})
