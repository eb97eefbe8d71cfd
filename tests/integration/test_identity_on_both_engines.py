"""Audit chain, tokens and idempotency keys on SQLite and PostgreSQL, also when many write at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from controller.identity import audit, keys, tokens
from controller.identity.audit import AuditEvent
from controller.identity.caller import Role
from controller.identity.keys import Key, Stored
from inventory.domain.errors import Conflict, Invalid, NotFound, Unauthenticated
from inventory.domain.ids import TokenId, random_ids
from inventory.domain.scope import PLATFORM
from inventory.store.engine import Database
from tests.support.audit_chain import append_events, codes
from tests.support.directory import build_city

WRITERS, ROUNDS = 16, 25
KEY = Key(token_id=TokenId("tok_1"), key="k", request_sha256="a" * 64)


def event(number: int) -> AuditEvent:
    return AuditEvent(at_s=number, actor=f"writer {number}", role="operator", source="::1", action="x.y", target=str(number))


def test_chain_stays_whole_when_many_write_at_once(database: Database) -> None:
    def write(writer: int) -> None:
        for round_ in range(ROUNDS):
            with suppress(KeyError), database.write() as connection:
                audit.append(connection, event(writer * ROUNDS + round_))
                if round_ % 5 == 4:
                    raise KeyError

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    with database.read() as connection:
        found = audit.verify(connection)
        events = audit.page(connection, PLATFORM, limit=1000)
    assert codes(found) == []
    assert found.checked_count == WRITERS * ROUNDS * 4 // 5
    assert len({e["target"] for e in events}) == found.checked_count


@pytest.mark.postgres
def test_tampering_is_found_on_postgresql_too(postgres_database: Database) -> None:
    append_events(postgres_database, 5)
    with postgres_database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER ALL")
        connection.exec_driver_sql("UPDATE audit SET detail = detail || ' ' WHERE seq = 3")
    with postgres_database.read() as connection:
        assert codes(audit.verify(connection)) == ["audit.event_altered"]


def test_chain_longer_than_one_portion_is_read_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_CHUNK", 4)
    head = append_events(database, 12)
    with database.read() as connection:
        found = audit.verify(connection, head)
    assert (found.checked_count, found.head, codes(found)) == (12, head, [])


def test_token_is_known_by_its_secret_only(database: Database) -> None:
    with database.write() as connection:
        city = build_city(connection)
        token, secret = tokens.issue(
            connection,
            new_id=random_ids(),
            user_name="李娜",
            role=Role.DEPARTMENT_READER,
            department_id=city.departments["civil"].id,
            now_s=100.0,
            days=1,
        )
    with database.read() as connection:
        caller = tokens.resolve(connection, secret, now_s=100.0, source="local")
        assert (caller.user_name, caller.role, caller.token_id) == ("李娜", Role.DEPARTMENT_READER, token.id)
        assert caller.scope.department_ids == frozenset(city.departments[c].id for c in ("civil", "civil-it"))
        for wrong in ("", token.id, secret[:-1], secret + "x", secret.upper()):
            with pytest.raises(Unauthenticated, match=r"token\.unknown"):
                tokens.resolve(connection, wrong, now_s=100.0, source="local")
        with pytest.raises(Unauthenticated, match=r"token\.expired"):
            tokens.resolve(connection, secret, now_s=100.0 + 86_400, source="local")


@pytest.mark.parametrize("days", [0, -1, 367])
def test_token_without_a_sensible_end_is_refused(database: Database, days: int) -> None:
    with pytest.raises(Invalid, match="days_out_of_range"), database.write() as connection:
        tokens.issue(connection, new_id=random_ids(), user_name="x", role=Role.AUDITOR, department_id=None, now_s=0.0, days=days)


def test_revoking_what_is_not_there_is_not_found_and_twice_keeps_the_first_moment(database: Database) -> None:
    with database.write() as connection:
        token, _ = tokens.issue(
            connection, new_id=random_ids(), user_name="x", role=Role.AUDITOR, department_id=None, now_s=0.0, days=1
        )
        assert tokens.revoke(connection, token.id, 5.0).revoked_at_s == 5.0
        assert tokens.revoke(connection, token.id, 9.0).revoked_at_s == 5.0
        with pytest.raises(NotFound):
            tokens.revoke(connection, "tok_none", 5.0)


def test_of_many_requests_with_one_key_exactly_one_runs(database: Database) -> None:
    def begin(_: int) -> str:
        try:
            return "runs" if database.run(lambda connection: keys.begin(connection, KEY, 10.0)) is None else "remembered"
        except Conflict as busy:
            return busy.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(begin, range(32)))
    assert outcomes.count("runs") == 1
    assert outcomes.count("idempotency.in_flight") == 31


def test_answer_is_remembered_for_a_day(database: Database) -> None:
    answer = Stored(status=202, headers={"location": "/v1/x"}, body=b"\x00\xff")
    with database.write() as connection:
        assert keys.begin(connection, KEY, 10.0) is None
        keys.finish(connection, KEY, answer)
    with database.write() as connection:
        assert keys.begin(connection, KEY, 20.0) == answer
        assert keys.purge(connection, 10.0, limit=5) == 0
        assert keys.purge(connection, 11.0, limit=5) == 1
        assert keys.begin(connection, KEY, 20.0) is None


def test_a_key_that_is_dropped_while_another_request_asks_for_it_is_taken_or_in_flight(database: Database) -> None:
    def ask(_: int) -> None:
        for _round in range(60):
            with suppress(Conflict):
                with database.write() as connection:
                    assert keys.begin(connection, KEY, 1.0) is None
                with database.write() as connection:
                    keys.drop(connection, KEY)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
