"""The region's processes: each in a session of its own, known by pid and start time, so that no other is ever signalled.

Beside those, whatever bears the region's mark in its environment is the region's.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.region.layout import Layout

POLL_S = 0.2
#: In the environment of every process of a region: the region's directory.
MARK = "REGION_DIR"
#: Stopped last, in this order: the others write to them until they are gone.
FOUNDATIONS = ("memcached", "broker", "database", "epmd")
STOP_S = {"broker": 40.0, "database": 40.0}
DEFAULT_STOP_S = 12.0


class RegionError(RuntimeError):
    """The region did not come up; says what to read."""


@dataclass(frozen=True)
class Processes:
    """Starts and stops what runs for one region."""

    layout: Layout

    def start(self, name: str, command: Sequence[str | Path], port: int, environment: Mapping[str, str] | None = None) -> None:
        """Start a process unless it runs; ``port`` is the one it will listen on, 0 for none.

        Raises:
            RegionError: another program listens there.
        """
        if self.is_alive(name):
            return
        if port and listens(port):
            raise RegionError(
                f"another program listens on port {port}, which {name} needs: end it,"
                " or give this region other ports (ALLOT_REGION_FIRST_PORT, 60 from there on)"
            )
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.layout.directory,
                env={**common_environment(self.layout), **(environment or {})},
            )
        self._pid_file(name).write_text(f"{process.pid} {_start_time(process.pid)}")
        process.returncode = 0  # it outlives us: Popen must not warn about a child that still runs

    def is_alive(self, name: str) -> bool:
        """Tell whether the process we started still runs."""
        return self._pid(name) is not None

    def wait(self, name: str, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until a started process answers.

        Raises:
            RegionError: it ended, or did not answer in time.
        """
        end = time.monotonic() + timeout_s
        while not is_ready():
            if not self.is_alive(name):
                raise RegionError(f"{name} ended; the end of {self._log(name)}:\n{self._tail(name)}")
            if time.monotonic() > end:
                raise RegionError(
                    f"{name} is not ready after {timeout_s:.0f} s; the end of {self._log(name)}:\n{self._tail(name)}"
                )
            time.sleep(POLL_S)

    def kill(self, name: str, with_signal: int = signal.SIGKILL) -> None:
        """Send a signal to one process and all it started, and see it end."""
        pid = self._pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, with_signal)
            end = time.monotonic() + DEFAULT_STOP_S
            while self.is_alive(name) and time.monotonic() < end:
                time.sleep(POLL_S)

    def stop(self, names: Sequence[str]) -> None:
        """End processes, side by side: asked first, killed after a while."""
        pids = {name: pid for name in names if (pid := self._pid(name)) is not None}
        for pid in pids.values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for name, pid in pids.items():
            end = time.monotonic() + STOP_S.get(name, DEFAULT_STOP_S)
            while self.is_alive(name) and time.monotonic() < end:
                time.sleep(POLL_S)
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        for name in names:
            self._pid_file(name).unlink(missing_ok=True)

    def stop_all(self) -> None:
        """End everything of the region."""
        names = self.names()
        self.stop([n for n in names if n not in FOUNDATIONS])
        for name in FOUNDATIONS:
            self.stop([name])
        # What was started in the moment somebody gave up, or left its session, is known by its environment.
        for pid in self._marked():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _marked(self) -> list[int]:
        """Return the processes that bear the region's mark."""
        mark = f"{MARK}={self.layout.directory}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            # Others' processes, and those that end meanwhile, cannot be read.
            with suppress(OSError):
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def cpu_s(self) -> float:
        """Return the processor time that what runs of the region has used so far."""
        sessions = {str(pid) for name in self.names() if (pid := self._pid(name)) is not None}
        ticks = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = file.read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12]) if fields[3] in sessions else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def names(self) -> list[str]:
        """Return the names of everything that was started and not stopped."""
        return sorted(path.stem for path in self.layout.sub("run").glob("*.pid"))

    def _pid_file(self, name: str) -> Path:
        return self.layout.sub("run") / f"{name}.pid"

    def _log(self, name: str) -> Path:
        return self.layout.sub("log") / f"{name}.log"

    def _tail(self, name: str) -> str:
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-15:])

    def _pid(self, name: str) -> int | None:
        file = self._pid_file(name)
        if not file.exists():
            return None
        pid, _, started = file.read_text().partition(" ")
        return int(pid) if started and _start_time(int(pid)) == started else None


def common_environment(layout: Layout) -> dict[str, str]:
    """Return what every process is given; nothing of ours, least of all a proxy or a certificate for the world outside."""
    kept = {name: os.environ[name] for name in ("TMPDIR", "TZ") if name in os.environ}
    return {**kept, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", MARK: str(layout.directory)}


def _start_time(pid: int) -> str:
    """Return when a process began (clock ticks after boot), empty for one that ended. Source: proc(5), stat, field 22."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


def listens(port: int) -> bool:
    """Tell whether something on loopback takes connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
