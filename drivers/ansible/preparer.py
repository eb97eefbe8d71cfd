"""Prepares hosts: runs ``playbooks/prepare-host.yml`` through ansible-runner and tells what it does while it does it.

Called by the enrolment workflow (``allot host enrol --prepare``) and by the demo. ansible-runner lives in our virtual
environment and is imported on first use; Ansible itself is a program in an environment of its own.
"""

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from drivers.ansible.private_directory import LAUNCHER, PID, fill, private_directory
from drivers.ansible.process_tree import end_tree
from drivers.ansible.requests import PrepareRequest, StoragePlace
from drivers.ansible.task_count import count_tasks
from drivers.faults import DriverFault, OutcomeUnknown, Permanent, Transient

__all__ = ["HostPreparer", "PrepareEvent", "PrepareEventKind", "PrepareRequest", "PrepareResult", "StoragePlace"]

_DETAIL_MAX = 2000


class PrepareEventKind(StrEnum):
    """What a line of progress says."""

    STARTED = "started"
    #: A part of a step is done, one package of several for one.
    PART = "part"
    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareEvent:
    """One step of a preparation, as it happens."""

    kind: PrepareEventKind
    #: The task's name as the playbook gives it.
    task: str
    detail: str = ""
    #: Tasks that ended so far, those that were skipped too, of how many.
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareResult:
    """A preparation that went through; one that did not raises."""

    ok_count: int
    changed_count: int
    skipped_count: int
    #: Names of the tasks that changed something (would change, in check mode).
    changed_tasks: tuple[str, ...]
    is_check: bool
    took_s: float


@dataclass(slots=True)
class _Run:
    """What is collected from the events of one run."""

    on_event: Callable[[PrepareEvent], None]
    is_cancelled: Callable[[], bool]
    #: On the monotonic clock.
    deadline_s: float
    pid_path: Path = Path("/nonexistent")
    has_timed_out: bool = False
    changed_tasks: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    failure: DriverFault | None = None
    #: What the listener raised: the run is ended and this raised in its stead.
    listener_error: Exception | None = None
    output: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def handle(self, event: dict[str, Any]) -> bool:
        """Take one event of ansible-runner; False keeps it off the disk."""
        data = event.get("event_data") or {}
        task = str(data.get("task") or "")
        match event.get("event"):
            case "playbook_on_task_start":
                self._tell(PrepareEventKind.STARTED, task)
            case "runner_item_on_ok" if (data.get("res") or {}).get("changed"):
                self._tell(PrepareEventKind.PART, task, _part(data))
            case "runner_on_ok":
                self._succeeded(task, bool((data.get("res") or {}).get("changed")), _said(data))
            case "runner_on_skipped":
                self._tell(PrepareEventKind.SKIPPED, task)
            case "runner_on_failed" if not data.get("ignore_errors"):
                self._failed(task, data.get("res") or {})
            case "runner_on_unreachable":
                detail = _detail(data.get("res") or {})
                self.failure = Transient("prepare.unreachable", host=str(data.get("host") or ""), detail=detail, delay_s=30)
                self._tell(PrepareEventKind.FAILED, task, detail)
            case "playbook_on_stats":
                self.counts = {name: sum((data.get(name) or {}).values()) for name in ("ok", "changed", "skipped")}
            case "error" | "verbose" | "warning":
                self.output.append(str(event.get("stdout") or ""))
        return False

    def must_stop(self) -> bool:
        """Asked by ansible-runner about once a second; it ends Ansible after a yes, and we what Ansible has started."""
        self.has_timed_out = time.monotonic() > self.deadline_s
        is_over = self.listener_error is not None or self.has_timed_out or self.is_cancelled()
        if is_over:
            end_tree(self.pid_path)
        return is_over

    def _succeeded(self, task: str, is_changed: bool, detail: str) -> None:
        if is_changed:
            self.changed_tasks.append(task)
        self._tell(PrepareEventKind.CHANGED if is_changed else PrepareEventKind.OK, task, detail)

    def _failed(self, task: str, result: dict[str, Any]) -> None:
        detail = _detail(result)
        self.failure = self.failure or Permanent("prepare.task_failed", task=task, detail=detail)
        self._tell(PrepareEventKind.FAILED, task, detail)

    def _tell(self, kind: PrepareEventKind, task: str, detail: str = "") -> None:
        if kind not in (PrepareEventKind.STARTED, PrepareEventKind.PART):
            self.done += 1
            self.total = max(self.total, self.done)
        try:
            self.on_event(PrepareEvent(kind=kind, task=task, detail=detail, done=self.done, total=self.total))
        except Exception as error:  # noqa: BLE001 - foreign code inside ansible-runner's loop: kept and raised after the run
            self.listener_error = self.listener_error or error


def _said(data: dict[str, Any]) -> str:
    """Return what a step of the playbook has to say to people: the message of a ``debug``."""
    is_message = str(data.get("task_action") or "").rpartition(".")[2] == "debug"
    result = data.get("res") or {}
    # Of a loop each part has said its own already.
    return str(result.get("msg") or "")[:_DETAIL_MAX] if is_message and "results" not in result else ""


def _part(data: dict[str, Any]) -> str:
    """Name the part of a step that is done."""
    return _said(data) or str((data.get("res") or {}).get("_ansible_item_label") or "")[:_DETAIL_MAX]


def _detail(result: dict[str, Any]) -> str:
    """Say why, from what a module returned."""
    texts = [str(result.get(key) or "").strip() for key in ("msg", "stderr")]
    for item in result.get("results") or []:
        if item.get("failed"):
            texts.append(str(item.get("stderr") or item.get("msg") or "").strip())
    return " ".join(dict.fromkeys(text for text in texts if text))[:_DETAIL_MAX]


class HostPreparer:
    """Runs the preparation playbook against one machine at a time."""

    def __init__(self, playbooks_dir: Path, ansible_bin_dir: Path, *, work_dir: Path | None = None) -> None:
        """``ansible_bin_dir`` holds ``ansible-playbook``; private directories are made in ``work_dir`` (the system's if None)."""
        self._playbook = playbooks_dir.resolve() / "prepare-host.yml"
        self._ansible_playbook = ansible_bin_dir.absolute() / "ansible-playbook"
        self._work_dir = work_dir

    def prepare(
        self,
        request: PrepareRequest,
        *,
        check: bool = False,
        on_event: Callable[[PrepareEvent], None] = lambda _event: None,
        is_cancelled: Callable[[], bool] = lambda: False,
        timeout_s: int = 1800,
    ) -> PrepareResult:
        """Prepare the machine, or only say what that would change.

        Raises:
            Permanent: ``prepare.refused_text``, ``prepare.storage_twice``, ``prepare.known_hosts_missing``,
                ``prepare.not_installed``, ``prepare.task_failed``.
            Transient: ``prepare.unreachable``.
            OutcomeUnknown: ``prepare.timeout``, ``prepare.cancelled``, ``prepare.broke_off``; running it again is safe.
        """
        request.check()
        self._require_programs()
        begun_s = time.monotonic()
        run = _Run(on_event, is_cancelled, begun_s + timeout_s)
        run.total = count_tasks(self._playbook, {"pool.yml": len(request.storage)})
        with private_directory(self._work_dir) as directory:
            status = self._run(directory, request, run, check=check)
        _raise_for(status, run, timeout_s)
        return PrepareResult(
            ok_count=run.counts.get("ok", 0),
            changed_count=run.counts.get("changed", 0),
            skipped_count=run.counts.get("skipped", 0),
            changed_tasks=tuple(run.changed_tasks),
            is_check=check,
            took_s=time.monotonic() - begun_s,
        )

    def _require_programs(self) -> None:
        if not os.access(self._ansible_playbook, os.X_OK):
            raise Permanent("prepare.not_installed", missing=str(self._ansible_playbook))
        if not self._playbook.is_file():
            raise Permanent("prepare.not_installed", missing=str(self._playbook))

    def _run(self, directory: Path, request: PrepareRequest, run: _Run, *, check: bool) -> str:
        """Run the playbook and return how it ended, in ansible-runner's word."""
        try:
            from ansible_runner import interface  # a tenth of a second, and only an operator who prepares hosts needs it
        except ImportError as error:
            raise Permanent("prepare.not_installed", missing="ansible-runner", internal=str(error)) from error
        environment = fill(directory, request, self._ansible_playbook)
        run.pid_path = directory / PID
        status = ""
        try:
            status = interface.run(
                private_data_dir=str(directory),
                binary=str(directory / LAUNCHER),
                cmdline=shlex.join([str(self._playbook), *(["--check"] if check else [])]),
                inventory=str(directory / "inventory" / "hosts.json"),
                envvars=environment,
                suppress_env_files=True,
                quiet=True,
                event_handler=run.handle,
                cancel_callback=run.must_stop,
            ).status
        finally:
            if not status:  # interrupted from outside, Ctrl-C for one
                end_tree(run.pid_path)
        return str(status)


def _raise_for(status: str, run: _Run, timeout_s: int) -> None:
    """Turn any ending but a good one into what it means."""
    if run.listener_error is not None:
        raise run.listener_error
    if status == "canceled":
        raise OutcomeUnknown("prepare.timeout", seconds=timeout_s) if run.has_timed_out else OutcomeUnknown("prepare.cancelled")
    if run.failure is not None:
        raise run.failure
    if status != "successful":
        raise OutcomeUnknown("prepare.broke_off", status=status, internal="\n".join(run.output)[-_DETAIL_MAX:])
