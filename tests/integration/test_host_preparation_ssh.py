"""A far host is prepared over ssh, and only when it is the one whose key we know."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.ansible_programs import have_ansible, have_packages

_ROOT = Path(__file__).parents[2]
# The home of root is given by a copy of the list of accounts, seen in this namespace only.
_SCRIPT = """
set -e
ip link set lo up
sed "s|^\\(root:[^:]*:[^:]*:[^:]*:[^:]*:\\)[^:]*|\\1$1/home|" /etc/passwd >"$1/passwd"
mount --bind "$1/passwd" /etc/passwd
exec "$2" -m tests.support.ssh_preparation "$1"
"""


def test_a_far_host_is_prepared_only_under_its_known_key(tmp_path: Path) -> None:
    have_ansible()
    have_packages("openssh-client", "dropbear-bin")
    for name in ("home", "work", "playbooks"):
        (tmp_path / name).mkdir(mode=0o700)
    task = f"[{{ansible.builtin.copy: {{content: prepared, dest: {tmp_path}/proof}}}}]"
    (tmp_path / "playbooks" / "prepare-host.yml").write_text(f"[{{hosts: all, gather_facts: false, tasks: {task}}}]")
    command = ["unshare", "-m", "-n", "-p", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    done = subprocess.run(
        [*command, "bash", "-c", _SCRIPT, "bash", str(tmp_path), sys.executable],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers == {"known": "changed 1", "stranger": "prepare.unreachable", "empty": "prepare.unreachable"}
    assert (tmp_path / "proof").read_text() == "prepared"
