"""A controller that is killed and started again: ``tests.support.service`` with places to die, and eyes past the service.

What a test only waits for is asked over the API without a process for each question (``client``), or read in the state
itself (``read``), so that a fault of the service cannot hide itself.
"""

import ctypes
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection

from controller.cli.client import Client
from controller.cli.contexts import Target
from inventory.store.engine import Database, open_database
from tests.support.service import ServiceUnderTest

#: As short as the settings allow: after a kill nobody may touch what the dead one held until then.
HOLD_S = 5
START_S = 120.0
#: What a start of the service spends most of its time on importing. Where to die is read later, when a first place is passed.
_IMPORTED_BEFORE = ("controller.api.app", "controller.local.serve", "controller.state", "drivers.libvirt.driver", "uvicorn")
_PR_SET_PDEATHSIG = 1
_FINAL = frozenset({"done", "failed", "refused", "cancelled"})
_LOG_END_CHARS = 6000


class ForkedService:
    """``allot serve`` as a process of its own like any other, but forked from one that has the libraries imported already.

    A test that starts the service fifty times would spend most of its time importing. Has what is used of ``Popen``.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str], log: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_IMPORTED_BEFORE))
        self._process = context.Process(target=_serve, args=(str(directory), dict(environment), str(log)))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Return the exit code, minus the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("allot serve", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()


def _serve(directory: str, environment: Mapping[str, str], log: str) -> None:
    # Source: prctl(2). When the test process ends, however it ends, the fork server ends, and this with it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    written = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    from controller.cli.main import run

    sys.exit(run(["serve"]))


@dataclass
class ControllerProcess(ServiceUnderTest):
    """One state, and the controller on it: ``start`` and ``kill`` as often as wanted."""

    #: Environment of its processes, before the settings file.
    variables: Mapping[str, str] = field(default_factory=dict)
    is_forked: bool = False
    _armed: Mapping[str, str] = field(default_factory=dict)
    _database: Database | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        quick = {"ALLOT_RECONCILE__HOLD_S": str(HOLD_S), "ALLOT_LOG__FORMAT": "text"}
        return {**super().environment(), **quick, **self.variables, **self._armed}

    def start(self, *arguments: str) -> None:
        """Start the service and wait until it is ready."""
        if not self.is_forked:
            super().start(*arguments)
            return
        forked = ForkedService(self.directory, self.environment(), self.log)
        # It has what the other methods here call; nothing else does.
        self.process = cast("subprocess.Popen[bytes]", forked)
        end = time.monotonic() + START_S
        while not self.is_ready():
            assert forked.poll() is None, f"allot serve ended with {forked.returncode}\n{self.log_end()}"
            assert time.monotonic() < end, f"allot serve is not ready after {START_S} s\n{self.log_end()}"
            time.sleep(0.05)

    def start_armed(self, *, failpoint: str = "", record: Path | None = None) -> None:
        """Start the controller with a place where it is to die by SIGKILL, or a file that hears of every place it passes."""
        armed = {"ALLOT_FAILPOINT": failpoint, "ALLOT_FAILPOINT_RECORD": str(record) if record else ""}
        self._armed = {name: value for name, value in armed.items() if value}
        try:
            self.start()
        except AssertionError:
            # It may strike before it was ever ready: then the process is there to be waited for.
            if not (failpoint and self.process is not None and self.process.poll() == -signal.SIGKILL):
                raise
        finally:
            self._armed = {}

    def wait_killed(self, timeout_s: float) -> None:
        """Wait until the process has died by SIGKILL."""
        assert self.process is not None
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the controller still lives after {timeout_s} s\n{self.log_end()}") from None
        assert code == -signal.SIGKILL, f"exit {code}\n{self.log_end()}"
        self.process = None

    def log_end(self) -> str:
        """Return the end of the log: for the message of a failed test."""
        return self.log_text()[-_LOG_END_CHARS:]

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a client of the API with the operator's token."""
        token = (self.contexts / "default.token").read_text(encoding="ascii").strip()
        client = Client(Target(server=self.url, token=token), "en")
        try:
            yield client
        finally:
            client.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Look into the state past the service."""
        if self._database is None:
            self._database = open_database(self.state_url or f"sqlite:///{self.state / 'state.sqlite'}")
        with self._database.read() as connection:
            yield connection

    def wait_ticket(self, ticket_id: str, timeout_s: float = 120) -> dict[str, Any]:
        """Wait until a ticket has ended, which must be well."""
        end = time.monotonic() + timeout_s
        with self.client() as client:
            while (ticket := client.get(f"/v1/tickets/{ticket_id}"))["state"] not in _FINAL:
                if time.monotonic() > end:
                    raise TimeoutError(f"after {timeout_s} s: {ticket}\n{self.log_end()}")
                time.sleep(0.2)
        assert ticket["state"] == "done", f"{ticket}\n{self.log_end()}"
        return ticket

    def end(self) -> None:
        """Leave no process behind."""
        self.kill()
        if self._database is not None:
            self._database.dispose()


@contextmanager
def second_controller(first: ControllerProcess, directory: Path) -> Iterator[ControllerProcess]:
    """Give another controller on the same PostgreSQL state, with the same images and tokens, at another port; not started."""
    shared = {**first.variables, "ALLOT_STATE__DIRECTORY": str(first.state)}
    controller = ControllerProcess(directory, state_url=first.state_url, variables=shared, is_forked=first.is_forked)
    shutil.copytree(first.contexts, controller.contexts)
    try:
        yield controller
    finally:
        controller.end()


@contextmanager
def controller_process(
    directory: Path, *, is_forked: bool = False, state_url: str = "", **variables: str
) -> Iterator[ControllerProcess]:
    """Give a fresh installation that is not started, and end it after."""
    controller = ControllerProcess(directory, state_url=state_url, variables=variables, is_forked=is_forked)
    try:
        controller.ok("init")
        yield controller
    finally:
        controller.end()
