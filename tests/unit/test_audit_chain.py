"""The audit chain on SQLite: events seal each other, and what was done to them is found."""

from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from controller.identity import audit
from controller.identity.audit import GENESIS, AuditEvent, Head, Result
from controller.identity.caller import Caller, Role
from inventory.domain.ids import DepartmentId, TokenId
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store.engine import Database, open_database
from tests.support.audit_chain import append_events, codes, raw
from tests.support.database import sqlite_database


def caller(department: str | None = None) -> Caller:
    home = DepartmentId(department) if department else None
    return Caller(
        token_id=TokenId("tok_1"),
        user_name="王芳",
        role=Role.DEPARTMENT_ADMIN if home else Role.OPERATOR,
        department_id=home,
        scope=of_departments(home) if home else PLATFORM,
        source="192.0.2.7",
    )


def test_every_event_seals_the_one_before(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        append_events(database, 3)
        with database.read() as connection:
            rows = audit.page(connection, PLATFORM, limit=10)
            result = audit.verify(connection)
    assert [r["seq"] for r in rows] == [1, 2, 3]
    assert rows[0]["previous_hash"] == GENESIS
    assert [r["previous_hash"] for r in rows[1:]] == [r["hash"] for r in rows[:-1]]
    assert (result.is_intact, result.checked_count, result.head) == (True, 3, Head(seq=3, hash=rows[2]["hash"]))


def test_an_empty_chain_is_intact_but_not_when_events_are_known(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database, database.read() as connection:
        assert audit.verify(connection).is_intact
        assert audit.verify(connection, Head(seq=0, hash=GENESIS)).is_intact
        assert codes(audit.verify(connection, Head(seq=4, hash="a" * 64))) == ["audit.truncated"]


def test_event_of_a_rolled_back_transaction_leaves_no_gap(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        append_events(database, 1)
        with pytest.raises(KeyError):
            append_and_fail(database)
        append_events(database, 1)
        with database.read() as connection:
            assert audit.verify(connection).checked_count == 2
            assert audit.verify(connection).is_intact


def append_and_fail(database: Database) -> None:
    with database.write() as connection:
        audit.append(connection, audit.event_by(caller(), at_s=5, action="a.b", target="x"))
        raise KeyError


def test_database_itself_refuses_to_change_an_event(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        append_events(database, 1)
        for statement in ("UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"):
            with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
                connection.exec_driver_sql(statement)


def test_event_says_who_for_whom_from_where_and_how_it_ended(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        with database.write() as connection:
            event = audit.event_by(caller("dept_a"), at_s=7.9, action="ticket.submit", target="tick_1", result=Result.REFUSED)
            audit.append(connection, event)
        with database.read() as connection:
            (row,) = audit.page(connection, PLATFORM, limit=1)
    known = ("actor", "role", "source", "on_behalf_of", "department_id", "action", "target", "result", "at_s")
    expected = ("王芳", "department_admin", "192.0.2.7", "dept_a", "dept_a", "ticket.submit", "tick_1", "refused", 7)
    assert tuple(row[name] for name in known) == expected


def test_department_reads_events_on_its_behalf_only(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        with database.write() as connection:
            for department in ("dept_a", "dept_b", None):
                home = DepartmentId(department) if department else None
                audit.append(connection, audit.event_by(caller(), at_s=1, action="x.y", target="t", department_id=home))
        with database.read() as connection:
            seen = audit.page(connection, of_departments(DepartmentId("dept_a")), limit=10)
    assert [r["department_id"] for r in seen] == ["dept_a"]


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        ("UPDATE audit SET target = target || 'x' WHERE seq = 5", ["audit.event_altered"]),
        ("UPDATE audit SET detail = ' ' || detail WHERE seq = 5", ["audit.event_altered"]),
        ("UPDATE audit SET department_id = '' WHERE seq = 5", ["audit.event_altered"]),
        ("UPDATE audit SET actor = CAST(X'ff00' AS TEXT) WHERE seq = 5", ["audit.event_altered"]),
        ("DELETE FROM audit WHERE seq = 5", ["audit.gap", "audit.link_broken"]),
        ("DELETE FROM audit WHERE seq = 1", ["audit.gap", "audit.link_broken"]),
        ("DELETE FROM audit WHERE seq > 6", ["audit.truncated"]),
        ("DELETE FROM audit", ["audit.truncated"]),
    ],
)
def test_tampering_is_found_with_a_head_kept_elsewhere(tmp_path: Path, tamper: str, expected: list[str]) -> None:
    path = tmp_path / "state.db"
    with sqlite_database(path) as database:
        head = append_events(database, 8)
    with raw(path) as connection:
        connection.execute(tamper)
    assert codes(verify(path, head)) == expected


def test_a_chain_rewritten_as_a_whole_is_found_by_the_head_kept_elsewhere(tmp_path: Path) -> None:
    path, forged = tmp_path / "state.db", tmp_path / "forged.db"
    with sqlite_database(path) as database:
        head = append_events(database, 4)
    with sqlite_database(forged) as database:
        append_events(database, 4, actor="somebody else")
    assert verify(forged).is_intact
    assert codes(verify(forged, head)) == ["audit.head_differs"]


def verify(path: Path, head: Head | None = None) -> audit.VerifyResult:
    database: Database = open_database(f"sqlite:///{path}")
    try:
        with database.read() as connection:
            return audit.verify(connection, head)
    finally:
        database.dispose()


def test_the_list_of_faults_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite_database(path) as database:
        append_events(database, 150)
    with raw(path) as connection:
        connection.execute("UPDATE audit SET actor = 'x'")
    assert len(verify(path).breaks) == 100


def test_event_holds_any_text_a_database_can_hold(tmp_path: Path) -> None:
    with sqlite_database(tmp_path / "state.db") as database:
        event = AuditEvent(
            at_s=1, actor="ünï\n\u2028", role="r", source="::1", action="a", target='"\\', detail={"b": [1, None], "a": {"é": 2}}
        )
        with database.write() as connection:
            audit.append(connection, event)
        with database.read() as connection:
            assert audit.verify(connection).is_intact
