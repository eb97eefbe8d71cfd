"""A service that answers what it is told to, at the addresses of a region's services: for the answers no fake hypervisor gives.

What a whole region does is tested on real services (``tests/openstack``); here stands one answer at a time, over real HTTP.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.trickle import trickle

PROJECT = "11111111111111111111111111111111"
#: Neutron's extensions that are needed.
EXTENSIONS = ("standard-attr-description", "security-group", "port-security", "revision-if-match", "router")
#: Path of each service's version, its type in the catalogue, and the newest microversion it tells of.
_SERVICES: Mapping[str, tuple[str, str, str]] = {
    "/identity/v3": ("identity", "v3.14", ""),
    "/compute/v2.1": ("compute", "v2.1", "2.96"),
    "/network/v2.0": ("network", "v2.0", ""),
    "/volume/v3": ("block-storage", "v3.0", "3.71"),
    "/image/v2": ("image", "v2.17", ""),
    "/placement": ("placement", "v1.0", "1.39"),
}


@dataclass(frozen=True)
class Raw:
    """What is no answer of a service: these bytes, called what they are called, a few at a time if told so."""

    content: bytes
    content_type: str = "text/html; charset=utf-8"
    #: Pause after each byte of the head (without one: of the body only), until the other side hangs up; 0: none.
    pause_s: float = 0.0
    is_head_slow: bool = False


@dataclass
class Answers:
    """What is answered: by method and path without query; and what was asked."""

    url: str = ""
    #: Status and body; of a list one after the other, the last one for good.
    given: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    #: Sent with every answer of a status that is none of success.
    headers_of_trouble: dict[str, str] = field(default_factory=dict)
    #: What was sent with each request that sent something.
    sent: list[tuple[str, Any]] = field(default_factory=list)
    #: The microversion each request asked in, for example ``compute 2.90``; empty for none.
    versions: list[tuple[str, str]] = field(default_factory=list)

    def give(self, request: str, *bodies: Any, status: int = 200) -> None:
        """Answer a request with these bodies, one after the other."""
        self.given[request] = [(status, body) for body in bodies]

    def fail_first(self, request: str, status: int) -> None:
        """Answer a request so once, and then as it was answered before."""
        self.given[request].insert(0, (status, {}))

    def answer(self, request: str, query: str = "") -> tuple[int, Any]:
        """Return what is answered to a request; one given with its query goes before."""
        self.asked.append(request)
        if f"{request}?{query}" in self.given:
            request = f"{request}?{query}"
        found = self.given.get(request)
        if found is None:
            return 404, {"error": {"code": 404, "message": f"nobody said what {request} is answered with"}}
        return found.pop(0) if len(found) > 1 else found[0]


@contextmanager
def answering(directory: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Answers]:
    """Answer as the cloud ``told``, which the driver finds as it finds an operator's; nothing waits longer than it is told."""
    answers = Answers()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(answers))
    server.daemon_threads = True
    answers.url = f"http://127.0.0.1:{server.server_port}"
    _give_the_way(answers)
    who = {"username": "u", "password": "p", "project_id": PROJECT, "user_domain_id": "default"}
    auth = {"auth_url": f"{answers.url}/identity/v3", **who}
    cloud = {"auth": auth, "allotment": {"attempts": 1, "wait_s": 5, **settings}}
    # What is JSON is YAML too.
    (directory / "clouds.yaml").write_text(json.dumps({"clouds": {"told": cloud}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(directory / "clouds.yaml"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _give_the_way(answers: Answers) -> None:
    """Answer what is asked before anything else: the token, the catalogue and the versions."""
    catalogue = []
    for path, (kind, version, newest) in _SERVICES.items():
        url = answers.url + path
        endpoint = {"interface": "public", "url": url, "region": "told", "region_id": "told", "id": kind}
        catalogue.append({"type": kind, "name": kind, "id": kind, "endpoints": [endpoint]})
        told = {"id": version, "status": "CURRENT", "links": [{"rel": "self", "href": url}]}
        if newest:
            told |= {"min_version": version.removeprefix("v"), "version": newest, "max_version": newest}
        answers.give(f"GET {path}", {"versions": [told]} if kind in ("placement", "image") else {"version": told})
        answers.give(f"GET {path.rpartition('/')[0] or path}", {"versions": [told]})
    answers.give("GET /network/v2.0/extensions", {"extensions": [{"alias": alias, "name": alias} for alias in EXTENSIONS]})
    token = {
        "methods": ["password"], "expires_at": "2100-01-01T00:00:00.000000Z", "issued_at": "2026-01-01T00:00:00.000000Z",
        "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": PROJECT, "name": "p", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": "admin", "name": "admin"}], "catalog": catalogue,
    }  # fmt: skip
    answers.give("POST /identity/v3/auth/tokens", {"token": token}, status=201)


def _handler_of(answers: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            request = f"{self.command} {path.rstrip('/')}"
            answers.versions.append((request, self.headers.get("OpenStack-API-Version", "")))
            if sent and self.headers.get("Content-Type", "").startswith("application/json"):
                answers.sent.append((request, json.loads(sent)))
            status, body = answers.answer(request, query)
            if isinstance(body, Raw):
                _send_raw(self, body)
                return
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response_only(status)
            for name, value in answers.headers_of_trouble.items() if status >= 400 else ():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Subject-Token", "token")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


def _send_raw(handler: BaseHTTPRequestHandler, raw: Raw) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {raw.content_type}\r\nContent-Length: {len(raw.content)}\r\n\r\n".encode()
    quick, slow = (b"", head + raw.content) if raw.is_head_slow else (head, raw.content)
    handler.wfile.write(quick)
    trickle(handler, slow, raw.pause_s)
