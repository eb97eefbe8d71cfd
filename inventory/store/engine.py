"""Engines for SQLite and PostgreSQL, and the unit of work: the only place that begins and commits transactions.

SQLite (one controller process): journal mode by the library's version, ``synchronous=FULL``, ``BEGIN IMMEDIATE`` for
writers, foreign keys, one writer at a time inside the process. PostgreSQL: READ COMMITTED with guarded updates.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from inventory.domain.errors import AllotError, Unavailable
from inventory.store import bulk

T = TypeVar("T")

#: Fixed for the WAL-reset race (sqlite.org/wal.html §11): anything older keeps a rollback journal.
_WAL_SAFE_FROM = (3, 51, 3)
_WAL_SAFE_BACKPORTS = ((3, 50, 7), (3, 44, 6))
_BUSY_TIMEOUT_MS = 10_000
#: Of a file that is made now; another one keeps what it has. A row of a machine is a kilobyte with its indexes: with SQLite's own
#: 4 KiB pages writing hundreds of them takes a tenth more.
_PAGE_BYTES = 8192
_WRITE_TRIES = 6
#: SQLSTATEs after which the same whole unit may be run again: serialisation failure, deadlock.
_RETRY_STATES = {"40001", "40P01"}
_UNIQUE_VIOLATION = "23505"


def safe_journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """Return ``WAL`` where this SQLite has the WAL-reset race fixed, else ``TRUNCATE``."""
    backport = any(version[:2] == good[:2] and version >= good for good in _WAL_SAFE_BACKPORTS)
    return "WAL" if version >= _WAL_SAFE_FROM or backport else "TRUNCATE"


@dataclass(slots=True)
class StateFile:
    """The file of an embedded state, as it was when it was first opened.

    Whoever has it open reads and writes it after it was moved or deleted, into nothing; whoever opens its path then makes an
    empty one. So it is looked for before every transaction.
    """

    path: Path
    _identity: tuple[int, int] | None = None

    def opened(self) -> None:
        """Note which file it is, the first time it is opened."""
        if self._identity is None:
            self._identity = self._found()

    def check(self) -> None:
        """See that the file that was opened is where it was.

        Raises:
            Unavailable: ``state.file_gone`` until it is back.
        """
        if self._identity is not None and self._found() != self._identity:
            raise Unavailable("state.file_gone", path=str(self.path))

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


@dataclass(slots=True)
class Database:
    """A state database; ``write``, ``read`` and ``glance`` are the only ways to a connection."""

    engine: Engine
    is_sqlite: bool
    #: Where the state is a file of its own.
    file: StateFile | None = None
    #: Told how long each committed write took, waiting for the turn included; called by the writing thread.
    on_write: Callable[[float], None] | None = None
    _writer: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that commits at the end of the block, or leaves nothing.

        Raises:
            Unavailable: ``state.*``, when the database cannot be used now.
        """
        started_s = time.perf_counter()
        if self.is_sqlite:
            with self._writer, self._transaction("BEGIN IMMEDIATE") as connection:
                yield connection
        else:
            with self._transaction(None) as connection:
                yield connection
        if self.on_write is not None:
            self.on_write(time.perf_counter() - started_s)

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            Unavailable: as ``write``.
        """
        with self.read() as connection:
            connection.exec_driver_sql("SELECT 1")

    def journal_mode(self) -> str:
        """Return the journal mode SQLite really uses for the state; nothing of another database."""
        if not self.is_sqlite:
            return ""
        with self.read() as connection:
            return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()).upper()

    def schema_revision(self) -> str | None:
        """Return the schema revision of the state, None where there is none."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    @contextmanager
    def read(self, *, is_steady: bool = False) -> Iterator[Connection]:
        """Open a connection for reading; whatever is written in it is rolled back.

        ``is_steady``: all statements see one state (on SQLite they always do).

        Raises:
            Unavailable: as ``write``.
        """
        self._check_file()
        try:
            with self.engine.connect() as connection:
                if self.is_sqlite:
                    connection.exec_driver_sql("BEGIN")
                elif is_steady:
                    connection.execution_options(isolation_level="REPEATABLE READ")
                yield connection
                connection.rollback()
        except DBAPIError as error:
            raise translate(error) from error
        except PoolTimeout as error:
            # Every connection was in somebody's hands for too long.
            raise Unavailable("state.busy", internal=str(error)) from error

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """Open a connection for one statement that reads: as ``read``, without beginning and ending a transaction around it.

        Raises:
            Unavailable: as ``write``.
        """
        self._check_file()
        try:
            with self.engine.connect() as connection:
                yield connection if self.is_sqlite else connection.execution_options(isolation_level="AUTOCOMMIT")
        except DBAPIError as error:
            raise translate(error) from error
        except PoolTimeout as error:
            # Every connection was in somebody's hands for too long.
            raise Unavailable("state.busy", internal=str(error)) from error

    def run(self, unit: Callable[[Connection], T]) -> T:
        """Run ``unit`` in a write transaction, again (bounded) when the database asks for it.

        ``unit`` must do nothing but database work.
        """
        retrying = Retrying(
            stop=stop_after_attempt(_WRITE_TRIES),
            wait=wait_random_exponential(multiplier=0.01, max=0.5),
            retry=retry_if_exception(_wants_retry),
            reraise=True,
        )
        result: T = retrying(self._once, unit)
        return result

    def _once(self, unit: Callable[[Connection], T]) -> T:
        with self.write() as connection:
            return unit(connection)

    @contextmanager
    def _transaction(self, begin: str | None) -> Iterator[Connection]:
        self._check_file()
        try:
            with self.engine.connect() as connection:
                if begin:
                    connection.exec_driver_sql(begin)
                try:
                    yield connection
                except BaseException:
                    connection.rollback()
                    raise
                connection.commit()
        except DBAPIError as error:
            raise translate(error) from error
        except PoolTimeout as error:
            # Every connection was in somebody's hands for too long.
            raise Unavailable("state.busy", internal=str(error)) from error

    def _check_file(self) -> None:
        if self.file is not None:
            self.file.check()

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _wants_retry(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(error, AllotError) and isinstance(cause, DBAPIError) and _sqlstate(cause) in _RETRY_STATES


def _sqlstate(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def is_taken(error: DBAPIError) -> bool:
    """Tell whether a row was refused because another one has its key: whoever wrote that one was faster."""
    if isinstance(error.orig, sqlite3.Error):
        code = getattr(error.orig, "sqlite_errorcode", 0)
        return code in (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE)
    return _sqlstate(error) == _UNIQUE_VIOLATION


def translate(error: DBAPIError) -> Exception:
    """Return the error a user may see for a database failure, or ``error`` itself where it is a bug of ours."""
    original = error.orig
    if isinstance(original, sqlite3.Error):
        primary = getattr(original, "sqlite_errorcode", 0) & 0xFF
        codes = {
            sqlite3.SQLITE_BUSY: "state.busy",
            sqlite3.SQLITE_LOCKED: "state.busy",
            sqlite3.SQLITE_FULL: "state.disk_full",
            sqlite3.SQLITE_IOERR: "state.disk_error",
            sqlite3.SQLITE_READONLY: "state.read_only",
            sqlite3.SQLITE_CANTOPEN: "state.unreachable",
            sqlite3.SQLITE_CORRUPT: "state.corrupt",
            sqlite3.SQLITE_NOTADB: "state.corrupt",
        }
        code = codes.get(primary)
    else:
        state = _sqlstate(error)
        lost = error.connection_invalidated or state[:2] in {"08", "57"} or (not state and _is_operational(error))
        code = "state.disk_full" if state == "53100" else "state.unreachable" if lost else None
        code = "state.busy" if state in _RETRY_STATES | {"55P03"} else code
    return Unavailable(code, internal=str(original)) if code else error


def _is_operational(error: DBAPIError) -> bool:
    return type(error.orig).__name__ == "OperationalError"


def open_database(url: str, *, pool_size: int = 8) -> Database:
    """Open a state database by URL (``sqlite:////path`` or ``postgresql://…``); makes no connection yet."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = None if parsed.database in (None, "", ":memory:") else StateFile(Path(str(parsed.database)))
        return _open_sqlite(str(parsed), file, pool_size=pool_size)
    options = "-c statement_timeout=60000 -c lock_timeout=15000 -c idle_in_transaction_session_timeout=60000"
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        connect_args={"options": options, "connect_timeout": 5, "keepalives_idle": 15, "tcp_user_timeout": 15000},
    )
    _ping_what_rested(engine)

    @event.listens_for(engine, "before_cursor_execute")
    def _in_order(connection: Connection, *_: Any) -> None:
        bulk.send_waiting(connection)

    return Database(engine, is_sqlite=False)


#: A connection that was in use so shortly before is there still: asking it was one question of five for every request.
_TRUSTED_S = 0.25


def _ping_what_rested(engine: Engine) -> None:
    """Ask a connection for a sign of life before it is used again, if it rested; a dead one is replaced and nobody notices."""

    @event.listens_for(engine, "checkin")
    def _came_back(_connection: Any, record: Any) -> None:
        record.info["back_s"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _goes_out(connection: Any, record: Any, _proxy: Any) -> None:
        back_s = record.info.get("back_s")
        if back_s is None or time.monotonic() - back_s < _TRUSTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            # The pool then closes it and all that are as old, and opens another.
            raise InvalidatePoolError from error


def _open_sqlite(url: str, file: StateFile | None, *, pool_size: int) -> Database:
    if file is None:
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(url, pool_size=pool_size, max_overflow=pool_size, connect_args={"check_same_thread": False})
    mode = "MEMORY" if file is None else safe_journal_mode()

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # We own the transaction: the driver must not begin one behind our back.
        connection.isolation_level = None
        for pragma in (
            f"page_size={_PAGE_BYTES}",
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            f"journal_mode={mode}",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "cache_size=-32000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if file is not None:
            file.opened()

    return Database(engine, is_sqlite=True, file=file)
