"""``allot apply --wait`` says how much of a ticket is done: a bar on a terminal, a line for each tenth elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

from tests.integration.test_work_progress_shown import Terminal
from tests.support.service import ServiceUnderTest, ticket


def test_where_there_is_no_terminal_lines_tell_how_much_is_done(running: ServiceUnderTest) -> None:
    done = running.ok("apply", running.write("lines.yaml", ticket("lines", count=3)), "--yes", "--wait")
    told = re.findall(r"(\d+)/(\d+) \((\d+)%\)", done.err)
    assert told, done.err
    assert len(told) <= 10
    percents = [int(percent) for _, _, percent in told]
    assert percents == sorted(set(percents)), "each tells more than the one before"
    assert all(int(percent) == 100 * int(part) // int(whole) for part, whole, percent in told)
    ticket_id = running.ok("get", "tickets", "--system", "lines", "-o", "json").json[0]["id"]
    found = running.ok("status", ticket_id, "-o", "json").json
    # Machines and the network of the first of their department on that host.
    assert found["settled_count"] == found["resource_count"] >= 3
    assert told[-1] == (str(found["resource_count"]), str(found["resource_count"]), "100")
    assert "web-1" in done.err, "the steps are told too"


def test_a_terminal_shows_a_bar_with_the_part_and_the_percentage(running: ServiceUnderTest, tmp_path: Path) -> None:
    terminal = Terminal()
    file = running.write("bar.yaml", ticket("bar", count=3))
    command = subprocess.Popen(
        [sys.executable, "-m", "controller", "apply", file, "--yes", "--wait"],
        cwd=running.directory,
        env={**running.environment(), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=terminal.end,
    )
    out, _ = command.communicate(timeout=120)
    assert command.returncode == 0, out.decode()
    seen = terminal.rest()
    assert re.search(r"(\d+)/\1 +100%", seen), seen
    assert "web-1" in seen
