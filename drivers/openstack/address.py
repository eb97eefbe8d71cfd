"""How a host of a region is named: ``openstack://CLOUD/HYPERVISOR``, or ``openstack://CLOUD`` for the whole region.

Pure. ``CLOUD`` is a name in ``clouds.yaml``. With a hypervisor the platform itself decides where a machine goes, which
needs a credential that may name hosts; without one, the region's own scheduler decides, in one of its availability zones
where one is named (``openstack://CLOUD?zone=AZ``).
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from drivers.faults import Permanent

SCHEME = "openstack"
_ZONE = "zone"


@dataclass(frozen=True, slots=True)
class Address:
    """A region, or one hypervisor of it."""

    cloud: str
    #: Name of the hypervisor; empty for the whole region.
    hypervisor: str
    #: The availability zone all is made in; empty where the region chooses, and with a hypervisor, which stands in one.
    zone: str = ""

    @property
    def text(self) -> str:
        """The address as it is written."""
        query = f"?{urlencode({_ZONE: self.zone})}" if self.zone else ""
        return f"{SCHEME}://{self.cloud}/{self.hypervisor}".removesuffix("/") + query


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        Permanent: ``openstack.address_invalid``.
    """
    parts = urlsplit(text)
    hypervisor = parts.path.removeprefix("/")
    asked = parse_qsl(parts.query, keep_blank_values=True)
    is_zoned = [name for name, _ in asked] == [_ZONE] and asked[0][1] != "" and not hypervisor
    is_plain = not (parts.fragment or parts.username or "/" in hypervisor) and (not parts.query or is_zoned)
    if parts.scheme != SCHEME or not parts.netloc or not is_plain:
        raise Permanent("openstack.address_invalid", connection=text)
    # ``netloc``, not ``hostname``: names of clouds keep their capitals.
    return Address(parts.netloc, hypervisor, asked[0][1] if is_zoned else "")
