"""What goes wrong around the service: killed, called twice, port taken, told to stop, out of reach."""

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.service import ServiceUnderTest, free_port, service, ticket


@pytest.fixture
def fresh(tmp_path: Path) -> ServiceUnderTest:
    """An installation that is not initialised."""
    return ServiceUnderTest(tmp_path / "service")


def test_the_second_controller_on_one_state_is_told_who_is_there(running: ServiceUnderTest) -> None:
    assert running.process is not None
    pid, state = running.process.pid, running.state / "state.sqlite"
    elsewhere = {"ALLOT_SERVER__PORT": str(free_port())}
    english, chinese = (running.allot("--lang", language, "serve", environment=elsewhere) for language in ("en", "zh-CN"))
    assert (english.code, chinese.code) == (1, 1)
    assert f"serve.second_controller: another controller (process {pid}) is using {state}" in english.err
    assert f"serve.second_controller：已有另一个控制器（进程 {pid}）在使用 {state}" in chinese.err


def test_a_port_in_use_is_named_with_the_cure(fresh: ServiceUnderTest) -> None:
    fresh.ok("init")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", fresh.port))
        taken.listen()
        english, chinese = (fresh.allot("--lang", language, "serve") for language in ("en", "zh-CN"))
    assert (english.code, chinese.code) == (1, 1)
    assert f"serve.port_in_use: 127.0.0.1:{fresh.port} is in use" in english.err
    assert "what to do" in english.err
    assert f"serve.port_in_use：127.0.0.1:{fresh.port} 已被占用" in chinese.err


def test_a_service_beyond_loopback_needs_tls(fresh: ServiceUnderTest) -> None:
    fresh.ok("init")
    told = fresh.allot("serve", environment={"ALLOT_SERVER__HOST": "192.0.2.1"})
    assert told.code == 1
    assert "settings.tls_required" in told.err


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_named_with_the_cure(fresh: ServiceUnderTest, host: str) -> None:
    # The port is held before a certificate is looked at.
    elsewhere = {"ALLOT_SERVER__HOST": host, "ALLOT_SERVER__TLS_CERTIFICATE": "x.pem", "ALLOT_SERVER__TLS_KEY": "x.key"}
    english, chinese = (fresh.allot("--lang", language, "serve", environment=elsewhere) for language in ("en", "zh-CN"))
    assert (english.code, chinese.code) == (1, 1)
    assert f"serve.address_unusable: Cannot listen on {host}:{fresh.port}" in english.err
    assert "what to do: Check host and port in [server]" in english.err
    assert f"serve.address_unusable：无法监听 {host}:{fresh.port}" in chinese.err


def test_a_state_of_another_schema_is_not_served_and_an_upgrade_makes_one_that_is(fresh: ServiceUnderTest) -> None:
    made = fresh.ok("db", "upgrade")
    assert "0001" in made.out
    assert "0001" in fresh.ok("db", "check").out
    assert fresh.ok("db", "upgrade").out == made.out
    with sqlite3.connect(fresh.state / "state.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    old = fresh.allot("serve")
    assert old.code == 75
    assert "serve.schema_old" in old.err
    assert "0000" in old.err


def test_serving_without_a_state_says_to_initialise(fresh: ServiceUnderTest) -> None:
    told = fresh.allot("serve")
    assert told.code == 75
    assert "serve.not_initialised" in told.err


def test_init_twice_changes_nothing(fresh: ServiceUnderTest) -> None:
    first = fresh.ok("init")
    assert first.out.startswith("allot_")
    token = (fresh.contexts / "default.token").read_text()
    assert first.out == token
    again = fresh.ok("init")
    assert again.out == ""
    assert "there already" in again.err
    assert (fresh.contexts / "default.token").read_text() == token
    assert (fresh.state / "state.sqlite").stat().st_mode & 0o777 == 0o600
    assert fresh.state.stat().st_mode & 0o777 == 0o700
    assert (fresh.contexts / "default.token").stat().st_mode & 0o777 == 0o600


def test_a_lost_operator_token_is_replaced_on_the_machine_itself(fresh: ServiceUnderTest) -> None:
    first = fresh.ok("init").out
    second = fresh.ok("init", "--new-token").out
    assert second != first
    assert (fresh.contexts / "default.token").read_text() == second


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_ends_cleanly_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with service(tmp_path / "service") as found:
        found.ok("apply", found.write("one.yaml", ticket("one", count=3)), "--yes")
        assert found.stop(number) == 0
        with sqlite3.connect(found.state / "state.sqlite") as connection:
            held = connection.execute("SELECT count(*) FROM resources WHERE hold_until_s > unixepoch()").fetchone()[0]
        assert held == 0
        assert "Traceback" not in found.log_text()
        found.start()
        assert "is done" in found.ok("status", "one", "--wait").out


def test_a_killed_controller_loses_nothing_it_accepted(tmp_path: Path) -> None:
    with service(tmp_path / "service") as found:
        # The simulated hosts die with the process: nothing may have been made on them yet.
        found.stop()
        found.start("--paused")
        ticket_id = found.ok("apply", found.write("one.yaml", ticket("one", count=5)), "--yes", "-o", "name").out.strip()
        found.kill()
        away = found.allot("status", ticket_id)
        assert away.code == 75
        assert "cli.server_away" in away.err
        found.start()
        assert "is done" in found.ok("status", ticket_id, "--wait").out
        machines = found.ok("get", "instances", "-o", "json").json
        assert [m["observed"] for m in machines] == ["running"] * 5
        assert len({m["nics"][0]["address"] for m in machines}) == 5
        assert found.ok("quota", "audit").out.startswith("Every counter equals")


def test_a_paused_controller_changes_nothing(tmp_path: Path) -> None:
    with service(tmp_path / "service") as found:
        found.stop()
        found.start("--paused")
        found.ok("apply", found.write("one.yaml", ticket("one")), "--yes")
        late = found.allot("status", "one", "--wait", "--timeout", "2")
        assert late.code == 75
        assert "cli.wait_too_long" in late.err
        assert {m["observed"] for m in found.ok("get", "instances", "-o", "json").json} == {"unknown"}
        # Ctrl-C ends only the telling: the ticket goes on when the loop does.
        with subprocess.Popen(
            [sys.executable, "-m", "controller", "status", "one", "--wait", "--timeout", "60"],
            cwd=found.directory,
            env=found.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as waiting:
            assert waiting.stderr is not None
            heard = waiting.stderr.readline()  # it follows: only now is there something to interrupt
            waiting.send_signal(signal.SIGINT)
            _, rest = waiting.communicate()  # no longer than --timeout
        assert waiting.returncode == 130, (heard + rest).decode()
        assert b"Traceback" not in heard + rest
        assert found.ok("get", "tickets", "-o", "json").json[0]["state"] == "accepted"
        found.stop()
        found.start()
        assert "is done" in found.ok("status", "one", "--wait", "--timeout", "60").out


def test_an_expired_token_is_refused_with_the_cure(running: ServiceUnderTest) -> None:
    file = running.token("brief", "auditor")
    running.ok("--token-file", file, "whoami")
    with sqlite3.connect(running.state / "state.sqlite", timeout=20) as connection:
        connection.execute("UPDATE tokens SET expires_at_s = 1 WHERE user_name = 'brief'")
    told = running.allot("--token-file", file, "whoami")
    assert told.code == 1
    assert "token.expired" in told.err
    assert "what to do" in told.err


def test_a_revoked_token_is_refused(running: ServiceUnderTest) -> None:
    file = running.token("gone", "auditor")
    mine = next(t for t in running.ok("token", "list", "-o", "json").json if t["user_name"] == "gone")
    running.ok("token", "revoke", mine["id"])
    assert "token.revoked" in running.allot("--token-file", file, "whoami").err


def test_a_backup_of_the_running_service_can_be_restored(tmp_path: Path) -> None:
    with service(tmp_path / "service") as found:
        found.ok("apply", found.write("one.yaml", ticket("one")), "--yes", "--wait")
        found.ok("db", "backup", "copy.sqlite")
        assert "db.target_exists" in found.allot("db", "backup", "copy.sqlite").err
        found.ok("apply", found.write("two.yaml", ticket("two")), "--yes", "--wait")
        refused = found.allot("db", "restore", "copy.sqlite", "--yes")
        assert "serve.second_controller" in refused.err
        found.stop()
        found.ok("db", "restore", "copy.sqlite", "--yes")
        found.ok("db", "check")
        found.start()
        assert [s["name"] for s in found.ok("get", "systems", "-o", "json").json] == ["one"]


def test_no_secret_is_written_down(tmp_path: Path) -> None:
    """The operator's token is used in every way there is, then searched for everywhere but in its own file."""
    with service(tmp_path / "service", settings='[log]\nlevel = "debug"', is_warm=False) as found:
        secret = (found.contexts / "default.token").read_text().strip()
        file = found.token("canary", "auditor")
        other = (found.directory / file).read_text().strip()
        found.ok("--token-file", file, "whoami")
        assert found.process is not None
        command_lines = list(_command_lines())
        found.stop()
        for hidden in (secret, other):
            assert hidden not in found.log_text()
            assert not any(hidden.encode() in line for line in command_lines)
            for path in found.state.rglob("*"):
                assert not path.is_file() or hidden.encode() not in path.read_bytes(), path
        assert json.loads((found.contexts / "contexts.json").read_text())["contexts"]["default"]["token_file"] == "default.token"


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # A process may end between being listed and being read.
        with suppress(OSError):
            yield path.read_bytes()


def test_metrics_of_a_running_service_tell_its_hosts(running: ServiceUnderTest) -> None:
    import urllib.request

    with urllib.request.urlopen(f"{running.url}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert "allot_" in text


def test_systemd_is_told_when_the_service_is_ready_and_when_it_stops(tmp_path: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(30)
        found = _Notified(tmp_path / "service", address=str(address))
        found.ok("init")
        found.start()
        try:
            assert listener.recv(100) == b"READY=1"
            assert found.stop() == 0
            assert listener.recv(100) == b"STOPPING=1"
        finally:
            found.kill()


class _Notified(ServiceUnderTest):
    """Started as systemd would start it."""

    def __init__(self, directory: Path, *, address: str) -> None:
        super().__init__(directory)
        self._address = address

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "NOTIFY_SOCKET": self._address}
