"""What ``doctor`` and ``db check`` look at. Each check looks and says; none of them changes anything."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controller.paths import data_dir
from controller.settings import Settings
from controller.state import WANTED_REVISION, StateReport, integrity_problems, sqlite_path
from inventory.domain.errors import AllotError, Problem
from inventory.store.engine import Database, open_database, safe_journal_mode
from quotas import store as quota_store

#: Less room than this for the state is a warning.
_FREE_GIB_MIN = 2
_GIB = 1 << 30
_KVM = Path("/dev/kvm")
#: ``_IO(0xAE, 0x01)`` of linux/kvm.h: answers with a descriptor of an empty machine.
_KVM_CREATE_VM = 0xAE01


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: a code of the catalogue with its parameters."""

    verdict: Verdict
    code: str
    params: dict[str, Any] = field(default_factory=dict)
    #: What is wrong, one by one.
    problems: tuple[Problem, ...] = ()


def state_report(settings: Settings) -> StateReport:
    """Look at the state: schema revision, what the database itself finds, and the quota books against the claims.

    Raises:
        Unavailable: the database does not answer.
    """
    database = open_database(settings.database_url)
    try:
        if database.is_sqlite and not sqlite_path(settings).exists():
            found, mode, problems = None, "", [Problem("fault.no_state_file")]
        else:
            mode = database.journal_mode()
            found, problems = database.schema_revision(), list(_state_problems(settings, database))
    finally:
        database.dispose()
    return StateReport(
        url=database.engine.url.render_as_string(hide_password=True),
        revision_found=found,
        revision_wanted=WANTED_REVISION,
        sqlite_version=sqlite3.sqlite_version if database.is_sqlite else "",
        journal_mode=mode,
        problems=tuple(problems),
    )


def _state_problems(settings: Settings, database: Database) -> Iterator[Problem]:
    if database.is_sqlite:
        yield from (Problem("fault.state_damaged", {"reason": reason}) for reason in integrity_problems(sqlite_path(settings)))
    found, wanted = database.schema_revision(), WANTED_REVISION
    if found != wanted:
        yield Problem("fault.schema_differs", {"found": found, "wanted": wanted})
        return
    with database.read() as connection:
        for drift in quota_store.recount(connection):
            facts = {"scope": drift.scope_id, "dimension": drift.dimension, "used": drift.used, "counted": drift.counted}
            yield Problem("fault.counter_differs", facts)


def all_findings(settings: Settings) -> Iterator[Finding]:
    """Yield what every check found."""
    for check in (_sqlite, _state, _disk_room, _time_zone, _tls, _libvirt, _kvm, _qemu_img, _ansible, _permissions):
        yield from _safely(check, settings)


def _safely(check: Callable[[Settings], Finding | None], settings: Settings) -> Iterator[Finding]:
    try:
        found = check(settings)
    except AllotError as error:
        yield Finding(Verdict.FAILED, error.code, dict(error.params))
        return
    if found is not None:
        yield found


def _sqlite(settings: Settings) -> Finding | None:
    if settings.state.url:
        return None
    return Finding(Verdict.OK, "doctor.sqlite", {"version": sqlite3.sqlite_version, "mode": safe_journal_mode()})


def _state(settings: Settings) -> Finding:
    report = state_report(settings)
    if report.revision_found is None:
        return Finding(Verdict.FAILED, "serve.not_initialised", {"path": report.url})
    if report.revision_found != report.revision_wanted:
        return Finding(Verdict.FAILED, "serve.schema_old", {"found": report.revision_found, "wanted": report.revision_wanted})
    if report.problems:
        return Finding(Verdict.FAILED, "doctor.state_damaged", {"count": len(report.problems)}, report.problems)
    return Finding(Verdict.OK, "doctor.state", {"url": report.url, "revision": report.revision_found})


def _disk_room(settings: Settings) -> Finding | None:
    path = settings.state.directory
    if not path.is_dir():
        return None
    free_gib = shutil.disk_usage(path).free // _GIB
    verdict = Verdict.OK if free_gib >= _FREE_GIB_MIN else Verdict.WARNING
    return Finding(verdict, "doctor.disk_room", {"path": str(path), "free_gib": free_gib, "least_gib": _FREE_GIB_MIN})


def _time_zone(settings: Settings) -> Finding:
    try:
        ZoneInfo(settings.time.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return Finding(Verdict.FAILED, "doctor.zone_unknown", {"zone": settings.time.zone})
    return Finding(Verdict.OK, "doctor.zone", {"zone": settings.time.zone})


def _tls(settings: Settings) -> Finding:
    files = [p for p in (settings.server.tls_certificate, settings.server.tls_key) if p]
    if not files:
        return Finding(Verdict.OK, "doctor.no_tls", {"host": settings.server.host})
    missing = [str(p) for p in files if not os.access(p, os.R_OK)]
    if missing:
        return Finding(Verdict.FAILED, "doctor.tls_unreadable", {"path": missing[0]})
    return Finding(Verdict.OK, "doctor.tls", {"path": str(files[0])})


def _libvirt(_settings: Settings) -> Finding:
    """Look for libvirt's socket: whether a host answers is known by its reachability, here it is about this machine."""
    found = [p for p in ("/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock") if Path(p).exists()]
    if found:
        return Finding(Verdict.OK, "doctor.libvirt", {"path": found[0]})
    return Finding(Verdict.WARNING, "doctor.no_libvirt")


def _kvm(_settings: Settings) -> Finding:
    return Finding(Verdict.OK, "doctor.kvm") if _makes_machines(_KVM) else Finding(Verdict.WARNING, "doctor.no_kvm")


def _makes_machines(device: Path) -> bool:
    """Tell whether the kernel makes a machine there; whether a guest boots in one in good time, enrolment finds out."""
    try:
        opened = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(opened, _KVM_CREATE_VM, 0))
    except OSError:
        return False
    finally:
        os.close(opened)
    return True


def _qemu_img(_settings: Settings) -> Finding:
    path = shutil.which("qemu-img")
    if path:
        return Finding(Verdict.OK, "doctor.qemu_img", {"path": path})
    return Finding(Verdict.WARNING, "doctor.no_qemu_img")


def _ansible(_settings: Settings) -> Finding:
    path = ansible_bin_dir() / "ansible-playbook"
    if os.access(path, os.X_OK):
        return Finding(Verdict.OK, "doctor.ansible", {"path": str(path)})
    return Finding(Verdict.WARNING, "doctor.no_ansible", {"path": str(path)})


def ansible_bin_dir() -> Path:
    """Return where Ansible's own environment keeps its programs: ``ALLOT_ANSIBLE_BIN``, else beside the playbooks."""
    named = os.environ.get("ALLOT_ANSIBLE_BIN")
    return Path(named) if named else data_dir("playbooks").parent / ".venv-ansible" / "bin"


def _permissions(settings: Settings) -> Finding | None:
    path = settings.state.directory
    if not path.is_dir():
        return None
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding(Verdict.WARNING, "doctor.state_open", {"path": str(path), "mode": f"{mode:o}"})
    return Finding(Verdict.OK, "doctor.state_private", {"path": str(path)})
