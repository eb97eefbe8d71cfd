"""Prepares a machine that lacks packages and tells what happened, one JSON object a line.

Run as a program by ``tests/integration/test_host_preparation_packages.py`` below ``private_packages.sh``: packages are removed
and installed in a view of the machine that is gone with this program. The only mirror is a directory of the test.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.private_preparation import prepare

_QUIET = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def installed(names: list[str]) -> list[str]:
    """Return those of the packages that are installed."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]
    lines = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if f"{name} installed" in lines]


def use_mirror(directory: Path) -> None:
    """Have apt know no mirror but a directory, copied to where apt's own user may read it."""
    shutil.rmtree("/etc/apt/sources.list.d", ignore_errors=True)
    here = shutil.copytree(directory, "/var/lib/allot-mirror")
    Path(here).chmod(0o755)
    Path("/etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{here} ./\n")


def main(work_dir: Path, mirror: Path, *names: str) -> None:
    def tell(step: str, answer: dict[str, Any]) -> None:
        print(json.dumps({"step": step, "installed": installed(list(names))} | answer), flush=True)

    use_mirror(mirror)
    subprocess.run(["apt-get", "purge", "-y", "-qq", *names], env=_QUIET, stdout=subprocess.DEVNULL, check=True)
    tell("check", prepare(work_dir, check=True))
    # As dpkg leaves it when it is killed: apt refuses to work until that is finished.
    Path("/var/lib/dpkg/updates/0000").write_bytes(b"")
    tell("first", prepare(work_dir))
    tell("second", prepare(work_dir))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
