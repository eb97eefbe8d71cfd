"""A real reconciler on its own thread over a furnished platform and a world of simulated hosts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from controller.reconcile.build import build_reconciler
from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.tickets.model import Ticket, TicketState
from controller.workflows import tickets as workflow
from controller.workflows.platform import Platform
from drivers.fencing import Fencing
from drivers.simulated.world import World, drop_world, image_is_trusted, install_world
from inventory.domain.scope import PLATFORM
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.platform import NO_CELLS, CellSpec, Furnished, furnish
from tests.support.samples import NOW_S


@dataclass
class Running:
    """A controller at work."""

    furnished: Furnished
    platform: Platform
    reconciler: Reconciler
    world: World

    def submit(self, text: bytes) -> Ticket:
        """Hand a ticket in as the department, and tell the loop."""
        ticket = workflow.submit(self.platform, text, self.furnished.caller(), confirm=_name_of(text))
        self.reconciler.wake()
        return ticket

    def ticket_state(self, ticket: Ticket) -> TicketState:
        """Return the state of a ticket now."""
        from controller.tickets import store

        with self.platform.db.read() as connection:
            return store.get(connection, ticket.id, PLATFORM).state

    def done(self, ticket: Ticket) -> bool:
        """Wait until everything of a ticket is done."""
        return self.wait_for(lambda: self.ticket_state(ticket) is TicketState.DONE)

    def wait_for(self, truth: Callable[[], bool], timeout_s: float = 60.0) -> bool:
        """Wait until something is true."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if truth():
                return True
            time.sleep(0.01)
        return truth()

    def rows(self, **wanted: str) -> list[dict[str, Any]]:
        """Return rows of resources by column."""
        statement = select(t.resources)
        for name, value in wanted.items():
            statement = statement.where(t.resources.c[name] == value)
        with self.platform.db.read() as connection:
            return [dict(r._mapping) for r in connection.execute(statement)]


def _name_of(text: bytes) -> str:
    head = text.decode().partition("name: ")[2]
    return head.partition(",")[0].strip()


@contextmanager
def at_work(platform: Platform, *, owner: str = "test", settings: ReconcileSettings | None = None) -> Iterator[Reconciler]:
    """Have a loop work on a thread, and end it cleanly."""
    reconciler, stop = build_reconciler(platform, owner=owner, settings=settings), threading.Event()
    thread = threading.Thread(target=reconciler.run, args=(stop,), name=f"reconciler of {owner}")
    thread.start()
    try:
        yield reconciler
    finally:
        stop.set()
        reconciler.wake()
        thread.join(60)
        assert not thread.is_alive(), "the loop did not end"


@contextmanager
def running_controller(
    database: Database,
    folder: Path,
    *,
    settings: ReconcileSettings | None = None,
    host_count: int = 3,
    cells: CellSpec = NO_CELLS,
    fencing: Fencing | None = None,
    scope: str = "",
    disks: str = "",
) -> Iterator[Running]:
    """Furnish, start the loop on a thread, and end it cleanly."""
    furnished = furnish(database, folder, host_count=host_count, cells=cells, scope=scope, disks=disks)
    began = time.monotonic()

    def clock() -> float:
        return NOW_S + time.monotonic() - began

    world = install_world(World("test", clock=clock, verify_image=image_is_trusted))
    platform = replace(furnished.platform, clock=clock, fencing=fencing or furnished.platform.fencing)
    try:
        with at_work(platform, settings=settings) as reconciler:
            yield Running(furnished, platform, reconciler, world)
    finally:
        drop_world("test")
