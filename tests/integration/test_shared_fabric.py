"""Hosts that share a network fabric: one segment of a network for all of them, whoever of them answers. On both engines."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.identity.caller import Role, local_operator
from controller.moves import store
from controller.moves.model import MovePlan, PlanState
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.scheduling.moves.plan import PlanKind
from controller.tickets.model import TicketState
from controller.workflows import hosts as host_workflow
from controller.workflows.engine import StepSettings
from controller.workflows.hosts import EnrolRequest
from controller.workflows.moves import plans
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.moves.plans import PlanRequest
from drivers.protocol import DriverContext
from drivers.registry import driver_factory
from inventory.domain.host import AdminState, Host, Reachability
from inventory.domain.ids import HostId, PoolId, ResourceId
from inventory.domain.resource import InstanceSpec
from inventory.store import directory, homes, hosts
from inventory.store.engine import Database
from tests.support.platform import furnish
from tests.support.reconciling import Running, running_controller
from tests.support.samples import release_text, ticket_text

QUICK = ReconcileSettings(
    moves_s=0.0,
    idle_s=0.02,
    progress_s=0.0,
    observe_s=0.5,
    probe_s=0.3,
    sync_hosts_s=0.3,
    steps=StepSettings(backoff_first_s=0.1, backoff_most_s=0.3, parts_s=0.1, subnet_rest_s=0.1),
)
SPREAD = ", spread: host"
OPERATOR = local_operator("li")


@contextmanager
def region(database: Database, folder: Path) -> Iterator[Running]:
    """Have three hosts that share a fabric, and a controller."""
    with running_controller(database, folder, settings=QUICK, scope="north") as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=MoveBounds(cool_down_s=0.0, dwell_s=0.0))
        yield running


def submit(running: Running, text: bytes) -> None:
    ticket = running.submit(text)
    assert running.wait_for(lambda: running.ticket_state(ticket) is TicketState.DONE)


def machines(running: Running) -> dict[str, tuple[str, InstanceSpec]]:
    """Return host and spec of each living machine."""
    rows = running.rows(kind="instance")
    return {r["id"]: (r["host_id"], InstanceSpec.from_json(r["spec"])) for r in rows if r["phase"] != "gone"}


def segments(running: Running) -> list[tuple[str, str]]:
    """Return id and host of each living segment."""
    return [(r["id"], r["host_id"]) for r in running.rows(kind="segment") if r["phase"] != "gone"]


def at_rest(running: Running) -> bool:
    return not [r for r in running.rows() if r["next_try_s"] is not None and r["phase"] != "gone"]


def violations(running: Running) -> list[str]:
    assert running.wait_for(lambda: at_rest(running))
    seen = {h.id: running.world.hosts[h.name].observe() for h in running.furnished.hosts}
    with running.platform.db.read(is_steady=True) as connection:
        return [str(v) for v in audit_invariants(connection, seen)]


def test_hosts_that_name_one_fabric_share_the_home_of_the_first(database: Database, tmp_path: Path) -> None:
    furnished = furnish(database, tmp_path, host_count=1)
    with furnished.platform.db.write() as connection:
        [pool] = directory.pools(connection)
        directory.save_pool(connection, replace(pool, id=PoolId("pool_other"), code="other"))

    def enrol(name: str, scope: str, pool: str = "sim") -> Host:
        address = f"simulated://shared-{tmp_path.name}/{name}?scope={scope}"
        context = DriverContext(host_id="host_x", host_name=name, connection=address, clock=furnished.clock)
        asked = EnrolRequest(name=name, pool=pool, connection=address)
        return host_workflow.enrol(furnished.platform, asked, driver_factory("simulated")(context), OPERATOR)

    first, second, third = enrol("a", "north"), enrol("b", "north"), enrol("c", "north")
    assert (first.home, second.home, third.home) == (first.id, first.id, first.id)
    assert enrol("d", "south").home != first.id, "another fabric"
    assert enrol("e", "north", "other").home != first.id, "another pool"
    assert enrol("f", "").home != first.id, "none"


def test_a_host_that_is_read_for_the_first_time_joins_and_one_with_networks_of_its_own_does_not(
    database: Database, tmp_path: Path
) -> None:
    furnished = furnish(database, tmp_path, host_count=3)
    names = [f"{tmp_path.name}-{n}" for n in range(3)]

    def read(number: int) -> Host:
        address = f"simulated://joined/{names[number]}?scope=north"
        context = DriverContext(host_id="host_x", host_name=names[number], connection=address, clock=furnished.clock)
        driver = driver_factory("simulated")(context)
        return host_workflow.refresh(furnished.platform, furnished.hosts[number].id, driver)

    assert read(0).home == furnished.hosts[0].id
    assert read(1).home == furnished.hosts[0].id
    assert read(0).home == furnished.hosts[0].id, "a home that others share stays one"
    with furnished.platform.db.write() as connection:
        hosts.save_host(connection, replace(hosts.host(connection, furnished.hosts[2].id), facts=None))
    assert read(2).home == furnished.hosts[0].id


def test_machines_of_one_network_spread_over_the_fabric_on_one_segment(database: Database, tmp_path: Path) -> None:
    with region(database, tmp_path) as running:
        submit(running, ticket_text("portal", count=3, more=SPREAD))
        found = machines(running)
        assert {host for host, _ in found.values()} == {h.id for h in running.furnished.hosts}
        [(segment_id, home_id)] = segments(running)
        assert home_id == running.furnished.hosts[0].id
        cards = [nic for _, spec in found.values() for nic in spec.nics]
        assert {nic.segment_id for nic in cards} == {segment_id}
        assert len({nic.address for nic in cards}) == 3
        submit(running, ticket_text("mail", count=2, more=SPREAD))
        assert [s for s, _ in segments(running)] == [segment_id], "another system of the department is on it too"
        assert violations(running) == []
        for name in ("portal", "mail"):
            submit(running, release_text(name))
        assert running.wait_for(lambda: segments(running) == [])
        assert violations(running) == []


def _planned(running: Running, host: str) -> MovePlan:
    with running.platform.db.read() as connection:
        pools = {p.id for p in directory.pools(connection)}
    request = PlanRequest(kind=PlanKind.DRAIN, host=host, migrating=pools)
    operator = running.furnished.caller(Role.OPERATOR)
    plan, steps = plans.compute(running.platform, request, operator, is_dry_run=False)
    assert steps, "machines that share a network may move within their home"
    plans.run(running.platform, plan.id, operator)
    running.reconciler.wake()
    return plan


def test_a_move_within_the_fabric_keeps_network_address_and_card(database: Database, tmp_path: Path) -> None:
    with region(database, tmp_path) as running:
        submit(running, ticket_text("portal", count=2, more=SPREAD))
        before, [segment] = machines(running), segments(running)
        source = next(h for h in running.furnished.hosts if any(host == h.id for host, _ in before.values()))
        moving = {i for i, (host, _) in before.items() if host == source.id}
        plan = _planned(running, source.name)

        def is_over() -> bool:
            with running.platform.db.read() as connection:
                return store.get(connection, plan.id).state is PlanState.DONE

        assert running.wait_for(is_over)
        after = machines(running)
        assert {host for i, (host, _) in after.items() if i in moving} <= {h.id for h in running.furnished.hosts if h != source}
        assert {i: spec.nics for i, (_, spec) in after.items()} == {i: spec.nics for i, (_, spec) in before.items()}
        assert segments(running) == [segment]
        assert violations(running) == []
        seen = {i.instance_id: i.nics or () for h in running.world.hosts.values() for i in h.observe().instances}
        assert {n.address for i in moving for n in seen[ResourceId(i)]} == {n.address for i in moving for n in before[i][1].nics}


def test_a_home_that_falls_silent_hands_its_networks_on_and_takes_none_with_it_when_it_is_back(
    database: Database, tmp_path: Path
) -> None:
    with region(database, tmp_path) as running:
        submit(running, ticket_text("portal", count=3, more=SPREAD))
        [(segment_id, home_id)] = segments(running)
        home = next(h for h in running.furnished.hosts if h.id == home_id)
        running.world.cut(home.name)

        def home_now() -> HostId:
            with running.platform.db.read() as connection:
                return homes.home_of(connection, home.id)

        assert running.wait_for(lambda: home_now() != home.id)
        assert [s for s, _ in segments(running)] == [segment_id]
        assert segments(running)[0][1] == home_now()
        # The network serves new machines on the others.
        submit(running, ticket_text("mail", count=2, more=SPREAD))
        assert [s for s, _ in segments(running)] == [segment_id]
        running.world.heal(home.name)

        def is_back() -> bool:
            with running.platform.db.read() as connection:
                return hosts.host(connection, home.id).reachability is Reachability.REACHABLE

        assert running.wait_for(is_back)
        assert running.wait_for(lambda: at_rest(running))
        assert violations(running) == []
        assert segment_id in running.world.hosts[home.name].observe().segment_ids


@pytest.mark.parametrize("state", [AdminState.RETIRED, AdminState.CORDONED])
def test_a_home_that_is_retired_hands_on_and_a_cordoned_one_serves(database: Database, tmp_path: Path, state: AdminState) -> None:
    with region(database, tmp_path) as running:
        home = running.furnished.hosts[0]
        host_workflow.set_state(running.platform, home.id, AdminState.CORDONED, OPERATOR, reason="test")
        submit(running, ticket_text("portal", count=2, more=SPREAD))
        assert {host for host, _ in machines(running).values()} == {h.id for h in running.furnished.hosts[1:]}
        assert [h for _, h in segments(running)] == [home.id], "networks stand on it, machines do not"
        if state is not AdminState.CORDONED:
            host_workflow.set_state(running.platform, home.id, state, OPERATOR, reason="test")
            assert [h for _, h in segments(running)] == [running.furnished.hosts[1].id]
        submit(running, release_text("portal"))
        assert running.wait_for(lambda: segments(running) == [])
        assert all(not h.segments for h in running.world.hosts.values())
