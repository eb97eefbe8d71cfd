"""The playbook makes a real libvirt host, once; a run leaves nothing behind and lets nothing in that it should not."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from drivers.ansible.preparer import HostPreparer, PrepareEvent, PrepareEventKind, PrepareRequest
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient
from tests.support.ansible_programs import ANSIBLE_BIN, have_ansible, have_host_packages

_ROOT = Path(__file__).parents[2]
_SUPPORT = _ROOT / "tests" / "support"


@pytest.fixture(scope="module", autouse=True)
def _ansible() -> None:
    have_ansible()


#: Only where the machine's kernel has it as a module that nobody has loaded yet.
_LOAD = "Load the module that filters bridged packets"


@pytest.fixture(scope="module")
def _packages() -> None:
    have_host_packages()


@pytest.fixture(scope="module")
def told(_packages: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What ``tests.support.private_preparation`` told, by step. Its environment holds a secret and a trap for Ansible."""
    base = tmp_path_factory.mktemp("private-host")
    spaces = ["unshare", "-m", "-p", "-n", "-u", "-i", "--fork", "--kill-child", "--propagation", "private"]
    program = [sys.executable, "-m", "tests.support.private_preparation", str(base / "work")]
    done = subprocess.run(
        [*spaces, str(_SUPPORT / "private_preparation.sh"), str(base), *program],
        cwd=_ROOT,
        env=os.environ | {"ALLOT_SECRET": "hush", "ANSIBLE_FORKS": "many", "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {answer.pop("step"): answer for answer in map(json.loads, done.stdout.splitlines())}


def test_check_mode_on_a_bare_machine_changes_nothing_and_says_what_it_would_do(told: dict[str, dict[str, Any]]) -> None:
    before = told["check before"]
    would = [t for t in before["changed_tasks"] if t != _LOAD]
    assert would == ["Keep bridged packets in the packet filter", "Say which daemons would be started"]
    assert before["said"]["Say which daemons would be started"] == "would start libvirtd"
    assert before["pools"].startswith("failed: error: failed to connect")
    assert before["directory"] is False


def test_the_first_run_makes_a_host_with_an_active_pool(told: dict[str, dict[str, Any]]) -> None:
    first = told["first"]
    assert first["pools"] == "allot-test"
    assert first["directory"] is True
    tasks = [
        "Keep bridged packets in the packet filter",
        "Have bridged packets filtered now",
        "Start the daemons",
        "Have the directory",
        "Define the pool",
        "Start the pool",
        "Start the pool with the daemon",
    ]
    assert [t for t in first["changed_tasks"] if t != _LOAD] == tasks
    assert first["events"] == ["changed", "ok", "part", "skipped", "started"]
    assert first["said"]["Start the daemons"] == "libvirtd"


def test_the_second_run_and_a_check_after_it_change_nothing(told: dict[str, dict[str, Any]]) -> None:
    for step in ("second", "check after"):
        assert told[step]["changed"] == 0
        assert told[step]["changed_tasks"] == []
        assert told[step]["ok"] > 10


def test_a_run_says_how_many_of_its_steps_are_done_and_all_of_them_in_the_end(told: dict[str, dict[str, Any]]) -> None:
    totals = {}
    for step in ("first", "second", "check after", "another pool"):
        progress = told[step]["progress"]
        (totals[step],) = {total for _, total in progress}
        assert [done for done, _ in progress] == sorted(done for done, _ in progress)
        assert progress[0][0] == 0
        assert progress[-1] == [totals[step], totals[step]], f"{step}: as many steps as were counted before"
    assert totals["first"] == totals["second"] == totals["check after"] < totals["another pool"]


def test_check_mode_on_a_host_does_not_make_another_pool(told: dict[str, dict[str, Any]]) -> None:
    checked = told["check of another pool"]
    assert checked["changed_tasks"] == ["Have the directory", "Say what would be done to the pool"]
    assert checked["said"]["Say what would be done to the pool"] == "would do: definition, start, autostart"
    assert checked["pools"] == "allot-test"


def test_every_pool_that_is_asked_for_is_made(told: dict[str, dict[str, Any]]) -> None:
    another = told["another pool"]
    assert another["changed_tasks"] == [
        "Have the directory",
        "Define the pool",
        "Start the pool",
        "Start the pool with the daemon",
    ]
    assert another["pools"].split() == ["allot-test", "other"]


def test_a_pool_of_the_same_name_elsewhere_is_left_alone(told: dict[str, dict[str, Any]]) -> None:
    fault = told["another directory"]["fault"]
    assert fault["code"] == "prepare.task_failed"
    assert fault["params"]["detail"] == "There is a storage pool of this name with another type or directory."


def test_only_what_is_missing_is_repaired(told: dict[str, dict[str, Any]]) -> None:
    assert told["stopped pool"]["changed_tasks"] == ["Start the pool"]


def test_no_private_directory_is_left(told: dict[str, dict[str, Any]]) -> None:
    assert {tuple(answer["left"]) for answer in told.values()} == {()}


def preparer_of(tmp_path: Path, tasks: str) -> HostPreparer:
    """A preparer whose playbook is made of ``tasks``."""
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "prepare-host.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    (tmp_path / "private").mkdir()
    return HostPreparer(playbooks, ANSIBLE_BIN, work_dir=tmp_path / "private")


def nothing_left(tmp_path: Path) -> bool:
    return list((tmp_path / "private").iterdir()) == []


LOCAL = PrepareRequest(host_name="this-host")


def test_our_own_environment_stays_out_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOT_DATABASE_URL", "postgresql://allot:hush-hush@db/allot")
    monkeypatch.setenv("ANSIBLE_FORKS", "many")
    monkeypatch.setenv("ANSIBLE_LIBRARY", str(tmp_path))
    tasks = (
        f"    - ansible.builtin.shell: env > {tmp_path}/environment; cat {tmp_path}/private/*/artifacts/*/command"
        f" {tmp_path}/private/*/env/* > {tmp_path}/files; ls -ld {tmp_path}/private/* > {tmp_path}/modes\n"
    )
    result = preparer_of(tmp_path, tasks).prepare(LOCAL)
    assert result.changed_count == 1
    environment = (tmp_path / "environment").read_text()
    assert "ALLOT_DATABASE_URL" not in environment
    assert "ANSIBLE_LIBRARY" not in environment
    assert "hush" not in environment + (tmp_path / "files").read_text()
    assert (tmp_path / "modes").read_text().startswith("drwx------ ")
    assert nothing_left(tmp_path)


def test_a_failed_task_is_named_with_what_it_said(tmp_path: Path) -> None:
    events: list[PrepareEvent] = []
    tasks = "    - name: Look into the box\n      ansible.builtin.command: sh -c 'echo the cat is dead >&2; exit 3'\n"
    with pytest.raises(Permanent) as refused:
        preparer_of(tmp_path, tasks).prepare(LOCAL, on_event=events.append)
    assert refused.value.problem.code == "prepare.task_failed"
    assert refused.value.problem.params["task"] == "Look into the box"
    assert "the cat is dead" in refused.value.problem.params["detail"]
    assert [event.kind for event in events] == [PrepareEventKind.STARTED, PrepareEventKind.FAILED]
    assert nothing_left(tmp_path)


def test_a_playbook_that_cannot_be_read_is_reported_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(DriverFault) as refused:
        preparer_of(tmp_path, "    - no.such.module: {}\n").prepare(LOCAL)
    assert isinstance(refused.value, OutcomeUnknown)
    assert refused.value.problem.code == "prepare.broke_off"
    assert "no.such.module" in refused.value.internal
    assert nothing_left(tmp_path)


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(OutcomeUnknown) as refused:
        preparer_of(tmp_path, "    - ansible.builtin.command: sleep 4711\n").prepare(LOCAL, timeout_s=3)
    assert refused.value.problem.code == "prepare.timeout"
    assert nothing_left(tmp_path)
    assert not sleepers()


def test_a_cancelled_run_is_ended(tmp_path: Path) -> None:
    begun = threading.Event()
    with pytest.raises(OutcomeUnknown) as refused:
        preparer_of(tmp_path, "    - ansible.builtin.command: sleep 4711\n").prepare(
            LOCAL, on_event=lambda event: begun.set(), is_cancelled=begun.is_set
        )
    assert refused.value.problem.code == "prepare.cancelled"
    assert nothing_left(tmp_path)
    assert not sleepers()


def test_an_error_of_the_listener_ends_the_run_and_is_passed_on(tmp_path: Path) -> None:
    def listen(event: PrepareEvent) -> None:
        raise ZeroDivisionError(event.task)

    with pytest.raises(ZeroDivisionError):
        preparer_of(tmp_path, "    - ansible.builtin.command: sleep 4711\n").prepare(LOCAL, on_event=listen)
    assert nothing_left(tmp_path)
    assert not sleepers()


def sleepers() -> bool:
    """Whether a task of ours outlives its run (asked for up to 5 s: ending a process group takes a moment)."""
    end = time.monotonic() + 5
    command = ["pgrep", "--exact", "--full", "sleep 4711"]
    while subprocess.run(command, capture_output=True, check=False).returncode == 0:
        if time.monotonic() > end:
            return True
        threading.Event().wait(0.1)
    return False


def test_a_machine_that_does_not_answer_may_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    request = PrepareRequest(host_name="away", address="127.0.0.1", port=9, known_hosts_path=tmp_path / "known_hosts")
    with pytest.raises(Transient) as refused:
        preparer_of(tmp_path, "    - ansible.builtin.ping: {}\n").prepare(request)
    assert refused.value.problem.code == "prepare.unreachable"
    assert refused.value.problem.params["host"] == "away"
    assert nothing_left(tmp_path)


def test_the_installed_ansible_keeps_its_hands_off_marked_text(tmp_path: Path) -> None:
    """Our second line of defence; the first refuses such text before it comes this far."""
    (tmp_path / "variables").write_text(json.dumps({"given": {"__ansible_unsafe": "{{ 7 * 6 }}"}}))
    task = f"[{{ansible.builtin.copy: {{content: '{{{{ given }}}}', dest: {tmp_path}/out}}}}]"
    play = f"[{{hosts: localhost, connection: local, gather_facts: false, tasks: {task}}}]"
    (tmp_path / "play.yml").write_text(play)
    command = [str(ANSIBLE_BIN / "ansible-playbook"), str(tmp_path / "play.yml"), "-e", f"@{tmp_path}/variables"]
    environment = {
        "PATH": os.environ["PATH"],
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp"),
        "LC_ALL": "C.UTF-8",
    }
    subprocess.run(command, check=True, capture_output=True, env=environment)
    assert (tmp_path / "out").read_text() == "{{ 7 * 6 }}"
