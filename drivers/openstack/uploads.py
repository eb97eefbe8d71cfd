"""Uploads of images under way: whose each one is, so that several controllers on one region leave each other's alone."""

import os
import threading
from pathlib import Path
from uuid import uuid4

#: Longest an upload takes: the bound of the controller's step for images.
UPLOAD_LIMIT_S = 3600.0


class Uploads:
    """What one connection to a region sends, and how it tells its own from what others send."""

    def __init__(self) -> None:
        #: Written on every image when its upload begins: the place where process numbers count, the process, the connection.
        self.owner = f"{_place()}/{os.getpid()}/{uuid4().hex}"
        self._locks: dict[str, threading.Lock] = {}

    def of(self, sha256: str) -> threading.Lock:
        """Return the lock of one image: two hosts of a region that need it do not both send it."""
        return self._locks.setdefault(sha256, threading.Lock())

    def is_cut(self, owner: str, age_s: float) -> bool:
        """Tell whether nobody goes on with an upload that is not done: it is ours, its process is gone, or its time is over.

        To be asked while the image's lock is held: what is ours is then not being sent.
        """
        return owner == self.owner or age_s > UPLOAD_LIMIT_S or _is_gone(owner)


def _place() -> str:
    """Name this start of this machine, and in it the space that process numbers are counted in."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot_id}.{Path('/proc/self/ns/pid').stat().st_ino}"


def _is_gone(owner: str) -> bool:
    """Tell whether the process that an upload is of ran here and does no more; of another machine nobody knows."""
    place, _, rest = owner.partition("/")
    pid = rest.partition("/")[0]
    return place == _place() and pid.isdecimal() and not Path("/proc", pid).exists()
