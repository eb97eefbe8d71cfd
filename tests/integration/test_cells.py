"""Dedicated processors, huge pages and NUMA nodes from ticket to driver: given once, given back, moved, resized, explained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from controller.identity.caller import Role
from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.scheduling.moves.plan import PlanKind
from controller.tickets.model import TicketState
from controller.workflows import hosts as host_work
from controller.workflows import tickets
from controller.workflows.capacity.fit import FitQuestion, how_many_more
from controller.workflows.engine import StepSettings
from controller.workflows.moves import plans
from controller.workflows.moves.bounds import MoveBounds
from controller.workflows.moves.plans import PlanRequest
from controller.workflows.site import apply_import
from controller.workflows.swap import swapper
from drivers.simulated.records import HostSpec
from inventory.domain.errors import Conflict, Invalid, Unplaceable
from inventory.domain.host import AdminState, Reserve, ReserveLevel
from inventory.domain.layout import Seat
from inventory.domain.resource import Resource, ResourceKind
from inventory.domain.scope import PLATFORM
from inventory.store import claims, directory, hosts, resources, standby, systems
from inventory.store import tables as t
from inventory.store.engine import Database
from quotas import store as quota_store
from tests.support.database import open_for_test
from tests.support.planners import plan_at_once, some_counts
from tests.support.platform import CellSpec, Furnished, furnish
from tests.support.reconciling import Running, running_controller
from tests.support.samples import change_text, release_text, ticket_text

#: Two cells of four cores with two threads each; half of each is dedicated; 1024 huge pages in each cell.
CELLS = CellSpec(dedicated_cpus="2-3,6-7,10-11,14-15", huge_pages=((2048, 1024),))
QUICK = ReconcileSettings(
    moves_s=0.0,
    idle_s=0.02,
    progress_s=0.0,
    observe_s=0.5,
    steps=StepSettings(backoff_first_s=0.1, backoff_most_s=0.3, parts_s=0.1, subnet_rest_s=0.1),
)


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=2, cells=CELLS)


def machines(here: Any, name: str) -> list[Resource]:
    with here.platform.db.read() as connection:
        found = resources.of_system(connection, systems.get(connection, name, PLATFORM).id)
    return [r for r in found if r.kind is ResourceKind.INSTANCE]


def seat_of(machine: Resource) -> Seat:
    assert machine.instance.seat is not None
    return machine.instance.seat


def test_hosts_offer_what_is_shared_and_what_is_dedicated_apart(here: Furnished) -> None:
    with here.platform.db.read() as connection:
        rows = {r.dimension: r.capacity for r in hosts.inventories_of(connection, [here.hosts[0].id])[here.hosts[0].id]}
    assert (rows["vcpu"], rows["pcpu"]) == (8, 8)
    assert (rows["memory_mib"], rows["huge_mib:2048"]) == (65536 - 4096, 4096)
    assert (rows["cell:0:vcpu"], rows["cell:0:memory_mib"], rows["cell:1:huge_mib:2048"]) == (4, 32768 - 2048, 2048)
    assert rows["cpu:2"] == 1
    assert "cpu:0" not in rows


def test_a_pinned_machine_gets_whole_cores_of_one_cell_and_counts_as_ordinary_quota(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("db", size="pinned-2"), here.caller())
    (machine,) = machines(here, "db")
    (node,) = seat_of(machine).nodes
    # Threads of a core are numbered n and n + 8.
    assert node.cpus == (2, 10)
    with here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []
        levels = {level.dimension: level.used for level in quota_store.levels(connection) if level.scope == "P-portal"}
        held = {c.dimension: c.amount for c in claims.of_resources(connection, [machine.id])}
    assert (levels["vcpu"], levels["memory_mib"]) == (2, 1024)
    assert held["pcpu"] == 2
    assert (held["cpu:2"], held["cpu:10"], held["cell:0:memory_mib"]) == (1, 1, 1024)
    assert "vcpu" not in held


def test_two_nodes_with_huge_pages_lie_on_two_cells(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("db", size="pinned-4x2"), here.caller())
    seat = seat_of(machines(here, "db")[0])
    assert [node.cell for node in seat.nodes] == [0, 1]
    assert {node.memory_mib for node in seat.nodes} == {1024}
    assert seat.page_kib == 2048
    with here.platform.db.read(is_steady=True) as connection:
        rows = {(r.host_id, r.dimension): r.used for r in hosts.inventories(connection)}
        assert audit_invariants(connection, {}) == []
    host = machines(here, "db")[0].host_id
    assert host is not None
    assert rows[host, "huge_mib:2048"] == 2048
    assert rows[host, "memory_mib"] == 0


def test_what_fits_on_no_cell_is_refused_with_the_numbers_of_cells(here: Furnished) -> None:
    for n in range(4):
        tickets.submit(here.platform, ticket_text(f"filler-{n}", size="pinned-3"), here.caller())
    # One dedicated processor is left in each cell: two on each host, and no cell has both.
    with pytest.raises(Unplaceable) as refused:
        tickets.submit(here.platform, ticket_text("db", size="pinned-2"), here.caller())
    assert refused.value.code == "placement.no_host_fits"
    (page,) = refused.value.details["explanations"]
    assert next(name for name, left in page["left_after"] if left == 0) == "numa"
    (miss, _) = page["misses"]
    assert miss[1] == "numa"
    assert miss[2] == {
        "nodes": 1,
        "vcpu": 2,
        "is_dedicated": True,
        "memory_mib": 1024,
        "page_kib": 0,
        "machines": 1,
        "cells": 2,
        "fitting": 0,
    }


def test_how_many_more_fit_is_counted_by_cells(here: Furnished) -> None:
    with here.platform.db.read() as connection:
        sizes = ("pinned-1", "pinned-3", "pinned-4x2")
        counts = {size: how_many_more(connection, FitQuestion(size=size), here.clock()).pools[0].count for size in sizes}
    assert counts == {"pinned-1": 16, "pinned-3": 4, "pinned-4x2": 4}
    submitted = 0
    for n in range(5):
        try:
            tickets.submit(here.platform, ticket_text(f"db-{n}", size="pinned-4x2"), here.caller())
            submitted += 1
        except Unplaceable:
            break
    assert submitted == 4


def test_a_machine_placed_again_takes_a_seat_on_the_other_host(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("db", size="pinned-2"), here.caller())
    (machine,) = machines(here, "db")
    with here.platform.db.read() as connection:
        volumes = [r for r in resources.of_system(connection, systems.get(connection, "db", PLATFORM).id) if r.kind == "volume"]
    with here.platform.db.write() as connection:
        moved = swapper(here.platform)(connection, machine, volumes)
        assert moved is not None
        for resource in moved:
            resources.move(connection, resource, revision=2, now_s=here.clock())
    with here.platform.db.read() as connection:
        assert hosts.recount_used(connection) == []
        (now,) = machines(here, "db")
        assert now.host_id != machine.host_id
        held = {c.dimension for c in claims.of_resources(connection, [machine.id]) if c.provider_id == now.host_id}
    assert {f"cpu:{cpu}" for node in seat_of(now).nodes for cpu in node.cpus} <= held


def test_the_auditor_finds_a_seat_that_is_not_what_is_claimed(here: Furnished) -> None:
    tickets.submit(here.platform, ticket_text("db", size="pinned-2"), here.caller())
    (machine,) = machines(here, "db")
    seat = seat_of(machine)
    wrong = replace(machine.instance, seat=replace(seat, nodes=(replace(seat.nodes[0], cpus=(3, 11)),)))
    with here.platform.db.write() as connection:
        connection.execute(
            update(t.resources).where(t.resources.c.id == machine.id).values(spec=wrong.to_json(), phase="settled")
        )
    with here.platform.db.read(is_steady=True) as connection:
        assert [v.rule for v in audit_invariants(connection, {})] == ["seat"]


def running_seat(running: Running, machine: Resource) -> Seat | None:
    name = next(h.name for h in running.furnished.hosts if h.id == machine.host_id)
    found = running.world.hosts[name].machines.get(machine.id)
    return found.seat if found else None


def test_it_runs_where_it_was_promised_is_resized_moved_and_released(database: Database, tmp_path: Path) -> None:
    with running_controller(database, tmp_path, settings=QUICK, host_count=2, cells=CELLS) as running:
        running.platform = running.reconciler.platform = replace(running.platform, moves=MoveBounds(cool_down_s=0.0, dwell_s=0.0))
        ticket = running.submit(ticket_text("db", size="pinned-2"))
        plain = running.submit(ticket_text("plain"))
        assert running.wait_for(lambda: running.ticket_state(ticket) is TicketState.DONE)
        assert running.wait_for(lambda: running.ticket_state(plain) is TicketState.DONE)
        (machine,) = machines(running, "db")
        names = {h.id: h.name for h in running.furnished.hosts}
        assert running_seat(running, machine) == seat_of(machine)

        # A larger size on the same host keeps its processors and stops for the change.
        resized = running.submit(change_text("db", "{name: web, size: pinned-4x2}"))
        assert running.wait_for(lambda: running.ticket_state(resized) is TicketState.DONE), running.rows(kind="instance")
        (machine,) = machines(running, "db")
        assert len(seat_of(machine).nodes) == 2
        assert running_seat(running, machine) == seat_of(machine)
        with running.platform.db.read(is_steady=True) as connection:
            held = {c.dimension: c.amount for c in claims.of_resources(connection, [machine.id])}
            assert audit_invariants(connection, {}) == []
            assert quota_store.recount(connection) == []
        assert held["pcpu"] == 4
        assert "memory_mib" not in held
        assert held["huge_mib:2048"] == 2048

        # Drained: it takes a seat on the other host, and its old processors are free again.
        old = machine.host_id
        operator = running.furnished.caller(Role.OPERATOR)
        assert old is not None
        host_work.set_state(running.platform, old, AdminState.DRAINING, operator, reason="维修")
        with running.platform.db.read() as connection:
            pools = {p.id for p in directory.pools(connection)}
        request = PlanRequest(kind=PlanKind.DRAIN, host=names[old], migrating=pools)
        plan, steps = plans.compute(running.platform, request, operator, is_dry_run=False)
        assert len(steps) >= 1
        plans.run(running.platform, plan.id, operator)
        running.reconciler.wake()
        assert running.wait_for(lambda: machines(running, "db")[0].host_id != old)
        assert running.wait_for(lambda: not running.rows(phase="pending") and not running.rows(phase="working"))
        (machine,) = machines(running, "db")
        assert running_seat(running, machine) == seat_of(machine)
        with running.platform.db.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
            left = {r.dimension: r.used for r in hosts.inventories_of(connection, [old])[old]}
        assert left["pcpu"] == 0
        assert not any(used for dimension, used in left.items() if dimension.startswith(("cpu:", "cell:")))

        gone = running.submit(release_text("db"))
        assert running.wait_for(lambda: running.ticket_state(gone) is TicketState.DONE)
        with running.platform.db.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
            assert not any(r.used for r in hosts.inventories(connection) if r.dimension.startswith(("cpu:", "cell:", "pcpu")))


@pytest.mark.postgres
@pytest.mark.timeout(480)
def test_planners_never_give_a_processor_twice(postgres_url: str, tmp_path: Path) -> None:
    with open_for_test(postgres_url) as database:
        here = furnish(database, tmp_path, host_count=3, cpu_count=16, cells=CELLS)
        counts = some_counts(11, 3, 8, 2)
        found = plan_at_once(postgres_url, tmp_path, here.caller(), counts, size="pinned-1")
        accepted = sum(sum(one.accepted) for one in found)
        with database.read(is_steady=True) as connection:
            assert audit_invariants(connection, {}) == []
            rows = hosts.inventories(connection)
            specs = connection.execute(t.resources.select().where(t.resources.c.kind == "instance")).all()
        assert sum(r.used for r in rows if r.dimension == "pcpu") == accepted
        given = [(r.host_id, cpu) for r in specs for node in Seat.from_json(r.spec["seat"]).nodes for cpu in node.cpus]
        assert len(given) == len(set(given)) == accepted
        assert {code for one in found for _, code in one.refused} <= {"placement.no_host_fits"}
        assert accepted >= 23, "room was used up but for what pairs leave"


def test_cells_of_a_simulated_host_share_its_processors_evenly() -> None:
    cells = HostSpec(cpu_count=16, memory_mib=65536, cells=2, threads=2).numa()
    assert [c.cores for c in cells] == ["0,8 1,9 2,10 3,11", "4,12 5,13 6,14 7,15"]


def test_a_trait_is_asked_for_by_ticket_or_size_and_said_in_the_refusal(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        hosts.save_host(connection, replace(here.hosts[1], traits=("ssd",)))
    tickets.submit(here.platform, ticket_text("fast", more=", traits: [ssd]"), here.caller())
    assert machines(here, "fast")[0].host_id == here.hosts[1].id
    with here.platform.db.write() as connection:
        hosts.set_admin_state(connection, here.hosts[1].id, AdminState.CORDONED, reason="", by="op", until_s=None)
    with pytest.raises(Unplaceable) as refused:
        tickets.submit(here.platform, ticket_text("fast-2", more=", traits: [ssd]"), here.caller())
    (page,) = refused.value.details["explanations"]
    assert ["host-0000", "traits", {"asked": "ssd", "missing": "ssd"}] in [list(miss) for miss in page["misses"]]
    with pytest.raises(Invalid) as unknown:
        tickets.submit(here.platform, ticket_text("fast-3", more=", traits: [nvme]"), here.caller())
    assert unknown.value.code == "ticket.unknown_name"


def site_with(words: str) -> bytes:
    return f"""\
apiVersion: allotment/v1
kind: Site
hosts:
  - name: host-0000
    pool: sim
    connection: "simulated://test/host-0000?cpus=16&memory_mib=65536&disk_gib=1000{CELLS.query}"
    rack: A00
    {words}
""".encode()


def test_which_processors_are_dedicated_changes_only_on_an_empty_host(here: Furnished) -> None:
    caller = here.caller(Role.OPERATOR)
    tickets.submit(here.platform, ticket_text("db", size="pinned-2"), here.caller())
    used = machines(here, "db")[0].host_id
    text = site_with('dedicated-cpus: "3,7,11,15"').decode()
    name = next(h.name for h in here.hosts if h.id == used)
    with pytest.raises(Conflict) as refused:
        apply_import(here.platform, text.replace("host-0000", name).replace("A00", f"A0{name[-1]}").encode(), caller)
    assert refused.value.code == "site.processors_in_use"
    other = next(h for h in here.hosts if h.id != used)
    changed = text.replace("host-0000", other.name).replace("A00", f"A0{other.name[-1]}").encode()
    apply_import(here.platform, changed, caller)
    with here.platform.db.read(is_steady=True) as connection:
        rows = {r.dimension: r.capacity for r in hosts.inventories_of(connection, [other.id])[other.id]}
        assert audit_invariants(connection, {}) == []
    assert (rows["vcpu"], rows["pcpu"], rows["cpu:2"], rows["cpu:3"]) == (12, 4, 0, 1)
    with pytest.raises(Conflict) as unknown:
        apply_import(here.platform, changed.replace(b'"3,7,11,15"', b'"3,99"'), caller)
    assert unknown.value.code == "host.cpus_unknown"


def test_a_reserve_holds_cells_and_processors_too(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        (pool,) = directory.pools(connection)
        directory.save_pool(connection, replace(pool, reserve=Reserve(level=ReserveLevel.HOST)))
        standby.renew(connection)
    for n in range(8):
        tickets.submit(here.platform, ticket_text(f"db-{n}", size="pinned-1"), here.caller())
    with pytest.raises(Unplaceable):
        tickets.submit(here.platform, ticket_text("db-8", size="pinned-1"), here.caller())
    with here.platform.db.read(is_steady=True) as connection:
        assert audit_invariants(connection, {}) == []


def test_an_ordinary_machine_on_such_a_host_is_kept_off_its_dedicated_processors(here: Furnished) -> None:
    with here.platform.db.read() as connection:
        found = hosts.confinements(connection, {h.id for h in here.hosts})
    assert set(found.values()) == {"0-1,4-5,8-9,12-13"}
