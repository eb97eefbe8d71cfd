"""Enrols this machine as a host through the command line, with ``--prepare``, and tells what happened, one JSON object a line.

Run as a program by ``tests/integration/test_host_enrolment_prepared.py`` below ``private_preparation.sh``: the machine's own
libvirt, /run and network are not seen from here.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.private_preparation import virsh
from tests.support.service import SITE, Ended, ServiceUnderTest, service

_ENROL = ("host", "enrol", "here", "--pool", "sim", "--connection", "qemu:///system", "--prepare")
_POOLS = ("--storage", "standard:one", "--storage", "fast:two:/var/lib/libvirt/zwei")


def main(directory: Path) -> None:
    def tell(step: str, ended: Ended, **more: Any) -> None:
        there = {path: Path("/var/lib/libvirt", path).is_dir() for path in ("one", "zwei")}
        pools = virsh("pool-list", "--name")
        answer = {"step": step, "code": ended.code, "out": ended.out, "err": ended.err, "pools": pools, "directories": there}
        print(json.dumps(answer | more), flush=True)

    with service(directory, is_furnished=False) as found:
        site = SITE.replace("driver: simulated", "driver: libvirt").partition("images:")[0]
        found.ok("import", found.write("site.yaml", site), "--yes")
        tell("twice", found.allot(*_ENROL, *_POOLS, "--storage", "slow:one:/var/lib/libvirt/drei"))
        tell("check", found.allot(*_ENROL, *_POOLS, "--check"), hosts=hosts_of(found))
        tell("enrol", found.allot(*_ENROL, *_POOLS), hosts=hosts_of(found), storage=storage_of(found))


def hosts_of(found: ServiceUnderTest) -> list[str]:
    return [host["name"] for host in found.ok("host", "list", "-o", "json").json]


def storage_of(found: ServiceUnderTest) -> list[str]:
    """Return the dimensions of disk the platform counts on the host: one for each class of its pools."""
    capacity = found.ok("host", "show", "here", "-o", "json").json["capacity"]
    return sorted(row["dimension"] for row in capacity if row["dimension"].startswith("disk_gib"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
