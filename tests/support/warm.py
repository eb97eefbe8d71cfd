"""Processes of ``allot`` forked from one that has its libraries imported.

Each is a process of its own like any other, with its own environment, directory, standard streams and signals. But the tests
start hundreds of commands and services, and each would spend most of its time importing the same modules. What is proved of
starting itself (command lines, cold imports, ``python -m controller``) is tested with processes that are not warm.
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

#: What commands and the service spend most of their start on importing.
_IMPORTED_BEFORE = (
    "controller.cli.main",
    "controller.api.app",
    "controller.local.init",
    "controller.local.serve",
    "controller.state",
    "drivers.libvirt.driver",
    "rich.console",
    "rich.table",
    "uvicorn",
)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The files standard input, output and error of a process are."""

    stdin: Path
    stdout: Path
    stderr: Path


class WarmProcess:
    """One process of ``allot``; has what the tests use of ``subprocess.Popen``."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], streams: Streams) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_IMPORTED_BEFORE))
        self._arguments = tuple(arguments)
        self._process: ForkServerProcess = context.Process(target=_become, args=(self._arguments, cwd, dict(env), streams))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code, minus the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(["allot", *self._arguments], timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _become(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], streams: Streams) -> None:
    # Source: prctl(2). When the test process ends, however it ends, the fork server ends, and this with it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    _redirect(streams)
    if "error::ResourceWarning" in env.get("PYTHONWARNINGS", ""):
        warnings.simplefilter("error", ResourceWarning)
    from controller.cli.main import run

    sys.argv = ["allot", *arguments]
    sys.exit(run(arguments))


def _redirect(streams: Streams) -> None:
    written = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for number, path, flags in ((0, streams.stdin, os.O_RDONLY), (1, streams.stdout, written), (2, streams.stderr, written)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115  as long as the process
