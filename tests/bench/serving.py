"""A controller process to measure: ``allot serve`` with its default settings over a filled state."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inventory.domain.ids import seeded_ids
from inventory.store.engine import open_database
from tests.bench.state import fill
from tests.support.processes import end
from tests.support.service import ROOT, ServiceUnderTest

_READY_S = 120.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Controller:
    """A controller that is ready."""

    pid: int
    port: int
    #: From the start of the process until ``/readyz`` said yes.
    ready_s: float
    #: Processor time it had used by then.
    ready_cpu_s: float

    def cpu_s(self) -> float:
        """Return the processor time it used so far."""
        return cpu_s(self.pid)

    def rss_mb(self) -> float:
        """Return its resident memory (10⁶ bytes)."""
        return _status_kib(self.pid, "VmRSS") * 1024 / 1e6

    def peak_mb(self) -> float:
        """Return the most memory it ever had (10⁶ bytes)."""
        return _status_kib(self.pid, "VmHWM") * 1024 / 1e6


def cpu_s(pid: int) -> float:
    """Return the processor time a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS


def _status_kib(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def prepared(folder: Path, seed: int, *, host_count: int, instance_count: int) -> ServiceUnderTest:
    """Make an installation with a filled state, settings at their defaults but for directory and port."""
    service = installed(folder)
    database = open_database(f"sqlite:///{service.state / 'state.sqlite'}")
    try:
        now_s = time.time()
        new_id = seeded_ids(seed, lambda: int(now_s))
        fill(database, folder, host_count=host_count, instance_count=instance_count, now_s=now_s, new_id=new_id)
    finally:
        database.dispose()
    return service


def installed(folder: Path) -> ServiceUnderTest:
    """Make an empty installation."""
    service = ServiceUnderTest(folder)
    service.config.write_text(f'[state]\ndirectory = "{service.state}"\n[server]\nport = {service.port}\n', encoding="utf-8")
    service.ok("init")
    return service


@contextmanager
def controller(service: ServiceUnderTest, *arguments: str) -> Iterator[Controller]:
    """Start the controller, wait until it is ready, and stop it afterwards."""
    command = [sys.executable, "-m", "tests.bench.serve_prepared", str(service.state / "state.sqlite"), "serve", *arguments]
    environment = {**service.environment(), "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    with service.log.open("ab") as log:
        process = subprocess.Popen(
            command, cwd=service.directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        while not _is_ready(service.port):
            assert process.poll() is None, service.log_text()
            assert time.perf_counter() - started < _READY_S, service.log_text()
            time.sleep(0.005)
        ready_s = time.perf_counter() - started
        yield Controller(process.pid, service.port, ready_s, cpu_s(process.pid))
        assert process.poll() is None, service.log_text()
    finally:
        end(process, 60)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
