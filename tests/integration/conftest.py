"""Fixtures of the integration tests: state databases on both engines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.store.engine import Database
from tests.support.database import open_for_test, sqlite_database
from tests.support.platform import Furnished, furnish
from tests.support.postgres import PostgresServer, private_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One private PostgreSQL server (fsync off) for the whole session."""
    with private_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh PostgreSQL database with all tables."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    """A fresh PostgreSQL database, opened."""
    with open_for_test(postgres_url) as database:
        yield database


@pytest.fixture
def here_on_postgres(postgres_url: str, tmp_path: Path) -> Iterator[Furnished]:
    """A furnished platform with three hosts, and connections for several at once."""
    with open_for_test(postgres_url, pool_size=4) as database:
        yield furnish(database, tmp_path, host_count=3)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An opened database with all tables, on SQLite (a file) and on PostgreSQL in turn."""
    if request.param == "postgresql":
        yield request.getfixturevalue("postgres_database")
    else:
        with sqlite_database(tmp_path / "state.db") as opened:
            yield opened
