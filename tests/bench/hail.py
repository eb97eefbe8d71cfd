"""``hail``, the allocator of Ganeti's htools: one process for one machine, everything it should know in one JSON message.

Source: Ganeti's design document "iallocator" and hail(1). Machines are exported with disk template ``ext``: disks bind nobody.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_DISK_MIB = 4_194_304

#: vCPU, MiB.
Size = tuple[int, int]


def placed_by_hail(folder: Path, sizes: Sequence[Size], node: Size, nodes: int) -> int:
    """Return how many machines, one after the other, hail places on empty nodes before it refuses one."""
    file, instances = folder / "hail.json", dict[str, Any]()
    used = {f"n{n}": 0 for n in range(nodes)}
    for number, size in enumerate(sizes):
        file.write_text(json.dumps(_message(instances, used, size, node)), encoding="utf-8")
        command = ["/usr/lib/ganeti/iallocators/hail", str(file)]
        answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        if not answer["success"]:
            return number
        found = answer["result"][0]
        used[found] += size[1]
        instances[f"i{number}"] = _machine(size) | {
            "nodes": [found], "should_run": True, "admin_state": "up", "admin_state_source": "admin", "auto_balance": True,
            "disks_active": True,
        }  # fmt: skip
    return len(sizes)


def _message(instances: dict[str, Any], used: dict[str, int], size: Size, node: Size) -> dict[str, Any]:
    policy = _policy(node)
    group = {"name": "pool", "alloc_policy": "preferred", "networks": [], "ipolicy": policy, "tags": [], "ndparams": {}}
    return {
        "version": 2,
        "cluster_name": "bench",
        "cluster_tags": [],
        "enabled_hypervisors": ["kvm"],
        "ipolicy": policy,
        "nodegroups": {"uuid-pool": group},
        "nodes": {name: _node(mib, node) for name, mib in used.items()},
        "instances": instances,
        "request": {"type": "allocate", "name": "asked", "required_nodes": 1} | _machine(size),
    }


def _policy(node: Size) -> dict[str, Any]:
    def spec(cpus: int, mib: int, disks: int, disk_mib: int, cards: int) -> dict[str, int]:
        return {
            "cpu-count": cpus, "memory-size": mib, "disk-count": disks, "disk-size": disk_mib, "nic-count": cards,
            "spindle-use": disks,
        }  # fmt: skip

    low, high = spec(1, 1, 1, 1024, 0), spec(node[0], node[1], 16, _DISK_MIB, 16)
    return {
        "std": low, "minmax": [{"min": low, "max": high}], "disk-templates": ["ext"], "vcpu-ratio": 1.0, "spindle-ratio": 1000.0,
    }  # fmt: skip


def _node(used_mib: int, node: Size) -> dict[str, Any]:
    extra = {"exclusive_storage": False, "cpu_speed": 1.0, "oob_program": "", "ssh_port": 22, "spindle_count": 100}
    return {
        "group": "uuid-pool", "total_cpus": node[0], "reserved_cpus": 0, "total_memory": node[1], "reserved_memory": 0,
        "free_memory": node[1] - used_mib, "total_disk": _DISK_MIB, "free_disk": _DISK_MIB, "total_spindles": 100,
        "free_spindles": 100, "i_pri_memory": used_mib, "i_pri_up_memory": used_mib, "offline": False, "drained": False,
        "master_candidate": True, "master_capable": True, "vm_capable": True, "tags": [], "primary_ip": "10.0.0.1",
        "secondary_ip": "10.0.0.1", "ndparams": extra | {"ovs": False, "ovs_link": "", "ovs_name": ""},
    }  # fmt: skip


def _machine(size: Size) -> dict[str, Any]:
    return {
        "vcpus": size[0], "memory": size[1], "disks": [{"size": 1024, "mode": "w", "spindles": 1}], "disk_space_total": 1024,
        "disk_template": "ext", "spindle_use": 1, "tags": [], "nics": [], "os": "", "hypervisor": "kvm",
    }  # fmt: skip
