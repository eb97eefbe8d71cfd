"""What departments hold now, and what their machines used of it lately, by zone: sums for the metrics, few rows out.

What is held is told by the open intervals of the ledger, which is seconds behind the claims and compared with them.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from inventory.domain.ids import DepartmentId
from inventory.store import tables as t
from metering.ledger_tables import intervals
from metering.sample_tables import machine_use

_I, _U, _H, _R = intervals.c, machine_use.c, t.hosts.c, t.resources.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one department holds of one meter on the hosts of one pool, in the base unit of the meter."""

    department_id: DepartmentId
    pool_id: str
    meter: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedLately:
    """What machines of one department in one zone used of what they were allocated, over the time that was sampled."""

    department: str
    zone: str
    vcpu_ms: int
    cpu_ms: int
    memory_mib_ms: int
    memory_used_mib_ms: int


def held(connection: Connection) -> list[Held]:
    """Return what departments hold on hosts: one look at every open interval."""
    key = (_I.department_id, _H.pool_id, _I.meter)
    statement = (
        select(*key, func.sum(_I.amount))
        .select_from(intervals.join(t.hosts, _H.id == _I.host_id))
        .where(_I.end_s.is_(None))
        .group_by(*key)
        .order_by(*key)
    )
    # PostgreSQL sums 64-bit integers to a decimal.
    return [
        Held(department_id=DepartmentId(a), pool_id=b, meter=c, amount=int(n)) for a, b, c, n in connection.execute(statement)
    ]


def used(connection: Connection, since_s: int) -> list[UsedLately]:
    """Return what machines used in the days that end after a moment, by department and the zone a machine is in now."""
    key = (t.departments.c.code, t.zones.c.code)
    sums = [func.sum(c) for c in (_U.vcpu_ms, _U.cpu_ms, _U.memory_mib_ms, _U.memory_used_mib_ms)]
    statement = (
        select(*key, *sums)
        .select_from(
            machine_use.join(t.resources, _R.id == _U.instance_id)
            .join(t.hosts, _H.id == _R.host_id)
            .join(t.pools, t.pools.c.id == _H.pool_id)
            .join(t.zones, t.zones.c.id == t.pools.c.zone_id)
            .join(t.departments, t.departments.c.id == _U.department_id)
        )
        .where(_U.end_s > since_s)
        .group_by(*key)
        .order_by(*key)
    )
    return [
        UsedLately(
            department=a, zone=b, vcpu_ms=int(vcpu), cpu_ms=int(cpu), memory_mib_ms=int(mib), memory_used_mib_ms=int(used_mib)
        )
        for a, b, vcpu, cpu, mib, used_mib in connection.execute(statement)
    ]
