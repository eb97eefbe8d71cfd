"""The demo image for tests that boot real guests: built once by ``etc/demo/build-image`` and used again.

The cache is the directory named by ``ALLOT_TEST_CACHE``, else ``.cache/guest-image`` in the repository. The script itself
decides whether what is there is still current and holds a lock, so several test processes may ask at once.
"""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
_NAME = "demo-linux"
_BUILD_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestImage:
    """Files of a small Linux that boots by itself, and the same kernel for direct boot."""

    qcow2: Path
    kernel: Path
    initrd: Path
    #: Of the qcow2.
    sha256: str
    kernel_arguments: str


@cache
def guest_image() -> GuestImage:
    """Build the image where it is missing or out of date and return its files.

    Raises:
        RuntimeError: the build failed; the text is what the script said.
    """
    directory = Path(os.environ.get("ALLOT_TEST_CACHE") or _REPOSITORY / ".cache" / "guest-image").resolve()
    command = [str(_REPOSITORY / "etc" / "demo" / "build-image"), "--out", str(directory), "--name", _NAME]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the guest image could not be built:\n{done.stderr}")
    disk_line = (directory / f"{_NAME}.sha256").read_text(encoding="ascii").splitlines()[0]
    return GuestImage(
        qcow2=directory / f"{_NAME}.qcow2",
        kernel=directory / f"{_NAME}.vmlinuz",
        initrd=directory / f"{_NAME}.initrd",
        sha256=disk_line.split()[0],
        kernel_arguments=(directory / f"{_NAME}.kernel-arguments").read_text(encoding="ascii").strip(),
    )
