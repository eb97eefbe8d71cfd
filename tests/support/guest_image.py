"""The demo image for tests that boot real guests: built once by ``etc/demo/build-image`` and used again.

The cache is the directory named by ``ALLOT_TEST_CACHE``, else ``.cache/guest-image`` in the repository. The script itself
decides whether what is there is still current and holds a lock, so several test processes may ask at once.
"""

import os
import subprocess
from dataclasses import dataclass, replace
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


def halted_guest(directory: Path) -> GuestImage:
    """Return the same disk with a kernel that only halts: for tests that need machines, not what runs in them.

    Source of the layout: Linux, Documentation/arch/x86/boot.rst: the setup code of a kernel of protocol 2.02 is entered at
    its second sector, whose first instruction jumps over the header.
    """
    header_at, code_at = 0x200, 0x268
    kernel = bytearray(0x1000)
    kernel[0x1F1] = 1  # sectors of setup code after the first
    kernel[0x1FE:0x200] = b"\x55\xaa"
    kernel[header_at : header_at + 2] = bytes((0xEB, code_at - header_at - 2))
    kernel[0x202:0x208] = b"HdrS\x02\x02"
    kernel[0x211] = 1  # loaded high
    kernel[code_at : code_at + 4] = b"\xfa\xf4\xeb\xfd"  # cli; again: hlt; jmp again
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "halt.kernel").write_bytes(kernel)
    (directory / "halt.initrd").write_bytes(bytes(512))
    return replace(guest_image(), kernel=directory / "halt.kernel", initrd=directory / "halt.initrd")
