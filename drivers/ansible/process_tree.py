"""End a run with everything below it.

ansible-runner kills the process group of Ansible, but Ansible's workers lead sessions of their own, so the module that is at
work would go on alone. Daemons that a task started on purpose have left the tree (their parent is PID 1) and stay.
"""

import os
import signal
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_POLL_S = 0.05


def end_tree(pid_path: Path, *, grace_s: float = 5.0) -> None:
    """Ask our child whose pid stands in ``pid_path``, and all below it, to end; what is left after ``grace_s`` is killed."""
    try:
        root = int(pid_path.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return  # it was never started
    parents = _parents()
    if parents.get(root) != os.getpid():
        return  # it has ended; the number may be another's by now
    tree = _below(root, parents)
    _signal(tree, signal.SIGTERM)
    end_s = time.monotonic() + grace_s
    while time.monotonic() < end_s and any(pid != root and _is_alive(pid) for pid in tree):
        time.sleep(_POLL_S)
    _signal([pid for pid in tree if _is_alive(pid)], signal.SIGKILL)


def _parents() -> dict[int, int]:
    """Return the parent of every process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(fields[1])
    return parents


def _below(root: int, parents: dict[int, int]) -> list[int]:
    children = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    tree = [root]
    for pid in tree:  # grows while it is walked
        tree.extend(children[pid])
    return tree


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
