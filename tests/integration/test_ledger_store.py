"""The ledger in the database, on both engines: taken from the journal, guarded, compared, made again."""

import threading
from dataclasses import fields

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError

from inventory.domain.ids import DepartmentId
from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM, of_departments
from inventory.store import journal
from inventory.store import tables as t
from inventory.store.engine import Database
from metering import ledger_store
from metering.ledger_store import Comparison, Taken
from metering.ledger_tables import intervals as table
from tests.support.journal import row

_JOURNAL = tuple(f.name for f in fields(JournalRow))
MACHINE = {"vcpu": 2, "memory_mib": 2048}


def tell(database: Database, *rows: JournalRow) -> None:
    with database.write() as connection:
        journal.append(connection, list(rows))


def take(database: Database, most_count: int = 500, after: str = "") -> Taken:
    return database.run(lambda connection: ledger_store.take(connection, most_count=most_count, after=after))


def compare(database: Database) -> Comparison:
    with database.read() as connection:
        return ledger_store.compare(connection)


def stored(database: Database) -> list[tuple[str, str, int, int | None, int, str, int, int | None]]:
    with database.read() as connection:
        return [
            (i.resource_id, i.meter, i.start_s, i.end_s, i.amount, i.state, i.opened_by, i.closed_by)
            for i in ledger_store.page(connection, PLATFORM, limit=1000)
        ]


def test_a_life_is_taken_to_the_second_and_only_once(database: Database) -> None:
    tell(database, row(1, state="allocated", occurred_at_s=90, amounts=MACHINE), row(2, occurred_at_s=100, amounts=MACHINE))
    assert take(database).row_count == 2
    tell(database, row(3, state="stopped", occurred_at_s=161, amounts=MACHINE))
    tell(database, row(4, state="released", occurred_at_s=200, amounts={}))
    assert take(database).row_count == 2
    assert take(database).row_count == 0
    cpu = [i for i in stored(database) if i[1] == "vcpu"]
    assert cpu == [
        ("inst_a", "vcpu", 90, 100, 2, "allocated", 1, 2),
        ("inst_a", "vcpu", 100, 161, 2, "running", 2, 3),
        ("inst_a", "vcpu", 161, 200, 2, "stopped", 3, 4),
    ]
    assert len(stored(database)) == 6
    assert compare(database).differences == ()


def test_portions_go_on_behind_the_last_resource_even_past_one_that_waits(database: Database) -> None:
    tell(database, row(1, resource="inst_a"), row(1, resource="inst_c"))
    tell(database, row(2, resource="inst_b"))
    first = take(database, most_count=2)
    assert (first.resource_count, first.waiting, first.next_after) == (1, ("inst_b",), "inst_b")
    second = take(database, most_count=2, after=first.next_after)
    assert (second.resource_count, second.next_after) == (1, "")
    with database.read() as connection:
        assert ledger_store.due_count(connection) == 1


def oldest_due_at_s(database: Database) -> int | None:
    with database.read() as connection:
        return ledger_store.oldest_due_at_s(connection)


def test_a_row_that_waits_for_one_before_it_grows_old_while_those_of_others_are_taken(database: Database) -> None:
    assert oldest_due_at_s(database) is None
    tell(database, row(1, resource="inst_a", occurred_at_s=300), row(2, resource="inst_b", occurred_at_s=100))
    assert oldest_due_at_s(database) == 100
    assert take(database).row_count == 1
    tell(database, row(2, resource="inst_a", occurred_at_s=400))
    assert take(database).row_count == 1
    assert oldest_due_at_s(database) == 100, "nothing before it came"
    tell(database, row(1, resource="inst_b", occurred_at_s=50))
    assert take(database).row_count == 2
    assert oldest_due_at_s(database) is None


def test_the_database_itself_refuses_an_overlap(database: Database) -> None:
    tell(database, row(1, occurred_at_s=100), row(2, occurred_at_s=200, amounts={"vcpu": 2}))
    take(database)
    with database.read() as connection:
        one = dict(connection.execute(select(table).where(table.c.start_s == 100)).one()._mapping)
    for change in ({"start_s": 150, "end_s": 160}, {"start_s": 50, "end_s": 101}, {"start_s": 300, "end_s": None}):
        with pytest.raises(DBAPIError, match="overlap"), database.write() as connection:
            connection.execute(insert(table).values({**one, **change}))
    with pytest.raises(DBAPIError, match="overlap"), database.write() as connection:
        connection.execute(update(table).where(table.c.start_s == 100).values(end_s=201))
    with database.write() as connection:
        connection.execute(insert(table).values({**one, "start_s": 50, "end_s": 100}))


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ("UPDATE usage_intervals SET amount = 7 WHERE start_s = 100", "changed"),
        ("DELETE FROM usage_intervals WHERE start_s = 100", "missing"),
        ("UPDATE usage_intervals SET resource_id = 'inst_z' WHERE start_s = 100", "extra"),
        ("UPDATE usage_positions SET revision = 9", "not_taken"),
        ("UPDATE usage_intervals SET department_id = 'dept_z' WHERE start_s = 200", "changed"),
    ],
)
def test_a_comparison_finds_what_was_changed_behind_our_back_and_a_rebuild_mends_it(
    database: Database, damage: str, kind: str
) -> None:
    tell(database, row(1, occurred_at_s=100), row(2, occurred_at_s=200, amounts={"vcpu": 2}))
    take(database)
    before = stored(database)
    with database.write() as connection:
        connection.execute(text(damage))
    assert kind in {d.kind for d in compare(database).differences}
    with database.write() as connection:
        # In one transaction, as people do it: looked at, then mended.
        assert ledger_store.compare(connection).differences
        assert ledger_store.rebuild(connection) == 2
    assert stored(database) == before
    assert compare(database).differences == ()


def test_a_row_of_the_journal_that_is_due_nowhere_is_found(database: Database) -> None:
    tell(database, row(1, occurred_at_s=100))
    take(database)
    with database.write() as connection:
        connection.execute(t.journal.insert().values(**_values(row(1, resource="inst_lost"))))
    assert [(d.resource_id, d.kind) for d in compare(database).differences] == [("inst_lost", "not_taken")]


def test_what_is_due_is_no_difference(database: Database) -> None:
    tell(database, row(1, occurred_at_s=100), row(1, resource="inst_new", occurred_at_s=5))
    assert compare(database).differences == ()


def test_a_page_shows_a_scope_its_own_departments(database: Database) -> None:
    tell(database, row(1, resource="inst_a", department="dept_a"), row(1, resource="inst_b", department="dept_b"))
    take(database)
    with database.read() as connection:
        own = ledger_store.page(connection, of_departments(DepartmentId("dept_b")), limit=10)
        rest = ledger_store.page(connection, PLATFORM, limit=10, after=("inst_a", "vcpu", 0))
    assert [i.resource_id for i in own] == ["inst_b"]
    assert [i.resource_id for i in rest] == ["inst_b"]


@pytest.mark.postgres
def test_controllers_that_take_side_by_side_take_every_row_once(postgres_database: Database) -> None:
    names = [f"inst_{n:03d}" for n in range(60)]
    for name in names:
        tell(postgres_database, *(row(n, resource=name, occurred_at_s=100 * n, amounts={"vcpu": n}) for n in (1, 2, 3)))
    counts: list[int] = []

    def work() -> None:
        for _ in range(20):
            counts.append(take(postgres_database, most_count=7).row_count)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 180
    assert len(stored(postgres_database)) == 180
    assert compare(postgres_database).differences == ()


def _values(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in _JOURNAL}
