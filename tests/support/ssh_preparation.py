"""Prepares a host over real ssh, to a server that runs as the child of this program; tells what happened as JSON.

Run by ``tests/integration/test_host_preparation_ssh.py`` in mount and network namespaces of its own, where the home of root is
a directory of the test: neither the machine's keys nor its network are seen.
"""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from drivers.ansible.preparer import HostPreparer, PrepareRequest
from drivers.faults import DriverFault

_ROOT = Path(__file__).resolve().parents[2]
_PORT = 2222


def make_keys(home: Path) -> tuple[Path, str]:
    """Make the server's key and the client's, let the client in; return the client's key and the server's public half."""
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "client")], check=True)
    (ssh / "authorized_keys").write_text((home / "client.pub").read_text())
    (ssh / "authorized_keys").chmod(0o600)
    command = ["dropbearkey", "-t", "ed25519", "-f", str(home / "server")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return home / "client", next(line for line in told.splitlines() if line.startswith("ssh-ed25519 "))


def wait_for_server() -> None:
    end = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", _PORT)) == 0:
                return
        assert time.monotonic() < end, "the ssh server did not come up"
        time.sleep(0.05)


def outcome(preparer: HostPreparer, key: Path, known_hosts: Path) -> str:
    request = PrepareRequest(host_name="far", address="127.0.0.1", port=_PORT, private_key_path=key, known_hosts_path=known_hosts)
    try:
        return f"changed {preparer.prepare(request).changed_count}"
    except DriverFault as fault:
        return fault.problem.code


def main(base: Path) -> None:
    key, server_key = make_keys(base / "home")
    serve = ["dropbear", "-F", "-s", "-p", f"127.0.0.1:{_PORT}", "-r", str(base / "home" / "server"), "-P", str(base / "pid")]
    server = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_server()
        preparer = HostPreparer(base / "playbooks", _ROOT / ".venv-ansible" / "bin", work_dir=base / "work")
        known, stranger = base / "known", base / "stranger"
        known.write_text(f"[127.0.0.1]:{_PORT} {server_key}\n")
        stranger.write_text(f"[127.0.0.1]:{_PORT} {(base / 'home' / 'client.pub').read_text()}")
        (base / "empty").write_text("")
        answers = {path.name: outcome(preparer, key, path) for path in (known, stranger, base / "empty")}
    finally:
        server.kill()
        server.wait(10)
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
