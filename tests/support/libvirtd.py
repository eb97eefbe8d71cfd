"""A private libvirt host for tests: libvirtd, virtlogd and the guests in namespaces of their own.

Nothing of the machine's own libvirt, bridges, addresses or firewall is seen or touched, and several of these may run at
once. All processes are below one PID namespace whose init waits on a pipe held by the test process, so that even a killed
test leaves no process, mount or network behind. cgroups are not used in here: there is none to leave behind.
"""

import ctypes
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SCRIPT = Path(__file__).with_name("private_host.sh")
#: The kernel's limit of a unix socket path, less the closing zero byte.
SOCKET_PATH_MAX = 107
CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
Answer = TypeVar("Answer")

LIBVIRTD_CONF = """\
listen_tls = 0
listen_tcp = 0
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
host_uuid = "{host_uuid}"
log_level = 3
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""
QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
remember_owner = 0
cgroup_controllers = []
"""


def until(check: Callable[[], Answer], timeout_s: float, what: str) -> Answer:
    """Return the first true answer of ``check``, asked ten times a second."""
    end = time.monotonic() + timeout_s
    while not (answer := check()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(0.1)
    return answer


@dataclass(frozen=True)
class PrivateLibvirtd:
    """A running private host."""

    base: Path
    process: subprocess.Popen[bytes]
    init_pid: int

    @property
    def socket(self) -> Path:
        """Return the path of libvirtd's socket, as seen from outside."""
        return self.base / "run/libvirt/libvirt-sock"

    @property
    def uri(self) -> str:
        """Return the connection for the driver."""
        return f"qemu+unix:///system?socket={self.socket}"

    def exec_in(self, *command: str, timeout_s: float = 30, check: bool = True) -> str:
        """Run a command inside the host's namespaces and return its standard output."""
        enter = ("nsenter", "-t", str(self.init_pid), "-m", "-u", "-i", "-p", "-n", "--")
        done = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=timeout_s, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def spawn_in(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a command inside the host's network namespace; it ends with the host."""
        enter = ("nsenter", "-t", str(self.init_pid), "-m", "-u", "-i", "-p", "-n", "--")
        return subprocess.Popen(
            [*enter, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def daemon_pid(self, name: str = "libvirtd") -> str:
        """Return the pid of a daemon, as seen inside."""
        return self.exec_in("cat", f"/run/{name}.pid").strip()

    @contextmanager
    def network(self) -> Iterator[None]:
        """Put this thread, and the threads it starts meanwhile, into the host's network; files stay those of the machine."""
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/proc/{self.init_pid}/ns/net").open() as there:
            _enter_network(there.fileno())
            try:
                yield
            finally:
                _enter_network(home.fileno())

    def signal_libvirtd(self, number: signal.Signals) -> None:
        """Send libvirtd a signal."""
        self.exec_in("kill", f"-{number.value}", self.daemon_pid())

    def kill_libvirtd(self) -> None:
        """Kill libvirtd at once and wait until it is gone; the guests go on."""
        pid = self.daemon_pid()
        self.exec_in("kill", "-KILL", pid)
        # One that is still dying would be taken for a running one by whoever starts it again.
        alive = ("sh", "-c", f"kill -0 {pid} 2>/dev/null && echo alive")
        until(lambda: not self.exec_in(*alive, check=False).strip(), 30, "libvirtd is gone")

    def stop(self) -> None:
        """Freeze libvirtd: it accepts nothing and answers nothing."""
        self.signal_libvirtd(signal.SIGSTOP)

    def cont(self) -> None:
        """Let a frozen libvirtd go on."""
        self.signal_libvirtd(signal.SIGCONT)

    def start_libvirtd(self) -> None:
        """Start the daemons that do not run, and wait for the socket to answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"start\n")
        self.process.stdin.flush()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until libvirtd answers."""

        def answers() -> bool:
            assert self.process.poll() is None, (self.base / "log/init.log").read_text()
            asked = subprocess.run(["virsh", "-q", "-c", self.uri, "version"], capture_output=True, timeout=30, check=False)
            return asked.returncode == 0

        until(answers, 60, "libvirtd answers")

    def logs(self) -> str:
        """Return what the daemon logged: for the message of a failed test."""
        log = self.base / "log/libvirtd.log"
        return log.read_text(errors="replace") if log.exists() else ""


def _enter_network(descriptor: int) -> None:
    """Source: setns(2); Python has no call of its own before 3.12."""
    if _LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _prepare(base: Path) -> None:
    for name in (
        "run/libvirt",
        "run/lock",
        "lib/images",
        "log",
        "cache",
        "etc/qemu/networks",
        "etc/nwfilter",
        "etc/hooks",
        "etc/secrets",
    ):
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "etc/libvirtd.conf").write_text(LIBVIRTD_CONF.format(host_uuid=uuid.uuid4()))
    (base / "etc/qemu.conf").write_text(QEMU_CONF)
    (base / "etc/virtlogd.conf").write_text("")
    (base / "etc/libvirt.conf").write_text("")


def _child_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return int(text.split()[0]) if text.split() else 0


@contextmanager
def private_libvirtd(base: Path, prepare: Callable[[Path], None] | None = None) -> Iterator[PrivateLibvirtd]:
    """Start a private host with its state below ``base`` (an empty directory with a short path) and end all of it after.

    ``prepare`` may change its configuration below ``base``, seen as ``/etc/libvirt`` inside.

    Raises:
        PermissionError: not root.
    """
    if os.geteuid() != 0:
        raise PermissionError("a private libvirtd needs root: namespaces, bridges and guests")
    socket = base / "run/libvirt/libvirt-sock"
    assert len(str(socket)) <= SOCKET_PATH_MAX, f"path too long for a unix socket: {socket}"
    _prepare(base)
    if prepare is not None:
        prepare(base / "etc")
    command = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork", "--kill-child", "--propagation", "private"]
    with (base / "log/init.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "bash", str(SCRIPT), str(base)],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        ready = base / "run/host-ready"
        until(lambda: ready.exists() or process.poll() is not None, 30, "private host starts")
        host = PrivateLibvirtd(base, process, _child_of(process.pid) if process.poll() is None else 0)
        host.wait_ready()
        yield host
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)
