"""Certificates in the region's key manager, put there as whoever looks after a department would: past our own driver."""

import base64
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from openstack import exceptions as sdk_errors

from inventory.domain.ids import ResourceId
from tests.openstack.region.seeding import PLATFORM_USER
from tests.support.libvirtd import until

#: The user Octavia reads certificates as.
OCTAVIA = "octavia"
SETTLED_S = 120


class Pair:
    """A certificate and a key; of one another unless ``key_of`` says otherwise."""

    def __init__(self, name: str, *, ends_in_days: int = 30, key_of: "Pair | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        end = datetime.now(UTC) + timedelta(days=ends_in_days)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=90))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        if key_of is not None:
            self.key = key_of.key

    @property
    def pem(self) -> bytes:
        """The certificate, as everybody is shown it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key."""
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, serialization.NoEncryption())

    @property
    def bundle(self) -> bytes:
        """Both, as PKCS12 without a passphrase."""
        return pkcs12.serialize_key_and_certificates(b"bundle", self.key, self.certificate, None, serialization.NoEncryption())


class Keys:
    """The key manager as the administrator of one project uses it."""

    def __init__(self, cloud: Any, project: str = PLATFORM_USER) -> None:
        identity = cloud.identity
        project_id = identity.find_project(project, ignore_missing=False).id
        identity.assign_project_role_to_user(project_id, cloud.current_user_id, identity.find_role("admin"))
        self.cloud = cloud.connect_as(project_id=project_id)
        self.octavia_id = str(identity.find_user(OCTAVIA).id)
        self._numbers = itertools.count()

    def put(self, pair: Pair | None = None, *, is_container: bool | None = None, is_readable: bool = True) -> str:
        """Store a certificate with its key, in the one form or the other, for Octavia to read, and return its name."""
        number = next(self._numbers)
        pair = pair or Pair(f"portal-{number}.example.gov.cn")
        if is_container if is_container is not None else number % 2:
            return self._put_container(pair, is_readable=is_readable)
        return self.put_secret(pair.bundle, is_readable=is_readable)

    def put_secret(self, payload: bytes, *, is_readable: bool = True, ends: datetime | None = None) -> str:
        """Store a secret as it is, and return its name."""
        is_text = payload.startswith(b"-----")
        body = {
            "name": "certificate",
            "payload": payload.decode() if is_text else base64.b64encode(payload).decode(),
            "payload_content_type": "text/plain" if is_text else "application/octet-stream",
            **({} if is_text else {"payload_content_encoding": "base64"}),
            **({} if ends is None else {"expiration": ends.strftime("%Y-%m-%dT%H:%M:%S")}),
        }
        name = _tail(self._ask("POST", "/secrets", body)["secret_ref"])
        if is_readable:
            self.let_octavia_read(name)
        return name

    def _put_container(self, pair: Pair, *, is_readable: bool) -> str:
        parts = {"certificate": pair.pem, "private_key": pair.key_pem}
        names = {part: self.put_secret(payload, is_readable=is_readable) for part, payload in parts.items()}
        refs = [{"name": part, "secret_ref": f"{self._url}/{name}"} for part, name in names.items()]
        name = _tail(
            self._ask("POST", "/containers", {"name": "pair", "type": "certificate", "secret_refs": refs})["container_ref"]
        )
        if is_readable:
            self.let_octavia_read(name)
        return name

    def let_octavia_read(self, name: str) -> None:
        """Put Octavia's user into the list of who may read a secret; ``openstack acl user add`` does the same."""
        for each in (name, *self.parts(name).values()):
            self._ask("PUT", f"/{each}/acl", {"read": {"users": [self.octavia_id], "project-access": True}})

    def let_nobody_read(self, name: str) -> None:
        """Take the list of who may read a secret away."""
        self._ask("DELETE", f"/{name}/acl")

    def readers(self, name: str) -> list[str]:
        """Return the users in the list of who may read a secret."""
        return list(self._ask("GET", f"/{name}/acl").get("read", {}).get("users", []))

    def holds(self, name: str) -> bool:
        """Tell whether it is there."""
        try:
            self._ask("GET", f"/{name}")
        except sdk_errors.NotFoundException:
            return False
        return True

    def remove(self, name: str) -> None:
        """Take it away with its parts, if it is there."""
        if self.holds(name):
            for each in (name, *self.parts(name).values()):
                self._ask("DELETE", f"/{each}")

    def meddle(self, balancer_id: ResourceId, name: str) -> None:
        """Have the TLS listeners of a load balancer show another certificate."""
        octavia = self.cloud.load_balancer
        (found,) = octavia.load_balancers(name=balancer_id)
        for listener in octavia.listeners(load_balancer_id=found.id):
            if listener.protocol == "TERMINATED_HTTPS":
                octavia.update_listener(listener.id, default_tls_container_ref=f"{self._url}/{name}")
                until(lambda: octavia.get_load_balancer(found.id).provisioning_status == "ACTIVE", SETTLED_S, "it is changed")

    def parts(self, name: str) -> dict[str, str]:
        """Return the names of the secrets of a container by what they are in it; none of a single secret."""
        about = self._ask("GET", f"/{name}") if name.startswith("containers/") else {}
        return {part["name"]: _tail(part["secret_ref"]) for part in about.get("secret_refs", [])}

    @property
    def _url(self) -> str:
        return str(self.cloud.key_manager.get_endpoint_data().url).rstrip("/")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.cloud.key_manager.request(path, method, json=body, headers={"Accept": "application/json"})
        sdk_errors.raise_from_response(answer)
        return answer.json() if answer.content else {}


def _tail(address: str) -> str:
    """Return the name in an address: its last two words."""
    return "/".join(address.rstrip("/").rsplit("/", 2)[1:])
