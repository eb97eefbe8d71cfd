"""The reconciler as a process runs it: its own thread, real workers per host, a SQLite file, simulated hosts."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import select

from controller.reconcile.auditor import audit_invariants
from controller.reconcile.settings import ReconcileSettings
from controller.tickets import store as tickets
from controller.tickets.model import Ticket
from controller.workflows import power
from controller.workflows.engine import StepSettings
from drivers.simulated.faults import Script, Site
from inventory.domain.host import Reachability
from inventory.domain.ids import ResourceId
from inventory.store import hosts
from inventory.store import tables as t
from tests.support.database import sqlite_database
from tests.support.reconciling import Running, running_controller
from tests.support.samples import release_text, ticket_text

T = TypeVar("T")
QUICK = ReconcileSettings(
    hold_s=4.0,
    hold_margin_s=1.0,
    observe_s=0.3,
    probe_s=0.2,
    idle_s=0.05,
    looks_s=0.1,
    steps=StepSettings(
        graceful_s=0.2,
        backoff_first_s=0.1,
        backoff_most_s=0.5,
        deadline_s=0.5,
        observe_deadline_s=0.5,
        parts_s=0.2,
        subnet_rest_s=0.2,
    ),
)


@dataclass
class Hang:
    """A call that does not come back until it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)

    def around(self, site: Site, work: Callable[[], T]) -> T:
        self.let_go.wait(30)
        raise site.timeout()


class Bug:
    """A driver with a mistake in it."""

    def around(self, site: Site, work: Callable[[], T]) -> T:
        raise ZeroDivisionError


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Running]:
    with sqlite_database(tmp_path / "state.db") as database, running_controller(database, tmp_path, settings=QUICK) as running:
        yield running


def violations(running: Running) -> list[object]:
    seen = {h.id: running.world.hosts[h.name].observe() for h in running.furnished.hosts if h.name in running.world.hosts}
    with running.platform.db.read(is_steady=True) as connection:
        return list(audit_invariants(connection, seen, is_quiet=True))


def is_done(running: Running, ticket: Ticket) -> Callable[[], bool]:
    return lambda: running.ticket_state(ticket) == "done"


def machines(running: Running) -> list[dict[str, Any]]:
    return running.rows(kind="instance")


def has_rebooted(running: Running, times: int) -> Callable[[], bool]:
    return lambda: machines(running)[0]["reboots_done"] == times


def test_a_ticket_becomes_running_machines_and_a_release_leaves_nothing(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal", count=3))
    assert at_work.wait_for(is_done(at_work, ticket))
    assert {m["observed"] for m in machines(at_work)} == {"running"}
    assert violations(at_work) == []
    release = at_work.submit(release_text("portal"))
    assert at_work.wait_for(is_done(at_work, release))
    assert at_work.wait_for(lambda: all(r["phase"] == "gone" for r in at_work.rows()))
    assert violations(at_work) == []
    hosts_left = [(h.machines, h.volumes, h.segments) for h in at_work.world.hosts.values()]
    assert hosts_left == [({}, {}, {})] * len(hosts_left)


def test_the_story_of_a_ticket_is_told_step_by_step(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    with at_work.platform.db.read() as connection:
        codes = [e.code for e in tickets.events(connection, ticket.id)]
    assert codes[0] == "step.accepted"
    assert {"step.segment", "step.volume", "step.image", "step.root_disk", "step.define", "step.start"} <= set(codes)
    assert codes[-1] == "step.ticket_done"


def test_a_hung_host_never_delays_another(at_work: Running) -> None:
    names = [h.name for h in at_work.furnished.hosts]
    hang = Hang()
    at_work.world.faults = Script().on("*", host=names[0], fault=hang, times=1000)
    try:
        sent = [at_work.submit(ticket_text(f"portal-{n}")) for n in range(6)]
        elsewhere = {h.id for h in at_work.furnished.hosts if h.name != names[0]}

        def others_run() -> bool:
            rows = machines(at_work)
            return all(m["observed"] == "running" for m in rows if m["host_id"] in elsewhere)

        assert at_work.wait_for(others_run, 5)
        assert at_work.wait_for(lambda: at_work.reconciler.counters.hung_calls > 0, 5)
        assert at_work.wait_for(lambda: reachability(at_work, names[0]) is Reachability.UNREACHABLE, 5)
    finally:
        at_work.world.faults = None
        hang.let_go.set()
    assert all(at_work.wait_for(is_done(at_work, ticket)) for ticket in sent)
    assert violations(at_work) == []


def reachability(running: Running, name: str) -> Reachability:
    with running.platform.db.read() as connection:
        return hosts.host(connection, name).reachability


def test_an_unreachable_host_frees_nothing_and_its_deletions_wait_for_it(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    host = next(h for h in at_work.furnished.hosts if h.id == machines(at_work)[0]["host_id"])
    at_work.world.cut(host.name)
    release = at_work.submit(release_text("portal"))
    assert at_work.wait_for(lambda: reachability(at_work, host.name) is Reachability.UNREACHABLE)
    with at_work.platform.db.read() as connection:
        assert connection.execute(select(t.claims)).first() is not None
    assert machines(at_work)[0]["observed"] == "running"
    at_work.world.heal(host.name)
    assert at_work.wait_for(is_done(at_work, release))
    assert reachability(at_work, host.name) is Reachability.REACHABLE
    assert at_work.wait_for(lambda: all(r["phase"] == "gone" for r in at_work.rows()))
    assert violations(at_work) == []


def test_a_machine_whose_host_died_under_it_waits_says_why_and_is_made_when_the_host_is_back(at_work: Running) -> None:
    for host in at_work.furnished.hosts:
        at_work.world.add_host(host.name)
        at_work.world.cut(host.name)
    ticket = at_work.submit(ticket_text("portal"))

    def says_why() -> bool:
        problem = machines(at_work)[0]["problem"]
        return isinstance(problem, dict) and problem["code"] == "driver.unreachable"

    assert at_work.wait_for(says_why)
    name = next(h.name for h in at_work.furnished.hosts if h.id == machines(at_work)[0]["host_id"])
    assert at_work.wait_for(lambda: reachability(at_work, name) is Reachability.UNREACHABLE)
    assert at_work.ticket_state(ticket) == "running"
    assert (machines(at_work)[0]["observed"], machines(at_work)[0]["placements"]) == ("unknown", 1)
    for host in at_work.furnished.hosts:
        at_work.world.heal(host.name)
    assert at_work.wait_for(is_done(at_work, ticket))
    assert machines(at_work)[0]["problem"] is None
    assert violations(at_work) == []


def test_a_machine_stopped_behind_our_back_is_started_again_and_reported(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    machine = machines(at_work)[0]
    host = next(h.name for h in at_work.furnished.hosts if h.id == machine["host_id"])
    at_work.world.drift_stop(host, machine["id"], reason="crashed")
    assert at_work.wait_for(lambda: at_work.world.hosts[host].machines[machine["id"]].boot_count == 2)
    assert at_work.wait_for(lambda: machines(at_work)[0]["phase"] == "settled" and machines(at_work)[0]["revision"] == 4)
    with at_work.platform.db.read() as connection:
        found = connection.execute(select(t.findings.c.kind, t.findings.c.state, t.findings.c.resource_id)).all()
        j = t.journal.c
        states = connection.execute(select(j.state).where(j.resource_id == machine["id"]).order_by(j.revision)).scalars().all()
    assert ("stopped", "repaired", machine["id"]) in found
    assert states == ["allocated", "running", "stopped", "running"]


@pytest.mark.parametrize("is_stubborn", [False, True], ids=["obeys", "has to be forced"])
def test_a_restart_by_order_happens_once_and_no_journal_hears_of_it(at_work: Running, is_stubborn: bool) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    machine = machines(at_work)[0]
    host = at_work.world.hosts[next(h.name for h in at_work.furnished.hosts if h.id == machine["host_id"])]
    if is_stubborn:
        host.stubborn = frozenset({machine["id"]})
    revision = machine["revision"]
    for number in (1, 2):
        power.reboot(at_work.platform, machine["id"], at_work.furnished.caller())
        at_work.reconciler.wake()
        assert at_work.wait_for(has_rebooted(at_work, number))
        assert host.machines[machine["id"]].boot_count == 1 + number
    assert (machines(at_work)[0]["phase"], machines(at_work)[0]["revision"]) == ("settled", revision)
    assert at_work.ticket_state(ticket) == "done"
    assert violations(at_work) == []


def test_a_machine_whose_disk_vanished_is_never_made_anew(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    machine = machines(at_work)[0]
    host = next(h.name for h in at_work.furnished.hosts if h.id == machine["host_id"])
    at_work.world.drift_vanish(host, machine["id"], with_root_disk=True)
    assert at_work.wait_for(lambda: machines(at_work)[0]["phase"] == "failed")
    assert machines(at_work)[0]["problem"]["code"] == "instance.disk_lost"
    assert machine["id"] not in at_work.world.hosts[host].machines


def test_what_bears_our_mark_and_no_row_is_reported_and_not_touched(at_work: Running) -> None:
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    machine = machines(at_work)[0]
    host = next(h for h in at_work.furnished.hosts if h.id == machine["host_id"])
    stranger = ResourceId("vol_" + "9" * 32)
    simulated = at_work.world.hosts[host.name]
    one = next(iter(simulated.volumes.values()))
    simulated.volumes[stranger] = type(one)(
        volume_id=stranger, fence=1, role="data", storage_pool="default", size_gib=1, image_sha256="", instance_id=None
    )

    def is_reported() -> bool:
        with at_work.platform.db.read() as connection:
            kinds = connection.execute(select(t.findings.c.kind, t.findings.c.subject)).all()
        return ("orphan", f"orphan:{host.id}:{stranger}") in kinds

    assert at_work.wait_for(is_reported)
    assert stranger in simulated.volumes


def test_a_paused_reconciler_begins_nothing_until_it_is_resumed(at_work: Running) -> None:
    at_work.reconciler.pause()
    ticket = at_work.submit(ticket_text("portal"))
    assert not at_work.wait_for(lambda: at_work.ticket_state(ticket) != "accepted", 0.5)
    at_work.reconciler.resume()
    assert at_work.wait_for(is_done(at_work, ticket))


def test_a_bug_in_a_driver_stops_neither_the_loop_nor_other_machines(at_work: Running) -> None:
    at_work.world.faults = Script().on("ensure_defined", fault=Bug(), nth=1)
    tickets_ = [at_work.submit(ticket_text(f"portal-{n}")) for n in range(2)]
    assert at_work.wait_for(lambda: [m["problem"]["code"] for m in machines(at_work) if m["problem"]] == ["step.bug"])
    assert all(at_work.wait_for(is_done(at_work, ticket)) for ticket in tickets_)
    assert at_work.reconciler.counters.bugs == 1


def test_a_machine_that_cannot_be_made_on_its_host_is_placed_on_another(at_work: Running) -> None:
    ticket_host = at_work.furnished.hosts
    for host in ticket_host:
        at_work.world.add_host(host.name)
    ticket = at_work.submit(ticket_text("portal"))
    assert at_work.wait_for(is_done(at_work, ticket))
    first = next(h for h in ticket_host if h.id == machines(at_work)[0]["host_id"])
    at_work.world.fill_storage(first.name, "default")
    second = at_work.submit(ticket_text("mail", project="P-portal"))
    assert at_work.wait_for(is_done(at_work, second))
    assert violations(at_work) == []


def test_a_stopped_loop_lets_go_of_every_hold(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        with running_controller(database, tmp_path, settings=QUICK) as running:
            running.world.delays_s = {"ensure_image": 0.2}
            running.submit(ticket_text("portal", count=4))
            running.wait_for(lambda: running.reconciler.counters.claimed > 0)
        with database.read() as connection:
            owners = set(connection.execute(select(t.resources.c.owner)).scalars())
    assert owners == {""}
