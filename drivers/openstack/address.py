"""How a host of a region is named: ``openstack://CLOUD/HYPERVISOR``, or ``openstack://CLOUD`` for the whole region.

Pure. ``CLOUD`` is a name in ``clouds.yaml``. With a hypervisor the platform itself decides where a machine goes, which
needs a credential that may name hosts; without one, the region's own scheduler decides.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from drivers.faults import Permanent

SCHEME = "openstack"


@dataclass(frozen=True, slots=True)
class Address:
    """A region, or one hypervisor of it."""

    cloud: str
    #: Name of the hypervisor; empty for the whole region.
    hypervisor: str

    @property
    def text(self) -> str:
        """The address as it is written."""
        return f"{SCHEME}://{self.cloud}/{self.hypervisor}".removesuffix("/")


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        Permanent: ``openstack.address_invalid``.
    """
    parts = urlsplit(text)
    hypervisor = parts.path.removeprefix("/")
    is_plain = not (parts.query or parts.fragment or parts.username or "/" in hypervisor)
    if parts.scheme != SCHEME or not parts.netloc or not is_plain:
        raise Permanent("openstack.address_invalid", connection=text)
    # ``netloc``, not ``hostname``: names of clouds keep their capitals.
    return Address(parts.netloc, hypervisor)
