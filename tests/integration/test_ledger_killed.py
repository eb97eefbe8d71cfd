"""A taker of journal rows that dies by SIGKILL before any of its statements: nothing lost, nothing doubled."""

import random
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from inventory.domain.journal import JournalRow
from inventory.domain.scope import PLATFORM
from inventory.store import journal
from inventory.store import tables as t
from inventory.store.engine import Database
from metering import ledger_store
from metering.intervals import intervals
from tests.support.database import open_for_test
from tests.support.journal import row
from tests.support.killing import dies_at

HORIZON_S = 1 << 40


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh database with all tables."""
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres_url")
        return found
    address = f"sqlite:///{tmp_path / 'state.db'}"
    with open_for_test(address, create=True):
        return address


def take_all(database: Database) -> None:
    after = ""

    def take_some(connection: Connection) -> ledger_store.Taken:
        return ledger_store.take(connection, most_count=4, after=after)

    while True:
        after = database.run(take_some).next_after
        if not after:
            return


def tell(database: Database, source: random.Random, told: dict[str, list[JournalRow]]) -> None:
    """A few changes of a few resources."""
    with database.write() as connection:
        for name in source.sample([f"inst_{n}" for n in range(12)], 6):
            history = told.setdefault(name, [])
            since_s = history[-1].occurred_at_s if history else 1000
            one = row(
                len(history) + 1,
                resource=name,
                occurred_at_s=since_s + source.randint(0, 500),
                amounts={"vcpu": source.randint(1, 8), "memory_mib": source.choice((0, 1024))},
            )
            history.append(one)
            journal.append(connection, [one])


def check(database: Database, told: dict[str, list[JournalRow]]) -> None:
    with database.read() as connection:
        stored = ledger_store.page(connection, PLATFORM, limit=100_000)
        assert connection.execute(select(t.journal_due)).all() == []
        assert ledger_store.compare(connection).differences == ()
    wanted = [i for name in sorted(told) for i in intervals(told[name], 0, HORIZON_S)]
    assert [(i.resource_id, i.meter, i.start_s, i.end_s or HORIZON_S, i.amount) for i in stored] == sorted(
        (i.resource_id, i.meter, i.start_s, i.end_s, i.amount) for i in wanted
    )


def kill_everywhere(url: str, kills_wanted: int, seed: int) -> int:
    """Die at statement 1, 2, 3 … of new work until the work ends before its death; again until enough have died."""
    source, told, kills, nth = random.Random(seed), dict[str, list[JournalRow]](), 0, 1
    with open_for_test(url) as database:
        while kills < kills_wanted or nth > 1:
            tell(database, source, told)
            # Children open connections of their own; ours must not be shared with them.
            database.dispose()
            if dies_at(url, take_all, nth):
                kills, nth = kills + 1, nth + 1
            else:
                check(database, told)
                nth = 1
        take_all(database)
        check(database, told)
    return kills


def test_a_taker_killed_before_any_of_its_statements_loses_and_doubles_nothing(url: str) -> None:
    assert kill_everywhere(url, kills_wanted=15, seed=1) >= 15


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_takers_killed_lose_and_double_nothing(url: str) -> None:
    assert kill_everywhere(url, kills_wanted=1000, seed=2) >= 1000
