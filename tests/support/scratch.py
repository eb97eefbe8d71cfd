"""Where tests put their files: in memory, where the machine has room for them there.

Every commit of a state waits for the disk, and a test database of PostgreSQL is a thousand files: on the disk of a small
machine that was two thirds of the time of such tests. No test proves anything of the disk itself: a killed process loses
nothing the kernel has. Measured: two files of tests on both databases, 209 s on the disk and 56 s in memory.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

_MEMORY = Path("/dev/shm")
#: A whole run of the tests leaves 2 GiB; several may run beside each other.
_LEAST_FREE_BYTES = 8 << 30


def in_memory() -> Path | None:
    """Return a directory whose files are in memory, None where there is none or too little of it."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available_bytes = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        is_roomy = min(disk_usage(_MEMORY).free, available_bytes) >= _LEAST_FREE_BYTES
    except (OSError, StopIteration):
        return None
    return _MEMORY if is_roomy else None


@contextmanager
def directory_on_disk(prefix: str) -> Iterator[Path]:
    """Give an empty directory on the disk: for daemons that see a ``/dev`` of their own."""
    with tempfile.TemporaryDirectory(prefix=f"allot-{prefix}-") as name:
        yield Path(name)
