"""``--storage CLASS:NAME[:PATH]``: a storage pool of a host, as written on the command line."""

from dataclasses import dataclass
from typing import Any

from controller.cli.mistakes import Usage

_PARTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage pool to be registered; ``path`` is for its preparation only."""

    disk_class: str
    name: str
    path: str = ""

    def body(self) -> dict[str, Any]:
        """Return what the API is told."""
        return {"name": self.name, "disk_class": self.disk_class}


def read_storage(text: str) -> Storage:
    """Read one.

    Raises:
        Usage: ``cli.storage_unreadable``.
    """
    parts = text.split(":", _PARTS_MAX - 1)
    if len(parts) < 2 or not all(parts):
        raise Usage("cli.storage_unreadable", written=text)
    return Storage(*parts)
