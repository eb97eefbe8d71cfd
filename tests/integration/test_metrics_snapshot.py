"""The snapshot: valid text, complete, served from memory, and honest about its age."""

import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, select

from controller.metrics import declared
from controller.metrics.snapshot import MetricsSnapshot
from controller.workflows import ledger, tickets
from drivers.simulated.world import world_named
from inventory.domain.errors import Unavailable
from inventory.domain.ids import ResourceId
from inventory.store import tables as t
from inventory.store.engine import Database
from metering.ledger_tables import intervals
from quotas import budget_store
from tests.support.database import sqlite_database
from tests.support.metrics import Watched, ask_something, lose_a_host, watch
from tests.support.samples import release_text

#: Families without a figure where nothing drifted, no step met a problem, no plan was rejected and no host is late.
NOTHING_YET = {"allot_plans_rejected", "allot_reconcile_drift", "allot_reconcile_problems", "allot_host_state_overdue_seconds"}
PROMTOOL = shutil.which("promtool")
requires_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian package prometheus)")


@requires_promtool
def test_promtool_finds_nothing_in_a_real_exposition(database: Database, tmp_path: Path) -> None:
    watched = _worked(database, tmp_path, f"promtool-{database.engine.dialect.name}")
    done = subprocess.run(
        [str(PROMTOOL), "check", "metrics"], input=watched.text(), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_declared_family_is_exposed_once_as_declared(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        text = _worked(database, tmp_path, "families").text()
    for metric in declared.ALL:
        assert text.count(f"# TYPE {metric.name} {metric.kind.value}\n") == 1, metric.name
    ours = [f for f in text_string_to_metric_families(text) if f.name.startswith("allot_")]
    assert len(ours) == len(declared.ALL)
    by_name = {m.name.removesuffix("_total"): m for m in declared.ALL}
    empty = set()
    for family in ours:
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(by_name[family.name].labels), family.name
        if not family.samples:
            empty.add(family.name)
    assert empty <= NOTHING_YET


def test_no_label_names_a_ticket_a_machine_or_a_system(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        text = _worked(database, tmp_path, "labels").text()
    assert not [word for word in ("portal", "web-1", "tick_", "inst_", "vol_", "sys_") if f'"{word}' in text]


def test_the_figures_are_those_of_the_platform(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = _worked(database, tmp_path, "figures")
        values = _values(watched.text())
    pool = 'pool="sim",zone="gov-public"'
    assert values[f"allot_vcpu_claimed{{{pool}}}"] == 2
    assert values[f"allot_memory_claimed_bytes{{{pool}}}"] == 2 * 128 * 2**20
    assert values[f'allot_disk_claimed_bytes{{{pool},class="standard"}}'] == 4 * 2**30
    assert values['allot_instances{zone="gov-public",pool="sim",phase="settled",observed="running"}'] == 2
    assert values['allot_addresses{zone="gov-public",state="given"}'] == 2
    assert values['allot_tickets{state="done"}'] == 1
    owner = 'department="civil-it",zone="gov-public"'
    assert values[f"allot_department_vcpu_claimed{{{owner}}}"] == 2
    assert values[f"allot_department_memory_claimed_bytes{{{owner}}}"] == 2 * 128 * 2**20
    assert values[f'allot_department_disk_claimed_bytes{{{owner},class="standard"}}'] == 4 * 2**30
    # As the samples of the machines say.
    assert values[f"allot_vcpu_used_ratio{{{owner}}}"] == 0.25
    assert values[f"allot_memory_used_ratio{{{owner}}}"] == 0.5
    assert values['allot_instances_failed{zone="gov-public",pool="sim"}'] == 0
    assert values['allot_driver_calls_total{pool="sim",verb="ensure_running"}'] == 2
    assert values['allot_http_requests_total{method="GET",route="/v1/tickets",status="200"}'] == 1
    assert values['allot_reconcile_step_duration_seconds_count{step="start"}'] == 2
    assert values["allot_state_write_duration_seconds_count"] > 3
    assert values['allot_build_info{version="0.1.0",state="sqlite"}'] == 1


def test_a_machine_its_back_end_lost_is_told_and_nothing_of_it_is_its_departments(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = _worked(database, tmp_path, "lost-machine")
        with database.read() as connection:
            [host, *_], [lost, *_] = zip(*_machines_by_host(connection), strict=True)
        world_named("lost-machine").drift_vanish(host, lost, with_root_disk=True)
        watched.furnished.clock.now_s += 3600.0
        watched.work()
        ledger.catch_up(watched.furnished.platform)
        values = _values(watched.text())
        with database.read() as connection:
            held = connection.execute(select(intervals).where(intervals.c.resource_id == lost, intervals.c.end_s.is_(None))).all()
    assert values['allot_instances_failed{zone="gov-public",pool="sim"}'] == 1
    assert {(i.meter, i.state) for i in held} == {
        ("vcpu", "lost"), ("memory_mib", "lost"), ("disk_gib:standard", "lost"), ("address", "lost"),
    }  # fmt: skip


def test_what_departments_hold_follows_the_ledger(database: Database, tmp_path: Path) -> None:
    watched = _worked(database, tmp_path, f"holdings-{database.engine.dialect.name}")
    held = 'allot_department_vcpu_claimed{department="civil-it",zone="gov-public"}'
    assert _values(watched.text())[held] == 2
    watched.apply("second", count=3)
    watched.work()
    ledger.catch_up(watched.furnished.platform)
    assert _values(watched.text())[held] == 5
    tickets.submit(watched.furnished.platform, release_text("second"), watched.furnished.caller(), confirm="second")
    watched.work()
    ledger.catch_up(watched.furnished.platform)
    assert _values(watched.text())[held] == 2


def test_what_departments_hold_is_told_by_the_names_of_now(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = _worked(database, tmp_path, "renamed")
        watched.text()
        with database.write() as connection:
            connection.execute(t.departments.update().where(t.departments.c.code == "civil-it").values(code="civil-data"))
        values = _values(watched.text())
    assert values['allot_department_vcpu_claimed{department="civil-data",zone="gov-public"}'] == 2


def test_addresses_of_a_zone_add_up_to_its_range(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        values = _values(_worked(database, tmp_path, "range").text())
    parts = [values[f'allot_addresses{{zone="gov-public",state="{state}"}}'] for state in ("given", "resting", "free")]
    # 10.96.0.0/12 in blocks of /26, each without network, gateway and broadcast.
    assert sum(parts) == 2**14 * 61


def test_a_scrape_touches_neither_database_nor_driver(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = _worked(database, tmp_path, "scrape")
        before = watched.text()
    # The file is gone and the engine closed: whatever a scrape needed there would fail now.
    (tmp_path / "state.db").unlink()
    assert _without_age(watched.snapshot.exposition().decode()) == _without_age(before)


def test_before_the_first_collection_there_is_a_valid_answer_that_says_so(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="early")
        values = _values(watched.snapshot.exposition().decode())
    assert values["allot_snapshot_timestamp_seconds"] == 0
    assert values["allot_snapshot_age_seconds"] >= 0
    assert not [name for name in values if name.startswith("allot_vcpu")]


def test_a_lost_database_leaves_the_old_figures_and_counts_the_failure(tmp_path: Path) -> None:
    now = [100.0]
    with sqlite_database(tmp_path / "state.db") as database:
        watched = _worked(database, tmp_path, "lost")
        snapshot = MetricsSnapshot(watched.furnished.platform, watched.counters, monotonic=lambda: now[0])
        snapshot.refresh()
        database.dispose()
        (tmp_path / "state.db").unlink()
        (tmp_path / "state.db").mkdir()
        watched.counters.reconcile.ticks = 4711
        now[0] = 160.0
        with pytest.raises(Unavailable):
            snapshot.refresh()
        values = _values(snapshot.exposition().decode())
        (tmp_path / "state.db").rmdir()
    assert values["allot_snapshot_failures_total"] == 1
    assert values["allot_snapshot_age_seconds"] == 60
    assert values['allot_tickets{state="done"}'] == 1
    assert values["allot_reconcile_ticks_total"] == 4711


def test_the_thread_goes_on_after_a_failure_and_ends_when_told(tmp_path: Path) -> None:
    class Rounds(threading.Event):
        """Counts the waits of the thread in place of waiting; ends after three."""

        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            if self.waits == 3:
                self.set()
            return self.is_set()

    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="thread")
        database.dispose()
        (tmp_path / "state.db").rename(tmp_path / "away.db")
        (tmp_path / "state.db").mkdir()
        stop = Rounds()
        watched.snapshot.run(stop)
        (tmp_path / "state.db").rmdir()
        (tmp_path / "away.db").rename(tmp_path / "state.db")
        assert stop.waits == 3
        # The last collection but this one told of two failures before it; this one works again.
        assert _values(watched.text())["allot_snapshot_failures_total"] == 3


def test_an_open_breaker_is_shown_by_pool(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="breaker")
        watched.counters.reconcile.cut_by_pool = {str(watched.furnished.hosts[0].pool_id): 2}
        assert _values(watched.text())['allot_driver_breaker_open{pool="sim"}'] == 2


def test_hosts_whose_events_are_not_heard_are_shown_by_pool(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = watch(database, tmp_path, world="unheard")
        assert _values(watched.text())['allot_driver_events_unheard{pool="sim"}'] == 0
        watched.counters.reconcile.unheard_by_pool = {str(watched.furnished.hosts[0].pool_id): 2}
        assert _values(watched.text())['allot_driver_events_unheard{pool="sim"}'] == 2


def _worked(database: Database, directory: Path, world: str) -> Watched:
    watched = watch(database, directory, world=world)
    watched.apply("portal")
    watched.work()
    watched.bill()
    lose_a_host(watched)
    ask_something(watched.counters)
    return watched


def _machines_by_host(connection: Connection) -> list[tuple[str, ResourceId]]:
    joined = t.resources.join(t.hosts, t.hosts.c.id == t.resources.c.host_id)
    statement = select(t.hosts.c.name, t.resources.c.id).select_from(joined).where(t.resources.c.kind == "instance")
    return [(host, ResourceId(id_)) for host, id_ in connection.execute(statement.order_by(t.resources.c.id))]


def _values(text: str) -> dict[str, float]:
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _without_age(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("allot_snapshot_age_seconds ")]


def test_the_fullest_budget_of_a_department_is_told(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        watched = _worked(database, tmp_path, "fullest-budget")
        values = _values(watched.text())
        with database.read() as connection:
            [budget] = budget_store.of_projects(connection)
    assert 0 < budget.spent_micro_yuan < budget.obligated_micro_yuan
    department = 'department="civil-it"'
    assert values[f"allot_budget_spent_ratio{{{department}}}"] == budget.spent_micro_yuan / budget.limit_micro_yuan
    assert values[f"allot_budget_obligated_ratio{{{department}}}"] == budget.obligated_micro_yuan / budget.limit_micro_yuan
