"""``allot`` on a terminal shows how far the service is with a month; elsewhere it shows nothing; who leaves, leaves at once.

The real service answers over a real socket, and the real command sits at a pseudo terminal.
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from controller.cli.exit_codes import INTERRUPTED, OK
from controller.identity.caller import Role
from controller.local.http_server import Server
from controller.workflows import periods
from tests.support.api import Service, service
from tests.support.large_month import LINES, MACHINES, MONTH, PATIENCE_S, held_at_writing, large_month
from tests.support.service import ROOT

COMMAND = ("meter", "review", MONTH)


@dataclass
class Desk:
    """The service at an address, and somebody of finance with a terminal."""

    service: Service
    url: str
    directory: Path

    def allot(self, *arguments: str, stderr: int) -> subprocess.Popen[bytes]:
        """Begin a command whose standard error goes where it is told."""
        token = self.directory / "token"
        token.write_text(self.service.secrets[Role.FINANCE, ""], encoding="utf-8")
        token.chmod(0o600)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLOT_", "LC_"))}
        own = {
            "ALLOT_SERVER": self.url, "ALLOT_TOKEN_FILE": str(token), "ALLOT_CONTEXT_DIR": str(self.directory / "contexts"),
            "LANG": "en_US.UTF-8", "TERM": "xterm", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8",
            "PYTHONWARNINGS": "error::ResourceWarning",
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "controller", *arguments],
            cwd=self.directory,
            env={**kept, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with service(tmp_path) as found, served(found) as url:
        large_month(found)
        yield Desk(found, url, tmp_path)


@contextmanager
def served(found: Service) -> Iterator[str]:
    started = threading.Event()
    server = Server(uvicorn.Config(found.app, port=0, log_config=None, lifespan="off"), started.set)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert started.wait(PATIENCE_S)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.handle_exit(signal.SIGTERM, None)
        thread.join(PATIENCE_S)


class Terminal:
    """What somebody sees on a terminal of 120 columns."""

    def __init__(self) -> None:
        self._mine, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self.seen = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read on until something is seen that looks like this."""
        while not (found := re.search(pattern, self.seen)):
            try:
                came = os.read(self._mine, 4096)
            except OSError:
                # Nobody has the other end any more.
                came = b""
            assert came, f"never seen: {pattern}\n{self.seen}"
            # Without the signs that place and colour it.
            self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", came.decode(errors="replace"))
        return found

    def rest(self) -> str:
        """Return all that was seen, once the command has ended."""
        os.close(self.end)
        with pytest.raises(AssertionError):
            self.until("(?!)")
        os.close(self._mine)
        return self.seen


def test_a_terminal_shows_phase_percentage_and_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    with held_at_writing(monkeypatch) as gate:
        command = desk.allot(*COMMAND, stderr=terminal.end)
        terminal.until(f"Working on the lines of {MONTH}")
        # The first department is written, the second one waits.
        gate.wait()
        gate.let_on()
        gate.wait()
        percent = int(terminal.until(r"writing lines\W+([1-9]\d*)% +\d:\d\d:\d\d")[1])
        gate.let_on(len(MACHINES))
        out, _ = command.communicate(timeout=PATIENCE_S)
    assert percent in {round(100 * 4 * count / LINES) for count in MACHINES.values()}
    assert command.returncode == OK
    assert re.search(rf"^lines +{LINES}\b", out.decode(), re.MULTILINE)
    assert "rror" not in terminal.rest()


def test_where_there_is_no_terminal_nothing_is_shown_and_nothing_asked(desk: Desk) -> None:
    command = desk.allot(*COMMAND, "-o", "name", stderr=subprocess.PIPE)
    out, err = command.communicate(timeout=PATIENCE_S)
    assert (command.returncode, out.decode(), err.decode()) == (OK, f"{MONTH}\n", "")
    assert len(desk.service.platform.works) == 0


def test_who_leaves_leaves_at_once_and_the_service_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    with held_at_writing(monkeypatch) as gate:
        command = desk.allot(*COMMAND, stderr=terminal.end)
        gate.wait()
        terminal.until("writing lines")
        command.send_signal(signal.SIGINT)
        # The work still stands before the gate: nobody waited for it.
        out, _ = command.communicate(timeout=PATIENCE_S)
        assert (command.returncode, out) == (INTERRUPTED, b"")
        assert periods.show(desk.service.platform, MONTH)["state"] == "closing"
        gate.let_on(len(MACHINES))
        for _ in range(len(MACHINES) - 1):
            gate.wait()
    again = desk.allot(*COMMAND, "-o", "name", stderr=subprocess.PIPE)
    out, err = again.communicate(timeout=PATIENCE_S)
    assert (again.returncode, out.decode(), err.decode()) == (OK, f"{MONTH}\n", "")
    assert "Traceback" not in terminal.rest()


def test_a_controller_that_knows_nothing_of_it_leaves_the_first_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another controller behind the same address answers the looks: 404, and the command waits on."""
    asked = threading.Event()
    look = type(desk.service.platform.works).look

    def elsewhere(works: object, owner: str, _id: str, now_s: float) -> object:
        asked.set()
        return look(works, owner, "not here", now_s)  # type: ignore[arg-type]

    monkeypatch.setattr(type(desk.service.platform.works), "look", elsewhere)
    terminal = Terminal()
    with held_at_writing(monkeypatch) as gate:
        command = desk.allot(*COMMAND, stderr=terminal.end)
        gate.wait()
        assert asked.wait(PATIENCE_S)
        gate.let_on(len(MACHINES))
        command.communicate(timeout=PATIENCE_S)
    assert command.returncode == OK
    seen = terminal.rest()
    assert f"Working on the lines of {MONTH}" in seen
    assert "%" not in seen
    assert "writing lines" not in seen
