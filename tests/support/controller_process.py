"""A controller that is killed and started again: ``tests.support.service`` with places to die, and eyes past the service.

What a test only waits for is asked over the API without a process for each question (``client``), or read in the state
itself (``read``), so that a fault of the service cannot hide itself.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from controller.cli.client import Client
from controller.cli.contexts import Target
from inventory.store.engine import Database, open_database
from tests.support.service import ServiceUnderTest

#: As short as the settings allow: after a kill nobody may touch what the dead one held until then.
HOLD_S = 5
_FINAL = frozenset({"done", "failed", "refused", "cancelled"})
_LOG_END_CHARS = 6000


@dataclass
class ControllerProcess(ServiceUnderTest):
    """One state, and the controller on it: ``start`` and ``kill`` as often as wanted."""

    #: Environment of its processes, before the settings file.
    variables: Mapping[str, str] = field(default_factory=dict)
    _armed: Mapping[str, str] = field(default_factory=dict)
    _database: Database | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        quick = {"ALLOT_RECONCILE__HOLD_S": str(HOLD_S), "ALLOT_LOG__FORMAT": "text"}
        return {**super().environment(), **quick, **self.variables, **self._armed}

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
    controller = ControllerProcess(directory, state_url=first.state_url, variables=shared, is_warm=first.is_warm)
    shutil.copytree(first.contexts, controller.contexts)
    try:
        yield controller
    finally:
        controller.end()


@contextmanager
def controller_process(directory: Path, *, state_url: str = "", **variables: str) -> Iterator[ControllerProcess]:
    """Give a fresh installation that is not started, and end it after."""
    controller = ControllerProcess(directory, state_url=state_url, variables=variables, is_warm=True)
    try:
        controller.ok("init")
        yield controller
    finally:
        controller.end()
