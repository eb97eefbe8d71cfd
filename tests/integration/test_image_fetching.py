"""Images over real connections, and onto a disk that is really full."""

import hashlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inventory.domain.errors import Invalid, Unavailable
from inventory.domain.progress import WorkPhase
from inventory.importers.image_fetching import fetch
from inventory.importers.images import FetchOptions, ImageLimits, import_image
from tests.support.heard import Heard
from tests.support.hostile_images import qcow2

_ROOT = Path(__file__).parents[2]
CLEAN = qcow2()
SHA256 = hashlib.sha256(CLEAN).hexdigest()
LOOPBACK = ("127.0.0.0/8", "::1/128")


class Mirror(BaseHTTPRequestHandler):
    """Answers by path; ``hosts`` records whom the caller asked for."""

    hosts: list[str]
    released: threading.Event

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        match self.path:
            case "/image":
                self._answer(200, CLEAN)
            case "/unsaid":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(CLEAN)
            case "/away":
                self._answer(302, b"", header=("Location", "/image"))
            case "/absent":
                self._answer(404, b"no")
            case "/broken":
                self._answer(503, b"no")
            case "/packed":
                self._answer(200, CLEAN, header=("Content-Encoding", "gzip"))
            case "/cut":
                self._answer(200, CLEAN[:1000], length=len(CLEAN))
            case "/silent":
                self._answer(200, b"", length=len(CLEAN))
                self.released.wait(30)

    def _answer(self, status: int, body: bytes, length: int | None = None, header: tuple[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if header:
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[str]]]:
    hosts: list[str] = []
    released = threading.Event()
    handler = type("ThisMirror", (Mirror,), {"hosts": hosts, "released": released})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1], hosts
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def mirror() -> Iterator[tuple[int, list[str]]]:
    with serving() as running:
        yield running


OPTIONS = FetchOptions(allowed_hosts=frozenset({"localhost", "127.0.0.1"}), allowed_networks=LOOPBACK)


def nothing_left(folder: Path) -> bool:
    return list((folder / "library").iterdir()) == []


def test_an_image_is_fetched_and_the_server_is_asked_by_its_name(mirror: tuple[int, list[str]], tmp_path: Path) -> None:
    port, hosts = mirror
    stored = import_image(f"http://localhost:{port}/image", SHA256, tmp_path / "library", fetch_options=OPTIONS)
    assert stored.path.read_bytes() == CLEAN
    assert hosts == [f"localhost:{port}"]


def test_how_much_of_an_image_is_there_is_told(mirror: tuple[int, list[str]], tmp_path: Path) -> None:
    """As far as the server says how much there is to be."""
    for path, total in (("/image", len(CLEAN)), ("/unsaid", None)):
        heard = Heard()
        address = f"http://localhost:{mirror[0]}{path}"
        import_image(address, SHA256, tmp_path / "library", fetch_options=OPTIONS, progress=heard)
        assert heard.phases == [WorkPhase.COPYING, WorkPhase.INSPECTING]
        found, reached = heard.of(WorkPhase.COPYING)
        assert (found, reached[-1]) == (total, len(CLEAN)), path


def test_an_address_nobody_answers_at_is_followed_by_the_next_of_the_name(
    mirror: tuple[int, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine whose ``localhost`` is ``::1`` first."""
    port, hosts = mirror
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr("inventory.importers.image_fetching.socket.getaddrinfo", lambda *_, **__: both)
    import_image(f"http://localhost:{port}/image", SHA256, tmp_path / "library", fetch_options=OPTIONS)
    assert hosts == [f"localhost:{port}"]


@pytest.mark.parametrize(
    ("path", "kind", "code"),
    [
        ("/away", Invalid, "image.url_redirected"),
        ("/absent", Invalid, "image.fetch_refused"),
        ("/packed", Invalid, "image.fetch_refused"),
        ("/broken", Unavailable, "image.fetch_failed"),
        ("/cut", Unavailable, "image.fetch_failed"),
        ("/silent", Unavailable, "image.fetch_timeout"),
    ],
)
def test_an_answer_that_is_not_the_image_leaves_nothing(
    path: str, kind: type[Invalid | Unavailable], code: str, mirror: tuple[int, list[str]], tmp_path: Path
) -> None:
    asked = replace(OPTIONS, read_timeout_s=0.3)
    with pytest.raises(kind) as refused:
        import_image(f"http://127.0.0.1:{mirror[0]}{path}", SHA256, tmp_path / "library", fetch_options=asked)
    assert refused.value.code == code
    assert nothing_left(tmp_path)


def test_a_wrong_hash_and_a_file_too_large_are_refused(mirror: tuple[int, list[str]], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{mirror[0]}/image"
    with pytest.raises(Invalid, match=r"image\.hash_mismatch"):
        import_image(url, "0" * 64, tmp_path / "library", fetch_options=OPTIONS)
    limits = ImageLimits(max_file_bytes=1000)
    with pytest.raises(Invalid, match=r"image\.too_large"):
        import_image(url, SHA256, tmp_path / "library", fetch_options=OPTIONS, limits=limits)
    assert nothing_left(tmp_path)


def test_the_whole_transfer_has_a_deadline(mirror: tuple[int, list[str]]) -> None:
    moments = iter([0.0, 61.0])
    url = f"http://127.0.0.1:{mirror[0]}/image"
    with pytest.raises(Unavailable, match=r"image\.fetch_timeout"):
        list(fetch(url, replace(OPTIONS, total_timeout_s=60.0), lambda: next(moments)))


def test_a_private_server_is_not_even_connected_to_unless_its_network_is_listed(
    mirror: tuple[int, list[str]], tmp_path: Path
) -> None:
    url = f"http://localhost:{mirror[0]}/image"
    with pytest.raises(Invalid, match=r"image\.url_address_not_allowed"):
        import_image(url, SHA256, tmp_path / "library", fetch_options=replace(OPTIONS, allowed_networks=("10.0.0.0/8",)))
    assert mirror[1] == []


def test_a_server_that_is_not_there_is_said_to_be_the_trouble(tmp_path: Path) -> None:
    with serving() as (port, _):
        pass
    with pytest.raises(Unavailable, match=r"image\.fetch_failed"):
        import_image(f"http://127.0.0.1:{port}/image", SHA256, tmp_path / "library", fetch_options=OPTIONS)


def test_a_certificate_is_checked_against_the_name_though_the_address_is_connected_to(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *subject]
    subprocess.run([*make, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    with serving(tls) as (port, _):
        asked = replace(OPTIONS, ca_file=certificate)
        stored = import_image(f"https://localhost:{port}/image", SHA256, tmp_path / "library", fetch_options=asked)
        assert stored.sha256 == SHA256
        for url, how in ((f"https://127.0.0.1:{port}/image", asked), (f"https://localhost:{port}/image", OPTIONS)):
            with pytest.raises(Unavailable, match=r"image\.fetch_failed"):
                import_image(url, SHA256, tmp_path / "library", fetch_options=how)


def test_a_full_disk_is_said_to_be_full_and_nothing_is_left_on_it(tmp_path: Path) -> None:
    """On a file system of 128 KiB of its own, in a mount namespace of its own."""
    assert shutil.which("unshare")
    (tmp_path / "library").mkdir()
    (tmp_path / "source").write_bytes(CLEAN)
    program = (
        "import os, sys; from pathlib import Path; from inventory.domain.errors import Unavailable\n"
        "from inventory.importers.images import import_image\n"
        "folder = Path(sys.argv[1])\n"
        "try: import_image(folder / 'source', None, folder / 'library')\n"
        "except Unavailable as error: print(error.code, os.listdir(folder / 'library'))\n"
    )
    script = f'mount -t tmpfs -o size=128k tmpfs "$1/library" && exec "{sys.executable}" -c "$2" "$1"'
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(tmp_path), program]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "image.no_space []\n"
