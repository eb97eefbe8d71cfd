"""A private PostgreSQL server for tests and benchmarks: own data, own socket, no TCP port, gone afterwards.

The server is a child of the test process and is told by the kernel to stop when that process dies, so that even a killed
test leaves no server behind. As root it runs as the user ``postgres`` that Debian's package brings.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import create_engine

from controller.schema import METADATA
from tests.support.scratch import in_memory

_USER = "postgres"
_TEMPLATE = "allotment_template"
_START_S = 60
#: Small on purpose: many of these may run beside each other on one machine.
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "logging_collector": "off",
    "autovacuum_naptime": "5s",
    "timezone": "UTC",
}
#: For tests of behaviour; never for published numbers or tests of durability.
_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """Return the directory of the newest installed server.

    Raises:
        FileNotFoundError: no server is installed.
    """
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        raise FileNotFoundError("no PostgreSQL server below /usr/lib/postgresql: apt-get install postgresql")
    return max(found, key=lambda p: float(p.parent.name))


def _as_user(command: list[str]) -> list[str]:
    """Return ``command`` run without root's rights, and ended (fast) when the test process dies."""
    identity = [f"--reuid={_USER}", f"--regid={_USER}", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *identity, "--pdeathsig=QUIT", "--", *command]


@dataclass
class PostgresServer:
    """A running server; ``stop`` and ``start`` are for tests of a state that goes away and comes back."""

    base: Path
    durable: bool
    _process: "subprocess.Popen[bytes] | None" = None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))
    _template_lock: threading.Lock = field(default_factory=threading.Lock)
    _has_template: bool = False

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.base / "data"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database on this server."""
        return f"postgresql://{_USER}@/{database}?host={self.base}"

    def _settings(self) -> list[str]:
        chosen = {**_SETTINGS, "unix_socket_directories": str(self.base), **({} if self.durable else _UNSAFE)}
        return [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]

    def initialise(self) -> None:
        """Make the data directory."""
        command = [str(binaries() / "initdb"), "-D", str(self.data), "-U", _USER, "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C.UTF-8", *([] if self.durable else ["--no-sync"])]
        done = subprocess.run(_as_user(command), cwd=self.base, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [str(binaries() / "postgres"), "-D", str(self.data), *self._settings()]
        with (self.base / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                _as_user(command), cwd=self.base, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start: {(self.base / 'server.log').read_text()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server: at once by default (SIGQUIT, as after a crash), SIGINT for an orderly end."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def create_database(self, *, empty: bool = False) -> str:
        """Make a database with all tables (or none) and return its URL."""
        name = f"test_{next(self._numbers)}"
        if empty:
            self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return self.url(name)
        with self._template_lock:
            self._ensure_template()
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            self._run(statement.format(sql.Identifier(name), sql.Identifier(_TEMPLATE)))
        return self.url(name)

    def _ensure_template(self) -> None:
        if self._has_template:
            return
        self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
        engine = create_engine(self.url(_TEMPLATE).replace("postgresql:", "postgresql+psycopg:", 1))
        METADATA.create_all(engine)
        engine.dispose()
        self._has_template = True

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        name = url.partition("@/")[2].partition("?")[0]
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def private_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Start a private server and end it, with all its data, afterwards.

    ``durable`` keeps fsync on: for published numbers and tests of crashes.

    Raises:
        FileNotFoundError: no server is installed.
    """
    base = Path(tempfile.mkdtemp(prefix="allot-pg-", dir=None if durable else in_memory()))
    try:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(_USER)
            os.chown(base, entry.pw_uid, entry.pw_gid)
        base.chmod(0o755)
        server = PostgresServer(base, durable)
        server.initialise()
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(base)
