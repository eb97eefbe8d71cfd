"""The sums of the metrics room agree with the rows, on both engines, after real work."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select

from controller.tickets import summary as tickets
from controller.tickets.model import TicketState
from inventory.domain.host import AdminState
from inventory.store import hosts, summary
from inventory.store import tables as t
from inventory.store.engine import Database
from quotas import summary as quotas
from tests.support.database import open_for_test
from tests.support.metrics import lose_a_host, watch


def test_sums_agree_with_the_rows_after_work(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"sums-{database.engine.dialect.name}")
    watched.apply("portal", count=3)
    now_s = watched.furnished.clock.now_s
    with database.read() as connection:
        waiting = tickets.oldest_unsettled_since_s(connection)
        assert tickets.state_counts(connection)[TicketState.ACCEPTED] == 1
        assert tickets.oldest_since_s(connection) == {TicketState.ACCEPTED: now_s}
    assert waiting == now_s
    watched.work()
    with database.read() as connection:
        counts = summary.resource_counts(connection)
        journal_rows = connection.execute(select(func.count()).select_from(t.journal)).scalar_one()
        rooms = {r.dimension: r for r in summary.rooms(connection)}
        ratios = {(code, dimension): ratio for code, dimension, ratio in quotas.department_ratios(connection)}
        zone = summary.address_counts(connection, now_s)[0]
        assert tickets.oldest_unsettled_since_s(connection) is None
        assert tickets.state_counts(connection)[TicketState.DONE] == 1
    assert {(r.kind, r.phase, r.observed): r.count for r in counts if r.kind != "segment"} == {
        ("instance", "settled", "running"): 3,
        ("volume", "settled", "present"): 3,
    }
    assert sum(r.journal_rows for r in counts) == journal_rows > 0
    assert (rooms["vcpu"].capacity, rooms["vcpu"].used, rooms["vcpu"].free) == (48, 3, 45)
    assert rooms["memory_mib"].used == 3 * 128
    assert rooms["disk_gib:standard"].used == 3 * 2
    assert ratios["civil", "vcpu"] == 3 / 40
    assert (zone.given, zone.resting) == (3, 0)


def test_free_counts_only_hosts_that_take_new_machines(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"free-{database.engine.dialect.name}")
    name = lose_a_host(watched)
    first, second, _ = watched.furnished.hosts
    with database.write() as connection:
        hosts.set_admin_state(connection, first.id, AdminState.CORDONED, reason="test", by="test", until_s=None)
        connection.execute(
            t.inventories.update()
            .where(t.inventories.c.provider_id == second.id, t.inventories.c.dimension == "vcpu")
            .values(foreign_used=999)
        )
    with database.read() as connection:
        rooms = {r.dimension: r for r in summary.rooms(connection)}
        named = summary.unreachable_hosts(connection, 10)
        by_state = {(admin, reach): count for _, _, admin, reach, count in summary.host_counts(connection)}
    assert (rooms["vcpu"].capacity, rooms["vcpu"].free) == (48, 0)
    assert rooms["memory_mib"].free == 65536
    assert named == [(name, "sim", "gov-public")]
    assert by_state == {("cordoned", "reachable"): 1, ("active", "reachable"): 1, ("active", "unreachable"): 1}


def test_a_retired_host_is_no_capacity_and_is_not_missed(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"retired-{database.engine.dialect.name}")
    lose_a_host(watched)
    with database.write() as connection:
        lost = hosts.host(connection, watched.furnished.hosts[-1].id)
        hosts.save_host(connection, replace(lost, admin_state=AdminState.RETIRED))
    with database.read() as connection:
        assert {r.dimension: r.capacity for r in summary.rooms(connection)}["vcpu"] == 32
        assert summary.unreachable_hosts(connection, 10) == []


def test_hosts_past_the_time_of_their_state_are_named_the_longest_first(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"overdue-{database.engine.dialect.name}")
    now_s = int(watched.furnished.clock.now_s)
    untils = (now_s - 60, now_s - 3600, now_s + 1)
    with database.write() as connection:
        for host, until_s in zip(watched.furnished.hosts, untils, strict=True):
            hosts.set_admin_state(connection, host.id, AdminState.CORDONED, reason="test", by="test", until_s=until_s)
    first, second, _ = (h.name for h in watched.furnished.hosts)
    with database.read() as connection:
        found = summary.overdue_hosts(connection, now_s, 10)
        assert summary.overdue_hosts(connection, now_s, 1) == found[:1]
    assert found == [
        (second, "sim", "gov-public", "cordoned", now_s - 3600),
        (first, "sim", "gov-public", "cordoned", now_s - 60),
    ]
    text = watched.text()
    assert f'allot_host_state_overdue_seconds{{host="{second}",pool="sim",zone="gov-public",admin_state="cordoned"}} 3600' in text
    assert text.count("allot_host_state_overdue_seconds{") == 2


def test_leases_and_findings_are_counted_by_their_time(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"leases-{database.engine.dialect.name}")
    for name in ("gone-by", "this-week", "this-month", "later"):
        watched.apply(name, count=1)
    now_s = int(watched.furnished.clock.now_s)
    ends = {"gone-by": now_s, "this-week": now_s + 7 * 86_400, "this-month": now_s + 7 * 86_400 + 1, "later": now_s + 31 * 86_400}
    with database.write() as connection:
        for name, end_s in ends.items():
            connection.execute(t.systems.update().where(t.systems.c.name == name).values(lease_end_s=end_s))
        for number, state in enumerate(("open", "open", "closed")):
            connection.execute(
                t.findings.insert().values(
                    id=f"find_{number}",
                    kind="orphan",
                    subject=str(number),
                    detail={},
                    state=state,
                    first_seen_s=number,
                    last_seen_s=9,
                )
            )
    with database.read() as connection:
        counts = summary.lease_counts(connection, now_s)
        assert (counts.expired, counts.within_7_days, counts.within_30_days) == (1, 1, 2)
        assert summary.open_findings(connection) == [("orphan", 2, 0.0)]


def test_holds_are_told_apart_by_the_clock(database: Database, tmp_path: Path) -> None:
    watched = watch(database, tmp_path, world=f"holds-{database.engine.dialect.name}")
    watched.apply("portal", count=2)
    with database.write() as connection:
        machines = t.resources.c.kind == "instance"
        connection.execute(t.resources.update().where(machines).values(owner="w1", hold_until_s=100.0))
    with database.read() as connection:
        early, late = (summary.hold_counts(connection, now_s) for now_s in (99.0, 100.0))
    assert early == summary.HoldCount(held=2, expired=0)
    assert late == summary.HoldCount(held=0, expired=2)


def test_counting_resources_reads_an_index_alone(tmp_path: Path) -> None:
    with open_for_test(f"sqlite:///{tmp_path / 'state.sqlite'}", create=True) as database, database.read() as connection:
        said: list[str] = []

        def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
            said.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall())

        event.listen(database.engine, "before_cursor_execute", explain)
        summary.resource_counts(connection)
        event.remove(database.engine, "before_cursor_execute", explain)
    assert "SCAN resources USING COVERING INDEX ix_resources_host" in said, said
