"""State databases for tests: a SQLite file with all tables; PostgreSQL ones come from ``tests.support.postgres``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.schema import METADATA
from inventory.store.engine import Database, open_database


@contextmanager
def open_for_test(url: str, *, create: bool = False, pool_size: int = 8) -> Iterator[Database]:
    """Open a database, make its tables if asked, and close it afterwards."""
    database = open_database(url, pool_size=pool_size)
    try:
        if create:
            METADATA.create_all(database.engine)
        yield database
    finally:
        database.dispose()


@contextmanager
def sqlite_database(path: Path) -> Iterator[Database]:
    """Make and open a SQLite file with all tables."""
    with open_for_test(f"sqlite:///{path}", create=True) as database:
        yield database


@contextmanager
def memory_database() -> Iterator[Database]:
    """Open a SQLite database in memory with all tables: for property tests that make thousands."""
    with open_for_test("sqlite://", create=True) as database:
        yield database
