"""The version of this program, as installed."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version


def version() -> str:
    """Return the version of the distribution, ``0`` where it is run without being installed."""
    try:
        return installed_version("allotment")
    except PackageNotFoundError:
        return "0"
