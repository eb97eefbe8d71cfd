"""Efficiency of departments' systems: reports, the rules they follow, drafts of tickets, and what departments answer.

Nothing here changes a machine. A draft is a document that a department reads, changes and hands in like any other, or answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection

from controller.identity.caller import Caller
from controller.tickets.draft import head, printed
from controller.workflows import assessment, periods
from controller.workflows.platform import Platform
from controller.workflows.sealing import seal
from inventory.domain.errors import Conflict, Invalid
from inventory.domain.progress import UNSEEN, Progress, WorkPhase
from inventory.domain.scope import Scope
from inventory.domain.system import System
from inventory.store import directory, systems
from metering import efficiency_report, efficiency_store
from metering.efficiency import Finding, Machine, Rules
from metering.efficiency_document import read_rules
from metering.efficiency_report import Efficiency, class_rows, machine_rows, system_rows
from metering.rating import yuan
from metering.reports import efficiency as datasets
from metering.reports import efficiency_book
from metering.reports.columns import Dataset
from metering.reports.files import Sink
from metering.reports.words import Say

#: What may be asked for as a file, beside the reports of money.
DATASETS = ("efficiency", "efficiency-classes", "efficiency-machines", "assessment")
#: Which of them there are as workbooks too.
WORKBOOKS = ("efficiency", "assessment")


def rules(platform: Platform) -> Rules:
    """Return the rules that hold."""
    with platform.db.read() as connection:
        return efficiency_store.rules(connection)


def set_rules(platform: Platform, data: bytes, caller: Caller, as_read: Callable[[Rules], None] = lambda _rules: None) -> Rules:
    """Set the rules from a document; the one before is kept, and holds no longer.

    ``as_read`` is shown the rules that hold and raises where they are not what the caller decided on.

    Raises:
        Invalid: with every problem of the document.
    """
    found = read_rules(data)

    def unit(connection: Connection) -> None:
        directory.lock_for_edit(connection)
        as_read(efficiency_store.rules(connection))
        id_ = platform.new_id("efficiency_rules")
        values = {"id": id_, "document": data.decode(), "set_by": caller.user_name, "set_at_s": platform.clock()}
        efficiency_store.set_rules(connection, values, found)
        seal(connection, platform, caller, "efficiency.set_rules", id_, asdict(found))

    platform.db.run(unit)
    return found


def show(platform: Platform, month: str, scope: Scope) -> dict[str, Any]:
    """Return systems and classes of zones of a month, up to now.

    Raises:
        Invalid: ``usage.month_invalid`` or ``report.in_future``.
    """
    period, until_s = _bounds(platform, month)
    with platform.db.read() as connection:
        found = efficiency_report.collect(connection, period, until_s, scope, periods.names(platform, connection))
    return {
        "period_id": month, "start_s": period["start_s"], "until_s": until_s, "systems": list(system_rows(found)),
        "classes": list(class_rows(found)),
    }  # fmt: skip


def table(
    connection: Connection,
    platform: Platform,
    dataset: str,
    period: Mapping[str, Any],
    until_s: int,
    scope: Scope,
    progress: Progress = UNSEEN,
) -> tuple[Dataset, list[dict[str, Any]]]:
    """Return one of ``DATASETS`` with its rows."""
    names = periods.names(platform, connection)
    if dataset == "assessment":
        return datasets.ASSESSMENT, list(assessment.rows(connection, platform, period, until_s, scope, names, progress))
    found = efficiency_report.collect(connection, period, until_s, scope, names, progress=progress)
    if dataset == "efficiency-classes":
        return datasets.CLASSES, list(class_rows(found))
    if dataset == "efficiency-machines":
        return datasets.MACHINES, list(machine_rows(found))
    return datasets.SYSTEMS, list(system_rows(found))


def workbook(
    connection: Connection,
    platform: Platform,
    dataset: str,
    period: Mapping[str, Any],
    until_s: int,
    scope: Scope,
    say: Say,
    sink: Sink,
    progress: Progress = UNSEEN,
) -> int:
    """Write the workbook of efficiency, or of the assessment, and return how many rows it is made of."""
    names, provider = periods.names(platform, connection), platform.reports.provider
    if dataset == "assessment":
        rows = list(assessment.rows(connection, platform, period, until_s, scope, names, progress))
        progress.phase(WorkPhase.FILING)
        efficiency_book.write_assessment(rows, str(period["id"]), provider, say, sink)
        return len(rows)
    found = efficiency_report.collect(connection, period, until_s, scope, names, progress=progress)
    progress.phase(WorkPhase.FILING)
    tables = list(system_rows(found)), list(class_rows(found)), list(machine_rows(found))
    efficiency_book.write_efficiency(*tables, str(period["id"]), provider, say, sink)
    return sum(map(len, tables))


def draft(platform: Platform, month: str, name: str, scope: Scope) -> dict[str, Any]:
    """Return the ticket that would give back what a system does not use, with what it would save.

    Raises:
        NotFound: ``system.not_found``.
        Conflict: ``efficiency.nothing_to_draft``.
    """
    period, until_s = _bounds(platform, month)
    with platform.db.read() as connection:
        system = systems.get(connection, name, scope)
        found = efficiency_report.collect(
            connection, period, until_s, scope, periods.names(platform, connection), system_id=system.id, with_charges=False
        )
    summary = found.systems.get(system.id)
    finding = summary.finding if summary is not None else Finding.UNKNOWN
    text = _ticket(system, "release") if finding.is_unused else _resize(system, found)
    if not text:
        raise Conflict("efficiency.nothing_to_draft", system=system.spec.name, period=month)
    saving = found.savings.get(system.id)
    return {
        "period_id": month, "system_id": system.id, "system": system.spec.name, "finding": finding.value, "ticket": text,
        "saving_yuan_per_year": None if saving is None else yuan(saving),
    }  # fmt: skip


def answer(platform: Platform, month: str, name: str, given: str, reason: str, caller: Caller) -> dict[str, Any]:
    """Keep what a department says to what was found.

    Raises:
        Invalid: ``usage.month_invalid``, ``report.in_future`` or ``efficiency.reason_missing``.
        NotFound: ``system.not_found``.
    """
    _bounds(platform, month)
    if not reason.strip():
        raise Invalid("efficiency.reason_missing")

    def unit(connection: Connection) -> dict[str, Any]:
        system = systems.get(connection, name, caller.scope)
        values = {
            "period_id": month, "system_id": system.id, "department_id": system.department_id, "answer": given, "reason": reason,
            "answered_by": caller.user_name, "answered_at_s": platform.clock(),
        }  # fmt: skip
        efficiency_store.answer(connection, values)
        detail = {"period": month, "answer": given, "reason": reason}
        seal(connection, platform, caller, "efficiency.answer", system.id, detail, system.department_id)
        return {**values, "system": system.spec.name}

    return platform.db.run(unit)


def _bounds(platform: Platform, month: str) -> tuple[Mapping[str, Any], int]:
    period = periods.show(platform, month)
    return period, periods.told_until(platform, period)


def _ticket(system: System, action: str, **rest: Any) -> str:
    return printed({**head(system.spec.name, action, {"department": system.spec.department}), **rest})


def _resize(system: System, found: Efficiency) -> str:
    """Return a change that makes groups smaller where all their servers are seen to need less; empty: there is none."""
    groups: dict[str, list[Machine]] = {}
    for machine in found.systems[system.id].living if system.id in found.systems else ():
        groups.setdefault(machine.group, []).append(machine)
    servers = []
    for server in system.spec.servers:
        members = groups.get(server.name, [])
        vcpu = max((m.proposed_vcpu for m in members), default=server.vcpu_count)
        memory = max((m.proposed_memory_mib for m in members), default=server.memory_mib)
        if vcpu < server.vcpu_count or memory < server.memory_mib:
            smaller = {"cpu": min(vcpu, server.vcpu_count), "memory": f"{min(memory, server.memory_mib)}MiB"}
            servers.append({"name": server.name, "size": smaller})
    return _ticket(system, "change", base=system.revision, resources={"servers": servers}) if servers else ""
