"""One ticket for five hundred machines: how long until it is promised, and until all of them were seen running."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from controller.tickets.tables import tickets
from drivers.protocol import DriverContext, ImageSource, MachineRequest, NicRequest, SegmentRequest, VolumeRequest
from drivers.registry import driver_factory
from drivers.simulated.world import World, drop_world, image_is_trusted, install_world
from inventory.domain.ids import TicketId
from inventory.domain.resource import Resource, ResourceKind
from inventory.store import resources
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.bench.reconciling import ENGINES, Bench, bench, engine, ticket_text
from tests.bench.report import Figure, Line, Target

_HOSTS, _GROUPS, _PER_GROUP, _ROUNDS = 100, 20, 25, 5
_COUNT = _GROUPS * _PER_GROUP
_BARE_WORLD = "bench-bare"
_IMAGE = ImageSource(image_id="image", sha256="0" * 64, disk_format="qcow2", virtual_size_gib=1, path=Path("none"))

Rows = Mapping[Table, Sequence[tuple[Any, ...]]]


def rounds(bench_: Bench) -> tuple[list[float], list[float], list[float], TicketId]:
    """Hand tickets in while the hosts fill up; returns commit and its processor time (ms), active (s) and the last ticket."""
    commits, cpu, active = [], [], []
    with bench_.controller() as reconciler:
        # The first ticket pays for the statements that are compiled once.
        for number in range(_ROUNDS + 1):
            started, thread = time.perf_counter(), time.thread_time()
            ticket = bench_.submit(ticket_text(f"gang-{number}", _GROUPS, _PER_GROUP, networks=f"net{number}"))
            accepted, busy_s = time.perf_counter(), time.thread_time() - thread
            reconciler.wake()
            ended = bench_.wait_done(ticket.id)
            assert bench_.running_count(ticket.id) == _COUNT
            if number:
                commits.append((accepted - started) * 1000)
                cpu.append(busy_s * 1000)
                active.append(ended - accepted)
    return commits, cpu, active, ticket.id


def _of_ticket(ticket_id: TicketId) -> Iterator[tuple[Table, Select[Any]]]:
    own = select(t.resources.c.id).where(t.resources.c.ticket_id == ticket_id)
    system = select(tickets.c.system_id).where(tickets.c.id == ticket_id)
    yield t.systems, select(t.systems).where(t.systems.c.id.in_(system))
    yield t.resources, select(t.resources).where(t.resources.c.ticket_id == ticket_id)
    yield t.subnets, select(t.subnets).where(t.subnets.c.segment_id.in_(own))
    yield t.addresses, select(t.addresses).where(t.addresses.c.segment_id.in_(own))
    yield t.claims, select(t.claims).where(t.claims.c.resource_id.in_(own))
    yield t.journal, select(t.journal).where(t.journal.c.resource_id.in_(own), t.journal.c.revision == 1)
    yield tickets, select(tickets).where(tickets.c.id == ticket_id)


def rows_of(database: Database, ticket_id: TicketId) -> Rows:
    """Return what a commit wrote for a ticket, as the database's own values."""
    with database.read() as connection:
        found: dict[Table, Sequence[tuple[Any, ...]]] = {}
        for table, statement in _of_ticket(ticket_id):
            text = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
            found[table] = [tuple(row) for row in connection.exec_driver_sql(text)]
        return found


def bare_write_ms(database: Database, rows: Rows) -> float:
    """Write these rows into an empty database through its driver alone, the fastest way it has, in one transaction."""
    with database.engine.connect() as connection:
        for statement in _unguarded(connection, is_sqlite=database.is_sqlite):
            connection.exec_driver_sql(statement)
        started = time.perf_counter()
        if database.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        for table, found in rows.items():
            if not found:
                continue
            if database.is_sqlite:
                marks = ", ".join(["?"] * len(table.columns))
                connection.exec_driver_sql(f"INSERT INTO {table.name} VALUES ({marks})", list(found))
                continue
            cursor: Any = connection.connection.cursor()
            with cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
                for row in found:
                    copy.write_row(row)
        connection.commit()
        took_ms = (time.perf_counter() - started) * 1000
        for table in reversed(list(rows)):
            connection.exec_driver_sql(f"DELETE FROM {table.name}")
        connection.commit()
    return took_ms


def _unguarded(connection: Connection, *, is_sqlite: bool) -> list[str]:
    """Return what takes foreign keys and triggers away: the rows come alone, and are removed again."""
    if not is_sqlite:
        return ["SET session_replication_role = replica"]
    triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars()
    return ["PRAGMA foreign_keys=OFF", *(f"DROP TRIGGER {name}" for name in triggers)]


def driver_alone_s(machines: Sequence[Resource]) -> float:
    """Make the same machines by calling the drivers directly, one after the other, on hosts of another world."""
    install_world(World(_BARE_WORLD, verify_image=image_is_trusted))
    opened = {m.host_id: driver_factory("simulated")(_context(str(m.host_id))) for m in machines}
    nets = {nic.segment_id: (m.host_id, nic) for m in machines for nic in m.instance.nics}
    started = time.perf_counter()
    for number, (segment_id, (host_id, _nic)) in enumerate(nets.items()):
        cidr, gateway = f"10.0.{number}.0/26", f"10.0.{number}.1"
        opened[host_id].ensure_segment(SegmentRequest(segment_id=segment_id, cidr=cidr, gateway=gateway, department="d"), 1)
    for machine in machines:
        driver, spec = opened[machine.host_id], machine.instance
        driver.ensure_image(_IMAGE, "default")
        root = VolumeRequest(volume_id=machine.id, role="root", storage_pool="default", size_gib=1, image=_IMAGE)
        driver.ensure_volume(root, 1)
        cards = tuple(NicRequest(segment_id=n.segment_id, mac=n.mac, address=n.address) for n in spec.nics)
        request = MachineRequest(
            instance_id=machine.id, title=machine.name, hostname=machine.name, vcpu_count=spec.vcpu_count,
            memory_mib=spec.memory_mib, root=root, nics=cards,
        )  # fmt: skip
        driver.ensure_defined(request, 1)
        driver.ensure_running(machine.id, 1)
    took_s = time.perf_counter() - started
    drop_world(_BARE_WORLD)
    return took_s


def _context(host_id: str) -> DriverContext:
    return DriverContext(host_id=host_id, host_name=host_id, connection=f"simulated://{_BARE_WORLD}/{host_id}", clock=time.time)


def measured(name: str, folder: Path, seed: int) -> list[Line]:
    """Measure one engine."""
    with bench(name, folder / "state", seed, host_count=_HOSTS) as bench_:
        commits, cpu, active, ticket_id = rounds(bench_)
        rows = rows_of(bench_.platform.db, ticket_id)
        with bench_.platform.db.read() as connection:
            own = connection.execute(select(t.resources.c.id).where(t.resources.c.ticket_id == ticket_id)).scalars()
            machines = [r for r in resources.by_ids(connection, own).values() if r.kind is ResourceKind.INSTANCE]
    with engine(name, folder / "bare") as database:
        bare = [bare_write_ms(database, rows) for _ in range(_ROUNDS)]
    written = f"{name}: the same {sum(map(len, rows.values())):,} rows by the database driver alone"
    return [
        Line(
            what=f"{name}: from bytes to accepted", unit="ms", values=tuple(commits), target=Target(limit=300), baseline=written
        ),
        Line(what=f"{name}: processor time of it in the controller", unit="ms", values=tuple(cpu), baseline=written),
        Line(what=written, unit="ms", values=tuple(bare)),
        Line(
            what=f"{name}: from accepted to all {_COUNT} observed running", unit="s", values=tuple(active),
            target=Target(limit=5.0, statistic="max"), baseline=_DRIVERS,
        ),
        Line(what=_DRIVERS, unit="s", values=(driver_alone_s(machines),)),
    ]  # fmt: skip


_DRIVERS = f"calls to the drivers alone for {_COUNT} instances"


def measure(folder: Path, seed: int) -> Figure:
    """Measure both engines."""
    lines: list[Line] = []
    for name in ENGINES:
        # The last line is the same on both.
        lines = [line for line in lines if line.what != _DRIVERS] + measured(name, folder / name, seed)
    return Figure(
        name="gang",
        title=f"A ticket of {_COUNT} instances",
        size=f"{_HOSTS} simulated hosts without delay; {_GROUPS} groups of {_PER_GROUP} in networks of their own; "
        f"{_ROUNDS} tickets after a warm-up, on one platform that fills up",
        seed=seed,
        lines=tuple(lines),
        notes=(
            (
                "From bytes to accepted is everything: reading, checking, pricing, quota, placement of the gang, and the one "
                "durable transaction. All of it runs inside that transaction."
            ),
        ),
    )
