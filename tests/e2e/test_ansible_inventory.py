"""Ansible itself reads the platform's hosts through the script that ships, asks a service for them, and reaches one."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.ansible_programs import ANSIBLE_BIN, have_ansible
from tests.support.service import ROOT, ServiceUnderTest

SCRIPT = ROOT / "etc" / "ansible" / "allotment"
POOL = """\
apiVersion: allotment/v1
kind: Site
pools:
  - {code: real-a, name: 测试, zone: gov-public, driver: libvirt, mlps-max: 3}
"""


def ansible(service: ServiceUnderTest, program: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs as an operator would: the script finds service and token by the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ALLOT_", "ANSIBLE_"))}
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(service.directory),
        "ANSIBLE_HOME": str(service.directory / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        "ALLOT_SERVER": service.url,
        "ALLOT_TOKEN_FILE": str(service.directory / "ansible.token"),
    }
    command = [str(ANSIBLE_BIN / program), "-i", str(SCRIPT), *arguments]
    return subprocess.run(
        command, cwd=service.directory, env=kept | own | changes, capture_output=True, text=True, timeout=120, check=False
    )


def listed(service: ServiceUnderTest) -> Mapping[str, Any]:
    done = ansible(service, "ansible-inventory", "--list")
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def furnished(running: ServiceUnderTest) -> ServiceUnderTest:
    """The service with a host of libvirt beside the simulated ones, and an auditor's token in a private file."""
    have_ansible()
    if not (running.directory / "ansible.token").exists():
        running.ok("import", running.write("pool.yaml", POOL), "--yes")
        enrol = ("host", "enrol", "this-machine", "--pool", "real-a", "--connection", "test:///default")
        running.ok(*enrol, "--storage", "standard:default-pool", "--site", "{{ 7 * 7 }}", "--rack", "A01", "--trait", "ssd")
        running.ok(
            "token", "create", "wang", "--role", "auditor", "--days", "1", "--file", str(running.directory / "ansible.token")
        )
    return running


def test_ansible_reads_groups_and_variables(furnished: ServiceUnderTest) -> None:
    found = listed(furnished)
    assert found["allot"]["hosts"] == ["this-machine"], "simulated hosts are no machines to log in to"
    assert found["allot_pool_real_a"]["hosts"] == found["allot_zone_gov_public"]["hosts"] == ["this-machine"]
    assert found["allot_state_enrolled"]["hosts"] == ["this-machine"]
    known = found["_meta"]["hostvars"]["this-machine"]
    # Ansible prints what is no template the way it was handed in.
    assert (known["allot_rack"], known["allot_pool"]) == ({"__ansible_unsafe": "A01"}, "real-a")
    assert known["allot_traits"] == [{"__ansible_unsafe": "ssd"}]
    assert known["ansible_connection"] == "local", socket.gethostname()


def test_a_change_on_the_platform_is_seen_at_once(furnished: ServiceUnderTest) -> None:
    furnished.ok("host", "activate", "this-machine")
    assert listed(furnished)["allot_state_active"]["hosts"] == ["this-machine"]
    assert "allot_state_enrolled" not in listed(furnished)


def test_ansible_reaches_the_host_and_takes_no_word_of_it_for_a_template(furnished: ServiceUnderTest) -> None:
    done = ansible(furnished, "ansible", "allot", "-m", "ansible.builtin.debug", "-a", "var=allot_site")
    assert "{{ 7 * 7 }}" in done.stdout, done.stderr
    assert "49" not in done.stdout
    ping = ansible(
        furnished, "ansible", "allot", "-m", "ansible.builtin.ping", "-e", "ansible_python_interpreter=/usr/bin/python3"
    )
    assert (ping.returncode, '"ping": "pong"' in ping.stdout) == (0, True), ping.stdout + ping.stderr


def test_without_a_good_token_ansible_is_told_why(furnished: ServiceUnderTest) -> None:
    bad = furnished.directory / "bad.token"
    bad.write_text("allot_" + "x" * 43, encoding="utf-8")
    bad.chmod(0o600)
    done = ansible(furnished, "ansible-inventory", "--list", ALLOT_TOKEN_FILE=str(bad), ANSIBLE_INVENTORY_UNPARSED_FAILED="True")
    assert done.returncode != 0
    assert "token.unknown" in done.stderr


def test_a_department_cannot_list_the_hosts(furnished: ServiceUnderTest) -> None:
    furnished.ok(
        *("token", "create", "zhang", "--role", "department_admin", "--department", "education", "--days", "1"),
        *("--file", str(furnished.directory / "dept.token")),
    )
    done = ansible(
        furnished,
        "ansible-inventory",
        "--list",
        ALLOT_TOKEN_FILE=str(furnished.directory / "dept.token"),
        ANSIBLE_INVENTORY_UNPARSED_FAILED="True",
    )
    assert (done.returncode != 0, "access.role_forbidden" in done.stderr) == (True, True), done.stderr
