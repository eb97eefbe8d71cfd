"""The figures a platform is assessed by once a year: utilisation, fees, capability, quality, one row for each.

The year ends with the month that is asked for. A department sees its own figures; capability is the platform's alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from controller.tickets import summary as tickets
from controller.workflows.platform import Platform
from inventory.domain.progress import UNSEEN, Progress
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.scope import Scope
from inventory.store import findings
from metering import cost_store, efficiency_report, period_store
from metering.efficiency import Machine, by_system, together
from metering.efficiency_report import Efficiency, class_rows
from metering.rating import Month, yuan
from metering.reports.lines import fen
from metering.statements import Names

Row = dict[str, Any]
_MONTHS = 12
_UNITS = {"yuan": "yuan", "percent": "%", "gib": "GiB", "hours": "h", "machines": "machines"}


def rows(
    connection: Connection,
    platform: Platform,
    period: Mapping[str, Any],
    until_s: int,
    scope: Scope,
    names: Names,
    progress: Progress = UNSEEN,
) -> Iterator[Row]:
    """Return every figure of the year."""
    months = _months(str(period["id"]))
    start_s = months[0].window(platform.zone)[0]
    year = {**period, "start_s": start_s, "state": "open"}
    # What it cost comes from statements below, not from rating a year again.
    found = efficiency_report.collect(connection, year, until_s, scope, names, with_charges=False, progress=progress)
    for row in (
        *_utilisation(found),
        *_fees(connection, [str(m) for m in months], scope),
        *(_capability(connection, start_s, until_s) if scope.department_ids is None else ()),
        *_quality(connection, start_s, until_s, scope),
    ):
        yield {"year_to": period["id"], "month": "", **row}


def _months(last: str) -> list[Month]:
    end = Month.of(last)
    month = Month(end.year - 1, end.month).next()
    found = [month]
    while len(found) < _MONTHS:
        found.append(found[-1].next())
    return found


def _figure(section: str, subject: str, figure: str, value: Any, unit: str = "", month: str = "") -> Row:
    return {"section": section, "subject": subject, "month": month, "figure": figure, "value": value, "unit": unit}


def _utilisation(found: Efficiency) -> Iterator[Row]:
    for row in class_rows(found):
        for figure, value in row.items():
            if figure != "network_class" and value is not None:
                unit = next((u for tail, u in _UNITS.items() if figure.endswith(tail)), "")
                yield _figure("utilisation", row["network_class"], figure, value, unit)
    by_department: dict[str, list[Machine]] = {}
    for machine in found.machines:
        by_department.setdefault(machine.department_id, []).append(machine)
    for id_, machines in sorted(by_department.items()):
        code = found.names.departments.get(id_, (id_, ""))[0]
        summary = together(machines)
        yield _figure("utilisation", code, "cpu_average_percent", efficiency_report.percent(summary.cpu_average_permille), "%")
        yield _figure("utilisation", code, "cpu_p95_percent", efficiency_report.percent(summary.used.cpu.at_most(95)), "%")
        judged = [s.finding.value for s in by_system(machines).values()]
        for finding in sorted(set(judged)):
            yield _figure("utilisation", code, f"{finding}_systems", judged.count(finding), "systems")


def _fees(connection: Connection, months: list[str], scope: Scope) -> Iterator[Row]:
    """Return what reviewed and closed months came to, by department."""
    for month in months:
        for statement in period_store.statements(connection, month, scope):
            code = statement["department_code"]
            yield _figure("fees", code, "payable_yuan", fen(statement["fen"]), "yuan", month)
            yield _figure("fees", code, "list_yuan", yuan(statement["list_micro_yuan"]), "yuan", month)
            yield _figure("fees", code, "cost_yuan", yuan(statement["micro_yuan"]), "yuan", month)


def _capability(connection: Connection, start_s: int, until_s: int) -> Iterator[Row]:
    """Return what the platform had at the end of the year, and what it cost."""
    rooms = cost_store.rooms(connection, until_s - 1, until_s)
    yield _figure("capability", "platform", "hosts", len({r.host_id for r in rooms}), "hosts")
    for meter in (VCPU, MEMORY_MIB):
        own = [r for r in rooms if r.meter == meter]
        for figure in ("capacity", "reserve", "reserved", "foreign"):
            yield _figure("capability", "platform", f"{meter}_{figure}", sum(getattr(r, figure) for r in own), meter)
    for pool in cost_store.pools(connection):
        cost = pool.share(start_s, until_s)
        if cost:
            yield _figure("capability", pool.name, f"{pool.kind}_cost", yuan(cost), "yuan")


def _quality(connection: Connection, start_s: int, until_s: int, scope: Scope) -> Iterator[Row]:
    """Return how tickets ended and how long they took, and what was found wrong."""
    counts, hours = tickets.endings(connection, scope, start_s, until_s)
    for state, count in sorted(counts.items()):
        yield _figure("quality", "tickets", state, count, "tickets")
    for name, value in hours.items():
        yield _figure("quality", "tickets", name, value, "h")
    if scope.department_ids is None:
        for kind, count in findings.counts_between(connection, start_s, until_s).items():
            yield _figure("quality", "findings", kind, count, "findings")
