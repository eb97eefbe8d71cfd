"""The auditor of the invariants (DESIGN §5): plain questions to the database and, where given, to the hosts.

Runs every few minutes in production (report and metric, no repair) and after every seed of the simulation.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from controller.moves import store as moves
from drivers.protocol import HostObservation
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.layout import Seat
from inventory.domain.resource import Observed, Phase, ResourceKind
from inventory.domain.resources import is_fine
from inventory.store import claims, foreign, homes, invariants, reservations, standby
from inventory.store import hosts as host_store
from quotas import store as quotas

#: The states a journal may go to from each state.
METERED_NEXT: Mapping[str, frozenset[str]] = {
    "": frozenset({"allocated"}),
    "allocated": frozenset({"allocated", "running", "stopped", "released"}),
    "running": frozenset({"running", "stopped", "lost", "released", "allocated"}),
    "stopped": frozenset({"running", "stopped", "lost", "released", "allocated"}),
    "lost": frozenset({"running", "stopped", "lost", "released", "allocated"}),
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
    for reservation_id in invariants.ended_with_slots(connection):
        yield Violation("reservation", f"{reservation_id} is over and keeps a slot")


def _used(connection: Connection) -> Iterator[Violation]:
    for provider_id, dimension, used, claimed in host_store.recount_used(connection):
        yield Violation("used", f"{provider_id} {dimension}: used {used}, claims {claimed}")


def _quotas(connection: Connection) -> Iterator[Violation]:
    for drift in quotas.recount(connection):
        yield Violation("quota", f"{drift.scope_id} {drift.dimension}: used {drift.used}, counted {drift.counted}")


def _addresses(connection: Connection) -> Iterator[Violation]:
    for segment_id, value in invariants.addresses_given_twice(connection):
        yield Violation("address", f"{value} given twice in {segment_id}")
    for address, resource_id in invariants.addresses_of_the_gone(connection):
        yield Violation("address", f"{address} still belongs to {resource_id}, which is gone")


def _freed(connection: Connection) -> Iterator[Violation]:
    for resource_id in invariants.gone_with_claims(connection):
        yield Violation("claims", f"{resource_id} is gone and still claims")
    for resource_id in invariants.living_without_claims(connection):
        yield Violation("claims", f"{resource_id} lives without a claim")
    for resource_id, provider_id in invariants.claims_elsewhere(connection):
        yield Violation("claims", f"{resource_id} claims at {provider_id}, which is not of its host")


def _seats(connection: Connection) -> Iterator[Violation]:
    """Every machine at rest claims just the cells and processors its seat names; one without a seat claims none."""
    claimed = {
        resource_id: {(provider, dimension): amount for provider, dimension, amount in amounts if is_fine(dimension)}
        for resource_id, amounts in invariants.claims_on_cells(connection).items()
    }
    for resource_id, host_id, spec in invariants.machines_at_rest(connection, claimed):
        seat = Seat.from_json(spec["seat"]) if spec.get("seat") else None
        wanted = {(host_id, dimension): amount for dimension, amount in seat.amounts().items()} if seat else {}
        if wanted != claimed.get(resource_id, {}):
            lies = seat.text if seat else "no cell"
            yield Violation("seat", f"{resource_id} lies on {lies} and claims other cells or processors")


def _references(connection: Connection) -> Iterator[Violation]:
    for owner, name in invariants.unknown_names(connection):
        yield Violation("reference", f"{owner} name {name}, which there is not")


def _moves(connection: Connection) -> Iterator[Violation]:
    """Room on a target is held for what is on its way there, and for nothing else."""
    holding = set()
    for resource_id, target_id, host_id in invariants.rooms_on_targets(connection):
        holding.add(resource_id)
        if target_id is None or host_id not in (None, target_id):
            yield Violation("moves", f"{resource_id} holds room on {host_id} and goes to {target_id}")
    going = invariants.on_their_way(connection)
    for resource_id in sorted(going.keys() - holding):
        yield Violation("moves", f"{resource_id} is on its way and holds no room where it goes")
    under_way = moves.machines_under_way(connection)
    machines = {resource_id for resource_id, kind in going.items() if kind == ResourceKind.INSTANCE.value}
    for resource_id in sorted(under_way ^ machines):
        yield Violation("moves", f"{resource_id} has a step under way or a target, and not both")


def _unsettled(connection: Connection) -> Iterator[Violation]:
    for resource_id, phase in invariants.open_without_a_try(connection):
        yield Violation("forgotten", f"{resource_id} is {phase} and nobody will look")


def _reboots(connection: Connection) -> Iterator[Violation]:
    """Find ordered restarts nobody will carry out, and more of them carried out than were ordered."""
    for resource_id, ordered, carried_out in invariants.miscounted_reboots(connection):
        yield Violation("reboot", f"{resource_id}: {carried_out} of {ordered} restarts")


def _journal(connection: Connection) -> Iterator[Violation]:
    last: dict[str, int] = {}
    state: dict[str, str] = {}
    at_s: dict[str, int] = {}
    for row in invariants.journal_lines(connection):
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
    for resource_id, revision, phase in invariants.metered_revisions(connection):
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
    promised = invariants.processors_promised(connection, places)
    for resource_id, host_ids in places.items():
        for host_id in host_ids:
            if (resource_id, host_id) not in promised:
                yield Violation("freed_running", f"{resource_id} runs on {host_id}, where nothing is promised to it")


def _agreement(connection: Connection, observations: Mapping[HostId, HostObservation]) -> Iterator[Violation]:
    """Every machine, disk and network of ours on a host has one living row there, and the other way round."""
    rows = invariants.standings(connection)
    journal = invariants.last_states(connection)
    guests = homes.homes(connection)
    for host_id, observation in observations.items():
        # Networks of a shared fabric are shown by all its hosts and counted where they stand.
        segment_ids = observation.segment_ids if host_id not in guests else frozenset[ResourceId]()
        machines = {m.instance_id: m.state.value for m in observation.instances}
        shown: dict[ResourceId, str] = dict.fromkeys((*observation.volume_ids, *segment_ids), Observed.PRESENT.value)
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


def _ended(connection: Connection) -> Iterator[Violation]:
    for resource_id, phase, desired, step, problem in invariants.open_wishes(connection):
        yield Violation("liveness", f"{resource_id} is still {phase} ({step or 'start'}, {problem}) towards {desired}")
    for segment_id in invariants.subnets_of_the_gone(connection):
        yield Violation("leftover", f"{segment_id} is gone and keeps its subnet")
    for segment_id in invariants.idle_segments(connection):
        yield Violation("leftover", f"{segment_id} serves nobody and lives on")
