"""Where things are: package data (``etc``, ``playbooks``) by one function, state and sockets by settings."""

from pathlib import Path


def data_dir(name: str) -> Path:
    """Return the folder ``etc`` or ``playbooks``: inside an installed package, else beside this one in a checkout."""
    installed = Path(__file__).parent / "_data" / name
    return installed if installed.is_dir() else Path(__file__).parent.parent / name
