"""Rows that are handed in as parameters arrive in the database as they were, whatever is written in them."""

from sqlalchemy import select

from inventory.store import bulk
from inventory.store.engine import Database

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
