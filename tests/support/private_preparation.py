"""Prepares a host inside namespaces of its own and tells what happened, one JSON object a line.

Run as a program by ``tests/integration/test_host_preparation.py`` as PID 1 of a PID namespace: when it ends, the kernel ends
the daemons it started. The machine's own libvirt, /run and network are not seen from here.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from drivers.ansible.preparer import HostPreparer, PrepareEvent, PrepareEventKind, PrepareRequest, PrepareResult, StoragePlace
from drivers.faults import DriverFault

_ROOT = Path(__file__).resolve().parents[2]
_POOL_PATH = "/var/lib/libvirt/allot-test"
_POOL = StoragePlace(name="allot-test", path=_POOL_PATH)


def virsh(*arguments: str) -> str:
    done = subprocess.run(["virsh", "-q", "-c", "qemu:///system", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr.strip()}"


def prepare(work_dir: Path, *storage: StoragePlace, check: bool = False) -> dict[str, Any]:
    events: list[PrepareEvent] = []
    preparer = HostPreparer(_ROOT / "playbooks", _ROOT / ".venv-ansible" / "bin", work_dir=work_dir)
    request = PrepareRequest(host_name="this-host", storage=storage or (_POOL,))
    try:
        result: PrepareResult = preparer.prepare(request, check=check, on_event=events.append)
    except DriverFault as fault:
        return {"fault": fault.problem.to_json(), "left": [path.name for path in work_dir.iterdir()]}
    return {
        "changed": result.changed_count,
        "changed_tasks": result.changed_tasks,
        "ok": result.ok_count,
        "took_s": round(result.took_s, 1),
        "events": sorted({str(event.kind) for event in events}),
        "said": {event.task: event.detail for event in events if event.detail},
        "progress": [(event.done, event.total) for event in events],
        "parts": [event.detail for event in events if event.kind is PrepareEventKind.PART],
        "left": [path.name for path in work_dir.iterdir()],
        "pools": virsh("pool-list", "--name", "--autostart"),
        "directory": Path(_POOL_PATH).is_dir(),
    }


def main(work_dir: Path) -> None:
    def tell(step: str, answer: dict[str, Any]) -> None:
        print(json.dumps({"step": step} | answer), flush=True)

    tell("check before", prepare(work_dir, check=True))
    tell("first", prepare(work_dir))
    tell("second", prepare(work_dir))
    tell("check after", prepare(work_dir, check=True))
    other = StoragePlace(name="other", path="/var/lib/libvirt/other")
    tell("check of another pool", prepare(work_dir, _POOL, other, check=True))
    tell("another pool", prepare(work_dir, _POOL, other))
    tell("another directory", prepare(work_dir, replace(_POOL, path="/var/lib/libvirt/elsewhere")))
    virsh("pool-destroy", "allot-test")
    tell("stopped pool", prepare(work_dir))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
