"""Plans of moves on a running controller with simulated hosts: drained, cancelled on the way, stopped, within budget."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import select

from controller.identity.caller import Role
from controller.moves import store
from controller.moves.model import MovePlan, MoveStep, PlanState, StepState
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.scheduling.moves.plan import Limits, PlanKind
from controller.tickets.model import TicketState
from controller.workflows import costs, ledger
from controller.workflows import hosts as host_workflow
from controller.workflows.engine import StepSettings
from controller.workflows.moves import plans
from controller.workflows.moves.begin import begin_next
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.moves.plans import PlanRequest, RoomWish
from drivers.simulated.faults import Script, Site, StorageFull
from inventory.domain.catalogue import Size
from inventory.domain.errors import Conflict, Invalid, NotFound
from inventory.domain.host import AdminState
from inventory.domain.ids import MovePlanId, ResourceId, SizeId
from inventory.domain.layout import Layout
from inventory.domain.resources import ADDRESS, MEMORY_MIB
from inventory.store import directory, estate, hosts, journal
from inventory.store import tables as t
from inventory.store.engine import Database
from metering import cost_store
from metering.costs import PLATFORM_ROWS
from metering.rating import month_at
from tests.support.reconciling import Running, running_controller
from tests.support.samples import change_text, release_text, ticket_text

QUICK = ReconcileSettings(
    moves_s=0.0,
    idle_s=0.02,
    progress_s=0.0,
    observe_s=0.5,
    steps=StepSettings(backoff_first_s=0.1, backoff_most_s=0.3, parts_s=0.1, subnet_rest_s=0.1),
)
T = TypeVar("T")
LOOSE = MoveBounds(cool_down_s=0.0, dwell_s=0.0)


@dataclass
class Hang:
    """A call that does not come back until it is let go, and then does its work."""

    let_go: threading.Event = field(default_factory=threading.Event)

    def around(self, site: Site, work: Callable[[], T]) -> T:
        self.let_go.wait(30)
        return work()


@contextmanager
def city(database: Database, folder: Path, *, systems: int = 3, bounds: MoveBounds = LOOSE) -> Iterator[Running]:
    """Have some systems of one machine with a data disk each, running on three hosts."""
    with running_controller(database, folder, settings=QUICK) as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=bounds)
        # As where hosts are enrolled long before machines come: what they have is known for every second of a machine.
        costs.record(running.platform)
        tickets = [running.submit(ticket_text(f"sys-{n}")) for n in range(systems)]
        assert running.wait_for(lambda: all(running.ticket_state(t) is TicketState.DONE for t in tickets))
        yield running


def made(
    running: Running, kind: PlanKind, host: str = "", room: RoomWish | None = None, **limits: int
) -> tuple[MovePlan, list[MoveStep]]:
    """Make a plan as the operator."""
    with running.platform.db.read() as connection:
        pools = {p.id for p in directory.pools(connection)}
    request = PlanRequest(kind=kind, host=host, room=room, migrating=pools, limits=Limits(**limits))
    return plans.compute(running.platform, request, running.furnished.caller(Role.OPERATOR), is_dry_run=False)


def run(running: Running, plan: MovePlan) -> None:
    plans.run(running.platform, plan.id, running.furnished.caller(Role.OPERATOR))
    running.reconciler.wake()


def now(running: Running, plan_id: MovePlanId) -> tuple[MovePlan, list[MoveStep]]:
    with running.platform.db.read() as connection:
        return store.get(connection, plan_id), store.steps(connection, plan_id)


def ended(running: Running, plan: MovePlan, state: PlanState) -> Callable[[], bool]:
    def is_over() -> bool:
        found, steps = now(running, plan.id)
        return found.state is state and all(s.state not in (StepState.RUNNING, StepState.PLANNED) for s in steps)

    return is_over


def busy_host(running: Running) -> str:
    """Return the host with the most machines."""
    return max(running.world.hosts.values(), key=lambda h: len(h.machines)).name


def at_rest(running: Running) -> bool:
    return not [r for r in running.rows() if r["next_try_s"] is not None and r["phase"] != "gone"]


def assert_books_are_clean(running: Running) -> None:
    assert running.wait_for(lambda: at_rest(running))
    seen = {h.id: running.world.hosts[h.name].observe() for h in running.furnished.hosts if h.name in running.world.hosts}
    with running.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, seen, is_quiet=True) == []


def test_a_drained_host_is_empty_and_the_journal_shows_the_change(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path) as running:
        host = busy_host(running)
        machines = list(running.world.hosts[host].machines)
        plan, steps = made(running, PlanKind.DRAIN, host)
        assert len(steps) == len(machines)
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        assert not running.world.hosts[host].machines
        assert not running.world.hosts[host].volumes
        with running.platform.db.read() as connection:
            for step in steps:
                lines = journal.of_resource(connection, step.machine_id)
                assert (lines[-2].host_id, lines[-1].host_id) == (step.source_id, step.target_id)
                assert (lines[-1].state, lines[-1].amounts) == (lines[-2].state, lines[-2].amounts)
        assert_books_are_clean(running)


def test_room_is_made_for_a_machine_that_no_host_has_room_for(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=0) as running:
        first, second, third = (host.id for host in running.furnished.hosts)
        states = (
            [(second, AdminState.CORDONED), (third, AdminState.CORDONED)],
            [(first, AdminState.CORDONED), (second, AdminState.ACTIVE)],
        )
        for number, changes in enumerate(states):
            for host_id, state in changes:
                host_workflow.set_state(running.platform, host_id, state, running.furnished.caller(Role.OPERATOR), reason="test")
            assert running.done(running.submit(ticket_text(f"sys-{number}")))
        host_workflow.set_state(running.platform, first, AdminState.ACTIVE, running.furnished.caller(Role.OPERATOR), reason="")
        with running.platform.db.write() as connection:
            rows = hosts.inventories_of(connection, [first])[first]
            most_mib = next(row.capacity for row in rows if row.dimension == MEMORY_MIB)
            size = Size(id=SizeId("size_whole"), name="whole", vcpu_count=1, memory_mib=most_mib, root_disk_gib=1)
            directory.save_size(connection, size)
        plan, steps = made(running, PlanKind.MAKE_ROOM, room=RoomWish(size="tiny"))
        assert (steps, len(plan.summary["room_on"])) == ([], 1), "there is room as it is"
        plan, steps = made(running, PlanKind.MAKE_ROOM, room=RoomWish(size="whole", count=2, zone="gov-public"))
        assert len(steps) == 1
        assert (plan.summary["wanted"], len(plan.summary["room_on"])) == (2, 1), "for one of them at most"
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        assert running.done(running.submit(ticket_text("sys-whole", size="whole")))
        assert_books_are_clean(running)


def test_room_is_not_planned_for_what_is_not_known(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=0) as running:
        for room, code in (
            (None, "moves.size_missing"),
            (RoomWish(size="none"), "size.not_found"),
            (RoomWish(size="tiny", zone="none"), "zone.not_found"),
        ):
            with pytest.raises((Invalid, NotFound)) as refused:
                made(running, PlanKind.MAKE_ROOM, room=room)
            assert refused.value.code == code
        with pytest.raises(Invalid) as refused:
            made(running, PlanKind.REPAIR, room=RoomWish(size="tiny"))
        assert refused.value.code == "moves.size_missing"
        with running.platform.db.write() as connection:
            lies = Size(
                id=SizeId("size_lies"),
                name="lies",
                vcpu_count=2,
                memory_mib=1024,
                root_disk_gib=1,
                layout=Layout.of(is_dedicated=True),
            )
            directory.save_size(connection, lies)
        with pytest.raises(Invalid) as refused:
            made(running, PlanKind.MAKE_ROOM, room=RoomWish(size="lies"))
        assert refused.value.code == "moves.size_lies"


def held_for_moves(running: Running) -> dict[str, dict[str, int]]:
    """Return what the cost side has written down as held for moves now, by host and meter."""
    now_s = int(running.platform.clock())
    with running.platform.db.read() as connection:
        rooms = [r for r in cost_store.rooms(connection, 0, now_s + 1) if r.end_s is None and r.transfer]
    return {room.host_id: {r.meter: r.transfer for r in rooms if r.host_id == room.host_id} for room in rooms}


def test_room_a_machine_on_its_way_holds_a_second_time_is_the_platforms_until_it_has_arrived(
    database: Database, tmp_path: Path
) -> None:
    with city(database, tmp_path, systems=1) as running:
        recorder = costs.RoomRecorder(running.platform)
        recorder.record()
        assert held_for_moves(running) == {}
        plan, [step] = made(running, PlanKind.DRAIN, busy_host(running))
        slow = Hang()
        running.world.faults = Script().on("ensure_image", fault=slow)
        run(running, plan)
        assert running.wait_for(lambda: any(r["target_host_id"] for r in running.rows(kind="instance")))
        recorder.record()
        with running.platform.db.read() as connection:
            amounts = [journal.last_of(connection, ResourceId(r["id"])) for r in running.rows() if r["kind"] != "segment"]
        assert {row.host_id for row in amounts} == {step.source_id}, "its department pays where it still runs"
        held: Counter[str] = Counter()
        for row in amounts:
            held.update({meter: amount for meter, amount in row.amounts.items() if meter != ADDRESS})
        assert held_for_moves(running) == {step.target_id: dict(held)}
        slow.let_go.set()
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        recorder.record()
        assert held_for_moves(running) == {}, "it has arrived: nothing is held twice"
        ledger.catch_up(running.platform)
        found = costs.places(running.platform, str(month_at(running.platform.clock(), running.platform.zone)))
        assert (found["overfull"], found["unplaced"]) == ([], {})
        for place in found["places"]:
            assert sum(place["departments"].values()) + sum(place[row] for row in PLATFORM_ROWS) == place["capacity"]
        assert_books_are_clean(running)


def transfers(running: Running) -> list[tuple[str, int, int]]:
    """Return from when until when which host was written down to hold room for machines on their way."""
    now_s = int(running.platform.clock())
    with running.platform.db.read() as connection:
        rows = [r for r in cost_store.rooms(connection, 0, now_s + 1) if r.transfer]
    return sorted({(r.host_id, r.start_s, now_s if r.end_s is None else r.end_s) for r in rows})


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["it arrives", "it is called back"])
def test_room_held_for_a_move_is_written_down_from_its_first_second_to_its_last(
    database: Database, tmp_path: Path, is_cancelled: bool
) -> None:
    with city(database, tmp_path, systems=1) as running:
        # Nobody looks at what hosts have while the machine is on its way.
        costs.record(running.platform)
        plan, [step] = made(running, PlanKind.DRAIN, busy_host(running))
        slow = Hang()
        running.world.faults = Script().on("ensure_image", fault=slow)
        run(running, plan)
        assert running.wait_for(lambda: any(r["target_host_id"] for r in running.rows(kind="instance")))
        begun_s = running.platform.clock()
        assert running.wait_for(lambda: running.platform.clock() > begun_s + 1.5)
        if is_cancelled:
            plans.cancel(running.platform, plan.id, running.furnished.caller(Role.OPERATOR))
        slow.let_go.set()
        running.reconciler.wake()
        assert running.wait_for(lambda: not any(r["target_host_id"] for r in running.rows()))
        _, [ended_step] = now(running, plan.id)
        assert ended_step.state is (StepState.FAILED if is_cancelled else StepState.DONE)
        assert ended_step.started_at_s is not None
        assert ended_step.ended_at_s is not None
        assert transfers(running) == [(step.target_id, int(ended_step.started_at_s), int(ended_step.ended_at_s))]
        assert costs.record(running.platform) == 0, "all is written down already"
        assert_books_are_clean(running)


def test_a_machine_on_its_way_is_to_be_scraped_where_it_still_runs(database: Database, tmp_path: Path) -> None:
    def told() -> dict[str, str]:
        with running.platform.db.read() as connection:
            return {m.id: m.address for m in estate.machines(connection, 10)}

    with city(database, tmp_path, systems=1) as running:
        # There and back: one of the two ways is to the lower address.
        for _ in range(2):
            before = told()
            plan, [step] = made(running, PlanKind.DRAIN, busy_host(running))
            slow = Hang()
            running.world.faults = Script().on("ensure_image", fault=slow)
            run(running, plan)
            assert running.wait_for(lambda: any(r["target_host_id"] for r in running.rows(kind="instance")))
            with running.platform.db.read() as connection:
                given = connection.execute(select(t.addresses.c.address).where(t.addresses.c.resource_id == step.machine_id))
                assert len(given.all()) == 2
            assert told() == before
            slow.let_go.set()
            assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
            assert told() != before
            assert_books_are_clean(running)


def test_a_plan_is_cancelled_while_a_machine_is_on_its_way(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path) as running:
        host = busy_host(running)
        before = set(running.world.hosts[host].machines)
        plan, _ = made(running, PlanKind.DRAIN, host)
        # The image takes long: the machine waits on its way, with room held on both hosts.
        slow = Hang()
        running.world.faults = Script().on("ensure_image", fault=slow)
        run(running, plan)
        assert running.wait_for(lambda: any(r["target_host_id"] for r in running.rows(kind="instance")))
        plans.cancel(running.platform, plan.id, running.furnished.caller(Role.OPERATOR))
        running.reconciler.wake()
        assert running.wait_for(lambda: not any(r["target_host_id"] for r in running.rows()))
        slow.let_go.set()
        assert set(running.world.hosts[host].machines) == before
        found, steps = now(running, plan.id)
        assert found.state is PlanState.CANCELLED
        assert steps[0].problem is not None
        assert steps[0].problem.code == "moves.stayed", "nothing went wrong: it was called back"
        assert_books_are_clean(running)


def test_a_full_target_stops_the_plan_with_its_reason_and_the_machine_runs_on(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path) as running:
        host = busy_host(running)
        before = set(running.world.hosts[host].machines)
        plan, _ = made(running, PlanKind.DRAIN, host)
        running.world.faults = Script().on("ensure_migrated", fault=StorageFull(), times=1000)
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.STOPPED)), now(running, plan.id)
        found, steps = now(running, plan.id)
        assert found.problem is not None
        assert found.problem.code == "driver.storage_full"
        assert steps[0].state is StepState.FAILED
        assert set(running.world.hosts[host].machines) == before
        assert_books_are_clean(running)


def _narrow(database: Database, prefix: int, address_range: str) -> None:
    with database.write() as connection:
        [zone] = directory.zones(connection)
        directory.save_zone(connection, replace(zone, segment_prefix=prefix, address_range=address_range))


@contextmanager
def narrow_city(database: Database, folder: Path, systems: int, address_range: str) -> Iterator[Running]:
    """Have systems of one machine each; a segment holds one: each system is on a host of its own."""
    with running_controller(database, folder, settings=QUICK) as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=LOOSE)
        _narrow(database, 30, address_range)
        tickets = [running.submit(ticket_text(f"sys-{n}")) for n in range(systems)]
        assert running.wait_for(lambda: all(running.ticket_state(t) is TicketState.DONE for t in tickets))
        yield running


def test_a_plan_sends_no_machine_where_its_network_is_full(database: Database, tmp_path: Path) -> None:
    with narrow_city(database, tmp_path, 2, "10.96.0.0/28") as running:
        host = busy_host(running)
        [empty] = [name for name, there in running.world.hosts.items() if not there.machines]
        plan, [step] = made(running, PlanKind.DRAIN, host)
        assert next(h.name for h in running.furnished.hosts if h.id == step.target_id) == empty
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        assert_books_are_clean(running)


def test_a_plan_sends_no_more_machines_of_a_network_to_a_host_than_it_has_addresses(database: Database, tmp_path: Path) -> None:
    with running_controller(database, tmp_path, settings=QUICK) as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=LOOSE)
        operator = running.furnished.caller(Role.OPERATOR)
        _narrow(database, 29, "10.96.0.0/27")
        first, *others = running.furnished.hosts
        for host in others:
            host_workflow.set_state(running.platform, host.id, AdminState.CORDONED, operator, reason="test")
        tickets = [running.submit(ticket_text(f"sys-{n}")) for n in range(3)]
        assert running.wait_for(lambda: all(running.ticket_state(t) is TicketState.DONE for t in tickets))
        for host in others:
            host_workflow.set_state(running.platform, host.id, AdminState.ACTIVE, operator, reason="")
        # From now on a segment holds one machine.
        _narrow(database, 30, "10.96.0.0/27")
        plan, steps = made(running, PlanKind.DRAIN, first.name)
        assert {step.target_id for step in steps} == {host.id for host in others}
        assert (len(steps), [stay["reason"] for stay in plan.stays]) == (2, ["moves.no_room"])
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        assert_books_are_clean(running)


@pytest.mark.parametrize(("systems", "code"), [(2, "network.segment_full"), (1, "network.range_exhausted")])
def test_a_target_that_ran_out_of_addresses_stops_the_plan_with_its_reason(
    database: Database, tmp_path: Path, systems: int, code: str
) -> None:
    with narrow_city(database, tmp_path, systems, "10.96.0.0/28") as running:
        plan, _ = made(running, PlanKind.DRAIN, busy_host(running))
        if systems == 2:
            third = running.submit(ticket_text("late"))
            assert running.wait_for(lambda: running.ticket_state(third) is TicketState.DONE)
        else:
            # No block is left beside the first one, which is given out.
            _narrow(database, 30, "10.96.0.0/30")
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.STOPPED)), now(running, plan.id)
        problem = now(running, plan.id)[0].problem
        assert problem is not None
        assert problem.code == code
        assert_books_are_clean(running)


def test_a_step_the_world_left_behind_is_never_forced(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path) as running:
        plan, steps = made(running, PlanKind.DRAIN, busy_host(running))
        operator = running.furnished.caller(Role.OPERATOR)
        for target in {step.target_id for step in steps}:
            host_workflow.set_state(running.platform, target, AdminState.CORDONED, operator, reason="test")
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.STOPPED))
        found, steps = now(running, plan.id)
        assert found.problem is not None
        assert found.problem.code == "moves.target_closed"
        assert all(s.state in (StepState.FAILED, StepState.CANCELLED) for s in steps)
        assert_books_are_clean(running)


def test_a_machine_that_went_or_was_moved_meanwhile_is_passed_over(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=1) as running:
        host = busy_host(running)
        (first, _), (second, _), (third, _) = (made(running, PlanKind.DRAIN, host) for _ in range(3))
        run(running, first)
        assert running.wait_for(ended(running, first, PlanState.DONE)), now(running, first.id)
        run(running, second)
        assert running.wait_for(ended(running, second, PlanState.DONE)), now(running, second.id)
        running.submit(release_text("sys-0"))
        assert running.wait_for(lambda: all(r["phase"] == "gone" for r in running.rows(kind="instance")))
        run(running, third)
        assert running.wait_for(ended(running, third, PlanState.DONE)), now(running, third.id)
        told = [step.problem.code for plan in (second, third) for step in now(running, plan.id)[1] if step.problem]
        assert told == ["moves.not_there", "moves.machine_gone"]
        assert_books_are_clean(running)


def test_no_more_steps_begin_in_an_hour_than_the_budget_allows(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=4, bounds=replace(LOOSE, per_hour=1)) as running:
        host = busy_host(running)
        plan, steps = made(running, PlanKind.DRAIN, host)
        assert len(steps) > 1, "nothing to hold back"
        run(running, plan)
        assert running.wait_for(lambda: now(running, plan.id)[1][0].state is StepState.DONE)
        with running.platform.db.write() as connection:
            begin_next(connection, running.platform)
        found, steps = now(running, plan.id)
        assert (found.state, steps[1].state) == (PlanState.RUNNING, StepState.PLANNED)
        plans.cancel(running.platform, plan.id, running.furnished.caller(Role.OPERATOR))
        assert_books_are_clean(running)


def test_a_moved_machine_rests_before_it_moves_for_evenness_again(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, bounds=MoveBounds(cool_down_s=3600.0, dwell_s=0.0)) as running:
        host = busy_host(running)
        plan, steps = made(running, PlanKind.DRAIN, host)
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.DONE))
        even, moves = made(running, PlanKind.REBALANCE, gain_least_micro=0)
        assert not {m.machine_id for m in moves} & {s.machine_id for s in steps}
        assert even.state is PlanState.PLANNED


def test_a_system_is_not_changed_while_a_machine_of_it_is_on_its_way(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=1) as running:
        plan, steps = made(running, PlanKind.DRAIN, busy_host(running))
        slow = Hang()
        running.world.faults = Script().on("ensure_image", fault=slow)
        run(running, plan)
        assert running.wait_for(lambda: any(r["target_host_id"] for r in running.rows(kind="instance")))
        with pytest.raises(Conflict) as refused:
            running.submit(WIDER)
        assert refused.value.code == "system.moving"
        slow.let_go.set()
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        assert_books_are_clean(running)
        assert steps


WIDER = change_text("sys-0", "{name: web, count: 2}")


def test_where_the_driver_moves_nothing_the_plan_says_so_for_each_machine(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=1) as running:
        host = busy_host(running)
        request = PlanRequest(kind=PlanKind.DRAIN, host=host)
        operator = running.furnished.caller(Role.OPERATOR)
        plan, steps = plans.compute(running.platform, request, operator, is_dry_run=True)
        assert not steps
        assert [s["reason"] for s in plan.stays] == ["moves.not_offered"]
        with pytest.raises(Invalid):
            plans.compute(running.platform, PlanRequest(kind=PlanKind.DRAIN), operator, is_dry_run=True)


def test_one_plan_runs_at_a_time_and_one_that_is_over_stays_over(database: Database, tmp_path: Path) -> None:
    with city(database, tmp_path, systems=1, bounds=replace(LOOSE, per_hour=0)) as running:
        operator = running.furnished.caller(Role.OPERATOR)
        first, _ = made(running, PlanKind.DRAIN, busy_host(running))
        second, _ = made(running, PlanKind.DRAIN, busy_host(running))
        run(running, first)
        with pytest.raises(Conflict) as refused:
            plans.run(running.platform, second.id, operator)
        assert refused.value.code == "moves.another_runs"
        plans.cancel(running.platform, first.id, operator)
        for act in (plans.run, plans.cancel):
            with pytest.raises(Conflict):
                act(running.platform, first.id, operator)
