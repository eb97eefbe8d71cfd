"""Where a region keeps its files and which ports it listens on: nothing outside its directory, nothing beyond loopback."""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parents[3]
REGION = "allotment-test"
#: Below the range the kernel gives to outgoing connections, away from the services' usual ports.
FIRST_PORT = 21_000
PORTS = {
    "memcached": 11,
    "database": 13,
    "epmd": 14,
    "broker": 15,
    "broker_distribution": 16,
    "broker_tls": 17,
    "keystone": 50,
    "placement": 51,
    "glance": 52,
    "nova": 53,
    "neutron": 54,
    "cinder": 55,
    "octavia": 56,
    "barbican": 57,
}


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file that others may be reading at any moment: they see it whole, as it was or as it is."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    half.touch(mode)
    half.write_text(text)
    half.replace(path)


@dataclass(frozen=True)
class Layout:
    """One region."""

    directory: Path
    first_port: int = FIRST_PORT
    #: Fake hypervisors, ``hv-001`` and on.
    host_count: int = 7

    @classmethod
    def from_environment(cls) -> "Layout":
        """Return the region the environment asks for; without a word, the checkout's own."""
        directory = os.environ.get("ALLOT_REGION_DIR") or REPO / ".cache" / "openstack-region"
        return cls(
            directory=Path(directory).resolve(),
            first_port=int(os.environ.get("ALLOT_REGION_FIRST_PORT", FIRST_PORT)),
            host_count=int(os.environ.get("ALLOT_REGION_HOSTS", "7")),
        )

    def port(self, service: str) -> int:
        """Return the port of a service."""
        return self.first_port + PORTS[service]

    @property
    def broker_certificate(self) -> Path:
        """Return the broker's certificate, which vouches for itself; its key stands beside it."""
        return self.sub("etc/rabbitmq") / "broker.crt"

    def url(self, service: str, path: str = "") -> str:
        """Return the address of a service."""
        return f"http://127.0.0.1:{self.port(service)}{path}"

    def sub(self, name: str) -> Path:
        """Return a folder of the region, made if missing."""
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def clouds_file(self) -> Path:
        """The ``clouds.yaml`` of the region."""
        return self.directory / "clouds.yaml"

    @property
    def database_socket(self) -> Path:
        """MariaDB's socket, for its administrator."""
        return self.directory / "mariadb.sock"

    @property
    def password(self) -> str:
        """The one password of the region, drawn when it is first asked for."""
        path = self.directory / "password"
        if not path.exists():
            write_whole(path, secrets.token_hex(16), 0o600)
        return path.read_text()

    @property
    def encryption_key(self) -> str:
        """What Barbican encrypts with, drawn when it is first asked for: 32 bytes for Fernet."""
        path = self.directory / "encryption-key"
        if not path.exists():
            write_whole(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(), 0o600)
        return path.read_text()

    def host_names(self) -> list[str]:
        """Return the names of the fake hypervisors."""
        return [f"hv-{number:03d}" for number in range(1, self.host_count + 1)]

    def is_done(self, step: str) -> bool:
        """Tell whether a step that is done once was done."""
        return (self.directory / f".{step}").exists()

    def mark_done(self, step: str) -> None:
        """Remember that a step was done."""
        (self.directory / f".{step}").touch()
