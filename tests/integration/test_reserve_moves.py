"""Moves and the reserve of a pool (N+1) on a running controller: a step is judged by who stands by when it is its turn."""

import time
from dataclasses import replace
from pathlib import Path

from controller.identity.caller import Role
from controller.moves.model import PlanState
from controller.reconcile.housekeeping import Housekeeping
from controller.scheduling.moves.plan import PlanKind
from controller.workflows import costs
from controller.workflows import hosts as host_workflow
from inventory.domain.host import AdminState, Host, Reserve, ReserveLevel
from inventory.domain.ids import HostId, ResourceId
from inventory.domain.resource import ResourceKind
from inventory.store import hosts, resources, standby
from inventory.store.engine import Database
from tests.integration.test_move_plans import LOOSE, QUICK, assert_books_are_clean, ended, made, now, run
from tests.support.reconciling import Running, running_controller
from tests.support.reserves import set_reserve, standby_hosts
from tests.support.samples import ticket_text


def _set(running: Running, host: Host, state: AdminState) -> None:
    host_workflow.set_state(running.platform, host.id, state, running.furnished.caller(Role.OPERATOR), reason="test")


def _stand_in(database: Database, *racks: tuple[Host, str]) -> None:
    with database.write() as connection:
        for host, rack in racks:
            hosts.save_host(connection, replace(hosts.host(connection, host.id), rack=rack))


def _placed_on(running: Running, host: Host, ticket: bytes) -> None:
    others = [h for h in running.furnished.hosts if h.id != host.id]
    for other in others:
        _set(running, other, AdminState.CORDONED)
    assert running.done(running.submit(ticket))
    for other in others:
        _set(running, other, AdminState.ACTIVE)


def test_a_step_is_refused_when_a_host_beside_its_target_stands_by_since(database: Database, tmp_path: Path) -> None:
    with running_controller(database, tmp_path, settings=QUICK, host_count=4) as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=LOOSE)
        costs.record(running.platform)
        first, home, target, beside = sorted(running.furnished.hosts, key=lambda h: h.name)
        _stand_in(database, (first, "one"), (home, "two"), (target, "three"), (beside, "three"))
        _placed_on(running, home, ticket_text("spread", more=", spread: rack"))
        _placed_on(running, target, ticket_text("other"))
        set_reserve(database, Reserve(level=ReserveLevel.HOST))
        _set(running, beside, AdminState.CORDONED)
        plan, steps = made(running, PlanKind.DRAIN, home.name)
        _set(running, beside, AdminState.ACTIVE)
        with database.read() as connection:
            assert ([s.target_id for s in steps], standby_hosts(connection)) == ([target.id], {first.id})
        _set(running, first, AdminState.MAINTENANCE)
        with database.read() as connection:
            assert standby_hosts(connection) == {beside.id}
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.STOPPED)), now(running, plan.id)
        assert [s.problem.code for s in now(running, plan.id)[1] if s.problem] == ["moves.spread"]
        assert_books_are_clean(running)


def test_repair_moves_what_is_in_the_way_of_a_stand_by_that_is_beside_no_mate(database: Database, tmp_path: Path) -> None:
    with running_controller(database, tmp_path, settings=QUICK, host_count=4, scope="fabric") as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=LOOSE)
        costs.record(running.platform)
        mate, beside, other, apart = sorted(running.furnished.hosts, key=lambda h: h.name)
        _stand_in(database, (mate, "one"), (beside, "one"), (other, "two"), (apart, "three"))
        _placed_on(running, apart, ticket_text("in-the-way", more=", networks: [data]"))
        for host in (beside, apart):
            _set(running, host, AdminState.CORDONED)
        assert running.done(running.submit(ticket_text("spread", count=2, more=", spread: rack")))
        for host in (beside, apart):
            _set(running, host, AdminState.ACTIVE)
        set_reserve(database, Reserve(level=ReserveLevel.HOST))
        with database.read() as connection:
            [state] = standby.states(connection)
        assert (state.standby, state.uncovered) == ((beside.name,), (other.name,)), "the other one's machine would meet its mate"
        plan, steps = made(running, PlanKind.REPAIR)
        assert [s.source_id for s in steps] == [apart.id], "it leaves the host that would stand by better"
        assert (plan.summary["broken_before"], plan.summary["broken_after"]) == (1, 0)
        run(running, plan)
        assert running.wait_for(ended(running, plan, PlanState.DONE)), now(running, plan.id)
        before = _where(running)
        Housekeeping(running.platform, period_s=0, monotonic=time.monotonic).run()
        with database.read() as connection:
            [state] = standby.states(connection)
        assert (state.standby, state.uncovered, state.is_kept) == ((apart.name,), (), True)
        assert _where(running) == before, "the reserve moved, and no machine for it"
        assert_books_are_clean(running)


def _where(running: Running) -> dict[ResourceId, HostId | None]:
    with running.platform.db.read() as connection:
        return {r.id: r.host_id for r in resources.machines(connection) if r.kind is ResourceKind.INSTANCE}
