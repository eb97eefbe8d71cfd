"""Two controllers want one free block at the same moment: one gets it, the other decides again, and nobody met a bug."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from controller.moves import store as move_store
from controller.moves.model import PlanState, StepState
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.build import build_reconciler
from controller.reconcile.loop import Reconciler
from controller.reconcile.settings import ReconcileSettings
from controller.scheduling.moves.plan import PlanKind
from controller.tickets import store as ticket_store
from controller.tickets.model import TicketState
from controller.workflows import tickets
from controller.workflows.engine import StepSettings
from controller.workflows.moves import plans
from controller.workflows.moves.begin import begin_next
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.moves.plans import PlanRequest
from controller.workflows.picture import Picture
from controller.workflows.platform import Platform
from controller.workflows.segments import AddressesTaken, taking
from controller.workflows.swap import swapper
from controller.workflows.turns import Turns
from drivers.simulated.faults import Script, StorageFull
from inventory.domain.ids import ResourceId, random_ids
from inventory.domain.resource import Resource
from inventory.domain.scope import PLATFORM
from inventory.store import directory, networks, resources, systems
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.database import open_for_test
from tests.support.platform import Furnished, furnish
from tests.support.race import race
from tests.support.reconciling import Running, running_controller
from tests.support.samples import ticket_text

pytestmark = pytest.mark.postgres
QUICK = ReconcileSettings(
    moves_s=0.0,
    idle_s=0.02,
    progress_s=0.0,
    observe_s=0.5,
    claim_most=1,
    steps=StepSettings(backoff_first_s=0.05, backoff_most_s=0.1, parts_s=0.05, subnet_rest_s=0.1),
)
CONTROLLERS, MACHINES = 2, 4


class Meddling:
    """Ids; whoever is about to make a network finds that another controller makes one first."""

    def __init__(self, here: Furnished) -> None:
        self._here, self.taken = here, list[str]()
        self._other = replace(here.platform, turns=Turns(), picture=Picture())

    def __call__(self, kind: str) -> str:
        if kind == "segment" and not self.taken:
            self.taken.append(kind)
            tickets.submit(self._other, ticket_text("mail", more=", networks: [data]"), self._here.caller())
        return self._here.platform.new_id(kind)


class Meeting:
    """Ids; all who are about to make a network wait for each other once, a block in mind."""

    def __init__(self, count: int) -> None:
        self._new_id, self._all, self._here = random_ids(), threading.Barrier(count, timeout=60), threading.local()

    def __call__(self, kind: str) -> str:
        if kind == "segment" and not getattr(self._here, "was", False):
            self._here.was = True
            self._all.wait()
        return self._new_id(kind)


@pytest.fixture
def here(postgres_database: Database, tmp_path: Path) -> Furnished:
    return furnish(postgres_database, tmp_path, host_count=2)


def _machine(connection: Connection, name: str) -> tuple[Resource, list[Resource]]:
    parts = resources.of_system(connection, systems.get(connection, name, PLATFORM).id)
    [machine] = [r for r in parts if r.kind == "instance"]
    return machine, [r for r in parts if r.kind == "volume"]


def _no_block_is_given_twice(database: Database) -> None:
    with database.read() as connection:
        blocks = networks.subnets_taken(connection)
        assert len(blocks) == len(set(blocks)) > 1


def test_a_machine_whose_block_another_controller_took_is_placed_again_by_the_next_try(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("portal"), here.caller())
    meddling = Meddling(here)
    swap = swapper(replace(here.platform, new_id=meddling))
    with here.platform.db.write() as connection:
        machine, volumes = _machine(connection, "portal")
        with pytest.raises(AddressesTaken):
            swap(connection, machine, volumes)
        assert meddling.taken
        # The transaction goes on: nothing of the try is left in it.
        moved = swap(connection, machine, volumes)
        assert moved is not None
        assert moved[0].host_id != machine.host_id
    _no_block_is_given_twice(here.platform.db)


def test_what_is_no_race_is_no_conflict(here: Furnished) -> None:
    """A row that points nowhere is a bug of ours, and is not tried again as if somebody had been faster."""
    with here.platform.db.write() as connection:
        [zone] = directory.zones(connection)
        with pytest.raises(IntegrityError), taking(connection):
            networks.take_subnets(connection, zone.id, {ResourceId("segment_nowhere"): "10.111.0.0/26"})


def test_a_step_of_a_plan_whose_block_another_controller_took_begins_at_the_next_look(here: Furnished) -> None:
    platform = replace(here.platform, moves=MoveBounds(cool_down_s=0.0, dwell_s=0.0))
    ticket = tickets.submit(here.platform, ticket_text("portal"), here.caller())
    assert ticket.state is TicketState.ACCEPTED
    with here.platform.db.write() as connection:
        machine, volumes = _machine(connection, "portal")
        _settle(connection, [machine.id, *(v.id for v in volumes)])
        pools = {pool.id for pool in directory.pools(connection)}
    host = next(h.name for h in here.hosts if h.id == machine.host_id)
    plan, [step] = plans.compute(
        platform, PlanRequest(kind=PlanKind.DRAIN, host=host, migrating=pools), here.caller(), is_dry_run=False
    )
    plans.run(platform, plan.id, here.caller())
    meddling = Meddling(here)
    meddled = replace(platform, new_id=meddling)
    states = []
    for _ in range(2):
        with here.platform.db.write() as connection:
            begin_next(connection, meddled)
        with here.platform.db.read() as connection:
            states.append((move_store.get(connection, plan.id).state, move_store.steps(connection, plan.id)[0].state))
    assert meddling.taken
    assert states == [(PlanState.RUNNING, StepState.PLANNED), (PlanState.RUNNING, StepState.RUNNING)]
    assert step.machine_id == machine.id
    _no_block_is_given_twice(here.platform.db)


def _settle(connection: Connection, ids: list[ResourceId]) -> None:
    """Have machines and disks run and be at rest, as after their ticket is done."""
    values = {"phase": "settled", "observed": "running", "settled_generation": 1, "next_try_s": None}
    connection.execute(t.resources.update().where(t.resources.c.id.in_(ids)).values(**values))


def test_of_machines_placed_again_at_one_moment_each_gets_a_block_of_its_own(postgres_url: str, tmp_path: Path) -> None:
    count = 6
    with open_for_test(postgres_url, pool_size=count) as database:
        here = furnish(database, tmp_path, host_count=2, segment_prefix=29)
        for number in range(count):
            tickets.submit(here.platform, ticket_text(f"s{number}", more=f", networks: [net-{number}]"), here.caller())
        swap = swapper(replace(here.platform, new_id=Meeting(count)))
        refused: list[int] = []

        def place_again(_: int, number: int) -> bool:
            """As the loop does it: a transaction for each try."""
            for _ in range(count):
                with database.write() as connection:
                    machine, volumes = _machine(connection, f"s{number}")
                    try:
                        return swap(connection, machine, volumes) is not None
                    except AddressesTaken:
                        refused.append(number)
            return False

        assert race(place_again, contenders=count, rounds=1, between=lambda _: None, threads=count).wins == (count,)
        assert len(refused) >= count - 1, "nobody raced"
        _no_block_is_given_twice(database)
        with database.read() as connection:
            assert len(networks.subnets_taken(connection)) == 2 * count


def test_controllers_that_place_many_machines_again_at_once_meet_no_bug(postgres_url: str, tmp_path: Path) -> None:
    """Each machine has a network of its own, and each fails on its first host: all of them want the lowest free block."""
    with (
        open_for_test(postgres_url, pool_size=16) as database,
        running_controller(database, tmp_path, settings=QUICK, host_count=3) as running,
        _others(running.platform) as others,
    ):
        loops = [running.reconciler, *others]
        for loop in loops:
            loop.pause()
        sent = [running.submit(ticket_text(f"s{n}", more=f", networks: [net-{n}]")) for n in range(MACHINES)]
        script = Script()
        for row in running.rows(kind="instance"):
            script.on("ensure_defined", resource_id=row["id"], fault=StorageFull())
        running.world.faults = script
        for loop in loops:
            loop.resume()
        assert running.wait_for(lambda: all(running.ticket_state(one) is TicketState.DONE for one in sent), 60), _told(running)
        assert {row["placements"] for row in running.rows(kind="instance")} == {2}
        assert [loop.counters.bugs for loop in loops] == [0] * CONTROLLERS
        _no_block_is_given_twice(database)
        with database.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []


def test_a_story_that_many_tell_at_once_has_every_line_and_those_of_one_stand_together(postgres_url: str, tmp_path: Path) -> None:
    tellers, rounds = 8, 3
    with open_for_test(postgres_url, pool_size=tellers) as database:
        here = furnish(database, tmp_path, host_count=1)
        ticket = tickets.submit(here.platform, ticket_text("portal"), here.caller())

        def tell(round_: int, number: int) -> bool:
            lines: list[tuple[str, str, dict[str, str]]] = [
                (f"{round_}-{number}", f"step.{part}", {}) for part in ("define", "start")
            ]
            database.run(lambda connection: ticket_store.add_events(connection, ticket.id, lines, here.clock()))
            return True

        race(tell, contenders=tellers, rounds=rounds, between=lambda _: None, threads=tellers)
        with database.read() as connection:
            story = [e for e in ticket_store.events(connection, ticket.id) if e.subject]
    pairs = list(zip(story[::2], story[1::2], strict=True))
    assert len({first.subject for first, _ in pairs}) == tellers * rounds
    assert all(a.subject == b.subject and (a.code, b.code) == ("step.define", "step.start") for a, b in pairs)


def _told(running: Running) -> list[object]:
    with running.platform.db.read() as connection:
        columns = (t.resources.c.name, t.resources.c.step, t.resources.c.problem)
        return list(connection.execute(select(*columns).where(t.resources.c.kind == "instance")))


@contextmanager
def _others(platform: Platform) -> Iterator[list[Reconciler]]:
    """Run more controllers on the same state and the same hosts."""
    stop = threading.Event()
    loops = [
        build_reconciler(replace(platform, turns=Turns(), picture=Picture()), owner=f"other-{n}", settings=QUICK)
        for n in range(CONTROLLERS - 1)
    ]
    threads = [threading.Thread(target=loop.run, args=(stop,)) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield loops
    finally:
        stop.set()
        for loop, thread in zip(loops, threads, strict=True):
            loop.wake()
            thread.join(20)
            assert not thread.is_alive(), "the loop did not end"
