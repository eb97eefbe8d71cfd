"""The client of the command line against a small real server: pages, lists that are cut and say so, the service's clock."""

import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.cli.client import Client, Refused
from controller.cli.contexts import Target
from controller.cli.main import run
from inventory.domain.errors import Invalid

#: What the server's clock says: 2030-01-02 03:04:05 UTC.
SERVICE_S = 1893553445


@contextmanager
def serving(count: int, *, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Serve a list of ``count`` lines of stories page by page; yields the address and the queries as they come."""
    asked: list[str] = []

    class Pages(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            asked.append(parts.query)
            begin, limit = int(query.get("after", 0)), int(query.get("limit", 100))
            end = min(begin + limit, count)
            items = [_line(n) for n in range(begin, end)]
            body: dict[str, Any] = {"items": items, "next": str(end) if end < count else None}
            data = json.dumps(body if status == 200 else {"hello": "from a proxy"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "Wed, 02 Jan 2030 03:04:05 GMT"

        def log_message(self, _form: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _line(number: int) -> dict[str, Any]:
    texts = {"text_zh": f"第 {number} 步", "text_en": f"step {number}"}
    return {"at_s": number, "system_name": "portal", "ticket_id": "tick_1", "seq": number, **texts}


@contextmanager
def client_of(server: str) -> Iterator[Client]:
    client = Client(Target(server=server, token=""), "en")
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No context and no settings of the person who runs the tests."""
    for name in ("ALLOT_SERVER", "ALLOT_TOKEN_FILE", "ALLOT_CONTEXT", "ALLOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))


@pytest.mark.parametrize(("count", "most", "has_more"), [(0, 3, False), (3, 3, False), (4, 3, True), (1200, 1100, True)])
def test_the_first_of_a_list_come_with_word_whether_there_are_more(count: int, most: int, has_more: bool) -> None:
    with serving(count) as (server, _), client_of(server) as client:
        found, more = client.first("/v1/events", most)
    assert ([line["seq"] for line in found], more) == (list(range(min(count, most))), has_more)


def test_a_list_may_begin_behind_something() -> None:
    with serving(10) as (server, asked), client_of(server) as client:
        assert [line["seq"] for line in client.first("/v1/audit", 4, after=5)[0]] == [5, 6, 7, 8]
        assert asked == ["limit=5&after=5"]


def test_a_whole_list_is_whole_or_refused() -> None:
    with serving(1700) as (server, _), client_of(server) as client:
        assert len(client.all("/v1/events")) == 1700
    with serving(100_001) as (server, _), client_of(server) as client, pytest.raises(Invalid) as refused:
        client.all("/v1/events")
    assert refused.value.code == "cli.list_too_long"


@pytest.mark.parametrize(("language", "said"), [("en", "Only the first 3 are listed"), ("zh-CN", "只列出了前 3 条")])
def test_a_list_that_is_cut_says_so_beside_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    with serving(4) as (server, _):
        for form in ("table", "json", "name"):
            assert run(["--lang", language, "--server", server, "events", "--limit", "3", "-o", form]) == 0
            assert said in capsys.readouterr().err
        assert run(["--lang", language, "--server", server, "events", "--limit", "4"]) == 0
        assert capsys.readouterr().err == ""


def test_the_clock_of_the_service_is_known_after_an_answer() -> None:
    with serving(1) as (server, _), client_of(server) as client:
        assert client.answered_at_s is None
        client.get("/v1/events")
        assert client.answered_at_s == SERVICE_S


def test_a_service_that_speaks_no_tls_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(1) as (server, _):
        assert run(["--lang", "en", "--server", server.replace("http:", "https:"), "events"]) == 75
    told = capsys.readouterr().err
    assert "cli.tls_failed" in told
    assert "not permitted" not in told, "the number of an error of TLS is none of the system's"


@pytest.mark.parametrize("typed", [b"two words\n", b"\xff\n", b"\n"])
def test_a_typed_token_that_is_none_is_not_sent(
    typed: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    with serving(1) as (server, asked):
        assert run(["--lang", "en", "login", server]) == 1
        assert asked == []
    assert "cli.token_malformed" in capsys.readouterr().err


def test_what_a_proxy_says_of_a_service_that_is_away_ends_with_75(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(1, status=502) as (server, _):
        with client_of(server) as client, pytest.raises(Refused) as refused:
            client.get("/v1/events")
        assert refused.value.may_succeed_later
        assert run(["--lang", "en", "--server", server, "events"]) == 75
    assert "cli.not_allotment" in capsys.readouterr().err
