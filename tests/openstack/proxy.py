"""An HTTP proxy in front of one service: it can refuse, and after the service has acted lose answers or make them last."""

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from drivers.openstack.settings import PER_DEPARTMENT
from tests.openstack.region.layout import REGION, Layout
from tests.openstack.region.seeding import PLATFORM_USER
from tests.support.trickle import trickle

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
#: Services in front of which a proxy stands: their port, the path of their endpoint, their name in ``clouds.yaml``.
SERVICES = {
    "nova": ("/v2.1", "compute"),
    "neutron": ("", "network"),
    "cinder": ("/v3{project}", "block_storage"),
    "glance": ("", "image"),
    "placement": ("", "placement"),
    "octavia": ("", "load_balancer"),
    "barbican": ("", "key_manager"),
}
IDENTITY = {"keystone": ("/v3", "identity")}


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    service: str
    method: str
    path: str
    #: Which of the actions at one path it is: Nova and Cinder have many.
    action: str = ""

    @property
    def kind(self) -> tuple[str, str, str]:
        """Return what it asks for, whatever it is about."""
        words = [w for w in self.path.partition("?")[0].split("/") if w and len(w) < 32]
        return (self.service, self.method, "/".join([*words, self.action] if self.action else words))


@dataclass(frozen=True)
class Pass:
    """Hand it on and give the answer back."""


@dataclass(frozen=True)
class Lose:
    """Hand it on, and hang up instead of giving the answer back; something may happen before the caller can notice."""

    then: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Refuse:
    """Answer in the service's place."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """Hand only the beginning of the body on, and hang up on both sides; something may happen before the caller can notice."""

    then: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Hang:
    """Hand it on, and never answer."""


@dataclass(frozen=True)
class Trickle:
    """Hand it on, and give the answer back a byte at a time, with a pause after each."""

    pause_s: float = 1.0


Treatment = Pass | Lose | Refuse | Cut | Hang | Trickle


class Proxies:
    """Proxies in front of a region's services; ``treat`` decides about each request, from any thread."""

    def __init__(self) -> None:
        self.treat: Callable[[Asked], Treatment] = lambda _asked: Pass()
        self.asked: list[Asked] = []
        self.lock = threading.Lock()

    def decide(self, asked: Asked) -> Treatment:
        """Note a request and return how it is treated."""
        with self.lock:
            self.asked.append(asked)
            return self.treat(asked)


def once_each(treatment: Treatment, is_meant: Callable[[Asked], bool]) -> Callable[[Asked], Treatment]:
    """Treat the first request of each kind (service, method, path without ids, action) so, and pass the others on."""
    seen: set[tuple[str, str, str]] = set()

    def treat(asked: Asked) -> Treatment:
        if not is_meant(asked) or asked.kind in seen:
            return Pass()
        seen.add(asked.kind)
        return treatment

    return treat


@contextmanager
def proxied_clouds(layout: Layout, directory: Path, tls: ssl.SSLContext | None = None, **settings: Any) -> Iterator[Proxies]:
    """Give proxies, and a ``clouds.yaml`` in ``directory`` whose cloud ``proxied`` goes through them.

    With ``tls`` they, and one in front of Keystone, are spoken to by TLS only. Where each department has a project of its own
    (``projects``) Keystone is behind one too: projects and roles are made there.
    """
    proxies = Proxies()
    services = {**SERVICES, **IDENTITY} if tls or settings.get("projects") == PER_DEPARTMENT else SERVICES
    servers = {name: _serve(proxies, name, layout.port(name), tls) for name in services}
    try:
        (directory / "clouds.yaml").write_text(_clouds(layout, servers, settings))
        yield proxies
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


@contextmanager
def proxies_before(layout: Layout, directory: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Proxies]:
    """Give the same, and have drivers of this process find that ``clouds.yaml``."""
    with proxied_clouds(layout, directory, **settings) as proxies:
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(directory / "clouds.yaml"))
        yield proxies


def _clouds(layout: Layout, servers: Mapping[str, ThreadingHTTPServer], settings: Mapping[str, Any]) -> str:
    is_apart = settings.get("projects") == PER_DEPARTMENT
    # Cinder takes the project from the token where the path names none.
    project = "" if is_apart else f"/{_project_id(layout)}"
    scheme = "https" if "keystone" in servers and not is_apart else "http"
    proxied = {name: f"{scheme}://127.0.0.1:{server.server_port}" for name, server in servers.items()}
    addresses = {"keystone": layout.url("keystone"), **proxied}
    lines = [
        "clouds:",
        "  proxied:",
        f"    region_name: {REGION}",
        f'    auth: {{auth_url: "{addresses["keystone"]}/v3", username: {PLATFORM_USER}, password: "{layout.password}",',
        f"           project_name: {PLATFORM_USER}, user_domain_name: Default, project_domain_name: Default}}",
    ]
    for name, (path, service) in {**SERVICES, **(IDENTITY if is_apart else {})}.items():
        lines.append(f"    {service}_endpoint_override: {addresses[name]}{path.format(project=project)}")
    chosen = ", ".join(f"{name}: {value}" for name, value in {"observe_max_age_s": 0, **settings}.items())
    return "\n".join([*lines, f"    allotment: {{{chosen}}}"]) + "\n"


def _project_id(layout: Layout) -> str:
    from tests.openstack.region.seeding import administrator

    cloud = administrator(layout)
    found = str(cloud.identity.find_project(PLATFORM_USER).id)
    cloud.close()
    return found


def _serve(proxies: Proxies, service: str, port: int, tls: ssl.SSLContext | None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def handle_any(self) -> None:
            body = _body_of(self)
            treatment = proxies.decide(Asked(service, self.command, self.path, _action_of(self.path, body)))
            if isinstance(treatment, Refuse):
                _answer(self, treatment.status, treatment.headers, b"{}")
                return
            if isinstance(treatment, Cut):
                body = body[: len(body) // 2]
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            if service in ("octavia", "barbican") or (service == "keystone" and tls is None):
                # It names its versions under the address it was asked at; the SDK goes there.
                headers["Host"] = self.headers["Host"]
            if isinstance(treatment, Cut):
                _send_half(upstream, headers, self.command, self.path, body)
                treatment.then()
                _hang_up(self)
                return
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            if isinstance(treatment, Lose | Hang):
                _keep_silent(self, treatment)
                return
            pause_s = treatment.pause_s if isinstance(treatment, Trickle) else 0.0
            _answer(self, answer.status, dict(answer.getheaders()), content, pause_s)

    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        # Not shaken hands when accepted: one client that hangs would hold up all others.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True, name=f"proxy-{service}").start()
    return server


def _body_of(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "") == "chunked":
        parts = []
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            parts.append(handler.rfile.read(size))
            handler.rfile.readline()
        handler.rfile.readline()
        return b"".join(parts)
    return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))


def _action_of(path: str, body: bytes) -> str:
    if not path.partition("?")[0].endswith("/action"):
        return ""
    (name,) = json.loads(body)
    return str(name)


def _send_half(upstream: http.client.HTTPConnection, headers: dict[str, str], method: str, path: str, body: bytes) -> None:
    upstream.putrequest(method, path)
    for name, value in headers.items():
        upstream.putheader(name, value)
    upstream.putheader("Content-Length", str(len(body) * 2))
    upstream.endheaders()
    upstream.send(body)
    upstream.close()


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


def _keep_silent(handler: BaseHTTPRequestHandler, treatment: Lose | Hang) -> None:
    """Hang up, or wait until the other side has had enough and does."""
    if isinstance(treatment, Lose):
        treatment.then()
        _hang_up(handler)
        return
    handler.close_connection = True
    with suppress(OSError):
        handler.rfile.read(1)


def _answer(
    handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], content: bytes, pause_s: float = 0.0
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        if name.lower() not in _HOP:
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    if handler.command == "HEAD":
        return
    trickle(handler, content, pause_s)
