"""Certificates in the region's key manager (Barbican): whether a name leads to one, asked before Octavia is told it.

A private key is never asked for: of a secret only what is written about it is read, and of the parts of a container only
the certificate, which everybody is shown. Octavia reads the rest, as a user of its own, and says whether it could.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from openstack import exceptions as sdk_errors

from drivers.faults import Permanent
from drivers.openstack.region import Region
from drivers.openstack.tls import is_name, name_of
from inventory.domain.errors import CapabilityMissing

#: Barbican's word for the part of a container that is shown to everybody.
_CERTIFICATE = "certificate"
_IN_PEM = "text/plain"


def key_manager_url(region: Region, department: str) -> str:
    """Return the address before the name of a certificate.

    Raises:
        CapabilityMissing: the region has no key manager.
        DriverFault: it could not be found.
    """
    if not region.has_key_manager:
        raise CapabilityMissing("openstack.key_manager_missing", connection=region.calls.connection)
    endpoint = region.calls.read("certificate", lambda: region.keys(department).get_endpoint_data())
    return str(endpoint.url).rstrip("/")


def require_certificates(region: Region, department: str, names: Collection[str], shown: Collection[str] = ()) -> None:
    """See that each name leads to something that may be a certificate. One that is shown already may have ended.

    Raises:
        Permanent: ``driver.balancer_certificate_missing``, ``driver.balancer_certificate_expired``, ``openstack.forbidden``.
        DriverFault: the key manager did not answer.
    """
    for name in sorted(names):
        about = _about(region, department, name) if is_name(name) else None
        if about is None:
            raise Permanent("driver.balancer_certificate_missing", reference=name)
        ended_s = None if name in shown else _ended_s(region, department, about)
        if ended_s is not None and ended_s <= region.clock():
            ended = datetime.fromtimestamp(ended_s, UTC).date().isoformat()
            raise Permanent("driver.balancer_certificate_expired", reference=name, ended=ended)


def list_secrets(region: Region, project_id: str) -> list[Any]:
    """Return a few of the secrets in a project; none where we may not look."""
    with region.projects.keys_in(project_id) as keys:
        found = region.calls.read_if_allowed("certificate", lambda: _answer(keys, "/secrets?limit=5").json()["secrets"])
    return list(found or ())


def _about(region: Region, department: str, name: str) -> dict[str, Any] | None:
    """Return what is written about a secret or container; None where there is none."""
    answer: dict[str, Any] | None = region.calls.find("certificate", lambda: _get(region, department, f"/{name}").json())
    return answer


def _ended_s(region: Region, department: str, about: dict[str, Any]) -> float | None:
    """Return when a certificate ends (epoch s); None for one in one secret with its key, and where we may not look."""
    parts = [p["secret_ref"] for p in about.get("secret_refs", ()) if p.get("name") == _CERTIFICATE]
    if not parts:
        return None
    payload = f"/{name_of(parts[0])}/payload"
    found = region.calls.read_if_allowed("certificate", lambda: _get(region, department, payload, accept=_IN_PEM).content)
    return None if found is None else ended_s_of(found)


def ended_s_of(pem: bytes) -> float | None:
    """Return when the first certificate of a text ends (epoch s); None where there is none. Pure."""
    try:
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()
    except ValueError:
        # Whether it is one is Octavia's to say: it reads other forms too.
        return None


def _get(region: Region, department: str, path: str, accept: str = "application/json") -> Any:
    return _answer(region.keys(department), path, accept)


def _answer(keys: Any, path: str, accept: str = "application/json") -> Any:
    # Without a word of what is accepted Barbican would answer with the secret itself.
    response = keys.get(path, headers={"Accept": accept})
    sdk_errors.raise_from_response(response)
    return response
