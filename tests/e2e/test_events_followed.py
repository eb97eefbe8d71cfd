"""``allot events --follow`` over a controller that is killed and started again: every line once, Ctrl-C ends it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.service import ServiceUnderTest, free_port, ticket


@pytest.fixture
def found(tmp_path: Path) -> Iterator[ControllerProcess]:
    with controller_process(tmp_path / "service") as made:
        made.start()
        made.furnish()
        yield made


def key(line: dict[str, Any]) -> tuple[str, int]:
    """Return what makes a line one."""
    return line["ticket_id"], line["seq"]


def listed(found: ControllerProcess) -> set[tuple[str, int]]:
    """Return every line there is."""
    with found.client() as client:
        return {key(line) for line in client.all("/v1/events")}


class Follower:
    """The command in a process of its own, and what it told so far."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    def read_until(self, wanted: set[tuple[str, int]]) -> None:
        """Read until so many lines were told; there is no end before that."""
        assert self.process.stdout is not None
        while wanted - {key(line) for line in self.lines}:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1].decode()
            self.lines.append(json.loads(line))

    def hear(self) -> str:
        """Return the next line for people."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()

    def interrupt(self) -> str:
        """Press Ctrl-C; returns what else was said."""
        self.process.send_signal(signal.SIGINT)
        rest, said = self.process.communicate(timeout=60)
        self.lines += [json.loads(line) for line in rest.splitlines()]
        return said.decode()


@contextmanager
def following(found: ServiceUnderTest, *arguments: str) -> Iterator[Follower]:
    """Follow events as JSON."""
    with subprocess.Popen(
        [sys.executable, "-m", "controller", "events", "--follow", "-o", "json", *arguments],
        cwd=found.directory,
        env=found.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield Follower(process)
        finally:
            process.kill()


def test_a_controller_that_restarts_is_waited_for_and_no_line_is_lost_or_doubled(found: ControllerProcess) -> None:
    found.ok("apply", found.write("one.yaml", ticket("one")), "--yes", "--wait")
    with following(found, "--since", "2020-01-01") as follower:
        before = listed(found)
        follower.read_until(before)
        found.kill()
        assert "does not answer" in follower.hear()
        found.start()
        assert "answers again" in follower.hear()
        found.ok("apply", found.write("two.yaml", ticket("two")), "--yes", "--wait")
        after = listed(found)
        assert len(after) > len(before) > 0
        follower.read_until(after)
        said = follower.interrupt()
    assert follower.process.returncode == 130
    assert said == "", "it is said once that the service is away, and once that it is back"
    told = [key(line) for line in follower.lines]
    assert len(told) == len(set(told)), "told twice"


def test_of_one_system_only_its_lines_are_told(found: ControllerProcess) -> None:
    found.ok("apply", found.write("old.yaml", ticket("old")), "--yes", "--wait")
    old = listed(found)
    with following(found, "--since", "2020-01-01", "--system", "new") as follower:
        found.ok("apply", found.write("new.yaml", ticket("new")), "--yes", "--wait")
        follower.read_until(listed(found) - old)
        assert follower.interrupt() == ""
    assert {line["system_name"] for line in follower.lines} == {"new"}


def test_a_service_that_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    alone = ServiceUnderTest(tmp_path / "alone", port=free_port())
    told = alone.allot("events", "--follow")
    assert told.code == 75
    assert "cli.server_away" in told.err
    assert "Traceback" not in told.err
