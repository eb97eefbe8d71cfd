"""How a command looks at its own long request: what passes is waited out, what does not is told and ends the looking."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from controller.cli import working
from controller.cli.session import Format, Session
from tests.support.libvirtd import until

PATIENCE_S = 20
SHOWN = {"phase": "work.phase.lines", "text_zh": "写明细", "text_en": "writing lines", "done": 3, "total": 4}


class Looked:
    """A service whose one long request is answered once something is so, and what it answers the looks: the last one for good."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.look_count = 0
        self.is_time: Callable[[], bool] = lambda: True

    def look(self) -> tuple[int, Any]:
        self.look_count += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def handler_of(looked: Looked) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = looked.look()
            if status == 0:
                self.close_connection = True
                self.connection.close()
                return
            self.say(status, body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            until(looked.is_time, PATIENCE_S, "the looks are as they shall be")
            self.say(200, {"done": True})

        def say(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, _form: str, *args: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def session_with(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Sit at a terminal before that service."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("ALLOT_TOKEN_FILE", raising=False)
    monkeypatch.setattr(working, "_LOOK_S", 0.01)
    monkeypatch.setattr(working, "_LONGEST_S", 0.02)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(looked))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    session = Session(language="en", format=Format.TABLE, server=url, token_file="", context="", is_debug=False)
    try:
        yield session
    finally:
        session.close()
        server.shutdown()
        thread.join()
        server.server_close()


def work_on(looked: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the long request and have its answer."""
    with session_with(looked, monkeypatch) as session, working.long_work(session, "cli.say.chain_worked_on") as api:
        assert api.post("/v1/long") == {"done": True}


def nobody_looks() -> bool:
    return not [t for t in threading.enumerate() if t.name == "progress"]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (401, "auth.token_expired", "auth.token_expired: the token has expired"),
        (403, "auth.forbidden", "auth.forbidden: "),
        (410, "work.gone", "work.gone: the token has expired"),
        (500, "internal.bug", "internal.bug: "),
        (404, "", "cli.not_allotment: "),
    ],
)
def test_a_look_that_is_refused_ends_the_looking_and_is_told(
    status: int, code: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"code": code, "status": status, "detail_en": "the token has expired"} if code else {"hello": "from a proxy"}
    looked = Looked((status, body))
    looked.is_time = lambda: looked.look_count > 0 and nobody_looks()
    work_on(looked, monkeypatch)
    assert looked.look_count == 1
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert told.count("The request goes on.") == 1


def test_an_answer_nobody_understands_ends_the_looking_and_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked = Looked((200, b"<html>"))
    looked.is_time = lambda: looked.look_count > 0 and nobody_looks()
    work_on(looked, monkeypatch)
    assert capsys.readouterr().err.count("The request goes on.") == 1


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_a_service_that_is_away_for_a_while_is_looked_at_again(
    status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Of a connection that was kept, a look that is hung up on is made twice.
    looked = Looked(*[(status, {"code": "state.busy"})] * 4, (200, SHOWN))
    looked.is_time = lambda: len(looked.answers) == 1 and looked.look_count > 8
    work_on(looked, monkeypatch)
    told = capsys.readouterr().err
    assert "writing lines" in told
    assert "75%" in told
    assert "The request goes on." not in told


def test_work_nobody_knows_of_is_told_once_and_shown_when_it_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The request may be on its way for long, or another controller answers the looks."""
    unknown = (404, {"code": "work.not_found", "detail_en": "there is no such work"})
    looked = Looked(*[unknown] * 30, (200, SHOWN))
    looked.is_time = lambda: len(looked.answers) == 1 and looked.look_count > 32
    work_on(looked, monkeypatch)
    told = " ".join(capsys.readouterr().err.split())
    assert told.count("does not know yet how far this is") == 1
    assert "writing lines" in told
