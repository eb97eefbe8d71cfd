"""Runs the demo and its clean-up inside namespaces of their own and tells what was there after each, one JSON object a line.

Run as a program by ``tests/e2e/libvirt/test_demo.py`` below ``private_preparation.sh``: libvirt, /run, processes and network are
its own, and when it ends, the kernel ends everything in here with it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_DOORS = _ROOT / "etc" / "demo"
#: Below a directory that is private here.
_DEMO = Path("/var/lib/libvirt/demo")
_POOL = Path("/var/lib/libvirt/allotment-demo")
_LIBVIRT = Path("/etc/libvirt")
_STRANGER = "inst_00000000000070008000000000000001"
_STRANGE_NETWORK = "seg_00000000000070008000000000000002"
_MACHINE = f"""\
<domain type='qemu'><name>stranger</name><memory unit='MiB'>16</memory>
<metadata><a:resource xmlns:a='https://allotment.invalid/xmlns/1' id='{_STRANGER}' fence='1'/></metadata>
<os><type arch='x86_64'>hvm</type></os></domain>"""
_NETWORK = (
    f"<network><name>{_STRANGE_NETWORK}</name><bridge name='allot0000000002'/><ip address='10.98.0.1' prefix='26'/></network>"
)
_ABORT_S = 300


def environment(**more: str) -> dict[str, str]:
    """What the doors are called with; the settings of another installation must not reach them."""
    strange = {"ALLOT_CONFIG": "/nonexistent", "ALLOT_STATE__DIRECTORY": "/nonexistent", "ALLOT_TOKEN_FILE": "/nonexistent"}
    return os.environ | strange | {"ALLOT_DEMO_DIR": str(_DEMO)} | more


def door(name: str) -> dict[str, Any]:
    """Go through a door."""
    done = subprocess.run(
        [_DOORS / name], capture_output=True, text=True, env=environment(), stdin=subprocess.DEVNULL, check=False
    )
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def virsh(*arguments: str, text: str = "") -> str:
    command = ["virsh", "-q", "-c", "qemu:///system", *arguments]
    done = subprocess.run(command, input=text or None, capture_output=True, text=True, check=False)
    return done.stdout


def processes() -> list[str]:
    """Return the commands that run in here, but this program and its own."""
    ours = {1, os.getpid()}
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        if int(directory.name) not in ours:
            with suppress(OSError):
                found.append((directory / "comm").read_text().strip())
    return sorted(found)


def links() -> list[str]:
    told = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    return sorted(link["ifname"] for link in json.loads(told) if link["ifname"] != "lo")


def names(directory: str, pattern: str = "*.xml") -> list[str]:
    return sorted(path.stem for path in (_LIBVIRT / directory).glob(pattern))


def left() -> dict[str, Any]:
    """What there is, without asking libvirt, which may not run."""
    return {
        "machines": names("qemu"),
        "networks": [name for name in names("qemu/networks") if name != "default"],
        "filters": names("nwfilter", "allotment-*.xml"),
        "pools": names("storage"),
        "links": links(),
        "processes": processes(),
        "directories": [str(path) for path in (_DEMO, _POOL) if path.exists()],
    }


def settle_libvirt() -> None:
    """No cgroups and no confinement in here, as in all private hosts of the tests."""
    (_LIBVIRT / "qemu.conf").write_text('security_driver = "none"\ncgroup_controllers = []\n')
    shutil.rmtree(_LIBVIRT / "storage", ignore_errors=True)


def bring_image(images: Path) -> None:
    """Put the image that all tests share where the demo builds its own, which is found to be current."""
    (_DEMO / "images").mkdir(parents=True)
    for path in (*images.glob("demo-linux.*"), images / ".demo-linux.inputs"):
        shutil.copy2(path, _DEMO / "images")


def refused_subnet() -> dict[str, Any]:
    """Begin the demo while another installation has a network in its address ranges."""
    bridge = ["ip", "link", "add", "allotabcdef0123", "type", "bridge"]
    for command in (bridge, ["ip", "addr", "add", "10.96.3.1/26", "dev", bridge[3]], ["ip", "link", "set", bridge[3], "up"]):
        subprocess.run(command, check=True)
    answer = door("run-demo")
    subprocess.run(["ip", "link", "delete", bridge[3]], check=True)
    return answer


def aborted() -> dict[str, Any]:
    """Begin the demo and kill it as soon as a machine of its ticket is there."""
    demo = subprocess.Popen(
        [_DOORS / "run-demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    )
    end = time.monotonic() + _ABORT_S
    while "inst_" not in virsh("list", "--name"):
        if demo.poll() is not None or time.monotonic() > end:
            demo.kill()
            assert demo.stdout is not None
            return {"code": demo.wait(), "out": demo.stdout.read().decode()}
        time.sleep(0.1)
    demo.send_signal(signal.SIGKILL)
    return {"code": demo.wait(), "machines": virsh("list", "--name").split(), "left": left()}


def main(images: Path) -> None:
    def tell(step: str, answer: dict[str, Any]) -> None:
        print(json.dumps({"step": step} | answer), flush=True)

    settle_libvirt()
    tell("subnet taken", refused_subnet() | {"left": left()})
    bring_image(images)
    tell("aborted", aborted())
    tell("cleaned after abort", door("clean-demo") | {"left": left()})
    bring_image(images)
    tell("first", door("run-demo"))
    (_DEMO / "department.token").write_text("allot_expired\n")
    tell("second", door("run-demo"))
    virsh("define", "/dev/stdin", text=_MACHINE)
    virsh("net-define", "/dev/stdin", text=_NETWORK)
    # As if somebody had wiped the directory: the demo is found by its storage pool.
    shutil.rmtree(_DEMO)
    tell("cleaned without state", door("clean-demo") | {"left": left()})
    tell("cleaned again", door("clean-demo"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
