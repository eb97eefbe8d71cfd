"""The auditor of the invariants (DESIGN §5): plain questions to the database and, where given, to the hosts.

Runs every few minutes in production (report and metric, no repair) and after every seed of the simulation.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from drivers.protocol import HostObservation
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import Desired, Observed, Phase, ResourceKind
from inventory.domain.resources import VCPU
from inventory.store import hosts as host_store
from inventory.store import tables as t
from quotas import store as quotas

_R = t.resources.c
#: The states a journal may go to from each state.
METERED_NEXT: Mapping[str, frozenset[str]] = {
    "": frozenset({"allocated"}),
    "allocated": frozenset({"allocated", "running", "stopped", "released"}),
    "running": frozenset({"running", "stopped", "released", "allocated"}),
    "stopped": frozenset({"running", "stopped", "released", "allocated"}),
    "released": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be."""

    #: Stable name of the rule.
    rule: str
    detail: str


def audit_invariants(
    connection: Connection, observations: Mapping[HostId, HostObservation], *, is_quiet: bool = False
) -> list[Violation]:
    """Check every rule. ``is_quiet``: nothing is under way, so hosts and rows must agree and every ticket has ended."""
    checks: list[Callable[[Connection], Iterator[Violation]]] = [
        _capacity,
        _used,
        _quotas,
        _addresses,
        _freed,
        _unsettled,
        _journal,
    ]
    found = [v for check in checks for v in check(connection)]
    found += running_where_promised(connection, observations)
    if is_quiet:
        found += [*_agreement(connection, observations), *_ended(connection)]
    return found


def _capacity(connection: Connection) -> Iterator[Violation]:
    for row in host_store.inventories(connection):
        if row.used > row.capacity:
            yield Violation("capacity", f"{row.provider_id} {row.dimension}: used {row.used} > capacity {row.capacity}")


def _used(connection: Connection) -> Iterator[Violation]:
    for provider_id, dimension, used, claimed in host_store.recount_used(connection):
        yield Violation("used", f"{provider_id} {dimension}: used {used}, claims {claimed}")


def _quotas(connection: Connection) -> Iterator[Violation]:
    for drift in quotas.recount(connection):
        yield Violation("quota", f"{drift.scope_id} {drift.dimension}: used {drift.used}, counted {drift.counted}")


def _addresses(connection: Connection) -> Iterator[Violation]:
    a = t.addresses.c
    for column in (a.mac, a.address):
        statement = (
            select(a.segment_id, column).where(a.resource_id.is_not(None)).group_by(a.segment_id, column).having(func.count() > 1)
        )
        for segment_id, value in connection.execute(statement):
            yield Violation("address", f"{value} given twice in {segment_id}")
    gone = select(a.address, _R.id).join(t.resources, _R.id == a.resource_id).where(_R.phase == Phase.GONE.value)
    for address, resource_id in connection.execute(gone):
        yield Violation("address", f"{address} still belongs to {resource_id}, which is gone")


def _freed(connection: Connection) -> Iterator[Violation]:
    c = t.claims.c
    dead = select(c.resource_id).join(t.resources, _R.id == c.resource_id).where(_R.phase == Phase.GONE.value).distinct()
    for resource_id in connection.execute(dead).scalars():
        yield Violation("claims", f"{resource_id} is gone and still claims")
    bare = (
        select(_R.id)
        .outerjoin(t.claims, c.resource_id == _R.id)
        .where(_R.phase != Phase.GONE.value, _R.kind != ResourceKind.SEGMENT.value, c.resource_id.is_(None))
    )
    for resource_id in connection.execute(bare).scalars():
        yield Violation("claims", f"{resource_id} lives without a claim")
    away = (
        select(_R.id, c.provider_id)
        .join(t.claims, c.resource_id == _R.id)
        .join(t.inventories, (t.inventories.c.provider_id == c.provider_id) & (t.inventories.c.dimension == c.dimension))
        .where(_R.host_id != t.inventories.c.host_id)
    )
    for resource_id, provider_id in connection.execute(away):
        yield Violation("claims", f"{resource_id} claims at {provider_id}, which is not of its host")


def _unsettled(connection: Connection) -> Iterator[Violation]:
    open_ = (Phase.PENDING.value, Phase.WORKING.value)
    statement = select(_R.id, _R.phase).where(_R.phase.in_(open_), _R.next_try_s.is_(None))
    for resource_id, phase in connection.execute(statement):
        yield Violation("forgotten", f"{resource_id} is {phase} and nobody will look")


def _journal(connection: Connection) -> Iterator[Violation]:
    j = t.journal.c
    statement = select(j.resource_id, j.revision, j.state, j.amounts, j.occurred_at_s).order_by(j.resource_id, j.revision)
    last: dict[str, int] = {}
    state: dict[str, str] = {}
    at_s: dict[str, int] = {}
    for row in connection.execute(statement):
        key = row.resource_id
        if row.revision != last.get(key, 0) + 1:
            yield Violation("journal", f"{key}: revision {row.revision} follows {last.get(key, 0)}")
        if row.state not in METERED_NEXT.get(state.get(key, ""), frozenset()):
            yield Violation("journal", f"{key}: {row.state} follows {state.get(key, '')}")
        if row.occurred_at_s < at_s.get(key, 0):
            yield Violation("journal", f"{key}: revision {row.revision} goes back in time")
        if (row.state == "released") != (not row.amounts):
            yield Violation("journal", f"{key}: {row.state} with {row.amounts}")
        last[key], state[key], at_s[key] = row.revision, row.state, row.occurred_at_s
    metered = select(_R.id, _R.revision, _R.phase).where(_R.kind != ResourceKind.SEGMENT.value)
    for resource_id, revision, phase in connection.execute(metered):
        if revision != last.get(resource_id, 0):
            yield Violation("journal", f"{resource_id}: row says {revision}, journal {last.get(resource_id, 0)}")
        if (phase == Phase.GONE.value) != (state.get(resource_id) == "released"):
            yield Violation("journal", f"{resource_id} is {phase} and its journal ends {state.get(resource_id)}")


def running_where_promised(connection: Connection, observations: Mapping[HostId, HostObservation]) -> Iterator[Violation]:
    """No machine runs in two places, and none whose promise was already given back."""
    places: dict[ResourceId, list[HostId]] = {}
    for host_id, observation in observations.items():
        for machine in observation.instances:
            if machine.state is Observed.RUNNING:
                places.setdefault(machine.instance_id, []).append(host_id)
    for resource_id, host_ids in places.items():
        if len(host_ids) > 1:
            yield Violation("two_places", f"{resource_id} runs on {', '.join(host_ids)}")
    c = t.claims.c
    statement = select(c.resource_id, c.provider_id).where(c.resource_id.in_(list(places)), c.dimension == VCPU)
    promised = {(r.resource_id, r.provider_id) for r in connection.execute(statement)} if places else set()
    for resource_id, host_ids in places.items():
        for host_id in host_ids:
            if (resource_id, host_id) not in promised:
                yield Violation("freed_running", f"{resource_id} runs on {host_id}, where nothing is promised to it")


def _agreement(connection: Connection, observations: Mapping[HostId, HostObservation]) -> Iterator[Violation]:
    """Every machine, disk and network of ours on a host has one living row there, and the other way round."""
    statement = select(_R.id, _R.kind, _R.host_id, _R.desired, _R.observed, _R.phase)
    rows = {r.id: r for r in connection.execute(statement)}
    journal = _last_states(connection)
    for host_id, observation in observations.items():
        machines = {m.instance_id: m.state.value for m in observation.instances}
        shown: dict[ResourceId, str] = dict.fromkeys((*observation.volume_ids, *observation.segment_ids), Observed.PRESENT.value)
        shown |= machines
        living = {r.id for r in rows.values() if r.host_id == host_id and r.phase != Phase.GONE.value}
        for resource_id in sorted(set(shown) - living):
            yield Violation("leftover", f"{resource_id} is on {host_id} without a living row")
        for resource_id in sorted(living):
            row = rows[resource_id]
            if row.phase != Phase.SETTLED.value:
                continue
            if row.observed != row.desired or shown.get(resource_id) != row.desired:
                yield Violation("unmet", f"{resource_id}: {row.desired}, row {row.observed}, host {shown.get(resource_id)}")
            metered = {"present": "running"}.get(row.desired, row.desired)
            if row.kind != ResourceKind.SEGMENT.value and journal.get(resource_id) != metered:
                yield Violation("metering", f"{resource_id}: {row.desired}, journal {journal.get(resource_id)}")


def _last_states(connection: Connection) -> dict[str, str]:
    j = t.journal.c
    return {r.resource_id: r.state for r in connection.execute(select(j.resource_id, j.state).order_by(j.revision))}


def _ended(connection: Connection) -> Iterator[Violation]:
    open_ = (Phase.PENDING.value, Phase.WORKING.value)
    statement = select(_R.id, _R.phase, _R.desired, _R.step, _R.problem).where(_R.phase.in_(open_))
    for resource_id, phase, desired, step, problem in connection.execute(statement):
        yield Violation("liveness", f"{resource_id} is still {phase} ({step or 'start'}, {problem}) towards {desired}")
    alone = (
        select(t.subnets.c.segment_id)
        .join(t.resources, _R.id == t.subnets.c.segment_id)
        .where((_R.phase == Phase.GONE.value) | (_R.desired == Desired.ABSENT.value))
    )
    for segment_id in connection.execute(alone).scalars():
        yield Violation("leftover", f"{segment_id} is gone and keeps its subnet")
    a = t.addresses.c
    used = select(a.address).where(a.segment_id == _R.id, a.resource_id.is_not(None)).exists()
    idle = select(_R.id).where(_R.kind == ResourceKind.SEGMENT.value, _R.phase != Phase.GONE.value, ~used)
    for segment_id in connection.execute(idle).scalars():
        yield Violation("leftover", f"{segment_id} serves nobody and lives on")
