"""What the tests of host preparation need on the machine, installed where it is missing."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import yaml

_ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_BIN = _ROOT / ".venv-ansible" / "bin"


@cache
def have_ansible() -> None:
    """Make the environment Ansible lives in, from its lock file."""
    if (ANSIBLE_BIN / "ansible-playbook").exists():
        return
    uv = str(Path(sys.executable).with_name("uv"))
    venv = str(ANSIBLE_BIN.parent)
    subprocess.run([uv, "venv", "-q", venv], check=True, cwd=_ROOT)
    lock = "requirements-ansible.lock"
    subprocess.run([uv, "pip", "sync", "-q", "--require-hashes", "--python", venv, lock], check=True, cwd=_ROOT)


def have_host_packages() -> None:
    """Install what the role would install, on the machine itself: private hosts share its programs."""
    defaults = yaml.safe_load((_ROOT / "playbooks/roles/libvirt_host/defaults/main.yml").read_text(encoding="utf-8"))
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    have_packages(*defaults["libvirt_host_packages"], defaults["libvirt_host_emulators"][architecture])


def have_packages(*names: str) -> None:
    """Install Debian packages."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]
    have = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    missing = [name for name in names if f"{name} installed" not in have]
    if missing:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=quiet)
