"""Durable placements: orders of machines decided on the picture in memory and committed in groups, without reading tickets."""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from controller.local.memory import spare_what_stays
from controller.reconcile.auditor import audit_invariants
from controller.scheduling.loading import COMPILED_FROM_HOSTS, EngineLoader
from controller.workflows.commit import Order, commit_many
from controller.workflows.deltas import deltas
from controller.workflows.picture import Picture
from controller.workflows.place import placement_request
from controller.workflows.reading import Reader
from controller.workflows.turns import GROUP_MACHINES
from inventory.domain.ids import SystemId, TicketId
from inventory.domain.placement import Placement
from inventory.domain.system import ServerSpec, System, SystemSpec, SystemState
from inventory.store import engine as engine_module
from inventory.store import tables as t
from inventory.store.collector import put_off
from inventory.store.engine import Database
from tests.bench.gang import bare_write_ms
from tests.bench.reconciling import Bench, bench
from tests.bench.report import Figure, Line, Target

#: From so many hosts on a service loads the compiled engine.
_HOSTS = COMPILED_FROM_HOSTS
#: Machines of one order: a ticket for one machine, and one for many.
_LARGE = 64
#: Groups that find a host without a machine for each of theirs, as in a new pool; a group before them is the warm-up.
_NEW_GROUPS = _HOSTS // GROUP_MACHINES - 1
_GROUPS = 8
_OFFERED_PER_S, _OFFERED_S = 2_000, 2.0
#: Longer than this and the queue only grows: the rest of the offer is not waited for.
_GIVE_UP_S = 4.0


@dataclass
class Placer:
    """Makes orders for one project and commits them."""

    here: Bench
    made: int = 0
    _lists: Any = field(default=None)

    def one(self, count: int) -> SystemSpec:
        """Return the wish for a new system of equal machines without networks."""
        self.made += 1
        server = ServerSpec(
            name="web", count=count, size="tiny", image="demo-linux", vcpu_count=1, memory_mib=128, root_disk_gib=1, networks=()
        )
        return SystemSpec(
            name=f"system-{self.made}", title="", department="civil-it", project="P-portal", zone="gov-public", mlps_level=2,
            environment="test", lease_end="2099-12-31", owner="张三", contact_name="张三", servers=(server,),
        )  # fmt: skip

    def commit(self, specs: Sequence[SystemSpec]) -> None:
        """Decide on these wishes one after the other and make them durable together."""
        platform = self.here.platform

        def unit(connection: Connection) -> None:
            platform.picture.follow(connection)
            reader = Reader(connection)
            decided = [self._decided(reader, spec) for spec in specs]
            left_out = commit_many(connection, [order for order, _ in decided], platform.new_id)
            assert not left_out, left_out
            platform.picture.written(connection, [placement for _, placement in decided])

        # As whoever leads a group does.
        with put_off():
            platform.db.run(unit)
            platform.picture.committed()

    def _decided(self, reader: Reader, spec: SystemSpec) -> tuple[Order, Placement]:
        platform = self.here.platform
        department = next(d for d in reader.departments if d.code == spec.department)
        project = next(p for p in reader.projects if p.code == spec.project)
        zone = next(z for z in reader.zones if z.code == spec.zone)
        changes = deltas([], spec)
        archs = {image.name: image.arch for image in reader.images.values()}
        decision = platform.picture.decide(placement_request(spec, zone, changes, [], archs), platform.policy)
        assert isinstance(decision, Placement)
        system = System(
            id=SystemId(platform.new_id("system")), name=spec.name, department_id=department.id, project_id=project.id,
            state=SystemState.BUILDING, revision=1, spec=spec, lease_end_s=4_102_415_999,
        )  # fmt: skip
        order = Order(
            ticket_id=TicketId(platform.new_id("ticket")), system=system, base_revision=0, department=department,
            project=project, zone=zone, deltas=changes, placements={m.name: m for m in decision.members},
            images=reader.images, now_s=platform.clock(),
        )  # fmt: skip
        return order, decision

    def rate(self, machines: int, *, together: bool, groups: int) -> tuple[list[float], list[float]]:
        """Return placements a second and µs of processor time for each, group after group; the first is not counted."""
        rates, spent_us = [], []
        orders = GROUP_MACHINES // machines if together else 1
        for number in range(groups + 1):
            specs = [self.one(machines) for _ in range(orders)]
            started, busy_s = time.perf_counter(), time.thread_time()
            self.commit(specs)
            if number:
                rates.append(orders * machines / (time.perf_counter() - started))
                spent_us.append((time.thread_time() - busy_s) / (orders * machines) * 1e6)
        return rates, spent_us

    def latencies_ms(self) -> list[float]:
        """Offer machines at a steady pace; returns from each one's moment until it was durable."""
        waiting: deque[float] = deque(n / _OFFERED_PER_S for n in range(int(_OFFERED_PER_S * _OFFERED_S)))
        specs: deque[SystemSpec] = deque(self.one(1) for _ in waiting)
        took: list[float] = []
        started = time.perf_counter()
        while waiting and (now := time.perf_counter() - started) < _GIVE_UP_S:
            if waiting[0] > now:
                time.sleep(waiting[0] - now)
                continue
            due: list[float] = []
            while waiting and waiting[0] <= now and len(due) < GROUP_MACHINES:
                due.append(waiting.popleft())
            self.commit([specs.popleft() for _ in due])
            done = time.perf_counter() - started
            took += [(done - at) * 1000 for at in due]
        return took


def _rows(database: Database, order_count: int) -> dict[Table, Sequence[tuple[Any, ...]]]:
    """Return the rows of the newest orders, as the database's own values."""
    newest = select(t.systems.c.id).order_by(t.systems.c.id.desc()).limit(order_count)
    own = select(t.resources.c.id).where(t.resources.c.system_id.in_(newest))
    wanted: dict[Table, Select[Any]] = {
        t.systems: select(t.systems).where(t.systems.c.id.in_(newest)),
        t.resources: select(t.resources).where(t.resources.c.system_id.in_(newest)),
        t.claims: select(t.claims).where(t.claims.c.resource_id.in_(own)),
        t.journal: select(t.journal).where(t.journal.c.resource_id.in_(own)),
        t.journal_due: select(t.journal_due).where(t.journal_due.c.resource_id.in_(own)),
    }
    with database.read() as connection:
        found: dict[Table, Sequence[tuple[Any, ...]]] = {}
        for table, statement in wanted.items():
            text = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
            found[table] = [tuple(row) for row in connection.exec_driver_sql(text)]
        return found


@contextmanager
def _journal_mode(mode: str) -> Iterator[None]:
    """Open SQLite files in a journal mode that the library on this machine may not be fit for in earnest."""
    chosen: Callable[..., str] = engine_module.safe_journal_mode
    engine_module.safe_journal_mode = lambda *_: mode
    try:
        yield
    finally:
        engine_module.safe_journal_mode = chosen


def _measured(label: str, kind: str, folder: Path, seed: int, limit_ms: float) -> list[Line]:
    engines = EngineLoader()
    engines.load()
    with bench(kind, folder / "state", seed, host_count=_HOSTS) as furnished:
        here = replace(furnished, platform=replace(furnished.platform, picture=Picture(engines)))
        placer = Placer(here)
        new, new_us = placer.rate(_LARGE, together=True, groups=_NEW_GROUPS)
        large, large_us = placer.rate(_LARGE, together=True, groups=_GROUPS)
        rows = _rows(here.platform.db, GROUP_MACHINES // _LARGE)
        small, small_us = placer.rate(1, together=True, groups=2)
        alone, _ = placer.rate(1, together=False, groups=20)
        latencies = placer.latencies_ms()
        with here.platform.db.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
    with bench(kind, folder / "bare", seed, host_count=1) as empty:
        bare = [GROUP_MACHINES / bare_write_ms(empty.platform.db, rows) * 1000 for _ in range(_GROUPS)]
    driver = f"{label}: the same rows by the database driver alone, without foreign keys"
    target = Target(limit=20_000, is_ceiling=False)
    return [
        Line(
            what=f"{label}: in groups of {GROUP_MACHINES}, {_LARGE} machines an order", unit="/s", values=tuple(large),
            target=target, baseline=driver,
        ),
        Line(
            what=f"{label}: the same in a new pool, each on a host of its own", unit="/s", values=tuple(new),
            target=target, baseline=driver,
        ),
        Line(what=driver, unit="/s", values=tuple(bare)),
        Line(what=f"{label}: processor time of it for a machine, {_LARGE} an order", unit="µs", values=tuple(large_us)),
        Line(what=f"{label}: processor time of it for a machine in a new pool", unit="µs", values=tuple(new_us)),
        Line(what=f"{label}: processor time of it for a machine, one an order", unit="µs", values=tuple(small_us)),
        Line(
            what=f"{label}: in groups of {GROUP_MACHINES}, one machine an order", unit="/s", values=tuple(small),
            baseline=f"{label}: one commit per order of one machine",
        ),
        Line(what=f"{label}: one commit per order of one machine", unit="/s", values=tuple(alone)),
        Line(
            what=f"{label}: time until durable at an offered {_OFFERED_PER_S:,}/s, one machine an order", unit="ms",
            values=tuple(latencies), target=Target(limit=limit_ms, statistic="p99"),
        ),
    ]  # fmt: skip


def measure(folder: Path, seed: int) -> Figure:
    """Measure SQLite in both journal modes, and PostgreSQL."""
    with _as_served():
        return _figure(folder, seed)


@contextmanager
def _as_served() -> Iterator[None]:
    """Spare the search for dead cycles what stays, as ``allot serve`` does."""
    thresholds = gc.get_threshold()
    spare_what_stays()
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _figure(folder: Path, seed: int) -> Figure:
    with _journal_mode("TRUNCATE"):
        lines = _measured("SQLite, TRUNCATE", "SQLite", folder / "truncate", seed, 60.0)
    with _journal_mode("WAL"):
        lines += _measured("SQLite, WAL", "SQLite", folder / "wal", seed, 25.0)
    lines += _measured("PostgreSQL", "PostgreSQL", folder / "postgresql", seed, 25.0)
    return Figure(
        name="durable",
        title="Durable placements",
        size=f"{_HOSTS:,} hosts; groups of {GROUP_MACHINES} machines, {_NEW_GROUPS} in a new pool after a warm-up, "
        f"then {_GROUPS}; rows of each machine: instance, claim, journal and its mark for the ledger; of each order: system, "
        "limits, and the explained decision",
        seed=seed,
        lines=tuple(lines),
        notes=(
            (
                "Every group is one transaction with all its guards, durable when it is counted. The notes of changes are read "
                "before each group, as with several controllers; hosts are decided on by the compiled engine, as from so many on."
            ),
            f"At the offered rate what has not been durable after {_GIVE_UP_S:.0f} s is not waited for: the queue only grows.",
        ),
    )
