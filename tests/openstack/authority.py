"""A certificate authority of its own, as a city's cloud has one that no operating system knows."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """Issues certificates from a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.own = self._make("authority", "-addext", "keyUsage=critical,keyCertSign")

    def issue(self, name: str, alternative: str) -> Issued:
        """Return a certificate for one alternative name (``IP:…``, ``DNS:…``)."""
        by = ("-CA", str(self.own.certificate), "-CAkey", str(self.own.key))
        return self._make(name, *by, "-addext", f"subjectAltName={alternative}", "-addext", "basicConstraints=critical,CA:FALSE")

    def serving(self, issued: Issued, *, asks_client: bool = False) -> ssl.SSLContext:
        """Return how a server with a certificate speaks TLS; it may ask for one of this authority in return."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        if asks_client:
            context.load_verify_locations(self.own.certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _make(self, name: str, *options: str) -> Issued:
        made = Issued(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        files = ("-keyout", str(made.key), "-out", str(made.certificate))
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "30", "-subj", f"/CN={name}")
        subprocess.run(["openssl", "req", "-x509", *kind, *files, *options], check=True, capture_output=True)
        return made
