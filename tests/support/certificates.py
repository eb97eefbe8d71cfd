"""Throw-away certificates for libvirt over TLS: an authority, a server, a client."""

import subprocess
from pathlib import Path

DAYS = 2


def make_authority(directory: Path) -> None:
    """Make an authority: ``cacert.pem`` and its key."""
    directory.mkdir(parents=True)
    _openssl(directory, "req", "-x509", *_new("ca"), "-out", "cacert.pem", "-subj", "/CN=throw-away authority")


def make_pair(directory: Path, name: str, extensions: str) -> None:
    """Make ``NAMEcert.pem`` and ``NAMEkey.pem``, signed by the authority in the same directory."""
    _openssl(directory, "req", *_new(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
    (directory / f"{name}.ext").write_text(extensions)
    signed = ("-CA", "cacert.pem", "-CAkey", "cakey.pem", "-CAcreateserial", "-days", str(DAYS), "-extfile", f"{name}.ext")
    _openssl(directory, "x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}cert.pem")


def _new(name: str) -> tuple[str, ...]:
    return (
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        f"{name}key.pem",
        "-days",
        str(DAYS),
    )


def _openssl(directory: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
