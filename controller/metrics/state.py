"""Families that are read from the database: each collector asks one store and returns text."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network

from sqlalchemy import Connection

from controller.identity import audit
from controller.metrics import declared as m
from controller.metrics import fragmentation
from controller.metrics.exposition import Samples, family, single
from controller.networks.address_plan import usable_count
from controller.tickets import summary as tickets
from controller.tickets.model import TicketState
from inventory.domain.resource import Observed, Phase
from inventory.domain.resources import DISK_PREFIX, MEMORY_MIB, VCPU
from inventory.store import directory, standby, summary
from inventory.store.summary import ResourceCount
from metering import held_store, ledger_store
from quotas import budget_store
from quotas import summary as quotas

#: Text of families, from an open connection at a moment.
Collector = Callable[[Connection, float], Iterable[str]]

_MIB = 1 << 20
_GIB = 1 << 30
_DAY_S = 86_400
#: Hosts and departments that are named; the rest is only counted.
HOSTS_NAMED_MAX = 200
DEPARTMENTS_NAMED_MAX = 200
#: Kinds of findings that are shown with a zero, so that an alert can tell none from unknown.
FINDING_KINDS = ("stopped", "started", "missing", "edited", "orphan", "duplicate", "metering", "host_state", "host_lost")
#: Where something stands that has no host.
NOWHERE = ("none", "none")


def capacity(connection: Connection, _now_s: float) -> Iterable[str]:
    """Capacity, claims, foreign use, what is free and what is over capacity, in base units."""
    rooms = summary.rooms(connection)
    yield from _rooms(
        (m.VCPU_CAPACITY, m.VCPU_CLAIMED, m.VCPU_FOREIGN, m.VCPU_FREE, m.VCPU_OVER, m.VCPU_HELD),
        {(r.pool, r.zone): r for r in rooms if r.dimension == VCPU},
        unit=1,
    )
    yield from _rooms(
        (m.MEMORY_CAPACITY, m.MEMORY_CLAIMED, m.MEMORY_FOREIGN, m.MEMORY_FREE, m.MEMORY_OVER, m.MEMORY_HELD),
        {(r.pool, r.zone): r for r in rooms if r.dimension == MEMORY_MIB},
        unit=_MIB,
    )
    disks = [r for r in rooms if r.dimension.startswith(DISK_PREFIX)]
    yield from _rooms(
        (m.DISK_CAPACITY, m.DISK_CLAIMED, m.DISK_FOREIGN, m.DISK_FREE, m.DISK_OVER, m.DISK_HELD),
        {(r.pool, r.zone, r.dimension.removeprefix(DISK_PREFIX)): r for r in disks},
        unit=_GIB,
    )


def _rooms(
    families: tuple[m.Metric, m.Metric, m.Metric, m.Metric, m.Metric, m.Metric],
    rooms: Mapping[tuple[str, ...], summary.Room],
    *,
    unit: int,
) -> Iterable[str]:
    capacity_, claimed, foreign, free, over, held = families
    yield family(capacity_, {key: r.capacity * unit for key, r in rooms.items()})
    yield family(claimed, {key: r.used * unit for key, r in rooms.items()})
    yield family(foreign, {key: r.foreign_used * unit for key, r in rooms.items()})
    yield family(free, {key: r.free * unit for key, r in rooms.items()})
    yield family(over, {key: r.over * unit for key, r in rooms.items()})
    yield family(
        held,
        {(*key, "reserve"): r.held_reserve * unit for key, r in rooms.items()}
        | {(*key, "reservation"): r.held_reservations * unit for key, r in rooms.items()},
    )


def usable(connection: Connection, _now_s: float) -> Iterable[str]:
    """What of the free capacity can be used: machines that fit, what fragmentation takes, what is stranded."""
    found = fragmentation.by_pool(summary.free_rooms(connection), directory.sizes(connection))
    yield family(m.SIZE_FIT, {(*key, size): n for key, u in found.items() for size, n in u.fit.items()})
    yield family(m.SIZE_LOST, {(*key, size): ratio for key, u in found.items() for size, ratio in u.lost_ratio.items()})
    yield family(m.VCPU_STRANDED, {key: u.stranded_vcpu for key, u in found.items()})
    yield family(m.MEMORY_STRANDED, {key: u.stranded_memory_mib * _MIB for key, u in found.items()})


def reserves(connection: Connection, _now_s: float) -> Iterable[str]:
    """Hosts that stand by, and how many failure domains nobody stands by for."""
    # A zero for pools that ask for none: an alert can tell none from unknown.
    none: dict[tuple[str, ...], float] = {(pool,): 0 for pool, _ in summary.pool_codes(connection).values()}
    found = standby.states(connection)
    yield family(m.RESERVE_HOSTS, none | {(s.pool.code,): len(s.standby) for s in found})
    yield family(m.RESERVE_UNCOVERED, none | {(s.pool.code,): len(s.uncovered) for s in found})


def reserved(connection: Connection, now_s: float) -> Iterable[str]:
    """Living reservations, and the machines they are still for."""
    found = summary.reservations(connection, now_s)
    yield family(m.RESERVATIONS, {("coming",): found.coming, ("open",): found.open, ("overdue",): found.overdue})
    yield family(m.RESERVED_MACHINES, {(zone,): count for zone, count in found.machines.items()})
    yield family(m.RESERVED_ASTRAY, {(zone,): count for zone, count in found.astray.items()})


def hosts(connection: Connection, now_s: float) -> Iterable[str]:
    """Hosts by state; by name those that do not answer, and those past the time that was said for their state."""
    yield family(m.HOSTS, {row[:-1]: row[-1] for row in summary.host_counts(connection)})
    unreachable: dict[tuple[str, ...], float] = dict.fromkeys(summary.unreachable_hosts(connection, HOSTS_NAMED_MAX), 1)
    yield family(m.HOST_UNREACHABLE, unreachable)
    late = summary.overdue_hosts(connection, now_s, HOSTS_NAMED_MAX)
    yield family(m.HOST_STATE_OVERDUE, {row[:-1]: _age(now_s, row[-1]) for row in late})


def addresses(connection: Connection, now_s: float) -> Iterable[str]:
    """Addresses and subnets of each zone; what no segment has taken yet counts as free."""
    states: dict[tuple[str, ...], float] = {}
    subnets: dict[tuple[str, ...], float] = {}
    for row in summary.address_counts(connection, now_s):
        length = IPv4Network(row.address_range).prefixlen
        blocks = 1 << (row.segment_prefix - length) if row.segment_prefix >= length else 0
        total = blocks * usable_count(row.segment_prefix)
        states[row.zone, "given"] = row.given
        states[row.zone, "resting"] = row.resting
        states[row.zone, "free"] = max(0, total - row.given - row.resting)
        subnets[row.zone, "given"] = row.subnets
        subnets[row.zone, "free"] = max(0, blocks - row.subnets)
    yield family(m.ADDRESSES, states)
    yield family(m.SUBNETS, subnets)


def quota(connection: Connection, _now_s: float) -> Iterable[str]:
    """How full departments are, the fullest first where there are too many."""
    rows = quotas.department_ratios(connection)
    fullest: dict[str, float] = {}
    for department, _, ratio in rows:
        fullest[department] = max(fullest.get(department, 0.0), ratio)
    named = set(sorted(fullest, key=lambda d: (-fullest[d], d))[:DEPARTMENTS_NAMED_MAX])
    yield family(m.QUOTA_USED_RATIO, {(d, dimension): ratio for d, dimension, ratio in rows if d in named})
    yield single(m.QUOTA_HIDDEN, len(fullest) - len(named))


def utilisation(connection: Connection, now_s: float) -> Iterable[str]:
    """What machines used of what they were allocated, as far as it was sampled; the largest departments."""
    rows = sorted(held_store.used(connection, int(now_s) - _DAY_S), key=lambda r: (-r.vcpu_ms, r.department, r.zone))
    named = set(list(dict.fromkeys(r.department for r in rows))[:DEPARTMENTS_NAMED_MAX])
    own = [r for r in rows if r.department in named]
    yield family(m.VCPU_USED_RATIO, {(r.department, r.zone): r.cpu_ms / r.vcpu_ms for r in own if r.vcpu_ms})
    yield family(
        m.MEMORY_USED_RATIO, {(r.department, r.zone): r.memory_used_mib_ms / r.memory_mib_ms for r in own if r.memory_mib_ms}
    )


def budgets(connection: Connection, now_s: float) -> Iterable[str]:
    """How far departments' budgets of the year are spent and obliged: the fullest of each, the fullest departments first."""
    spent: dict[str, float] = {}
    obligated: dict[str, float] = {}
    for department, spent_ratio, obligated_ratio in budget_store.department_ratios(connection, now_s):
        spent[department] = max(spent.get(department, 0.0), spent_ratio)
        obligated[department] = max(obligated.get(department, 0.0), obligated_ratio)
    named = sorted(obligated, key=lambda d: (-obligated[d], d))[:DEPARTMENTS_NAMED_MAX]
    yield family(m.BUDGET_SPENT, {(d,): spent[d] for d in named})
    yield family(m.BUDGET_OBLIGATED, {(d,): obligated[d] for d in named})


def leases(connection: Connection, now_s: float) -> Iterable[str]:
    """Systems near the end of their lease."""
    counts = summary.lease_counts(connection, now_s)
    ends = {"expired": counts.expired, "7d": counts.within_7_days, "30d": counts.within_30_days}
    yield family(m.LEASES_ENDING, {(within,): count for within, count in ends.items()})


def queue(connection: Connection, now_s: float) -> Iterable[str]:
    """Tickets by state and the oldest of those that are not over."""
    yield family(m.TICKETS, _by_state(tickets.state_counts(connection)))
    since_s = tickets.oldest_since_s(connection)
    yield family(m.TICKET_OLDEST_AGE, {(s.value,): _age(now_s, since_s.get(s)) for s in tickets.WAITING})


def _by_state(counts: Mapping[TicketState, int]) -> dict[tuple[str, ...], float]:
    return {(state.value,): count for state, count in counts.items()}


def lag(connection: Connection, now_s: float) -> Iterable[str]:
    """How far reality is behind the wishes."""
    yield single(m.JOURNAL_LAG, _age(now_s, tickets.oldest_unsettled_since_s(connection)))


def findings(connection: Connection, now_s: float) -> Iterable[str]:
    """Drift and orphans that are open."""
    rows = {kind: (count, first_s) for kind, count, first_s in summary.open_findings(connection)}
    kinds = sorted({*FINDING_KINDS, *rows})
    yield family(m.FINDINGS_OPEN, {(k,): rows[k][0] if k in rows else 0 for k in kinds})
    yield family(m.FINDINGS_OLDEST_AGE, {(k,): _age(now_s, rows[k][1] if k in rows else None) for k in kinds})


def holds(connection: Connection, now_s: float) -> Iterable[str]:
    """Holds on resources, and those that ran out."""
    found = summary.hold_counts(connection, now_s)
    yield family(m.HOLDS, {("held",): found.held, ("expired",): found.expired})


def audit_chain(connection: Connection, _now_s: float) -> Iterable[str]:
    """Length of the audit chain."""
    yield single(m.AUDIT_EVENTS, audit.head(connection).seq)


def ledger(connection: Connection, now_s: float) -> Iterable[str]:
    """How far the ledger of usage is behind the journal."""
    yield single(m.LEDGER_DUE, ledger_store.due_count(connection))
    yield single(m.LEDGER_OLDEST_DUE, _age(now_s, ledger_store.oldest_due_at_s(connection)))


#: In the order of the exposition; ``resources`` is told apart because it needs the pools.
COLLECTORS: tuple[Collector, ...] = (
    capacity,
    usable,
    reserves,
    reserved,
    hosts,
    addresses,
    quota,
    utilisation,
    budgets,
    leases,
    queue,
    lag,
    holds,
    findings,
    audit_chain,
    ledger,
)


def resources(rows: Sequence[ResourceCount], pools: Mapping[str, tuple[str, str]]) -> Iterable[str]:
    """Machines, disks and networks by place and state; rows of the journal."""
    machines: dict[tuple[str, ...], float] = {}
    for row in summary.living(rows, "instance"):
        pool, zone = pools.get(row.pool_id, NOWHERE)
        _add(machines, (zone, pool, row.phase, row.observed), row.count)
    yield family(m.INSTANCES, machines)
    yield family(m.INSTANCES_FAILED, _failed(machines, pools))
    for metric, kind in ((m.VOLUMES, "volume"), (m.SEGMENTS, "segment")):
        counts: dict[tuple[str, ...], float] = {}
        for row in summary.living(rows, kind):
            pool, zone = pools.get(row.pool_id, NOWHERE)
            _add(counts, (zone, pool, row.phase), row.count)
        yield family(metric, counts)
    yield single(m.JOURNAL_ROWS, sum(r.journal_rows for r in rows))


def _failed(machines: Mapping[tuple[str, ...], float], pools: Mapping[str, tuple[str, str]]) -> Samples:
    """Return how many machines of each pool failed or are lost; a zero where none is, so that an alert can tell it."""
    found: dict[tuple[str, ...], float] = {(zone, pool): 0 for pool, zone in sorted(pools.values())}
    for (zone, pool, phase, observed), count in machines.items():
        if phase == Phase.FAILED.value or (phase == Phase.SETTLED.value and observed == Observed.ABSENT.value):
            found[zone, pool] = found.get((zone, pool), 0) + count
    return found


def _add(table: dict[tuple[str, ...], float], key: tuple[str, ...], count: int) -> None:
    table[key] = table.get(key, 0) + count


def _age(now_s: float, since_s: float | None) -> float:
    return 0.0 if since_s is None else max(0.0, now_s - since_s)
