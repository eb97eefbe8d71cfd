"""inventory.store.engine: what each engine promises, and what is said when it cannot."""

import resource
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from controller.identity import tables as identity
from inventory.domain.errors import Unavailable
from inventory.store import engine
from inventory.store import tables as t
from inventory.store.engine import Database, open_database, safe_journal_mode
from tests.support.database import open_for_test, sqlite_database
from tests.support.postgres import private_postgres
from tests.support.small_disk import small_disk

_AUDIT_ROW = {
    "seq": 1,
    "at_s": 1,
    "actor": "li",
    "role": "operator",
    "on_behalf_of": "",
    "source": "local",
    "action": "host.enrol",
    "target": "host_a",
    "department_id": None,
    "result": "ok",
    "detail": {},
    "previous_hash": "0",
    "hash": "1",
}
_JOURNAL_ROW = {
    "resource_id": "inst_a",
    "revision": 1,
    "resource_kind": "instance",
    "resource_name": "web-1",
    "department_id": "dept_a",
    "project_id": "proj_a",
    "system_id": "sys_a",
    "state": "running",
    "amounts": {"vcpu": 1},
    "occurred_at_s": 1,
    "recorded_at_s": 1,
    "source": "driver",
}


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Iterator[Database]:
    with sqlite_database(tmp_path / "state.db") as database:
        yield database


def add_zone(connection: Connection, code: str, name: str = "zone") -> None:
    values = {"id": f"zone_{code}", "code": code, "name": name, "network_class": "x", "mlps_max": 3}
    connection.execute(insert(t.zones).values(**values, address_range="10.0.0.0/16", segment_prefix=26))


def write(database: Database, *steps: Callable[[Connection], object]) -> None:
    """Do the steps in one transaction."""
    with database.write() as connection:
        for step in steps:
            step(connection)


def zone_count(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(t.zones)) or 0


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "TRUNCATE"),
        ((3, 44, 5), "TRUNCATE"),
        ((3, 44, 6), "WAL"),
        ((3, 45, 0), "TRUNCATE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 2), "TRUNCATE"),
        ((3, 51, 3), "WAL"),
        ((3, 52, 0), "WAL"),
    ],
)
def test_wal_is_used_only_where_its_reset_race_is_fixed(version: tuple[int, ...], mode: str) -> None:
    assert safe_journal_mode(version) == mode


def test_every_sqlite_connection_is_durable_and_checks_foreign_keys(sqlite_file: Database) -> None:
    with sqlite_file.read() as first, sqlite_file.read() as second:
        for connection in (first, second):
            expected = {"synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
            assert {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected} == expected
            assert str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()).upper() == safe_journal_mode()


def test_sqlite_tables_are_strict(sqlite_file: Database) -> None:
    with sqlite_file.read() as connection:
        loose = connection.exec_driver_sql("SELECT name FROM pragma_table_list WHERE strict = 0 AND name NOT LIKE 'sqlite_%'")
        assert loose.all() == []


def test_a_reference_to_nothing_is_refused(database: Database) -> None:
    row = {
        "id": "pool_a",
        "code": "a",
        "name": "a",
        "zone_id": "zone_none",
        "driver": "x",
        "mlps_max": 1,
        "overcommit_permille": {},
    }
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(t.pools).values(**row))


def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        write(database, lambda c: add_zone(c, "a"), lambda _: 1 // 0)
    assert zone_count(database) == 0


def test_what_is_written_while_reading_is_rolled_back(database: Database) -> None:
    with database.read() as connection:
        add_zone(connection, "a")
    assert zone_count(database) == 0


def test_a_locked_sqlite_file_is_busy_and_nothing_is_half_done(sqlite_file: Database, tmp_path: Path) -> None:
    with sqlite_file.read() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
        own = connection.connection.dbapi_connection
    assert own is not None
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable) as caught, sqlite_file.write() as connection:
            add_zone(connection, "a")
        assert caught.value.code == "state.busy"
        other.execute("ROLLBACK")
    finally:
        other.close()
    with sqlite_file.write() as connection:
        add_zone(connection, "b")
    assert zone_count(sqlite_file) == 1


def test_writers_of_one_process_wait_for_each_other(sqlite_file: Database) -> None:
    """Eight threads each read a counter and write it back: with deferred transactions updates would be lost or refused."""
    with sqlite_file.write() as connection:
        add_zone(connection, "a", name="0")

    def unit(connection: Connection) -> None:
        now = int(connection.scalar(select(t.zones.c.name)) or "0")
        connection.execute(t.zones.update().values(name=str(now + 1)))

    threads = [threading.Thread(target=lambda: [sqlite_file.run(unit) for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sqlite_file.read() as connection:
        assert connection.scalar(select(t.zones.c.name)) == "40"


def test_a_disk_that_refuses_writes_is_told_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        with database.write() as connection:
            add_zone(connection, "before")
        # No file may grow: to SQLite that is a disk that answers writes with an error that is not "full".
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "state.db").stat().st_size, hard))
        try:
            with pytest.raises(Unavailable) as caught:
                write(database, *(partial(add_zone, code=f"big-{number}", name="x" * 2000) for number in range(300)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.code == "state.disk_error"
        assert zone_count(database) == 1
        with database.write() as connection:
            add_zone(connection, "after")
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_full_disk_is_told_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk, sqlite_database(disk / "state.db") as database:
        with database.write() as connection:
            add_zone(connection, "before")
        filler = disk / "filler"
        with filler.open("wb") as file:
            file.write(b"x" * (shutil.disk_usage(disk).free - 64 * 1024))
        with pytest.raises(Unavailable) as caught:
            write(database, *(partial(add_zone, code=f"big-{number}", name="x" * 2000) for number in range(300)))
        assert caught.value.code == "state.disk_full"
        assert zone_count(database) == 1
        filler.unlink()
        with database.write() as connection:
            add_zone(connection, "after")
        with database.read() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert set(connection.scalars(select(t.zones.c.code))) == {"before", "after"}


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is a letter, not a database. " * 100)
    with open_for_test(f"sqlite:///{path}") as database, pytest.raises(Unavailable) as caught, database.read() as connection:
        connection.execute(select(t.zones))
    assert caught.value.code == "state.corrupt"


def test_a_missing_directory_is_unreachable(tmp_path: Path) -> None:
    with open_for_test(f"sqlite:///{tmp_path}/none/state.db") as database, pytest.raises(Unavailable) as caught, database.read():
        pytest.fail("opened a file in a directory that does not exist")
    assert caught.value.code == "state.unreachable"


def test_a_query_only_connection_is_read_only(sqlite_file: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        write(sqlite_file, lambda c: c.exec_driver_sql("PRAGMA query_only=ON"), lambda c: add_zone(c, "a"))
    assert caught.value.code == "state.read_only"


@pytest.mark.postgres
def test_postgresql_stopped_in_the_middle_is_unreachable_and_comes_back() -> None:
    with private_postgres(durable=True) as server, open_for_test(server.create_database()) as database:
        with database.write() as connection:
            add_zone(connection, "before")
        with pytest.raises(Unavailable) as caught:
            write(database, lambda c: add_zone(c, "lost"), lambda _: server.stop(), lambda c: add_zone(c, "never"))
        assert caught.value.code == "state.unreachable"
        with pytest.raises(Unavailable) as refused, database.read():
            pytest.fail("connected to a server that is down")
        assert refused.value.code == "state.unreachable"
        server.start()
        with database.write() as connection:
            add_zone(connection, "after")
        with database.read() as connection:
            assert set(connection.scalars(select(t.zones.c.code))) == {"before", "after"}


@pytest.mark.postgres
def test_an_idle_pool_survives_a_restart_of_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_TRUSTED_S", 0.0)
    with private_postgres() as server, open_for_test(server.create_database()) as database:
        assert zone_count(database) == 0
        server.stop()
        server.start()
        assert zone_count(database) == 0


@pytest.mark.postgres
def test_a_connection_that_was_just_used_is_not_asked_and_a_dead_one_costs_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_TRUSTED_S", 3600.0)
    with private_postgres() as server, open_for_test(server.create_database()) as database:
        assert zone_count(database) == 0
        server.stop()
        server.start()
        with pytest.raises(Unavailable) as caught:
            zone_count(database)
        assert caught.value.code == "state.unreachable"
        assert zone_count(database) == 0


def test_a_glance_leaves_its_connection_as_it_was(database: Database) -> None:
    with database.glance() as connection:
        assert connection.scalar(select(func.count()).select_from(t.zones)) == 0
    with database.read() as connection:
        add_zone(connection, "a")
    with pytest.raises(ZeroDivisionError):
        write(database, lambda c: add_zone(c, "a"), lambda _: 1 // 0)
    with database.glance() as connection:
        assert connection.scalar(select(func.count()).select_from(t.zones)) == 0


@pytest.mark.postgres
def test_a_deadlock_is_run_again_until_both_are_done(postgres_database: Database) -> None:
    with postgres_database.write() as connection:
        add_zone(connection, "a", name="0")
        add_zone(connection, "b", name="0")
    both_hold_one = threading.Barrier(2)
    tries: list[str] = []

    def crossing(first: str, second: str) -> None:
        is_first_try = threading.Event()

        def unit(connection: Connection) -> None:
            tries.append(first)
            for position, code in enumerate((first, second)):
                connection.execute(t.zones.update().where(t.zones.c.code == code).values(name=t.zones.c.name + first))
                if position == 0 and not is_first_try.is_set():
                    is_first_try.set()
                    both_hold_one.wait(timeout=20)

        postgres_database.run(unit)

    threads = [threading.Thread(target=crossing, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tries) > 2
    with postgres_database.read() as connection:
        assert {"".join(sorted(name)) for name in connection.scalars(select(t.zones.c.name))} == {"0ab"}


@pytest.mark.parametrize("row", [("audit", _AUDIT_ROW), ("journal", _JOURNAL_ROW)], ids=lambda r: r[0])
def test_audit_and_journal_are_append_only_below_the_code(database: Database, row: tuple[str, dict[str, object]]) -> None:
    name, values = row
    table = {"audit": identity.audit, "journal": t.journal}[name]
    with database.write() as connection:
        connection.execute(insert(table).values(**values))
    for statement in (f"UPDATE {name} SET source = 'forged'", f"DELETE FROM {name}"):
        with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
            connection.execute(text(statement))
    with database.read() as connection:
        assert [r.source for r in connection.execute(select(table))] == [values["source"]]


def test_an_upsert_cannot_change_the_journal_either(database: Database) -> None:
    with database.write() as connection:
        connection.execute(insert(t.journal).values(**_JOURNAL_ROW))
    forged = "INSERT INTO journal SELECT * FROM journal ON CONFLICT (resource_id, revision) DO UPDATE SET source = 'forged'"
    forged = forged.replace("FROM journal ON", "FROM journal WHERE true ON")
    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(text(forged))


def test_an_unknown_database_error_is_not_dressed_up(database: Database) -> None:
    with pytest.raises(DBAPIError), database.read() as connection:
        connection.execute(text("SELECT * FROM no_such_table"))


def test_opening_makes_no_connection() -> None:
    open_database("postgresql://nobody@127.0.0.1:1/none").dispose()
