"""A controller in this process over simulated hosts without delay, on SQLite or PostgreSQL with every promise durable."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, select

from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.tickets import store
from controller.tickets.model import OPEN_STATES, Ticket, TicketState
from controller.workflows import tickets
from controller.workflows.platform import Platform
from drivers.simulated.world import World, drop_world, image_is_trusted, install_world
from inventory.domain.ids import TicketId, seeded_ids
from inventory.domain.scope import PLATFORM
from inventory.store import directory
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.bench.state import WORLD, add_hosts
from tests.support.database import open_for_test, sqlite_database
from tests.support.platform import Furnished, furnish
from tests.support.postgres import private_postgres
from tests.support.reconciling import at_work

ENGINES = ("SQLite", "PostgreSQL")
#: As ``allot serve`` sets them by default.
DEFAULT = ReconcileSettings(hold_s=60.0)
#: The same controller without batches: one resource in hand, one commit for each of its steps.
ONE_BY_ONE = replace(DEFAULT, claim_most=1, record_most=1, in_flight_most=1, progress_s=0.0)


@contextmanager
def engine(name: str, folder: Path) -> Iterator[Database]:
    """Open an empty state with all tables."""
    if name == "SQLite":
        folder.mkdir(parents=True, exist_ok=True)
        with sqlite_database(folder / "state.sqlite") as database:
            yield database
    else:
        with private_postgres(durable=True) as server, open_for_test(server.create_database()) as database:
            yield database


@dataclass(frozen=True)
class Bench:
    """A furnished platform with hosts, and controllers to start on it."""

    platform: Platform
    furnished: Furnished

    def submit(self, text: bytes) -> Ticket:
        """Hand a ticket in as the department."""
        return tickets.submit(self.platform, text, self.furnished.caller())

    def running_count(self, ticket_id: TicketId) -> int:
        """Return how many machines of a ticket were observed running."""
        r = t.resources.c
        statement = select(func.count()).where(r.ticket_id == ticket_id, r.kind == "instance", r.observed == "running")
        with self.platform.db.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def wait_done(self, ticket_id: TicketId, timeout_s: float = 300.0) -> float:
        """Wait until a ticket has ended well; returns the moment (``time.perf_counter``)."""
        until = time.perf_counter() + timeout_s
        while time.perf_counter() < until:
            with self.platform.db.read() as connection:
                ticket = store.get(connection, ticket_id, PLATFORM)
            if ticket.state not in OPEN_STATES:
                assert ticket.state is TicketState.DONE, ticket.problem
                return time.perf_counter()
            time.sleep(0.02)
        raise TimeoutError(f"{ticket_id} is not done after {timeout_s} s")

    @contextmanager
    def controller(self, settings: ReconcileSettings = DEFAULT) -> Iterator[Reconciler]:
        """Run a reconciler with its real workers on a thread of its own."""
        with at_work(self.platform, owner="bench", settings=settings) as reconciler:
            yield reconciler
        assert reconciler.counters.bugs == 0


@contextmanager
def bench(name: str, folder: Path, seed: int, *, host_count: int) -> Iterator[Bench]:
    """Furnish an engine with simulated hosts; the world is in this process and its verbs take no time."""
    with engine(name, folder) as database:
        # Born by the millisecond, as in a real process: rows of one second go in in order, not sprinkled over it.
        new_id = seeded_ids(seed, time.time)
        furnished = furnish(database, folder, host_count=0, new_id=new_id)
        with database.write() as connection:
            add_hosts(connection, directory.pools(connection)[0], host_count, new_id, now_s=time.time())
        install_world(World(WORLD, verify_image=image_is_trusted))
        try:
            yield Bench(replace(furnished.platform, clock=time.time), furnished)
        finally:
            drop_world(WORLD)


def ticket_text(name: str, groups: int, per_group: int, *, networks: str = "net") -> bytes:
    """Return a ticket for groups of small machines, each group in a network of its own: a group may stand on any host."""
    servers = "\n".join(
        f"    - {{name: g{number}, count: {per_group}, size: tiny, image: demo-linux, networks: [{networks}-{number}]}}"
        for number in range(1, groups + 1)
    )
    return f"""\
apiVersion: allotment/v1
kind: Ticket
metadata: {{name: {name}, action: create}}
applicant: {{department: civil-it, contact: {{name: 张三, phone: "020-81234567"}}}}
project: {{code: P-portal}}
system: {{mlps: {{level: 2}}, network: gov-public}}
lease: {{end: 12个月}}
environment: test
resources:
  servers:
{servers}
""".encode()
