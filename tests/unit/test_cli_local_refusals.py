"""Commands on the machine of the controller: settings and states that are not there, unreadable or wrong change nothing."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from controller.cli.main import run

CHINESE = re.compile("[\u4e00-\u9fff]")
LANGUAGES = ["en", "zh-CN"]


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No context and no settings of the person who runs the tests."""
    for name in ("ALLOT_SERVER", "ALLOT_TOKEN_FILE", "ALLOT_CONTEXT", "ALLOT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALLOT_CONTEXT_DIR", str(tmp_path / "contexts"))


def _written(folder: Path, text: str) -> Path:
    path = folder / "controller.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _told(arguments: list[str], language: str, code: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a refused command says: its code, its sentence and a cure, in the language of the person."""
    assert run(["--lang", language, *arguments]) == 1
    told = capsys.readouterr().err
    assert told.startswith(code), told
    assert bool(CHINESE.search(told)) == (language == "zh-CN")
    assert ("处理办法：" if language == "zh-CN" else "what to do: ") in told
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", [["init"], ["db", "check"], ["db", "upgrade"], ["serve"]])
def test_a_settings_file_that_is_not_there_is_named(
    tmp_path: Path, command: list[str], language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "none.toml")
    assert path in _told([*command, "--config", path], language, "settings.file_missing", capsys)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("[server\nport = 1\n", "settings.unreadable", "controller.toml"),
        ("[server]\nport = 1\nport = 2\n", "settings.unreadable", "controller.toml"),
        ("[server]\nprot = 1\n", "settings.invalid", "server.prot"),
        ('[server]\nport = "many"\n', "settings.invalid", "server.port"),
        ("[reconcile]\nobserve_interval_s = -1\n", "settings.invalid", "reconcile.observe_interval_s"),
    ],
)
def test_settings_that_are_wrong_are_told_and_nothing_is_made(
    tmp_path: Path, text: str, code: str, named: str, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path, f'{text}[state]\ndirectory = "{tmp_path / "state"}"\n')
    assert named in _told(["init", "--config", str(path)], language, code, capsys)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    path = _written(tmp_path, f'[state]\ndirectory = "{tmp_path}/file/state"\n')
    told = _told(["init", "--config", str(path)], language, "cli.init_directory_failed", capsys)
    assert f"{tmp_path}/file/state" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_a_whole_backup_takes_the_place_of_the_state(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", str(_written(tmp_path, f'[state]\ndirectory = "{tmp_path / "state"}"\n'))]
    assert run(["init", *config]) == 0
    capsys.readouterr()
    state = tmp_path / "state" / "state.sqlite"
    before, beside = state.read_bytes(), sorted(state.parent.iterdir())
    none, broken = tmp_path / "none.sqlite", tmp_path / "broken.sqlite"
    broken.write_bytes(before[:5000] + b"\xff" * (len(before) - 5000))
    text, empty, other = tmp_path / "text.sqlite", tmp_path / "empty.sqlite", tmp_path / "other.sqlite"
    text.write_text("no database")
    empty.touch()
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE words (word TEXT)")
    refused = {
        none: "db.source_missing",
        broken: "db.source_damaged",
        text: "db.source_damaged",
        empty: "db.source_foreign",
        other: "db.source_foreign",
    }
    for file, code in refused.items():
        assert file.name in _told(["db", "restore", str(file), "--yes", *config], language, code, capsys)
    assert state.read_bytes() == before
    assert sorted(state.parent.iterdir()) == beside


def test_a_backup_takes_the_place_of_a_damaged_state_which_is_kept_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", str(_written(tmp_path, f'[state]\ndirectory = "{tmp_path / "state"}"\n'))]
    assert run(["init", *config]) == 0
    state, backup = tmp_path / "state" / "state.sqlite", tmp_path / "backup.sqlite"
    good = state.read_bytes()
    backup.write_bytes(good)
    damaged = b"\xff" * 4096 + good[4096:]
    state.write_bytes(damaged)
    state.with_name("state.sqlite-wal").write_bytes(b"of the damaged one")
    assert run(["db", "restore", str(backup), "--yes", *config]) == 0
    assert state.read_bytes() == good
    [kept] = [p for p in state.parent.iterdir() if re.fullmatch(r"state\.before-restore-\d+", p.name)]
    assert kept.read_bytes() == damaged
    assert not state.with_name("state.sqlite-wal").exists(), "it would be played into the backup"
    assert run(["db", "check", *config]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_state_on_postgresql_is_not_copied_as_a_file_and_its_password_stays_unsaid(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path, '[state]\nurl = "postgresql+psycopg://allot:secret@127.0.0.1/allot"\n')
    for command in (["backup", str(tmp_path / "copy")], ["restore", str(tmp_path / "copy"), "--yes"]):
        told = _told(["db", *command, "--config", str(path)], language, "db.postgresql_tools", capsys)
        assert "pg_dump" in told
        assert "secret" not in told
    assert not (tmp_path / "copy").exists()
