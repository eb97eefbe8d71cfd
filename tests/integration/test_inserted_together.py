"""Rows that wait for each other arrive as they were, in their order, and are there for whatever is asked next."""

import pytest
from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, MetaData, Table, Text, func, select
from sqlalchemy.exc import IntegrityError

from inventory.store import bulk
from inventory.store.engine import Database, is_taken
from tests.integration.test_given_rows import TRICKY

METADATA = MetaData()
CITIES = Table("test_cities", METADATA, Column("id", Text, primary_key=True), Column("size", Integer))
STREETS = Table(
    "test_streets",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("city_id", Text, ForeignKey("test_cities.id"), nullable=False),
    Column("length_m", Float),
    Column("seal", LargeBinary),
)
#: More than are taken as arrays.
MANY = 100


@pytest.fixture(autouse=True)
def tables(database: Database) -> None:
    with database.write() as connection:
        METADATA.create_all(connection)


def cities(*ids: str) -> list[dict[str, object]]:
    return [{"id": id_, "size": len(id_)} for id_ in ids]


def streets(count: int, city_id: str = "a") -> list[dict[str, object]]:
    return [
        {"id": f"{city_id}-{n:03d}", "city_id": city_id, "length_m": n / 3, "seal": bytes([n % 256, 0, 92, 34])}
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [len(TRICKY), MANY])
def test_rows_arrive_as_they_were(database: Database, count: int) -> None:
    texts = [TRICKY[n % len(TRICKY)] + (f" {n}" if n >= len(TRICKY) else "") for n in range(count)]
    rows = [
        {"id": text, "city_id": "a", "length_m": n / 3 if n % 2 else None, "seal": text.encode()} for n, text in enumerate(texts)
    ]
    with database.write() as connection:
        bulk.insert_many(connection, CITIES, cities("a"))
        bulk.insert_many(connection, STREETS, rows)
    with database.read() as connection:
        found = [dict(row._mapping) for row in connection.execute(select(STREETS))]
    assert sorted(found, key=lambda row: row["id"]) == sorted(rows, key=lambda row: str(row["id"]))


def test_what_waits_is_there_for_the_next_statement(database: Database) -> None:
    with database.write() as connection, bulk.together(connection):
        bulk.insert_many(connection, CITIES, cities("a"))
        bulk.insert_many(connection, STREETS, streets(3))
        assert connection.execute(select(func.count()).select_from(STREETS)).scalar_one() == 3
        bulk.insert_many(connection, CITIES, cities("b"))
    with database.read() as connection:
        assert connection.execute(select(CITIES.c.id).order_by(CITIES.c.id)).scalars().all() == ["a", "b"]


def test_few_rows_go_before_the_many_that_name_them(database: Database) -> None:
    with database.write() as connection, bulk.together(connection):
        bulk.insert_many(connection, CITIES, cities("a"))
        bulk.insert_many(connection, STREETS, streets(MANY))
    with database.read() as connection:
        assert connection.execute(select(func.count()).select_from(STREETS)).scalar_one() == MANY


def insert_b_and_a(database: Database, *, is_together: bool) -> None:
    with database.write() as connection:
        if not is_together:
            bulk.insert_many(connection, CITIES, cities("b", "a"))
            return
        with bulk.together(connection):
            bulk.insert_many(connection, CITIES, cities("b"))
            bulk.insert_many(connection, CITIES, cities("a"))
            bulk.insert_many(connection, STREETS, streets(2, "b"))


@pytest.mark.parametrize("is_together", [False, True])
def test_a_row_that_is_there_already_is_refused_and_nothing_stays(database: Database, is_together: bool) -> None:
    with database.write() as connection:
        bulk.insert_many(connection, CITIES, cities("a"))
    with pytest.raises(IntegrityError) as refused:
        insert_b_and_a(database, is_together=is_together)
    assert is_taken(refused.value)
    with database.read() as connection:
        assert connection.execute(select(CITIES.c.id)).scalars().all() == ["a"]
        assert connection.execute(select(STREETS.c.id)).scalars().all() == []


def insert_and_fail(database: Database) -> None:
    with database.write() as connection, bulk.together(connection):
        bulk.insert_many(connection, CITIES, cities("a"))
        raise ZeroDivisionError


def test_nothing_that_waited_comes_after_an_error(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        insert_and_fail(database)
    with database.write() as connection:
        bulk.insert_many(connection, CITIES, cities("b"))
    with database.read() as connection:
        assert connection.execute(select(CITIES.c.id)).scalars().all() == ["b"]


def test_a_savepoint_holds_only_what_was_inserted_in_it(database: Database) -> None:
    with database.write() as connection, bulk.together(connection):
        bulk.insert_many(connection, CITIES, cities("a"))
        savepoint = connection.begin_nested()
        bulk.insert_many(connection, CITIES, cities("b"))
        savepoint.rollback()
    with database.read() as connection:
        assert connection.execute(select(CITIES.c.id)).scalars().all() == ["a"]
