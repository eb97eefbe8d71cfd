"""``allot apply --wait`` and Ctrl-C while machines are being made: only the telling ends, the machines come to be."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.controller_process import ControllerProcess, controller_process
from tests.support.service import ticket


def _enrol_slow_host(found: ControllerProcess) -> None:
    """Add the one host big machines fit on; each of its verbs takes a while."""
    connection = "simulated://slow/host-slow?cpus=640&memory_mib=5000000&disk_gib=500&delay_ms=2000"
    found.ok(
        "host", "enrol", "host-slow", "--pool", "sim", "--connection", connection, "--storage", "standard:default", "--activate"
    )


def test_ctrl_c_leaves_the_machines_in_the_making(tmp_path: Path) -> None:
    with controller_process(tmp_path / "service") as found:
        found.start()
        found.furnish()
        _enrol_slow_host(found)
        file = found.write("big.yaml", ticket("big", count=1, size="huge"))
        with subprocess.Popen(
            [sys.executable, "-m", "controller", "apply", file, "--yes", "--wait"],
            cwd=found.directory,
            env=found.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as applying:
            assert applying.stderr is not None
            heard = b""
            # The first step that is told: work on the host is under way, and much of it is still to come.
            while b"web-1" not in heard:
                line = applying.stderr.readline()
                assert line, heard.decode()
                heard += line
            applying.send_signal(signal.SIGINT)
            _, rest = applying.communicate(timeout=60)
        told = (heard + rest).decode()
        assert applying.returncode == 130, told
        assert "Traceback" not in told
        with found.client() as client:
            [going] = client.all("/v1/tickets", system="big")
            [making] = client.all("/v1/instances", system="big")
        assert (going["state"], making["phase"]) == ("running", "working"), "interrupted in the middle of the work"
        assert going["id"] in told, "it says which ticket goes on"
        assert "is done" in found.ok("status", going["id"], "--wait").out
        [machine] = found.ok("get", "instances", "--system", "big", "-o", "json").json
        assert machine["observed"] == "running"
        assert len(found.ok("get", "tickets", "--system", "big", "-o", "json").json) == 1
