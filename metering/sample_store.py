"""Samples of machines in the database: kept as they come, then worked into what each machine used by day.

The loop's workers bring samples, the keeper of the ledger writes them, many hosts in one transaction. About once an hour the
samples of a host are worked in and deleted. Working in is one transaction under one lock: a death between two samples, or
two controllers at once, count nothing twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, or_, select

from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.store import bulk
from inventory.store import tables as t
from metering import count_store, ledger_store, period_store
from metering.counts import CountedDay
from metering.ledger import LedgerInterval
from metering.ledger_tables import intervals
from metering.sample_tables import machine_use, network_counts, readings, spool
from metering.samples import SUMS, Reading, Sample, Spread, Stretch, Used, split, step, unpacked

#: Longer than this a row is no day but a month.
_DAY_AT_MOST_S = 2 * 86_400
#: The day (or month) a moment lies in: its first second, and the first one after.
DayOf = Callable[[int], tuple[int, int]]


class Taken(NamedTuple):
    """The samples of one host at one moment."""

    host_id: str
    at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a machine is at one moment, and what it holds."""

    name: str
    department_id: str
    project_id: str
    system_id: str
    network_class: str
    vcpu_count: int
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineUse:
    """What one machine used in a day or a month."""

    instance_id: str
    start_s: int
    end_s: int
    owner: Owner
    used: Used


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkedIn:
    """What one transaction did."""

    host_count: int = 0
    sample_count: int = 0
    #: Late or repeated, or of machines the ledger does not know (yet).
    ignored_count: int = 0


def keep(connection: Connection, taken: Sequence[Taken]) -> None:
    """Keep samples until they are worked in; those of a moment that is there already are the same."""
    if taken:
        connection.execute(bulk.insert(connection, spool).on_conflict_do_nothing(), [t._asdict() for t in taken])


def oldest_ms(connection: Connection) -> int | None:
    """Return the moment of the oldest sample that waits."""
    return connection.execute(select(func.min(spool.c.at_ms))).scalar_one_or_none()


def work_in(
    connection: Connection, *, before_ms: int, most_hosts: int, most_ms: int, day_of: DayOf, counts_bytes: bool = False
) -> WorkedIn:
    """Work in all samples of up to ``most_hosts`` hosts that have one from before ``before_ms``.

    A stretch longer than ``most_ms`` is not counted as covered time. ``counts_bytes``: bytes are a meter, and charged.
    """
    # Nobody reviews a month meanwhile, and nobody else works in.
    ledger_store.lock(connection)
    c = spool.c
    first = func.min(c.at_ms)
    due = select(c.host_id).group_by(c.host_id).having(first <= before_ms).order_by(first, c.host_id).limit(most_hosts)
    hosts = list(connection.execute(due).scalars())
    if not hosts:
        return WorkedIn()
    rows = connection.execute(select(spool).where(c.host_id.in_(hosts)).order_by(c.at_ms, c.host_id)).all()
    work = _Work(connection, most_ms, day_of, period_store.frozen_until_s(connection) if counts_bytes else None)
    for row in rows:
        for sample in unpacked(row.body):
            work.samples.setdefault(sample.instance_id, []).append((row.host_id, row.at_ms, sample))
    work.run()
    connection.execute(delete(spool).where(c.host_id.in_(hosts)))
    return WorkedIn(host_count=len(hosts), sample_count=work.sample_count, ignored_count=work.ignored_count)


@dataclass(slots=True)
class _Work:
    """One transaction's samples on their way into days."""

    connection: Connection
    most_ms: int
    day_of: DayOf
    #: Up to where months are reviewed: bytes of before count on the day after. ``None``: bytes are no meter.
    frozen_until_s: int | None = None
    #: By machine: host, moment, and what it told.
    samples: dict[str, list[tuple[str, int, Sample]]] = field(default_factory=dict)
    sample_count: int = 0
    ignored_count: int = 0
    #: (machine, first second of the day) -> what came to it.
    days: dict[tuple[str, int], MachineUse] = field(default_factory=dict)
    counted: dict[tuple[Any, ...], CountedDay] = field(default_factory=dict)

    def run(self) -> None:
        """Take everything and write what came of it."""
        if not self.samples:
            return
        ids = sorted(self.samples)
        known = read_readings(self.connection, ids)
        moments = [at_ms for found in self.samples.values() for _, at_ms, _ in found]
        owners = Owners(self.connection, ids, min(moments) // 1000, max(moments) // 1000)
        moved = [
            {"instance_id": id_, "host_id": host_id, **reading._asdict()}
            for id_ in ids
            for host_id, reading in self._machine(id_, known.get(id_, {}), owners).items()
        ]
        self._write(moved)

    def _machine(self, id_: str, known: dict[str, Reading], owners: "Owners") -> dict[str, Reading]:
        """Take the samples of one machine; returns where it stands on the hosts that told something new."""
        moved: dict[str, Reading] = {}
        for host_id, at_ms, sample in self.samples[id_]:
            self.sample_count += 1
            owner = owners.at(id_, at_ms // 1000)
            found = step(known, host_id, at_ms, sample) if owner is not None else None
            if found is None or owner is None:
                # Of nobody yet: the counters go on, and the next sample brings what this one did.
                self.ignored_count += 1
                continue
            known[host_id] = moved[host_id] = found[0]
            if found[1] is not None:
                self._stretch(id_, owner, found[1])
                self._count(id_, owner, host_id, found[1], found[0])
        return moved

    def _count(self, id_: str, owner: Owner, host_id: str, stretch: Stretch, reading: Reading) -> None:
        """Count bytes on the day they were read."""
        if self.frozen_until_s is None or not (stretch.received_bytes or stretch.sent_bytes):
            return
        start_s, end_s = self.day_of(max(stretch.to_ms // 1000, self.frozen_until_s))
        key = (id_, start_s, owner.department_id, owner.project_id, owner.system_id, owner.network_class)
        day = self.counted.get(key)
        if day is None:
            day = self.counted[key] = CountedDay(
                resource_id=id_, start_s=start_s, end_s=end_s, resource_name=owner.name, department_id=owner.department_id,
                project_id=owner.project_id, system_id=owner.system_id, network_class=owner.network_class,
                runs=count_store.runs(self.connection, key),
            )  # fmt: skip
        day.add(host_id, stretch, reading)

    def _stretch(self, id_: str, owner: Owner, stretch: Stretch) -> None:
        last = self.day_of(stretch.to_ms // 1000)
        midnight_ms = last[0] * 1000
        is_over_two = stretch.from_ms < midnight_ms and stretch.to_ms - stretch.from_ms <= self.most_ms
        for part in split(stretch, [midnight_ms]) if is_over_two else (stretch,):
            day = last if part.to_ms > midnight_ms else self.day_of(part.from_ms // 1000)
            self._day(id_, owner, *day).count(part, owner.vcpu_count, owner.memory_mib, self.most_ms)

    def _day(self, id_: str, owner: Owner, start_s: int, end_s: int) -> Used:
        known = self.days.get((id_, start_s))
        used = known.used if known is not None else Used.empty()
        if known is None or known.owner != owner:
            self.days[id_, start_s] = MachineUse(instance_id=id_, start_s=start_s, end_s=end_s, owner=owner, used=used)
        return used

    def _write(self, moved: Sequence[Mapping[str, Any]]) -> None:
        ids = sorted({id_ for id_, _ in self.days})
        starts = {start_s for _, start_s in self.days}
        if starts:
            c = machine_use.c
            known = select(machine_use).where(c.instance_id.in_(ids), c.start_s.between(min(starts), max(starts)))
            for before in map(of_row, self.connection.execute(known)):
                now = self.days.get((before.instance_id, before.start_s))
                if now is not None:
                    now.used.merge(before.used)
        save(self.connection, list(self.days.values()))
        bulk.upsert(self.connection, readings, moved, key=("instance_id", "host_id"))
        rows = [count_store.row(day) for day in self.counted.values()]
        bulk.upsert(self.connection, network_counts, rows, key=network_counts.primary_key.columns.keys())


class Owners:
    """Whose machines were in a window, as the ledger says."""

    def __init__(self, connection: Connection, ids: Sequence[str], start_s: int, end_s: int) -> None:
        c = intervals.c
        touching = (c.start_s <= end_s, or_(c.end_s.is_(None), c.end_s > start_s))
        statement = select(intervals).where(c.resource_id.in_(ids), c.meter.in_((VCPU, MEMORY_MIB)), *touching)
        self._rows: dict[tuple[str, str], list[LedgerInterval]] = {}
        host_ids = set()
        for row in connection.execute(statement.order_by(c.start_s)):
            found = LedgerInterval(**row._mapping)
            self._rows.setdefault((found.resource_id, found.meter), []).append(found)
            host_ids.add(found.host_id)
        h, pools, zones = t.hosts.c, t.pools.c, t.zones.c
        joined = t.hosts.join(t.pools, pools.id == h.pool_id).join(t.zones, zones.id == pools.zone_id)
        classes = select(h.id, zones.network_class).select_from(joined).where(h.id.in_(sorted(filter(None, host_ids))))
        #: A host is in one zone, and so is every machine on it.
        self._classes: dict[str, str] = {r[0]: r[1] for r in connection.execute(classes)}
        self._last: dict[str, tuple[int, int, Owner]] = {}

    def at(self, id_: str, at_s: int) -> Owner | None:
        """Return whose a machine was; ``None``: the ledger does not know it at that moment."""
        last = self._last.get(id_)
        if last is not None and last[0] <= at_s < last[1]:
            return last[2]
        vcpu, memory = (self._interval(id_, meter, at_s) for meter in (VCPU, MEMORY_MIB))
        if vcpu is None or memory is None:
            return None
        owner = Owner(
            name=vcpu.resource_name, department_id=vcpu.department_id, project_id=vcpu.project_id, system_id=vcpu.system_id,
            network_class=self._classes.get(vcpu.host_id or "", ""), vcpu_count=vcpu.amount, memory_mib=memory.amount,
        )  # fmt: skip
        self._last[id_] = (max(vcpu.start_s, memory.start_s), min(_end(vcpu), _end(memory)), owner)
        return owner

    def _interval(self, id_: str, meter: str, at_s: int) -> LedgerInterval | None:
        rows = self._rows.get((id_, meter), ())
        return next((i for i in rows if i.start_s <= at_s < _end(i)), None)


def _end(interval: LedgerInterval) -> int:
    return 1 << 62 if interval.end_s is None else interval.end_s


def read_readings(connection: Connection, ids: Sequence[str]) -> dict[str, dict[str, Reading]]:
    """Return the last counters of some machines on every host they were on."""
    found: dict[str, dict[str, Reading]] = {}
    for r in connection.execute(select(readings).where(readings.c.instance_id.in_(ids))):
        reading = Reading(r.at_ms, r.cpu_time_ns, r.received_bytes, r.sent_bytes)
        found.setdefault(r.instance_id, {})[r.host_id] = reading
    return found


def latest(connection: Connection) -> dict[str, Sample]:
    """Return the newest counters of each machine, from the host that told of it last; memory only while its sample waits."""
    found: dict[str, tuple[int, Sample]] = {}
    for r in connection.execute(select(readings)):
        told = Sample(r.instance_id, r.cpu_time_ns, None, r.received_bytes, r.sent_bytes)
        _keep_newer(found, r.at_ms, told)
    newest = select(spool.c.host_id, func.max(spool.c.at_ms).label("at_ms")).group_by(spool.c.host_id).subquery().c
    of_newest = select(spool).where(spool.c.host_id == newest.host_id, spool.c.at_ms == newest.at_ms)
    for row in connection.execute(of_newest):
        for sample in unpacked(row.body):
            _keep_newer(found, row.at_ms, sample)
    return {id_: sample for id_, (_, sample) in found.items()}


def _keep_newer(found: dict[str, tuple[int, Sample]], at_ms: int, sample: Sample) -> None:
    known = found.get(sample.instance_id)
    if known is None or known[0] <= at_ms:
        found[sample.instance_id] = (at_ms, sample)


# -- days and months ---------------------------------------------------------------------------------------------------


def save(connection: Connection, uses: Sequence[MachineUse]) -> None:
    """Write what machines used, in place of what stood there."""
    bulk.upsert(connection, machine_use, [_row(use) for use in uses], key=("instance_id", "start_s"))


def of_row(row: Any) -> MachineUse:
    """Return what one row says."""
    owner = Owner(
        name=row.name, department_id=row.department_id, project_id=row.project_id, system_id=row.system_id,
        network_class=row.network_class, vcpu_count=row.vcpu_count, memory_mib=row.memory_mib,
    )  # fmt: skip
    used = Used(
        cpu=Spread.read(row.cpu_spread, row.cpu_peak_permille), memory=Spread.read(row.memory_spread, row.memory_peak_permille),
        **{name: getattr(row, name) for name in SUMS},
    )  # fmt: skip
    return MachineUse(instance_id=row.instance_id, start_s=row.start_s, end_s=row.end_s, owner=owner, used=used)


def _row(use: MachineUse) -> dict[str, Any]:
    used, owner = use.used, use.owner
    return {
        "instance_id": use.instance_id, "start_s": use.start_s, "end_s": use.end_s, "name": owner.name,
        "department_id": owner.department_id, "project_id": owner.project_id, "system_id": owner.system_id,
        "network_class": owner.network_class, "vcpu_count": owner.vcpu_count, "memory_mib": owner.memory_mib,
        "cpu_spread": used.cpu.text(), "cpu_peak_permille": used.cpu.peak_permille, "memory_spread": used.memory.text(),
        "memory_peak_permille": used.memory.peak_permille, **{name: getattr(used, name) for name in SUMS},
    }  # fmt: skip


def put_together(connection: Connection, *, before_s: int, month_of: DayOf, limit: int) -> int:
    """Put the days of up to ``limit`` machines together to months that ended before ``before_s``; returns how many machines."""
    ledger_store.lock(connection)
    c = machine_use.c
    is_day = c.end_s - c.start_s <= _DAY_AT_MOST_S
    cut_s = month_of(before_s)[0]
    due = select(c.instance_id).where(is_day, c.end_s <= cut_s).distinct().order_by(c.instance_id).limit(limit)
    ids = list(connection.execute(due).scalars())
    if not ids:
        return 0
    whole = select(machine_use).where(c.instance_id.in_(ids), c.end_s <= cut_s).order_by(c.instance_id, c.start_s)
    months: dict[tuple[str, int], MachineUse] = {}
    for day in map(of_row, connection.execute(whole)):
        start_s, end_s = month_of(day.start_s)
        known = months.get((day.instance_id, start_s))
        if known is not None:
            day.used.merge(known.used)
        months[day.instance_id, start_s] = MachineUse(
            instance_id=day.instance_id, start_s=start_s, end_s=end_s, owner=day.owner, used=day.used
        )
    connection.execute(delete(machine_use).where(c.instance_id.in_(ids), c.end_s <= cut_s))
    save(connection, list(months.values()))
    return len(ids)


def forget(connection: Connection, *, use_before_s: float, readings_before_s: float, limit: int) -> int:
    """Delete what is older, up to ``limit`` machines at a time; returns how many rows went."""
    c, r = machine_use.c, readings.c
    old = list(connection.execute(select(c.instance_id).where(c.end_s <= use_before_s).distinct().limit(limit)).scalars())
    gone = connection.execute(delete(machine_use).where(c.instance_id.in_(old), c.end_s <= use_before_s)).rowcount if old else 0
    is_silent = r.at_ms < readings_before_s * 1000
    silent = list(connection.execute(select(r.instance_id).where(is_silent).distinct().limit(limit)).scalars())
    if silent:
        gone += connection.execute(delete(readings).where(r.instance_id.in_(silent), is_silent)).rowcount
    return gone
