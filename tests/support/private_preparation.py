"""Prepares a host inside namespaces of its own and tells what happened, one JSON object a line.

Run as a program by ``tests/integration/test_host_preparation.py`` as PID 1 of a PID namespace: when it ends, the kernel ends
the daemons it started. The machine's own libvirt, /run and network are not seen from here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from drivers.ansible.preparer import HostPreparer, PrepareRequest, PrepareResult
from drivers.faults import DriverFault

_ROOT = Path(__file__).resolve().parents[2]
_POOL_PATH = "/var/lib/libvirt/allot-test"


def virsh(*arguments: str) -> str:
    done = subprocess.run(["virsh", "-q", "-c", "qemu:///system", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr.strip()}"


def prepare(work_dir: Path, *, check: bool = False, **changes: Any) -> dict[str, Any]:
    events: list[str] = []
    preparer = HostPreparer(_ROOT / "playbooks", _ROOT / ".venv-ansible" / "bin", work_dir=work_dir)
    request = PrepareRequest(**({"host_name": "this-host", "storage_pool": "allot-test", "storage_path": _POOL_PATH} | changes))
    try:
        result: PrepareResult = preparer.prepare(request, check=check, on_event=lambda event: events.append(str(event.kind)))
    except DriverFault as fault:
        return {"fault": fault.problem.to_json(), "left": [path.name for path in work_dir.iterdir()]}
    return {
        "changed": result.changed_count,
        "changed_tasks": result.changed_tasks,
        "ok": result.ok_count,
        "took_s": round(result.took_s, 1),
        "events": sorted(set(events)),
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
    tell("check of another pool", prepare(work_dir, check=True, storage_pool="other", storage_path="/var/lib/libvirt/other"))
    tell("another directory", prepare(work_dir, storage_path="/var/lib/libvirt/elsewhere"))
    virsh("pool-destroy", "allot-test")
    tell("stopped pool", prepare(work_dir))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
