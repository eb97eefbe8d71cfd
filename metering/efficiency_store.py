"""What is needed to judge machines: what they used, what they held in which state, what holding it costs, what was answered."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.domain.scope import Scope
from inventory.store.scoping import in_scope
from metering.efficiency import Machine, Rules
from metering.ledger import LedgerInterval
from metering.ledger_tables import intervals
from metering.sample_store import of_row
from metering.sample_tables import efficiency_answers, efficiency_rules, machine_use

_I, _U, _A = intervals.c, machine_use.c, efficiency_answers.c
_PORTION = 5_000


def machines(connection: Connection, scope: Scope, start_s: int, until_s: int, system_id: str = "") -> list[Machine]:
    """Return every machine that was there in a window, with what it held and used, not judged yet."""
    held = (_I.meter.in_((VCPU, MEMORY_MIB)), _I.resource_kind == "instance", _I.start_s < until_s)
    statement = select(intervals).where(*held, _I.end_s.is_(None) | (_I.end_s > start_s))
    found: dict[str, Machine] = {}
    for row in _portions(connection, _of(statement, scope, _I.department_id, _I.system_id, system_id), "resource_id"):
        _hold(found, LedgerInterval(**row._mapping), start_s, until_s)
    used = select(machine_use).where(_U.start_s >= start_s, _U.start_s < until_s)
    for row in _portions(connection, _of(used, scope, _U.department_id, _U.system_id, system_id), "instance_id"):
        machine = found.get(row.instance_id)
        if machine is not None:
            use = of_row(row)
            machine.used.merge(use.used)
            machine.network_class = use.owner.network_class
    return list(found.values())


def _hold(found: dict[str, Machine], interval: LedgerInterval, start_s: int, until_s: int) -> None:
    end_s = until_s if interval.end_s is None else min(interval.end_s, until_s)
    seconds = end_s - max(interval.start_s, start_s)
    machine = found.get(interval.resource_id)
    if machine is None:
        machine = found[interval.resource_id] = Machine(
            instance_id=interval.resource_id, name=interval.resource_name, department_id=interval.department_id,
            project_id=interval.project_id, system_id=interval.system_id,
        )  # fmt: skip
    is_last = interval.end_s is None or interval.end_s >= until_s
    if interval.meter == MEMORY_MIB:
        machine.memory_mib = interval.amount if is_last else machine.memory_mib
        return
    machine.vcpu_s += interval.amount * seconds
    machine.running_s += seconds if interval.state == "running" else 0
    machine.stopped_s += seconds if interval.state == "stopped" else 0
    if is_last:
        machine.vcpu_count, machine.name = interval.amount, interval.resource_name
        # Whose it is at the end.
        machine.department_id, machine.project_id = interval.department_id, interval.project_id
        machine.system_id = interval.system_id


def held(connection: Connection, scope: Scope, at_s: int, system_id: str = "") -> Iterator[LedgerInterval]:
    """Return everything that is held at a moment."""
    statement = select(intervals).where(_I.start_s <= at_s, _I.end_s.is_(None) | (_I.end_s > at_s))
    for row in _portions(connection, _of(statement, scope, _I.department_id, _I.system_id, system_id), "resource_id"):
        yield LedgerInterval(**row._mapping)


def rules(connection: Connection) -> Rules:
    """Return the rules that hold."""
    newest = select(efficiency_rules.c.body).order_by(efficiency_rules.c.id.desc()).limit(1)
    body = connection.execute(newest).scalar_one_or_none()
    return Rules() if body is None else Rules.from_json(body)


def set_rules(connection: Connection, values: Mapping[str, Any], found: Rules) -> None:
    """Keep a document; it holds from now on."""
    connection.execute(efficiency_rules.insert().values(**values, body=asdict(found)))


def answer(connection: Connection, values: Mapping[str, Any]) -> None:
    """Keep what a department answers, in place of what it answered before."""
    is_it = (_A.period_id == values["period_id"]) & (_A.system_id == values["system_id"])
    connection.execute(delete(efficiency_answers).where(is_it))
    connection.execute(efficiency_answers.insert().values(**values))


def answers(connection: Connection, period_id: str, scope: Scope) -> dict[str, Mapping[str, Any]]:
    """Return what departments answered of a month, by system."""
    statement = select(efficiency_answers).where(_A.period_id == period_id, in_scope(scope, _A.department_id))
    return {r.system_id: dict(r._mapping) for r in connection.execute(statement)}


def _of(statement: Select[Any], scope: Scope, department: Any, system: Any, system_id: str) -> Select[Any]:
    statement = statement.where(in_scope(scope, department))
    return statement.where(system == system_id) if system_id else statement


def _portions(connection: Connection, statement: Select[Any], order: str) -> Iterator[Any]:
    ordered = statement.order_by(statement.selected_columns[order], statement.selected_columns["start_s"])
    with connection.execute(ordered, execution_options={"yield_per": _PORTION}) as rows:
        yield from rows
