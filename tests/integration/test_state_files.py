"""What a backup and a restore have put on the disk before they build on it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from controller.settings import Settings, State
from controller.state import backup, restore, sqlite_path
from inventory.domain.errors import Unavailable


def settings_of(directory: Path, word: str) -> Settings:
    """Settings of a state that holds one word."""
    directory.mkdir()
    settings = Settings(state=State(directory=directory))
    with closing(sqlite3.connect(sqlite_path(settings))) as state, state:
        state.execute("CREATE TABLE words (word TEXT)")
        state.execute("INSERT INTO words VALUES (?)", (word,))
        state.execute("CREATE TABLE alembic_version (version_num TEXT)")
    return settings


def word_in(path: Path) -> str:
    with closing(sqlite3.connect(path)) as state:
        return str(state.execute("SELECT word FROM words").fetchone()[0])


def test_a_backup_of_a_damaged_state_is_refused_and_not_kept(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", "word")
    path = sqlite_path(settings)
    with closing(sqlite3.connect(path)) as state, state:
        state.executemany("INSERT INTO words VALUES (?)", [("x" * 1000,)] * 100)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    with pytest.raises(Unavailable, match=r"db\.copy_damaged"):
        backup(settings, tmp_path / "copy.sqlite")
    assert [p.name for p in tmp_path.iterdir()] == ["state"]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Every path that is brought to the disk, in order, with the word of the state at that moment."""
    seen: list[tuple[str, str]] = []
    really = os.fsync
    state = tmp_path / "new" / "state.sqlite"

    def watch(descriptor: int) -> None:
        really(descriptor)
        seen.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, word_in(state)))

    monkeypatch.setattr(os, "fsync", watch)
    return seen


def test_a_restored_state_is_on_the_disk_before_it_takes_its_name_and_then_the_name_is(
    synced: list[tuple[str, str]], tmp_path: Path
) -> None:
    old, new = settings_of(tmp_path / "old", "old"), settings_of(tmp_path / "new", "new")
    kept = restore(new, sqlite_path(old))
    assert synced == [("state.restoring", "new"), ("new", "old")]
    assert kept is not None
    assert (word_in(sqlite_path(new)), word_in(kept)) == ("old", "new")
    assert not (tmp_path / "new" / "state.restoring").exists()


def test_a_backup_is_on_the_disk_before_it_takes_its_name_and_then_the_name_is(
    synced: list[tuple[str, str]], tmp_path: Path
) -> None:
    new = settings_of(tmp_path / "new", "new")
    (tmp_path / "copies").mkdir()
    backup(new, tmp_path / "copies" / "copy.sqlite")
    assert synced == [("copy.sqlite.part", "new"), ("copies", "new")]
    assert word_in(tmp_path / "copies" / "copy.sqlite") == "new"
