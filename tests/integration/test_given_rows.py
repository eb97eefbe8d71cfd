"""Rows that are handed in as parameters arrive in the database as they were, whatever is written in them."""

from pathlib import Path

import pytest
from sqlalchemy import select

from inventory.store import bulk
from inventory.store.engine import Database
from tests.support.database import sqlite_database

TRICKY = ["", "NULL", "null", '"', "\\", '\\"', "{a,b}", "a,b", " a ", "张三", "%s", "%(x)s", ":x", "a\nb\tc", "'", "{", "}"]


def test_rows_come_as_they_were_given(database: Database) -> None:
    rows = [(text, f"{text}|", n - 3) for n, text in enumerate(TRICKY)] + [("large", "", 2**62)]
    with database.read() as connection:
        given = bulk.given(connection)
        found = connection.execute(select(given), bulk.given_values(connection, rows)).all()
    assert sorted(map(tuple, found)) == sorted(rows)


def test_nothing_given_is_no_row(database: Database) -> None:
    with database.read() as connection:
        given = bulk.given(connection)
        assert connection.execute(select(given), bulk.given_values(connection, [])).all() == []


def test_of_two_amounts_for_one_key_none_is_lost(tmp_path: Path) -> None:
    with (
        sqlite_database(tmp_path / "state.db") as database,
        database.read() as connection,
        pytest.raises(AssertionError, match="would be lost"),
    ):
        bulk.given_values(connection, [("host_a", "vcpu", 1), ("host_a", "vcpu", 2)])
