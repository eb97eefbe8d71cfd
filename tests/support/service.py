"""A real ``allot serve`` on SQLite with a simulated pool in a directory of the test, and ``allot`` to call it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.empty_image import qcow2
from tests.support.warm import Streams, WarmProcess

ROOT = Path(__file__).resolve().parents[2]
#: A machine with other work to do takes long; only a controller that hangs takes longer.
_READY_S = 120.0
_END_S = 120.0

SITE = """\
apiVersion: allotment/v1
kind: Site
departments:
  - {code: city-hall, name: 市政府}
  - {code: civil-affairs, name: 市民政局, parent: city-hall}
  - {code: education, name: 市教委, parent: city-hall}
projects:
  - {code: P-PORTAL, name: 门户网站, department: civil-affairs, budget-code: "2080299"}
  - {code: P-SCHOOL, name: 教学, department: education, budget-code: "2050101"}
zones:
  - {code: gov-public, name: 政务外网, network-class: gov-public, mlps-max: 3, address-range: 10.96.0.0/16, segment-prefix: 26}
pools:
  - {code: sim, name: 模拟, zone: gov-public, driver: simulated, mlps-max: 3, overcommit: {vcpu: "4.0", memory: "1.0"}}
sizes:
  - {name: tiny, vcpu: 1, memory: 128MiB, root-disk: 1GiB}
  - {name: huge, vcpu: 512, memory: 4096GiB, root-disk: 1GiB}
images:
  - {name: demo-linux, title: 演示系统, arch: x86_64, file: demo-linux.qcow2}
quotas:
  - {department: education, vcpu: 1, memory: 1GiB, disk: 10GiB, instances: 1, volumes: 1, addresses: 1}
prices:
  - {meter: vcpu, unit: vcpu-hour, price: "0.076400", valid-from: 2026-01-01}
  - {meter: memory_gib, unit: GiB-hour, price: "0.038900", valid-from: 2026-01-01}
  - {meter: "disk_gib:standard", unit: GiB-hour, price: "0.000700", valid-from: 2026-01-01}
  - {meter: address, unit: address-hour, price: "0.003000", valid-from: 2026-01-01}
"""


def ticket(
    name: str,
    *,
    count: int = 1,
    size: str = "tiny",
    department: str = "civil-affairs",
    project: str = "P-PORTAL",
    environment: str = "test",
) -> str:
    """Return a ticket for one group of machines with a data disk each."""
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: create}}
applicant: {{department: {department}, contact: {{name: 张三, phone: "020-81234567"}}}}
project: {{code: {project}}}
system: {{mlps: {{level: 2}}, network: gov-public}}
lease: {{end: 12个月}}
environment: {environment}
resources:
  servers:
    - {{name: web, count: {count}, size: {size}, image: demo-linux, disks: [{{name: data, size: 1GiB, class: standard}}]}}
"""


@dataclass(frozen=True)
class Ended:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class ServiceUnderTest:
    """One installation: its directory, its settings, and its process while there is one."""

    directory: Path
    port: int = field(default_factory=free_port)
    #: Further lines of the settings file.
    settings: str = ""
    #: PostgreSQL; empty: SQLite in the directory.
    state_url: str = ""
    process: subprocess.Popen[bytes] | WarmProcess | None = None
    #: Longest a command may take; longer than what it is itself told to wait for.
    command_s: float = 120.0
    #: Its processes are forked from one that has the libraries imported (``tests.support.warm``).
    is_warm: bool = False

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = [
            f'[state]\ndirectory = "{self.state}"\nurl = "{self.state_url}"',
            f"[server]\nport = {self.port}",
            "[reconcile]\nobserve_interval_s = 1\ngraceful_stop_s = 0",
            "[metrics]\nsnapshot_interval_s = 1",
            self.settings,
        ]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def state(self) -> Path:
        """The directory of the state."""
        return self.directory / "state"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.directory / "controller.toml"

    @property
    def contexts(self) -> Path:
        """The directory of contexts of the command line."""
        return self.directory / "contexts"

    @property
    def log(self) -> Path:
        """What the service wrote on standard error."""
        return self.directory / "serve.log"

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes: nothing of the person who runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLOT_", "LC_", "NOTIFY_"))}
        own = {"ALLOT_CONFIG": str(self.config), "ALLOT_CONTEXT_DIR": str(self.contexts), "LANG": "en_US.UTF-8"}
        return {**kept, **own, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONWARNINGS": "error::ResourceWarning"}

    def allot(self, *arguments: str, stdin: str | None = None, environment: Mapping[str, str] | None = None) -> Ended:
        """Run a command and return what it did; nobody sits at its terminal."""
        env = {**self.environment(), **(environment or {})}
        if self.is_warm:
            return self._allot_warm(arguments, stdin or "", env)
        done = subprocess.run(
            [sys.executable, "-m", "controller", *arguments],
            cwd=self.directory,
            env=env,
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=self.command_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _allot_warm(self, arguments: Sequence[str], stdin: str, env: Mapping[str, str]) -> Ended:
        with tempfile.TemporaryDirectory(prefix="allot-streams-") as folder:
            streams = Streams(stdin=Path(folder) / "in", stdout=Path(folder) / "out", stderr=Path(folder) / "err")
            streams.stdin.write_text(stdin, encoding="utf-8")
            process = WarmProcess(arguments, cwd=self.directory, env=env, streams=streams)
            try:
                code = process.wait(self.command_s)
            finally:
                process.kill()
            return Ended(code, streams.stdout.read_text(encoding="utf-8"), streams.stderr.read_text(encoding="utf-8"))

    def ok(self, *arguments: str, stdin: str | None = None) -> Ended:
        """Run a command that must succeed."""
        done = self.allot(*arguments, stdin=stdin)
        assert done.code == 0, f"allot {' '.join(arguments)} ended with {done.code}\n{done.out}\n{done.err}\n{self.log_text()}"
        return done

    def log_text(self) -> str:
        """Return what the service logged so far."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""

    def start(self, *arguments: str) -> None:
        """Start the service and wait until it is ready."""
        self.process = self._started(["serve", *arguments])
        deadline = time.monotonic() + _READY_S
        while not self.is_ready():
            assert self.process.poll() is None, f"allot serve ended with {self.process.returncode}\n{self.log_text()}"
            assert time.monotonic() < deadline, f"allot serve is not ready after {_READY_S} s\n{self.log_text()}"
            time.sleep(0.05)

    def _started(self, arguments: Sequence[str]) -> subprocess.Popen[bytes] | WarmProcess:
        if self.is_warm:
            streams = Streams(stdin=Path(os.devnull), stdout=self.log, stderr=self.log)
            return WarmProcess(arguments, cwd=self.directory, env=self.environment(), streams=streams)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "controller", *arguments],
                cwd=self.directory,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def is_ready(self) -> bool:
        """Tell whether the service says it may take traffic."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            # It answers, and says what it still waits for.
            error.close()
            return False
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the service politely and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(_END_S)
        self.process = None
        return code

    def kill(self) -> None:
        """Kill the service in the middle of whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(_END_S)
            self.process = None

    def furnish(self, host_count: int = 2) -> None:
        """Import a small city and enrol simulated hosts."""
        (self.directory / "demo-linux.qcow2").write_bytes(qcow2())
        (self.directory / "site.yaml").write_text(SITE, encoding="utf-8")
        self.ok("import", "site.yaml", "--yes")
        for number in range(1, host_count + 1):
            connection = f"simulated://world/host-{number}?cpus=16&memory_mib=65536&disk_gib=500"
            arguments = ("--pool", "sim", "--connection", connection, "--storage", "standard:default", "--rack", f"A0{number}")
            self.ok("host", "enrol", f"host-{number}", *arguments, "--activate")

    def token(self, user: str, role: str, department: str = "") -> str:
        """Make a token and return the name of its file."""
        file = f"{user}.token"
        place = ("--department", department) if department else ()
        self.ok("token", "create", user, "--role", role, *place, "--file", file)
        return file

    def write(self, name: str, text: str) -> str:
        """Write a document beside the service and return its name."""
        (self.directory / name).write_text(text, encoding="utf-8")
        return name


@contextmanager
def service(
    directory: Path, *, settings: str = "", state_url: str = "", is_furnished: bool = True, is_warm: bool = True
) -> Iterator[ServiceUnderTest]:
    """Run a fresh installation; nothing of it is left afterwards but files of the test."""
    under_test = ServiceUnderTest(directory, settings=settings, state_url=state_url, is_warm=is_warm)
    under_test.ok("init")
    try:
        under_test.start()
        if is_furnished:
            under_test.furnish()
        yield under_test
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            under_test.kill()
