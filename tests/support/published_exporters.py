"""What openstack-exporter and the libvirt exporter of Tinkoff declare: names, types and labels, as their source has them.

Origin: openstack-exporter/openstack-exporter (GPL-3.0), exporters/nova.go, placement.go, neutron.go, cinder.go: the tables
of metrics and labels, and the kinds of values they are sent with; Tinkoff/libvirt-exporter (Apache-2.0), libvirt_exporter.go
at 9a7c69f. Facts only: no line of theirs is here.
"""

_HYPERVISOR = ("hostname", "availability_zone", "aggregates")
_TENANT = ("tenant", "tenant_id")
_QUOTA = ("type", "tenant", "tenant_id")
_PLACEMENT = ("hostname", "resourcetype")
_AVAILABILITY = ("network_id", "network_name", "ip_version", "cidr", "subnet_name", "project_id")
_STORAGE = ("name", "volume_backend_name", "vendor_name")
_DOMAIN = ("domain",)
_CARD = ("domain", "target_device")

_GAUGES: dict[str, tuple[str, ...]] = {
    **{f"openstack_{service}_up": () for service in ("nova", "neutron", "cinder", "placement")},
    **{
        f"openstack_nova_{name}": _HYPERVISOR
        for name in (
            "running_vms", "current_workload", "vcpus_available", "vcpus_used", "memory_available_bytes", "memory_used_bytes",
            "local_storage_available_bytes", "local_storage_used_bytes", "free_disk_bytes",
        )
    },
    "openstack_nova_total_vms": (),
    "openstack_nova_server_status": (
        "id", "status", "name", "tenant_id", "user_id", "address_ipv4", "address_ipv6", "host_id", "hypervisor_hostname", "uuid",
        "availability_zone", "flavor_id", "instance_libvirt",
    ),
    **{f"openstack_nova_limits_{what}_{end}": _TENANT for what in ("vcpus", "memory", "instances") for end in ("max", "used")},
    **{f"openstack_nova_quota_{what}": _QUOTA for what in ("cores", "ram", "instances")},
    **{f"openstack_placement_resource_{what}": _PLACEMENT for what in ("total", "usage", "reserved", "allocation_ratio")},
    **{f"openstack_neutron_{what}": () for what in ("networks", "subnets", "ports")},
    **{f"openstack_neutron_network_ip_availabilities_{what}": _AVAILABILITY for what in ("total", "used")},
    "openstack_cinder_volumes": (),
    "openstack_cinder_volume_gb": (
        "id", "name", "status", "availability_zone", "bootable", "tenant_id", "user_id", "volume_type", "server_id",
    ),
    "openstack_cinder_volume_status_counter": ("status",),
    **{f"openstack_cinder_limits_volume_{end}_gb": _TENANT for end in ("max", "used")},
    **{f"openstack_cinder_pool_capacity_{what}_gb": _STORAGE for what in ("total", "free")},
    "libvirt_up": (),
    "libvirt_domain_info_meta": (
        "domain", "uuid", "instance_name", "flavor", "user_name", "user_uuid", "project_name", "project_uuid", "root_type",
        "root_uuid",
    ),
    **{
        f"libvirt_domain_info_{what}": _DOMAIN
        for what in ("virtual_cpus", "maximum_memory_bytes", "memory_usage_bytes", "vstate")
    },
}  # fmt: skip
_COUNTERS: dict[str, tuple[str, ...]] = {
    "openstack_nova_agent_state": ("id", "hostname", "service", "adminState", "zone", "disabledReason"),
    "libvirt_domain_info_cpu_time_seconds_total": _DOMAIN,
    "libvirt_domain_interface_stats_receive_bytes_total": _CARD,
    "libvirt_domain_interface_stats_transmit_bytes_total": _CARD,
}
#: Name -> type and labels.
PUBLISHED: dict[str, tuple[str, frozenset[str]]] = {
    **{name: ("gauge", frozenset(labels)) for name, labels in _GAUGES.items()},
    **{name: ("counter", frozenset(labels)) for name, labels in _COUNTERS.items()},
}
#: A libvirt exporter stands on one host; ours tells of all, so each series of a machine says where it is.
OURS_TOO = frozenset({"host"})
#: Names of what a server and a volume may be, in the order of their numbers where they have some.
SERVER_STATUS_NUMBERS = {"ACTIVE": 0, "BUILD": 1, "ERROR": 4, "SHUTOFF": 11, "UNKNOWN": 13}
VOLUME_STATUSES = frozenset(
    (
        "creating", "available", "reserved", "attaching", "detaching", "in-use", "maintenance", "deleting", "awaiting-transfer",
        "error", "error_deleting", "backing-up", "restoring-backup", "error_backing-up", "error_restoring", "error_extending",
        "downloading", "uploading", "retyping", "extending",
    )
)  # fmt: skip
