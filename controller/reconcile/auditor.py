"""The auditor of the invariants (DESIGN §5): plain questions to the database and, where given, to the hosts.

Runs every few minutes in production (report and metric, no repair) and after every seed of the simulation.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, func, literal, select, type_coerce, union_all

from controller.moves import tables as move_tables
from controller.moves.model import StepState
from drivers.protocol import HostObservation
from inventory.domain.claim import MOVE
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.layout import Seat
from inventory.domain.reservation import ReservationState
from inventory.domain.resource import Desired, Observed, Phase, ResourceKind
from inventory.domain.resources import PCPU, VCPU, is_fine
from inventory.store import claims, foreign, reservations, standby
from inventory.store import hosts as host_store
from inventory.store import tables as t
from inventory.store.claim_amounts import claim_amounts
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
        _reserve,
        _reservations,
        _used,
        _quotas,
        _addresses,
        _freed,
        _seats,
        _references,
        _moves,
        _unsettled,
        _reboots,
        _journal,
    ]
    found = [v for check in checks for v in check(connection)]
    found += running_where_promised(connection, observations)
    if is_quiet:
        found += [*_agreement(connection, observations), *_ended(connection)]
    return found


def _capacity(connection: Connection) -> Iterator[Violation]:
    found = _found(connection)
    for row in host_store.inventories(connection):
        promised = row.used - found.get((row.provider_id, row.dimension), 0)
        if promised > row.capacity:
            yield Violation("capacity", f"{row.provider_id} {row.dimension}: promised {promised} > capacity {row.capacity}")
        if row.held_reserve not in (0, row.capacity):
            yield Violation("reserve", f"{row.provider_id} {row.dimension}: held {row.held_reserve} of {row.capacity}")


def _found(connection: Connection) -> dict[tuple[str, str], int]:
    """Return what adopted machines claim: they were there, and nobody promised it."""
    taken = [a.id for a in foreign.adopted(connection)]
    return claims.totals(claims.of_resources(connection, taken))


def _reserve(connection: Connection) -> Iterator[Violation]:
    """Every working failure domain has its stand-by domains. That one of them is still in use is a shortage, not a mistake."""
    for state in standby.states(connection):
        if not state.is_kept:
            yield Violation("reserve", f"{state.pool.code}: {', '.join(state.standby) or 'nobody'} standing by is not enough")


def _reservations(connection: Connection) -> Iterator[Violation]:
    """Hosts hold what the slots on them need, and what has ended has no slot."""
    for provider_id, dimension, held, needed in reservations.recount_held(connection):
        yield Violation("reservation", f"{provider_id} {dimension}: held {held}, needed {needed}")
    r, s = t.reservations.c, t.reservation_slots.c
    ended = (
        select(s.reservation_id)
        .join(t.reservations, r.id == s.reservation_id)
        .where(r.state != ReservationState.HELD.value)
        .distinct()
    )
    for reservation_id in connection.execute(ended).scalars():
        yield Violation("reservation", f"{reservation_id} is over and keeps a slot")


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
    amounts = claim_amounts(connection)
    i, a = t.inventories.c, amounts.c
    away = (
        select(_R.id, a.provider_id)
        .join(amounts, a.resource_id == _R.id)
        .join(t.inventories, (i.provider_id == a.provider_id) & (i.dimension == a.dimension))
        .where(_R.host_id != i.host_id, a.resource_kind != MOVE)
    )
    for resource_id, provider_id in connection.execute(away):
        yield Violation("claims", f"{resource_id} claims at {provider_id}, which is not of its host")


def _seats(connection: Connection) -> Iterator[Violation]:
    """Every machine at rest claims just the cells and processors its seat names; one without a seat claims none."""
    c = t.claims.c
    is_seated = type_coerce(_R.spec, Text).like('%"seat":%')
    rests = (_R.kind == ResourceKind.INSTANCE.value, _R.phase == Phase.SETTLED.value)
    # Each seat claims memory of a cell.
    holding = select(c.resource_id, c.amounts).where(c.resource_kind == "instance", type_coerce(c.amounts, Text).like('%"cell:%'))
    claimed = {
        resource_id: {(provider, dimension): amount for provider, dimension, amount in amounts if is_fine(dimension)}
        for resource_id, amounts in connection.execute(holding)
    }
    living = select(_R.id, _R.host_id, _R.spec).where(*rests, is_seated | _R.id.in_(sorted(claimed)))
    for resource_id, host_id, spec in connection.execute(living):
        seat = Seat.from_json(spec["seat"]) if spec.get("seat") else None
        wanted = {(host_id, dimension): amount for dimension, amount in seat.amounts().items()} if seat else {}
        if wanted != claimed.get(resource_id, {}):
            lies = seat.text if seat else "no cell"
            yield Violation("seat", f"{resource_id} lies on {lies} and claims other cells or processors")


def _references(connection: Connection) -> Iterator[Violation]:
    """Find names of nothing: these columns are written too often for foreign keys."""
    for owner, name in connection.execute(_UNKNOWN):
        yield Violation("reference", f"{owner} name {name}, which there is not")


def _unknown(owner: str, column: ColumnElement[Any], key: ColumnElement[Any]) -> Select[Any]:
    return select(literal(owner), column).where(column.is_not(None), column.not_in(select(key))).distinct()


_UNKNOWN = union_all(
    _unknown("resources", _R.department_id, t.departments.c.id),
    _unknown("resources", _R.project_id, t.projects.c.id),
    _unknown("resources", _R.system_id, t.systems.c.id),
    _unknown("resources", _R.host_id, t.hosts.c.id),
    _unknown("resources", _R.target_host_id, t.hosts.c.id),
    _unknown("claims", t.claims.c.project_id, t.projects.c.id),
    _unknown("claims", t.claims.c.resource_id, _R.id),
)


def _moves(connection: Connection) -> Iterator[Violation]:
    """Room on a target is held for what is on its way there, and for nothing else."""
    c, s = claim_amounts(connection).c, move_tables.move_steps.c
    held = (
        select(c.resource_id, _R.target_host_id, t.inventories.c.host_id)
        .join(t.resources, _R.id == c.resource_id)
        .outerjoin(t.inventories, (t.inventories.c.provider_id == c.provider_id) & (t.inventories.c.dimension == c.dimension))
        .where(c.resource_kind == MOVE)
    )
    holding = set()
    for resource_id, target_id, host_id in connection.execute(held):
        holding.add(resource_id)
        if target_id is None or host_id not in (None, target_id):
            yield Violation("moves", f"{resource_id} holds room on {host_id} and goes to {target_id}")
    going = set(connection.execute(select(_R.id).where(_R.target_host_id.is_not(None))).scalars())
    for resource_id in sorted(going - holding):
        yield Violation("moves", f"{resource_id} is on its way and holds no room where it goes")
    under_way = set(connection.execute(select(s.machine_id).where(s.state == StepState.RUNNING.value)).scalars())
    machines = set(
        connection.execute(select(_R.id).where(_R.target_host_id.is_not(None), _R.kind == ResourceKind.INSTANCE.value)).scalars()
    )
    for resource_id in sorted(under_way ^ machines):
        yield Violation("moves", f"{resource_id} has a step under way or a target, and not both")


def _unsettled(connection: Connection) -> Iterator[Violation]:
    open_ = (Phase.PENDING.value, Phase.WORKING.value)
    statement = select(_R.id, _R.phase).where(_R.phase.in_(open_), _R.next_try_s.is_(None))
    for resource_id, phase in connection.execute(statement):
        yield Violation("forgotten", f"{resource_id} is {phase} and nobody will look")


def _reboots(connection: Connection) -> Iterator[Violation]:
    """Find ordered restarts nobody will carry out, and more of them carried out than were ordered."""
    wanted, done = _R.reboots_wanted, _R.reboots_done
    forgotten = (wanted > done) & (_R.desired == Desired.RUNNING.value) & _R.next_try_s.is_(None)
    living = _R.phase.not_in([Phase.GONE.value, Phase.FAILED.value])
    statement = select(_R.id, wanted, done).where(living, forgotten | (done > wanted))
    for resource_id, ordered, carried_out in connection.execute(statement):
        yield Violation("reboot", f"{resource_id}: {carried_out} of {ordered} restarts")


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
    c = claim_amounts(connection).c
    statement = select(c.resource_id, c.provider_id).where(c.resource_id.in_(list(places)), c.dimension.in_((VCPU, PCPU)))
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
