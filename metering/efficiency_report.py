"""The efficiency of a month, put together: machines judged, systems and classes of zones with what they cost and would save."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from inventory.domain.errors import Conflict
from inventory.domain.progress import UNSEEN, Progress, WorkPhase, counted
from inventory.domain.scope import Scope
from metering import book_store, efficiency_store, period_store
from metering.books import Books
from metering.efficiency import Finding, Machine, Rules, Summary, by_class, by_system, judge, met, together
from metering.ledger import LedgerInterval
from metering.line_columns import sums_by
from metering.rating import yuan
from metering.reports import source
from metering.samples import Spread
from metering.savings import Savings
from metering.statements import Names, Summing

Row = Mapping[str, Any]
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """A month up to a moment."""

    rules: Rules
    machines: list[Machine]
    systems: Mapping[str, Summary]
    #: Micro-yuan by system; ``None``: something has no price, so that nothing is charged.
    charged: Mapping[str, int] | None
    #: Micro-yuan a year by system; ``None``: something of it has no price.
    savings: Mapping[str, int | None]
    answers: Mapping[str, Row]
    system_names: Mapping[str, str]
    names: Names


def collect(
    connection: Connection,
    period: Row,
    until_s: int,
    scope: Scope,
    names: Names,
    *,
    system_id: str = "",
    with_charges: bool = True,
    progress: Progress = UNSEEN,
) -> Efficiency:
    """Return the efficiency of a month (of one system alone, where its id is given), with what was charged if wanted."""
    rules = efficiency_store.rules(connection)
    progress.phase(WorkPhase.JUDGING)
    machines = efficiency_store.machines(connection, scope, period["start_s"], until_s, system_id)
    progress.phase(WorkPhase.JUDGING, lambda: len(machines))
    for machine in counted(machines, progress):
        judge(machine, rules)
    systems = by_system(machines)
    books = Books(book_store.approved(connection))
    held: dict[str, list[LedgerInterval]] = {}
    for interval in efficiency_store.held(connection, scope, until_s - 1, system_id):
        held.setdefault(interval.system_id, []).append(interval)
    prices = Savings(books, until_s - 1)
    savings = {id_: _saving(prices, summary, held.get(id_, [])) for id_, summary in systems.items()}
    return Efficiency(
        rules=rules, machines=machines, systems=systems, savings=savings,
        charged=_charged(connection, period, books, names, until_s, scope, progress) if with_charges else None,
        answers=efficiency_store.answers(connection, period["id"], scope),
        system_names=source.system_names(connection, scope), names=names,
    )  # fmt: skip


def _saving(prices: Savings, summary: Summary, held: list[LedgerInterval]) -> int | None:
    return prices.of_system(summary.living, held, is_released=summary.finding.is_unused)


def _charged(
    connection: Connection, period: Row, books: Books, names: Names, until_s: int, scope: Scope, progress: Progress
) -> Mapping[str, int] | None:
    if period["state"] in ("reviewed", "closed"):
        return sums_by(period_store.columns(connection, period["id"], scope), "system_id")
    summing = Summing(period["id"])
    try:
        return sums_by(source.accrued(connection, period, books, names, scope, until_s, summing, progress), "system_id")
    except Conflict:
        # Something has no price yet: use is told all the same.
        return None


# -- as rows -----------------------------------------------------------------------------------------------------------


def system_rows(found: Efficiency) -> Iterator[dict[str, Any]]:
    """Return a row for each system that had machines, by department and name."""
    named = sorted(found.systems.items(), key=lambda item: (_department(found, item[1])[0], _name(found, item[0]), item[0]))
    for id_, summary in named:
        code, name = _department(found, summary)
        last = summary.machines[-1]
        answer = found.answers.get(id_, {})
        charged = None if found.charged is None else found.charged.get(id_, 0)
        saving = found.savings.get(id_)
        yield {
            "department_code": code,
            "department_name": name,
            "project_code": found.names.projects.get(last.project_id, ("", "", ""))[0],
            "system_id": id_,
            "system": _name(found, id_),
            "network_class": last.network_class,
            **_figures(summary),
            "finding": summary.finding.value,
            **_unit_costs(summary, charged),
            "saving_yuan_per_year": None if saving is None else yuan(saving),
            "answer": answer.get("answer"),
            "answer_reason": answer.get("reason"),
        }


def class_rows(found: Efficiency) -> Iterator[dict[str, Any]]:
    """Return a row for each class of zones, with what was declared for it."""
    for name, summary in sorted(by_class(found.machines).items()):
        target = found.rules.target(name)
        own = {m.system_id for m in summary.machines}
        charged = None if found.charged is None else sum(found.charged.get(s, 0) for s in own)
        savings = [found.savings.get(s) for s in own]
        known = [s for s in savings if s is not None]
        is_met = met(summary, target)
        yield {
            "network_class": name,
            **_figures(summary),
            "target_cpu_percent": target.cpu_percent if target else None,
            "target_memory_percent": target.memory_percent if target else None,
            "target_met": None if is_met is None else "yes" if is_met else "no",
            **{f"{f.value}_machines": sum(m.finding is f for m in summary.living) for f in Finding},
            **_unit_costs(summary, charged),
            "saving_yuan_per_year": yuan(sum(known)) if len(known) == len(savings) else None,
        }


def machine_rows(found: Efficiency) -> Iterator[dict[str, Any]]:
    """Return a row for each machine."""
    for machine in sorted(found.machines, key=lambda m: (m.department_id, m.system_id, m.name, m.instance_id)):
        figures = _figures(together([machine]))
        del figures["machines"]
        yield {
            "department_code": found.names.departments.get(machine.department_id, ("", ""))[0],
            "system": _name(found, machine.system_id),
            "machine": machine.name,
            "instance_id": machine.instance_id,
            "network_class": machine.network_class,
            **figures,
            "stopped_hours": _hours(machine.stopped_s),
            "finding": machine.finding.value,
            "proposed_vcpu": machine.proposed_vcpu if machine.vcpu_count else None,
            "proposed_memory_mib": machine.proposed_memory_mib if machine.vcpu_count else None,
        }


def _department(found: Efficiency, summary: Summary) -> tuple[str, str]:
    return found.names.departments.get(summary.machines[-1].department_id, ("", ""))


def _name(found: Efficiency, system_id: str) -> str:
    return found.system_names.get(system_id, system_id)


def _figures(summary: Summary) -> dict[str, Any]:
    """Return what was held and used."""
    used, living = summary.used, summary.living
    return {
        "machines": len(living),
        "vcpu": sum(m.vcpu_count for m in living),
        "memory_mib": sum(m.memory_mib for m in living),
        "running_hours": _hours(sum(m.running_s for m in summary.machines)),
        "coverage_percent": percent(summary.coverage_permille),
        "cpu_average_percent": percent(summary.cpu_average_permille),
        "cpu_p95_percent": percent(used.cpu.at_most(95)),
        "cpu_peak_percent": percent(_peak(used.cpu)),
        "memory_average_percent": percent(summary.memory_average_permille),
        "memory_p95_percent": percent(used.memory.at_most(95)),
        "memory_peak_percent": percent(_peak(used.memory)),
        "received_gib": _gib(used.received_bytes),
        "sent_gib": _gib(used.sent_bytes),
    }


def _unit_costs(summary: Summary, charged: int | None) -> dict[str, Any]:
    allocated = None if charged is None else summary.per_vcpu_hour(charged)
    used = None if charged is None else summary.per_used_vcpu_hour(charged)
    return {
        "charged_yuan": None if charged is None else yuan(charged),
        "yuan_per_vcpu_hour": None if allocated is None else yuan(allocated),
        "yuan_per_used_vcpu_hour": None if used is None else yuan(used),
    }


def _peak(spread: Spread) -> int | None:
    return spread.peak_permille if spread.covered_ms else None


def percent(permille: int | None) -> str | None:
    """Return thousandths as percent with one place."""
    return None if permille is None else f"{permille // 10}.{permille % 10}"


def _hours(seconds: int) -> str:
    hundredths = (seconds * 100 + 1800) // 3600
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _gib(count: int) -> str:
    thousandths = (2 * count * 1000 + _GIB) // (2 * _GIB)
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"
