"""TLS of a listener in Octavia's words, and the names of certificates in Barbican's. Pure.

Both services call a certificate by its address; the platform by what stays the same whichever way the region is reached.
"""

import re
from typing import Any

from drivers.powers import TlsRequest

#: Octavia's word for HTTP that is spoken to by TLS, and what it puts before the number of a version.
BY_TLS = "TERMINATED_HTTPS"
_VERSION = "TLSv"
_NAME = re.compile(r"(?:secrets|containers)/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(rf".*/({_NAME.pattern})/?")


def is_name(text: str) -> bool:
    """Tell whether a text may name a certificate: ``secrets/UUID`` (PKCS12) or ``containers/UUID``."""
    return _NAME.fullmatch(text) is not None


def name_of(address: str) -> str:
    """Return the name in an address of Barbican's; one of another form stays as it is."""
    found = _ADDRESS.fullmatch(address)
    return address if found is None else found[1]


def tls_body(tls: TlsRequest, keys_url: str) -> dict[str, Any]:
    """Return what a listener is told; ``keys_url`` stands before the names."""
    return {
        "default_tls_container_ref": f"{keys_url}/{tls.certificate}",
        "sni_container_refs": [f"{keys_url}/{name}" for name in tls.others],
        "tls_versions": [_VERSION + version for version in tls.versions],
    }


def read_tls(listener: Any) -> TlsRequest | None:
    """Read the SDK's listener; None for one that is spoken to in the clear."""
    if listener.protocol != BY_TLS:
        return None
    return TlsRequest(
        certificate=name_of(listener.default_tls_container_ref or ""),
        others=tuple(sorted(name_of(address) for address in listener.sni_container_refs or ())),
        versions=tuple(sorted(version.removeprefix(_VERSION) for version in listener.tls_versions or ())),
    )
