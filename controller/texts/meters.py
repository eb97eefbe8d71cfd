"""What meters, priced units, states and kinds of rows are called where people read them."""

from collections.abc import Mapping

from controller.texts.cli_words import words
from controller.texts.text import Text

_METERS = words(
    "report.word",
    {
        "meter_vcpu": ("vCPU", "vCPU"),
        "meter_memory_mib": ("内存", "memory"),
        "meter_disk_gib": ("磁盘", "disk"),
        "meter_address": ("地址", "address"),
        "meter_accelerator": ("加速卡", "accelerator"),
        "meter_service": ("服务", "service"),
        "meter_labour": ("人工", "labour"),
        "meter_snapshot_gib": ("快照", "snapshots"),
        "meter_backup_gib": ("备份", "backups"),
        "meter_image_gib": ("镜像", "images"),
        "meter_load_balancer_unit": ("负载均衡单元", "load-balancer units"),
        "meter_network_in_bytes": ("入流量", "traffic in"),
        "meter_network_out_bytes": ("出流量", "traffic out"),
    },
)
#: What amounts are counted in.
_BASES = words(
    "report.word",
    {
        "base_vcpu": ("vCPU", "vCPU"),
        "base_memory_mib": ("MiB", "MiB"),
        "base_disk_gib": ("GiB", "GiB"),
        "base_address": ("个", "addresses"),
        "base_accelerator": ("张", "cards"),
        "base_service": ("项", "items"),
        "base_labour": ("分钟", "minutes"),
        "base_snapshot_gib": ("GiB", "GiB"),
        "base_backup_gib": ("GiB", "GiB"),
        "base_image_gib": ("GiB", "GiB"),
        "base_load_balancer_unit": ("个", "units"),
        "base_network_in_bytes": ("字节", "bytes"),
        "base_network_out_bytes": ("字节", "bytes"),
    },
)
_UNITS = words(
    "report.word",
    {
        "unit_vcpu": ("vCPU", "vCPU"),
        "unit_gib": ("GiB", "GiB"),
        "unit_address": ("个", "address"),
        "unit_card": ("张", "card"),
        "unit_item": ("项", "item"),
        "unit_hour": ("小时", "h"),
        "unit_h": ("小时", "h"),
        "unit_unit": ("个", "unit"),
    },
)
_STATES = words(
    "report.word",
    {
        "state_allocated": ("建设中", "being built"),
        "state_running": ("运行", "running"),
        "state_stopped": ("停机", "stopped"),
        "state_lost": ("丢失", "lost"),
    },
)
_KINDS = words(
    "report.word",
    {
        "kind_usage": ("用量", "usage"),
        "kind_commitment_used": ("承诺用量（已用）", "commitment, used"),
        "kind_commitment_unused": ("承诺用量（未用）", "commitment, unused"),
        "kind_entry": ("服务与人工", "service or labour"),
        "kind_counted": ("流量", "traffic"),
        "kind_adjustment": ("手工更正", "correction by hand"),
        "kind_correction": ("迟到更正", "correction, late word"),
        "resource_instance": ("云主机", "machine"),
        "resource_volume": ("数据盘", "disk"),
        "resource_adopted": ("纳管云主机", "adopted machine"),
        "resource_segment": ("网段", "segment"),
    },
)
TEXTS: Mapping[str, Text] = _METERS | _BASES | _UNITS | _STATES | _KINDS
