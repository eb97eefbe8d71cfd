"""The directory one Ansible run lives in: made for it, readable by nobody else, gone after it."""

import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from drivers.ansible.requests import PrepareRequest, unsafe

#: Name of the launcher; it writes its pid, which becomes Ansible's, beside it.
LAUNCHER = "ansible-playbook"
PID = f"{LAUNCHER}.pid"
#: What of our own environment a run may see. The rest may hold secrets (a database URL) and is taken away.
_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK"})
#: Set by ansible-runner itself, from values that are blanked first.
_RUNNERS_OWN = frozenset(
    {
        "ANSIBLE_CALLBACK_PLUGINS",
        "ANSIBLE_STDOUT_CALLBACK",
        "ANSIBLE_RETRY_FILES_ENABLED",
        "ANSIBLE_CACHE_PLUGIN",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION",
        "AWX_ISOLATED_DATA_DIR",
        "RUNNER_OMIT_EVENTS",
        "RUNNER_ONLY_FAILED_EVENTS",
    }
)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@contextmanager
def private_directory(parent: Path | None) -> Iterator[Path]:
    """Give a fresh directory of mode 0700 and wipe it whatever happens; not being able to wipe it is an error."""
    directory = Path(tempfile.mkdtemp(prefix="allot-prepare-", dir=parent))
    try:
        yield directory
    finally:
        rmtree(directory)


def fill(directory: Path, request: PrepareRequest, ansible_playbook: Path) -> dict[str, str]:
    """Write inventory, variables and launcher; return the environment to run with."""
    (directory / "tmp").mkdir(mode=0o700)
    environment = _environment(directory, request)
    _write_json(directory / "inventory" / "hosts.json", _inventory(directory, request))
    _write_json(directory / "env" / "extravars", _variables(request))
    # How often ansible-runner looks at cancel and timeout, in s.
    _write_json(directory / "env" / "settings", {"pexpect_timeout": 1, "suppress_ansible_output": True})
    _write(directory / "ansible.cfg", "[defaults]\n")
    _write(directory / LAUNCHER, _launcher(ansible_playbook, environment), mode=0o700)
    return {name: "" for name in os.environ if name not in _KEPT} | environment


def _inventory(directory: Path, request: PrepareRequest) -> dict[str, Any]:
    """All texts here have passed ``PrepareRequest.check``."""
    host: dict[str, Any] = {"ansible_python_interpreter": "/usr/bin/python3"}
    if request.is_local:
        host |= {"ansible_connection": "local", "ansible_remote_tmp": str(directory / "tmp")}
    else:
        host |= {"ansible_connection": "ssh", "ansible_host": request.address, "ansible_port": request.port}
        host |= {"ansible_user": request.user, "ansible_become": request.user != "root"}
        if request.private_key_path:
            host["ansible_ssh_private_key_file"] = str(request.private_key_path)
    return {"all": {"hosts": {request.host_name: host}}}


def _variables(request: PrepareRequest) -> dict[str, Any]:
    return {
        "libvirt_host_storage": [{"name": unsafe(place.name), "path": unsafe(place.path)} for place in request.storage],
    }


def _environment(directory: Path, request: PrepareRequest) -> dict[str, str]:
    ssh = ["-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "StrictHostKeyChecking=yes"]
    ssh += ["-o", "GlobalKnownHostsFile=/dev/null", "-o", f"UserKnownHostsFile={request.known_hosts_path or '/dev/null'}"]
    return {
        # Ours, so that neither /etc/ansible nor the working directory has a say.
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        # Modules that are ended in the middle leave nothing elsewhere.
        "TMPDIR": str(directory / "tmp"),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_ARGS": " ".join(ssh),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_TIMEOUT": "15",
        "ANSIBLE_INJECT_FACT_VARS": "False",
        "LC_ALL": "C.UTF-8",
    }


def _launcher(ansible_playbook: Path, environment: Mapping[str, str]) -> str:
    """A script that starts Ansible without what ansible-runner copies from our environment."""
    kept = _KEPT | _RUNNERS_OWN | environment.keys()
    names = [name for name in sorted(os.environ) if name not in kept and _ENV_NAME.fullmatch(name)]
    unset = f"unset {' '.join(names)}\n" if names else ""
    return f'#!/bin/sh\necho $$ >"$0.pid"\n{unset}exec {shlex.quote(str(ansible_playbook))} "$@"\n'


def _write_json(path: Path, value: object) -> None:
    _write(path, json.dumps(value))


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
