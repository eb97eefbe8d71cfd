"""The state on disk: initialise, migrate, guard against a second controller, back up, restore, check."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.settings import Settings
from inventory.domain.errors import Conflict, Invalid, Problem, Unavailable
from inventory.store.engine import Database, open_database

#: The schema revision this program works with: the newest of ``controller/migrations``.
WANTED_REVISION = "0001"
_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Bring the schema to this program's revision; does nothing where it is there."""
    # Imported here: a service that only compares revisions needs neither it nor what it brings along (10 MB).
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["database"] = database
    command.upgrade(config, "head")


def open_state(settings: Settings) -> Database:
    """Open an initialised state.

    Raises:
        Unavailable: ``serve.not_initialised`` or ``serve.schema_old``, or the database does not answer.
    """
    database = open_database(settings.database_url, pool_size=settings.state.pool_size)
    if database.is_sqlite and not sqlite_path(settings).exists():
        raise Unavailable("serve.not_initialised", path=str(sqlite_path(settings)))
    found, wanted = database.schema_revision(), WANTED_REVISION
    if found is None:
        raise Unavailable("serve.not_initialised", path=database.engine.url.render_as_string(hide_password=True))
    if found != wanted:
        raise Unavailable("serve.schema_old", found=found, wanted=wanted)
    return database


def sqlite_path(settings: Settings) -> Path:
    """Return the file of the embedded state."""
    return settings.state.directory / "state.sqlite"


@contextmanager
def sole_controller(settings: Settings) -> Iterator[None]:
    """Hold the lock of the embedded state for as long as the block runs; PostgreSQL needs none.

    Raises:
        Conflict: ``serve.second_controller`` with the process that holds it.
    """
    if settings.state.url:
        yield
        return
    path = sqlite_path(settings).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "?"
            raise Conflict("serve.second_controller", pid=holder, path=str(sqlite_path(settings))) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _embedded_only(settings: Settings) -> None:
    if settings.state.url:
        raise Invalid(
            "db.postgresql_tools", url=open_database(settings.database_url).engine.url.render_as_string(hide_password=True)
        )


def backup(settings: Settings, target: Path) -> int:
    """Copy the embedded state while it is in use, check the copy, and return its size in bytes.

    Raises:
        Invalid: ``db.postgresql_tools`` or ``db.target_exists``.
        Unavailable: ``db.copy_damaged``.
    """
    _embedded_only(settings)
    if target.exists():
        raise Invalid("db.target_exists", path=str(target))
    draft = target.with_name(target.name + ".part")
    draft.unlink(missing_ok=True)
    try:
        source = sqlite3.connect(f"file:{sqlite_path(settings)}?mode=ro", uri=True)
        copy = sqlite3.connect(draft)
        try:
            # All pages in one step: a consistent picture even while the controller writes.
            source.backup(copy)
        finally:
            copy.close()
            source.close()
        draft.chmod(0o600)
        problems = integrity_problems(draft)
        if problems:
            raise Unavailable("db.copy_damaged", path=str(target), problem=problems[0])
        _sync(draft)
        draft.rename(target)
        _sync(target.parent)
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def restore(settings: Settings, source: Path) -> Path | None:
    """Put a backup in place of the embedded state; the old one is kept beside it and returned.

    Raises:
        Invalid: ``db.postgresql_tools``, ``db.source_missing``, ``db.source_damaged`` or ``db.source_foreign``.
        Conflict: ``serve.second_controller``: stop the controller first.
    """
    _embedded_only(settings)
    if not source.is_file():
        raise Invalid("db.source_missing", path=str(source))
    problems = integrity_problems(source)
    if problems:
        raise Invalid("db.source_damaged", path=str(source), problem=problems[0])
    if not _is_state(source):
        # SQLite finds nothing wrong with a file of no bytes.
        raise Invalid("db.source_foreign", path=str(source))
    path = sqlite_path(settings)
    with sole_controller(settings):
        draft = path.with_suffix(".restoring")
        shutil.copyfile(source, draft)
        draft.chmod(0o600)
        _sync(draft)
        kept = None
        if path.exists():
            # A hot journal belongs to the old file: fold it in before the file is put aside. One that is damaged stays so.
            with closing(sqlite3.connect(path)) as old, suppress(sqlite3.DatabaseError):
                old.execute("PRAGMA integrity_check").close()
            kept = path.with_suffix(f".before-restore-{path.stat().st_mtime_ns}")
            # A second name, not another one: at no moment is there no state.
            os.link(path, kept)
            _put_journals_aside(path, kept)
        draft.replace(path)
        _sync(path.parent)
    return kept


def _put_journals_aside(path: Path, kept: Path) -> None:
    """Have what SQLite keeps beside a file it could not fold in go with that file: it would be played into the new one."""
    for ending in ("-journal", "-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + ending))


def _sync(path: Path) -> None:
    """Have the bytes of a file, or the names of a directory, on the disk before anything is built on them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def integrity_problems(path: Path) -> list[str]:
    """Return what SQLite itself finds wrong with a state file, empty where all is well."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            broken = [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [text for text in found if text != "ok"] + broken


def _is_state(path: Path) -> bool:
    """Tell whether a file of SQLite says which schema it has, as every state does."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("PRAGMA table_info(alembic_version)").fetchall())


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReport:
    """What ``allot db check`` says."""

    url: str
    revision_found: str | None
    revision_wanted: str
    sqlite_version: str
    journal_mode: str
    problems: tuple[Problem, ...]
