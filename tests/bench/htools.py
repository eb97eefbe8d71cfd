"""A town in the text format of Ganeti's htools, and what ``hbal`` says of it.

Source: the manual pages htools(1) and hbal(1), text backend: groups, nodes, instances, tags, instance policies. Machines are
exported with disk template ``ext`` (any node may become the new one), nodes with their own memory as the node's.
"""

import re
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from controller.scheduling.moves.plan import Move
from controller.scheduling.snapshot import HostEntry
from inventory.domain.resources import MEMORY_MIB, VCPU
from tests.support.moves import Town

DISK_MIB = 4_194_304


@dataclass(frozen=True)
class Judged:
    """What ``hbal`` found."""

    score_before: float
    score_after: float
    moves: int
    took_s: float


def export(town: Town) -> str:
    """Return the town as a data file."""
    used = {h.host.id: h.used.get(MEMORY_MIB, 0) for h in town.hosts}
    nodes = [_node(h, used[h.host.id]) for h in town.hosts]
    instances = [
        f"{m.id}|{m.compute[MEMORY_MIB]}|1024|{m.compute[VCPU]}|running|Y|{m.host_id}||ext||1"
        for m in sorted(town.machines, key=lambda m: m.id)
    ]
    policy = "|1024,1,1024,1,1,1|1,1,0,0,0,0;1048576,1024,4194304,64,16,64|ext|64.0|1000.0"
    return "\n\n".join(["pool|uuid-pool|preferred||", "\n".join(nodes), "\n".join(instances), "", policy]) + "\n"


def _node(host: HostEntry, used_mib: int) -> str:
    total, own = host.capacity[MEMORY_MIB], host.foreign.get(MEMORY_MIB, 0)
    name, cpus = host.host.id, host.capacity[VCPU]
    return f"{name}|{total}|{own}|{total - own - used_mib}|{DISK_MIB}|{DISK_MIB}|{cpus}|N|uuid-pool|1"


def hbal(folder: Path, town: Town, *arguments: str) -> Judged:
    """Let ``hbal`` plan on a town, dynamic utilisation off."""
    file = folder / "town.data"
    file.write_text(export(town), encoding="utf-8")
    started = _children_s()
    command = ["hbal", "-t", str(file), "--ignore-dynu", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    took_s = _children_s() - started
    scores = re.findall(r"(?:Initial score:|score improved from|to) (\d+\.\d+)", done.stdout)
    moves = re.search(r"Solution length=(\d+)", done.stdout)
    return Judged(float(scores[0]), float(scores[-1]), int(moves[1]) if moves else 0, took_s)


def _children_s() -> float:
    """Return the processor time of all ended children."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def judge(folder: Path, town: Town, moves: Sequence[Move]) -> float:
    """Return the score ``hbal`` gives the town after these moves."""
    used: dict[str, dict[str, int]] = {}
    after = town.after(moves)
    for machine in after.machines:
        of = used.setdefault(machine.host_id, {VCPU: 0, MEMORY_MIB: 0})
        for dimension in of:
            of[dimension] += machine.compute[dimension]
    return hbal(folder, _with_used(after, used), "--max-length=0").score_before


def _with_used(town: Town, used: dict[str, dict[str, int]]) -> Town:
    return replace(town, hosts=tuple(replace(h, used=used.get(h.host.id, {})) for h in town.hosts))
