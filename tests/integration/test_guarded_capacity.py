"""Many promises in one statement: every row is guarded on its own, and what was refused is named. On both engines."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from inventory.domain.host import AdminState
from inventory.domain.resources import MEMORY_MIB, VCPU
from inventory.store import bulk, changes, hosts
from inventory.store import tables as t
from inventory.store.engine import Database
from tests.support.platform import Furnished, furnish
from tests.support.race import race

CPUS = 8


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Furnished:
    return furnish(database, tmp_path, host_count=2, cpu_count=CPUS)


def _used(database: Database) -> dict[tuple[str, str], int]:
    with database.read() as connection:
        return {(r.provider_id, r.dimension): r.used for r in hosts.inventories(connection) if r.used}


def test_what_fits_is_promised_and_given_back(here: Furnished) -> None:
    first, second = (h.id for h in here.hosts)
    wanted: dict[tuple[str, str], int] = {(first, VCPU): CPUS, (first, MEMORY_MIB): 1024, (second, VCPU): 1}
    with here.platform.db.write() as connection:
        assert hosts.try_use(connection, wanted) == []
    assert _used(here.platform.db) == wanted
    with here.platform.db.write() as connection:
        hosts.give_back(connection, {(first, VCPU): CPUS, (first, MEMORY_MIB): 1000})
    assert _used(here.platform.db) == {(first, MEMORY_MIB): 24, (second, VCPU): 1}


def test_each_row_that_refuses_is_named_in_order_and_no_other(here: Furnished) -> None:
    first, second = (h.id for h in here.hosts)
    with here.platform.db.write() as connection:
        before = changes.mark_now(connection)
        refused = hosts.try_use(connection, {(second, VCPU): CPUS + 1, (first, VCPU): CPUS, (second, MEMORY_MIB): 10**9})
        assert refused == sorted([(second, VCPU), (second, MEMORY_MIB)])
        assert changes.since(connection, before).host_ids == frozenset()
    assert _used(here.platform.db) == {}, "what was promised beside it is kept"


def test_a_transaction_knows_its_own_notes_and_no_others(here: Furnished) -> None:
    first, second = (h.id for h in here.hosts)
    with here.platform.db.write() as connection:
        before = changes.mark_now(connection)
        assert hosts.try_use(connection, {(first, VCPU): 1}) == []
        assert list(changes.own(connection).values()) == [frozenset({first})]
    with here.platform.db.write() as connection:
        assert changes.own(connection) == {}, "of the transaction before"
        assert hosts.try_use(connection, {(second, VCPU): 1}) == []
        changes.note(connection, None, {})
        noted = changes.own(connection)
        assert sorted(noted.values(), key=str) == sorted([None, frozenset({second})], key=str)
    with here.platform.db.read() as connection:
        mark = changes.since(connection, before).mark
        assert max(noted) == mark.last_id


def test_a_host_that_takes_nothing_new_and_one_nobody_knows_refuse(here: Furnished) -> None:
    first, second = here.hosts
    with here.platform.db.write() as connection:
        hosts.set_admin_state(connection, first.id, AdminState.CORDONED, reason="", by="ops", until_s=None)
        refused = hosts.try_use(connection, {(first.id, VCPU): 1, (second.id, VCPU): 1, ("host_unknown", VCPU): 1})
        assert refused == sorted([(first.id, VCPU), ("host_unknown", VCPU)])


def test_more_given_back_than_promised_is_refused_by_the_database(here: Furnished) -> None:
    with pytest.raises(IntegrityError), here.platform.db.write() as connection:
        hosts.give_back(connection, {(here.hosts[0].id, VCPU): 1})


def test_nothing_asked_is_nothing_done(here: Furnished) -> None:
    with here.platform.db.write() as connection:
        assert hosts.try_use(connection, {}) == []
        hosts.give_back(connection, {})
        bulk.insert_many(connection, t.claims, [])
        assert connection.execute(select(func.count()).select_from(t.claims)).scalar_one() == 0


@pytest.mark.postgres
def test_the_host_of_a_counter_is_looked_up_not_joined(postgres_database: Database, tmp_path: Path) -> None:
    """Planned as a join, every promise read all hosts and all counters where the database knew too little of them."""
    here = furnish(postgres_database, tmp_path, host_count=2, cpu_count=CPUS)
    asked: list[tuple[str, Any]] = []
    with postgres_database.write() as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _cursor, sql, given, *_: asked.append((sql, given)))
        assert hosts.try_use(connection, {(here.hosts[0].id, VCPU): 1}) == []
        ((sql, given),) = [(sql, given) for sql, given in asked if sql.startswith("UPDATE inventories")]
        plan = [row[0].strip() for row in connection.exec_driver_sql(f"EXPLAIN {sql}", given)]
    at = next(n for n, line in enumerate(plan) if line.startswith("SubPlan"))
    assert [n for n, line in enumerate(plan) if " on hosts" in line] == [at + 1], plan


@pytest.mark.postgres
def test_promises_of_many_rows_in_any_order_neither_deadlock_nor_exceed_the_capacity(
    postgres_database: Database, tmp_path: Path
) -> None:
    """Every contender wants a unit of every row; as many win as there are units, whatever order they name the rows in."""
    here = furnish(postgres_database, tmp_path, host_count=4, cpu_count=CPUS)
    keys = [(h.id, VCPU) for h in here.hosts]

    def attempt(_round: int, number: int) -> bool:
        mine = keys[number % 4 :] + keys[: number % 4]
        with postgres_database.write() as connection:
            return not hosts.try_use(connection, dict.fromkeys(mine, 1))

    def empty(round_: int) -> None:
        if round_:
            with postgres_database.write() as connection:
                hosts.give_back(connection, dict.fromkeys(keys, CPUS))

    result = race(attempt, contenders=3 * CPUS, rounds=20, between=empty, threads=8)
    assert set(result.wins) == {CPUS}
