"""``allot check --fix`` as a person uses it: it shows, asks, writes, and checks what is there then."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.main import run
from tests.support.tickets import PORTAL

BIN = Path(sys.executable).parent
SLIPPED = PORTAL.replace("name: civil-affairs-portal", "name：civil-affairs-portal").replace("kind: Ticket", "kind： Ticket")


@pytest.fixture(autouse=True)
def english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))
    monkeypatch.setenv("ALLOT_LANG", "en")


@pytest.fixture
def ticket(tmp_path: Path) -> Path:
    """The example with two slips."""
    file = tmp_path / "portal.yaml"
    file.write_text(SLIPPED, encoding="utf-8")
    file.chmod(0o640)
    return file


def test_a_fix_is_shown_and_written_and_the_ticket_checked(ticket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--offline", str(ticket)]) == 1
    assert "document.full_width" in capsys.readouterr().err
    assert run(["check", "--offline", "--fix", "--yes", str(ticket)]) == 0
    told = capsys.readouterr()
    assert "-kind： Ticket" in told.err
    assert "+kind: Ticket" in told.err
    assert "in 2 places" in told.err
    assert "well written" in told.out
    assert ticket.read_text("utf-8") == PORTAL
    assert ticket.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in ticket.parent.iterdir()] == ["portal.yaml"]


def test_nothing_is_written_where_nobody_can_be_asked(ticket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--offline", "--fix", str(ticket)]) == 64
    assert "cli.nobody_to_ask" in capsys.readouterr().err
    assert ticket.read_text("utf-8") == SLIPPED


@pytest.mark.parametrize(("answer", "code", "after"), [("y", 0, PORTAL), ("n", 1, SLIPPED), ("", 1, SLIPPED)])
def test_the_person_decides(ticket: Path, answer: str, code: int, after: str) -> None:
    master, slave = pty.openpty()
    try:
        called = subprocess.Popen(
            [str(BIN / "allot"), "check", "--offline", "--fix", str(ticket)],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        os.write(master, f"{answer}\n".encode())
        out, err = called.communicate(timeout=60)
    finally:
        os.close(master)
        os.close(slave)
    assert called.returncode == code, err.decode()
    assert b"Write this to the file?" in err
    assert (b"well written" in out) is (code == 0)
    assert ticket.read_text("utf-8") == after


def test_what_cannot_be_mended_is_still_told(ticket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ticket.write_text(PORTAL.replace("network: 政务外网", "network: 政务，外网") + "\ncolour: blue\n", encoding="utf-8")
    before = ticket.read_bytes()
    assert run(["check", "--offline", "--fix", "--yes", str(ticket)]) == 1
    told = capsys.readouterr().err
    assert "no slip that could be mended without a guess" in told
    assert "document.full_width" in told
    assert "ticket.unknown_field" in told
    assert ticket.read_bytes() == before


def test_gb18030_is_written_as_utf_8(ticket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ticket.write_bytes(PORTAL.encode("gb18030"))
    assert run(["check", "--offline", "--fix", "--yes", str(ticket)]) == 0
    assert "becomes UTF-8" in capsys.readouterr().err
    assert ticket.read_text("utf-8") == PORTAL


def test_a_link_stays_a_link(ticket: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(ticket)
    assert run(["check", "--offline", "--fix", "--yes", str(link)]) == 0
    assert link.is_symlink()
    assert ticket.read_text("utf-8") == PORTAL


def test_standard_input_cannot_be_written_back(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SLIPPED.encode())))
    assert run(["check", "--offline", "--fix", "-"]) == 64
    assert "cli.fix_needs_file" in capsys.readouterr().err


def test_a_file_that_cannot_be_replaced_is_named_and_left_whole(capsys: pytest.CaptureFixture[str]) -> None:
    # A file without a name is read through its descriptor, and nothing can take its place.
    handle = os.open("/tmp", os.O_TMPFILE | os.O_RDWR)
    try:
        os.write(handle, SLIPPED.encode())
        os.lseek(handle, 0, os.SEEK_SET)
        assert run(["check", "--offline", "--fix", "--yes", f"/proc/self/fd/{handle}"]) == 1
        assert "cli.file_unwritable" in capsys.readouterr().err
        assert os.pread(handle, 100_000, 0) == SLIPPED.encode()
    finally:
        os.close(handle)
