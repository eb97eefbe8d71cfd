"""Two controllers on one PostgreSQL, and all at once: reservations, tickets, other sizes, moves, hosts that leave and come back.

Afterwards nothing is promised over capacity, no reserved room is lost, and somebody stands by for the loss of any host.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from controller.identity.caller import Caller, Role
from controller.moves import store as move_store
from controller.reconcile.auditor import audit_invariants
from controller.scheduling.moves.plan import PlanKind
from controller.tickets.model import Ticket, TicketState
from controller.workflows import costs, reservations, tickets
from controller.workflows import hosts as host_work
from controller.workflows.moves import plans
from controller.workflows.moves.plans import PlanRequest
from controller.workflows.picture import Picture
from controller.workflows.platform import Platform
from controller.workflows.reservation_wish import ReservationWish
from controller.workflows.slot_moves import SlotMender
from controller.workflows.turns import Turns
from inventory.domain.errors import Conflict, Unplaceable
from inventory.domain.host import AdminState, Reserve, ReserveLevel
from inventory.domain.resource import ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import directory, hosts, resources, standby, systems
from inventory.store import reservations as reservation_store
from tests.integration.test_move_plans import LOOSE, QUICK
from tests.support.database import open_for_test
from tests.support.reconciling import Running, at_work, running_controller
from tests.support.reserves import set_reserve, standby_hosts, stranded
from tests.support.samples import NOW_S, change_text, ticket_text

pytestmark = [pytest.mark.postgres, pytest.mark.soak]
DAY_S = 86_400
HOSTS, SYSTEMS, RESERVED, ROUNDS = 5, 4, 2, 16
#: Ends of a ticket or a plan.
OVER = (TicketState.DONE, TicketState.FAILED, TicketState.REFUSED, TicketState.CANCELLED)


@dataclass
class Town:
    """Two controllers, and what was promised by whom."""

    running: Running
    #: Platforms of the two.
    both: tuple[Platform, Platform]
    left: dict[str, int] = field(default_factory=dict)
    handed_in: list[Ticket] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def caller(self, role: Role = Role.DEPARTMENT_ADMIN) -> Caller:
        return self.running.furnished.caller(role)

    def attempt(self, what: str, act: Callable[[], object]) -> bool:
        """Do something that others may be in the way of."""
        try:
            act()
        except (Conflict, Unplaceable) as refusal:
            with self._lock:
                self.refused[refusal.code] += 1
            return False
        with self._lock:
            self.done[what] += 1
        return True


@pytest.fixture
def town(postgres_url: str, tmp_path: Path) -> Iterator[Town]:
    with (
        open_for_test(postgres_url, pool_size=12) as database,
        running_controller(database, tmp_path, settings=QUICK, host_count=HOSTS) as running,
    ):
        running.platform = running.reconciler.platform = replace(running.platform, moves=LOOSE)
        costs.record(running.platform)
        set_reserve(database, Reserve(level=ReserveLevel.HOST))
        other = replace(running.platform, turns=Turns(), picture=Picture())
        with at_work(other, owner="second", settings=QUICK):
            found = Town(running, (running.platform, other))
            for number in range(SYSTEMS):
                assert running.done(running.submit(ticket_text(f"system-{number}")))
            yield found


def reserve(town: Town, round_: int) -> None:
    """Reserve, and give every third one up again."""
    platform, name = town.both[round_ % 2], f"room-{round_}"
    wish = ReservationWish(
        name=name,
        project="P-portal",
        zone="gov-public",
        vcpu_count=2,
        memory_mib=128,
        disk_gib=2,
        count=RESERVED,
        ends_s=int(NOW_S) + 10 * DAY_S,
    )
    if town.attempt("reserve", partial(reservations.create, platform, wish, town.caller())):
        town.left[name] = RESERVED
        if round_ % 3 == 0 and town.attempt("release", partial(reservations.release, platform, name, town.caller())):
            del town.left[name]


def order(town: Town, round_: int) -> None:
    text = ticket_text(f"more-{round_}")
    town.attempt("order", lambda: town.handed_in.append(tickets.submit(town.both[round_ % 2], text, town.caller())))


def resize(town: Town, round_: int) -> None:
    """Have a system that is at rest get another size, unless it moves just then."""
    name = f"system-{round_ % SYSTEMS}"
    with town.both[0].db.read() as connection:
        revision = systems.get(connection, name, PLATFORM).revision
    size = "small" if revision % 2 else "tiny"
    text = change_text(name, f"{{name: web, size: {size}}}", base=revision)
    town.attempt("resize", lambda: town.handed_in.append(tickets.submit(town.both[round_ % 2], text, town.caller())))


def move(town: Town, round_: int) -> None:
    """Have the host with most machines emptied, once the last one is."""
    town.running.wait_for(lambda: is_quiet(town.running), 20)
    platform, operator = town.both[round_ % 2], town.caller(Role.OPERATOR)
    with platform.db.read() as connection:
        where = Counter(r.host_id for r in resources.machines(connection) if r.kind is ResourceKind.INSTANCE)
        pools = {p.id for p in directory.pools(connection)}
    fullest = max(sorted(h for h in where if h), key=lambda h: where[h])
    request = PlanRequest(kind=PlanKind.DRAIN, host=fullest, room=None, migrating=pools)

    def act() -> None:
        plan, steps = plans.compute(platform, request, operator, is_dry_run=False)
        if steps:
            plans.run(platform, plan.id, operator)

    town.attempt("move", act)


def leave(town: Town, round_: int) -> None:
    """Take whoever stands by out of service, and put it back."""
    platform, operator = town.both[round_ % 2], town.caller(Role.OPERATOR)
    with platform.db.read() as connection:
        standing = sorted(standby_hosts(connection))
    for host_id in standing:
        for to in (AdminState.CORDONED, AdminState.ACTIVE):
            town.attempt("leave", partial(host_work.set_state, platform, host_id, to, operator, reason="检修"))


@pytest.mark.timeout(420)
def test_everybody_at_once_promises_nothing_twice_and_loses_nothing(town: Town) -> None:
    failed: list[BaseException] = []

    def work(act: Callable[[Town, int], None]) -> None:
        try:
            for round_ in range(ROUNDS):
                act(town, round_)
        except BaseException as error:  # noqa: BLE001  handed to the test
            failed.append(error)

    workers = [threading.Thread(target=work, args=(act,)) for act in (reserve, order, resize, move, leave)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failed, failed
    running = town.running
    assert running.wait_for(lambda: all(running.ticket_state(t) in OVER for t in town.handed_in), 120)
    assert running.wait_for(lambda: is_quiet(running), 120)
    assert {what for what, count in town.done.items() if count > 1} == {"reserve", "release", "order", "resize", "move", "leave"}
    assert_all_is_kept(town)


def is_quiet(running: Running) -> bool:
    with running.platform.db.read() as connection:
        is_moving = any(r.target_host_id is not None for r in resources.machines(connection))
        return not is_moving and not move_store.is_any_running(connection)


def assert_all_is_kept(town: Town) -> None:
    platform = town.both[0]
    SlotMender(platform).mend()
    with platform.db.read(is_steady=True) as connection:
        assert all(h.admin_state is AdminState.ACTIVE for h in hosts.hosts(connection))
        assert audit_invariants(connection, {}) == []
        assert hosts.recount_used(connection) == []
        assert reservation_store.recount_held(connection) == []
        assert all(row.free >= 0 for row in hosts.inventories(connection)), "over capacity"
        living = {r.id: r.name for r, _ in reservation_store.page(connection, PLATFORM, limit=100)}
        slots = Counter(living[slot.reservation_id] for slot in reservation_store.all_slots(connection))
        assert dict(slots) == town.left
        assert reservation_store.astray(connection) == []
        [state] = standby.states(connection)
        assert (state.uncovered, state.is_kept) == ((), True)
        assert stranded(connection) == []
