"""Moves and the reserve of a pool (N+1) on a running controller: a step is judged by who stands by when it is its turn."""

from dataclasses import replace
from pathlib import Path

from controller.identity.caller import Role
from controller.moves.model import PlanState
from controller.scheduling.moves.plan import PlanKind
from controller.workflows import costs
from controller.workflows import hosts as host_workflow
from inventory.domain.host import AdminState, Host, Reserve, ReserveLevel
from inventory.store import hosts
from inventory.store.engine import Database
from tests.integration.test_move_plans import LOOSE, QUICK, assert_books_are_clean, ended, made, now, run
from tests.support.reconciling import Running, running_controller
from tests.support.reserves import set_reserve, standby_hosts
from tests.support.samples import ticket_text


def _set(running: Running, host: Host, state: AdminState) -> None:
    host_workflow.set_state(running.platform, host.id, state, running.furnished.caller(Role.OPERATOR), reason="test")


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
        with database.write() as connection:
            for host, rack in ((first, "one"), (home, "two"), (target, "three"), (beside, "three")):
                hosts.save_host(connection, replace(hosts.host(connection, host.id), rack=rack))
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
